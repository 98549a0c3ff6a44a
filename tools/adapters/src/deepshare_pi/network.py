"""The network between the parties: real, shaped by `tc netem` in namespaces of their own, or computed.

`Namespaces` puts each party in a network namespace made here, joined by a bridge in one more; all of it goes when the run
ends, whichever way. That takes root, iproute2, and a kernel with netem; without them the time is computed as ds-opt does,
bytes over bandwidth and a round trip for each round, on top of what the run took on this machine.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from deepshare_pi.images import InputError

UNITS = {"s": 1, "ms": 1e-3, "us": 1e-6}
RATES = {unit: scale / 8 for scale, names in ((1, "bps bit"), (1e3, "kbps kbit"), (1e6, "Mbps Mbit"), (1e9, "Gbps Gbit"))
         for unit in names.split()} | {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}  # fmt: skip
INTERFACE = "party"
MEASURED, COMPUTED = "measured under tc netem", "computed from rounds and bytes"


@dataclass
class Network:
    round_trip: float  # seconds
    rate: float  # bytes a second

    def seconds(self, run):
        """What the link adds to `run`."""
        return run.bytes / self.rate + run.rounds * self.round_trip

    def __str__(self):
        return f"{self.round_trip * 1e3:g} ms, {self.rate / 1e6:g} MB/s"


def quantity(text, units):
    found = re.fullmatch(r"\s*([\d.]+)\s*([a-zA-Z]+)\s*", text)
    if not found or found[2] not in units or not re.fullmatch(r"\d+\.?\d*|\.\d+", found[1]):
        return None
    return float(found[1]) * units[found[2]]


def parse_network(text):
    """ds-opt's --network: lan, wan, or round trip and bandwidth such as 20ms,100Mbps."""
    named = {"lan": Network(0.3e-3, 384e6), "wan": Network(40e-3, 44e6)}
    if text in named:
        return named[text]
    trip, _, rate = text.partition(",")
    network = Network(quantity(trip, UNITS), quantity(rate, RATES))
    if network.round_trip is None or not network.rate:
        raise InputError(f"--network {text}: expected lan, wan, or round trip and bandwidth such as 20ms,100Mbps")
    return network


class Unavailable(Exception):
    """Why no network can be shaped here."""


def call(*command):
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise Unavailable(f"{' '.join(command)}: {' '.join(run.stderr.split())}")


class Namespaces:
    """One namespace a party, with the interface INTERFACE and an address of 10.213.7.0/24, which nothing outside sees."""

    def __init__(self, parties, network):
        self.network = network
        stem = f"ds-pi-{os.getpid()}"
        self.names = [f"{stem}-{rank}" for rank in range(parties)]
        self.switch = f"{stem}-switch"
        self.hosts = [f"10.213.7.{rank + 1}" for rank in range(parties)]
        self.made = []

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
            raise Unavailable("it takes root, ip and tc")
        self.make(self.switch)
        call("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
        call("ip", "-n", self.switch, "link", "set", "bridge", "up")
        for rank, (name, host) in enumerate(zip(self.names, self.hosts)):
            self.make(name)
            port = f"port{rank}"
            call("ip", "-n", name, "link", "add", INTERFACE, "type", "veth", "peer", "name", port, "netns", self.switch)
            call("ip", "-n", name, "address", "add", f"{host}/24", "dev", INTERFACE)
            call("ip", "-n", self.switch, "link", "set", port, "master", "bridge", "up")
            call("ip", "-n", name, "link", "set", INTERFACE, "up")
            self.shape(name)

    def make(self, name):
        call("ip", "netns", "add", name)
        self.made.append(name)
        call("ip", "-n", name, "link", "set", "lo", "up")

    def shape(self, name):
        """Half of the round trip on the way out of each party, and its bandwidth."""
        delay, rate = f"{self.network.round_trip * 5e5:.0f}us", f"{self.network.rate * 8:.0f}bit"
        call("tc", "-n", name, "qdisc", "add", "dev", INTERFACE, "root", "netem", "delay", delay, "rate", rate, "limit", "100000")

    def command(self, rank):
        """What starts a process in the namespace of party `rank`."""
        return ["ip", "netns", "exec", self.names[rank]]

    def __exit__(self, *_):
        for name in self.made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        self.made.clear()
