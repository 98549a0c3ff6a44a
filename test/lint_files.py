#!/usr/bin/env python3
"""Lists the source files that clang-tidy can check: those that do not include libtorch's headers.

clang 19 cannot parse libtorch 1.13 as C++20 (it instantiates std::vector of a type that is still incomplete, which GCC
does not), and takes half a minute a file where it can.
"""

import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)


@functools.cache
def includes_torch(path):
    for name in INCLUDE.findall(path.read_text()):
        if name.startswith(("ATen/", "torch/", "c10/")):
            return True
        for folder in (path.parent, ROOT / "include", ROOT / "tools"):
            if (folder / name).is_file() and includes_torch((folder / name).resolve()):
                return True
    return False


def cmake_of(folder):
    """The text of the CMakeLists.txt that builds a folder's sources: its own, or that of the nearest folder above."""
    path = folder / "CMakeLists.txt"
    return path.read_text() if path.is_file() else cmake_of(folder.parent)


for folder in ("lib", "passes", "tools"):
    for source in sorted((ROOT / folder).rglob("*.cpp")):
        # Where there is a precompiled header, it brings ATen, and GCC's form is not clang's.
        precompiled = "precompile_headers" in cmake_of(source.parent)
        if not precompiled and not includes_torch(source):
            print(source)
