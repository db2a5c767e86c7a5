"""Bringing in runs and studies that were recorded elsewhere, and delivering them: exactly once however often.

A journal is brought in by its content: one that continues what is here extends it, one that is here already changes
nothing, any other becomes an attempt of its own. So neither the machine nor the name that it had there matters.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablate.errors import UserError
from ablate.journal.process_identity import is_alive
from ablate.journal.receipt import receipt_path
from ablate.journal.run_journal import Journals, Run, load
from ablate.journal.study_journal import ENDING, fold, lines_of, study_files
from ablate.tracking import Project, StoreError, StudyJournals, Tracker, UnreachableError, deliver_study
from ablate.tracking.journal_tracker import delivered_files

_PLACES = ("", "journal", "studies", "mlruns/journal", "mlruns/studies")
_PATIENCE = 120.0


@dataclass
class Account:
    """What became of every journal: names of runs, and of files with what is wrong with them."""

    new: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    running: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    studies: list[str] = field(default_factory=list)


def sync(source: Path | None, project: Project, tracker: Tracker, tell: Callable[[StoreError], object]) -> Account:
    """Bring in what lies in the folder `source` (None: nothing), and deliver all that the store does not have.

    `tell` is told what the store does not take. Raises UserError for a folder without journals, and UnreachableError
    if the store does not answer: what was brought in is safe then, and the next call delivers it.
    """
    account = Account()
    journals, studies = Journals(project.journals), StudyJournals(project.studies)
    places: dict[Path, bool] = {}
    if source:
        with _alone(project):
            places = _bring_in(source, project, account)
    delivered = _deliver(tracker, journals, studies, account, tell)
    for path in places or dict.fromkeys(journals.paths(), False):
        _count(path, account, is_new=places.get(path, False) or path in delivered)
    account.studies = sorted(set(account.studies))
    return account


def _count(path: Path, account: Account, *, is_new: bool) -> None:
    run = _checked(path, account)
    if run is None:
        return
    if run.status == "running" and is_alive(run.process) is not False:
        account.running[run.name] = str(run.process["host"])
    else:
        (account.new if is_new else account.known).append(run.name)


def _bring_in(source: Path, project: Project, account: Account) -> dict[Path, bool]:
    """Bring in every journal and study record; return the journals here, and whether each brought something new."""
    folders = [folder for place in _PLACES if (folder := source / place).is_dir()]
    found = [path for folder in folders for path in sorted(Journals(folder).paths(), key=_attempt)]
    records = [path for folder in folders for path in study_files(folder)]
    if not found and not records:
        raise UserError(
            f"there are no journals in {source}: give a project's folder, its mlruns, or a folder with *.jsonl journals"
        )
    places: dict[Path, bool] = {}
    names: dict[str, str] = {}
    for path in found:
        if _checked(path, account):
            place, is_new = _bring_run(path, project)
            places[place] = is_new
            names[path.stem] = place.stem
    renamed = {old: new for old, new in names.items() if old != new}
    for path in records:
        _bring_study(path, StudyJournals(project.studies), renamed, account)
    return places


def _attempt(path: Path) -> tuple[str, int]:
    recipe, _, number = path.stem.rpartition("-")
    return recipe, int(number)


def _checked(path: Path, account: Account) -> Run | None:
    """Return the run of a journal, or None if it is damaged, which is noted."""
    try:
        run = load(path)
        if run is None:
            account.damaged[path.name] = "it was cut off in its first line"
        elif f"{run.key}-{run.data}" != _attempt(path)[0]:
            account.damaged[path.name] = "its name is another recipe's"
        else:
            return run
    except UserError as error:
        account.damaged[path.name] = str(error)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        account.damaged[path.name] = "something is missing in its lines"
    return None


def _bring_run(path: Path, project: Project) -> tuple[Path, bool]:
    """Return the journal here that has all of `path`, and whether it had to be made or extended."""
    journals = Journals(project.journals)
    recipe, number = _attempt(path)
    key, data = recipe.split("-")
    attempts = journals.attempts(key, data)
    content = _whole_lines(path)
    for here in attempts:
        if here.samefile(path) or _whole_lines(here).startswith(content):
            if not receipt_path(here).exists():
                _bring_files(path, here, project)
            return here, False
    is_claimed = journals.is_claimed(key, data)
    for here in attempts:
        before = _whole_lines(here)
        if before and content.startswith(before) and not is_claimed:
            _bring_files(path, here, project)
            with here.open("r+b") as file:
                file.truncate(len(before))
                file.seek(len(before))
                file.write(content[len(before) :])
            return here, True
    last = max((_attempt(here)[1] for here in attempts), default=-1)
    # whoever holds the claim may be about to write the next attempt: leave its number free
    here = journals.path(f"{recipe}-{max(number, last + 1 + is_claimed)}")
    _bring_files(path, here, project)
    new = here.with_name(f".{here.name}.new")
    new.write_bytes(content)
    new.replace(here)
    return here, True


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _bring_files(journal: Path, here: Path, project: Project) -> None:
    """Copy the artifacts of a journal's run, from where they wait or from its project's local store; all or none."""
    target = here.with_suffix(".files")
    waiting = journal.with_suffix(".files")
    files = waiting if waiting.is_dir() else delivered_files(journal, journal.parent.parent / "artifacts")
    if files is None or files == target or delivered_files(here, project.artifacts):
        return
    new = target.with_name(f".{target.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(files, new, symlinks=True)
    shutil.rmtree(target, ignore_errors=True)
    new.replace(target)


def _bring_study(path: Path, studies: StudyJournals, renamed: Mapping[str, str], account: Account) -> None:
    name = path.name.removesuffix(ENDING)
    lines = lines_of(path)
    try:
        found = fold(lines)
        if found is None or found.name != name:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        account.damaged[path.name] = "it is no study's record"
        return
    if studies.add(name, [json.dumps(_with_names(line, renamed)).encode() for line in lines]):
        account.studies.append(name)


def _with_names(line: Mapping[str, Any], renamed: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a line of a study's record with the names that its runs have here."""
    if "plan" not in line or not renamed:
        return line
    plan = [{**planned, "run": renamed.get(planned["run"], planned["run"])} for planned in line["plan"]]
    return {**line, "plan": plan}


def _deliver(
    tracker: Tracker,
    journals: Journals,
    studies: StudyJournals,
    account: Account,
    tell: Callable[[StoreError], object],
) -> set[Path]:
    """Deliver studies, then runs; return the journals of which the store got something."""
    for name in studies.names():
        with _told(tell):
            account.studies += [name] if deliver_study(tracker, studies, name) else []
    delivered = set()
    for path in tracker.undelivered(journals.paths()):
        if _checked(path, account):
            with _told(tell):
                delivered |= {path} if tracker.deliver(path) else set()
    with _told(tell):
        tracker.close_orphans(journals.paths())
    return delivered


@contextmanager
def _told(tell: Callable[[StoreError], object]) -> Iterator[None]:
    """Tell what the store does not take, and go on; one that does not answer ends it all."""
    try:
        yield
    except UnreachableError:
        raise
    except StoreError as error:
        tell(error)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Wait until no other process brings something into the project. Raises UserError when that takes too long."""
    from filelock import FileLock, Timeout

    project.mlruns.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(project.mlruns / "sync.lock", timeout=_PATIENCE):
            yield
    except Timeout:
        raise UserError(f"another `ablate sync` has been at work for {_PATIENCE:.0f} s: try again later") from None
