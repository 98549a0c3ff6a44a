"""Costs an element, measured by running small models between real parties, as a cost model that ds-opt reads.

docs/cost-models.md describes the file. A protocol's set-up is what its first run costs more than its second.
"""

import json
import tempfile
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from scipy.optimize import nnls

from deepshare_pi import frameworks
from deepshare_pi.images import write_text

# Channels in, size, channels out, kernel, stride: layers as small networks for images have them.
CONVOLUTIONS = (
    (1, 28, 16, 5, 1), (3, 32, 16, 3, 1), (16, 32, 16, 3, 1), (16, 32, 32, 3, 2), (32, 16, 32, 3, 1),
    (32, 16, 64, 3, 2), (64, 8, 64, 3, 1), (16, 14, 32, 3, 1), (32, 7, 64, 3, 1), (64, 8, 16, 1, 1),
)  # fmt: skip


@dataclass
class Layer:
    """Sizes of a convolution, as lib/Cost counts them, and what it was measured to send."""

    inputs: int
    unrolled: int
    weights: int
    outputs: int
    bytes: float
    rounds: int


def model(nodes, weights, shape):
    """A model file's bytes: input x of `shape`, output y."""
    graph = helper.make_graph(
        nodes, "calibration",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value, np.float32)))


def gate_nodes(framework, x="x"):
    if framework == "crypten":
        return [helper.make_node("Relu", [x], ["y"])]
    return [constant("zero", 0), helper.make_node("Less", ["zero", x], ["m"]),
            helper.make_node("Where", ["m", x, "zero"], ["y"])]  # fmt: skip


def convolution(y, kernel, stride=1):
    return helper.make_node("Conv", ["x", "w"], [y], kernel_shape=[kernel] * 2, pads=[kernel // 2] * 4,
                            strides=[stride] * 2, dilations=[1, 1])  # fmt: skip


class Calibration:
    def __init__(self, framework, protocol, field):
        self.framework, self.protocol, self.field = framework, protocol, field
        self.random = np.random.default_rng(0)

    def run(self, nodes, weights, shape):
        """The first and the second run of a model on one image each."""
        images = self.random.uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(model(nodes, weights, shape))
            file.flush()
            if self.framework == "crypten":
                return frameworks.run_crypten(file.name, images, 1, lambda *_: None)[1]
            return frameworks.run_spu(file.name, images, 1, self.protocol, self.field, lambda *_: None)[1]

    def operation(self, nodes, kind):
        """Bytes an element, from a large tensor; rounds, from a small one, which no protocol sends in pieces."""
        large, small = [1, 64, 32, 32], [1, 1, 2, 2]
        sums = self.run(nodes, {}, large)[1].kinds.get(kind, {"bytes": 0})
        rounds = self.run(nodes, {}, small)[1].kinds.get(kind, {"rounds": 0})
        return {"bytes": round(sums["bytes"] / np.prod(large), 4), "rounds": rounds["rounds"]}

    def layer(self, channels, size, filters, kernel, stride):
        weight = self.random.normal(0, 0.1, (filters, channels, kernel, kernel))
        outputs = (size + 2 * (kernel // 2) - kernel) // stride + 1
        run = self.run([convolution("y", kernel, stride)], {"w": weight}, [1, channels, size, size])[1]
        return Layer(channels * size**2, outputs**2 * kernel**2 * channels, weight.size, filters * outputs**2, run.bytes, run.rounds)

    def setup(self):
        """What a first run costs more than the second, of a layer and its gates."""
        weight = self.random.normal(0, 0.1, (4, 1, 3, 3))
        first, second = self.run([convolution("c", 3), *gate_nodes(self.framework, "c")], {"w": weight}, [1, 1, 4, 4])
        return max(0, first.bytes - second.bytes)

    def linear(self):
        """The linear form in a layer's sizes with coefficients of at least 0 that is nearest, relative to each layer."""
        layers = [self.layer(*sizes) for sizes in CONVOLUTIONS]
        columns = np.array([[l.inputs, l.unrolled, l.weights, l.outputs, 1.0] for l in layers])
        target = np.array([l.bytes for l in layers])
        coefficients, _ = nnls(columns / target[:, None], np.ones(len(layers)))
        worst = np.abs(columns @ coefficients / target - 1).max()
        names = ("bytes_per_input", "bytes_per_unrolled", "bytes_per_weight", "bytes_per_output", "bytes_per_layer")
        form = {name: round(float(value), 4) for name, value in zip(names, coefficients)}
        return {**form, "rounds": min(l.rounds for l in layers)}, worst


def write_model(framework, protocol, field, output):
    """Measures and writes the cost model of one protocol to the file `output`."""
    name = "crypten-64" if framework == "crypten" else f"{protocol}-{field}"
    options = "" if framework == "crypten" else f" --protocol {protocol} --field {field}"
    calibration = Calibration(framework, protocol, field)
    gates = gate_nodes(framework)
    slope = [constant("slope", 0.3), helper.make_node("Mul", ["x", "slope"], ["y"])]
    linear, worst = calibration.linear()
    model = {
        "format": "deepshare-cost-model",
        "version": 1,
        "name": name,
        "source": [
            f"measured by `ds-pi calibrate --framework {framework}{options}`, all parties together. Linear layers: {len(CONVOLUTIONS)}",
            f"convolutions, of which the worst is {100 * worst:.1f} % off. Rounds: sends of one party for a small tensor.",
        ],
        "ring_bits": 64 if framework == "crypten" else field,
        "drelu": calibration.operation(gates, "comparison"),
        "mux": calibration.operation(gates, "mux"),
        "truncation": calibration.operation(slope, "truncation"),
        "linear": linear,
        "bytes_fixed": calibration.setup(),
    }
    write_text(output, json.dumps(model, indent=2) + "\n")
    print(f"{output}: DReLU {model['drelu']['bytes']} B, mux {model['mux']['bytes']} B, truncation "
          f"{model['truncation']['bytes']} B, linear layers within {100 * worst:.1f} %")
