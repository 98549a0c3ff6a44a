#!/usr/bin/env python3
"""Counts the secure comparisons of an ONNX model by running it, independently of ds-opt.

    count_comparisons.py model.onnx [--per-node]

The model's functions are inlined; the tensors that every comparison-like node reads and writes become outputs; one
input of batch size 1 runs through ONNX Runtime, unoptimised; the elements compared are counted. Comparisons of
integers (indices and shapes, which are public) are not.
"""

import argparse

import numpy as np
import onnx
import onnx.inliner
import onnxruntime as ort


def attribute(node, name):
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), None)


def clip_bounds(node):
    return sum(bool(name) for name in node.input[1:]) + sum(attribute(node, name) is not None for name in ("min", "max"))


# Comparisons of a node, from the sizes of its first input and of its output.
COUNTS = {}
for op in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Relu", "LeakyRelu", "PRelu", "ThresholdedRelu",
           "Elu", "Selu", "Celu", "Abs", "Sign"):
    COUNTS[op] = lambda node, read, written: written
for op in ("Max", "Min"):
    COUNTS[op] = lambda node, read, written: (len(node.input) - 1) * written
for op in ("ReduceMax", "ReduceMin", "GlobalMaxPool", "ArgMax", "ArgMin"):
    COUNTS[op] = lambda node, read, written: read - written
for op in ("HardSigmoid", "HardSwish"):
    COUNTS[op] = lambda node, read, written: 2 * read
COUNTS["Clip"] = lambda node, read, written: clip_bounds(node) * read
COUNTS["MaxPool"] = lambda node, read, written: (int(np.prod(attribute(node, "kernel_shape"))) - 1) * written
# Nodes whose comparisons this script cannot count, and those with graphs inside.
REFUSED = {"TopK", "If", "Loop", "Scan", "NonMaxSuppression", "Unique", "Hardmax"}


def load_inlined(path):
    model = onnx.load(path)
    return onnx.inliner.inline_local_functions(model) if model.functions else model


def one_input(model, seed=0):
    """A random input of batch size 1 for every graph input without an initialiser."""
    rng = np.random.default_rng(seed)
    initialised = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in initialised:
            continue
        dims = [d.dim_value or 1 for d in value.type.tensor_type.shape.dim]
        feeds[value.name] = rng.standard_normal([1] + dims[1:]).astype(np.float32)
    return feeds


def count_comparisons(path, feeds=None):
    """Returns {node output: elements compared} for one run of the model at path."""
    model = load_inlined(path)
    refused = sorted({node.op_type for node in model.graph.node} & REFUSED)
    if refused:
        raise SystemExit(f"{path}: cannot count comparisons of {', '.join(refused)}")
    nodes = [node for node in model.graph.node if node.op_type in COUNTS]
    constant = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    wanted = []
    for node in nodes:
        wanted += [name for name in (node.input[0], node.output[0]) if name and name not in constant]
    feeds = feeds or one_input(model)
    fetched = {name: array for name, array in feeds.items() if name in wanted}
    fetched |= {name: constant[name] for node in nodes for name in node.input if name in constant}
    names = [name for name in dict.fromkeys(wanted) if name not in fetched]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    if names:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 3
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        fetched |= dict(zip(names, session.run(names, feeds)))
    counts = {}
    for node in nodes:
        data, output = fetched[node.input[0]], fetched[node.output[0]]
        if np.issubdtype(data.dtype, np.floating):
            counts[node.output[0]] = COUNTS[node.op_type](node, data.size, output.size)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--per-node", action="store_true", help="list every node that compares")
    arguments = parser.parse_args()
    counts = count_comparisons(arguments.model)
    if arguments.per_node:
        for name, count in counts.items():
            print(f"{count:12,}  {name}")
    print(f"{sum(counts.values()):12,}  comparisons in {len(counts)} nodes")


if __name__ == "__main__":
    main()
