"""The provenance of a result: commit, versions and machine."""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import ablate
from ablate.redaction import mask_secrets
from ablate.workloads.resnet9.cpu_features import processor_facts

RECORDED_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "mlflow", "optuna", "ray", "scipy")


@dataclass(frozen=True)
class Commit:
    """The state of a git checkout. `diff` has the uncommitted changes to tracked files, with secrets masked."""

    hash: str
    diff: str


@cache
def commit(project: Path) -> Commit | None:
    """Return the commit of the project, or of this package if the project is not in a repository."""
    for folder in (project, Path(ablate.__file__).parent):
        found = _git(folder, "rev-parse", "HEAD")
        if found:
            return Commit(found.strip(), mask_secrets(_git(folder, "diff", "HEAD") or ""))
    return None


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return answer.stdout


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


def environment(project: Path) -> dict[str, Any]:
    """Return versions, platform and commit as plain data. Environment variables are omitted: they may hold secrets."""
    state = commit(project)
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
