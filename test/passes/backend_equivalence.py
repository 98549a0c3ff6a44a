#!/usr/bin/env python3
"""Runs passes on every model of ONNX's backend tests and compares outputs before and after in ONNX Runtime.

usage: backend_equivalence.py PASSES_RUN_MODELS FOLDER

PASSES_RUN_MODELS is an executable; FOLDER is made anew. Node tests, which have no constants, also take part with all
inputs but the first, and with all inputs, made initialisers of the values that the test brings. `canonicalize` runs on
all models, with expand-gates and contract-gates after it on those that hold gates. Prints counts for each family of tests
and pipeline, and what differs; exit code 1 if anything does.
"""

import collections
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
import onnx.backend.test
import onnx.version_converter
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ort import as_array, run

PIPELINES = {
    "canonicalize": None,
    "canonicalize,expand-gates": {"Clip", "HardSigmoid", "HardSwish", "Max", "Min", "Relu", "ThresholdedRelu", "Where"},
    "canonicalize,expand-gates,contract-gates": {"Clip", "Max", "Min"},
}
# Older models are converted, as the error of our tools asks for.
OLDEST = 9
REFUSALS = (
    # expand-gates asks for shapes that some of these models hide.
    "expected all sizes but the batch to be known",
    # ONNX's inference forgets that onesided is the default once the frame's length is a constant.
    "(STFT): Inferred shape and existing shape differ in dimension 2: (16) vs (9)",
)
# Relative error by type: constants are folded by ATen, whose functions round otherwise than ONNX Runtime's.
TOLERANCE = {"float64": 1e-7, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}


def is_dense(value: onnx.ValueInfoProto) -> bool:
    return value.type.HasField("tensor_type") and value.type.tensor_type.elem_type != onnx.TensorProto.STRING


def modern(model: onnx.ModelProto) -> onnx.ModelProto:
    if any(opset.version < OLDEST for opset in model.opset_import if opset.domain == ""):
        return onnx.version_converter.convert_version(model, OLDEST)
    return model


def with_constants(model: onnx.ModelProto, inputs: list, first: int) -> onnx.ModelProto:
    """The model with its inputs from number `first` on as initialisers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    changed.ir_version = max(model.ir_version, 4)
    for value, data in list(zip(model.graph.input, inputs))[first:]:
        changed.graph.initializer.append(numpy_helper.from_array(as_array(data), value.name))
    del changed.graph.input[first:]
    return changed


def collect():
    """Yields (family, name, model, inputs, the outputs that ONNX specifies or None)."""
    for case in collect_testcases(None):
        inputs, outputs = case.data_sets[0]
        yield "node", case.name, case.model, inputs, outputs
        # An input that is left out would need a name to be left out by.
        if len(inputs) != len(case.model.graph.input) or not all(map(is_dense, case.model.graph.input)):
            continue
        if len(inputs) > 1:
            yield "node, first input", "first-" + case.name, with_constants(case.model, inputs, 1), inputs[:1], outputs
        if inputs:
            yield "node, constant", "constant-" + case.name, with_constants(case.model, inputs, 0), [], outputs
    data = pathlib.Path(onnx.backend.test.__file__).parent / "data"
    for path in sorted(data.glob("*/*/model.onnx")):
        family = path.parent.parent.name
        sets = sorted(path.parent.glob("test_data_set_*"))
        if family == "node" or not sets:
            continue
        model, inputs = onnx.load(path), []
        if not all(map(is_dense, model.graph.input)):
            continue
        for file in sorted(sets[0].glob("input_*.pb"), key=lambda p: int(p.stem.split("_")[1])):
            inputs.append(numpy_helper.to_array(onnx.TensorProto.FromString(file.read_bytes())))
        yield family, f"{family}-{path.parent.name}", model, inputs, None


def difference(expected: list, got) -> str:
    if got is None:
        return "ONNX Runtime cannot run it any more"
    if len(expected) != len(got):
        return f"expected {len(expected)} outputs, got {len(got)}"
    for index, (e, g) in enumerate(zip(expected, got)):
        if not isinstance(e, np.ndarray):
            if repr(e) != repr(g):
                return f"output {index} differs"
            continue
        if e.dtype != g.dtype or e.shape != g.shape:
            return f"output {index}: expected {e.dtype}{list(e.shape)}, got {g.dtype}{list(g.shape)}"
        tolerance = TOLERANCE.get(e.dtype.name)
        if tolerance is None:
            if not np.array_equal(e, g):
                return f"output {index}: {np.sum(e != g)} of {e.size} elements differ"
            continue
        close = np.isclose(e.astype(np.float64), g.astype(np.float64), tolerance, tolerance, equal_nan=True)
        if not close.all():
            place = np.unravel_index(np.argmin(close), close.shape)
            return f"output {index}: {(~close).sum()} of {e.size} elements differ, first {e[place]} and {g[place]}"
    return ""


def main() -> int:
    executable, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    cases, unknown = {}, collections.Counter()
    for family, name, model, inputs, specified in collect():
        model = modern(model)
        expected = run(model.SerializeToString(), inputs)
        if expected is None:
            unknown[family] += 1
        else:
            cases[name] = (family, model, inputs, expected, specified)
    failures = 0
    for pipeline, operators in PIPELINES.items():
        before, after = folder / pipeline / "before", folder / pipeline / "after"
        before.mkdir(parents=True)
        after.mkdir()
        chosen = [n for n, c in cases.items() if operators is None or any(x.op_type in operators for x in c[1].graph.node)]
        for name in chosen:
            (before / f"{name}.onnx").write_bytes(cases[name][1].SerializeToString())
        result = subprocess.run([executable, before, after, pipeline], check=True, capture_output=True, text=True)
        messages = dict(line.split(" ", 1) for line in result.stdout.splitlines())
        equal, total, refused = collections.Counter(), collections.Counter(), 0
        for name in chosen:
            family, _, inputs, expected, specified = cases[name]
            message = messages.get(f"{name}.onnx", "")
            if message.endswith(REFUSALS):
                refused += 1
                continue
            total[family] += 1
            if not message:
                got = run((after / f"{name}.onnx").read_bytes(), inputs)
                message = difference(expected, got)
                # ONNX Runtime resizes with aligned corners otherwise than ONNX says, and we fold as ONNX says.
                if message and specified is not None and not difference([as_array(s) for s in specified], got):
                    message = ""
            if message:
                print(f"{pipeline}: {name}: {message}")
            equal[family] += not message
        failures += total.total() - equal.total()
        print(f"{pipeline}: " + ", ".join(f"{f} {equal[f]}/{total[f]}" for f in total) + f"; refused {refused}")
    print("not run by ONNX Runtime: " + ", ".join(f"{family} {count}" for family, count in unknown.items()))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
