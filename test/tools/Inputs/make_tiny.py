"""Writes images for tiny.onnxtxt: FILE COUNT. Floats [COUNT,2,8,8] from a normal distribution."""
import sys

import numpy as np

np.save(sys.argv[1], np.random.default_rng(0).standard_normal((int(sys.argv[2]), 2, 8, 8)).astype(np.float32))
