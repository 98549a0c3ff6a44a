# Tests of passes and tools on ONNX text: run with `lit build/test` after a build.
import os

import lit.formats

config.name = "DeepShare"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".onnxtxt", ".test"]
config.test_source_root = os.path.dirname(__file__)
# The other folders hold GoogleTests and scripts, whose inputs may be ONNX text.
config.excludes = ["Inputs"] + [name for name in os.listdir(config.test_source_root) if name not in ("passes", "tools")]
config.test_exec_root = os.path.join(config.build_dir, "test", "lit")

# The built tools, then FileCheck and the Python of build/deps.
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.build_dir, "bin"), config.python_dir, config.llvm_tools_dir, config.environment["PATH"]])
# Reports of the sanitizers end a test.
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.substitutions.append(("%shared", config.shared_dir))
if os.path.isdir(config.shared_dir):
    config.available_features.add("shared")
if config.sanitize:
    config.available_features.add("sanitizers")
# Every model that a test reads and writes must survive printing and parsing.
config.substitutions.append((r"(?<![\w/.-])ds-opt(?![\w/.-])", "ds-opt --verify-roundtrip"))
