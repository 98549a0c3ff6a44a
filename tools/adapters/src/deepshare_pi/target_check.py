"""Holds a model against what ds-opt says of it, and of what a framework's importer takes, before any party starts."""

import shutil
import subprocess
import sys

import onnx
from google.protobuf.message import DecodeError

from deepshare_pi.images import InputError


def check_target(model, framework):
    """An InputError that names the node and the reason, if the framework cannot run the file `model` as it is, or says what
    the file is if ds-opt did not write it for the framework: what is secret and what is public depends on that."""
    target = legalised_for(model)
    if target and target != framework:
        raise InputError(f"{model}: is in the forms of target {target}: give ds-opt --target={framework} the file that it was made from")
    check_forms(model, framework)
    if not target:
        raise InputError(f"{model}: was not written by ds-opt --target={framework}, which settles what is secret and what is public")


def legalised_for(model):
    """The target that ds-opt wrote the file for, None if it wrote it for none."""
    try:
        properties = onnx.load(model, format="protobuf", load_external_data=False).metadata_props
    except FileNotFoundError as error:
        raise InputError(f"{model}: no such file") from error
    except (OSError, DecodeError) as error:
        raise InputError(f"{model}: not an ONNX model: {error}") from error
    return next((entry.value for entry in properties if entry.key == "ai.deepshare.target"), None)


def check_forms(model, framework):
    """check_target() by ds-opt's table, if there is a ds-opt."""
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
