"""Removing a run, wherever it is: the store, its artifacts, the journal and what lies beside it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Journals, Run, load
from ablate.tracking import Tracker, run_title
from ablate.tracking.run_names import find_run

_BESIDE = (".files", ".checkpoint", ".delivered")


@dataclass(frozen=True)
class Doomed:
    """A run that is to be removed: where it is, and the studies that then lack it."""

    run: Run
    journal: Path | None
    is_stored: bool
    studies: Sequence[str]

    @property
    def losses(self) -> list[str]:
        """What the studies lose, a line each."""
        return [
            f"the study {name} loses {run_title(self.run)}: `ablate sweep` would make it again" for name in self.studies
        ]


def find(text: str, tracker: Tracker, journals: Journals) -> Doomed:
    """Return the run that `text` names as `ablate show` does, or by its journal if the store does not have it.

    Raises UserError if there is none, or if it is running.
    """
    try:
        run, is_stored = tracker.find(text), True
    except UserError as unknown:
        run, is_stored = _only_in_journals(text, tracker, journals, unknown), False
    path = journals.path(run.name)
    journal = path if path.exists() else None
    _check_is_over(run, journal, journals)
    return Doomed(run, journal, is_stored, _studies_with(run, tracker))


def _only_in_journals(text: str, tracker: Tracker, journals: Journals, unknown: UserError) -> Run:
    """Return the run that `text` names among those that were never delivered, or raise `unknown`."""
    found: list[Run] = []
    for path in journals.paths():
        with suppress(UserError):  # a damaged journal names nothing
            run = load(path)
            found += [run] if run else []
    try:
        _, run = find_run(text, [(run.name, run) for run in found], list)
    except UserError:
        raise unknown from None
    with suppress(UserError):
        tracker.identifier(run)
        raise unknown  # it is there, and its name was not clear
    return run


def _check_is_over(run: Run, journal: Path | None, journals: Journals) -> None:
    if journal is not None and journals.is_claimed(run.key, run.data):
        raise UserError(f"{run_title(run)} is running ({journals.holder(run.key, run.data)}): end that first")
    state = load(journal) if journal is not None else run
    if state is not None and state.status == "running" and is_alive(state.process) is not False:
        where = f"process {state.process.get('pid')} on {state.process.get('host')}"
        raise UserError(f"{run_title(run)} is running ({where}): end that first, or `ablate doctor --repair --others`")


def _studies_with(run: Run, tracker: Tracker) -> list[str]:
    """Return the names of the studies that a run answers for."""
    try:
        names = tracker.studies()
    except UserError:
        return []
    return [name for name in names if any(planned.run == run.name for planned in tracker.study(name).planned_runs)]


def remove(doomed: Doomed, tracker: Tracker, journals: Journals) -> None:
    """Remove a run. Cut short, it can be asked for again: the journal, which could bring it back, goes last but one."""
    run = doomed.run
    if not run.key:
        tracker.delete(run)
        return
    with journals.claim(run.key, run.data, timeout=0):
        if doomed.is_stored:
            tracker.delete(run)
        path = journals.path(run.name)
        for ending in _BESIDE[:2]:
            shutil.rmtree(path.with_suffix(ending), ignore_errors=True)
        path.unlink(missing_ok=True)
        path.with_suffix(_BESIDE[2]).unlink(missing_ok=True)
