"""A model of `ds-opt --target=spu` as a jax function for SPU.

Floating-point initialisers are the weights: secret. All else that the file holds is public: Constant nodes, and
initialisers of integers (indices, shapes), which have to be constants of the traced function. A gather by a secret index
would cost ten times the bytes.
"""

import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, Tuple

import jax.numpy as jnp
import numpy as np
import onnx
from jaxonnxruntime import call_onnx, config
from jaxonnxruntime.core import handler


@dataclass
class Program:
    """`function(weights, x)` gives the model's first output; `weights` are secret, and so is x, of shape `shape`."""

    function: Callable[[Dict[str, Any], Any], Any]
    weights: Dict[str, np.ndarray]
    shape: Tuple[int, ...]


def gather(data, indices, axis):
    """Elements of an array or jax tracer along `axis`."""
    at = (slice(None),) * (axis % data.ndim)
    return jnp.asarray(data).at[(*at, indices)].get(mode="promise_in_bounds")


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


def load(path, shape):
    """The model at `path` for an input of the static `shape`, batch included."""
    warnings.filterwarnings("ignore", message="Explicitly requested dtype")  # jax on indices of 64 bits
    config.update("jaxort_only_allow_initializers_as_static_args", False)  # the shapes of Constant nodes, too
    model = onnx.load(path)
    name = next(i.name for i in model.graph.input if i.name not in {t.name for t in model.graph.initializer})
    model_function, parameters = call_onnx.call_onnx_model(model, {name: np.zeros(shape, np.float32)})
    weights = {k: np.asarray(v) for k, v in parameters.items() if np.asarray(v).dtype == np.float32}
    public = {k: v for k, v in parameters.items() if k not in weights}

    def function(secret, x):
        return model_function({**public, **secret}, [x])[0]

    return Program(function, weights, tuple(shape))
