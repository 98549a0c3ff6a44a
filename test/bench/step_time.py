#!/usr/bin/env python3
"""Compares a step of ds-tune with the same step in Python PyTorch: ResNet-20 with shared gates, following its teacher.

    build/deps/venv/bin/python test/bench/step_time.py [--python /usr/bin/python3] [--threads 1] [--rounds 3]

A step is 128 images: the teacher forward; the student (smooth shared gates, open normalisation) forward and backward; T^2
times the KL divergence of softmax(logits / T); AdamW. Both run on libtorch 1.13.1: Debian's python3-torch is built from
the sources of the library that ds-tune links. In PyTorch the network is written by hand, as one writes it, with the gates
of the same plan (each site's own channels). ds-tune also reads, crops and flips its images, which PyTorch has in memory
here. The two take turns; the time of a step is the difference of a long and a short run over the difference of their
steps, so that starting up does not count. Prints a Markdown table: the least and the median over the rounds.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

SHORT, LONG, BATCH = 4, 24, 128


def pytorch_steps(plan_path, steps):
    """Runs in the other Python: only torch is there."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class SharedGate(nn.Module):
        """y = x * (m ? on : off) a channel, m of a prototype of the same site; smooth: Phi(2 x / d)."""

        def __init__(self, channels, site):
            super().__init__()
            prototypes = sorted({c["channel"] for c in channels if "channel" in c})
            assert all(c.get("site", site) == site for c in channels)
            self.register_buffer("prototypes", torch.tensor(prototypes, dtype=torch.long))
            index = [prototypes.index(c["channel"]) if "channel" in c else 0 for c in channels]
            self.register_buffer("index", torch.tensor(index))
            self.on = nn.Parameter(torch.tensor([float(c.get("on", c.get("slope", 0))) for c in channels]).view(1, -1, 1, 1))
            self.off = nn.Parameter(torch.tensor([float(c.get("off", c.get("slope", 0))) for c in channels]).view(1, -1, 1, 1))

        def forward(self, x):
            if len(self.prototypes) == 0:
                return x * self.on
            mask = 0.5 * (1 + torch.erf(x[:, self.prototypes] * 2 ** 0.5))
            return x * (self.off + (self.on - self.off) * mask[:, self.index])

    class Layer(nn.Module):
        """A convolution: normalised (the student's) or with the normalisation folded into its bias (the teacher's)."""

        def __init__(self, before, after, stride, normalised):
            super().__init__()
            self.conv = nn.Conv2d(before, after, 3, stride, 1, bias=not normalised)
            self.norm = nn.BatchNorm2d(after) if normalised else nn.Identity()

        def forward(self, x):
            return self.norm(self.conv(x))

    class ResNet20(nn.Module):
        def __init__(self, sites=None):
            super().__init__()
            gates = [nn.ReLU() for _ in range(19)] if sites is None else [SharedGate(s, i) for i, s in enumerate(sites)]
            self.gates = nn.ModuleList(gates)
            self.first = Layer(3, 16, 1, sites is not None)
            self.layers = nn.ModuleList()
            before = 16
            for width in (16, 32, 64):
                for block in range(3):
                    stride = 2 if block == 0 and width > 16 else 1
                    self.layers.append(Layer(before, width, stride, sites is not None))
                    self.layers.append(Layer(width, width, 1, sites is not None))
                    before = width
            self.last = nn.Linear(64, 10)

        def forward(self, x):
            x = self.gates[0](self.first(x))
            for block in range(9):
                y = self.gates[2 * block + 1](self.layers[2 * block](x))
                y = self.layers[2 * block + 1](y)
                if y.shape != x.shape:
                    extra = (y.shape[1] - x.shape[1]) // 2
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra, extra))
                x = self.gates[2 * block + 2](x + y)
            return self.last(x.mean((2, 3)))

    torch.manual_seed(0)
    with open(plan_path) as file:
        sites = [site["channels"] for site in json.load(file)["sites"]]
    teacher, student = ResNet20(), ResNet20(sites)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, weight_decay=5e-4)
    images = torch.randn(BATCH, 3, 32, 32)
    for _ in range(steps):
        with torch.no_grad():
            target = F.log_softmax(teacher(images) / 2, 1)
        output = F.log_softmax(student(images) / 2, 1)
        loss = 4 * F.kl_div(output, target, reduction="batchmean", log_target=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()


def times(command, threads):
    """Seconds of the wall clock and of the processors."""
    start = time.monotonic()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": str(threads)}) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def step_times(command, threads):
    short, long = (times(command(steps), threads) for steps in (SHORT, LONG))
    return [(b - a) / (LONG - SHORT) for a, b in zip(short, long)]


def main():
    if sys.argv[1:2] == ["--pytorch"]:
        return pytorch_steps(sys.argv[2], int(sys.argv[3]))
    import machine
    from cifar import NORMALIZATION, ROOT, run_tool

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="/usr/bin/python3", help="a Python with torch (Debian's)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    arguments = parser.parse_args()
    probe = subprocess.run([arguments.python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True)
    if not arguments.shared.is_dir() or probe.returncode:
        return sys.exit("skipped: ../shared is not there, or the Python has no torch")
    original, data = arguments.shared / "models/resnet20-cifar10.onnx", arguments.shared / "data/cifar10-calib.npz"
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/shared.onnx"
        run_tool("ds-opt", original, "--calibrate", data, "--calibrate-count", 256, *NORMALIZATION, "--budget", "25%",
                 "--strategy", "own", "--repair=off", "-o", model)
        ours = lambda steps: [ROOT / "build/bin/ds-tune", model, "--teacher", original, "--images", data, *NORMALIZATION, "--flip",
                              "--crop", 4, "--smooth-part", 1, "--steps", steps, "--quiet", "-o", f"{folder}/tuned.onnx"]
        theirs = lambda steps: [arguments.python, __file__, "--pytorch", f"{folder}/shared.plan.json", steps]
        rounds = [(step_times(ours, arguments.threads), step_times(theirs, arguments.threads)) for _ in range(arguments.rounds)]
    print(f"{machine.describe(ROOT)}; PyTorch {probe.stdout.strip()}; {arguments.threads} threads, {arguments.rounds} rounds\n")
    print("| a step of 128 images | ds-tune: least, median | PyTorch: least, median | ds-tune / PyTorch, medians |\n|---|---|---|---|")
    for which, name in enumerate(("seconds", "processor seconds")):
        mine, others = ([round[side][which] for round in rounds] for side in (0, 1))
        print(f"| {name} | {min(mine):.3f}, {statistics.median(mine):.3f} | {min(others):.3f}, {statistics.median(others):.3f} "
              f"| {statistics.median(mine) / statistics.median(others):.2f} |")


if __name__ == "__main__":
    main()
