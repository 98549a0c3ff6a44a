#!/usr/bin/env python3
"""Do the temperature of the planner's weights and the amplification of its losses matter? Repaired models of each.

    build/deps/venv/bin/python test/bench/loss_model.py [--model resnet20-cifar10] [--budget 25%bytes 12.5%bytes ...]
        [--temperature 4 ...] [--amplify 0 1 2 '1 0 2'] [--strategy full ...]

Plans and repairs on the first 1,024 training images; measures on the last 4,000 training images, which neither has
seen, top-1 and the KL divergence from the original's softmax in ONNX Runtime. Test images are left for the results.
Prints a Markdown table.
"""

import argparse
import itertools

import numpy as np

import machine
from cifar import NORMALIZATION, ROOT, Images, log_softmax, logits, run_tool, top1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20-cifar10")
    parser.add_argument("--budget", nargs="+", default=["25%bytes", "12.5%bytes", "6%bytes"])
    parser.add_argument("--strategy", nargs="+", default=["full"])
    parser.add_argument("--temperature", nargs="+", default=["4"])
    parser.add_argument("--amplify", nargs="+", default=["0", "1", "2", "1 0 2"])
    parser.add_argument("--cost-model", default="semi2k-64")
    arguments = parser.parse_args()
    shared = ROOT.parent / "shared"
    model = shared / "models" / f"{arguments.model}.onnx"
    out = ROOT / "build/bench/loss-model.onnx"
    out.parent.mkdir(parents=True, exist_ok=True)
    images = Images(shared / "data/cifar10-train.npz", slice(-4000, None))
    original = log_softmax(logits(model, images.inputs))
    print(f"{machine.describe(ROOT)}\n\n| budget | strategy | temperature | amplify | top-1 | KL divergence |\n|---|---|---|---|---|---|")
    for budget, strategy, temperature, amplify in itertools.product(arguments.budget, arguments.strategy,
                                                                    arguments.temperature, arguments.amplify):
        passes = (f"canonicalize,observe-gates{{temperature={temperature}}},plan-gates{{budget={budget} strategy={strategy} "
                  f"amplify='{amplify}'}},share-gates,eliminate-dead-code,repair")
        run_tool("ds-opt", model, "--calibrate", shared / "data/cifar10-calib.npz", *NORMALIZATION,
                 "--cost-model", arguments.cost_model, f"--passes={passes}", "-o", out)
        outputs = logits(out, images.inputs)
        divergence = (np.exp(original) * (original - log_softmax(outputs))).sum(axis=1).mean()
        print(f"| {budget} | {strategy} | {temperature} | {amplify} | {top1(outputs, images.labels):.2f} | {divergence:.3f} |",
              flush=True)


if __name__ == "__main__":
    main()
