"""Import the journal of a run with its artifacts from another project."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ablate.errors import UserError
from ablate.journal.journal_lines import DamagedJournalError, complete_lines
from ablate.journal.line_format import parse_line
from ablate.journal.receipt import receipt_path
from ablate.journal.run_journal import Journals
from ablate.tracking.foreign_files import copy_regular_files
from ablate.tracking.journal_tracker import delivered_files
from ablate.tracking.project import Project
from ablate.wording import count


def attempt_of(path: Path) -> tuple[str, int]:
    """Return the recipe and data of a journal, as its name begins, and the number of the attempt."""
    recipe, _, number = path.stem.rpartition("-")
    return recipe, int(number)


def import_run(path: Path, project: Project, skipped: dict[str, str]) -> tuple[Path, bool]:
    """Return the local journal with the lines of `path`, and whether it was created or extended.

    Artifacts that are not copied are added to `skipped`, with the reason. Raises DamagedJournalError if the run is here
    already, with other lines.
    """
    journals = Journals(project.journals)
    recipe, number = attempt_of(path)
    key, data = recipe.split("-")
    attempts = journals.attempts(key, data)
    lines = _lines(path)
    known = {local: _lines(local) for local in attempts if journals.read(local)}
    for local, before in known.items():
        if set(lines) <= set(before):
            if not receipt_path(local).exists():
                _copy_files(path, local, project, skipped)
            return local, False
    is_locked = journals.is_locked(key, data)
    for local, before in known.items():
        is_continued = lines[: len(before)] == before
        if is_continued and not is_locked:
            _copy_files(path, local, project, skipped)
            _append(local, lines[len(before) :])
            return local, True
        if not is_continued and _origin(lines) == _origin(before):
            raise DamagedJournalError(path, f"its lines differ from those of {local.name}, which is the same run")
    last = max((attempt_of(local)[1] for local in attempts), default=-1)
    # the owner of the lock may be about to write the next attempt: leave its number free
    local = journals.path(f"{recipe}-{max(number, last + 1 + is_locked)}")
    _copy_files(path, local, project, skipped)
    new = local.with_name(f".{local.name}.new")
    new.unlink(missing_ok=True)
    _append(new, lines)
    new.replace(local)
    return local, True


def _lines(path: Path) -> list[bytes]:
    return list(dict.fromkeys(complete_lines(path)))


def _origin(lines: Sequence[bytes]) -> tuple[object, object]:
    """Return what no two runs have in common: the time and the process of the start."""
    start = parse_line(lines[0])
    return start["time"], start["process"]


def _append(path: Path, lines: Sequence[bytes]) -> None:
    """Append lines in place of an incomplete last one."""
    with path.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(b"".join(line + b"\n" for line in lines))


def _copy_files(journal: Path, local: Path, project: Project, skipped: dict[str, str]) -> None:
    """Copy the artifacts of a run, from the files not delivered yet or from its project's local store; all or none."""
    target = local.with_suffix(".files")
    waiting = journal.with_suffix(".files")
    is_waiting = waiting.is_dir() and not waiting.is_symlink()
    files = waiting if is_waiting else delivered_files(journal, journal.parent.parent / "artifacts")
    if files is None or files == target or delivered_files(local, project.artifacts):
        return
    new = target.with_name(f".{target.name}.new")
    try:
        links = copy_regular_files(files, new)
    except UserError as error:
        skipped[waiting.name] = str(error)
        return
    if links:
        skipped[waiting.name] = f"{count(links, 'link')} in the artifacts"
    shutil.rmtree(target, ignore_errors=True)
    new.replace(target)
