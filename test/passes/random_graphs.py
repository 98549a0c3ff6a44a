"""Random valid models of the operators that networks are made of.

The model of a number is the same each time. It has one or two inputs, images of one or two axes or vectors, branches that
are added, multiplied or concatenated, and one to three outputs. Channels are few and axes short, so that thousands
of models run in a minute; weights keep activations near 1.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSETS = (13, 14, 15, 17, 18)


class Builder:
    """A graph in the making. Values are known by name, with their shapes less the batch."""

    def __init__(self, number: int):
        self.random = np.random.default_rng([number, 20261123])
        self.nodes, self.initializers, self.shapes = [], [], {}
        self.opset = int(self.random.choice(OPSETS))
        self.serial = 0

    # --- small things -----------------------------------------------------------------------------------------------
    def name(self, stem: str) -> str:
        self.serial += 1
        return f"{stem}_{self.serial}"

    def pick(self, choices):
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def constant(self, array, stem: str = "c") -> str:
        """A constant, as initialiser or as a node."""
        name, array = self.name(stem), np.asarray(array)
        if self.chance(0.2):
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, *shape, scale: float = 1.0) -> str:
        return self.constant((self.random.standard_normal(shape) * scale).astype(np.float32), "w")

    def positive(self, *shape) -> str:
        return self.constant(self.random.uniform(0.5, 2, shape).astype(np.float32), "v")

    def ints(self, *values) -> str:
        return self.constant(np.array(values, np.int64), "i")

    def emit(self, operator: str, inputs: list, shape, **attributes) -> str:
        output = self.name(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        self.shapes[output] = tuple(shape)
        return output

    def per_channel(self, rank: int) -> tuple:
        """What follows the channels in the shape of a constant that broadcasts over the other axes."""
        return (1,) * (rank - 1)

    # --- layers -----------------------------------------------------------------------------------------------------
    def normalize(self, x: str) -> str:
        channels = self.shapes[x][0]
        parameters = [self.floats(channels), self.floats(channels), self.floats(channels, scale=0.3)]
        parameters.append(self.positive(channels))
        epsilon = float(self.pick([1e-5, 1e-3, 0.1]))
        return self.emit("BatchNormalization", [x, *parameters], self.shapes[x], epsilon=epsilon)

    def convolve(self, x: str, channels: int, stride: int = 1) -> str:
        inside, *spatial = self.shapes[x]
        group = self.pick([1, 1, 1, inside]) if channels % inside == 0 else 1
        kernel = [self.pick([k for k in (1, 2, 3) if k <= size]) for size in spatial]
        fan = inside // group * int(np.prod(kernel))
        operands = [x, self.floats(channels, inside // group, *kernel, scale=fan**-0.5)]
        if self.chance(0.5):
            operands.append(self.floats(channels, scale=0.3))
        attributes = {"strides": [stride] * len(spatial), "group": group}
        if self.chance(0.3):
            attributes["kernel_shape"] = kernel
        if self.chance(0.3):
            attributes["auto_pad"] = self.pick(["SAME_UPPER", "SAME_LOWER"])
            result = [-(-size // stride) for size in spatial]
        else:
            first, last = [k // 2 for k in kernel], [(k - 1) // 2 for k in kernel]
            attributes["pads"] = first + last
            result = [(size + a + b - k) // stride + 1 for size, a, b, k in zip(spatial, first, last, kernel)]
        y = self.emit("Conv", operands, (channels, *result), **attributes)
        return self.normalize(y) if self.chance(0.5) else y

    def dense(self, x: str, features: int) -> str:
        inside = self.shapes[x][0]
        scale = inside**-0.5
        if self.chance(0.3):
            y = self.emit("MatMul", [x, self.floats(inside, features, scale=scale)], (features,))
            if self.chance(0.7):
                y = self.emit("Add", [y, self.floats(features, scale=0.3)], (features,))
        else:
            transposed = int(self.chance(0.5))
            shape = (features, inside) if transposed else (inside, features)
            operands = [x, self.floats(*shape, scale=scale)]
            if self.chance(0.7):
                operands.append(self.floats(*self.pick([(features,), (1, features), (1,)]), scale=0.3))
            attributes = {"alpha": 0.5} if self.chance(0.2) else {}
            if self.chance(0.2):
                attributes["beta"] = 2.0
            y = self.emit("Gemm", operands, (features,), transB=transposed, **attributes)
        return self.normalize(y) if self.chance(0.3) else y

    def pool(self, x: str) -> str:
        channels, *spatial = self.shapes[x]
        if self.chance(0.1):
            return self.emit(self.pick(["GlobalMaxPool", "GlobalAveragePool"]), [x], (channels, *[1] * len(spatial)))
        operator = self.pick(["MaxPool", "MaxPool", "AveragePool"])
        kernel = [self.pick([k for k in (1, 2, 3) if k <= size]) for size in spatial]
        stride = self.pick([1, 2])
        attributes = {"kernel_shape": kernel, "strides": [stride] * len(spatial)}
        if operator == "AveragePool" and self.chance(0.5):
            attributes["count_include_pad"] = 1
        # Where strides leave elements out, ONNX Runtime refuses SAME_*, and ONNX's shape inference counts a window that
        # ceil_mode would start past the end.
        overlaps = stride <= min(kernel)
        padding = self.pick(["NOTSET"] * 4 + ["VALID"] + ["SAME_UPPER", "SAME_LOWER"] * overlaps)
        ceil = overlaps and self.chance(0.3)
        if ceil:
            attributes["ceil_mode"] = 1
        pads = [self.pick([0, 1]) if k == 3 and padding == "NOTSET" else 0 for k in kernel]
        if padding == "NOTSET":
            attributes["pads"] = pads * 2
        else:
            attributes["auto_pad"] = padding
        if padding.startswith("SAME"):
            result = [-(-size // stride) for size in spatial]
        else:
            more = stride - 1 if ceil else 0
            result = [(size + 2 * pad - k + more) // stride + 1 for size, pad, k in zip(spatial, pads, kernel)]
        return self.emit(operator, [x], (channels, *result), **attributes)

    # --- gates ------------------------------------------------------------------------------------------------------
    def gate(self, x: str) -> str:
        shape = self.shapes[x]
        channels, rank = shape[0], len(shape)

        def clip(low, high):
            bounds = [self.constant(np.float32(b)) if b is not None else "" for b in (low, high)]
            return self.emit("Clip", [x, *bounds] if bounds[1] else [x, bounds[0]], shape)

        def compare(operator="Greater", zero=0.0):
            operands = [x, self.constant(np.float32(zero))]
            return self.emit(operator, operands if self.chance(0.7) else operands[::-1], shape)

        def slope():
            return self.constant(self.random.uniform(-0.5, 1, (channels, *self.per_channel(rank))).astype(np.float32))

        kind = self.pick(["Relu"] * 6 + ["LeakyRelu", "PRelu", "Clip", "Clip", "Abs", "Max", "Min", "MaxMin", "Where",
                                         "Mask", "HardSwish", "HardSigmoid", "Sigmoid", "ThresholdedRelu", "Extrema"])
        if kind == "LeakyRelu":
            return self.emit(kind, [x], shape, alpha=float(self.pick([0.01, 0.3, 1.5, -0.5])))
        if kind == "PRelu":
            return self.emit(kind, [x, self.pick([slope(), self.constant(np.float32([0.25]))])], shape)
        if kind == "Clip":
            return clip(*self.pick([(0, 6), (-1, 1), (0, None), (None, 0), (0, 1), (-0.5, None), (None, 2)]))
        if kind in ("Max", "Min"):
            bound = self.pick([0.0, 0.5, -0.25])
            constant = self.constant(np.float32(bound)) if self.chance(0.7) else slope()
            return self.emit(kind, self.pick([[x, constant], [constant, x]]), shape)
        if kind == "MaxMin":
            lower = self.emit("Max", [x, self.constant(np.float32(-0.5))], shape)
            return self.emit("Min", [lower, self.constant(np.float32(1.5))], shape)
        if kind == "Extrema":
            other = self.emit("Neg", [x], shape) if self.chance(0.3) else self.emit("Mul", [x, slope()], shape)
            return self.emit(self.pick(["Max", "Min"]), [x, other], shape)
        if kind == "Where":
            bit = compare(self.pick(["Greater", "Less", "GreaterOrEqual", "LessOrEqual"]))
            scaled = self.emit("Mul", [x, self.pick([slope(), self.constant(np.float32(0.2))])], shape)
            return self.emit("Where", [bit, *self.pick([[x, scaled], [scaled, x]])], shape)
        if kind == "Mask":
            bit = self.emit("Cast", [compare(self.pick(["Greater", "Less"]))], shape, to=TensorProto.FLOAT)
            return self.emit("Mul", self.pick([[x, bit], [bit, x]]), shape)
        if kind == "HardSwish" and self.opset < 14:
            kind = "Relu"
        if kind == "HardSigmoid":
            return self.emit(kind, [x], shape, **self.pick([{}, {"alpha": 0.25, "beta": 0.4}]))
        if kind == "ThresholdedRelu":
            return self.emit(kind, [x], shape, alpha=float(self.pick([0.0, 0.5])))
        return self.emit(kind, [x], shape)

    # --- shapes -----------------------------------------------------------------------------------------------------
    def rearrange(self, x: str) -> str:
        """What exporters leave between layers; most of it is the identity or a selection."""
        shape = self.shapes[x]
        channels, *spatial = shape
        kind = self.pick(["Identity", "Reshape", "Slice", "Strided", "Transpose", "Add", "Scale", "Twice", "Pad", "Gather"])
        if kind == "Reshape":
            flat = self.emit("Reshape", [x, self.ints(0, -1)], (int(np.prod(shape)),))
            return self.emit("Reshape", [flat, self.ints(*self.pick([(0, *shape), (-1, *shape)]))], shape)
        if kind == "Slice" and channels > 2:
            first = int(self.random.integers(0, channels - 1))
            operands = [x, self.ints(first), self.ints(channels), self.ints(1)]
            return self.emit("Slice", operands, (channels - first, *spatial))
        if kind == "Strided" and spatial and min(spatial) > 1:
            axes = list(range(2, 2 + len(spatial)))
            operands = [x, *(self.ints(*each) for each in ([0] * len(axes), [2**31] * len(axes), axes, [2] * len(axes)))]
            return self.emit("Slice", operands, (channels, *[-(-size // 2) for size in spatial]))
        if kind == "Transpose" and len(spatial) == 2:
            y = self.emit("Transpose", [x], (*spatial, channels), perm=[0, 2, 3, 1])
            return self.emit("Transpose", [y], shape, perm=[0, 3, 1, 2])
        if kind == "Add":
            return self.emit("Add", [x, self.floats(channels, *self.per_channel(len(shape)), scale=0.3)], shape)
        if kind == "Scale":
            operator = self.pick(["Mul", "Div", "Sub"])
            return self.emit(operator, [x, self.positive(*self.pick([(), (channels, *self.per_channel(len(shape)))]))], shape)
        if kind == "Twice":
            return self.emit("Add", [x, self.emit("Identity", [x], shape)], shape)
        if kind == "Pad" and spatial:
            pads = [0, 1] + [0] * len(spatial)
            return self.emit("Pad", [x, self.ints(*pads, *pads), self.constant(np.float32(0))], (channels + 2, *spatial))
        if kind == "Gather":
            picked = self.random.permutation(channels)
            return self.emit("Gather", [x, self.ints(*map(int, picked))], shape, axis=1)
        return self.emit("Identity", [x], shape)

    def join(self, a: str, b: str) -> str:
        """Two branches as one; they have the same axes."""
        if self.shapes[a][1:] != self.shapes[b][1:]:
            a, b = self.flatten(a), self.flatten(b)
        same = self.shapes[a] == self.shapes[b]
        if not same or self.chance(0.2):
            shape = (self.shapes[a][0] + self.shapes[b][0], *self.shapes[a][1:])
            return self.emit("Concat", [a, b], shape, axis=1)
        return self.emit(self.pick(["Add", "Add", "Add", "Sub", "Mul", "Max"]), [a, b], self.shapes[a])

    def flatten(self, x: str) -> str:
        shape = self.shapes[x]
        if len(shape) == 1:
            return x
        if self.chance(0.3):
            axes = list(range(2, len(shape) + 1))
            return self.emit("ReduceMean", [x, self.ints(*axes)] if self.opset >= 18 else [x], (shape[0],), keepdims=0,
                             **({} if self.opset >= 18 else {"axes": axes}))
        flat = (int(np.prod(shape)),)
        if self.chance(0.5):
            return self.emit("Flatten", [x], flat, axis=1)
        return self.emit("Reshape", [x, self.ints(0, -1)], flat)

    def layer(self, x: str) -> str:
        shape = self.shapes[x]
        if len(shape) == 1:
            return self.dense(x, self.pick([2, 4, 6]))
        kind = self.random.random()
        if kind < 0.6:
            return self.convolve(x, self.pick([2, 4, 4, 8]), self.pick([1, 1, 2]))
        return self.pool(x) if kind < 0.8 else self.rearrange(x)

    def block(self, x: str) -> str:
        """A layer and a gate, perhaps beside a second branch."""
        start = x
        x = self.gate(self.layer(x)) if self.chance(0.9) else self.layer(x)
        if self.chance(0.3):
            other = self.pick([start, start, self.layer(start)])
            if self.chance(0.5):
                other = self.gate(other)
            x = self.join(x, other)
            if self.chance(0.7):
                x = self.gate(x)
        return x if self.chance(0.8) else self.rearrange(x)


def random_model(number: int):
    """Model number `number`, and the shape of each of its inputs less the batch."""
    builder = Builder(number)
    axes = builder.pick([0, 1, 2, 2, 2])
    shapes, values = [], []
    for index in range(builder.pick([1, 1, 1, 2])):
        shape = (builder.pick([1, 3, 4]), *[builder.pick([4, 6, 7, 8])] * axes)
        shapes.append(shape)
        builder.shapes[f"input_{index}"] = shape
        values.append(f"input_{index}")
    x = values[0] if len(values) == 1 else builder.join(builder.block(values[0]), builder.block(values[1]))
    outputs = []
    for _ in range(builder.pick([1, 2, 3, 4])):
        x = builder.block(x)
        if builder.chance(0.15):
            outputs.append(x)
    head = builder.flatten(x)
    if builder.chance(0.7):
        head = builder.dense(head, 3)
    outputs.append(head)
    # Inputs are no outputs, and an output is listed once.
    outputs = [builder.emit("Identity", [x], builder.shapes[x]) if x in values else x for x in dict.fromkeys(outputs)]
    batch = builder.pick(["N", "N", "N", 2])
    graph = helper.make_graph(
        builder.nodes, f"random_{number}",
        [helper.make_tensor_value_info(f"input_{i}", TensorProto.FLOAT, [batch, *s]) for i, s in enumerate(shapes)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [batch, *builder.shapes[x]]) for x in outputs[-3:]],
        builder.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", builder.opset)], ir_version=8)
    return model, shapes
