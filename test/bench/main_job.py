#!/usr/bin/env python3
"""Measures the main job on ResNet-20 and ResNet-32: ds-opt with calibration images and a budget.

    build/deps/venv/bin/python test/bench/main_job.py [--model resnet20-cifar10 ...] [--json results.json]

Prints Markdown tables, one a model; exits with 1 if a bound does not hold. Reads models and CIFAR-10 from ../shared.
What ds-opt wrote stays in build/bench. ONNX Runtime and count_comparisons.py stand in for a third party's view.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

import count_comparisons
import flipped_bits
import machine
from cifar import NORMALIZATION, ROOT, Images, logits, run_tool, top1

SKIPPED = 77  # exit code of a test that cannot run here


def verdict(row):
    return ("ok" if row["holds"] else "**not met**") if row["bound"] else ""


class Bench:
    def __init__(self, model, shared, calibration, folder):
        self.model, self.folder = shared / "models" / f"{model}.onnx", folder
        self.test_file = shared / "data/cifar10-test.npz"
        self.calibration = [shared / "data/cifar10-calib.npz", calibration]
        self.rows = []

    def row(self, what, measured, bound=None, holds=True):
        self.rows.append({"what": what, "measured": measured, "bound": bound, "holds": bool(holds)})
        print(f"   {'ok ' if holds else 'NOT'}  {what}: {measured}" + (f" (bound: {bound})" if bound else ""), file=sys.stderr)

    def rewrite(self, budget, *more):
        """Runs the main job. Returns the path of its output, and the run."""
        out = self.folder / f"{self.model.stem}-{budget.rstrip('%')}{''.join(more)}.onnx"
        images, count = self.calibration
        run = run_tool("ds-opt", self.model, "--calibrate", images, "--calibrate-count", count, *NORMALIZATION,
                       "--budget", budget, "-o", out, *more)
        return out, run

    def compare(self, name, path, images, errors):
        """Rows on how Exec and ONNX Runtime differ, image by image."""
        far = np.flatnonzero(errors > 1e-4)
        agreeing = float(np.delete(errors, far).max())
        what = f"50 %, {name}: greatest difference between Exec and ONNX Runtime, {len(errors):,} images"
        if not len(far):
            self.row(what, f"{agreeing:.1e}", "<= 1e-4")
            return
        flips = flipped_bits.first_flips(path, images.pixels[far], images.inputs[far], self.folder)
        optimised, plain = (logits(path, images.inputs[: len(errors)], how) for how in (True, False))
        self.row(f"{what}, but for {len(far)} with a flipped bit", f"{agreeing:.1e}", "<= 1e-4")
        self.row(f"50 %, {name}: distance from zero of the first comparison that differs in those, greatest", f"{flips.max():.1e}",
                 "<= 1e-5", flips.max() <= 1e-5)
        self.row(f"50 %, {name}: greatest difference in those; between ONNX Runtime's optimised and plain run of the 1,000",
                 f"{errors.max():.1e}; {np.abs(optimised - plain).max():.1e}")

    def run(self):
        images = Images(self.test_file, 10000)
        original = logits(self.model, images.inputs)
        self.row("top-1 of the original, 10,000 test images", f"{top1(original, images.labels):.2f} %")
        full = sum(count_comparisons.count_comparisons(self.model).values())
        self.row("DReLUs of the original, counted in ONNX Runtime", f"{full:,}")

        kept, _ = self.rewrite("100%")
        for optimised in (True, False):
            same = np.array_equal(logits(self.model, images.inputs[:1000], optimised).view(np.int32),
                                  logits(kept, images.inputs[:1000], optimised).view(np.int32))
            how = "" if optimised else ", its optimiser off"
            self.row(f"100 %: logits of 1,000 images bit for bit in ONNX Runtime{how}", "equal" if same else "differ", "equal", same)

        half, run = self.rewrite("50%")
        # A machine that is busy with other work makes the wall clock late: then the processors' time counts.
        self.row("50 %: time of the whole command", f"{run.seconds:.1f} s ({run.processor_seconds:.1f} s of processor time)", "< 60 s",
                 min(run.seconds, run.processor_seconds) < 60)
        self.row("50 %: peak memory", f"{run.memory / 1e9:.2f} GB", "< 2 GB", run.memory < 2e9)
        again = half.read_bytes()
        self.rewrite("50%")
        self.row("50 %: run again, the same file", "yes" if half.read_bytes() == again else "no", "yes", half.read_bytes() == again)
        lowered, _ = self.rewrite("50%", "--target=onnx")
        reference = logits(half, images.inputs)
        for name, path in (("with functions", half), ("lowered", lowered)):
            counted = sum(count_comparisons.count_comparisons(path).values())
            self.row(f"50 %, {name}: DReLUs counted in ONNX Runtime", f"{counted:,}", f"<= {full // 2:,}", counted <= full // 2)
            ours = self.folder / "outputs.npy"
            run_tool("ds-run", path, "--images", self.test_file, *NORMALIZATION, "--limit", 1000, "-o", ours)
            theirs = logits(path, images.inputs[:1000])
            self.compare(name, path, images, np.abs(np.load(ours) - theirs).max(axis=1))
        self.row("50 %: top-1, repaired, 10,000 test images", f"{top1(reference, images.labels):.2f} %")
        bare, _ = self.rewrite("75%", "--repair=off")
        accuracy = top1(logits(bare, images.inputs), images.labels)
        bounded = self.model.stem == "resnet20-cifar10"
        self.row("75 %, neither tuned nor repaired: top-1, 10,000 test images", f"{accuracy:.2f} %", ">= 80 %" if bounded else None,
                 accuracy >= 80 or not bounded)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", default=["resnet20-cifar10", "resnet32-cifar10"])
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--calibration", type=int, default=512, help="calibration images (512)")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results here")
    arguments = parser.parse_args()
    if not arguments.shared.is_dir():
        print(f"skipped: {arguments.shared} is not there")
        return SKIPPED
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)

    results = {"machine": machine.describe(ROOT), "calibration_images": arguments.calibration, "models": {}}
    print(f"{results['machine']}\n")
    for model in arguments.model:
        bench = Bench(model, arguments.shared, arguments.calibration, folder)
        bench.run()
        results["models"][model] = bench.rows
        print(f"### {model}, {arguments.calibration} calibration images\n")
        print("| | measured | bound | |\n|---|---|---|---|")
        for row in bench.rows:
            print(f"| {row['what']} | {row['measured']} | {row['bound'] or ''} | {verdict(row)} |")
        print(flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0 if all(row["holds"] for rows in results["models"].values() for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
