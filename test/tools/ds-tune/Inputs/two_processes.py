"""Runs a command as the two processes of a data-parallel job."""
import os
import socket
import subprocess
import sys

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
job = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
processes = [subprocess.Popen(sys.argv[1:], env={**os.environ, **job, "RANK": str(rank)}) for rank in range(2)]
sys.exit(max(abs(process.wait(timeout=120)) for process in processes))
