"""The append-only journal of a study: its declarations and plans, the end of its commands, its newest report.

`<name>.study.jsonl` is a set of lines, all with `record` and `time` (seconds since the epoch). Their order in the file
and duplicates do not matter, so two such files are merged by adding lines:

    study    name, question, declared, earlier, layout, plan
    status   status                    the end of a command
    report   folder, note, metrics     the newest report, the folder relative to the project
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from ablate.errors import UserError
from ablate.journal.field_checks import has, is_seed, is_text
from ablate.journal.journal_lines import TO_APPEND, complete_lines, open_regular
from ablate.journal.receipt import facts, receipt_path, write_in_place
from ablate.journal.study_lines import study_lines
from ablate.journal.study_record import StudyRecord

SUFFIX = ".study.jsonl"
_IS_RECEIPT = has(
    **dict.fromkeys(("store", "run_id"), is_text),
    **dict.fromkeys(("size", "reports"), is_seed),
)


@dataclass(frozen=True)
class StudyReceipt:
    """The delivered part of a study's journal.

    Attributes:
        store: Identity of the store.
        run_id: The store's identifier of the study.
        size: Size of the journal at that time, in bytes.
        reports: Number of delivered reports.
    """

    store: str
    run_id: str
    size: int
    reports: int


class RecordedReport(NamedTuple):
    """A report in the journal of its study: folder, summary, metrics, time of the record in seconds, number from 0.

    The folder is None if it does not exist any more, or has a newer report.
    """

    folder: Path | None
    note: str
    metrics: Mapping[str, float]
    time: float
    number: int


class StudyJournals:
    """The study journals of a project, in one flat folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of a study's journal."""
        return self.folder / f"{name}{SUFFIX}"

    def names(self) -> list[str]:
        """Return the names of the studies that have a journal, sorted."""
        return sorted(path.name.removesuffix(SUFFIX) for path in study_files(self.folder))

    def read(self, name: str) -> StudyRecord | None:
        """Return the record of a study, or None if there is none. The record of another study is none of this one."""
        found = replay(study_lines(self.path(name))[0])
        return found if found and found.name == name else None

    def damage(self, name: str) -> UserError | None:
        """Return the error of a study's journal that is another study's or has invalid lines, which are ignored."""
        lines, reason = study_lines(self.path(name))
        found = replay(lines)
        if found and found.name != name:
            reason = f"is ignored: it is a record of the study {found.name!r}"
        elif reason:
            reason = f"has invalid lines, which are ignored ({reason})"
        return UserError(f"{self.path(name)} {reason}. `ablate doctor --repair` moves it aside") if reason else None

    def is_current(self, study: StudyRecord) -> bool:
        """Return whether the journal has the same content as `study` and the last command was not killed."""
        found = self.read(study.name)
        return found is not None and found.status in ("finished", "failed") and has_same_content(found, study)

    def open(self, study: StudyRecord) -> None:
        """Append a study's declarations and plan, unless they are recorded already."""
        before = self.read(study.name)
        if before is None or before.status != "running" or not has_same_content(before, study):
            self._add(study.name, "study", study.as_dict())

    def close(self, name: str, status: str) -> None:
        """Append the final status of a command."""
        self._add(name, "status", {"status": status})

    def attach_report(self, name: str, folder: Path, note: str, metrics: Mapping[str, float]) -> None:
        """Append the folder of the newest report, its summary and its metrics."""
        relative = os.path.relpath(folder.absolute(), self.folder.absolute())
        self._add(name, "report", {"folder": relative, "note": note, "metrics": dict(metrics)})

    def reports(self, name: str) -> list[RecordedReport]:
        """Return the reports, oldest first. Only the newest one has a folder, if that contains a report."""
        lines = [line for line in study_lines(self.path(name))[0] if line["record"] == "report"]
        found = [RecordedReport(None, line["note"], line["metrics"], line["time"], i) for i, line in enumerate(lines)]
        if lines:
            folder = Path(os.path.normpath(self.folder.absolute() / lines[-1]["folder"]))
            found[-1] = found[-1]._replace(folder=folder if (folder / "report.md").is_file() else None)
        return found

    def add(self, name: str, lines: Iterable[bytes]) -> bool:
        """Append the lines that are missing, and return whether there were any."""
        known = set(_complete_lines(self.path(name)))
        new = [line for line in dict.fromkeys(lines) if line not in known]
        self._append(name, new)
        return bool(new)

    def is_delivered(self, name: str, store: str) -> bool:
        """Return whether a store has the complete journal of a study."""
        found = self.receipt(name, store)
        return found is not None and bool(found.run_id) and found.size == self.size(name)

    def receipt(self, name: str, store: str) -> StudyReceipt | None:
        """Return the receipt of a study's journal for one store, or None if it is missing, damaged or another store's.

        Those of earlier versions have neither the identifier, which is empty then, nor the number of reports.
        """
        found = dict(facts(receipt_path(self.path(name))))
        if "reports" not in found and is_seed(found.get("size")):
            is_complete = found["size"] == self.size(name)
            found |= {"run_id": "", "reports": len(self.reports(name)) if is_complete else 0}
        if not _IS_RECEIPT(found) or found["store"] != store:
            return None
        return StudyReceipt(**{entry.name: found[entry.name] for entry in fields(StudyReceipt)})

    def mark_delivered(self, name: str, receipt: StudyReceipt) -> None:
        """Write the receipt of a study's journal."""
        write_in_place(receipt_path(self.path(name)), asdict(receipt))

    def size(self, name: str) -> int:
        """Return the size of a study's journal in bytes."""
        return self.path(name).lstat().st_size

    def _add(self, name: str, record: str, fields: Mapping[str, Any]) -> None:
        line = json.dumps({"record": record, "time": time.time(), **fields}, default=str)
        self._append(name, [line.encode()])

    def _append(self, name: str, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_regular(path, TO_APPEND) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            cut_off = file.read() not in (b"", b"\n")  # an incomplete line, after a crash: start a new one
            file.write(b"\n" * cut_off + b"".join(line + b"\n" for line in lines))


def study_files(folder: Path) -> list[Path]:
    """Return the study journals in a folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def replay(lines: Iterable[Mapping[str, Any]]) -> StudyRecord | None:
    """Return the study that results from the records of its journal, oldest first."""
    found: StudyRecord | None = None
    for line in lines:
        if line["record"] == "study":
            new = StudyRecord.from_dict(line, "running")
            new = replace(new, recorded=line["time"], since=min(new.since or line["time"], line["time"]))
            found = new.merged_with(found) if found else new
        elif line["record"] == "status" and found:
            found = replace(found, status=line["status"], recorded=line["time"])
    return found


def has_same_content(one: StudyRecord, other: StudyRecord) -> bool:
    """Return whether two records have the same declarations and plan; earlier declarations and times are ignored."""
    apart = {"earlier": (), "recorded": 0, "since": 0}
    plain = [json.dumps({**record.as_dict(), **apart}, default=str) for record in (one, other)]
    return plain[0] == plain[1]


def _complete_lines(path: Path) -> list[bytes]:
    try:
        return [line for line in complete_lines(path) if line.strip()]
    except FileNotFoundError:
        return []
