"""Runs a command that keeps a checkpoint, kills it as soon as the checkpoint is there, and runs it again to its end:
CHECKPOINT COMMAND..."""
import os
import subprocess
import sys
import time

checkpoint, command = sys.argv[1], sys.argv[2:]
process = subprocess.Popen(command)
while not os.path.exists(checkpoint):
    assert process.poll() is None, "ended before it wrote a checkpoint"
    time.sleep(0.001)
process.kill()
process.wait()
sys.exit(subprocess.run(command).returncode)
