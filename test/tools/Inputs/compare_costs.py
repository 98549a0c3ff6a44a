"""Compares what a report predicts of a plan with what one counts in the model that was written.

usage: compare_costs.py PLANNED WRITTEN
"""

import json
import sys

planned, written = (json.load(open(path, encoding="utf-8"))["after"] for path in sys.argv[1:])
for figure in ("drelus", "muxes", "truncations"):
    print(figure, planned[figure], written[figure])
    if planned[figure] != written[figure]:
        sys.exit(f"{figure}: planned {planned[figure]}, written {written[figure]}")
