"""Fails unless two models have the same initialisers, but for a difference of at most TOLERANCE: A B TOLERANCE."""
import sys

import numpy as np
import onnx
from onnx import numpy_helper

a, b = ({t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer} for path in sys.argv[1:3])
assert a.keys() == b.keys(), (a.keys(), b.keys())
worst = max(np.abs(a[name] - b[name]).max() for name in a)
assert worst <= float(sys.argv[3]), f"weights differ by {worst}"
print("same weights")
