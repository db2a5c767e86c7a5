"""Delete a run from the store, with its artifacts, its journal and the files next to the journal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import StoreError, UserError
from ablate.journal.process_identity import is_alive
from ablate.journal.receipt import receipt_path
from ablate.journal.run_journal import Journal, Journals, Run, load
from ablate.tracking.contract import Tracker
from ablate.tracking.run_names import find_run, run_title


@dataclass(frozen=True)
class Deletion:
    """A run to delete, its journal if it has one, whether the store has it, and the studies that use it."""

    run: Run
    journal: Path | None
    is_stored: bool
    studies: Sequence[str]

    @property
    def losses(self) -> list[str]:
        """A line for each study that loses the run."""
        title = run_title(self.run)
        return [f"Study {name} loses {title}. `ablate sweep` would train it again" for name in self.studies]


def plan_deletion(text: str, tracker: Tracker, journals: Journals) -> Deletion:
    """Return the deletion of the run that `text` names in the store, or in the journals if the store lacks it.

    Raises:
        UserError: The run is unknown, or is running.
    """
    try:
        run, is_stored = tracker.find(text), True
    except StoreError:
        raise  # the store may have the run
    except UserError as error:
        run, is_stored = _find_in_journals(text, tracker, journals, error), False
    path = journals.path(run.name)
    journal = path if path.exists() else None
    _check_is_over(run, journal, journals)
    return Deletion(run, journal, is_stored, _studies_with(run, tracker))


def _find_in_journals(text: str, tracker: Tracker, journals: Journals, not_stored: UserError) -> Run:
    """Return the run that `text` names among those that were never delivered; raise `not_stored` if there is none."""
    found: list[Run] = []
    for path in journals.paths():
        run = journals.read(path)
        found += [run] if run else []
    try:
        match = find_run(text, [(run.name, run) for run in found])
    except UserError:  # several
        match = None
    if match is None:
        raise not_stored
    _, run = match
    try:
        tracker.identifier(run)
    except StoreError:
        raise
    except UserError:
        return run
    raise not_stored  # the store has the run: `text` names several there


def _check_is_over(run: Run, journal: Path | None, journals: Journals) -> None:
    title = run_title(run)
    if journal is not None and journals.is_locked(run.key, run.data):
        raise UserError(f"{title} is running ({journals.lock_owner(run.key, run.data)}). Stop it first")
    state = load(journal) if journal is not None else run
    if state is not None and state.status == "running" and is_alive(state.process) is not False:
        where = f"process {state.process.get('pid')} on {state.process.get('host')}"
        raise UserError(f"{title} is running ({where}). Stop it first, or use `ablate doctor --repair --others`")


def _studies_with(run: Run, tracker: Tracker) -> list[str]:
    """Return the names of the studies that use a run."""
    try:
        names = tracker.studies()
    except UserError:
        return []
    return [name for name in names if any(entry.run == run.name for entry in tracker.study(name).planned_runs)]


def delete_run(deletion: Deletion, tracker: Tracker, journals: Journals) -> None:
    """Delete a run.

    An interrupted deletion can be repeated, because the journal, from which the run could be restored, goes last.
    """
    run = deletion.run
    if not run.key:
        tracker.delete(run)
        return
    with journals.lock(run.key, run.data, timeout=0):
        if deletion.is_stored:
            tracker.delete(run)
        journal = Journal(journals.path(run.name))
        for folder in (journal.files, journal.checkpoint, journal.working_folder):
            shutil.rmtree(folder, ignore_errors=True)
        journal.path.unlink(missing_ok=True)
        receipt_path(journal.path).unlink(missing_ok=True)
