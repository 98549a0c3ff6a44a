#!/usr/bin/env python3
"""Plans a model of many channels within a bound of memory: random 1x1 convolutions, as wide as ResNet-50's and wider.

    build/deps/venv/bin/python test/bench/wide_model.py [--sites 20] [--channels 1000] [--images 64] [--memory 2048]

Prints the seconds and peak memory of ds-opt, which observes, plans and rewrites without repair, and how many channels'
pairs were left out to keep within --memory. Every channel could use every gate at or before its own site.
"""

import argparse
import json

import numpy as np
import onnx
from onnx import TensorProto, helper

import machine
from cifar import ROOT, run_tool

SIZE = 8


def chain(sites, channels):
    """Convolutions with Relus between them, and a classifier of ten classes at the end."""
    random = np.random.default_rng(0)
    nodes, weights = [], []

    def constant(name, *shape):
        values = random.standard_normal(shape, np.float32) * np.float32((2 / shape[1]) ** 0.5)
        weights.append(onnx.numpy_helper.from_array(values, name))
        return name

    value = "images"
    for site in range(sites):
        inputs = 3 if site == 0 else channels
        nodes.append(helper.make_node("Conv", [value, constant(f"w{site}", channels, inputs, 1, 1)], [f"c{site}"]))
        nodes.append(helper.make_node("Relu", [f"c{site}"], [f"r{site}"]))
        value = f"r{site}"
    nodes += [helper.make_node("GlobalAveragePool", [value], ["p"]), helper.make_node("Flatten", ["p"], ["f"]),
              helper.make_node("Gemm", ["f", constant("head", 10, channels)], ["logits"], transB=1)]
    graph = helper.make_graph(nodes, "wide", [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
                              [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=20)
    parser.add_argument("--channels", type=int, default=1000)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--memory", type=int, default=2048, help="MiB (2048)")
    parser.add_argument("--budget", default="25%")
    arguments = parser.parse_args()
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(chain(arguments.sites, arguments.channels), folder / "wide.onnx")
    np.save(folder / "wide.npy", np.random.default_rng(1).standard_normal((arguments.images, 3, SIZE, SIZE)).astype(np.float32))
    run = run_tool("ds-opt", folder / "wide.onnx", "--calibrate", folder / "wide.npy", "--budget", arguments.budget,
                   "--memory", arguments.memory, "--repair=off", "--stats", "-o", folder / "wide-shared.onnx")
    print(machine.describe(ROOT))
    print(f"{arguments.sites} sites of {arguments.channels} channels, {arguments.images} images, --memory {arguments.memory}: "
          f"{run.seconds:.0f} s ({run.processor_seconds:.0f} s of processors), {run.memory / 2**30:.2f} GiB")
    print(json.loads((folder / "wide-shared.plan.json").read_text())["note"])
    print("\n".join(line for line in run.output.splitlines() if "-gates" in line))


if __name__ == "__main__":
    main()
