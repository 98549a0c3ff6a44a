#!/usr/bin/env python3
"""Measures accuracy without training: plans by several strategies and budgets, with and without repair.

    build/deps/venv/bin/python test/bench/accuracy.py [--model resnet20-cifar10 ...] [--budget 50% 25% ...]
        [--strategy full linear ...] [--repair on off] [--seeds 3] [--calibration 1024] [--json results.json]

Each row runs ds-opt once a seed on calibration images that the seed draws from the 50,000 training images and counts
top-1 on all 10,000 test images in ONNX Runtime. No test image is seen before. Prints a Markdown table, a row a model,
budget, strategy and repair: mean and range over the seeds, and the time of the whole command.
"""

import argparse
import json
import pathlib
import sys

import machine
from cifar import NORMALIZATION, ROOT, Images, logits, run_tool, top1


def measure(model, budget, strategy, repair, seed, arguments, images):
    out = ROOT / "build/bench" / f"accuracy-{model.stem}-{budget.rstrip('%')}-{strategy}-{repair}-{seed}.onnx"
    run = run_tool("ds-opt", model, "--calibrate", arguments.shared / "data/cifar10-train.npz", *NORMALIZATION,
                   "--calibrate-count", arguments.calibration, "--budget", budget, "--strategy", strategy,
                   f"--repair={repair}", "--cost-model", arguments.cost_model, "--seed", seed, "-o", out)
    return {"top1": top1(logits(out, images.inputs), images.labels), "seconds": run.seconds, "bytes": run.memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["resnet20-cifar10"])
    parser.add_argument("--budget", nargs="+", default=["50%", "25%", "12.5%", "6%"])
    parser.add_argument("--strategy", nargs="+", default=["full"])
    parser.add_argument("--repair", nargs="+", choices=["on", "off"], default=["on"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--calibration", type=int, default=1024, help="calibration images (1024)")
    parser.add_argument("--cost-model", default="semi2k-64")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--json", type=pathlib.Path, help="also write every run here")
    arguments = parser.parse_args()
    if not arguments.shared.is_dir():
        sys.exit(f"skipped: {arguments.shared} is not there")
    (ROOT / "build/bench").mkdir(parents=True, exist_ok=True)

    images = Images(arguments.shared / "data/cifar10-test.npz", 10000)
    results = {"machine": machine.describe(ROOT), "calibration_images": arguments.calibration, "rows": []}
    print(f"{results['machine']}; {arguments.calibration} calibration images, {arguments.seeds} seeds\n")
    print("| model | budget | strategy | repair | top-1, mean | least .. most | seconds |\n|---|---|---|---|---|---|---|")
    for name in arguments.model:
        model = arguments.shared / "models" / f"{name}.onnx"
        print(f"| {name} | original | | | {top1(logits(model, images.inputs), images.labels):.2f} | | |", flush=True)
        for budget in arguments.budget:
            for strategy in arguments.strategy:
                for repair in arguments.repair:
                    runs = [measure(model, budget, strategy, repair, seed, arguments, images) for seed in range(arguments.seeds)]
                    results["rows"].append({"model": name, "budget": budget, "strategy": strategy, "repair": repair, "runs": runs})
                    accuracy = [run["top1"] for run in runs]
                    print(f"| {name} | {budget} | {strategy} | {repair} | {sum(accuracy) / len(accuracy):.2f} "
                          f"| {min(accuracy):.2f} .. {max(accuracy):.2f} | {max(run['seconds'] for run in runs):.0f} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
