"""Describes the machine and the commit that a result was measured with."""

import datetime
import os
import pathlib
import subprocess


def describe(root):
    """One line: processor, cores, memory, commit, date."""
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown processor")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return f"{cpu}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GB; commit {commit or 'unknown'}; {datetime.date.today()}"
