"""The provenance of a result: commit, versions and machine."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ablate
from ablate.redaction import mask_secrets
from ablate.workloads.resnet9.cpu_features import processor_facts

RECORDED_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "mlflow", "optuna", "ray", "scipy")


_OUTPUTS = ("mlruns", "reports")
"""Folders of a project that contain results, not code."""

_LONGEST_DIFF = 1_000_000
_TIMEOUT = 20.0
_OTHER_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX")
"""Variables that git sets for its hooks. They would direct every command to the repository of the hook."""

_UNKNOWN_CHANGES = "# `git diff` failed: the uncommitted changes are unknown\n"
_NO_PROGRAMS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
"""Programs in a repository's configuration are not started."""

_DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index")
"""Without the programs and colours of the repository's configuration; binary files are named by their full hashes."""


@dataclass(frozen=True)
class Commit:
    """The state of a git checkout.

    `diff` has the uncommitted changes to the code, with secrets masked. Bytes that are not UTF-8 are surrogate escapes.
    """

    hash: str
    diff: str


@cache
def commit(project: Path, study_file: Path | None = None) -> Commit | None:
    """Return the commit of the training code, or None if it is not in a repository.

    The code of a study's own training is in the repository of its `study_file`, and a file that git does not track
    counts as an uncommitted change. That of a built-in training is in the project, or else in this package. Changes in
    the folders of results, of the project and of this package's checkout, do not count.
    """
    for folder in [study_file.parent] if study_file else [project, Path(ablate.__file__).parent]:
        found, top = _git(folder, "rev-parse", "HEAD"), _git(folder, "rev-parse", "--show-toplevel")
        if found and top:
            diff = _tracked_changes(Path(top.strip()), project) + (_untracked(study_file) if study_file else "")
            return Commit(found.strip(), mask_secrets(diff[:_LONGEST_DIFF]))
    return None


@cache
def refused_repository(folder: Path) -> str | None:
    """Return the repository that git does not read since another user owns it, or None."""
    reason = _run_git(folder, "rev-parse", "HEAD").stderr
    if "dubious ownership" not in reason:
        return None
    return reason.partition("repository at '")[2].partition("'")[0] or str(folder)


def _tracked_changes(top: Path, project: Path) -> str:
    own = Path(ablate.__file__).parents[1]  # the checkout of this package is a project, too
    folders = {folder.resolve() / name for folder in (project, own) for name in _OUTPUTS}
    outputs = [folder.relative_to(top).as_posix() for folder in sorted(folders) if folder.is_relative_to(top)]
    excluded = [f":(exclude,top){folder}" for folder in outputs]
    changes = _git(top, *_DIFF, "HEAD", "--", ".", *excluded)
    return _UNKNOWN_CHANGES if changes is None else changes


def _untracked(file: Path) -> str:
    """Return a file as a change, if git does not track it."""
    if _git(file.parent, "ls-files", "--error-unmatch", "--", file.name) is not None:
        return ""
    return _git(file.parent, *_DIFF, "--no-index", "--", os.devnull, file.name, differs=True) or ""


def _git(folder: Path, *arguments: str, differs: bool = False) -> str | None:
    """Return the answer of git, None if it fails. With `differs`, exit code 1 is not a failure."""
    answer = _run_git(folder, *arguments)
    return answer.stdout if answer.returncode in ((0, 1) if differs else (0,)) else None


def _run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git. An answer that is longer than _LONGEST_DIFF bytes is cut off, with exit code 0."""
    environment = {name: value for name, value in os.environ.items() if name not in _OTHER_REPOSITORY}
    environment["LC_ALL"] = "C"  # `refused_repository` reads the message
    command = ["git", *_NO_PROGRAMS, *arguments]
    try:
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            ) as process,
        ):
            assert process.stdout
            timer = threading.Timer(_TIMEOUT, _kill, [process])
            timer.start()
            try:
                output = process.stdout.read(_LONGEST_DIFF + 1)
                process.stdout.close()  # ends a longer answer
                code = process.wait()
            finally:
                timer.cancel()
                if process.returncode is None:  # after Ctrl-C
                    _kill(process)
            errors.seek(0)
            reason = errors.read()
    except (OSError, ValueError):  # not installed, no space, NUL in a name
        return subprocess.CompletedProcess(command, 127, "", "")
    is_cut = len(output) > _LONGEST_DIFF
    text, reason_text = (part.decode(errors="surrogateescape") for part in (output, reason))
    return subprocess.CompletedProcess(command, 0 if is_cut else code, text, reason_text)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children, which may hold its output open."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that a result depends on."""
    found = {"python": platform.python_version(), "ablate": ablate.__version__}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def environment(project: Path, study_file: Path | None = None) -> dict[str, Any]:
    """Return versions, platform and commit as plain data. Environment variables are omitted: they may hold secrets."""
    state = commit(project, study_file)
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "processor": _processor(),
        "commit": state.hash if state else None,
        "dirty": bool(state and state.diff),
    }


@cache
def _processor() -> str:
    lines = processor_facts().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
