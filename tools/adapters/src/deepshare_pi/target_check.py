"""Holds a model against ds-opt's table of what a framework's importer takes, before any party starts."""

import shutil
import subprocess
import sys

from deepshare_pi.images import InputError


def check_target(model, framework):
    """An InputError that names the node and the reason, if the framework cannot run the file `model` as it is."""
    ds_opt = shutil.which("ds-opt")
    if not ds_opt:
        print(f"ds-pi: note: no ds-opt on PATH (a build puts it in build/bin): whether {framework} takes {model} shows when the parties start", file=sys.stderr)
        return
    passes = f"--passes=infer-shapes,check-target{{target={framework}}}"
    run = subprocess.run([ds_opt, model, passes], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if run.returncode:
        reason = run.stderr.strip().splitlines()[-1].removeprefix("ds-opt: error: ")
        hint = f" (ds-opt --target={framework} brings a model into the framework's forms)" if "'check-target'" in reason else ""
        raise InputError(reason.replace("pass 'check-target': ", "") + hint)
