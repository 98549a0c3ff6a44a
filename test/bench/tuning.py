#!/usr/bin/env python3
"""Measures accuracy after tuning: plans by several strategies and budgets, each repaired and then tuned the same way.

    build/deps/venv/bin/python test/bench/tuning.py [--model resnet20-cifar10] [--budget 12.5% 25% ...]
        [--strategy full linear ...] [--seeds 0 1 2] [--steps 1200] [--results build/bench/tuning]

A row is ds-opt and then ds-tune, by the original's outputs alone: no label is used. The seed draws the calibration images
from the 50,000 training images and shuffles the training. Top-1 is counted in ONNX Runtime on all 10,000 test images, once,
after the last step; nothing is selected by it. Each row leaves a JSON file in the results' folder; a row whose file is
there is not run again, and a tuning that was interrupted goes on from its checkpoint. Prints a Markdown table of all rows
that are there, mean and range over the seeds.
"""

import argparse
import json
import pathlib
import sys

import machine
from cifar import NORMALIZATION, ROOT, Images, logits, run_tool, top1

CALIBRATION = 1024
RECIPE = ["--flip", "--crop", 4, "--lr", 5e-4, "--warmup", 10, "--smooth-part", 0]
TARGETS = {("resnet20-cifar10", "50%"): 91.2, ("resnet20-cifar10", "25%"): 90.3, ("resnet20-cifar10", "12.5%"): 88.3,
           ("resnet20-cifar10", "6%"): 85.0, ("resnet32-cifar10", "25%"): 91.7}


def measure(model, budget, strategy, seed, arguments, images):
    stem = arguments.results / f"{model.stem}-{budget.rstrip('%')}-{strategy}-{arguments.steps}-{seed}"
    record = pathlib.Path(f"{stem}.json")
    if record.exists():
        return
    training = arguments.shared / "data/cifar10-train.npz"
    shared, tuned = f"{stem}-shared.onnx", f"{stem}.onnx"
    plan = run_tool("ds-opt", model, "--calibrate", training, "--calibrate-count", CALIBRATION, *NORMALIZATION,
                    "--budget", budget, "--strategy", strategy, "--seed", seed, "-o", shared)
    tune = run_tool("ds-tune", shared, "--teacher", model, "--images", training, *NORMALIZATION, *RECIPE,
                    "--steps", arguments.steps, "--seed", seed, "--quiet", "--metrics", f"{stem}.jsonl",
                    "--checkpoint", f"{stem}.checkpoint", "-o", tuned)
    record.write_text(json.dumps({
        "machine": machine.describe(ROOT), "model": model.stem, "budget": budget, "strategy": strategy, "seed": seed,
        "steps": arguments.steps, "recipe": " ".join(map(str, RECIPE)),
        "original": top1(logits(model, images.inputs), images.labels),
        "repaired": top1(logits(shared, images.inputs), images.labels),
        "tuned": top1(logits(tuned, images.inputs), images.labels),
        "plan_seconds": plan.seconds, "plan_processor_seconds": plan.processor_seconds,
        "tune_seconds": tune.seconds, "tune_processor_seconds": tune.processor_seconds}, indent=1) + "\n")


def table(results):
    rows = {}
    for path in sorted(results.glob("*.json")):
        if len(path.suffixes) > 1 and path.suffixes[-2] in (".plan", ".report"):  # ds-opt's
            continue
        row = json.loads(path.read_text())
        rows.setdefault((row["model"], -float(row["budget"].rstrip("%")), row["strategy"], row["steps"]), []).append(row)
    print("| model | budget | strategy | steps | seeds | repaired | tuned, mean | least .. most | target | processor time of tuning |\n"
          "|---|---|---|---|---|---|---|---|---|---|")
    for (model, _, strategy, steps), runs in sorted(rows.items()):
        mean = lambda key: sum(run[key] for run in runs) / len(runs)
        tuned = [run["tuned"] for run in runs]
        target = TARGETS.get((model, runs[0]["budget"]), "") if strategy == "full" else ""
        print(f"| {model} | {runs[0]['budget']} | {strategy} | {steps} | {len(runs)} | {mean('repaired'):.2f} | {mean('tuned'):.2f} "
              f"| {min(tuned):.2f} .. {max(tuned):.2f} | {target} | {mean('tune_processor_seconds') / 60:.1f} min |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["resnet20-cifar10"])
    parser.add_argument("--budget", nargs="+", default=["12.5%", "25%", "50%", "6%"])
    parser.add_argument("--strategy", nargs="+", default=["full"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench/tuning")
    arguments = parser.parse_args()
    if not arguments.shared.is_dir():
        sys.exit(f"skipped: {arguments.shared} is not there")
    arguments.results.mkdir(parents=True, exist_ok=True)
    images = Images(arguments.shared / "data/cifar10-test.npz", 10000)
    for name in arguments.model:
        for budget in arguments.budget:
            for strategy in arguments.strategy:
                for seed in arguments.seeds:
                    measure(arguments.shared / "models" / f"{name}.onnx", budget, strategy, seed, arguments, images)
    print(machine.describe(ROOT) + "\n")
    table(arguments.results)


if __name__ == "__main__":
    main()
