#!/usr/bin/env python3
"""How to come down to a small budget: at once, planning anew in stages, or giving gates up in stages. ds-tune, the same steps.

    build/deps/venv/bin/python test/bench/schedules.py [--model mnist-cnn|resnet20-cifar10] [--budgets 25%,6% ...]
        [--seeds 0 1 2] [--steps 600] [--results build/bench/schedules]

Three rows for each of --budgets (the stages, the last one is the budget): `at once` plans the last budget and trains in all
steps; `planned anew` is --budget-schedule, `given up` the same with --polarize. All start from the original, whose outputs are
all that they are trained for: no label is used. Top-1 is counted by ds-run on all 10,000 test images, once, after the last step.
Rows that are there are not run again. Prints a Markdown table, mean and range over the seeds.
"""

import argparse
import json
import pathlib
import re

import machine
from cifar import NORMALIZATION, ROOT, run_tool

SHARED = ROOT.parent / "shared"
MNIST = ROOT / "build/demo/mnist-1.2.6"
# Model, training images, test images, and how they are read and augmented.
MODELS = {
    "mnist-cnn": (ROOT / "models/mnist-cnn.onnx", MNIST / "train-images-idx3-ubyte", MNIST / "t10k-images-idx3-ubyte", [], []),
    "resnet20-cifar10": (SHARED / "models/resnet20-cifar10.onnx", SHARED / "data/cifar10-train.npz",
                         SHARED / "data/cifar10-test.npz", NORMALIZATION, ["--flip", "--crop", 4]),
}
RECIPE = ["--lr", 5e-4, "--warmup", 10, "--smooth-part", 0]
WAYS = ("at once", "planned anew", "given up")


def measure(name, budgets, way, seed, arguments):
    model, training, test, normalization, augmentation = MODELS[name]
    schedule = budgets.split(",")[-1] if way == "at once" else budgets
    stem = arguments.results / f"{name}-{schedule.replace(',', '-')}-{way.replace(' ', '-')}-{arguments.steps}-{seed}"
    record = stem.with_name(f"{stem.name}.json")
    if record.exists():
        return json.loads(record.read_text())
    tuned = stem.with_name(f"{stem.name}.onnx")
    run = run_tool("ds-tune", model, "--images", training, *normalization, *augmentation, *RECIPE, "--budget-schedule", schedule,
                   *(["--polarize"] if way == "given up" else []), "--steps", arguments.steps, "--seed", seed, "--quiet", "-o", tuned)
    answers = run_tool("ds-run", tuned, "--images", test, *normalization)
    row = {"machine": machine.describe(ROOT), "model": name, "budgets": budgets, "way": way, "seed": seed, "steps": arguments.steps,
           "top1": float(re.search(r"top-1 ([\d.]+) %", answers.output)[1]), "processor_seconds": run.processor_seconds}
    record.write_text(json.dumps(row, indent=1) + "\n")
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="mnist-cnn", choices=list(MODELS))
    parser.add_argument("--budgets", nargs="+", default=["25%,6%"], help="stages of DReLUs, separated by commas")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench/schedules")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    print("| model | budgets | way | steps | seeds | top-1, mean | least .. most | processor time |\n|---|---|---|---|---|---|---|---|")
    for budgets in arguments.budgets:
        for way in WAYS:
            rows = [measure(arguments.model, budgets, way, seed, arguments) for seed in arguments.seeds]
            top = [row["top1"] for row in rows]
            minutes = sum(row["processor_seconds"] for row in rows) / len(rows) / 60
            print(f"| {arguments.model} | {budgets} | {way} | {arguments.steps} | {len(rows)} | {sum(top) / len(top):.2f} | "
                  f"{min(top):.2f} .. {max(top):.2f} | {minutes:.1f} min |", flush=True)
    print("\n" + machine.describe(ROOT))


if __name__ == "__main__":
    main()
