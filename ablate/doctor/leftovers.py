"""Checks of what lies in the project's folders: damaged journals, and what kills left behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.doctor.store import seconds_since_change
from ablate.doctor.types import Finding, Surroundings, many, some
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Run

YOUNG = 600.0
"""Seconds within which something unfinished may still be somebody's."""

_REPORT_IN_THE_MAKING = re.compile(r"\..+-[a-z0-9_]{8}")
_BESIDE_JOURNALS = (".files", ".checkpoint", ".delivered")


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nobody needs; where its content may be of value, `is_kept`: moved aside, not removed."""

    path: Path
    is_kept: bool = False


def check_journals(here: Surroundings) -> list[Finding]:
    """Look for journals that cannot be read, and for runs that were cut off."""
    damaged = [path.name for path, _ in here.damaged()]
    attempts = here.attempts()
    found = []
    if damaged:
        text = f"{many(len(damaged), 'journal')} damaged: {some(damaged)}"
        remedy = "--repair moves the file aside and keeps the lines that are whole"
        found.append(Finding("journals", "problem", text, remedy))
    cut_off = [run for _, run in attempts if run and run.status == "running" and is_alive(run.process) is False]
    if cut_off:
        text = f"{many(len(cut_off), 'run')} cut off before the end: {some([_said(run) for run in cut_off])}"
        found.append(Finding("journals", "note", text, "the command that made a run goes on with it"))
    return found or [Finding("journals", "ok", f"{many(len(attempts), 'journal')}, all whole")]


def _said(run: Run) -> str:
    return f"{run.variant}/s{run.seed}"


def check_leftovers(here: Surroundings) -> list[Finding]:
    """Look for what killed commands left behind."""
    found = [leftover.path.name for leftover in leftovers(here)]
    if not found:
        return [Finding("leftovers", "ok", "nothing is left over from killed commands")]
    text = f"{many(len(found), 'file or folder').replace('folders', 'folders')} left over: {some(found)}"
    return [Finding("leftovers", "note", text, "harmless; --repair clears them away")]


def leftovers(here: Surroundings) -> list[Leftover]:
    """Return what killed commands left behind, and nothing that a living one may still need."""
    return [*_beside_journals(here), *_empty_journals(here), *_half_made(here)]


def _beside_journals(here: Surroundings) -> Iterator[Leftover]:
    folder = here.project.journals
    if not folder.is_dir():
        return
    damaged = {path.stem for path, _ in here.damaged()}
    runs = {path.stem: run for path, run in here.attempts()}
    for path in sorted(folder.iterdir()):
        if path.suffix not in _BESIDE_JOURNALS or path.stem in damaged:
            continue
        if path.stem not in runs:
            yield Leftover(path, is_kept=path.suffix != ".delivered")
        elif path.suffix == ".checkpoint" and _is_over(runs[path.stem]):
            yield Leftover(path)


def _is_over(run: Run | None) -> bool:
    """Return whether a run has no use for its checkpoint any more."""
    return run is not None and run.ended is not None and run.status != "killed"


def _empty_journals(here: Surroundings) -> Iterator[Leftover]:
    for path, run in here.attempts():
        key, data, _ = path.stem.split("-")
        if run is None and seconds_since_change(path) > YOUNG and not here.journals.is_claimed(key, data):
            yield Leftover(path)


def _half_made(here: Surroundings) -> Iterator[Leftover]:
    """Yield databases and reports that were never finished."""
    if here.database is not None and here.database.exists():
        for path in sorted(here.database.parent.glob(f"{here.database.name}.new*")):
            if seconds_since_change(path) > YOUNG:
                yield Leftover(path)
    if here.project.reports.is_dir():
        for path in sorted(here.project.reports.iterdir()):
            is_temporary = path.is_dir() and _REPORT_IN_THE_MAKING.fullmatch(path.name)
            if is_temporary and seconds_since_change(path) > YOUNG:
                yield Leftover(path)
