"""Writes the arrays of ds-run.test to the folder that is given."""

import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
x, scale = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([2, -1], np.float32)
np.save(folder / "x.npy", x)
np.save(folder / "scale.npy", scale)
np.savez(folder / "both.npz", x=x, scale=scale)
np.savez(folder / "images.npz", images=np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3), labels=np.array([0, 1, 1]))
