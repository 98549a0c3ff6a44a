"""Image sets and the plain run, with ONNX Runtime, that a private one is held against."""

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime


class InputError(Exception):
    """Bad input; the message says which and why."""


def write_text(path, text):
    """Writes a file beside `path` and renames it, so that `path` is never half written."""
    part = Path(f"{path}.part")
    try:
        part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_images(path, count, mean=None, std=None):
    """The first `count` images of `path` as float [N,C,H,W], normalised as ds-opt does, and their labels or None."""
    try:
        images, labels = _read(Path(path))
    except (OSError, ValueError, EOFError, IndexError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    images = images[:count]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not len(images):
        raise InputError(f"{path}: expected images of shape [N,H,W,C] or [N,C,H,W], got {list(images.shape)}")
    if images.dtype == np.uint8:
        images = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    images = images.astype(np.float32)
    for numbers, apply in ((mean, np.subtract), (std, np.divide)):
        if numbers is not None:
            if len(numbers) not in (1, images.shape[1]):
                raise InputError(f"{path}: {len(numbers)} numbers of normalisation for {images.shape[1]} channels")
            images = apply(images, np.asarray(numbers, np.float32).reshape(1, -1, 1, 1))
    return images, None if labels is None else labels[: len(images)].astype(np.int64)


def _read(path):
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.suffix == ".npy":
        return np.load(path), None
    if path.suffix == ".npz":
        archive = np.load(path)
        if "images" not in archive and len(archive.files) != 1:
            raise InputError(f"{path}: has arrays {', '.join(archive.files)}, but none named images")
        images = archive["images"] if "images" in archive else archive[archive.files[0]]
        return images, archive["labels"] if "labels" in archive else None
    if "idx3-ubyte" in path.name:
        labels = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        return _read_idx(path), _read_idx(labels) if labels.exists() else None
    raise InputError(f"{path}: expected .npz, .npy or MNIST's idx3-ubyte")


def _read_idx(path):
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    rank = data[3]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(np.frombuffer(data, ">i4", rank, 4))


def run_plain(path, images, batch=100):
    """The model's outputs in ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if not Path(path).exists():
        raise InputError(f"{path}: no such file")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return np.concatenate(
            [session.run(None, {name: images[i : i + batch]})[0] for i in range(0, len(images), batch)]
        )
    except Exception as error:  # ONNX Runtime's kinds have no common base
        raise InputError(f"{path}: ONNX Runtime: {' '.join(str(error).split())}") from error
