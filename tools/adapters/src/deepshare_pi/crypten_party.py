"""One of CrypTen's two parties: 0 holds the weights, 1 the images. Started by crypten_run."""

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from deepshare_pi.parties import die_with_parent

# By the names of CrypTen's module classes; what is not here is "other".
KINDS = {
    "Conv": "linear",
    "Gemm": "linear",
    "MatMul": "linear",
    "DReLU": "comparison",
    "MaxPool2d": "comparison",
    "DReLUShare": "mux",
}


class Meter:
    """Sums what the communicator counts by kind of operation."""

    def __init__(self, communicator):
        self.communicator = communicator
        self.kinds = {}

    @contextmanager
    def measure(self, kind):
        before, start = self.communicator.get_communication_stats(), time.perf_counter()
        yield
        after = self.communicator.get_communication_stats()
        entry = self.kinds.setdefault(kind, {"bytes": 0, "rounds": 0, "seconds": 0})
        entry["bytes"] += after["bytes"] - before["bytes"]
        entry["rounds"] += after["rounds"] - before["rounds"]
        entry["seconds"] += time.perf_counter() - start

    def attach(self, module):
        """Measures the calls of every part of `module`. A ReLU is x * (x >= 0), as CrypTen defines it, in two steps."""
        for _, child in module.named_children():
            child.forward = self.metered(child, type(child).forward.__get__(child))

    def metered(self, child, forward):
        name = type(child).__name__

        def relu(x):
            with self.measure("comparison"):
                mask = x.ge(0)
            with self.measure("mux"):
                return x * mask

        def other(*inputs):
            with self.measure(KINDS.get(name, "other")):
                return forward(*inputs)

        return relu if name == "ReLU" else other


def main(folder, rank):
    die_with_parent()
    job = json.loads(Path(folder, "job.json").read_text())
    os.environ.update(DISTRIBUTED_BACKEND="gloo", RENDEZVOUS=f"file://{folder}/rendezvous", WORLD_SIZE="2",
                      RANK=str(rank), GLOO_SOCKET_IFNAME=job["interface"])
    import crypten
    import crypten.communicator
    import torch

    from deepshare_pi import crypten_adapter

    torch.set_num_threads(1)
    crypten.init()
    crypten.cfg.communicator.verbose = True
    module = crypten_adapter.load(job["model"])
    if rank != 0:  # this party knows the architecture, not the weights
        for parameter in module.parameters():
            parameter.zero_()
    module.encrypt(src=0)
    meter = Meter(crypten.communicator.get())
    meter.attach(module)
    images = torch.from_numpy(np.load(Path(folder, "images.npy")))
    outputs, runs = [], []
    for start in range(0, len(images), job["batch"]):
        part = images[start : start + job["batch"]]
        x = crypten.cryptensor(part if rank == 1 else torch.zeros_like(part), src=1)
        meter.kinds = {}
        begin = time.perf_counter()
        with crypten.no_grad():
            y = module(x)
        runs.append({"images": len(part), "seconds": time.perf_counter() - begin, "kinds": meter.kinds})
        outputs.append(y.get_plain_text().numpy())
        Path(folder, f"done-{rank}").write_text(str(start + len(part)))
    np.save(Path(folder, f"outputs-{rank}.npy"), np.concatenate(outputs))
    Path(folder, f"result-{rank}.json").write_text(json.dumps(runs))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
