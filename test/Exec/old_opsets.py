"""Models of one node in forms that only older opsets have, or that the node tests leave out; from opset 7 on."""

import dataclasses

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclasses.dataclass
class Case:
    name: str
    model: onnx.ModelProto
    data_sets: list
    rtol: float = 1e-4
    atol: float = 1e-5


def _array(*shape, seed=0, dtype=np.float32):
    values = np.random.default_rng(seed).standard_normal(shape)
    return (values * 4).astype(dtype) if np.dtype(dtype).kind in "iu" else values.astype(dtype)


def _ints(*values):
    return np.array(values, np.int64)


# Operator, opset, attributes, inputs (None: left out), number of outputs.
X = _array(2, 3, 4, 5)
IMAGE = _array(2, 3, 7, 9, seed=1)
CHANNEL = [np.abs(_array(3, seed=seed)) + 0.5 for seed in range(4)]
_TABLE = [
    ("Softmax", 7, {}, [X], 1),
    ("Softmax", 11, {"axis": 2}, [X], 1),
    ("Softmax", 12, {"axis": -1}, [X], 1),
    ("LogSoftmax", 9, {"axis": 0}, [X], 1),
    ("LogSoftmax", 12, {"axis": 3}, [X], 1),
    ("Hardmax", 11, {"axis": 1}, [X], 1),
    ("Hardmax", 12, {"axis": -2}, [X], 1),
    ("Squeeze", 7, {"axes": [0, 2]}, [_array(1, 3, 1, 5)], 1),
    ("Squeeze", 11, {"axes": [-2]}, [_array(1, 3, 1, 5)], 1),
    ("Squeeze", 11, {}, [_array(1, 3, 1, 5)], 1),
    ("Unsqueeze", 7, {"axes": [0, 4]}, [_array(3, 1, 5)], 1),
    ("Unsqueeze", 12, {"axes": [-1, 0]}, [_array(3, 5)], 1),
    ("Split", 7, {"axis": 1}, [_array(2, 6)], 3),
    ("Split", 11, {"axis": -1, "split": [1, 3, 2]}, [_array(2, 6)], 3),
    ("Split", 13, {"axis": 1}, [_array(2, 6), _ints(5, 1)], 2),
    ("Split", 13, {"axis": 1}, [_array(2, 6)], 2),
    ("Split", 18, {"axis": 1, "num_outputs": 3}, [_array(2, 7)], 3),
    ("Slice", 7, {"axes": [1, 3], "starts": [0, -4], "ends": [2, 1000]}, [X], 1),
    ("Slice", 9, {"starts": [1, 1], "ends": [2, -1]}, [X], 1),
    ("Slice", 10, {}, [X, _ints(3, 5), _ints(-9, 0), _ints(2, 3), _ints(-1, -2)], 1),
    ("Slice", 13, {}, [X, _ints(-1), _ints(-(2**63)), _ints(3), _ints(-3)], 1),
    ("Slice", 13, {}, [X, _ints(1, 0), _ints(2**62, 4), _ints(-1, -2), _ints(2, 3)], 1),
    ("Slice", 13, {}, [X, _ints(2), _ints(2), _ints(-1), _ints(-1)], 1),
    ("Slice", 13, {}, [X, _ints(100), _ints(-100), _ints(-1), _ints(-(2**62))], 1),
    ("Clip", 7, {"min": -0.5, "max": 0.75}, [X], 1),
    ("Clip", 7, {}, [X], 1),
    ("Clip", 10, {"max": 0.25}, [X], 1),
    ("Clip", 11, {}, [X, np.float32(-0.5)], 1),
    ("Clip", 12, {}, [X, None, np.float32(0.5)], 1),
    ("Clip", 13, {}, [X, np.float32(1), np.float32(-1)], 1),
    ("Clip", 13, {}, [_array(9, dtype=np.int64), np.int64(-2), np.int64(3)], 1),
    ("Pad", 7, {"pads": [0, 0, 1, 2, 0, 0, 3, 4], "value": 1.5}, [X], 1),
    ("Pad", 10, {"pads": [0, 0, 1, 2, 0, 0, 2, 1], "mode": "reflect"}, [X], 1),
    ("Pad", 10, {"pads": [0, 1, 1, 2, 0, 0, 2, 1], "mode": "edge"}, [X], 1),
    ("Pad", 10, {"pads": [0, 0, -1, 2, 0, 0, 0, -2], "value": 2.0}, [X], 1),
    ("Pad", 13, {}, [X, _ints(0, 0, -1, 2, 0, 0, 3, -2), np.float32(7)], 1),
    ("Pad", 18, {"mode": "edge"}, [X, _ints(1, 2, 3, 4), None, _ints(-1, 1)], 1),
    ("Pad", 19, {"mode": "wrap"}, [X, _ints(0, 0, 3, 2, 0, 0, 2, 4)], 1),
    ("Upsample", 7, {"scales": [1.0, 1.0, 2.0, 3.0]}, [X], 1),
    ("Upsample", 7, {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "linear"}, [X], 1),
    ("Upsample", 9, {"mode": "nearest"}, [X, np.array([1, 1, 2.5, 1.5], np.float32)], 1),
    ("Resize", 10, {}, [X, np.array([1, 1, 2, 0.6], np.float32)], 1),
    ("Resize", 10, {"mode": "linear"}, [X, np.array([1, 1, 2, 2], np.float32)], 1),
    ("Resize", 11, {"mode": "cubic", "coordinate_transformation_mode": "align_corners"},
     [X, _array(0), np.array([1, 1, 2, 2], np.float32)], 1),
    ("Resize", 11, {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
     [X, _array(0), _array(0), _ints(2, 3, 8, 1)], 1),
    ("Resize", 11, {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"},
     [X, _array(0), np.array([1, 1, 2, 2], np.float32)], 1),
    ("Resize", 13, {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"},
     [X, None, np.array([1, 1, 1.7, 0.8], np.float32)], 1),
    ("Dropout", 7, {"ratio": 0.3}, [X], 1),
    ("Dropout", 10, {}, [X], 1),
    ("Dropout", 12, {}, [X, np.float32(0.3), np.bool_(False)], 2),
    ("TopK", 7, {"k": 2}, [X], 2),
    ("TopK", 9, {"k": 3, "axis": 1}, [X], 2),
    ("TopK", 10, {"axis": -1}, [X, _ints(4)], 2),
    ("TopK", 11, {"largest": 0, "axis": 2}, [X, _ints(3)], 2),
    ("TopK", 11, {}, [_array(30, dtype=np.int64), _ints(30)], 2),
    ("BatchNormalization", 7, {"epsilon": 1e-3}, [X, *CHANNEL], 1),
    ("BatchNormalization", 9, {}, [X, *CHANNEL], 1),
    ("BatchNormalization", 14, {}, [_array(5, 3), *CHANNEL], 1),
    ("BatchNormalization", 15, {}, [_array(5, 3, 2), *CHANNEL], 1),
    ("GroupNormalization", 18, {"num_groups": 2}, [_array(2, 4, 3, 3), _array(2), _array(2, seed=3)], 1),
    ("MaxPool", 7, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 1, 2]}, [IMAGE], 1),
    ("MaxPool", 8, {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 3]}, [IMAGE], 2),
    ("MaxPool", 10, {"kernel_shape": [2, 2], "dilations": [2, 3], "ceil_mode": 1, "strides": [2, 2]}, [IMAGE], 2),
    ("MaxPool", 12, {"kernel_shape": [3], "strides": [2], "pads": [1, 1]}, [_array(2, 3, 8)], 2),
    ("MaxPool", 12, {"kernel_shape": [2, 2, 2], "strides": [2, 1, 2], "pads": [1, 0, 0, 0, 1, 1]},
     [_array(2, 2, 4, 5, 6)], 2),
    ("MaxPool", 12, {"kernel_shape": [2, 3], "storage_order": 1, "pads": [1, 1, 0, 1]}, [IMAGE], 2),
    ("AveragePool", 7, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, [IMAGE], 1),
    ("AveragePool", 10, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 2, 1], "count_include_pad": 1}, [IMAGE], 1),
    ("AveragePool", 10, {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}, [IMAGE], 1),
    *[(kind, 12, {"kernel_shape": [4, 8], "strides": [4, 8], "ceil_mode": 1}, [_array(2, 3, 3, 5)], 1)
      for kind in ("AveragePool", "MaxPool")],
    ("AveragePool", 11, {"kernel_shape": [4, 4], "auto_pad": "SAME_UPPER", "strides": [3, 2]}, [IMAGE], 1),
    ("AveragePool", 11, {"kernel_shape": [4], "auto_pad": "VALID"}, [_array(2, 3, 8)], 1),
    ("AveragePool", 11, {"kernel_shape": [2, 2, 2], "pads": [1, 0, 0, 1, 1, 0]}, [_array(2, 2, 4, 5, 6)], 1),
    ("LpPool", 11, {"kernel_shape": [3, 2], "p": 3, "strides": [2, 2], "pads": [1, 0, 1, 0]}, [IMAGE], 1),
    ("GlobalLpPool", 7, {"p": 3}, [IMAGE], 1),
    ("Conv", 7, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, [IMAGE, _array(4, 3, 3, 2)], 1),
    ("Conv", 7, {"auto_pad": "SAME_LOWER", "strides": [2, 3]}, [IMAGE, _array(4, 3, 4, 2)], 1),
    ("Conv", 11, {"pads": [0, 1, 2, 3], "dilations": [2, 1]}, [IMAGE, _array(4, 3, 3, 2), _array(4)], 1),
    ("Conv", 11, {"group": 3, "pads": [1, 1, 1, 1]}, [IMAGE, _array(6, 1, 3, 3), _array(6)], 1),
    ("Conv", 11, {"strides": [2], "pads": [1, 2], "group": 2}, [_array(2, 4, 9), _array(6, 2, 3), _array(6)], 1),
    ("Conv", 11, {"pads": [1, 0, 0, 1, 1, 0], "strides": [1, 2, 1]}, [_array(1, 2, 4, 5, 6), _array(3, 2, 2, 3, 2)], 1),
    ("ConvTranspose", 7, {"strides": [2, 2], "pads": [1, 0, 1, 2], "output_padding": [1, 1]},
     [IMAGE, _array(3, 4, 3, 3), _array(4)], 1),
    ("ConvTranspose", 11, {"strides": [2, 3], "auto_pad": "SAME_UPPER"}, [IMAGE, _array(3, 4, 3, 3)], 1),
    ("ConvTranspose", 11, {"strides": [2, 3], "output_shape": [15, 28]}, [IMAGE, _array(3, 4, 3, 3)], 1),
    ("ConvTranspose", 11, {"group": 3, "dilations": [2, 1]}, [IMAGE, _array(3, 2, 3, 3), _array(6)], 1),
    ("ConvTranspose", 11, {"strides": [2]}, [_array(2, 3, 5), _array(3, 4, 3), _array(4)], 1),
    ("ConvTranspose", 11, {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 0]}, [_array(1, 2, 3, 4, 3), _array(2, 3, 2, 3, 2)], 1),
    ("Gemm", 7, {"alpha": 0.5, "beta": 2.0, "transA": 1, "transB": 1}, [_array(4, 3), _array(5, 4), _array(3, 1)], 1),
    ("Gemm", 11, {"alpha": 0.5}, [_array(3, 4), _array(4, 5)], 1),
    ("MatMul", 9, {}, [_array(3, 4, dtype=np.int64), _array(2, 4, 5, dtype=np.int64)], 1),
    ("MatMul", 13, {}, [_array(4), _array(2, 4, 5)], 1),
    *[(f"Reduce{kind}", opset, {"axes": [0, -1] if opset > 10 else [0, 2], "keepdims": keep}, [np.abs(X) + 0.1], 1)
      for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
      for opset, keep in ((7, 1), (11, 0))],
    ("ReduceSum", 13, {"noop_with_empty_axes": 1}, [X, _ints()], 1),
    ("ReduceSum", 13, {"keepdims": 0}, [_array(3, 4, dtype=np.int64), _ints(1)], 1),
    ("ReduceMax", 12, {}, [_array(3, 4, dtype=np.int64)], 1),
    ("ReduceMean", 18, {"keepdims": 0}, [_array(3, 4, dtype=np.int32), _ints(0)], 1),
    ("ArgMax", 7, {"axis": 1, "keepdims": 0}, [X], 1),
    ("ArgMin", 12, {"axis": -1, "select_last_index": 1}, [_array(4, 30, dtype=np.int32)], 1),
    ("CumSum", 11, {"exclusive": 1, "reverse": 1}, [_array(4, 5, dtype=np.int64), np.int64(-1)], 1),
    ("Scatter", 9, {"axis": 1}, [_array(2, 5), np.array([[1, 4], [0, 3]], np.int64), _array(2, 2, seed=4)], 1),
    ("Gather", 7, {"axis": 2}, [X, np.array([[3, 0], [1, 1]], np.int32)], 1),
    ("Gather", 11, {"axis": -1}, [X, np.array(-2, np.int64)], 1),
    ("OneHot", 9, {"axis": 1}, [np.array([[0, 3], [-1, 2]], np.int64), np.int64(4), np.array([2.0, 5.0], np.float32)], 1),
    ("Flatten", 7, {"axis": 0}, [X], 1),
    ("Flatten", 11, {"axis": -1}, [X], 1),
    ("Reshape", 7, {}, [X, _ints(0, -1, 5)], 1),
    ("Reshape", 14, {"allowzero": 1}, [_array(0, 3), _ints(3, 0, 2)], 1),
    ("Shape", 15, {"start": -3, "end": -1}, [X], 1),
    ("Cast", 9, {"to": onnx.TensorProto.INT64}, [X], 1),
    ("Cast", 9, {"to": onnx.TensorProto.BOOL}, [_array(9, dtype=np.int32)], 1),
    ("Mod", 10, {}, [_array(40, dtype=np.int64), _array(40, seed=9, dtype=np.int64) * 2 + 1], 1),
    ("Mod", 10, {"fmod": 1}, [_array(40), _array(40, seed=9)], 1),
    ("Div", 7, {}, [_array(40, dtype=np.int64), _array(40, seed=9, dtype=np.int64) * 2 + 1], 1),
    ("Pow", 12, {}, [_array(9, dtype=np.int64), np.float32(2)], 1),
    ("PRelu", 7, {}, [X, _array(3, 1, 1)], 1),
    ("Where", 9, {}, [X > 0, X, np.float32(2)], 1),
    ("Equal", 7, {}, [_array(9, dtype=np.int64), np.int64(1)], 1),
    ("Expand", 8, {}, [_array(3, 1), _ints(2, 1, 4)], 1),
    ("DepthToSpace", 7, {"blocksize": 2}, [_array(1, 8, 2, 3)], 1),
    ("SpaceToDepth", 7, {"blocksize": 2}, [_array(1, 2, 4, 6)], 1),
    ("Einsum", 12, {"equation": "b i j , b j k -> b i k"}, [_array(2, 3, 4), _array(2, 4, 5)], 1),
    ("EyeLike", 9, {"k": 1, "dtype": onnx.TensorProto.INT64}, [_array(3, 5)], 1),
    ("Constant", 12, {"value_ints": [3, 4]}, [], 1),
    ("Constant", 12, {"value_floats": [3.0, 4.0]}, [], 1),
    ("Constant", 12, {"value_int": 3}, [], 1),
    ("Constant", 12, {"value_float": 3.0}, [], 1),
    ("ConstantOfShape", 9, {"value": numpy_helper.from_array(np.array([7], np.int64))}, [_ints(2, 3)], 1),
    ("ConstantOfShape", 9, {}, [_ints()], 1),
    ("Identity", 7, {}, [X], 1),
    ("LRN", 7, {"size": 5, "alpha": 0.3, "beta": 0.6, "bias": 1.5}, [X], 1),
    ("LpNormalization", 7, {"p": 1, "axis": 1}, [X], 1),
    ("MeanVarianceNormalization", 9, {"axes": [2, 3]}, [X], 1),
    ("Shrink", 9, {"lambd": 0.5, "bias": 0.25}, [X], 1),
    ("Mean", 8, {}, [_array(3, 4), _array(4), _array(1)], 1),
    ("Sum", 8, {}, [_array(3, 4), _array(4), _array(1)], 1),
    ("Max", 8, {}, [_array(3, 4), _array(4)], 1),
    ("Min", 12, {}, [_array(3, 4, dtype=np.int64), _array(4, dtype=np.int64)], 1),
]


def _case(index, operator, opset, attributes, inputs, outputs):
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(inputs)]
    results = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(operator, names, results, **attributes)
    given = [(name, np.asarray(array)) for name, array in zip(names, inputs) if name]
    graph = helper.make_graph(
        [node], operator,
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in given],
        [onnx.ValueInfoProto(name=name) for name in results])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model = onnx.shape_inference.infer_shapes(model)
    return Case(f"old_{index:03}_{operator.lower()}_{opset}", model, [([a for _, a in given], None)])


def cases():
    return [_case(index, *row) for index, row in enumerate(_TABLE)]
