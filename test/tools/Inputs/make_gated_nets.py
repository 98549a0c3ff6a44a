"""Writes two small networks with random weights to the folder that is given, and images for them: mobile.onnx, with the
gates of MobileNets (ReLU6 as Clip, HardSwish, a residual), and pooled.onnx, with the MaxPools of VGG.
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def conv(self, x: str, output: str, shape: tuple[int, ...], group: int = 1) -> str:
        weight = self.random.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape)
        bias = self.random.normal(0, 0.2, shape[0])
        names = [x, self.constant(output + "_w", weight), self.constant(output + "_b", bias)]
        return self.add("Conv", names, output, group=group, pads=[shape[2] // 2] * 4)

    def save(self, path: pathlib.Path, features: str, channels: int) -> None:
        flat = self.add("Flatten", [features], "flat")
        weight = self.constant("classes_w", self.random.normal(0, channels**-0.5, (channels, 5)))
        self.add("Gemm", [flat, weight], "classes")
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 15, 15])],
            [helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["N", 5])],
            self.constants,
        )
        model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, path)


def mobile(path: pathlib.Path) -> None:
    net = Net()
    low, high = net.constant("low", np.array(0.0)), net.constant("high", np.array(1.5))
    y = net.add("Clip", [net.conv("x", "stem", (8, 3, 3, 3)), low, high], "stem_clip")
    wide = net.add("Clip", [net.conv(y, "wide", (16, 8, 1, 1)), low, high], "wide_clip")
    deep = net.add("Clip", [net.conv(wide, "deep", (16, 1, 3, 3), group=16), low, high], "deep_clip")
    y = net.add("Add", [y, net.conv(deep, "narrow", (8, 16, 1, 1))], "residual")
    y = net.add("HardSwish", [net.conv(y, "last", (16, 8, 1, 1))], "last_swish")
    net.save(path, net.add("GlobalAveragePool", [y], "mean"), 16)


def pooled(path: pathlib.Path) -> None:
    net = Net()
    y = net.add("Relu", [net.conv("x", "first", (8, 3, 3, 3))], "first_relu")
    y = net.add("MaxPool", [y], "first_pool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    y = net.add("Relu", [net.conv(y, "second", (16, 8, 3, 3))], "second_relu")
    y = net.add("MaxPool", [y], "second_pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = net.add("Relu", [net.conv(y, "third", (16, 16, 3, 3))], "third_relu")
    net.save(path, net.add("GlobalMaxPool", [y], "third_pool"), 16)


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
mobile(folder / "mobile.onnx")
pooled(folder / "pooled.onnx")
np.save(folder / "images.npy", np.random.default_rng(1).normal(0, 1, (192, 3, 15, 15)).astype(np.float32))
