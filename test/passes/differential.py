#!/usr/bin/env python3
"""Random models and random plans through all forms that ds-opt has, against ONNX Runtime.

usage: differential.py PASSES_REWRITE_MODELS EXEC_RUN_NODES FOLDER [COUNT [FIRST]]

For each of COUNT (500) models of random_graphs.py, from number FIRST (0) on:
  - canonicalised, lowered for each target, with gates expanded: ONNX Runtime gives what it gives on the model itself;
  - with a random plan applied, and lowered for each target: what it gives on the plan's definition, which plan_model()
    writes as a graph of standard operators from docs/plan-format.md alone;
  - lib/Exec gives the same on the canonical and the rewritten models.
PASSES_REWRITE_MODELS also validates each pass as `ds-opt --verify` does, on inputs of its own: where rounding decides, it
cannot say. Comparisons jump where rounding decides them:
inputs for which a comparison's sides are within 1e-5 of each other, or equal by cancellation, are drawn anew, so that every
difference is an error.
Prints each difference and counts; exit code 1 if there is any. FOLDER is made anew, two processes share the work.
"""

import collections
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from ort import read_tensors, run, write_tensors
from random_graphs import random_model

TARGETS = ("crypten", "onnx", "spu")
PLAIN = ("canonical", *TARGETS, "expanded")
SHARED = ("shared", *(f"shared-{target}" for target in TARGETS))
# Each pass may move a value by 8e-6 of the largest; a dozen in a row stay below this.
TOLERANCE = 5e-5
MARGIN = 1e-5
CHUNK = 50
NOT_VALIDATED = "as rounding alone may change it"
ALWAYS_CLOSE = "models left out, which compare a rounding error for every input"
# What only moves numbers, so that a comparison behind it looks at those of its first operand; Concat has several.
MOVES = {"Gather", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Identity"}
COMPARISONS = {"Greater", "Less", "GreaterOrEqual", "LessOrEqual"}


class Writer:
    """Nodes of a graph in the making, put at one place."""

    def __init__(self, graph, stem):
        self.graph, self.stem, self.nodes = graph, stem, []

    def constant(self, array) -> str:
        name = f"{self.stem}:{len(self.graph.initializer)}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def emit(self, operator, inputs, output="", **attributes) -> str:
        output = output or f"{self.stem}:{operator}:{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def gather(self, x, indices, axis) -> str:
        return self.emit("Gather", [x, self.constant(np.array(indices, np.int64))], axis=axis)


def tile_sums(size: int, block: int) -> np.ndarray:
    """The matrix that adds up tiles of an axis."""
    return (np.arange(size)[None] // block == np.arange(-(-size // block))[:, None]).astype(np.float32)


def bits(write: Writer, plan: dict, compared: dict, user: dict, channel: dict) -> str:
    """The DReLU of a channel of the plan, at the positions of its user: [N, 1, ...]."""
    source, block = plan["sites"][channel["site"]], channel.get("block", 1)
    x = write.gather(compared[source["name"]], [channel["channel"]], 1)
    if block > 1:
        height, width = source["spatial"]
        x = write.emit("MatMul", [write.constant(tile_sums(height, block)), x])
        x = write.emit("MatMul", [x, write.constant(tile_sums(width, block).T.copy())])
    bit = write.emit("Greater", [x, write.constant(np.float32(0))])
    for axis, (size, own) in enumerate(zip(source["spatial"], user["spatial"])):
        positions = [(i * -(-size // own) if size >= own else i // -(-own // size)) // block for i in range(own)]
        bit = write.gather(bit, positions, axis + 2)
    return bit


def spatial_rank(model: onnx.ModelProto, name: str) -> int:
    values = [*model.graph.value_info, *model.graph.output]
    return next(len(v.type.tensor_type.shape.dim) for v in values if v.name == name) - 2


def plan_model(model: onnx.ModelProto, plan: dict, compared: dict) -> onnx.ModelProto:
    """The model with each planned gate as the plan defines it, a channel at a time."""
    defined = onnx.ModelProto()
    defined.CopyFrom(model)
    graph = defined.graph
    sites = {site["name"]: site for site in plan["sites"]}
    pools = {pool["name"]: pool["scale"] for pool in plan.get("average_pools", [])}
    nodes = []
    for node in model.graph.node:
        name = node.output[0]
        write = Writer(graph, f"{name}:plan")
        if name in sites:
            gated = []
            for index, channel in enumerate(sites[name]["channels"]):
                slope = write.constant(np.float32(channel.get("slope", 0)))
                if "site" in channel:
                    slopes = [write.constant(np.float32(channel[which])) for which in ("on", "off")]
                    slope = write.emit("Where", [bits(write, plan, compared, sites[name], channel), *slopes])
                gated.append(write.emit("Mul", [write.gather(compared[name], [index], 1), slope]))
            write.emit("Concat", gated, name, axis=1)
            nodes += write.nodes
        elif name in pools:
            operator = "GlobalAveragePool" if node.op_type == "GlobalMaxPool" else "AveragePool"
            kept = [a for a in node.attribute if a.name in ("kernel_shape", "strides", "pads", "auto_pad", "ceil_mode")]
            mean = write.emit(operator, [node.input[0]])
            write.nodes[-1].attribute.extend(kept)
            scale = write.constant(np.float32(pools[name]).reshape(-1, *[1] * spatial_rank(model, name)))
            write.emit("Mul", [mean, scale], name)
            nodes += write.nodes
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return defined


def sums_behind(producers: dict, value: str):
    """The sums whose numbers `value` holds as they are."""
    waiting, seen = [value], set()
    while waiting:
        node = producers.get(waiting.pop())
        if node is None or node.output[0] in seen:
            continue
        seen.add(node.output[0])
        if node.op_type in ("Add", "Sub"):
            yield node
        elif node.op_type in MOVES:
            waiting.append(node.input[0])
        elif node.op_type == "Concat":
            waiting += node.input


def with_margins(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the differences that its comparisons look at as further outputs ("margin:..."), and each sum that
    they look at ("sum:...") with its first operand ("operand:...")."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    graph = shown.graph
    producers = {output: node for node in model.graph.node for output in node.output}
    for index, node in enumerate(model.graph.node):
        sides = list(node.input)
        if node.op_type == "ThresholdedRelu":
            alpha = next((a.f for a in node.attribute if a.name == "alpha"), 1.0)
            graph.initializer.append(numpy_helper.from_array(np.float32(alpha), f"alpha:{index}"))
            sides.append(f"alpha:{index}")
        elif node.op_type not in COMPARISONS:
            continue
        shows = [("Sub", sides, f"margin:{index}")]
        for place, source in enumerate(source for side in sides for source in sums_behind(producers, side)):
            shows += [("Identity", source.output, f"sum:{index}:{place}"),
                      ("Identity", source.input[:1], f"operand:{index}:{place}")]
        for operator, inputs, name in shows:
            graph.node.append(helper.make_node(operator, inputs, [name]))
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return shown


def too_close(names: list, values: list) -> bool:
    """Whether rounding may decide a comparison: its sides are near to each other, or it looks at a sum of two numbers that
    cancel. They cancel to exactly zero where both are the same multiple of one value, but not in a form that folds their
    scales into weights. Other zeros (of a closed gate, say) are zero in every form."""
    shown = dict(zip(names, values))
    for name, value in shown.items():
        kind, _, index = name.partition(":")
        size = np.abs(value)
        if kind == "margin" and ((size > 0) & (size < MARGIN * max(1, size.max(initial=0)))).any():
            return True
        if kind == "sum" and ((value == 0) & (shown[f"operand:{index}"] != 0)).any():
            return True
    return False


def difference(expected: list, got) -> str:
    if got is None:
        return "cannot be run"
    if len(expected) != len(got):
        return f"expected {len(expected)} outputs, got {len(got)}"
    for index, (e, g) in enumerate(zip(expected, got)):
        if e.dtype != g.dtype or e.shape != g.shape:
            return f"output {index}: expected {e.dtype}{list(e.shape)}, got {g.dtype}{list(g.shape)}"
        error = np.max(np.abs(e - g), initial=0)
        if not error <= TOLERANCE * np.max(np.abs(e), initial=0):
            return f"output {index}: differs by {error:.3g}, the largest value is {np.max(np.abs(e)):.3g}"
    return ""


def draw(number: int, models: list, shapes: list, counts):
    """Inputs for which no comparison of the models is close, and the models' outputs on them. None if there are none: a
    comparison may look at what is zero but for rounding, whatever the input."""
    shown = [with_margins(model) for model in models]
    names = [[output.name for output in model.graph.output] for model in shown]
    sessions = [model.SerializeToString() for model in shown]
    wanted = len(models[0].graph.output)
    batch = models[0].graph.input[0].type.tensor_type.shape.dim[0].dim_value or 2
    for attempt in range(50):
        random = np.random.default_rng([number, attempt])
        inputs = [random.standard_normal((batch, *shape)).astype(np.float32) for shape in shapes]
        results = [run(model, inputs) for model in sessions]
        if any(result is None for result in results):
            raise ValueError(f"ONNX Runtime cannot run model {number} or its plan's definition")
        if not any(too_close(n[wanted:], result[wanted:]) for n, result in zip(names, results)):
            counts["comparisons"] += sum(value.size for n, result in zip(names, results)
                                         for name, value in zip(n, result) if name.startswith("margin:"))
            return inputs, [result[:wanted] for result in results]
        counts["inputs drawn anew"] += 1
    return None


def check_chunk(job):
    """Runs the models of some numbers; returns counts and the differences."""
    rewrite, run_nodes, folder, numbers = job
    for name in ("in", "out", "exec"):
        (folder / name).mkdir(parents=True)
    counts, problems, expected = collections.Counter(), [], {}
    generated = {number: random_model(number) for number in numbers}
    for number, (model, _) in generated.items():
        (folder / "in" / f"{number}.onnx").write_bytes(model.SerializeToString())
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    lines = subprocess.run([rewrite, folder / "in", folder / "out"], env=environment, capture_output=True, text=True)
    for line in lines.stdout.splitlines():
        if " not compared: " in line and line.endswith(NOT_VALIDATED):
            counts["forms not validated, whose inputs rounding decides"] += 1
        else:
            problems.append(line)
    if lines.returncode:
        return counts, problems + [f"numbers {numbers[0]} to {numbers[-1]}: {rewrite} failed: {lines.stderr}"]
    failed = {line.split(" ")[0].split(".")[0] for line in problems}
    for number, (model, shapes) in generated.items():
        if str(number) in failed:
            continue
        load = lambda extension: json.loads((folder / "out" / f"{number}.{extension}").read_text())
        plan = load("plan.json")
        defined = plan_model(onnx.load(folder / "out" / f"{number}.expanded.onnx"), plan, load("sites.json"))
        drawn = draw(number, [model, defined], shapes, counts)
        if drawn is None:
            counts[ALWAYS_CLOSE] += 1
            continue
        inputs, (plain, planned) = drawn
        counts["models"] += 1
        counts["planned sites"] += len(plan["sites"])
        for forms, wanted in ((PLAIN, plain), (SHARED, planned)):
            for form in forms:
                path = folder / "out" / f"{number}.{form}.onnx"
                counts["forms in ONNX Runtime"] += 1
                if problem := difference(wanted, run(path.read_bytes(), inputs)):
                    problems.append(f"{number}.{form}: ONNX Runtime: {problem}")
                case = folder / "exec" / f"{number}.{form}"
                case.mkdir()
                path.rename(case / "model.onnx")
                write_tensors(case / "in0.onnx", inputs)
                expected[case.name] = wanted
    lines = subprocess.run([run_nodes, folder / "exec"], env=environment, check=True, capture_output=True, text=True)
    results = dict(line.split(" ", 1) for line in lines.stdout.splitlines())
    for name, wanted in expected.items():
        counts["forms in lib/Exec"] += 1
        problem = results.get(name, "no result: the run ended here")
        if problem == "done":
            problem = difference(wanted, read_tensors(folder / "exec" / name / "out0.onnx"))
        if problem:
            problems.append(f"{name}: lib/Exec: {problem}")
    if not problems:
        shutil.rmtree(folder)
    return counts, problems


def main() -> int:
    rewrite, run_nodes, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    count, first = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((4, 500), (5, 0)))
    shutil.rmtree(folder, ignore_errors=True)
    jobs = [(rewrite, run_nodes, folder / str(start), range(start, min(start + CHUNK, first + count)))
            for start in range(first, first + count, CHUNK)]
    total, failures = collections.Counter(), 0
    with multiprocessing.Pool(2) as pool:
        for counts, problems in pool.imap(check_chunk, jobs):
            total.update(counts)
            failures += len(problems)
            for problem in problems:
                print(problem, flush=True)
    print(", ".join(f"{number} {what}" for what, number in sorted(total.items())) + f": {failures} differences")
    return 1 if failures or total["models"] + total[ALWAYS_CLOSE] != count else 0


if __name__ == "__main__":
    sys.exit(main())
