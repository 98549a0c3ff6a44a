"""Where two runtimes decide a comparison of a rewritten model differently.

A shared gate is discontinuous: a replicate jumps by its full value where its prototype's bit flips, and a bit flips
where rounding moves a prototype across zero (docs/ops.md). No two float implementations agree there, ONNX Runtime's
own optimisation levels included. What can be asked: that they agree everywhere else, and that the first bit that
differs compares a value within rounding of zero: a sum of some hundred products of size 1 is rounded by about 1e-5.
"""

import numpy as np
import onnx

from cifar import NORMALIZATION, logits, run_tool
from count_comparisons import load_inlined


def with_outputs(path, names, into):
    """Writes the model at path with some of its tensors as its only output: flat, as float, one after another."""
    model = load_inlined(path)
    graph = model.graph
    for name in names:
        graph.node.append(onnx.helper.make_node("Cast", [name], [f"{name}:float"], to=onnx.TensorProto.FLOAT))
        graph.node.append(onnx.helper.make_node("Flatten", [f"{name}:float"], [f"{name}:flat"], axis=1))
    graph.node.append(onnx.helper.make_node("Concat", [f"{name}:flat" for name in names], ["all"], axis=1))
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info("all", onnx.TensorProto.FLOAT, None))
    onnx.save(model, into)


def first_flips(path, pixels, inputs, folder):
    """For each image: how far from zero the first comparison is that Exec and ONNX Runtime decide differently; infinite
    if they decide all alike. Comparisons in the order of the graph; images as bytes and as the model wants them."""
    images, tensors, ours = folder / "flips.npz", folder / "flips.onnx", folder / "flips.npy"
    np.savez(images, images=pixels)
    comparisons = [node for node in load_inlined(path).graph.node if node.op_type == "Greater"]
    with_outputs(path, [node.output[0] for node in comparisons], tensors)
    run_tool("ds-run", tensors, "--images", images, *NORMALIZATION, "-o", ours)
    differs = np.load(ours) != logits(tensors, inputs)
    with_outputs(path, [node.input[0] for node in comparisons], tensors)
    values = np.abs(logits(tensors, inputs))
    return np.array([v[d][0] if d.any() else np.inf for v, d in zip(values, differs)])
