"""compare_numbers.py A B TOLERANCE: two JSON files are equal but for numbers, which differ by TOLERANCE of themselves at most."""
import json
import math
import sys


def check(a, b, where):
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            check(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list) and isinstance(b, list):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b)):
            check(*pair, f"{where}[{index}]")
    elif isinstance(a, float) or isinstance(b, float):
        assert math.isclose(a, b, rel_tol=tolerance), f"{where}: {a} and {b}"
    else:
        assert a == b, f"{where}: {a} and {b}"


tolerance = float(sys.argv[3])
first, second = (json.load(open(path)) for path in sys.argv[1:3])
check(first, second, "")
