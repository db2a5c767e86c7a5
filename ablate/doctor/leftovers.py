"""Checks of the files in a project: damaged journals, and leftovers of killed commands."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from ablate.doctor.store import age
from ablate.doctor.types import DoctorContext, Finding
from ablate.journal.process_identity import SILENCE, is_alive
from ablate.journal.run_journal import Run
from ablate.tracking import run_title
from ablate.wording import count, listed

MINIMUM_AGE = 600.0
"""Seconds before an unfinished file counts as abandoned."""

_UNFINISHED_REPORT = re.compile(r"\..+-[a-z0-9_]{8}")
_COMPANION_SUFFIXES = (".files", ".checkpoint", ".work", ".delivered")
_SPARE = ".spare"
"""Suffix of the working folder that a process keeps for its next run."""


@dataclass(frozen=True)
class Leftover:
    """A file or folder that is no longer needed. One that `may_be_valuable` is moved aside instead of removed."""

    path: Path
    may_be_valuable: bool = False


def check_journals(context: DoctorContext) -> list[Finding]:
    """Look for damaged journals and for interrupted runs."""
    damaged = [f"{path.name} ({reason})" for path, reason in context.damaged()]
    attempts = context.attempts()
    found = []
    if damaged:
        text = f"{count(len(damaged), 'journal')} damaged: {listed(damaged, most=3)}"
        remedy = "--repair moves the file aside and keeps its complete lines"
        found.append(Finding("journals", "problem", text, remedy))
    for error in context.damaged_studies().values():
        text, _, remedy = str(error).rpartition(". ")
        found.append(Finding("journals", "problem", text, remedy))
    if newer := [path.name for path in context.newer()]:
        text = f"{count(len(newer), 'journal')} of a newer version of ablate: {listed(newer, most=3)}"
        found.append(Finding("journals", "note", text, "upgrade ablate to read them"))
    interrupted = [run for _, run in attempts if run and run.status == "running" and is_alive(run.process) is False]
    if interrupted:
        text = f"{count(len(interrupted), 'run')} interrupted: {listed(map(run_title, interrupted), most=3)}"
        found.append(Finding("journals", "note", text, "repeat the command to continue them"))
    if silent := [run_title(run) for _, run in silent_elsewhere(context)]:
        text = f"{count(len(silent), 'run')} of other hosts, no record for 15 minutes: {listed(silent, most=3)}"
        found.append(Finding("journals", "note", text, "if they no longer run there, --repair --others closes them"))
    return found or [Finding("journals", "ok", f"{count(len(attempts), 'journal')}, none damaged")]


def silent_elsewhere(context: DoctorContext) -> list[tuple[Path, Run]]:
    """Return the open journals of other hosts without a new record."""
    return [
        (path, run)
        for path, run in context.attempts()
        if run and run.status == "running" and is_alive(run.process) is None and age(path) > SILENCE
    ]


def check_leftovers(context: DoctorContext) -> list[Finding]:
    """Look for files that killed commands left."""
    found = [leftover.path.name for leftover in leftovers(context)]
    if not found:
        return [Finding("leftovers", "ok", "no leftovers of killed commands")]
    text = f"{count(len(found), 'leftover')} of killed commands: {listed(found, most=3)}"
    return [Finding("leftovers", "note", text, "harmless, --repair removes them")]


def leftovers(context: DoctorContext) -> list[Leftover]:
    """Return the files that killed commands left, and none that a running command may need."""
    return [*_next_to_journals(context), *_empty_journals(context), *_unfinished(context)]


def _next_to_journals(context: DoctorContext) -> Iterator[Leftover]:
    folder = context.project.journals
    if not folder.is_dir():
        return
    damaged = {path.stem for path in [*dict(context.damaged()), *context.newer()]}
    runs = {path.stem: run for path, run in context.attempts()}
    for path in sorted(folder.iterdir()):
        if path.suffix == _SPARE and age(path) > MINIMUM_AGE:
            yield Leftover(path)
        if path.suffix not in _COMPANION_SUFFIXES or path.stem in damaged:
            continue
        if path.stem not in runs:
            yield Leftover(path, may_be_valuable=path.suffix not in (".work", ".delivered"))
        elif path.suffix in (".checkpoint", ".work") and _is_over(runs[path.stem], _is_last(path, runs)):
            yield Leftover(path)


def _is_over(run: Run | None, is_last: bool) -> bool:
    """Return whether a run no longer needs its checkpoint and its working folder: only the last attempt is resumed."""
    return run is not None and run.ended is not None and (run.status != "killed" or not is_last)


def _is_last(path: Path, runs: Container[str]) -> bool:
    recipe, _, attempt = path.stem.rpartition("-")
    return f"{recipe}-{int(attempt) + 1}" not in runs


def _empty_journals(context: DoctorContext) -> Iterator[Leftover]:
    for path, run in context.attempts():
        key, data, _ = path.stem.split("-")
        if run is None and age(path) > MINIMUM_AGE and not context.journals.is_locked(key, data):
            yield Leftover(path, may_be_valuable=path.stat().st_size > 0)  # its line breaks may be missing


def _unfinished(context: DoctorContext) -> Iterator[Leftover]:
    """Yield unfinished databases and reports."""
    if context.database is not None and context.database.exists():
        for path in sorted(context.database.parent.glob(f"{context.database.name}.new*")):
            if age(path) > MINIMUM_AGE:
                yield Leftover(path)
    if context.project.reports.is_dir():
        for path in sorted(context.project.reports.iterdir()):
            is_temporary = path.is_dir() and _UNFINISHED_REPORT.fullmatch(path.name)
            if is_temporary and age(path) > MINIMUM_AGE:
                yield Leftover(path)
