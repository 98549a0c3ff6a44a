"""Models that use what exporters seldom write: each part is one that a careless import loses."""

from collections.abc import Iterator

import onnx
from onnx import AttributeProto, TensorProto, helper

# Field 5000 with the number 7: a field that no version of ONNX has.
UNKNOWN_FIELD = bytes([0xC0, 0xB8, 0x02, 0x07])


def add_unknown_field(message) -> None:
    message.MergeFromString(UNKNOWN_FIELD)


def value(name: str, *dims) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def describe(message, text: str) -> None:
    """Gives a message a doc string and metadata."""
    message.doc_string = text
    if hasattr(message, "metadata_props"):
        entry = message.metadata_props.add()
        entry.key, entry.value = "key of " + text, "value"


def wrap(graph: onnx.GraphProto, ir_version: int = 10, **fields) -> onnx.ModelProto:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], **fields)
    model.ir_version = ir_version
    return model


def documented() -> onnx.ModelProto:
    weights = helper.make_tensor("W", TensorProto.FLOAT, [2], b"\0\1\2\3\4\5\6\7", raw=True)
    relu = helper.make_node("Relu", ["X"], ["H"], name="relu")
    mul = helper.make_node("LeakyRelu", ["H"], ["Y"], alpha=0.5)
    add = helper.make_node("Add", ["H", "W"], ["Z"])
    graph = helper.make_graph([relu, mul, add], "g", [value("X", "N", 2)], [value("Y", "N", 2), value("Z")], [weights])
    # Out of order, for names that do not exist, for inputs, outputs and initialisers, twice, without a type, empty.
    graph.value_info.extend([value("gone", 3), value("H", None, 2), value("X", 5), value("W", 2), value("Z", 2)])
    graph.value_info.add().name = "H"
    graph.value_info.add().name = "also gone"
    graph.value_info.add()
    model = wrap(graph, producer_name="p", producer_version="1", domain="d", model_version=3)
    opset = model.opset_import.add()
    opset.domain, opset.version = "custom", 1
    for i, message in enumerate([model, graph, relu, mul.attribute[0], weights, graph.input[0], graph.output[0]]):
        describe(message, f"text {i}")
        add_unknown_field(message)
    model.graph.CopyFrom(graph)
    g = model.graph
    for message in [g.node[0], g.node[1], g.node[1].attribute[0], g.initializer[0], g.value_info[1], g.value_info[0]]:
        describe(message, "text")
        add_unknown_field(message)
    add_unknown_field(g.input[0].type)
    add_unknown_field(g.input[0].type.tensor_type)
    add_unknown_field(g.input[0].type.tensor_type.shape.dim[0])
    add_unknown_field(model.opset_import[0])
    g.input[0].type.denotation = "IMAGE"
    g.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    annotation = g.quantization_annotation.add()
    annotation.tensor_name = "H"
    annotation.quant_parameter_tensor_names.add().key = "SCALE_TENSOR"
    device = g.node[0].device_configurations.add()
    device.configuration_id, device.pipeline_stage = "c", 1
    device.sharding_spec.add().tensor_name = "X"
    model.configuration.add().name = "c"
    training = model.training_info.add()
    training.initialization.initializer.append(weights)
    training.algorithm.node.append(relu)
    training.update_binding.add().key = "W"
    return model


def presence() -> onnx.ModelProto:
    """Fields that are there but empty, absent but with a default, or unusual but allowed."""
    nodes = [helper.make_node("Foo", ["X", "", "X", ""], ["", f"H{i}", ""]) for i in range(4)]
    nodes[0].name = nodes[0].domain = nodes[0].overload = nodes[0].doc_string = ""
    nodes[1].domain = "ai.onnx"
    for name, kind in [("i", "INT"), ("f", "FLOAT"), ("s", "STRING"), ("ints", "INTS"), ("graphs", "GRAPHS")]:
        absent = nodes[2].attribute.add()
        absent.name, absent.type = name, AttributeProto.AttributeType.Value(kind)
    for name, payload in [("i", 0), ("f", 0.0), ("s", ""), ("neg", -0.0), ("bytes", b"\xff\xfe\0")]:
        nodes[3].attribute.append(helper.make_attribute(name, payload))
    untyped = nodes[3].attribute.add()
    untyped.name, untyped.i = "untyped", 3
    untyped.t.CopyFrom(helper.make_tensor("t", TensorProto.INT8, [3], b"abc", raw=True))
    reference = nodes[3].attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "ref", "outer", AttributeProto.FLOAT
    inputs = [value("X", 0, -1, "", "N", None), value("scalar"), onnx.ValueInfoProto(name="no type")]
    inputs.append(onnx.ValueInfoProto(name="empty type", type=onnx.TypeProto()))
    inputs.append(helper.make_tensor_value_info("no shape", TensorProto.FLOAT, None))
    undefined = onnx.ValueInfoProto(name="no element type")
    undefined.type.tensor_type.shape.dim.add().dim_value = 3
    graph = helper.make_graph(nodes, "", inputs + [undefined], [value("H0"), onnx.ValueInfoProto(name="H1")])
    # Outputs that are inputs, or listed twice, with another description.
    graph.output.extend([value("X", 9), value("H0", 4), value("H0", 4)])
    model = wrap(graph)
    model.opset_import[0].domain = "ai.onnx"
    model.opset_import.add().version = 21
    model.producer_name = ""
    return model


def types() -> onnx.ModelProto:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [2, "N"])
    kinds = [
        helper.make_sequence_type_proto(tensor),
        helper.make_optional_type_proto(helper.make_sequence_type_proto(tensor)),
        helper.make_map_type_proto(TensorProto.INT64, tensor),
        helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [3, 4]),
        onnx.TypeProto(opaque_type=onnx.TypeProto.Opaque(domain="d", name="n"), denotation="x"),
        helper.make_tensor_type_proto(TensorProto.INT4, [3]),
        helper.make_tensor_type_proto(99, [3]),
    ]
    inputs = [helper.make_value_info(f"x{i}", kind) for i, kind in enumerate(kinds)]
    nodes = [helper.make_node("Identity", [f"x{i}"], [f"y{i}"]) for i in range(len(kinds))]
    more = [helper.make_node("Identity", [f"y{i}"], [f"z{i}"]) for i in range(len(kinds))]
    outputs = [helper.make_value_info(f"z{i}", kind) for i, kind in enumerate(kinds)]
    graph = helper.make_graph(nodes + more, "g", inputs, outputs)
    graph.value_info.extend(helper.make_value_info(f"y{i}", kind) for i, kind in enumerate(kinds))
    return wrap(graph)


def tensors() -> onnx.ModelProto:
    """Every element type, typed and raw; widened elements that do not fit; external data in name only."""
    made = []
    for data_type, size in [(1, 4), (2, 1), (3, 1), (4, 2), (5, 2), (6, 4), (7, 8), (9, 1), (10, 2), (11, 8), (12, 4),
                            (13, 8), (14, 8), (15, 16), (16, 2), (17, 1), (18, 1), (19, 1), (20, 1), (24, 1)]:  # fmt: skip
        made.append(TensorProto(dims=[3], data_type=data_type, raw_data=bytes(range(1, 3 * size + 1))))
    for data_type, field, numbers in [
        (1, "float_data", [1.5, float("inf"), -0.0]), (14, "float_data", [1, 2, 3, 4, 5, 6]),
        (11, "double_data", [1, 2, 1e300]), (15, "double_data", [1, 2, 3, 4, 5, 6]), (6, "int32_data", [-1, 2, 3]),
        (3, "int32_data", [-1, 2, 3]), (2, "int32_data", [255, 2, 3]), (2, "int32_data", [-1, 2, 300]),
        (9, "int32_data", [0, 1, 1]), (9, "int32_data", [0, 1, 256]), (10, "int32_data", [15360, 65535, 3]),
        (10, "int32_data", [-1, 2, 3]), (16, "int32_data", [1, 2, 3]), (4, "int32_data", [65535, 2, 3]),
        (5, "int32_data", [-5, 2, 3]), (7, "int64_data", [-(2**63), 2, 3]), (12, "uint64_data", [1, 2, 2**32 - 1]),
        (12, "uint64_data", [1, 2, 2**32]), (13, "uint64_data", [1, 2, 2**64 - 1]), (17, "int32_data", [1, 2, 3]),
        (22, "int32_data", [18, 3]), (21, "int32_data", [18, 3]), (23, "int32_data", [18, 3]),
        (8, "string_data", [b"a", b"", b"\xff"])]:  # fmt: skip
        made.append(TensorProto(dims=[3], data_type=data_type))
        getattr(made[-1], field).extend(numbers)
    made.append(TensorProto(dims=[2, 0], data_type=1))
    made.append(TensorProto(dims=[0], data_type=1, raw_data=b""))
    made.append(TensorProto(data_type=8, string_data=[b"scalar"]))
    made.append(TensorProto(data_type=1, raw_data=b"abcd", data_location=TensorProto.DEFAULT))
    made.append(TensorProto(data_type=1, raw_data=b"abcd", segment=TensorProto.Segment(begin=0, end=1)))
    nodes = []
    for i, tensor in enumerate(made):
        nodes.append(helper.make_node("Constant", [], [f"y{i}"]))
        attribute = nodes[-1].attribute.add(name="value", type=AttributeProto.TENSOR)
        attribute.t.CopyFrom(tensor)
        tensor.name = f"t{i}"
    nodes.append(helper.make_node("Foo", [], ["z"], tensors=made[:4]))
    sparse = onnx.SparseTensorProto(dims=[8], values=made[0], indices=helper.make_tensor("i", 7, [3], [1, 2, 5]))
    nodes.append(helper.make_node("Foo", ["s"], ["w"], sparse=sparse, sparses=[sparse, sparse],
                                  type=helper.make_tensor_type_proto(1, [2]),
                                  types=[helper.make_tensor_type_proto(1, [2])]))  # fmt: skip
    graph = helper.make_graph(nodes, "g", [value("a", 3), value("b", 8)], [value("w")], made)
    graph.initializer.append(TensorProto(name="a", dims=[3], data_type=1, float_data=[1, 2, 3]))
    for name in ["s", "b"]:
        sparse.values.name = name
        add_unknown_field(sparse)
        graph.sparse_initializer.append(sparse)
    return wrap(graph)


def nested() -> onnx.ModelProto:
    """Subgraphs that capture, return and hide values of the graphs around them."""
    weights = helper.make_tensor("W", TensorProto.FLOAT, [1], b"abcd", raw=True)
    inner = helper.make_graph([helper.make_node("Add", ["X", "W"], ["T"])], "inner", [], [value("T")], [weights])
    inner.value_info.append(value("elsewhere", 2))
    describe(inner, "inner")
    outer_value = helper.make_graph([], "returns an outer value", [], [value("X", "N")])
    branch = helper.make_node("If", ["C"], ["I"], then_branch=inner, else_branch=outer_value)
    middle = helper.make_graph([branch], "middle", [], [value("I")])
    top = helper.make_node("If", ["C"], ["Y"], then_branch=middle, else_branch=outer_value)
    hiding = helper.make_graph([helper.make_node("Relu", ["X"], ["Y"])], "hides X and Y", [value("X")], [value("Y")])
    scan = helper.make_node("Scan", ["X"], ["Z"], body=hiding, num_scan_inputs=1)
    # H is described around the branch that returns it, as the output Z is, and again in there.
    relu = helper.make_node("Relu", ["X"], ["H"])
    results = helper.make_graph([], "returns results of outer nodes", [], [value("H", 1), value("Z", 2)])
    last = helper.make_node("If", ["C"], ["U", "V"], then_branch=results, else_branch=results)
    condition = helper.make_tensor_value_info("C", TensorProto.BOOL, [])
    graph = helper.make_graph([top, scan, relu, last], "g", [value("X", "N"), condition], [value("Y", "N"), value("Z")])
    graph.value_info.append(value("H", "M"))
    return wrap(graph)


def functions() -> onnx.ModelProto:
    body = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Selu", ["h"], ["y"])]
    body[1].attribute.add(name="alpha", ref_attr_name="alpha", type=AttributeProto.FLOAT)
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("d", 1)]
    model = wrap(helper.make_graph([], "g", [value("X", "N")], [value("Y"), value("Z")]))
    for overload in ["", "second"]:
        function = helper.make_function("d", "F", ["x", "unused"], ["y", "x"], body, imports, ["alpha", "beta"],
                                        [helper.make_attribute("gamma", 0.5)], overload=overload)  # fmt: skip
        function.value_info.extend([value("y", 1), value("gone"), value("x"), value("h", "M"), value("h", "M")])
        describe(function, "text" + overload)
        add_unknown_field(function)
        add_unknown_field(function.opset_import[0])
        function.node[0].doc_string = "text"
        model.functions.append(function)
    model.functions[0].ClearField("overload")
    for output, overload in [("Y", ""), ("Z", "second")]:
        model.graph.node.append(helper.make_node("F", ["X"], [output], domain="d", overload=overload, alpha=0.25))
    model.opset_import.extend(imports[1:])
    return model


def old_initializers() -> onnx.ModelProto:
    weights = helper.make_tensor("W", TensorProto.FLOAT, [1], [2.0])
    node = helper.make_node("Mul", ["X", "W"], ["Y"])
    graph = helper.make_graph([node], "g", [value("X", 1), value("W", 1)], [value("Y", 1)], [weights])
    return wrap(graph, ir_version=3)


def crafted_models() -> Iterator[tuple[str, bytes]]:
    """Names and serialised forms."""
    for make in [documented, presence, types, tensors, nested, functions, old_initializers]:
        yield make.__name__, make().SerializeToString()
    # Protobuf merges a message that comes in pieces; other writers order fields as they like.
    whole = documented()
    nodes = onnx.ModelProto(graph=onnx.GraphProto(node=whole.graph.node))
    whole.graph.ClearField("node")
    yield "pieces", nodes.SerializeToString() + whole.SerializeToString()
