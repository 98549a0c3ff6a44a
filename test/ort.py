"""ONNX Runtime as tests use it."""

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def as_array(data) -> np.ndarray:
    return numpy_helper.to_array(data) if isinstance(data, onnx.TensorProto) else np.asarray(data)


def session(model, optimized: bool = False) -> onnxruntime.InferenceSession:
    """A session of a model, its bytes or its path, on one thread, without ONNX Runtime's own optimisations unless they
    are asked for: they would hide what a test is after."""
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model: bytes, inputs: list, optimized: bool = False):
    """The model's outputs; None if ONNX Runtime cannot run it."""
    try:
        runner = session(model, optimized)
        return runner.run(None, {i.name: as_array(a) for i, a in zip(runner.get_inputs(), inputs)})
    except Exception:  # It has no class of its own for what it cannot run.
        return None


def write_tensors(path, arrays: list) -> None:
    """Writes arrays as the initialisers of a model without nodes, as exec-run-nodes reads them."""
    tensors = [numpy_helper.from_array(as_array(array), f"t{i}") for i, array in enumerate(arrays)]
    graph = onnx.helper.make_graph([], "tensors", [], [], tensors)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    path.write_bytes(model.SerializeToString())


def read_tensors(path) -> list:
    """The initialisers of a model, which exec-run-nodes wrote."""
    return [numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
