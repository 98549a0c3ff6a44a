#!/usr/bin/env python3
"""Does the temperature of the planner's weights matter? Repaired models planned at several temperatures.

    build/deps/venv/bin/python test/bench/temperature.py [--model resnet20-cifar10] [--budget 25% 12.5%]
        [--temperature 1 4 16]

Plans and repairs on the first 1,024 training images; measures on the last 4,000 training images, which neither has
seen, top-1 and the KL divergence from the original's softmax in ONNX Runtime. Test images are left for the results.
Prints a Markdown table.
"""

import argparse

import numpy as np

import machine
from cifar import NORMALIZATION, ROOT, Images, log_softmax, logits, run_tool, top1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20-cifar10")
    parser.add_argument("--budget", nargs="+", default=["25%", "12.5%"])
    parser.add_argument("--temperature", nargs="+", default=["1", "4", "16"])
    arguments = parser.parse_args()
    shared = ROOT.parent / "shared"
    model = shared / "models" / f"{arguments.model}.onnx"
    out = ROOT / "build/bench/temperature.onnx"
    out.parent.mkdir(parents=True, exist_ok=True)
    images = Images(shared / "data/cifar10-train.npz", slice(-4000, None))
    original = log_softmax(logits(model, images.inputs))
    print(f"{machine.describe(ROOT)}\n\n| budget | temperature | top-1 | KL divergence |\n|---|---|---|---|")
    for budget in arguments.budget:
        for temperature in arguments.temperature:
            passes = (f"canonicalize,observe-gates{{temperature={temperature}}},plan-gates{{budget={budget}}},"
                      "share-gates,eliminate-dead-code,repair")
            run_tool("ds-opt", model, "--calibrate", shared / "data/cifar10-calib.npz", *NORMALIZATION,
                     f"--passes={passes}", "-o", out)
            outputs = logits(out, images.inputs)
            divergence = (np.exp(original) * (original - log_softmax(outputs))).sum(axis=1).mean()
            print(f"| {budget} | {temperature} | {top1(outputs, images.labels):.2f} | {divergence:.3f} |", flush=True)


if __name__ == "__main__":
    main()
