#!/usr/bin/env python3
"""Writes the CHECK lines of lit tests on ONNX text anew, from what ds-opt prints today. Read the difference before you
commit it: these lines are the test.

usage: update_checks.py DS_OPT FILE...

Takes the first RUN line's flags. The lines assert the whole output.
"""
import pathlib
import re
import subprocess
import sys


def update(ds_opt: str, path: pathlib.Path) -> None:
    lines = path.read_text().splitlines()
    flags = re.search(r"^# RUN: ds-opt %s (.*?)( \S*>\S+)? \| FileCheck %s$", "\n".join(lines), re.MULTILINE)
    if not flags:
        sys.exit(f"{path}: the first RUN line is not 'ds-opt %s <flags> | FileCheck %s'")
    # The shell, since flags are quoted as in lit.
    output = subprocess.run(f"{ds_opt} {path} {flags[1]}", shell=True, check=True, capture_output=True, text=True).stdout
    checks = [("# CHECK-NEXT: " if i else "# CHECK:      ") + line.rstrip() for i, line in enumerate(output.splitlines())]
    old = [i for i, line in enumerate(lines) if line.startswith(("# CHECK:", "# CHECK-NEXT:"))]
    first = old[0] if old else next(i for i, line in enumerate(lines) if line.startswith("<"))
    rest = [line for i, line in enumerate(lines) if i not in old]
    path.write_text("\n".join(rest[:first] + checks + rest[first:]) + "\n")


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    for name in sys.argv[2:]:
        update(sys.argv[1], pathlib.Path(name))


if __name__ == "__main__":
    main()
