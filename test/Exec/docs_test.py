"""Checks that docs/exec.md lists the operators that lib/Exec runs.

usage: docs_test.py DS_RUN DOCS [--update]
"""

import pathlib
import subprocess
import sys
import textwrap

BEGIN, END = "<!-- ds-run --operators -->\n", "<!-- end -->\n"


def main() -> int:
    names = subprocess.run([sys.argv[1], "--operators"], check=True, capture_output=True, text=True).stdout.split()
    path = pathlib.Path(sys.argv[2])
    text = path.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    table = textwrap.fill(" ".join(f"`{name}`" for name in names), 118, break_long_words=False, break_on_hyphens=False)
    wanted = f"{before}{BEGIN}{table}\n{END}{after}"
    if "--update" in sys.argv:
        path.write_text(wanted)
        return 0
    if text == wanted:
        return 0
    print(f"{path}: the operator table is not that of the code; mend it with\n  {' '.join(sys.argv)} --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())
