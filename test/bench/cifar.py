"""What the benches on the CIFAR-10 networks of ../shared have in common."""

import os
import pathlib
import subprocess
import sys
import time
import typing

import numpy as np
import onnxruntime as ort

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORMALIZATION = ["--mean", ",".join(map(str, MEAN)), "--std", ",".join(map(str, STD))]


class Run(typing.NamedTuple):
    """One run of a tool: seconds of the wall clock and of the processors, peak memory in bytes."""

    output: str
    seconds: float
    processor_seconds: float
    memory: int


def run_tool(name, *arguments):
    """Runs a tool of build/bin."""
    command = [str(ROOT / "build/bin" / name), *map(str, arguments)]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {' '.join(command)}\n{output}")
    return Run(output, time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


class Images:
    """Images of a CIFAR-10 archive, as the networks want them: a slice of it, or as many of the first."""

    def __init__(self, path, which):
        which = which if isinstance(which, slice) else slice(which)
        with np.load(path) as archive:
            self.pixels, self.labels = archive["images"][which], archive["labels"][which]
        scaled = self.pixels.astype(np.float32) / 255
        self.inputs = np.ascontiguousarray(((scaled - np.float32(MEAN)) / np.float32(STD)).transpose(0, 3, 1, 2))


def logits(model, inputs, optimised=True, threads=0):
    """The model's first output in ONNX Runtime, with as many threads as there are cores unless told."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: inputs[i : i + 100]})[0] for i in range(0, len(inputs), 100)])


def log_softmax(values):
    values = values.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def top1(outputs, labels):
    return 100 * float((outputs.argmax(1) == labels).mean())
