"""The kernels as a library: compiled once for this processor, kept in the cache, loaded."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path

from ablate.errors import UserError
from ablate.paths import cache_folder
from ablate.workloads.resnet9.cpu_features import processor_facts

_NAMES = ("norm_pool_relu", "convolution_float32", "convolution_bfloat16")
SOURCES = tuple(Path(__file__).with_name(f"{name}.cpp") for name in _NAMES)
HEADERS = tuple(Path(__file__).with_name(f"{name}.h") for name in ("vectors", "matrices", "tiles", "convolution"))
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-falign-functions=64", "-falign-loops=32"),  # else their luck is worth 2 % either way
    *("-fopenmp", "-shared", "-fPIC"),
)


def compiler() -> str | None:
    """Return the path of a C++ compiler: CXX, else the system's, else none."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))), None)


@cache
def library() -> ctypes.CDLL:
    """Return the kernels, compiled first where no process has done so for this processor and compiler.

    Raises UserError where there is no compiler, or where it fails.
    """
    if sys.platform != "linux":
        raise UserError("the fused kernels are for Linux")
    command = compiler()
    if command is None:
        raise UserError("the fused kernels need a C++ compiler (g++ or clang++) on the path")
    path = cache_folder() / "kernels" / f"{_name(command)}.so"
    try:
        if not path.exists():
            _compile(command, path)
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"the fused kernels cannot be kept in {path.parent}: {error}") from error


def _compile(command: str, path: Path) -> None:
    """Compile beside the place and rename: of processes that do so at once, each gets a whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{uuid.uuid4().hex}.tmp")
    done = subprocess.run(
        [command, *FLAGS, *map(str, SOURCES), "-o", str(made)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"{command} could not compile the fused kernels: {lines[0]}")
    made.replace(path)


def _name(command: str) -> str:
    """Return what the compiled kernels depend on, in twelve hex digits; a shared cache may serve several processors."""
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    facts = processor_facts().splitlines()
    processor = sorted({line for line in facts if line.startswith(("flags", "Features", "model name", "CPU part"))})
    parts = [*(source.read_text() for source in (*SOURCES, *HEADERS)), *FLAGS, version, *processor]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
