"""SPU's parties: each runs the compiled program on its shares. Started by frameworks.run_spu_function, a process a party, or one
process for SPU's simulator, where parties are threads that talk through memory.

SPU prints what every operation of the protocol sent when its profile is on; frameworks.run_spu_function reads it in the log.
"""

import json
import os
import pickle
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import spu

from deepshare_pi.parties import RUN_MARK, die_with_parent


def description_of(job):
    description = spu.link.Desc()
    for party, address in enumerate(job["addresses"]):
        description.add_party(f"party{party}", address)
    description.recv_timeout_ms = 120 * 1000
    return description


def run_party(folder, job, link, rank):
    """All of the job's runs; writes this party's shares of the outputs, and the seconds of each run."""
    config = spu.RuntimeConfig()
    config.ParseFromString(Path(folder, "config").read_bytes())
    runtime = spu.Runtime(link, config)
    executable = spu.Executable()
    executable.ParseFromString(Path(folder, "executable").read_bytes())
    for name, share in pickle.loads(Path(folder, f"weights-{rank}").read_bytes()).items():
        runtime.set_var(name, share)
    outputs, seconds = [], []
    for run in range(job["runs"]):
        for name, share in pickle.loads(Path(folder, f"input-{run}-{rank}").read_bytes()).items():
            runtime.set_var(name, share)
        print(RUN_MARK, file=sys.stderr, flush=True)
        begin = time.perf_counter()
        runtime.run(executable)
        seconds.append(time.perf_counter() - begin)
        outputs.append([runtime.get_var(name) for name in executable.output_names])
        Path(folder, f"done-{rank}").write_text(str(run + 1))
    Path(folder, f"outputs-{rank}").write_bytes(pickle.dumps(outputs))
    Path(folder, f"seconds-{rank}").write_text(json.dumps(seconds))


def simulate(folder, job):
    """All parties as threads. One that fails ends the process: the others would wait for it."""

    def run_thread(rank):
        try:
            run_party(folder, job, spu.link.create_mem(description_of(job), rank), rank)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    with ThreadPoolExecutor(len(job["addresses"])) as threads:
        list(threads.map(run_thread, range(len(job["addresses"]))))


def main(folder, rank):
    die_with_parent()
    job = json.loads(Path(folder, "job.json").read_text())
    if job["simulated"]:
        simulate(folder, job)
        return
    link = spu.link.create_brpc(description_of(job), rank)
    run_party(folder, job, link, rank)
    link.stop_link()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
