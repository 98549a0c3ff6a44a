"""Writes points of the square [-1,1]^2 with class 1 where both coordinates have the same sign: FILE COUNT SEED."""
import sys

import numpy as np

points = np.random.default_rng(int(sys.argv[3])).uniform(-1, 1, (int(sys.argv[2]), 2)).astype(np.float32)
np.savez(sys.argv[1], images=points, labels=((points[:, 0] > 0) == (points[:, 1] > 0)).astype(np.uint8))
