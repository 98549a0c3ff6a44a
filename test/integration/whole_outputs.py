#!/usr/bin/env python3
"""Outputs appear whole or not at all, and are the same whatever the number of threads.

    whole_outputs.py path/to/bin

On a disk that is full (here: files may grow to 256 bytes only) every tool fails with one line, leaves the old file as it
was and nothing beside it. Killed at any moment, ds-opt leaves the old model or the new one.
"""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv[1])
INPUTS = ROOT / "test/tools/Inputs"


def full_disk():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))


def run(command, threads=1, **more):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    return subprocess.run([BIN / command[0], *map(str, command[1:])], capture_output=True, text=True, env=environment, **more)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def check_full_disk(folder, commands):
    for output, command in commands.items():
        out = folder / "out"
        out.mkdir()
        (out / output).write_bytes(b"old")
        result = run([*command, out / output], preexec_fn=full_disk)
        assert result.returncode == 1, (command, result)
        assert result.stderr.count("\n") == 1 and "error: " in result.stderr and output in result.stderr, result.stderr
        assert files(out) == {output: b"old"}, (command, files(out).keys())
        (out / output).unlink()
        out.rmdir()


def check_kill(folder, model):
    out = folder / "killed"
    out.mkdir()
    new = folder / "whole.onnx"
    start = time.monotonic()
    assert run(["ds-opt", model, "-o", new]).returncode == 0
    length = time.monotonic() - start
    for i in range(20):
        (out / "out.onnx").write_bytes(b"old")
        process = subprocess.Popen([BIN / "ds-opt", model, "-o", out / "out.onnx"])
        time.sleep(length * (0.3 + 0.04 * i))
        process.kill()
        process.wait()
        assert (out / "out.onnx").read_bytes() in (b"old", new.read_bytes()), f"killed in the middle of writing ({i})"


def check_threads(folder, commands):
    for name, command in commands.items():
        made = []
        for threads in (1, 2):
            out = folder / f"{name}-{threads}"
            out.mkdir()
            result = run([*command, out / "out.onnx"], threads)
            assert result.returncode == 0, result.stderr
            made.append(files(out))
        assert made[0].keys() == made[1].keys()
        differing = [file for file in made[0] if made[0][file] != made[1][file]]
        assert not differing, f"{name}: with 1 and 2 threads {differing} differ"


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    make = lambda script, *arguments: subprocess.run([sys.executable, script, *map(str, arguments)], check=True)
    make(INPUTS / "make_gated_nets.py", folder)
    np.save(folder / "images.npy", np.random.default_rng(1).standard_normal((256, 3, 15, 15)).astype(np.float32))
    make(ROOT / "test/tools/ds-tune/Inputs/make_quadrants.py", folder / "train.npz", 400, 1)
    images = ["--calibrate", folder / "images.npy"]
    quadrants = ROOT / "test/tools/ds-tune/Inputs/quadrants.onnxtxt"
    tune = ["ds-tune", quadrants, "--random-init", "--images", folder / "train.npz", "--batch", 50, "--steps", 20]
    check_full_disk(folder, {
        "out.onnx": ["ds-opt", folder / "mobile.onnx", "-o"],
        "out.onnxtxt": ["ds-opt", folder / "mobile.onnx", "-o"],
        "planned.onnx": ["ds-opt", folder / "mobile.onnx", *images, "-o"],
        "plan.json": ["ds-opt", folder / "mobile.onnx", *images, "--save-plan"],
        "out.npy": ["ds-run", folder / "mobile.onnx", "--images", folder / "images.npy", "-o"],
        "out.npz": ["ds-run", folder / "mobile.onnx", "--images", folder / "images.npy", "-o"],
        "tuned.onnx": [*tune, "-o"],
    })
    check_kill(folder, folder / "mobile.onnx")
    check_threads(folder, {
        "share": ["ds-opt", folder / "mobile.onnx", *images, "--budget", "50%", "-o"],
        "pools": ["ds-opt", folder / "pooled.onnx", *images, "--budget", "60%", "--allow-average-pool", "-o"],
        "tune": [*tune, "-o"],
    })
print("outputs are whole, and the same with 1 and 2 threads")
