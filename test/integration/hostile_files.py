#!/usr/bin/env python3
"""Hostile files: every tool that reads one refuses it with one clear line, within seconds and within memory.

    hostile_files.py path/to/bin [--sanitizers]

Makes the files itself, runs ds-opt, ds-run and ds-tune on them, and checks each run: exit code 1 (or, where a file is odd
but a tool has no reason to refuse it, 0), one line on standard error that starts with the tool's name and names the
file, at most SECONDS of CPU time and MEGABYTES of memory, and no output file after an error. With --sanitizers the
bounds on time and memory are wider.
"""

import io
import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.argv[1])
SANITIZERS = "--sanitizers" in sys.argv
SECONDS, MEGABYTES = (60, 2500) if SANITIZERS else (10, 1000)
HUGE = 1 << 40
failures = []
runs = 0


def limit():
    # A run past its bounds ends here, not the machine. Sanitizers reserve address space without end.
    resource.setrlimit(resource.RLIMIT_CPU, (2 * SECONDS, 2 * SECONDS))
    if not SANITIZERS:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


def run(name, file, command, may_pass=False, output=None, says="", allowed=SECONDS):
    """Runs a tool on a file and checks what is promised of it; an error must say `says`."""
    global runs
    runs += 1
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([BIN / command[0], *map(str, command[1:])], stdout=subprocess.DEVNULL, stderr=log,
                                   stdin=subprocess.DEVNULL, preexec_fn=limit, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        said = log.read().decode(errors="replace").strip()
    seconds, megabytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    problems = []
    if process.returncode != 1 and not (may_pass and process.returncode == 0):
        problems.append(f"exit code {process.returncode}")
    if process.returncode == 1:
        if "\n" in said or not said.startswith(f"{command[0]}: error: ") or len(said) > 2000:
            problems.append("expected one line that starts with the tool's name")
        if str(file) not in said:
            problems.append("the file is not named")
        if says not in said:
            problems.append(f"it does not say '{says}'")
        if output and pathlib.Path(output).exists():
            problems.append("an output was written")
    if seconds > allowed:
        problems.append(f"{seconds:.1f} s")
    if megabytes > MEGABYTES:
        problems.append(f"{megabytes:.0f} MB")
    if problems:
        failures.append(name)
        print(f"{name}: {command[0]}: {', '.join(problems)}\n    {said[:600]}", flush=True)


def model(nodes, inputs=("x",), initializers=(), outputs=("y",), shape=(1, 4), functions=(), **more):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "hostile", [value(n) for n in inputs],
                              [helper.make_empty_tensor_value_info(n) for n in outputs], list(initializers), **more)
    imports = [helper.make_opsetid("", 17)] + ([helper.make_opsetid("d", 1)] if functions else [])
    return helper.make_model(graph, opset_imports=imports, functions=functions, ir_version=8)


def integers(name, *values):
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def relu(**more):
    return model([helper.make_node("Relu", ["x"], ["y"])], **more)


def weight(dims, raw=b"", **external):
    """A model that adds a weight of these dimensions and bytes, or of external data."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims)
    if external:
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in external.items():
            tensor.external_data.add(key=key, value=str(text))
    else:
        tensor.raw_data = raw
    return model([helper.make_node("Add", ["x", "w"], ["y"])], initializers=[tensor])


def calls(count, last):
    """Functions that call the next twice."""
    made = []
    for i in range(count):
        kind, domain = (f"F{i + 1}", "d") if i + 1 < count else last
        nodes = [helper.make_node(kind, ["x"], ["h"], domain=domain), helper.make_node(kind, ["h"], ["y"], domain=domain)]
        made.append(helper.make_function("d", f"F{i}", ["x"], ["y"], nodes,
                                         [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]))
    return model([helper.make_node("F0", ["x"], ["y"], domain="d")], functions=made)


def called(count):
    """As many functions, called one after another."""
    nodes = [helper.make_node(f"F{i}", [f"x{i}"], [f"x{i + 1}"], domain="d") for i in range(count)]
    nodes[0].input[0], nodes[-1].output[0] = "x", "y"
    inside, opsets = [helper.make_node("Relu", ["a"], ["b"])], [helper.make_opsetid("", 17)]
    functions = [helper.make_function("d", f"F{i}", ["a"], ["b"], inside, opsets) for i in range(count)]
    return model(nodes, functions=functions)


def endless(start, *constants):
    """A Loop without a number of trips, whose condition stays true, that carries a value."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["v"], ["w"])], "body",
        [value("trip", TensorProto.INT64, []), value("go", TensorProto.BOOL, []), value("v", TensorProto.FLOAT, None)],
        [value("on", TensorProto.BOOL, []), value("w", TensorProto.FLOAT, None)])
    nodes = [helper.make_node("Loop", ["", "true", start], ["last"], body=body),
             helper.make_node("Identity", ["last"], ["same"]), helper.make_node("Add", ["x", "same"], ["y"])]
    return model(nodes, initializers=[helper.make_tensor("true", TensorProto.BOOL, [], [True]), *constants])


def nested(depth):
    """An If in an If, and so on, as text."""
    return ('<ir_version: 8, opset_import: ["" : 17]>\ng (bool c, float[1,4] x) => (float[1,4] y) { y = ' +
            "If (c) <else_branch = e () => (a) { a = Relu(x) }, then_branch = t () => (b) { b = " * depth + "Relu(x)" +
            " }>" * depth + " }")


def refused_models(folder):
    """Models that cannot be."""
    (folder / "w.bin").write_bytes(bytes(16))
    (folder / "outside").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "fifo")
    yield "external-absolute", weight([4], location="/etc/passwd")
    yield "external-parent", weight([4], location="../" + folder.name + "/w.bin")
    yield "external-parent-inside", weight([4], location="sub/../../w.bin")
    yield "external-link", weight([4], location="outside")
    yield "external-folder-link", weight([4], location="etc/passwd")
    yield "external-fifo", weight([4], location="fifo")
    yield "external-folder", weight([4], location=".")
    yield "external-absent", weight([4], location="none.bin")
    yield "external-no-location", weight([4], offset=0)
    yield "external-past-end", weight([5], location="w.bin")
    yield "external-offset-past-end", weight([4], location="w.bin", offset=17)
    yield "external-offset-overflows", weight([4], location="w.bin", offset=(1 << 64) - 8, length=16)
    yield "external-length-past-end", weight([4], location="w.bin", length=17)
    yield "external-negative", weight([4], location="w.bin", offset=-1)
    yield "external-terabyte", weight([HUGE], location="w.bin")
    yield "dims-overflow", weight([1 << 62, 4], bytes(16))
    yield "dims-negative", weight([-4], bytes(16))
    yield "dims-terabyte", weight([HUGE], bytes(16))
    yield "dims-product-wraps", weight([1 << 32, 1 << 32], b"")
    node = helper.make_node
    yield "cycle", model([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])])
    yield "cycle-of-itself", model([node("Add", ["x", "y"], ["y"])])
    yield "function-recursion", calls(1, ("F0", "d"))
    yield "function-cycle", calls(3, ("F1", "d"))
    yield "function-doubling", calls(64, ("Relu", ""))
    yield "function-depth", calls(5000, ("Relu", ""))
    yield "two-inputs-of-a-name", relu(inputs=("x", "x"))
    yield "two-outputs-of-a-name", model([node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])])
    yield "two-initializers-of-a-name", relu(initializers=[integers("w", 1), integers("w", 2)])
    yield "two-attributes-of-a-name", twice_named()
    yield "undefined-input", model([node("Relu", ["nowhere"], ["y"])])
    yield "no-operator", model([node("", ["x"], ["y"])])
    yield "no-operands", model([node("Conv", ["x"], ["y"])])
    yield "strides-of-0", model([node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[0])], shape=(1, 2, 4))


def twice_named():
    made = model([helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.5)])
    made.graph.node[0].attribute.append(made.graph.node[0].attribute[0])
    return made


def odd_models():
    """Models that ask for more than there is. A tool may find nothing wrong with those that it need not compute."""
    node = helper.make_node
    yield "fold-terabytes", model([node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])],
                                  initializers=[integers("s", HUGE, 4)])
    yield "fold-expand", model([node("Expand", ["k", "s"], ["c"]), node("ReduceSum", ["c"], ["r"]),
                                node("Add", ["x", "r"], ["y"])],
                               initializers=[integers("s", HUGE), helper.make_tensor("k", TensorProto.FLOAT, [1], [1])])
    yield "fold-doubled", model([node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(40)] +
                                [node("ReduceSum", ["c40"], ["r"]), node("Add", ["x", "r"], ["y"])],
                                initializers=[helper.make_tensor("c0", TensorProto.FLOAT, [4], [1, 2, 3, 4])])
    yield "fold-many", model([node("Expand", [f"k{i}", "s"], [f"c{i}"]) for i in range(400)] +
                             [node("Sum", ["x"] + [f"c{i}" for i in range(400)], ["y"])],
                             initializers=[integers("s", 4_000_000)] +
                             [helper.make_tensor(f"k{i}", TensorProto.FLOAT, [1], [i]) for i in range(400)])
    yield "fold-tile", model([node("Tile", ["k", "s"], ["y"])],
                             initializers=[integers("s", HUGE), helper.make_tensor("k", TensorProto.FLOAT, [1], [1])])
    yield "fold-range", model([node("Range", ["a", "b", "c"], ["y"])],
                              initializers=[helper.make_tensor(n, TensorProto.INT64, [], [v])
                                            for n, v in (("a", 0), ("b", 1 << 62), ("c", 1))])
    yield "fold-pad", model([node("Pad", ["k", "s"], ["y"])],
                            initializers=[integers("s", 0, HUGE), helper.make_tensor("k", TensorProto.FLOAT, [1], [1])])
    yield "fold-conv-pads", model([node("Conv", ["k", "v"], ["y"], pads=[HUGE, HUGE], strides=[HUGE])],
                                  initializers=[helper.make_tensor(n, TensorProto.FLOAT, [1, 1, 1], [1]) for n in "kv"])
    yield "fold-one-hot", model([node("OneHot", ["i", "s", "k"], ["y"])],
                                initializers=[integers("i", 1), integers("s", HUGE),
                                              helper.make_tensor("k", TensorProto.FLOAT, [2], [0, 1])])
    yield "pad-terabytes", model([node("Pad", ["x", "s"], ["y"])], initializers=[integers("s", 0, 0, 0, HUGE)])
    yield "pad-overflows", model([node("Pad", ["x", "s"], ["y"])],
                                 initializers=[integers("s", 0, (1 << 63) - 1, 0, (1 << 63) - 1)])
    yield "slice-of-terabytes", model([node("Slice", ["x", "a", "b"], ["y"])], shape=(HUGE,),
                                      initializers=[integers("a", 0), integers("b", 9)])
    yield "resize-terabytes", model([node("Resize", ["x", "", "k"], ["y"])],
                                    initializers=[helper.make_tensor("k", TensorProto.FLOAT, [2], [1e6, 1e6])])
    yield "pool-overflows", model([node("AveragePool", ["x"], ["y"], kernel_shape=[1 << 62], pads=[1 << 62, 1 << 62])],
                                  shape=(1, 2, 4))
    yield "loop-without-end", endless("x")
    yield "fold-loop-without-end", endless("k", helper.make_tensor("k", TensorProto.FLOAT, [1], [1]))
    yield "wide", model([node("Neg", ["x"], [f"n{i}"]) for i in range(200_000)] + [node("Relu", ["x"], ["y"])])
    yield "many-functions", called(30_000)
    yield "gate-of-terabytes", relu(shape=(1, HUGE))
    yield "gate-of-everything", relu(shape=(1, 1 << 62, 1 << 62, 8))


def check_models(folder, x):
    for name, made in refused_models(folder):
        path = folder / f"{name}.onnx"
        path.write_bytes(made.SerializeToString())
        run(name, path, ["ds-opt", path, "--passes=canonicalize,infer-shapes", "-o", folder / "out.onnx"],
            output=folder / "out.onnx")
        run(name, path, ["ds-run", path, "--input", f"x={x}"])
    path = folder / "function-cycle.onnx"
    run("function-cycle", path, ["ds-tune", path, "--images", x, "-o", folder / "out.onnx"], output=folder / "out.onnx")
    for name, made in odd_models():
        path = folder / f"{name}.onnx"
        path.write_bytes(made.SerializeToString())
        run(name, path, ["ds-opt", path, "--passes=canonicalize,expand-gates,infer-shapes", "--count"], may_pass=True)
        run(name, path, ["ds-opt", path, "--target", "crypten", "-o", folder / "odd-out.onnx"], may_pass=True)
        # To sum over a terabyte of one number takes no memory, but as long as it takes; what is doubled is computed until
        # the memory ends.
        if name not in ("fold-expand", "fold-doubled"):
            run(name, path, ["ds-run", path, "--input", f"x={x}"], may_pass=True)
    for name in ("loop-without-end", "fold-loop-without-end"):
        path = folder / f"{name}.onnx"
        run(name, path, ["ds-run", path, "--input", f"x={x}"], says="trips")
        run(name, path, ["ds-opt", path, "--passes=eliminate-identity", "--verify"], may_pass=True)
    # Copied whole, as no pass that takes dead nodes away comes first: 6 to 9 s, 14 and more where a use is searched for.
    path, out = folder / "wide.onnx", folder / "odd-out.onnx"
    run("wide", path, ["ds-opt", path, "--passes=infer-shapes", "--verify", "-o", out], may_pass=True, allowed=1.4 * SECONDS)
    for command in (["ds-opt", "/dev/zero", "--count"], ["ds-run", "/dev/zero", "--input", f"x={x}"]):
        run("endless-device", "/dev/zero", command, says="it is a device")
    for depth in (60, 3000):
        path = folder / f"nested-{depth}.onnxtxt"
        path.write_text(nested(depth))
        run(f"nested-{depth}", path, ["ds-opt", path, "--count"])
    whole = relu().SerializeToString()
    path = folder / "cut.onnx"
    # The library is tested at every byte (test/ONNX/DamageTest.cpp).
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        run(f"cut-at-{size}", path, ["ds-opt", path, "--passes=infer-shapes", "-o", folder / "cut-out.onnx"],
            output=folder / "cut-out.onnx")


def bomb(path, claimed, times):
    """A .npz whose array unpacks to a thousand times its size; only the headers and the first blocks are true."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (claimed - 128,)})
    start = squeeze.compress(head.getvalue()) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    data, name = start + zeros * times, b"images.npy"
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(data), claimed, len(name), 0) + name
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(data), claimed, len(name), 0, 0, 0,
                          0, 0, 0) + name
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), len(local) + len(data), 0)
    path.write_bytes(local + data + central + end)


def png(width, height):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b""))


def image_sets(folder):
    bomb(folder / "bomb.npz", 3 << 30, 3 << 10)
    yield "zip-bomb", folder / "bomb.npz"
    bomb(folder / "liar.npz", 4_000_000_000, 1)
    yield "zip-liar", folder / "liar.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (HUGE, HUGE)})
    (folder / "huge.npy").write_bytes(header.getvalue())
    yield "npy-overflows", folder / "huge.npy"
    with zipfile.ZipFile(folder / "empty.npz", "w"):
        pass
    yield "npz-empty", folder / "empty.npz"
    (folder / "huge-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)
    yield "idx-overflows", folder / "huge-idx3-ubyte"
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = squeeze.compress(b"\0\0\x08\x03" + struct.pack(">3I", 0xFFFF, 0xFFFF, 1)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    (folder / "bomb-idx3-ubyte.gz").write_bytes(start + zeros * 2000)
    yield "gzip-bomb", folder / "bomb-idx3-ubyte.gz"
    (folder / "cut.bin").write_bytes(bytes(3072))
    yield "cifar-cut", folder / "cut.bin"
    (folder / "labels.bin").write_bytes(b"\xff" * 3073)
    yield "cifar-labels", folder / "labels.bin"
    for name, data in (("large", png(16000, 16000)), ("cut", png(4, 4)[:20]), ("none", b""), ("no-image", b"GIF89a")):
        (folder / f"{name}-images").mkdir()
        (folder / f"{name}-images" / "a.png").write_bytes(data)
        yield f"png-{name}", folder / f"{name}-images"
    (folder / "loop").mkdir()
    (folder / "loop" / "class").symlink_to(".")
    yield "folder-loop", folder / "loop"
    yield "endless-device", pathlib.Path("/dev/zero")


def check_data(folder):
    path = folder / "relu.onnx"
    path.write_bytes(relu(shape=("N", 4)).SerializeToString())
    for name, data in image_sets(folder):
        run(name, data, ["ds-opt", path, "--calibrate", data, "-o", folder / "out.onnx"], output=folder / "out.onnx")
        run(name, data, ["ds-run", path, "--images", data])
        run(name, data, ["ds-tune", path, "--images", data, "-o", folder / "out.onnx"], output=folder / "out.onnx")
        if data.suffix in (".npy", ".npz") and name != "npz-empty":
            run(name, data, ["ds-run", path, "--input", f"x={data}"])


def check_json(folder):
    path = folder / "relu.onnx"
    plan = {"format": "deepshare-plan", "version": 1, "model": "", "note": "",
            "sites": [{"name": "y", "spatial": [], "channels": [{"site": 0, "channel": 0, "on": 1, "off": 0}] * 4}]}
    cost = json.loads((ROOT / "lib/Cost/models/semi2k-64.json").read_text())
    for kind, good, flag in (("plan", plan, "--plan"), ("cost", cost, "--cost-model")):
        broken = {"deep": "[" * 100000, "deep-closed": "[" * 100000 + "]" * 100000, "empty": "", "number": "1e999",
                  "bytes": "\udcff\udcfe", "cut": json.dumps(good)[:-10], "list": "[]", "keys": json.dumps({**good, "extra": 1}),
                  "version": json.dumps({**good, "version": 10**30})}
        if kind == "plan":
            site = good["sites"][0]
            broken["overflow"] = json.dumps({**good, "sites": [{**site, "spatial": [1 << 31, 512, 1 << 31]}]})
            broken["source"] = json.dumps({**good, "sites": [{**site, "channels": [{**site["channels"][0], "site": 7}]}]})
        else:
            broken["negative"] = json.dumps({**good, "bytes_fixed": -1})
            broken["infinite"] = json.dumps({**good, "bytes_fixed": 1e300})
        for name, text in broken.items():
            data = folder / f"{kind}-{name}.json"
            data.write_bytes(text.encode(errors="surrogateescape"))
            command = ["ds-opt", path, flag, data, "-o", folder / "out.onnx"]
            if kind == "cost":
                (folder / "plan.json").write_text(json.dumps(plan))
                command += ["--plan", folder / "plan.json"]
            run(f"{kind}-{name}", data, command, output=folder / "out.onnx")


def check_checkpoints(folder):
    inputs = ROOT / "test/tools/ds-tune/Inputs"
    subprocess.run([sys.executable, inputs / "make_quadrants.py", folder / "train.npz", "200", "1"], check=True)
    train = ["ds-tune", inputs / "quadrants.onnxtxt", "--random-init", "--images", folder / "train.npz", "--batch", "50",
             "--steps", "40", "-o", folder / "out.onnx"]
    for name, data in (("empty", b""), ("text", b"no checkpoint\n" * 50), ("zip", zip_of(b"x")), ("cut-zip", zip_of(b"x")[:30]),
                       ("pickle", zip_of(b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R."))):
        path = folder / f"checkpoint-{name}"
        path.write_bytes(data)
        run(f"checkpoint-{name}", path, [*train, "--checkpoint", path], output=folder / "out.onnx")


def zip_of(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data)
    return file.getvalue()


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name).resolve()
    np.save(folder / "x.npy", np.ones((1, 4), np.float32))
    check_models(folder, folder / "x.npy")
    check_data(folder)
    check_json(folder)
    check_checkpoints(folder)
print(f"{runs} runs, {len(failures)} failed")
sys.exit(bool(failures))
