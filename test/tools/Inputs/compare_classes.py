"""Compares what ds-run wrote, or another model's outputs, with ONNX Runtime's on the same images.

usage: compare_classes.py MODEL IMAGES.npy OUTPUTS.npy|OTHER.onnx TOLERANCE
"""

import sys

import numpy as np
import onnxruntime


def run(path: str, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run(None, {"x": images})[0]


model, images, other, tolerance = sys.argv[1], np.load(sys.argv[2]), sys.argv[3], float(sys.argv[4])
expected = run(model, images)
got = np.load(other) if other.endswith(".npy") else run(other, images)
error = np.abs(expected - got).max()
print(f"greatest difference {error:.1e} on {len(images)} images")
sys.exit(0 if expected.shape == got.shape and error <= tolerance else 1)
