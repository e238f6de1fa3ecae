# Where lit looks for tests, which tools they find on PATH, and the features
# that REQUIRES: may name.
import os
import shutil

import lit.formats

config.name = "DS"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".mlir", ".test"]
config.excludes = ["models", "configs", "data", "Inputs", "corpus"]
config.test_source_root = os.path.join(config.source_dir, "test")
config.test_exec_root = os.path.join(config.build_dir, "test")

config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.build_dir, "bin"), config.llvm_tools_dir, os.environ["PATH"]])
config.environment["LC_ALL"] = "C.UTF-8"
# A runtime library built with sanitizers is tested for errors, not for leaks of
# the tools around it.
config.environment["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"

shared = os.path.join(config.source_dir, "..", "shared")
config.substitutions.append(("%models", os.path.join(config.test_source_root, "models")))
config.substitutions.append(("%shared", os.path.normpath(shared)))
config.substitutions.append(("%root", config.source_dir))
config.substitutions.append(("%build", config.build_dir))
# Runs a checkpoint, or a folder of stage dumps, at every stage; prints a table.
config.substitutions.append(("%verify-stages", "ds-compile --verify-stages"))
# %nvptx-run PROGRAM OUT [arguments]: its expectations on simulated GPUs.
config.substitutions.append(("%nvptx-run", "sh " + os.path.join(config.test_source_root, "Integration", "Inputs", "nvptx.sh")))

if os.path.isdir(shared):
    config.available_features.add("shared")
else:
    lit_config.note("the folder ../shared is absent: tests that REQUIRE 'shared' are skipped")
# Where ds-compile --cubin finds it too.
toolkits = [os.environ.get(name) for name in ("CUDA_HOME", "CUDA_PATH")] + ["/usr/local/cuda"]
if shutil.which("ptxas") or any(
        shutil.which("ptxas", path=os.path.join(toolkit, "bin")) for toolkit in toolkits if toolkit):
    config.available_features.add("ptxas")
if shutil.which("nvidia-smi"):
    config.available_features.add("cuda")
