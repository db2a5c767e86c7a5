"""Compile the CPU kernels once for this processor, store the library in the cache, and load it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import uuid
from functools import cache
from pathlib import Path

from ablate.errors import UserError
from ablate.paths import cache_folder
from ablate.workloads.resnet9.cpu_features import processor_facts

_NAMES = (
    *("norm_pool_relu", "convolution_float32", "convolution_bfloat16", "convolution_pairs"),
    *("convolution_amx", "weight_gradient_amx"),
)
_HEADERS = ("vectors", "arguments", "matrices", "tiles", "convolution", "amx", "grids")
SOURCES = tuple(Path(__file__).with_name(f"{name}.cpp") for name in _NAMES)
HEADERS = tuple(Path(__file__).with_name(f"{name}.h") for name in _HEADERS)
FLAGS = (
    *("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math"),
    *("-falign-functions=64", "-falign-loops=32"),  # otherwise the speed varies by 2 % with the alignment
    *("-fopenmp", "-shared", "-fPIC"),
)


def compiler() -> str | None:
    """Return the path of a C++ compiler: CXX, or the system's, or None."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++"))), None)


@cache
def library() -> ctypes.CDLL:
    """Return the kernels. Compiles them if the cache has no library for this processor and compiler.

    Raises UserError if there is no compiler or it fails.
    """
    if sys.platform != "linux":
        raise UserError("The CPU kernels are available on Linux only")
    command = compiler()
    if command is None:
        raise UserError("The CPU kernels need a C++ compiler (g++ or clang++) on the PATH")
    path = cache_folder() / "kernels" / f"{_name(command)}.so"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_private(path.parent)
        return _load(path) or _load(_compile(command, path)) or ctypes.CDLL(str(path))
    except OSError as error:
        raise UserError(f"The CPU kernels cannot be stored in {path.parent}: {error}") from error


class UnsafeCacheError(UserError):
    """Others can write to the folder from which the kernels would be loaded."""


def _check_private(folder: Path) -> None:
    """Raise UnsafeCacheError if others can write to a folder whose libraries this process would execute."""
    found = folder.stat()
    if not _is_private(found):
        raise UnsafeCacheError(
            f"The compiled CPU kernels are not used: {folder} belongs to another user or is writable by others. "
            "Correct its permissions (chmod go-w), or set ABLATE_CACHE to a folder of your own"
        )


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _load(path: Path) -> ctypes.CDLL | None:
    """Return a library, or None for a missing, damaged or foreign file."""
    try:
        found = path.lstat()
        if not (
            stat.S_ISREG(found.st_mode)
            and _is_private(found)
            and _digest_path(path).read_text(encoding="utf-8") == _digest(path)
        ):
            return None
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def _digest_path(path: Path) -> Path:
    """Return the file with the digest of a library. A truncated library can end the process that loads it."""
    return path.with_suffix(".sha256")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compile(command: str, path: Path) -> Path:
    """Compile into a temporary file and rename it to `path`, so that no process sees a partial library."""
    unfinished = path.with_name(f"{uuid.uuid4().hex}.tmp")
    done = subprocess.run(
        [command, *FLAGS, *map(str, SOURCES), "-o", str(unfinished)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise UserError(f"{command} could not compile the CPU kernels: {lines[0]}")
    unfinished.chmod(0o700)
    digest = _digest(unfinished)
    unfinished.replace(path)
    part = unfinished.with_suffix(".part")
    part.write_text(digest, encoding="utf-8")
    part.replace(_digest_path(path))
    return path


def _name(command: str) -> str:
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=False).stdout
    return processor_digest(version)


def processor_digest(version: str) -> str:
    """Return a hash of sources, flags, processor and another version; several machines may share a cache."""
    facts = processor_facts().splitlines()
    processor = sorted({line for line in facts if line.startswith(("flags", "Features", "model name", "CPU part"))})
    parts = [*(source.read_text(encoding="utf-8") for source in (*SOURCES, *HEADERS)), *FLAGS, version, *processor]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
