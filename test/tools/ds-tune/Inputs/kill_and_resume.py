"""Runs a command that keeps a checkpoint, kills it as soon as the checkpoint is there, and runs it again to its end
(with --only-kill: not): [--only-kill] CHECKPOINT COMMAND..."""
import os
import subprocess
import sys
import time

only_kill = sys.argv[1] == "--only-kill"
checkpoint, *command = sys.argv[1 + only_kill:]
process = subprocess.Popen(command)
while not os.path.exists(checkpoint):
    assert process.poll() is None, "ended before it wrote a checkpoint"
    time.sleep(0.001)
process.kill()
process.wait()
sys.exit(0 if only_kill else subprocess.run(command).returncode)
