#!/usr/bin/env python3
"""Whole networks of several exporters through count, calibration and sharing, in lib/Exec and in ONNX Runtime.

usage: architectures.py [--short] [--resume] [--cached] [--only NAME...] [--exporters NAME...] [--output FILE]

Exports what test/bench/models describes: networks of torchvision and timm with the environments that `tools/setup
--exporters` makes (torch's two exporters), one of scikit-learn, and hand-made graphs. For each model:
  - ds-opt --count;
  - ds-opt --calibrate, 16 images that are made here (models/images.py), at 50 % of the DReLUs, without repair
    and, for small models, with it: the written models give the same in lib/Exec and in ONNX Runtime;
  - at 100 %: the written model gives what the original gives in ONNX Runtime.
What ds-opt refuses must be listed here (REFUSALS); the reason is in the table. Prints Markdown tables; --output also
writes them into a document between its marks, beside the rows that it has of other models. Exit code 1 if anything
crashes, differs, or is refused without being listed. --short takes the small hand-made graphs alone, for CI. --resume
keeps the rows of models that passed in an earlier run, --cached takes no others.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import typing

import numpy as np
import onnx
import onnx.inliner

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test/bench/models"), str(ROOT / "test")]
import machine
from images import structured_images
from onnx_models import HAND_MADE
from ort import session

BIN = ROOT / "build/bin"
# Exporters, and the environment of tools/setup --exporters that holds each.
EXPORTERS = {"torchscript": "venv-torchscript", "dynamo": "venv-dynamo", "scikit-learn": "venv-dynamo"}
SCRIPTS = {"torchscript": "torch_models.py", "dynamo": "torch_models.py", "scikit-learn": "sklearn_models.py"}
# Models that ds-opt refuses, and a part of its message.
REFUSALS = {name: "gates that cannot be shared" for name in ("float16", "bfloat16")}
# Too large for CI.
LARGE = {"2gb-external"}
MARKS = ("<!-- test/bench/architectures.py -->", "<!-- end -->")
# Images that are compared and that gates are observed on; more of them where repair fits to them.
IMAGES, REPAIR_IMAGES = 16, 128
# Larger models are not repaired here: each layer is a least-squares problem of its size, which takes minutes.
LARGEST_REPAIRED = 1e6
# Largest difference of outputs relative to the largest output, image by image.
TOLERANCE = 1e-4
# How near to zero what a comparison looks at must be for rounding to decide it, relative to the tensor's largest value.
ROUNDING = 1e-5
# Of types with few bits two runtimes agree that far: they round halves between two of their numbers to either.
LOOSE = {"float16": 2e-2, "bfloat16": 1e-1, "qdq": 5e-2}


class Failure(Exception):
    """What the compiler must not do."""


class Comparison(typing.NamedTuple):
    """How two runs of a model agree: images, those of them that do not, and the greatest difference in the others."""
    images: int
    outliers: list
    greatest: float

    def text(self):
        flipped = f", {len(self.outliers)} with a flipped bit" if self.outliers else ""
        return ("equal" if self.greatest == 0 else f"{self.greatest:.0e}") + flipped


def last_line(done):
    return ((done.stderr or done.stdout).strip().splitlines() or [""])[-1]


def run(*command, allowed=(0,)):
    """Output and exit code. A signal, or an assertion, is a failure whatever is allowed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=3600)
    if done.returncode not in allowed:
        raise Failure(f"{pathlib.Path(command[0]).name}: exit code {done.returncode}: {last_line(done)}")
    return done


# --- inputs and outputs ---------------------------------------------------------------------------------------------------
def inputs_of(path):
    """The shapes of one image for each input that has no constant."""
    model = onnx.load(path, load_external_data=False)
    constants = {tensor.name for tensor in model.graph.initializer}
    return {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim[1:])
            for i in model.graph.input if i.name not in constants}


def in_runtime(path, arrays, must=False):
    """The outputs in ONNX Runtime without its own optimisations. Where it cannot run the model: None, or a failure if
    it must, since it runs the one that this was written from."""
    try:
        return session(path).run(None, arrays)
    except Exception:  # It has no class of its own for what it cannot run.
        if must:
            raise Failure("ONNX Runtime runs the original but not the written model")
        return None


def in_exec(path, arrays, folder):
    given, result = folder / "given.npz", folder / "result.npz"
    np.savez(given, **arrays)
    run(BIN / "ds-run", path, "--input", given, "-o", result)
    outputs = [o.name for o in onnx.load(path, load_external_data=False).graph.output]
    with np.load(result) as archive:
        return [archive[name] for name in outputs]


def original_in_exec(path, arrays, folder):
    """The outputs, and what to add to the table's cell: an operator that only passes know (sequences) is run by what
    canonicalize makes of it."""
    try:
        return in_exec(path, arrays, folder), ""
    except Failure as failure:
        if "neither known nor a function" not in str(failure):
            raise
    canonical = folder / "canonical.onnx"
    run(BIN / "ds-opt", path, "--passes=canonicalize", "-o", canonical)
    return in_exec(canonical, arrays, folder), ", canonical"


def first_flips(path, arrays, folder):
    """For each image: how far from zero the first comparison of a rewritten model is that ONNX Runtime and lib/Exec decide
    differently, relative to the tensor's size; infinite if they decide all alike (test/bench/flipped_bits.py). All images
    at once, as before: what is rounded how depends on the batch."""
    model = onnx.inliner.inline_local_functions(onnx.load(path))
    compared = list(dict.fromkeys(node.input[0] for node in model.graph.node if node.op_type == "Greater"))
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in compared)
    probe = folder / "probe.onnx"
    onnx.save(model, probe)
    distances = np.full(IMAGES, np.inf)
    for ours, theirs in zip(in_exec(probe, arrays, folder), in_runtime(probe, arrays, must=True)):
        flipped = np.where((ours > 0) != (theirs > 0), np.abs(theirs), -1).reshape(IMAGES, -1).max(1)
        first = (flipped >= 0) & np.isinf(distances)
        distances[first] = flipped[first] / max(1.0, np.abs(theirs).max())
    return distances


def compare(expected, got, tolerance=TOLERANCE):
    if len(expected) != len(got):
        raise Failure(f"expected {len(expected)} outputs, got {len(got)}")
    count, worst = len(expected[0]), np.zeros(len(expected[0]))
    for e, g in zip(expected, got):
        if e.shape != g.shape or e.dtype != g.dtype:
            raise Failure(f"an output is {g.dtype}{list(g.shape)}, expected {e.dtype}{list(e.shape)}")
        if e.size:
            difference = np.abs(e.astype(np.float64) - g).reshape(count, -1).max(1)
            worst = np.maximum(worst, difference / max(np.abs(e).max(), 1e-30))
    agree = worst <= tolerance
    return Comparison(count, np.flatnonzero(~agree).tolist(), worst[agree].max(initial=0))


def check(what, path, expected, got, arrays, folder, tolerance):
    """Compares, and looks into each image that differs."""
    result = compare(expected, got, tolerance)
    if result.outliers:
        distances = first_flips(path, arrays, folder)
        wrong = [i for i in result.outliers if distances[i] > ROUNDING]
        if wrong:
            raise Failure(f"{what}: images {wrong} differ by more than {tolerance:g} of the largest output")
    return result


# --- one model ------------------------------------------------------------------------------------------------------------
def note_refusal(done, row):
    """Puts into the row what ds-opt said, or fails if that is not expected of the model."""
    message = last_line(done).removeprefix("ds-opt: error: ").split("images.npz: ")[-1]
    if row["name"] not in REFUSALS or REFUSALS[row["name"]] not in message:
        raise Failure(f"refused: {message}")
    row["refused"] = message


def count(path, row):
    done = run(BIN / "ds-opt", path, "--count", allowed=(0, 1))
    row["sites"], row["drelus"] = 0, 0
    if done.returncode:
        note_refusal(done, row)
    for line in done.stdout.splitlines():
        if match := re.match(r"total +(\d+) sites +(\d+)", line):
            row["sites"], row["drelus"] = int(match[1]), int(match[2])
        elif match := re.match(r"not priced: (.*)", line):
            row["unpriced"] = match[1]


def remarks(path, row):
    """How many sites are shared, and how many are only counted, for each reason."""
    row["shared"], row["counted"] = 0, collections.Counter()
    for line in path.read_text().splitlines():
        if match := re.match(r".*?: (\w+): counted only: it (.*); \d+ DReLUs$", line):
            row["counted"][f"{match[1]} {match[2]}"] += 1
        elif re.search(r"; \d+ of \d+ DReLUs", line):
            row["shared"] += 1


def share(path, arrays, original, folder, row, tolerance):
    """`original`: what ONNX Runtime makes of the model itself, None if it cannot run it."""
    images = folder / "images.npz"
    repaired = path.stat().st_size < LARGEST_REPAIRED
    number = REPAIR_IMAGES if repaired else IMAGES
    np.savez(images, **{name: structured_images(number, array.shape[1:], 1) for name, array in arrays.items()})
    calibrate = ["--calibrate", images]
    jobs = {"off": [*calibrate, "--repair=off"]} | ({"on": calibrate} if repaired else {})
    for name, options in jobs.items():
        out = folder / f"repair-{name}.onnx"
        job = [BIN / "ds-opt", path, *options, "--budget", "50%", f"--remarks={folder / 'remarks'}", "-o", out]
        done = run(*job, allowed=(0, 1))
        if done.returncode and "--allow-average-pool" in done.stderr:
            row["averages"] = True
            done = run(*job, "--allow-average-pool", allowed=(0, 1))
        if done.returncode:
            note_refusal(done, row)
            return
        remarks(folder / "remarks", row)
        report = json.loads((folder / f"repair-{name}.report.json").read_text())
        row["after"] = report["after"]["drelus"] / max(report["before"]["drelus"], 1)
        theirs, ours = in_runtime(out, arrays, must=original is not None), in_exec(out, arrays, folder)
        if theirs is not None:
            row[name] = check(f"50 %, repair {name}", out, theirs, ours, arrays, folder, tolerance).text()
    out = folder / "whole.onnx"
    run(BIN / "ds-opt", path, *calibrate, "--budget", "100%", "--repair=off", "-o", out)
    if original is not None:
        # No gate is shared: nothing jumps where rounding decides a comparison.
        result = compare(original, in_runtime(out, arrays, must=True), tolerance)
        if result.outliers:
            raise Failure(f"100 %: images {result.outliers} differ by more than {tolerance:g} of the largest output")
        row["whole"] = result.text()


def test(name, path, folder):
    """A row of the table; the key `failed` says what went wrong."""
    row = {"name": name}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        arrays = {i: structured_images(IMAGES, shape, 1) for i, shape in inputs_of(path).items()}
        tolerance = LOOSE.get(name, TOLERANCE)
        count(path, row)
        (ours, form), theirs = original_in_exec(path, arrays, folder), in_runtime(path, arrays)
        row["original"] = "not run by ONNX Runtime"
        if theirs is not None:
            row["original"] = check("original", path, theirs, ours, arrays, folder, tolerance).text() + form
        if "refused" not in row:
            share(path, arrays, theirs, folder, row, tolerance)
    except (Failure, subprocess.TimeoutExpired) as failure:
        row["failed"] = str(failure)
    return row


def plain(message):
    """The first sentence of an exporter's message, without a terminal's colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", message).strip().split("\n")[0].split(". ")[0]


# --- all models -----------------------------------------------------------------------------------------------------------
def exported(python, folder, exporter, names):
    """The files of an exporter's models, which it writes if they are not there: NAME.onnx, or NAME.refused."""
    script = [python, ROOT / "test/bench/models" / SCRIPTS[exporter], exporter]
    known = run(*script, "--list").stdout.split()
    wanted = [name for name in known if not names or name in names]
    paths = [folder / f"{name}.onnx" for name in wanted]
    missing = [path.stem for path in paths if not path.exists() and not path.with_suffix(".refused").exists()]
    if missing:
        run(*script, folder, *missing)
    return [path if path.exists() else path.with_suffix(".refused") for path in paths]


def read_tables(text):
    """What `tables` wrote: the machines and commits, and the lines of each table by model and exporter."""
    described, results, counted = [], {}, {}
    table = None
    for line in text.splitlines():
        if line.startswith("| model |"):
            table = results if table is None else counted
        elif line.startswith("| "):
            name, exporter = (cell.strip() for cell in line.split("|")[1:3])
            table[name.removesuffix(", averages"), exporter] = line
        elif line and not line.startswith("|"):
            described.append(line.removeprefix("- "))
    return described, results, counted


def tables(rows, earlier=""):
    """Markdown: a table of results, and one of what is only counted. What it gave earlier stays for models that have no
    new row, with the machines and commits that these may be of."""
    described, old_results, old_counted = read_tables(earlier)
    results, counted = {}, {}
    for r in rows:
        if "failed" in r or "refused" in r:
            rest = f"| {'**failed**: ' + r['failed'] if 'failed' in r else 'refused: ' + r['refused']} | | | | | "
        else:
            rest = (f"| {r['shared']} | {100 * r['after']:.1f} % | {r['original']} | {r.get('off', '')} | {r.get('on', '')} | "
                    f"{r.get('whole', '')} |")
        key, name = (r["name"], r["exporter"]), r["name"] + (", averages" if r.get("averages") else "")
        results[key] = f"| {name} | {r['exporter']} | {r.get('sites', '')} | {r.get('drelus', 0):,} {rest}".rstrip()
        reasons = "; ".join(f"{n} x {why}" for why, n in r.get("counted", {}).items())
        if reasons or r.get("unpriced"):
            counted[key] = f"| {r['name']} | {r['exporter']} | {reasons} | {r.get('unpriced', '')} |"

    def merged(old, new):
        lines = {key: line for key, line in (old | new).items() if key in new or key not in results}
        return [lines[key] for key in sorted(lines, key=lambda key: [*EXPORTERS, "by hand"].index(key[1]))]

    machines = {r["machine"] for r in rows if "machine" in r}
    if old_results.keys() - results.keys():
        machines.update(described)
    return "\n".join([
        *(f"- {machine}" for machine in sorted(machines)), "",
        "| model | exporter | sites | DReLUs | shared sites | DReLUs after | original | 50 %, no repair "
        "| 50 %, repaired | 100 % |", "|---|---|---|---|---|---|---|---|---|---|", *merged(old_results, results), "",
        "| model | exporter | sites that are only counted, and why | operators without a price |", "|---|---|---|---|",
        *merged(old_counted, counted)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="small hand-made graphs alone")
    parser.add_argument("--resume", action="store_true", help="keep rows of an earlier run")
    parser.add_argument("--cached", action="store_true", help="only rows of an earlier run")
    parser.add_argument("--only", nargs="+", help="these models alone")
    parser.add_argument("--exporters", nargs="+", choices=[*EXPORTERS, "by hand"], default=[*EXPORTERS, "by hand"])
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "build/bench/architectures")
    parser.add_argument("--environments", type=pathlib.Path, default=ROOT / "build/deps", help="where the exporters are")
    parser.add_argument("--output", type=pathlib.Path, help="also write the tables here")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.exporters = ["by hand"]
    rows = []

    def add(name, exporter, path):
        folder = arguments.folder / "runs" / exporter / name
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "row.json"
        if (arguments.resume or arguments.cached) and kept.exists() and "failed" not in (row := json.loads(kept.read_text())):
            rows.append(row)
            return
        if arguments.cached:
            return
        row = ({"name": name, "refused": "by the exporter: " + plain(path.read_text())} if path.suffix == ".refused"
               else test(name, path, folder))
        rows.append(row | {"exporter": exporter, "machine": machine.describe(ROOT)})
        kept.write_text(json.dumps(rows[-1]))
        print({k: v for k, v in rows[-1].items() if v}, file=sys.stderr, flush=True)

    for exporter, environment in EXPORTERS.items():
        python = arguments.environments / environment / "bin/python"
        if exporter not in arguments.exporters:
            continue
        if not python.exists():
            print(f"no {exporter}: tools/setup --exporters installs it", file=sys.stderr)
            continue
        for path in exported(python, arguments.folder / exporter, exporter, arguments.only):
            add(path.stem, exporter, path)
    if "by hand" in arguments.exporters:
        folder = arguments.folder / "by hand"
        folder.mkdir(parents=True, exist_ok=True)
        for name, write in HAND_MADE.items():
            if (not arguments.only or name in arguments.only) and not (arguments.short and name in LARGE):
                if not arguments.cached:
                    write(folder, name)
                add(name, "by hand", folder / f"{name}.onnx")
    print(tables(rows))
    if arguments.output:
        before, _, rest = arguments.output.read_text().partition(MARKS[0])
        earlier, _, after = rest.partition(MARKS[1])
        arguments.output.write_text(f"{before}{MARKS[0]}\n{tables(rows, earlier)}\n{MARKS[1]}{after}")
    return 1 if any("failed" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
