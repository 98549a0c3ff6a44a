"""Runs lib/Exec on ONNX's backend node tests and on models of older opsets.

usage: node_tests.py EXEC_RUN_NODES DS_RUN FOLDER

EXEC_RUN_NODES and DS_RUN are executables; FOLDER is made anew. The node tests bring the outputs that they expect;
those of older opsets come from ONNX Runtime, which is also run on every node test that it knows. Fails if an output
differs, or if an operator that lib/Exec claims to run (`ds-run --operators`) was in no test.
"""

import collections
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
from onnx.backend.test.case.node import collect_testcases

import old_opsets

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ort import as_array, read_tensors, run, write_tensors

# Element types that ATen has.
TYPES = {getattr(onnx.TensorProto, name) for name in (
    "FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL")}
# What lib/Exec refuses only when it sees the inputs.
REFUSALS = ("training is not supported",)
RELATIVE = {"float16": 2e-3, "bfloat16": 2e-2}


def is_numeric(case) -> bool:
    """Whether all inputs and outputs are dense tensors of types that ATen has."""
    values = list(case.model.graph.input) + list(case.model.graph.output)
    return all(v.type.HasField("tensor_type") and v.type.tensor_type.elem_type in TYPES for v in values)


def operators(model: onnx.ModelProto) -> set:
    """Operators of the model, of its functions and subgraphs."""
    found = set()

    def visit(nodes):
        for node in nodes:
            found.add(f"{node.domain}.{node.op_type}" if node.domain else node.op_type)
            for attribute in node.attribute:
                for graph in [attribute.g, *attribute.graphs]:
                    visit(graph.node)

    visit(model.graph.node)
    for function in model.functions:
        visit(function.node)
    return found


def difference(expected: list, got: list, rtol: float, atol: float) -> str:
    """What distinguishes two lists of arrays; empty if nothing does."""
    if len(expected) != len(got):
        return f"expected {len(expected)} outputs, got {len(got)}"
    for index, (e, g) in enumerate(zip(expected, got)):
        e = as_array(e)
        if e.dtype != g.dtype:
            return f"output {index}: expected {e.dtype}, got {g.dtype}"
        if e.shape != g.shape:
            return f"output {index}: expected shape {e.shape}, got {g.shape}"
        if e.dtype.kind in "iub":
            if not np.array_equal(e, g):
                return f"output {index}: {np.sum(e != g)} of {e.size} elements differ"
            continue
        relative = max(rtol, RELATIVE.get(e.dtype.name, 0))
        wide, other = e.astype(np.float64), g.astype(np.float64)
        close = np.isclose(wide, other, relative, atol, equal_nan=True)
        if not close.all():
            place = np.unravel_index(np.argmin(close), close.shape)
            return f"output {index}: {(~close).sum()} of {e.size} elements differ, first {wide[place]} and {other[place]}"
    return ""


def main() -> int:
    run_nodes, ds_run, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    cases, skipped = {}, 0
    for case in collect_testcases(None):
        if is_numeric(case):
            cases[case.name] = case
        else:
            skipped += 1
    failures = []
    for case in old_opsets.cases():
        outputs = run(case.model.SerializeToString(), case.data_sets[0][0], optimized=True)
        if outputs is None:
            failures.append(f"{case.name}: ONNX Runtime cannot run it")
            continue
        case.data_sets[0] = (case.data_sets[0][0], outputs)
        cases[case.name] = case

    for name, case in cases.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "model.onnx").write_bytes(case.model.SerializeToString())
        for index, (inputs, _) in enumerate(case.data_sets):
            write_tensors(folder / name / f"in{index}.onnx", inputs)
    lines = subprocess.run([run_nodes, folder], check=True, capture_output=True, text=True).stdout.splitlines()
    results = {line.split(" ", 2)[0]: line.split(" ", 2)[1:] for line in lines}

    counts, refused, tested, unconfirmed = collections.Counter(), collections.Counter(), set(), 0
    for name, case in sorted(cases.items()):
        status, *reason = results.get(name, ["failed", "no result: the run ended here"])
        if status == "refused" or status == "failed" and reason[0].endswith(REFUSALS):
            refused[reason[0]] += 1
            continue
        family = "old opsets" if name.startswith("old_") else "node tests"
        problem = reason[0] if status == "failed" else ""
        for index, (inputs, expected) in enumerate(case.data_sets):
            if problem:
                break
            got = read_tensors(folder / name / f"out{index}.onnx")
            problem = difference(expected, got, case.rtol, max(case.atol, 1e-6))
            if family == "node tests" and not problem:
                outputs = run(case.model.SerializeToString(), inputs, optimized=True)
                if outputs is None or difference(expected, outputs, case.rtol, max(case.atol, 1e-6)):
                    unconfirmed += 1
        if problem:
            failures.append(f"{name}: {problem}")
        else:
            counts[family] += 1
            tested |= operators(case.model)

    for reason, count in sorted(refused.items()):
        print(f"refused {count}: {reason}")
    for failure in failures:
        print(f"FAILED {failure}")
    claimed = set(subprocess.run([ds_run, "--operators"], check=True, capture_output=True, text=True).stdout.split())
    # The gates have GoogleTests against their function bodies.
    untested = {name for name in claimed - tested if not name.startswith("ai.deepshare.")}
    for name in sorted(untested):
        print(f"FAILED {name}: claimed, but in no test")
    print(f"{counts['node tests']} node tests passed, on {counts['node tests'] - unconfirmed} of them ONNX Runtime gives "
          f"the same; {counts['old opsets']} models of old opsets agree with ONNX Runtime; {len(failures)} failed; "
          f"{sum(refused.values())} refused; {skipped} skipped for types that ATen lacks; "
          f"{len(claimed)} operators claimed")
    return 1 if failures or untested else 0


if __name__ == "__main__":
    sys.exit(main())
