"""Import the journals of another project, and deliver every journal that the store lacks. Repeating it changes nothing.

Journals are compared by content: one that continues a local journal extends it, one that exists already is skipped, any
other becomes a new attempt. The machine of origin and the original file name do not matter.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import StoreError, UnreachableError, UserError
from ablate.journal.process_identity import is_alive
from ablate.journal.receipt import receipt_path
from ablate.journal.run_journal import Journals, Run, load
from ablate.journal.study_journal import SUFFIX, StudyJournals, lines_of, replay, study_files
from ablate.tracking.catch_up import deliver_study
from ablate.tracking.contract import Tracker
from ablate.tracking.journal_tracker import delivered_files
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
        refused: Errors for records that the store did not accept.
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
    journals = [path for folder in folders for path in sorted(Journals(folder).paths(), key=_attempt)]
    records = [path for folder in folders for path in study_files(folder)]
    if not journals and not records:
        raise UserError(
            f"No journals in {source}. Give the folder of a project, its mlruns, or a folder with *.jsonl journals"
        )
    imported: dict[Path, bool] = {}
    names: dict[str, str] = {}
    for path in journals:
        if _checked(path, result):
            local, is_new = _import_run(path, project)
            imported[local] = is_new
            names[path.stem] = local.stem
    renamed = {old: new for old, new in names.items() if old != new}
    for path in records:
        _import_study(path, StudyJournals(project.studies), renamed, result)
    return imported


def _attempt(path: Path) -> tuple[str, int]:
    recipe, _, number = path.stem.rpartition("-")
    return recipe, int(number)


def _checked(path: Path, result: SyncResult) -> Run | None:
    """Return the run of a journal; add a damaged journal to the result and return None."""
    try:
        run = load(path)
        if run is None:
            result.damaged[path.name] = "its first line is incomplete"
        elif f"{run.key}-{run.data}" != _attempt(path)[0]:
            result.damaged[path.name] = "its file name belongs to another recipe"
        else:
            return run
    except UserError as error:
        result.damaged[path.name] = str(error)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        result.damaged[path.name] = "fields are missing in its lines"
    return None


def _import_run(path: Path, project: Project) -> tuple[Path, bool]:
    """Return the local journal with the content of `path`, and whether it was created or extended."""
    journals = Journals(project.journals)
    recipe, number = _attempt(path)
    key, data = recipe.split("-")
    attempts = journals.attempts(key, data)
    content = _complete_lines(path)
    for local in attempts:
        if local.samefile(path) or _complete_lines(local).startswith(content):
            if not receipt_path(local).exists():
                _copy_files(path, local, project)
            return local, False
    is_locked = journals.is_locked(key, data)
    for local in attempts:
        before = _complete_lines(local)
        if before and content.startswith(before) and not is_locked:
            _copy_files(path, local, project)
            with local.open("r+b") as file:
                file.truncate(len(before))
                file.seek(len(before))
                file.write(content[len(before) :])
            return local, True
    last = max((_attempt(local)[1] for local in attempts), default=-1)
    # the owner of the lock may be about to write the next attempt: leave its number free
    local = journals.path(f"{recipe}-{max(number, last + 1 + is_locked)}")
    _copy_files(path, local, project)
    new = local.with_name(f".{local.name}.new")
    new.write_bytes(content)
    new.replace(local)
    return local, True


def _complete_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _copy_files(journal: Path, local: Path, project: Project) -> None:
    """Copy the artifacts of a run, from the files not delivered yet or from its project's local store; all or none."""
    target = local.with_suffix(".files")
    waiting = journal.with_suffix(".files")
    files = waiting if waiting.is_dir() else delivered_files(journal, journal.parent.parent / "artifacts")
    if files is None or files == target or delivered_files(local, project.artifacts):
        return
    new = target.with_name(f".{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(files, new, symlinks=True)
    shutil.rmtree(target, ignore_errors=True)
    new.replace(target)


def _import_study(path: Path, studies: StudyJournals, renamed: Mapping[str, str], result: SyncResult) -> None:
    name = path.name.removesuffix(SUFFIX)
    lines = lines_of(path)
    try:
        found = replay(lines)
        if found is None or found.name != name:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        result.damaged[path.name] = "it is not a study record"
        return
    if studies.add(name, [json.dumps(_renamed_runs(line, renamed)).encode() for line in lines]):
        result.studies.append(name)


def _renamed_runs(line: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a line of a study record with the local names of its runs."""
    if "plan" not in line or not renamed:
        return line
    plan = [{**planned, "run": renamed.get(planned["run"], planned["run"])} for planned in line["plan"]]
    return {**line, "plan": plan}


def _deliver(tracker: Tracker, project: Project, result: SyncResult) -> set[Path]:
    """Deliver studies, then runs; return the journals of which the store received something."""
    journals, studies = Journals(project.journals), StudyJournals(project.studies)
    for name in studies.names():
        with _collecting(result.refused):
            result.studies += [name] if deliver_study(tracker, studies, name) else []
    delivered = set()
    for path in tracker.undelivered(journals.paths()):
        if _checked(path, result):
            with _collecting(result.refused):
                delivered |= {path} if tracker.deliver(path) else set()
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
