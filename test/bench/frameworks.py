#!/usr/bin/env python3
"""What private inference sends: the original and 25 % of the DReLUs, in CrypTen and in SPU's three protocols.

usage: frameworks.py [--models NAME...] [--protocols NAME...] [--shared-model NAME=FILE...] [--count N] [--json FILE]

Legalises both models with ds-opt, runs them between real parties with ds-pi, and holds them against ds-opt's cost report:
- bytes predicted within 3 % of the measured ones, and never more than the original's;
- at least 97 % of the saving that the report gives for the plan;
- fewer rounds of comparison where the plan leaves fewer of them one after the other (not CHEETAH, whose rounds are sends);
- private answers as in the clear on 99 of 100 images.
Bytes are held against the report with a batch of 1. Prints tables in Markdown; exit code 1 if a bound does not hold.
--shared-model runs a model of ds-tune, which has its plan beside it (FILE.plan.json or FILE-shared.plan.json), instead of
one that is only repaired. Needs `tools/setup --pi`, a build, ../shared, and MNIST from tools/demo.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
MNIST = ROOT / "build/demo/mnist-1.2.6"
CIFAR = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]
# Model, calibration images, test images, normalisation.
MODELS = {
    "resnet20-cifar10": (SHARED / "models/resnet20-cifar10.onnx", SHARED / "data/cifar10-calib.npz",
                         SHARED / "data/cifar10-test.npz", CIFAR),
    "mnist-cnn": (ROOT / "models/mnist-cnn.onnx", MNIST / "train-images-idx3-ubyte", MNIST / "t10k-images-idx3-ubyte", []),
}
PROTOCOLS = ("crypten", "semi2k", "aby3", "cheetah")


def ds_opt(*arguments):
    subprocess.run([ROOT / "build/bin/ds-opt", *arguments], check=True, stdout=subprocess.DEVNULL)


def plan_of(model):
    """The plan beside a model of ds-opt or ds-tune."""
    places = [model.with_suffix(".plan.json"), model.with_name(f"{model.stem}-shared.plan.json")]
    found = next((place for place in places if place.exists()), None)
    if not found:
        sys.exit(f"{model}: there is no plan beside it ({' or '.join(place.name for place in places)})")
    return found


def prepare(name, folder, budget, shared=None):
    """The plan and the repaired weights, once, unless `shared` is there; then each target's forms of both models."""
    model, calibration, _, normalisation = MODELS[name]
    if not shared:
        shared = folder / f"{name}-shared.onnx"
        ds_opt(model, "--calibrate", calibration, *normalisation, "--budget", budget, "-o", shared)
    paths = {}
    for target in ("crypten", "spu"):
        paths[target] = [folder / f"{name}-{kind}-{target}.onnx" for kind in ("original", "shared")]
        ds_opt(model, f"--target={target}", "-o", paths[target][0])
        ds_opt(shared, f"--target={target}", "-o", paths[target][1])
    return plan_of(shared), paths


def predicted(name, folder, plan, cost_model):
    """Before and after, as the cost report has them: bytes of an image, the set-up apart, and comparisons in sequence."""
    report = folder / "report.json"
    ds_opt(MODELS[name][0], "--plan", plan, "--cost-model", cost_model, "--report", report, "-o", folder / "report.onnx")
    costs = json.loads(report.read_text())
    return [{"bytes": costs[when]["bytes"] - costs[when]["fixed_bytes"], "steps": costs[when]["comparison_steps"]}
            for when in ("before", "after")]


def measure(name, folder, protocol, paths, count, batch):
    """The figures of ds-pi run for the original and the shared model."""
    framework = "crypten" if protocol == "crypten" else "spu"
    _, _, images, normalisation = MODELS[name]
    result = folder / "result.json"
    command = [ROOT / "tools/ds-pi", "run", paths[framework][1], "--compare", paths[framework][0], "--framework", framework,
               "--images", images, *normalisation, "--count", str(count), "--batch", str(batch), "--json", result]
    subprocess.run(command + (["--protocol", protocol] if framework == "spu" else []), check=True)
    return json.loads(result.read_text())["models"]


def saved(original, rewritten):
    return 1 - rewritten["bytes"] / original["bytes"]


def check(protocol, models, costs):
    """Each bound that does not hold, as a sentence."""
    broken = []
    for kind, figures, expected in zip(("original", "shared"), models, costs):
        if figures["batch"] == 1 and abs(expected["bytes"] / figures["bytes"] - 1) > 0.03:
            broken.append(f"{kind}: predicted {expected['bytes']:,.0f} bytes, measured {figures['bytes']:,.0f}")
        if 100 * figures["agree"] < 99 * figures["images"]:
            broken.append(f"{kind}: {figures['agree']} of {figures['images']} answers are those in the clear")
    if models[1]["bytes"] > models[0]["bytes"]:
        broken.append("the shared model sends more than the original")
    if models[0]["batch"] == 1 and saved(*models) < 0.97 * saved(*costs):
        broken.append(f"saved {100 * saved(*models):.1f} %, possible {100 * saved(*costs):.1f} %")
    before, after = (figures["kinds"]["comparison"]["rounds"] for figures in models)
    fewer = costs[1]["steps"] < costs[0]["steps"]
    if protocol != "cheetah" and (after > before or (fewer and after == before)):
        broken.append(f"rounds of comparison {before} -> {after}, comparisons in sequence {costs[0]['steps']} -> {costs[1]['steps']}")
    return broken


def rows(protocol, kinds, models, costs):
    lines = []
    for kind, figures, expected in zip(kinds, models, costs):
        off = f"{100 * (expected['bytes'] / figures['bytes'] - 1):+.2f} %" if figures["batch"] == 1 else ""
        share = ""
        if figures is models[1]:
            share = f"{100 * saved(*models):.1f} %"
            if figures["batch"] == 1 and saved(*costs) > 0:
                share += f" ({100 * saved(*models) / saved(*costs):.1f} % of possible)"
        parts = [f"{figures['kinds'][k]['bytes']:,.0f}" for k in ("linear", "comparison", "mux", "truncation")]
        top = "" if figures["correct"] is None else f"{figures['correct']} of {figures['images']}"
        lines.append(f"| {protocol} | {kind} | {figures['bytes']:,.0f} | {share} | {expected['bytes']:,.0f} | {off} | "
                     f"{' | '.join(parts)} | {figures['rounds']:,} | {figures['kinds']['comparison']['rounds']:,} | "
                     f"{figures['seconds']:.1f} | {figures['agree']} of {figures['images']} | {top} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--budget", default="25%")
    parser.add_argument("--count", type=int, default=2, help="images (2)")
    parser.add_argument("--batch", type=int, default=1, help="images at once; bytes are held against the report with 1 (1)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results here")
    parser.add_argument("--shared-model", nargs="+", default=[], metavar="NAME=FILE", help="a model of ds-tune to run")
    arguments = parser.parse_args()
    tuned = {name: pathlib.Path(path).resolve() for name, _, path in (word.partition("=") for word in arguments.shared_model)}
    for name in tuned.keys() - set(MODELS):
        parser.error(f"--shared-model: unknown model '{name}'")
    for path in tuned.values():
        if not path.exists():
            parser.error(f"--shared-model: {path}: no such file")
    broken = []
    folder = ROOT / "build/bench/frameworks"
    folder.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine.describe(ROOT), "budget": arguments.budget, "models": {}}
    print(f"{results['machine']}\n")
    for name in arguments.models:
        plan, paths = prepare(name, folder, arguments.budget, tuned.get(name))
        lines = []
        for protocol in arguments.protocols:
            costs = predicted(name, folder, plan, f"{protocol}-64")
            models = measure(name, folder, protocol, paths, arguments.count, arguments.batch)
            results["models"].setdefault(name, {})[protocol] = {"measured": models, "predicted": costs}
            kinds = ("all", f"{arguments.budget}, tuned" if name in tuned else arguments.budget)
            lines += rows(protocol, kinds, models, costs)
            broken += [f"{name}, {protocol}: {what}" for what in check(protocol, models, costs)]
        print(f"\n### {name}\n\n| | DReLUs | bytes an image | saved | predicted | off by | linear | comparison | mux | truncation | "
              f"rounds | of comparison | s | as in the clear | top-1 |\n{'|---' * 15}|")
        print("\n".join(lines), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    for what in broken:
        print(f"bound broken: {what}", file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
