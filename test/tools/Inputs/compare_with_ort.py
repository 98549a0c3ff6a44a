"""Compares logits that ds-run wrote with ONNX Runtime's on the same CIFAR-10 images.

usage: compare_with_ort.py MODEL IMAGES LOGITS
"""

import sys

import numpy as np
import onnxruntime

logits = np.load(sys.argv[3])
images = np.load(sys.argv[2])["images"][: len(logits)].astype(np.float32) / 255
mean, std = np.float32((0.485, 0.456, 0.406)), np.float32((0.229, 0.224, 0.225))
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(expected,) = session.run(None, {"input": np.ascontiguousarray(((images - mean) / std).transpose(0, 3, 1, 2))})
error = np.abs(expected - logits).max()
print(f"greatest difference {error:.1e} on {len(logits)} images")
sys.exit(0 if expected.shape == logits.shape and error <= 1e-4 else 1)
