#!/usr/bin/env python3
"""Runs the lit tests of passes before and after in ONNX Runtime and compares the outputs.

usage: ort_equivalence.py DS_OPT [FILE...]

Every .onnxtxt file in this folder with a line `# NUMERIC: exact` or `# NUMERIC: <tolerance>` takes part. The pipeline is
that of its first RUN line. Inputs are random from a fixed seed, with a dynamic dimension of 1 and of 3. `exact` asks for
equal bits, a tolerance for |a - b| <= tolerance * max(1, |b|). ONNX Runtime's own optimisations are off, so that they
hide nothing. Prints a line a file; exit code 1 if one differs.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnx.parser

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ort import session

SEED = 0
DYNAMIC_SIZES = (1, 3)


def random_inputs(model: onnx.ModelProto, dynamic: int) -> dict[str, numpy.ndarray]:
    random = numpy.random.default_rng(SEED)
    given = {initializer.name for initializer in model.graph.initializer}
    inputs = {}
    for value in model.graph.input:
        if value.name in given:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value if d.HasField("dim_value") else dynamic for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind == "f":
            inputs[value.name] = random.standard_normal(shape).astype(dtype)
        elif dtype.kind == "b":
            inputs[value.name] = random.integers(0, 2, shape).astype(dtype)
        else:
            inputs[value.name] = random.integers(0, 5, shape).astype(dtype)
    return inputs


def difference(before: numpy.ndarray, after: numpy.ndarray, tolerance: str) -> str:
    if before.dtype != after.dtype or before.shape != after.shape:
        return f"expected {before.dtype}{list(before.shape)}, got {after.dtype}{list(after.shape)}"
    if tolerance == "exact":
        return "" if before.tobytes() == after.tobytes() else "bits differ"
    error = numpy.abs(before - after) / numpy.maximum(1, numpy.abs(before))
    return "" if numpy.all(error <= float(tolerance)) else f"differs by {error.max():.3g}, allowed {tolerance}"


def check(ds_opt: str, path: pathlib.Path, text: str, tolerance: str) -> str:
    pipeline = re.search(r"^# RUN:.*--passes=('[^']*'|\S+)", text, re.MULTILINE)
    if not pipeline:
        return "no RUN line with --passes"
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder) / "after.onnx"
        run = subprocess.run([ds_opt, str(path), "--passes=" + pipeline[1].strip("'"), "-o", str(output)],
                             capture_output=True, text=True)
        if run.returncode != 0:
            return run.stderr.strip()
        before, after = onnx.parser.parse_model(text), onnx.load(output)
    onnx.checker.check_model(after)
    sessions = [session(model.SerializeToString()) for model in (before, after)]
    for dynamic in DYNAMIC_SIZES:
        inputs = random_inputs(before, dynamic)
        wanted, given = (s.run(None, inputs) for s in sessions)
        if len(wanted) != len(given):
            return f"expected {len(wanted)} outputs, got {len(given)}"
        for value, expected, got in zip(before.graph.output, wanted, given):
            if problem := difference(expected, got, tolerance):
                return f"output '{value.name}', dynamic size {dynamic}: {problem}"
    return ""


def main() -> int:
    ds_opt = sys.argv[1]
    files = [pathlib.Path(name) for name in sys.argv[2:]] or sorted(pathlib.Path(__file__).parent.glob("*.onnxtxt"))
    failed = checked = 0
    for path in files:
        text = path.read_text()
        numeric = re.search(r"^# NUMERIC: (\S+)", text, re.MULTILINE)
        if not numeric:
            continue
        checked += 1
        problem = check(ds_opt, path, text, numeric[1])
        failed += bool(problem)
        print(f"{'FAILED' if problem else 'ok':7}{path.name} ({numeric[1]}){': ' + problem if problem else ''}")
    print(f"{checked - failed} of {checked} equal")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
