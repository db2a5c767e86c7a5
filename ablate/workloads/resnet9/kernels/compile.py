"""Compile the CPU kernels once for this processor, store the library in the cache, and load it."""

from __future__ import annotations

import _ctypes
import ctypes
import hashlib
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from ablate.errors import UserError
from ablate.journal.journal_lines import DamagedJournalError, open_regular
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
_LONGEST = 900
"""Seconds after which the compiler is ended. The kernels take less than a minute."""

_LONGEST_ANSWER = 60
"""Seconds after which a compiler that does not print its version is ended."""

_FUNCTION = "convolution_forward_float32"
"""A function of the library. A file without it is another library."""

_ELF_HEADER = 64
_LONGEST_LINE = 300
_LONGEST_OUTPUT = 2**16
_UNFINISHED = "unfinished-"


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
        found = _load(path)
        if found is None:
            _remove_unfinished(path.parent)
            found = _load(_compile(command, path), is_new=True)
    except OSError as error:
        raise UserError(f"The CPU kernels cannot be stored in {path.parent}: {error}") from error
    if found is None:
        raise UserError(
            f"The CPU kernels in {path} cannot be loaded: {command} made no complete library, or the file system does "
            "not permit programs (noexec). Choose another compiler with CXX, or another folder with ABLATE_CACHE"
        )
    return found


class UnsafeCacheError(UserError):
    """Others can write to the folder from which the kernels would be loaded."""


def _check_private(folder: Path) -> None:
    """Raise UnsafeCacheError if others can change or replace a folder whose libraries this process would execute."""
    parents = [parent.stat().st_mode for parent in (folder.parent, folder.resolve().parent)]
    is_replaceable = any(mode & stat.S_IWOTH and not mode & stat.S_ISVTX for mode in parents)
    if is_replaceable or not _is_private(folder.stat()):
        raise UnsafeCacheError(
            f"The compiled CPU kernels are not used: {folder} belongs to another user, or others can write to it or to "
            "its parent. Correct its permissions (chmod go-w), or set ABLATE_CACHE to a folder of your own"
        )


def _is_private(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _load(path: Path, *, is_new: bool = False) -> ctypes.CDLL | None:
    """Return a library, or None for a missing, damaged or foreign file. A new one may not have its digest yet."""
    try:
        found = path.lstat()
        if not (stat.S_ISREG(found.st_mode) and _is_private(found) and _is_complete(path.read_bytes())):
            return None
        if not is_new and _stored_digest(path) != _digest(path):
            return None
        loaded = ctypes.CDLL(str(path))
    except (OSError, DamagedJournalError):
        return None
    if hasattr(loaded, _FUNCTION):
        return loaded
    _ctypes.dlclose(loaded._handle)  # noqa: SLF001  # otherwise its successor in the same path is not loaded
    return None


def _is_complete(content: bytes) -> bool:
    """Return whether a library has its last part, the table of sections: loading half a file can end the process."""
    if len(content) < _ELF_HEADER or not content.startswith(b"\x7fELF"):
        return False
    (start,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<HH", content, 58)
    return bool(0 < start <= len(content) - size * count)


def _digest_path(path: Path) -> Path:
    """Return the file with the digest of a library. A truncated library can end the process that loads it."""
    return path.with_suffix(".sha256")


def _stored_digest(path: Path) -> str:
    with open_regular(_digest_path(path)) as file:
        return file.read(100).decode(errors="replace")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _compile(command: str, path: Path) -> Path:
    """Compile in a temporary folder and rename the result to `path`, so that no process sees a partial library."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=_UNFINISHED, ignore_cleanup_errors=True) as folder:
        unfinished, digest = Path(folder, path.name), Path(folder, "digest")
        done = _run([command, *FLAGS, *map(str, SOURCES), "-o", str(unfinished)], _LONGEST)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise UserError(f"{command} could not compile the CPU kernels: {lines[0][:_LONGEST_LINE]}")
        if not unfinished.exists() or not stat.S_ISREG(unfinished.lstat().st_mode):
            raise UserError(f"{command} wrote no library of the CPU kernels. Choose another compiler with CXX")
        unfinished.chmod(0o700)
        digest.write_text(_digest(unfinished), encoding="utf-8")
        for source, target in ((unfinished, path), (digest, _digest_path(path))):
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            source.replace(target)
    return path


def _remove_unfinished(folder: Path) -> None:
    """Remove the folders of compilations that were killed: those older than a compilation can be."""
    for unfinished in folder.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if unfinished.lstat().st_mtime < time.time() - 2 * _LONGEST:
                shutil.rmtree(unfinished)


def _name(command: str) -> str:
    return processor_digest(_run([command, "--version"], _LONGEST_ANSWER).stdout)


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run the compiler. Raises UserError if it cannot be started or does not end.

    Its output goes to files: waiting for the end of a pipe would include processes that the compiler left behind.
    """
    try:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, check=False, timeout=seconds
            )
            return subprocess.CompletedProcess(command, done.returncode, _beginning(output), _beginning(errors))
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it did not end within {seconds:g} s"
        raise UserError(f"The compiler {command[0]} cannot be used: {reason}") from error


def _beginning(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_LONGEST_OUTPUT).decode("utf-8", errors="replace")


def processor_digest(version: str) -> str:
    """Return a hash of sources, flags, processor and another version; several machines may share a cache."""
    facts = processor_facts().splitlines()
    processor = sorted({line for line in facts if line.startswith(("flags", "Features", "model name", "CPU part"))})
    parts = [*(source.read_text(encoding="utf-8") for source in (*SOURCES, *HEADERS)), *FLAGS, version, *processor]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
