#!/usr/bin/env python3
"""Does training against flipped bits help in fixed point? ds-tune with and without --gate-noise, then ds-run --ring.

    build/deps/venv/bin/python test/bench/gate_noise.py [--model resnet20-cifar10] [--budget 25%] [--steps 300] [--seed 0]
        [--bits 0 6 4] [--rings 64,16 32,8] [--limit 1000] [--results build/bench/gate-noise]

One plan, from 1,024 of the 50,000 training images; from it one tuning a noise (0: none), all else alike; each tuned model in
each ring (bits, fractional bits) on the first test images. No label and no test image is used but to count. Rows that
are there are not run again. Prints a Markdown table.
"""

import argparse
import json
import pathlib

import machine
from cifar import NORMALIZATION, ROOT, run_tool
from tuning import CALIBRATION, RECIPE


def plan(arguments, model, training):
    """The repaired model that all tunings start from."""
    shared = arguments.results / f"{model.stem}-{arguments.budget.rstrip('%')}-{arguments.seed}.onnx"
    if not shared.exists():
        run_tool("ds-opt", model, "--calibrate", training, "--calibrate-count", CALIBRATION, *NORMALIZATION, "--budget",
                 arguments.budget, "--seed", arguments.seed, "-o", shared)
    return shared


def tune(arguments, model, shared, training, bits):
    tuned = arguments.results / f"{shared.stem}-{arguments.steps}-noise-{bits:g}.onnx"
    if not tuned.exists():
        run_tool("ds-tune", shared, "--teacher", model, "--images", training, *NORMALIZATION, *RECIPE, "--steps", arguments.steps,
                 "--seed", arguments.seed, "--gate-noise", bits, "--quiet", "-o", tuned)
    return tuned


def measure(arguments, tuned, ring, frac):
    """What `ds-run --json` says of a model in a ring."""
    record = tuned.with_name(f"{tuned.stem}-{ring}-{frac}-{arguments.limit}.json")
    if not record.exists():
        run_tool("ds-run", tuned, "--images", arguments.shared / "data/cifar10-test.npz", *NORMALIZATION, "--limit",
                 arguments.limit, "--ring", ring, "--frac", frac, "--json", record)
    return json.loads(record.read_text())["ring"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet20-cifar10")
    parser.add_argument("--budget", default="25%")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bits", nargs="+", type=float, default=[0, 6, 4], help="--gate-noise of each tuning (0 6 4)")
    parser.add_argument("--rings", nargs="+", default=["64,16", "32,8"], metavar="BITS,FRAC")
    parser.add_argument("--limit", type=int, default=1000, help="test images")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "build/bench/gate-noise")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    model, training = arguments.shared / "models" / f"{arguments.model}.onnx", arguments.shared / "data/cifar10-train.npz"
    shared = plan(arguments, model, training)
    print(f"{machine.describe(ROOT)}; {arguments.budget}, {arguments.steps} steps, seed {arguments.seed}, "
          f"{arguments.limit} test images\n")
    print("| --gate-noise | ring, f | top-1 in floats | top-1 in the ring | answers that change | flips a comparison |\n|---|---|---|---|---|---|")
    for bits in arguments.bits:
        tuned = tune(arguments, model, shared, training, bits)
        for ring, frac in (text.split(",") for text in arguments.rings):
            found = measure(arguments, tuned, ring, frac)
            images = sum(found[kind]["images"] for kind in ("without_flips", "with_flips"))
            changed = sum(found[kind]["top1_changed"] for kind in ("without_flips", "with_flips"))
            flips, comparisons = (sum(site[key] for site in found["sites"]) for key in ("flips", "comparisons"))
            print(f"| {bits:g} | {ring}, {frac} | {100 * found['correct_in_floats'] / images:.2f} | {100 * found['correct'] / images:.2f} | "
                  f"{changed} of {images} | {flips / comparisons:.1e} |", flush=True)


if __name__ == "__main__":
    main()
