"""Private runs in each framework: a model, images, and what every party counted."""

import json
import pickle
import re
import shutil
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deepshare_pi.network import INTERFACE
from deepshare_pi.parties import RUN_MARK, run_parties

KINDS = ("linear", "comparison", "mux", "truncation", "other")
# Protocol: number of parties.
SPU_PROTOCOLS = {"semi2k": 2, "cheetah": 2, "aby3": 3}
# Where the weights stay with party 0 instead of being dealt as shares. A linear layer is then one product of ciphertexts by
# the weights, not one for either party's share. SEMI2K sends as much either way, and ABY3 more.
OWNED_WEIGHTS = {"cheetah"}


@dataclass
class Run:
    """One batch. Bytes are those of all parties together, rounds those of the party with the most."""

    images: int
    seconds: float
    kinds: dict  # kind -> {"bytes", "rounds", "seconds"}

    @property
    def bytes(self):
        return sum(kind["bytes"] for kind in self.kinds.values())

    @property
    def rounds(self):
        return sum(kind["rounds"] for kind in self.kinds.values())


@contextmanager
def job_folder():
    folder = tempfile.mkdtemp(prefix="ds-pi-")
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def progress_of(folder, total, show):
    def update():
        done = Path(folder, "done-0")
        show(int(done.read_text() or 0) if done.exists() else 0, total)

    return update


def add_up(parties, share_of_bytes=1.0):
    """The kinds of all parties as one: bytes summed, rounds and seconds of the slowest."""
    kinds = {}
    for party in parties:
        for kind, entry in party.items():
            sums = kinds.setdefault(kind, {"bytes": 0, "rounds": 0, "seconds": 0.0})
            sums["bytes"] += entry["bytes"] * share_of_bytes
            sums["rounds"] = max(sums["rounds"], entry["rounds"])
            sums["seconds"] = max(sums["seconds"], entry["seconds"])
    return {kind: {**entry, "bytes": round(entry["bytes"])} for kind, entry in kinds.items()}


def run_crypten(model, images, batch, show, namespaces=None):
    """Outputs and runs of CrypTen with two processes (semi-honest, Beaver triples of its trusted first party)."""
    with job_folder() as folder:
        np.save(folder / "images.npy", images)
        interface = INTERFACE if namespaces else "lo"
        job = {"model": str(Path(model).resolve()), "batch": batch, "interface": interface}
        (folder / "job.json").write_text(json.dumps(job))
        run_parties("deepshare_pi.crypten_party", folder, 2, progress_of(folder, len(images), show), namespaces)
        results = [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(2)]
        outputs = np.load(folder / "outputs-0.npy")
    # A party counts what it sends and what it receives.
    runs = [
        Run(both[0]["images"], max(p["seconds"] for p in both), add_up([p["kinds"] for p in both], 0.5))
        for both in zip(*results)
    ]
    return outputs, runs


# The protocol's own operations in SPU's profile ("MPC profiling"), by the start of their names.
SPU_KINDS = (
    ("linear", ("mmul_", "conv")),
    ("comparison", ("msb_", "equal_", "eqz", "bitrev", "less")),
    ("mux", ("mul_a1b", "mul_av1", "mul_1")),
    ("truncation", ("trunc_",)),
)
SPU_LINE = re.compile(
    r"- (\w+), executed \d+ times, duration ([\d.e+-]+)s, send bytes (\d+) recv bytes \d+, send actions (\d+)"
)


def read_spu_profile(log):
    """The kinds of one run in a party's log."""
    kinds, section = {}, ""
    for line in log.splitlines():
        section = line if "profiling: total time" in line else section
        found = SPU_LINE.search(line)
        if not found or "MPC profiling" not in section:
            continue
        name = found[1]
        kind = next((k for k, starts in SPU_KINDS if name.startswith(starts)), "other")
        entry = kinds.setdefault(kind, {"bytes": 0, "rounds": 0, "seconds": 0.0})
        entry["bytes"] += int(found[3])
        entry["rounds"] += int(found[4])
        entry["seconds"] += float(found[2])
    return kinds


def free_addresses(count, namespaces=None):
    if namespaces:  # no one else is there
        return [f"{host}:9000" for host in namespaces.hosts]
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return addresses


def spu_config(protocol, field, profile):
    import spu

    config = spu.RuntimeConfig(
        protocol=getattr(spu.ProtocolKind, protocol.upper()), field=getattr(spu.FieldType, f"FM{field}")
    )
    config.enable_hal_profile = config.enable_pphlo_profile = profile
    config.experimental_enable_colocated_optimization = protocol in OWNED_WEIGHTS
    return config


def run_spu_function(function, weights, batches, protocol, field, show, namespaces=None, simulated=False):
    """Outputs and runs of the jax function `function(weights, x)` for every x of `batches`, which have one shape. This
    process deals the shares; the parties see nothing else. `simulated`: parties are threads of one process, and runs
    count neither bytes nor rounds, since SPU's profile does not say whose they are."""
    import spu
    from spu.utils import frontend

    count, config = SPU_PROTOCOLS[protocol], spu_config(protocol, field, profile=not simulated)
    names = [f"w{i}" for i in range(len(weights))] + ["x"]
    secret = spu.Visibility.VIS_SECRET
    executable, _ = frontend.compile(
        frontend.Kind.JAX, function, (weights, batches[0]), {}, names, [secret] * len(names),
        lambda outputs: [f"y{i}" for i in range(len(outputs))], static_argnums=(), copts=spu.CompilerOptions(),
    )  # fmt: skip
    io = spu.Io(count, config)
    with job_folder() as folder:
        owner = 0 if protocol in OWNED_WEIGHTS else -1
        deal(folder, "weights", io, {f"w{i}": weights[k] for i, k in enumerate(sorted(weights))}, count, owner)
        for run, x in enumerate(batches):
            deal(folder, f"input-{run}", io, {"x": x}, count)
        (folder / "executable").write_bytes(executable.SerializeToString())
        (folder / "config").write_bytes(config.SerializeToString())
        job = {"addresses": free_addresses(count, namespaces), "runs": len(batches), "simulated": simulated}
        (folder / "job.json").write_text(json.dumps(job))
        processes = 1 if simulated else count
        run_parties("deepshare_pi.spu_party", folder, processes, progress_of(folder, len(batches), show), namespaces)
        outputs = [pickle.loads((folder / f"outputs-{rank}").read_bytes()) for rank in range(count)]
        seconds = [json.loads((folder / f"seconds-{rank}").read_text()) for rank in range(count)]
        logs = [] if simulated else [(folder / f"log-{rank}").read_text(errors="replace") for rank in range(count)]
    profiles = [[read_spu_profile(part) for part in log.split(f"{RUN_MARK}\n")[1:]] for log in logs]
    runs = [
        Run(len(x), max(s[i] for s in seconds), add_up([p[i] for p in profiles])) for i, x in enumerate(batches)
    ]
    revealed = [io.reconstruct([party[i][0] for party in outputs]) for i in range(len(batches))]
    return np.concatenate(revealed), runs


def deal(folder, name, io, values, count, owner=-1):
    """Writes each party's shares of `values`, which the party `owner` has alone if it is not -1."""
    import spu

    shares = {k: io.make_shares(np.asarray(v), spu.Visibility.VIS_SECRET, owner) for k, v in values.items()}
    for rank in range(count):
        (folder / f"{name}-{rank}").write_bytes(pickle.dumps({k: s[rank] for k, s in shares.items()}))


def run_spu(model, images, batch, protocol, field, show, namespaces=None, simulated=False):
    """Outputs and runs of SPU: two or three processes that talk brpc over loopback, or its simulator."""
    from deepshare_pi import spu_adapter

    program = spu_adapter.load(model, (batch, *images.shape[1:]))
    batches = [images[i : i + batch] for i in range(0, len(images), batch)]
    return run_spu_function(program.function, program.weights, batches, protocol, field, show, namespaces, simulated)
