"""Image sets and the plain run, with ONNX Runtime, that a private one is held against."""

import gzip
import os
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import onnxruntime


class InputError(Exception):
    """Bad input; the message says which and why."""


def check_writable(path):
    """An InputError if no file can be written at `path`; to be asked before the work whose results it is to hold."""
    path = Path(path)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        reason = "is a folder" if path.is_dir() else "its folder does not exist or takes no files"
        raise InputError(f"{path}: cannot be written: {reason}")


def write_text(path, text):
    """Writes a file beside `path` and renames it, so that `path` is never half written."""
    part = Path(f"{path}.part")
    try:
        part.write_text(text)
        os.replace(part, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def read_images(path, count, mean=None, std=None):
    """The first `count` images of `path` as float [N,C,H,W], normalised as ds-opt does, and their labels or None. Floats
    are taken as stored, of any shape [N,C,...]."""
    try:
        images, labels = _read(Path(path))
    except (OSError, ValueError, EOFError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(images, np.ndarray):  # numpy hands on members of an archive that are no arrays
        raise InputError(f"{path}: its images are no array")
    is_bytes = images.dtype == np.uint8 and images.ndim in (3, 4)
    is_stored = images.dtype in (np.float32, np.float64) and images.ndim >= 2
    if not (is_bytes or is_stored) or not len(images):
        raise InputError(f"{path}: expected images as bytes [N,H,W,C] or floats [N,C,...], got {images.dtype}{list(images.shape)}")
    images = images[:count].astype(np.float32)
    if is_bytes:
        images = images[..., None] if images.ndim == 3 else images
        images = images.transpose(0, 3, 1, 2) / 255
    for numbers, apply in ((mean, np.subtract), (std, np.divide)):
        if numbers is not None:
            if len(numbers) not in (1, images.shape[1]):
                raise InputError(f"{path}: {len(numbers)} numbers of normalisation for {images.shape[1]} channels")
            with np.errstate(divide="ignore", invalid="ignore"):  # a division by 0 is told below
                images = apply(images, np.asarray(numbers, np.float32).reshape(1, -1, *[1] * (images.ndim - 2)))
    if not np.isfinite(images).all():
        raise InputError(f"{path}: not all numbers of the images are finite")
    return images, None if labels is None else labels[: len(images)]


def _labels(path, labels, images):
    """One class an image, of the images that `path` holds."""
    labels, images = np.asarray(labels), np.atleast_1d(images)
    if labels.size != len(images) or labels.dtype.kind not in "iu":
        raise InputError(f"{path}: has {len(images)} images, but labels {labels.dtype}{list(labels.shape)}")
    return labels.reshape(-1).astype(np.int64)


def _read(path):
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if path.suffix in (".npy", ".npz"):  # which of both it is, its content says
        archive = np.load(path)
        if isinstance(archive, np.ndarray):
            return archive, None
        if "images" not in archive and len(archive.files) != 1:
            raise InputError(f"{path}: has no array named images, only: {', '.join(archive.files) or 'nothing'}")
        images = archive["images"] if "images" in archive else archive[archive.files[0]]
        return images, _labels(path, archive["labels"], images) if "labels" in archive else None
    if "idx3-ubyte" in path.name:
        labels = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
        images = _read_idx(path)
        return images, _labels(labels, _read_idx(labels), images) if labels.exists() else None
    raise InputError(f"{path}: expected .npz, .npy or MNIST's idx3-ubyte")


def _read_idx(path):
    data = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
    rank = data[3]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(np.frombuffer(data, ">i4", rank, 4))


def run_plain(path, images, batch):
    """The model's first output in ONNX Runtime, `batch` images at once."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1:
            raise InputError(f"{path}: expected a model with one input, it has {', '.join(i.name for i in inputs)}")
        if inputs[0].shape and isinstance(inputs[0].shape[0], int) and inputs[0].shape[0] != batch:
            raise InputError(f"{path}: takes {inputs[0].shape[0]} images at once: give --batch {inputs[0].shape[0]}")
        if len(outputs) > 1:
            print(f"ds-pi: note: {path} has {len(outputs)} outputs: the first, '{outputs[0].name}', is looked at", file=sys.stderr)
        feeds = [{inputs[0].name: images[i : i + batch]} for i in range(0, len(images), batch)]
        return np.concatenate([session.run([outputs[0].name], feed)[0] for feed in feeds])
    except InputError:
        raise
    except Exception as error:  # ONNX Runtime's kinds have no common base
        shape = list(images[:batch].shape)
        raise InputError(f"{path}: ONNX Runtime, on images {shape}: {' '.join(str(error).split())}") from error
