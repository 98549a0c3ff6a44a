"""Parties as processes of this machine that talk over loopback, or from namespace to namespace.

Each party is `python -m deepshare_pi.<module> FOLDER RANK`; the folder holds what it is given, and takes its results and
its log. When one ends before its time the others are ended within a second.
"""

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path


# A party's line in its log at the start of a run.
RUN_MARK = "deepshare-pi run"


class PartyError(Exception):
    """A party failed; the message says which and what it said last."""


def die_with_parent():
    """Asks the kernel to end this process with the one that started it, so that no party outlives its run."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def run_parties(module, folder, parties, progress=lambda: None, namespaces=None):
    """Runs `parties` processes to their end. `progress` is called a few times a second."""
    environment = dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=os.pathsep.join(sys.path))
    processes = []
    try:
        for rank in range(parties):
            log = open(Path(folder, f"log-{rank}"), "wb")
            command = [sys.executable, "-m", module, str(folder), str(rank)]
            if namespaces:
                command = namespaces.command(rank) + command
            processes.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        while any(process.poll() is None for process in processes):
            for rank, process in enumerate(processes):
                if process.poll():
                    raise PartyError(_describe(rank, process.returncode, Path(folder, f"log-{rank}")))
            progress()
            time.sleep(0.1)
        for rank, process in enumerate(processes):
            if process.returncode:
                raise PartyError(_describe(rank, process.returncode, Path(folder, f"log-{rank}")))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def _describe(rank, code, log):
    end = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    # The exception that ended it, if it tells one; else what it said last, which the mark of a run is not.
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    lines = [line for line in lines if "[info]" not in line and line != RUN_MARK]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    last = next((line for line in reversed(errors or lines) if line and "[warning]" not in line), "no message")
    return f"party {rank} {end}, the others were ended: {last}"
