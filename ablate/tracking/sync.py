"""Import the journals of another project, and deliver every journal that the store lacks. Repeating it changes nothing.

Journals are compared by content: one that continues a local journal extends it, one that exists already is skipped, any
other becomes a new attempt. The machine of origin and the original file name do not matter.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.journal_lines import DamagedJournalError
from ablate.journal.process_identity import is_alive
from ablate.journal.run_journal import Journals, Run, load
from ablate.journal.study_journal import SUFFIX, StudyJournals, replay, study_files
from ablate.journal.study_lines import study_lines
from ablate.tracking.catch_up import deliver_lost, deliver_study
from ablate.tracking.contract import Tracker
from ablate.tracking.import_run import attempt_of, import_run
from ablate.tracking.project import Project

_SUBFOLDERS = ("", "journal", "studies", "mlruns/journal", "mlruns/studies")
_LOCK_TIMEOUT = 120.0


@dataclass
class SyncResult:
    """The result of a sync.

    Attributes:
        new: Names of the runs that were imported, extended or delivered.
        known: Names of the runs that were complete already.
        running: Hosts of the runs that have no end yet, by name of the run.
        damaged: Reasons why files were skipped, by name of the file.
        studies: Names of the studies that were imported, extended or delivered.
        refused: Errors for records that the store did not accept; their runs are in none of the other lists.
    """

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    studies: list[str] = field(default_factory=list)
    refused: list[StoreError] = field(default_factory=list)


def sync_journals(source: Path | None, project: Project, tracker: Tracker) -> SyncResult:
    """Import the journals of the folder `source`, if given, and deliver every journal that the store lacks.

    Raises:
        UserError: `source` holds no journals.
        UnreachableError: The store does not answer. Imported journals are kept, and the next call delivers them.
    """
    result = SyncResult()
    imported: dict[Path, bool] = {}
    if source:
        with _locked(project):
            imported = _import_journals(source, project, result)
    delivered = _deliver(tracker, project, result)
    for path in imported or dict.fromkeys(Journals(project.journals).paths(), False):
        if delivered.get(path, True):
            _count(path, result, is_new=imported.get(path, False) or path in delivered)
    result.studies = sorted(set(result.studies))
    return result


def _count(path: Path, result: SyncResult, *, is_new: bool) -> None:
    run = _checked(path, result)
    if run is None:
        return
    if run.status == "running" and is_alive(run.process) is not False:
        result.running[run.name] = str(run.process["host"])
    else:
        (result.new if is_new else result.known).append(run.name)


def _import_journals(source: Path, project: Project, result: SyncResult) -> dict[Path, bool]:
    """Import every journal and study record; return the local journals, and whether each is new or was extended."""
    folders = [folder for place in _SUBFOLDERS if (folder := source / place).is_dir()]
    journals = [path for folder in folders for path in sorted(Journals(folder).paths(), key=attempt_of)]
    records = [path for folder in folders for path in study_files(folder)]
    if not journals and not records:
        raise UserError(
            f"No journals in {source}. Give the folder of a project, its mlruns, or a folder with *.jsonl journals"
        )
    imported: dict[Path, bool] = {}
    names: dict[str, str] = {}
    for path in journals:
        if _checked(path, result):
            try:
                local, is_new = import_run(path, project, result.damaged)
            except DamagedJournalError as error:
                result.damaged[path.name] = error.reason
                continue
            imported[local] = is_new
            names[path.stem] = local.stem
    renamed = {old: new for old, new in names.items() if old != new}
    for path in records:
        _import_study(path, StudyJournals(project.studies), renamed, result)
    return imported


def _checked(path: Path, result: SyncResult) -> Run | None:
    """Return the run of a journal; add a damaged journal to the result and return None."""
    try:
        run = load(path)
    except DamagedJournalError as error:
        result.damaged[path.name] = error.reason
        return None
    if run is None:
        result.damaged[path.name] = "its first line is incomplete"
    return run


def _import_study(path: Path, studies: StudyJournals, renamed: Mapping[str, str], result: SyncResult) -> None:
    name = path.name.removesuffix(SUFFIX)
    lines, reason = study_lines(path)
    if reason:
        result.damaged[path.name] = reason
    found = replay(lines)
    if found is None or any(line.get("name", name) != name for line in lines):
        result.damaged[path.name] = reason or "it is not a study record"
        return
    lines = [line for line in lines if line["record"] != "report" or _is_report_here(line["folder"])]
    if studies.add(name, [json.dumps(_renamed_runs(line, renamed)).encode() for line in lines]):
        result.studies.append(name)


def _is_report_here(folder: str) -> bool:
    """Return whether a recorded folder of a report, relative to that of the studies, is in `reports/`."""
    parts = Path(posixpath.normpath(f"mlruns/studies/{folder}")).parts
    return parts[:1] == ("reports",) and len(parts) > 1


def _renamed_runs(line: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a line of a study record with the local names of its runs."""
    if "plan" not in line or not renamed:
        return line
    plan = [{**planned, "run": renamed.get(planned["run"], planned["run"])} for planned in line["plan"]]
    return {**line, "plan": plan}


def _deliver(tracker: Tracker, project: Project, result: SyncResult) -> dict[Path, bool]:
    """Deliver studies, then runs; return the journals that the store lacked, and whether it has accepted them."""
    journals, studies = Journals(project.journals), StudyJournals(project.studies)
    deliver_lost(tracker, project)
    for name in studies.names():
        with _collecting(result.refused):
            result.studies += [name] if deliver_study(tracker, studies, name) else []
    delivered: dict[Path, bool] = {}
    for path in tracker.undelivered(journals.paths()):
        if _checked(path, result):
            delivered[path] = False
            with _collecting(result.refused):
                tracker.deliver(path)
                delivered[path] = True
    with _collecting(result.refused):
        tracker.close_orphans(journals.paths())
    return delivered


@contextmanager
def _collecting(refused: list[StoreError]) -> Iterator[None]:
    """Collect the records that the store does not accept. An unreachable store raises."""
    try:
        yield
    except UnreachableError:
        raise
    except StoreError as error:
        refused.append(error)


@contextmanager
def _locked(project: Project) -> Iterator[None]:
    """Hold the lock on imports into a project. Raises UserError after _LOCK_TIMEOUT."""
    from filelock import FileLock, Timeout

    project.mlruns.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(project.mlruns / "sync.lock", timeout=_LOCK_TIMEOUT):
            yield
    except Timeout:
        raise UserError(
            f"Another `ablate sync` has held the lock of this project for {_LOCK_TIMEOUT:.0f} s. Try again later"
        ) from None
