"""Graphs that no torch exporter writes, made node by node: control flow, functions, other layouts and other types.

HAND_MADE maps names to functions of a folder that write FOLDER/NAME.onnx and return {input: shape of an image}. All have a
free batch and seeded weights that keep activations near 1.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Net:
    """A graph in the making."""

    def __init__(self, seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def constant(self, array) -> str:
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape) -> str:
        fan = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        return self.constant((self.random.standard_normal(shape) * (2 / fan) ** 0.5).astype(np.float32))

    def emit(self, operator, *inputs, outputs=1, **attributes):
        names = [f"{operator.lower()}_{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=names[0], **attributes))
        return names[0] if outputs == 1 else names

    def conv(self, x, inside, outside, **attributes) -> str:
        return self.emit("Conv", x, self.weight(outside, inside, 3, 3), self.constant(np.zeros(outside, np.float32)),
                         pads=[1] * 4, **attributes)

    def head(self, x, channels, classes=10) -> str:
        flat = self.emit("Flatten", self.emit("GlobalAveragePool", x))
        return self.emit("Gemm", flat, self.weight(classes, channels), transB=1)

    def model(self, inputs, outputs, functions=(), domains=(), opset=OPSET) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes, "net",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape]) for name, shape in outputs.items()],
            self.initializers)
        imports = [helper.make_opsetid("", opset), *[helper.make_opsetid(domain, 1) for domain in domains]]
        return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=9)


IMAGE = {"images": (3, 16, 16)}


def plain(seed=0) -> onnx.ModelProto:
    """Two convolutions with gates and a pool, which other models are made from."""
    net = Net(seed)
    x = net.emit("Relu", net.conv("images", 3, 16))
    x = net.emit("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.emit("Relu", net.conv(x, 16, 16))
    return net.model(IMAGE, {net.head(x, 16): (10,)})


def nhwc():
    """As tf2onnx writes Keras's networks: channels last at the gates, a transposition around each convolution."""
    net = Net()

    def conv(x, inside, outside):
        y = net.conv(net.emit("Transpose", x, perm=[0, 3, 1, 2]), inside, outside)
        return net.emit("Relu", net.emit("Transpose", y, perm=[0, 2, 3, 1]))

    x = conv(conv("images", 3, 16), 16, 16)
    x = net.emit("ReduceMean", x, axes=[1, 2], keepdims=0)
    y = net.emit("MatMul", x, net.weight(16, 10))
    return net.model({"images": (16, 16, 3)}, {y: (10,)}), {"images": (16, 16, 3)}


def several():
    """Two inputs of other sizes, and three outputs, one of them in the middle."""
    net = Net()
    left = net.emit("Relu", net.conv("left", 3, 16))
    right = net.emit("Relu", net.conv("right", 1, 16, strides=[2, 2]))
    both = net.emit("Relu", net.emit("Add", left, right))
    classes, boxes = net.head(both, 16), net.head(net.emit("Relu", net.conv(both, 16, 16)), 16, 4)
    inputs = {"left": (3, 16, 16), "right": (1, 32, 32)}
    return net.model(inputs, {classes: (10,), boxes: (4,), both: (16, 16, 16)}), inputs


def body(nodes, inputs, outputs, initializers=()):
    info = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
    return helper.make_graph(nodes, "body", [info(*i) for i in inputs], [info(*o) for o in outputs], list(initializers))


def branches():
    """If: both branches have gates, and so has the main graph. The condition is public: it looks at a constant."""
    net = Net()
    x = net.emit("Relu", net.conv("images", 3, 16))
    shape = ["N", 16, 16, 16]
    taken = body([helper.make_node("Relu", [x], ["then_y"])], [], [("then_y", TensorProto.FLOAT, shape)])
    other = body([helper.make_node("Abs", [x], ["else_y"])], [], [("else_y", TensorProto.FLOAT, shape)])
    size = net.emit("Size", "images")
    large = net.emit("Greater", size, net.constant(np.int64(1)))
    net.nodes.append(helper.make_node("If", [large], ["chosen"], name="chosen", then_branch=taken, else_branch=other))
    x = net.emit("Relu", net.conv("chosen", 16, 16))
    return net.model(IMAGE, {net.head(x, 16): (10,)}), IMAGE


def loop():
    """Loop: twice the same convolution with its gate."""
    net = Net()
    x = net.emit("Relu", net.conv("images", 3, 16))
    weight, shape = net.weight(16, 16, 3, 3), ["N", 16, 16, 16]
    inner = body([helper.make_node("Conv", ["state", weight], ["inner"], pads=[1] * 4),
                  helper.make_node("Relu", ["inner"], ["next"]), helper.make_node("Identity", ["go"], ["go_on"])],
                 [("trip", TensorProto.INT64, []), ("go", TensorProto.BOOL, []), ("state", TensorProto.FLOAT, shape)],
                 [("go_on", TensorProto.BOOL, []), ("next", TensorProto.FLOAT, shape)])
    trips, go = net.constant(np.int64(2)), net.constant(np.bool_(True))
    net.nodes.append(helper.make_node("Loop", [trips, go, x], ["looped"], name="looped", body=inner))
    x = "looped"
    for _ in range(2):
        x = net.emit("Relu", net.conv(x, 16, 16))
    return net.model(IMAGE, {net.head(x, 16): (10,)}), IMAGE


def scan():
    """Scan: a recurrent network over the 16 steps of [N, 16, 8], with a gate in each step and a network after it."""
    net = Net()
    inputs = {"steps": (16, 8)}
    weight, back = net.weight(8, 16), net.weight(16, 16)
    first = net.emit("Transpose", "steps", perm=[1, 0, 2])
    zeros = net.emit("Mul", net.emit("MatMul", net.emit("ReduceSum", "steps", net.constant(np.array([1])), keepdims=0), weight),
                     net.constant(np.float32(0)))
    inner = body([helper.make_node("MatMul", ["step", weight], ["seen"]), helper.make_node("MatMul", ["state", back], ["known"]),
                  helper.make_node("Add", ["seen", "known"], ["sum"]), helper.make_node("Mul", ["sum", "half"], ["less"]),
                  helper.make_node("Relu", ["less"], ["next"]), helper.make_node("Identity", ["next"], ["out"])],
                 [("state", TensorProto.FLOAT, ["N", 16]), ("step", TensorProto.FLOAT, ["N", 8])],
                 [("next", TensorProto.FLOAT, ["N", 16]), ("out", TensorProto.FLOAT, ["N", 16])],
                 [numpy_helper.from_array(np.float32(0.5), "half")])
    net.nodes.append(helper.make_node("Scan", [zeros, first], ["last", "all"], name="scan", num_scan_inputs=1, body=inner))
    x = net.emit("Relu", net.emit("MatMul", "last", net.weight(16, 512)))
    return net.model(inputs, {net.emit("MatMul", x, net.weight(512, 10)): (10,)}), inputs


def functions():
    """A block as a model-local function that is called twice, as dynamo's exporter and onnxscript write modules; its gate is
    inside."""
    net = Net()
    block = helper.make_function(
        "local", "Block", ["x", "w", "b"], ["y"],
        [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4), helper.make_node("Relu", ["c"], ["y"])],
        [helper.make_opsetid("", OPSET)])
    x = "images"
    for inside in (3, 16):
        net.nodes.append(helper.make_node("Block", [x, net.weight(16, inside, 3, 3), net.constant(np.zeros(16, np.float32))],
                                          [f"block{inside}"], domain="local", name=f"block{inside}"))
        x = f"block{inside}"
    x = net.emit("Relu", net.conv(x, 16, 16))
    return net.model(IMAGE, {net.head(x, 16): (10,)}, [block], ["local"]), IMAGE


def in_type(kind):
    """A network whose inside is of another float type, between casts: what converters of float32 networks write."""
    def make():
        model = plain()
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype == np.float32:
                if kind == TensorProto.FLOAT16:
                    tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), tensor.name))
                else:
                    tensor.CopyFrom(helper.make_tensor(tensor.name, kind, array.shape, array.ravel()))
        if kind == TensorProto.BFLOAT16:
            model.opset_import[0].version, model.ir_version = 22, 10  # Conv takes bfloat16 from there on.
        first, last = model.graph.node[0], model.graph.node[-1]
        result = last.output[0]
        first.input[0], last.output[0] = "images:cast", f"{result}:cast"
        model.graph.node.insert(0, helper.make_node("Cast", ["images"], ["images:cast"], to=kind))
        model.graph.node.append(helper.make_node("Cast", [f"{result}:cast"], [result], to=TensorProto.FLOAT))
        return model, IMAGE
    return make


def quantized():
    """QDQ: every activation and weight goes through 8 bits and back, as ONNX Runtime's quantiser writes it."""
    net = Net()

    def through(x, scale, zero=0, kind=np.uint8):
        operands = [net.constant(np.float32(scale)), net.constant(kind(zero))]
        return net.emit("DequantizeLinear", net.emit("QuantizeLinear", x, *operands), *operands)

    def weight(*shape):
        array = net.random.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
        scale = np.abs(array).max() / 127
        return net.emit("DequantizeLinear", net.constant(np.round(array / scale).astype(np.int8)),
                        net.constant(np.float32(scale)), net.constant(np.int8(0)))

    x = through("images", 0.05, 128)
    for inside in (3, 16):
        y = net.emit("Conv", x, weight(16, inside, 3, 3), net.constant(np.zeros(16, np.float32)), pads=[1] * 4)
        x = through(net.emit("Relu", y), 0.03)
    flat = through(net.emit("Flatten", net.emit("GlobalAveragePool", x)), 0.02)
    return net.model(IMAGE, {net.emit("Gemm", flat, weight(10, 16), transB=1): (10,)}), IMAGE


def gates():
    """Gates as graphs spell them, and what chooses at the output: ArgMax and TopK."""
    net = Net()
    number = lambda value: net.constant(np.float32(value))
    x = net.emit("Max", net.conv("images", 3, 16), number(0.1))
    x = net.emit("Min", net.conv(x, 16, 16), number(1.5))
    y = net.conv(x, 16, 16)
    x = net.emit("Where", net.emit("Greater", y, number(0)), y, net.emit("Mul", y, number(0.1)))
    y = net.conv(x, 16, 16)
    x = net.emit("Mul", y, net.emit("Cast", net.emit("Less", number(0), y), to=TensorProto.FLOAT))
    x = net.emit("Clip", net.conv(x, 16, 16), number(0), number(6))
    x = net.emit("HardSwish", net.conv(x, 16, 16))
    x = net.emit("Abs", net.conv(x, 16, 16))
    x = net.emit("GlobalMaxPool", net.emit("Relu", net.conv(x, 16, 16)))
    y = net.emit("Gemm", net.emit("Flatten", x), net.weight(10, 16), transB=1)
    best = net.emit("Cast", net.emit("ArgMax", y, axis=1, keepdims=0), to=TensorProto.FLOAT)
    values, _ = net.emit("TopK", y, net.constant(np.array([3])), outputs=2)
    return net.model(IMAGE, {y: (10,), best: (), values: (3,)}), IMAGE


def small(make_model):
    def write(folder, name):
        model, inputs = make_model()
        onnx.checker.check_model(model)
        onnx.save(model, folder / f"{name}.onnx")
        return inputs
    return write


def large(folder, name):
    """A network of more than 2 GB: the class that the images seem to have picks a row of a matrix of 2.2 GB, which lies in
    the file beside the model. That file has holes where nothing is written, so that it takes no disk."""
    rows, width = 8_600_000, 64
    data = folder / f"{name}.data"
    with open(data, "wb") as file:
        file.truncate(rows * width * 4)
        file.write(np.random.default_rng(0).standard_normal((1000, width)).astype(np.float32).tobytes())
    net = Net()
    table = TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[rows, width], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", data.name), ("offset", "0"), ("length", str(rows * width * 4))):
        table.external_data.add(key=key, value=value)
    net.initializers.append(table)
    x = net.emit("Relu", net.conv("images", 3, 16))
    x = net.emit("Relu", net.conv(x, 16, width))
    flat = net.emit("Flatten", net.emit("GlobalAveragePool", x))
    row = net.emit("Gather", "table", net.emit("ArgMax", flat, axis=1, keepdims=0))
    y = net.emit("Relu", net.emit("Gemm", net.emit("Add", flat, row), net.weight(32, width), transB=1))
    onnx.save(net.model(IMAGE, {net.emit("Gemm", y, net.weight(10, 32), transB=1): (10,)}), folder / f"{name}.onnx")
    return IMAGE


HAND_MADE = {
    "nhwc": small(nhwc),
    "several": small(several),
    "if": small(branches),
    "loop": small(loop),
    "scan": small(scan),
    "functions": small(functions),
    "float16": small(in_type(TensorProto.FLOAT16)),
    "bfloat16": small(in_type(TensorProto.BFLOAT16)),
    "qdq": small(quantized),
    "hand-made-gates": small(gates),
    "2gb-external": large,
}
