#!/usr/bin/env python3
"""mnist-cnn between real parties: CrypTen's two processes, SPU's two and three, the original beside half of the DReLUs.

usage: private_inference.py DS_OPT

Holds outputs against ONNX Runtime, bytes against the cost report, and ends a party in the middle of a run. Runs with the
Python of `tools/setup --pi`.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/mnist-cnn.onnx"
# Framework, protocol, cost model, and what the report's bytes may differ by.
RUNS = [("crypten", None, "crypten-64", 0.03), ("spu", "semi2k", "semi2k-64", 0.001), ("spu", "aby3", "aby3-64", 0.001),
        ("spu", "cheetah", "cheetah-64", 0.03)]


def strokes(count):
    """Pictures of one thick stroke each, as bytes [N,28,28]."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[0:28, 0:28]
    pictures = []
    for _ in range(count):
        (x0, x1), (y0, y1) = random.uniform(6, 22, 2), random.uniform(4, 24, 2)
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2), 0, 1)
        distance = np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))
        pictures.append(255 * np.clip(2 - distance, 0, 1))
    return np.array(pictures, np.uint8)


def legalise(ds_opt, folder, target, cost_model):
    """The original and the rewritten model for a target, and the predicted bytes of both without a protocol's set-up."""
    original, rewritten = folder / f"original-{cost_model}.onnx", folder / f"half-{cost_model}.onnx"
    report = folder / "report.json"
    subprocess.run([ds_opt, MODEL, f"--target={target}", "-o", original], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ds_opt, MODEL, "--calibrate", folder / "images.npy", "--budget", "50%", f"--target={target}",
                    "--cost-model", cost_model, "--report", report, "-o", rewritten], check=True, stdout=subprocess.DEVNULL)
    costs = json.loads(report.read_text())
    return original, rewritten, [costs[when]["bytes"] - costs[when]["fixed_bytes"] for when in ("before", "after")]


def check_run(ds_opt, folder, framework, protocol, cost_model, tolerance):
    original, rewritten, predicted = legalise(ds_opt, folder, framework, cost_model)
    results = folder / "results.json"
    command = [ROOT / "tools/ds-pi", "run", rewritten, "--compare", original, "--framework", framework, "--images",
               folder / "images.npy", "--count", "2", "--json", results]
    subprocess.run(command + (["--protocol", protocol] if protocol else []), check=True)
    models = json.loads(results.read_text())["models"]
    for name, figures, expected in zip(("original", "rewritten"), models, predicted):
        difference = abs(figures["bytes"] / expected - 1)
        assert difference <= tolerance, f"{cost_model}, {name}: predicted {expected:,.0f} bytes, measured {figures['bytes']:,.0f}"
        assert figures["agree"] == figures["images"], f"{cost_model}, {name}: answers differ from ONNX Runtime's"
        assert figures["largest_difference"] < 0.2, f"{cost_model}, {name}: outputs differ by {figures['largest_difference']}"
    assert models[1]["bytes"] < models[0]["bytes"], f"{cost_model}: the rewriting saved nothing"
    return original


def check_death(folder, model):
    """A party that dies ends the run within seconds, with a message."""
    run = subprocess.Popen([ROOT / "tools/ds-pi", "run", model, "--framework", "crypten", "--images", folder / "images.npy",
                            "--count", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    parties = []
    while len(parties) < 2 and run.poll() is None:
        time.sleep(0.1)
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True).stdout
        parties = [int(pid) for pid in listed.split()]
    time.sleep(1)
    os.kill(parties[1], signal.SIGKILL)
    start = time.monotonic()
    _, message = run.communicate(timeout=30)
    assert run.returncode == 1 and "ds-pi: error: party" in message, f"exit code {run.returncode}: {message}"
    assert time.monotonic() - start < 10, "the other party went on"
    print(f"a party that dies: {message.strip().splitlines()[-1]}")


def check_refusals(ds_opt, folder):
    """Bad files end a run before any party starts, with a message that names the file, and leave no results."""
    legal = folder / "legal.onnx"
    subprocess.run([ds_opt, MODEL, "--target=crypten", "-o", legal], check=True)
    broken, of_others = folder / "broken.npz", folder / "of-others.npy"
    broken.write_bytes(b"PK\x03\x04 is no archive")
    packed = folder / "packed-idx3-ubyte.gz"
    packed.write_bytes(bytes.fromhex("1f8b08000000000000ff") + b"is not packed")
    np.save(of_others, np.zeros([1, 8, 8, 3], np.uint8))
    results = folder / "none.json"
    for model, images, reason in [(legal, broken, "broken.npz: cannot be read"), (legal, packed, "ubyte.gz: cannot be read"),
                                  (broken, folder / "images.npy", "broken.npz: not an ONNX model"),
                                  (legal, of_others, "legal.onnx: ONNX Runtime"), (legal, folder / "absent.npy", "no such file")]:
        run = subprocess.run([ROOT / "tools/ds-pi", "run", model, "--framework", "crypten", "--images", images, "--json", results],
                             capture_output=True, text=True)
        assert run.returncode == 1 and reason in run.stderr and "Traceback" not in run.stderr, f"{reason}: {run.stderr}"
        assert not results.exists()


def check_images(folder):
    """An array and an archive are told apart by what is in them, whatever they are called."""
    from deepshare_pi.images import read_images

    array, archive = folder / "array.npz", folder / "archive.npy"
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    with open(array, "wb") as file:
        np.save(file, pixels)
    with open(archive, "wb") as file:
        np.savez(file, images=pixels, labels=np.array([4, 5]))
    assert (read_images(array, 2)[0] == read_images(archive, 2)[0]).all() and list(read_images(archive, 2)[1]) == [4, 5]


def check_arguments(ds_opt, folder):
    """What cannot be run as it is asked for is refused in one line, before any party starts."""
    model, labels = folder / "arguments.onnx", folder / "labels.npz"
    subprocess.run([ds_opt, MODEL, "--target=spu", "-o", model], check=True)
    np.savez(labels, images=np.zeros([3, 28, 28], np.uint8), labels=np.zeros(1, np.int64))
    images = ["--images", folder / "images.npy"]
    for arguments, reason in [(["--images", labels], "has 3 images, but labels int64[1]"),
                              ([*images, "--mean", "0", "--std", "0"], "not all numbers of the images are finite"),
                              ([*images, "--mean", "0"], "--mean and --std go together"),
                              ([*images, "--count", "3", "--batch", "2"], "--batch 2 does not divide the 3 images"),
                              ([*images, "--json", folder / "absent/results.json"], "results.json: cannot be written")]:
        run = subprocess.run([ROOT / "tools/ds-pi", "run", model, "--framework", "spu", *arguments], capture_output=True, text=True)
        assert run.returncode == 1 and reason in run.stderr and "Traceback" not in run.stderr, f"{reason}: {run.stderr}"


def check_termination(folder, model):
    """A run that is ended leaves no shares of weights and images behind."""
    environment = dict(os.environ, TMPDIR=str(folder))
    run = subprocess.Popen([ROOT / "tools/ds-pi", "run", model, "--framework", "crypten", "--images", folder / "images.npy",
                            "--count", "60"], stderr=subprocess.PIPE, text=True, env=environment)
    while not list(folder.glob("ds-pi-*")) and run.poll() is None:
        time.sleep(0.1)
    run.terminate()
    _, message = run.communicate(timeout=30)
    assert run.returncode == 143 and not list(folder.glob("ds-pi-*")), f"exit code {run.returncode}: {message}"


def check_unfit(ds_opt, folder):
    """A model that the framework cannot run names the node and the reason before any party starts."""
    unfit = folder / "unfit.onnx"
    text = ("<ir_version: 8, opset_import: ['' : 17]> g (float[N,1,28,28] x) => (float[N,1,28,28] y) "
            "{ h = Relu (x) [up] y = Ceil (h) }").replace("'", '"')
    subprocess.run([ds_opt, "-", "-o", unfit], input=text, text=True, check=True)
    # SPU would run the last one as it is, and take weights in Constant nodes for public.
    for framework, model, reason in [("crypten", unfit, "node 'up' (Ceil): target"), ("spu", unfit, "node 'up' (Ceil): target"),
                                     ("spu", MODEL, "mnist-cnn.onnx: was not written by ds-opt --target=spu"),
                                     ("spu", folder / "legal.onnx", "legal.onnx: is in the forms of target crypten")]:
        run = subprocess.run([ROOT / "tools/ds-pi", "run", model, "--framework", framework, "--images", folder / "images.npy"],
                             capture_output=True, text=True)
        assert run.returncode == 1 and reason in run.stderr and "party" not in run.stderr, run.stderr


def check_gather():
    """The adapter's gather by constants, whatever slices it becomes, is numpy's."""
    from deepshare_pi.spu_adapter import gather

    random = np.random.default_rng(0)
    data = random.normal(size=(3, 8, 5)).astype(np.float32)
    for _ in range(200):
        axis = int(random.integers(-3, 3))
        size = data.shape[axis]
        indices = [random.integers(-size, size, random.integers(1, 9)), np.repeat(np.arange(size), random.integers(1, 5)),
                   np.arange(0, size, 2), np.full(4, size - 1), np.repeat(np.arange(1, size, 2), 2)][random.integers(5)]
        assert (np.asarray(gather(data, indices, axis)) == np.take(data, indices, axis)).all(), (indices, axis)


def check_pointwise():
    """The adapter's product in place of a convolution with a kernel of one element is ONNX Runtime's Conv, and it takes no
    others: strides, groups and padding are left to jaxonnxruntime."""
    import onnxruntime
    from deepshare_pi import spu_adapter
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    for size, bias, attributes in [([4, 5], True, {}), ([4, 5], False, {}), ([7], True, {}), ([2, 3, 4], True, {}),
                                   ([4, 5], True, {"strides": [2, 1]}), ([4, 5], True, {"group": 2}),
                                   ([4, 5], False, {"pads": [1, 0, 0, 2]})]:
        group, ones = attributes.get("group", 1), [1] * len(size)
        weights = {"w": random.normal(size=(8, 6 // group, *ones)), "b": random.normal(size=8)}
        attributes = {"kernel_shape": ones, "strides": ones, "dilations": ones, "pads": [0, 0] * len(size), **attributes}
        node = helper.make_node("Conv", ["x", "w", "b"] if bias else ["x", "w"], ["y"], **attributes)
        graph = helper.make_graph([node], "conv", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 6, *size])],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                                  [numpy_helper.from_array(weights[k].astype(np.float32), k) for k in node.input[1:]])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
        x = random.normal(size=(3, 6, *size)).astype(np.float32)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            file.write(model)
            file.flush()
            program = spu_adapter.load(file.name, x.shape)
        expected = onnxruntime.InferenceSession(model).run(None, {"x": x})[0]
        np.testing.assert_allclose(np.asarray(program.function(program.weights, x)), expected, atol=1e-5, err_msg=str(attributes))


def check_versions():
    """Every operator of SPU's table is implemented in every version that the opsets which the target takes have of it."""
    from deepshare_pi import spu_adapter
    from onnx import defs

    table = (ROOT / "passes/targets/Spu.cpp").read_text()
    oldest = 13  # ds-opt's share operators need it, so that it converts what is older
    newest = int(re.search(r"NewestOpset = (\d+);", table)[1])
    known = {handler.OP_TYPE: handler for handler in spu_adapter.handler.Handler.__subclasses__()}  # the last one counts
    missing = set()
    for name in re.findall(r'^ +{"(\w+)"', table, re.MULTILINE):
        versions = {defs.get_schema(name, opset).since_version for opset in range(oldest, newest + 1)}
        missing |= {f"{name} {version}" for version in versions if not hasattr(known.get(name), f"version_{version}")}
    assert not missing, f"jaxonnxruntime and the adapter lack {', '.join(sorted(missing))}"


def check_old_opset(ds_opt, folder):
    """A Relu of opset 13 and a Sum that broadcasts run."""
    model, images, results = folder / "old.onnx", folder / "old.npy", folder / "old.json"
    text = ("<ir_version: 8, opset_import: ['' : 13]> g (float[1,4] x) => (float[1,4] y) <float[1] c = {0.5}> "
            "{ h = Relu (x)  y = Sum (h, c) }").replace("'", '"')
    subprocess.run([ds_opt, "-", "--target=spu", "-o", model], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    np.save(images, np.array([[-2, -1, 1, 2]], np.float32))
    subprocess.run([ROOT / "tools/ds-pi", "run", model, "--framework", "spu", "--images", images, "--simulator", "--json", results],
                   check=True, stdout=subprocess.DEVNULL)
    assert json.loads(results.read_text())["models"][0]["largest_difference"] < 0.001


def check_owned_weights(folder):
    """Where the owner keeps the weights, the other party gets the same bytes whatever they are."""
    import spu
    from deepshare_pi import frameworks

    io = spu.Io(2, frameworks.spu_config("cheetah", 64, profile=False))
    files = []
    for weights in np.random.default_rng(0).normal(size=(2, 100)).astype(np.float32):
        frameworks.deal(folder, "owned", io, {"w": weights}, 2, owner=0)
        files.append([(folder / f"owned-{rank}").read_bytes() for rank in range(2)])
    assert files[0][0] != files[1][0] and files[0][1] == files[1][1]


def check_simulator(folder, model):
    """SPU's simulator gives the answers in the clear, and counts nothing."""
    results = folder / "simulated.json"
    command = [ROOT / "tools/ds-pi", "run", model, "--images", folder / "images.npy", "--count", "4", "--batch", "2", "--simulator"]
    subprocess.run([*command, "--framework", "spu", "--protocol", "aby3", "--json", results], check=True)
    figures = json.loads(results.read_text())["models"][0]
    assert figures["agree"] == 4 and figures["largest_difference"] < 0.2 and "bytes" not in figures, figures
    run = subprocess.run([*command, "--framework", "crypten"], capture_output=True, text=True)
    assert run.returncode == 1 and "--simulator is SPU's" in run.stderr, run.stderr


def check_network(folder, model):
    """Time on a network says whether it was shaped or computed, and no namespace stays behind."""
    results = folder / "network.json"
    run = subprocess.run([ROOT / "tools/ds-pi", "run", model, "--framework", "crypten", "--images", folder / "images.npy",
                          "--network", "50ms,1Gbps", "--json", results], capture_output=True, text=True, check=True)
    figures = json.loads(results.read_text())["models"][0]
    assert figures["time"] in ("measured under tc netem", "computed from rounds and bytes") and figures["time"] in run.stdout
    # Half of the rounds: parties may send without waiting for an answer.
    assert figures["seconds"] > figures["rounds"] * 0.05 / 2, f"{figures['seconds']} s for {figures['rounds']} rounds of 50 ms"
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout if shutil.which("ip") else ""
    assert "ds-pi-" not in names, f"namespaces are left: {names}"
    print(f"seconds on a network of 50 ms: {figures['seconds']:.1f}, {figures['time']}")


def main():
    sys.path.insert(0, str(ROOT / "tools/adapters/src"))
    ds_opt = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.save(folder / "images.npy", strokes(256)[..., None])
        check_images(folder)
        check_gather()
        check_pointwise()
        check_versions()
        check_old_opset(ds_opt, folder)
        check_owned_weights(folder)
        check_refusals(ds_opt, folder)
        check_arguments(ds_opt, folder)
        check_unfit(ds_opt, folder)
        for run in RUNS:
            model = check_run(ds_opt, folder, *run)
            if run[0] == "crypten":
                check_death(folder, model)
                check_termination(folder, model)
                check_network(folder, model)
            elif run[1] == "aby3":
                check_simulator(folder, model)
    print(f"{len(RUNS)} protocols agree with ONNX Runtime and with the cost reports")


if __name__ == "__main__":
    main()
