#!/usr/bin/env python3
"""Compares strategies at equal bytes: every plan may spend the same part of the bytes that a cost model gives all gates.

    build/deps/venv/bin/python test/bench/equal_bytes.py [--model resnet20-cifar10 ...] [--budget 50% 25% 12.5% 6%]
        [--strategy all | full linear ...] [--cost-model crypten-64 semi2k-64] [--seeds 0 1 2] [--tune-steps 0]
        [--jobs 2] [--results build/bench/equal-bytes]

Each row is one ds-opt: it observes, plans and repairs on 1,024 training images that the seed draws. With --tune-steps
the result is tuned by the original's outputs alone, with tuning.py's recipe. Top-1 is counted in ONNX Runtime on all 10,000 test images, once, at
the end: no test image is seen before, and nothing is selected by it. Each row leaves a JSON file in the results' folder
and is not run again while that is there. Prints the machines and commits of the rows and a Markdown table a model, cost model and kind of row: means over the seeds.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import sys

import machine
from cifar import NORMALIZATION, ROOT, Images, logits, run_tool, top1
from tuning import CALIBRATION, RECIPE

STRATEGIES = ["full", "blocks", "own", "linear", "uniform", "random", "kmedoids"]


@functools.cache
def test_images(shared):
    return Images(shared / "data/cifar10-test.npz", 10000)


def measure(model, cost_model, seed, strategy, budget, arguments):
    stem = arguments.results / f"{model}-{cost_model}-{seed}" / f"{strategy}-{budget}"
    record = pathlib.Path(f"{stem}.{arguments.tune_steps}.row.json")
    if record.exists():
        return
    stem.parent.mkdir(exist_ok=True)
    original = arguments.shared / f"models/{model}.onnx"
    result = pathlib.Path(f"{stem}.onnx")
    if not result.exists():
        run_tool("ds-opt", original, "--calibrate", arguments.shared / "data/cifar10-train.npz", "--calibrate-count", CALIBRATION,
                 *NORMALIZATION, "--budget", f"{budget}bytes", "--strategy", strategy, "--cost-model", cost_model, "--seed", seed,
                 "-o", result)
    if arguments.tune_steps:
        tuned = pathlib.Path(f"{stem}.{arguments.tune_steps}.onnx")
        run_tool("ds-tune", result, "--teacher", original, "--images", arguments.shared / "data/cifar10-train.npz",
                 *NORMALIZATION, *RECIPE, "--steps", arguments.tune_steps, "--seed", seed, "--quiet", "-o", tuned)
        result = tuned
    images = test_images(arguments.shared)
    record.write_text(json.dumps({
        "machine": machine.describe(ROOT), "model": model, "cost_model": cost_model, "seed": seed, "strategy": strategy,
        "budget": budget, "steps": arguments.tune_steps, "recipe": " ".join(map(str, RECIPE)) if arguments.tune_steps else "",
        "top1": top1(logits(result, images.inputs, threads=1), images.labels)}, indent=1) + "\n")


def tables(results):
    groups, machines = {}, set()
    for path in sorted(results.glob("*/*.row.json")):
        row = json.loads(path.read_text())
        machines.add(row["machine"])
        cells = groups.setdefault((row["model"], row["cost_model"], row["steps"]), {})
        cells.setdefault((row["strategy"], row["budget"]), {})[row["seed"]] = row["top1"]
    print("\n".join(sorted(machines)) + "\n")
    for (model, cost_model, steps), cells in sorted(groups.items()):
        budgets = sorted({budget for _, budget in cells}, key=lambda text: -float(text.rstrip("%")))
        seeds = sorted({seed for runs in cells.values() for seed in runs})
        print(f"{model}, {cost_model}, {f'tuned for {steps} steps' if steps else 'repaired'}, seeds {', '.join(map(str, seeds))}:\n")
        print("| strategy | " + " | ".join(budgets) + " |\n|---|" + "---|" * len(budgets))
        for strategy in STRATEGIES:
            runs = [list(cells.get((strategy, budget), {}).values()) for budget in budgets]
            if any(runs):
                print(f"| {strategy} | " + " | ".join(
                    (f"{sum(run) / len(run):.2f}" + ("" if len(run) == len(seeds) else f" ({len(run)})")) if run else ""
                    for run in runs) + " |")
        print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["resnet20-cifar10"])
    parser.add_argument("--budget", nargs="+", default=["50%", "25%", "12.5%", "6%"])
    parser.add_argument("--strategy", nargs="+", choices=[*STRATEGIES, "all"], default=["all"])
    parser.add_argument("--cost-model", nargs="+", default=["crypten-64", "semi2k-64"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tune-steps", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="rows at once, one thread each (2)")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench/equal-bytes")
    arguments = parser.parse_args()
    if not arguments.shared.is_dir():
        sys.exit(f"skipped: {arguments.shared} is not there")
    if "all" in arguments.strategy:
        arguments.strategy = STRATEGIES
    arguments.results.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    sources = [(model, cost_model, seed) for seed in arguments.seeds for model in arguments.model for cost_model in arguments.cost_model]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda row: measure(*row, arguments), [
            (*source, strategy, budget) for source in sources for budget in arguments.budget for strategy in arguments.strategy]))
    tables(arguments.results)


if __name__ == "__main__":
    main()
