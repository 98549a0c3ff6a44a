"""Imports and exports every model of ONNX's backend tests and compares with ONNX's own equality.

usage: round_trip.py EXECUTABLE FOLDER MODELS

EXECUTABLE is onnx-round-trip; FOLDER is made anew; MODELS may hold more .onnx files and may be absent.
"""

import collections
import pathlib
import shutil
import subprocess
import sys

import onnx
import onnx.backend.test
from onnx.backend.test.case.model import collect_testcases as collect_model_cases
from onnx.backend.test.case.node import collect_testcases as collect_node_cases

from crafted_models import crafted_models


def collect(folder: pathlib.Path, models: pathlib.Path) -> dict[str, str]:
    """Writes every model to `folder`; returns the kind of each by its file's name."""
    kinds = {}
    cases = [("node", c) for c in collect_node_cases(None)] + [(c.kind, c) for c in collect_model_cases()]
    for kind, case in cases:
        # Real models are downloads; their graphs come as the light ones below.
        if case.model is not None:
            name = f"{kind}-{case.name}.onnx"
            (folder / name).write_bytes(case.model.SerializeToString())
            kinds[name] = kind
    data = pathlib.Path(onnx.backend.test.__file__).parent / "data"
    for path in sorted(data.rglob("*.onnx")):
        kind = path.relative_to(data).parts[0]
        name = "-".join(path.relative_to(data).parts)
        shutil.copyfile(path, folder / name)
        kinds[name] = kind
    for name, model in crafted_models():
        (folder / f"crafted-{name}.onnx").write_bytes(model)
        kinds[f"crafted-{name}.onnx"] = "crafted"
    extra = sorted(models.glob("*.onnx"))
    if not extra:
        print(f"no models in {models}: skipped")
    for path in extra:
        shutil.copyfile(path, folder / f"shared-{path.name}")
        kinds[f"shared-{path.name}"] = "shared"
    return kinds


def same(old: onnx.ModelProto, new: onnx.ModelProto) -> bool:
    # Equality of messages need not look at unknown fields; their serialised forms do.
    return old == new and old.SerializeToString(deterministic=True) == new.SerializeToString(deterministic=True)


def main() -> int:
    executable, folder, models = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    before, after = folder / "before", folder / "after"
    before.mkdir(parents=True)
    after.mkdir()
    kinds = collect(before, models)
    status = subprocess.run([executable, before, after]).returncode
    equal = collections.Counter()
    for name, kind in kinds.items():
        old, new = onnx.ModelProto(), onnx.ModelProto()
        old.ParseFromString((before / name).read_bytes())
        if (after / name).exists():
            new.ParseFromString((after / name).read_bytes())
        if same(old, new):
            equal[kind] += 1
        else:
            print(f"{name}: changed")
    total = collections.Counter(kinds.values())
    print(", ".join(f"{kind} {equal[kind]}/{total[kind]}" for kind in total))
    print(f"{sum(equal.values())} of {len(kinds)} models came back equal")
    return 1 if status or equal != total else 0


if __name__ == "__main__":
    sys.exit(main())
