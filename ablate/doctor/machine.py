"""Checks of this machine: data caches, disk, versions, and what computes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import ablate
from ablate.doctor.types import Finding, Surroundings, many, some
from ablate.errors import UserError
from ablate.runs.provenance import versions
from ablate_study import DISTRIBUTION, REINSTALL, foreign_version

LITTLE, VERY_LITTLE = 2e9, 2e8
"""Free bytes below which there is a note, and a problem: a study of 40 runs keeps about 0.1 GB."""


def check_caches(_here: Surroundings) -> list[Finding]:
    """Look for decoded data that is broken or was never finished."""
    from ablate.paths import cache_folder

    folder = cache_folder()
    entries, broken, unfinished = cached(folder)
    size = sum(path.stat().st_size for entry in entries for path in entry.iterdir() if path.is_file())
    found = []
    if broken:
        text = f"{many(len(broken), 'data set')} broken in {folder}: {some([path.name for path in broken])}"
        found.append(Finding("data cache", "note", text, "decoded anew when next used; --repair removes them now"))
    if unfinished:
        text = f"{many(len(unfinished), 'unfinished folder')} in {folder}"
        found.append(Finding("data cache", "note", text, "--repair removes those that nobody is building"))
    words = f"{folder}: {many(len(entries), 'decoded data set')}, {size / 1e6:,.0f} MB"
    return found or [Finding("data cache", "ok", words)]


def cached(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the decoded data sets in a cache: the whole ones, the broken ones, and temporary folders."""
    from ablate.data.cache import read_entry

    decoded = folder / "decoded"
    folders = sorted(path for path in decoded.iterdir() if path.is_dir()) if decoded.is_dir() else []
    unfinished = [path for path in folders if path.suffix == ".tmp"]
    entries = [path for path in folders if path.suffix != ".tmp"]
    whole = [path for path in entries if read_entry(path) is not None]
    return whole, [path for path in entries if path not in whole], unfinished


def check_disk(here: Surroundings) -> list[Finding]:
    """Check that there is room where runs and data are kept."""
    from ablate.paths import cache_folder

    free = {_existing(folder): 0 for folder in (here.project.mlruns, cache_folder())}
    free = {folder: shutil.disk_usage(folder).free for folder in free}
    folder, least = min(free.items(), key=lambda item: item[1])
    text = f"{least / 1e9:,.1f} GB free in {folder}"
    if least < VERY_LITTLE:
        return [Finding("disk", "problem", text, "free some space before the next run")]
    return [
        Finding("disk", "note" if least < LITTLE else "ok", text, "" if least >= LITTLE else "free some space soon")
    ]


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def check_versions(_here: Surroundings) -> list[Finding]:
    """Hold the installed packages against those that this version is known to work with."""
    odd = list(_odd_versions())
    if odd:
        missing = [text for text, is_missing in odd if is_missing]
        text = some([text for text, _ in odd], most=6)
        state = "problem" if missing else "note"
        return [Finding("versions", state, text, f"reinstall {DISTRIBUTION} with its dependencies")]  # type: ignore[arg-type]  # one of the words
    shown = ", ".join(f"{name} {number}" for name, number in versions().items())
    return [Finding("versions", "ok", shown)]


def _odd_versions() -> Iterator[tuple[str, bool]]:
    """Yield what is missing or outside the declared range, and whether it is missing; MLflow may be missing."""
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in requires(DISTRIBUTION) or []]
    except PackageNotFoundError:
        return
    for wanted in declared:
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            if wanted.name != "mlflow":  # told by the check of the store
                yield f"{wanted.name} is not installed", True
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield f"{wanted.name} {found} is not known to work ({wanted.specifier})", False


def check_package(_here: Surroundings) -> list[Finding]:
    """Check that the other project named `ablate`, which installs files of the same names, is not installed."""
    other = foreign_version()
    if other is None:
        return [Finding("package", "ok", f"{DISTRIBUTION} {ablate.__version__}")]
    text = f"another project named 'ablate' (version {other}) is installed over the files of {DISTRIBUTION}"
    return [Finding("package", "problem", text, REINSTALL)]


def check_device(_here: Surroundings) -> list[Finding]:
    """Say what computes, in which precision, with how many threads."""
    try:
        from ablate.studies.conditions import RequestedConditions
        from ablate.workloads.resnet9.devices import resolve_conditions, why_not_fused
    except ImportError as error:
        return [Finding("device", "problem", f"PyTorch cannot be loaded: {error}", "pip install torch torchvision")]
    try:
        conditions = resolve_conditions(RequestedConditions())
    except UserError as error:
        return [Finding("device", "problem", str(error))]
    words = f"{conditions.device}, {conditions.precision}, {many(conditions.threads, 'thread')}"
    if conditions.device == "cpu" and (reason := why_not_fused()):
        return [Finding("device", "note", f"{words}; {reason}", "without them training is slower, and the same")]
    return [Finding("device", "ok", words + ", fused kernels" * conditions.fused)]
