"""One of SPU's parties: runs the compiled program on its shares. Started by frameworks.run_spu.

SPU prints what every operation of the protocol sent when its profile is on; frameworks.run_spu reads it in the log.
"""

import json
import pickle
import sys
import time
from pathlib import Path

from deepshare_pi.parties import die_with_parent

RUN_MARK = "deepshare-pi run"


def main(folder, rank):
    die_with_parent()
    job = json.loads(Path(folder, "job.json").read_text())
    import spu

    description = spu.link.Desc()
    for party, address in enumerate(job["addresses"]):
        description.add_party(f"party{party}", address)
    description.recv_timeout_ms = 120 * 1000
    link = spu.link.create_brpc(description, rank)
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
    link.stop_link()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
