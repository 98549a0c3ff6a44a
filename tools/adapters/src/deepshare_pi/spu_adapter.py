"""A model of `ds-opt --target=spu` as a jax function for SPU.

Floating-point initialisers are the weights: secret. All else that the file holds is public: Constant nodes, and
initialisers of integers (indices, shapes), which have to be constants of the traced function. A gather by a secret index
would cost ten times the bytes.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, Tuple

import jax
import jax.numpy as jnp
import numpy as np
import onnx
from jaxonnxruntime import call_onnx, config
from jaxonnxruntime.core import handler
from jaxonnxruntime.onnx_ops import constantofshape, conv, identity, prelu, reducemax, relu


# Of initialisers: weights, and what is public. A weight of another type would be taken for public.
TYPES = {getattr(onnx.TensorProto, name) for name in ("FLOAT", "DOUBLE", "BOOL", "INT8", "UINT8", "INT32", "INT64")}


@dataclass
class Program:
    """`function(weights, x)` gives the model's first output; `weights` are secret, and so is x, of shape `shape`."""

    function: Callable[[Dict[str, Any], Any], Any]
    weights: Dict[str, np.ndarray]
    shape: Tuple[int, ...]


def runs_of(indices):
    """`indices` as (first, step, count, times): arithmetic sequences, each of whose numbers comes `times` times in a row.
    One sequence if that is possible, else those of step 1."""
    indices = np.asarray(indices)
    for times in range(len(indices), 0, -1):
        if len(indices) % times or (indices.reshape(-1, times) != indices[::times, None]).any():
            continue
        numbers = indices[::times]
        steps = np.diff(numbers)
        if len(numbers) == 1 or (steps[0] > 0 and (steps == steps[0]).all()):
            return [(int(numbers[0]), int(steps[0]) if len(steps) else 1, len(numbers), times)]
    parts = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [(int(part[0]), 1, len(part), 1) for part in parts]


def gather(data, indices, axis):
    """Elements of an array or jax tracer along `axis`. By constant indices: as slices, which SPU takes for views, while its
    own gather copies index by index."""
    data, axis = jnp.asarray(data), axis % data.ndim
    if isinstance(indices, jax.core.Tracer) or np.ndim(indices) != 1 or not len(indices):
        return data.at[(*(slice(None),) * axis, indices)].get(mode="promise_in_bounds")
    indices = np.asarray(indices)
    indices = np.where(indices < 0, indices + data.shape[axis], indices)
    if indices.min() < 0 or indices.max() >= data.shape[axis]:
        raise ValueError(f"Gather: an index is out of bounds of axis {axis}, which has {data.shape[axis]} elements")
    parts = []
    for first, step, count, times in runs_of(indices):
        part = jax.lax.slice_in_dim(data, first, first + step * (count - 1) + 1, step, axis)
        if times > 1:
            shape = [*part.shape[: axis + 1], times, *part.shape[axis + 1 :]]
            part = jax.lax.broadcast_in_dim(part, shape, [*range(axis + 1), *range(axis + 2, len(shape))])
            part = part.reshape(*shape[:axis], count * times, *shape[axis + 2 :])
        parts.append(part)
    return parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis)


@handler.register_op("Gather")
class Gather(handler.Handler):
    """Gather by indices that are in bounds, as ds-opt writes them.

    jaxonnxruntime's own fills in NaN where an index is out of bounds. That selection by a public bit makes SPU turn a
    boolean mask into numbers, and a multiplexer with such a mask costs many times the bytes in CHEETAH and ABY3.
    """

    @classmethod
    def version_13(cls, node, inputs):
        node.attrs_dict["axis"] = node.attrs.get("axis", 0)
        return gather

    version_11 = version_1 = version_13


def pointwise(x, weights, bias=None):
    """A convolution with a kernel of one element, as a product of matrices."""
    y = jnp.moveaxis(jnp.tensordot(weights.reshape(weights.shape[:2]), x, (1, 1)), 0, 1)
    return y if bias is None else y + bias.reshape(-1, *[1] * (x.ndim - 2))


@handler.register_op("Conv")
class Conv(handler.Handler):
    """jaxonnxruntime's, but where every output is of one position: SPU unrolls what a convolution reads position by
    position, and takes longer for that than for the product itself."""

    @classmethod
    def version_11(cls, node, inputs):
        ones = [1] * (inputs[1].ndim - 2)
        if (
            list(inputs[1].shape[2:]) == ones
            and list(node.attrs.get("strides", ones)) == ones
            and node.attrs.get("group", 1) == 1
            and not any(node.attrs.get("pads", []))
        ):
            return pointwise
        return conv.Conv.version_11(node, inputs)

    version_1 = version_11


def completed(base, **versions):
    """jaxonnxruntime's operator `base` with versions that it lacks: each is computed as one that it has, by a function that
    does what both versions ask for."""
    known = {name: getattr(base, name) for name in dir(base) if name.startswith("version_")}
    missing = {name: known[like] for name, like in versions.items()}
    return handler.register_op(base.OP_TYPE)(type(base.__name__, (handler.Handler,), known | missing))


COMPLETED = [  # jaxonnxruntime asks for the subclasses of Handler, which live as long as something holds them
    completed(relu.Relu, version_13="version_14"),
    completed(prelu.PRelu, version_9="version_16"),
    completed(identity.Identity, version_14="version_13"),
    completed(constantofshape.ConstantOfShape, version_20="version_9"),
    completed(reducemax.ReduceMax, version_20="version_18"),
]


def load(path, shape):
    """The model at `path` for an input of the static `shape`, batch included."""
    warnings.filterwarnings("ignore", message="Explicitly requested dtype")  # jax on indices of 64 bits
    config.update("jaxort_only_allow_initializers_as_static_args", False)  # the shapes of Constant nodes, too
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type not in TYPES:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type)
            known = "FLOAT or DOUBLE, or integers and booleans, which are public"
            raise ValueError(f"{path}: initialiser '{tensor.name}' is {kind}, expected {known}")
    name = next(i.name for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    model_function, parameters = call_onnx.call_onnx_model(model, {name: np.zeros(shape, np.float32)})
    weights = {k: np.asarray(v) for k, v in parameters.items() if np.asarray(v).dtype == np.float32}
    public = {k: v for k, v in parameters.items() if k not in weights}

    def function(secret, x):
        return model_function({**public, **secret}, [x])[0]

    return Program(function, weights, tuple(shape))
