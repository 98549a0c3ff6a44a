#!/usr/bin/env python3
"""Does the predicted loss rank plans as they behave? Spearman correlation with measured KL divergence.

    build/deps/venv/bin/python test/bench/planner_ranking.py [--model resnet20-cifar10] [--images 2000]

planner-bench plans 35 times from one observation (512 images), over all strategies and budgets from 3 to 93 %; ds-opt
applies each plan without repair; ONNX Runtime gives the KL divergence of the result's softmax from the original's on
test images. Prints a Markdown table and the correlation; exits with 1 if that is below 0.9.
"""

import argparse
import json
import subprocess
import sys

import numpy as np

from cifar import ROOT, Images, log_softmax, logits, run_tool


def ranks(values):
    order = np.argsort(values)
    result = np.empty(len(values))
    result[order] = np.arange(len(values))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20-cifar10")
    parser.add_argument("--images", type=int, default=2000)
    arguments = parser.parse_args()
    shared = ROOT.parent / "shared"
    model = shared / "models" / f"{arguments.model}.onnx"
    folder = ROOT / "build/bench/ranking"
    folder.mkdir(parents=True, exist_ok=True)
    command = [ROOT / "build/bin/planner-bench", "plans", model, shared / "data/cifar10-calib.npz", "512", folder]
    plans = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    images = Images(shared / "data/cifar10-test.npz", arguments.images)
    original = log_softmax(logits(model, images.inputs))
    print("| strategy | budget % | predicted loss | KL divergence |\n|---|---|---|---|")
    for plan in plans:
        out = folder / "out.onnx"
        run_tool("ds-opt", model, "--plan", plan["plan"], "-o", out)
        other = log_softmax(logits(out, images.inputs))
        plan["kl"] = float((np.exp(original) * (original - other)).sum(axis=1).mean())
    for plan in sorted(plans, key=lambda plan: plan["loss"]):
        print(f"| {plan['strategy']} | {100 * plan['budget']:.1f} | {plan['loss']:.5f} | {plan['kl']:.4f} |")
    spearman = np.corrcoef(ranks([p["loss"] for p in plans]), ranks([p["kl"] for p in plans]))[0, 1]
    print(f"\nSpearman correlation of {len(plans)} plans: {spearman:.3f}")
    sys.exit(bool(spearman < 0.9))


if __name__ == "__main__":
    main()
