"""Checks of this machine: data cache, disk space, installed packages, device."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import ablate
from ablate.doctor.types import DoctorContext, Finding
from ablate.errors import UserError
from ablate.runs.provenance import versions
from ablate.wording import count, listed
from ablate_study import DISTRIBUTION, REINSTALL, foreign_version

LOW_DISK, CRITICAL_DISK = 2e9, 2e8
"""Free bytes below which the check reports a note, or a problem. A study of 40 runs takes about 0.1 GB."""


def check_caches(_context: DoctorContext) -> list[Finding]:
    """Look for damaged and unfinished entries of the data cache."""
    from ablate.paths import cache_folder

    folder = cache_folder()
    entries, broken, unfinished = cached(folder)
    size = sum(path.stat().st_size for entry in entries for path in entry.iterdir() if path.is_file())
    found = []
    if broken:
        text = f"{count(len(broken), 'data set')} damaged in {folder}: {listed([path.name for path in broken], most=3)}"
        found.append(Finding("data cache", "note", text, "decoded again at the next use, --repair removes them now"))
    if unfinished:
        text = f"{count(len(unfinished), 'unfinished folder')} in {folder}"
        found.append(Finding("data cache", "note", text, "--repair removes those that are not in use"))
    text = f"{folder}: {count(len(entries), 'decoded data set')}, {size / 1e6:,.0f} MB"
    return found or [Finding("data cache", "ok", text)]


def cached(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Return the decoded data sets in a cache: complete ones, damaged ones, and temporary folders."""
    from ablate.data.cache import read_entry

    decoded = folder / "decoded"
    folders = sorted(path for path in decoded.iterdir() if path.is_dir()) if decoded.is_dir() else []
    unfinished = [path for path in folders if path.suffix == ".tmp"]
    entries = [path for path in folders if path.suffix != ".tmp"]
    complete = [path for path in entries if read_entry(path) is not None]
    return complete, [path for path in entries if path not in complete], unfinished


def check_disk(context: DoctorContext) -> list[Finding]:
    """Check the free disk space for runs and data."""
    from ablate.paths import cache_folder

    folders = {_existing(folder) for folder in (context.project.mlruns, cache_folder())}
    free, folder = min((shutil.disk_usage(folder).free, folder) for folder in folders)
    text = f"{free / 1e9:,.1f} GB free in {folder}"
    if free < CRITICAL_DISK:
        return [Finding("disk", "problem", text, "free some space before the next run")]
    if free < LOW_DISK:
        return [Finding("disk", "note", text, "free some space soon")]
    return [Finding("disk", "ok", text)]


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def check_versions(_context: DoctorContext) -> list[Finding]:
    """Compare the installed packages with the versions that this package declares."""
    deviations = list(_version_deviations())
    if deviations:
        text = listed([text for text, _ in deviations], most=6)
        remedy = f"reinstall {DISTRIBUTION} with its dependencies"
        is_missing = any(is_missing for _, is_missing in deviations)
        return [Finding("versions", "problem" if is_missing else "note", text, remedy)]
    shown = ", ".join(f"{name} {number}" for name, number in versions().items())
    return [Finding("versions", "ok", shown)]


def _version_deviations() -> Iterator[tuple[str, bool]]:
    """Yield the packages that are missing or outside the declared range, and whether they are missing."""
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
            if wanted.name != "mlflow":  # `check_store` reports it
                yield f"{wanted.name} is not installed", True
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield f"{wanted.name} {found} is untested ({wanted.specifier} is tested)", False


def check_package(_context: DoctorContext) -> list[Finding]:
    """Check that the other project named `ablate`, which installs files of the same names, is not installed."""
    other = foreign_version()
    if other is None:
        return [Finding("package", "ok", f"{DISTRIBUTION} {ablate.__version__}")]
    text = f"another project named 'ablate' (version {other}) is installed over the files of {DISTRIBUTION}"
    return [Finding("package", "problem", text, REINSTALL)]


def check_device(_context: DoctorContext) -> list[Finding]:
    """Report the device, the precision and the number of threads."""
    try:
        from ablate.studies.conditions import RequestedConditions
        from ablate.workloads.resnet9.devices import kernel_error, resolve_conditions
    except ImportError as error:
        return [Finding("device", "problem", f"cannot import PyTorch: {error}", "pip install torch torchvision")]
    try:
        conditions = resolve_conditions(RequestedConditions())
    except UserError as error:
        return [Finding("device", "problem", str(error))]
    text = f"{conditions.device}, {conditions.precision}, {count(conditions.threads, 'thread')}"
    if conditions.device == "cpu" and (reason := kernel_error()):
        return [
            Finding(
                "device",
                "note",
                f"{text}. {reason}",
                "training is slower without compiled kernels, with the same results",
            )
        ]
    return [Finding("device", "ok", text + ", compiled kernels" * conditions.fused)]
