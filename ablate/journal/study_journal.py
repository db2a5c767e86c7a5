"""A study's append-only record on disk: what was declared and planned, how its commands ended, its newest report.

`<name>.study.jsonl` is a set of lines, each with `record` and `time` (seconds since the epoch); their order in the file
and a line that stands twice mean nothing, so that two such files are brought together by adding lines:

    study    name, question, declared, earlier, layout, plan
    status   status                    how a command on it ended
    report   folder, note, metrics     the newest report, the folder relative to the project
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ablate.journal.receipt import receipt_path, write_in_place
from ablate.journal.study_record import StudyRecord

ENDING = ".study.jsonl"


@dataclass(frozen=True)
class Delivered:
    """How much of a study's record a store has: the lines that there were when it was delivered."""

    store: str
    size: int


class StudyJournals:
    """The records of a project's studies: one flat folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the path of the record of a study."""
        return self.folder / f"{name}{ENDING}"

    def names(self) -> list[str]:
        """Return the studies that have a record, in order of name."""
        return sorted(path.name.removesuffix(ENDING) for path in study_files(self.folder))

    def read(self, name: str) -> StudyRecord | None:
        """Return what a study recorded, or None if it recorded nothing whole."""
        return fold(lines_of(self.path(name)))

    def says(self, study: StudyRecord) -> bool:
        """Return whether a study's record says just this, and that its last command came to an end by itself."""
        found = self.read(study.name)
        return found is not None and found.status in ("finished", "failed") and says_the_same(found, study)

    def open(self, study: StudyRecord) -> None:
        """Record what a study declares and plans, unless that is what its record says already."""
        before = self.read(study.name)
        if before is None or before.status != "running" or not says_the_same(before, study):
            self._add(study.name, "study", study.as_dict())

    def close(self, name: str, status: str) -> None:
        """Record how a study's command ended."""
        self._add(name, "status", {"status": status})

    def attach_report(self, name: str, folder: Path, note: str, metrics: Mapping[str, float]) -> None:
        """Record where the newest report lies, and what it says in short."""
        relative = os.path.relpath(folder.absolute(), self.folder.absolute())
        self._add(name, "report", {"folder": relative, "note": note, "metrics": dict(metrics)})

    def report(self, name: str) -> tuple[Path, str, Mapping[str, float]] | None:
        """Return folder, note and metrics of the newest report, if its folder is there."""
        found = [line for line in lines_of(self.path(name)) if line["record"] == "report"]
        if not found:
            return None
        folder = Path(os.path.normpath(self.folder.absolute() / found[-1]["folder"]))
        return (folder, found[-1]["note"], found[-1]["metrics"]) if folder.is_dir() else None

    def add(self, name: str, lines: Iterable[bytes]) -> bool:
        """Add those of `lines` that the record does not have yet, and return whether there were any."""
        known = set(_whole_lines(self.path(name)))
        new = [line for line in dict.fromkeys(lines) if line not in known]
        self._append(name, new)
        return bool(new)

    def is_delivered(self, name: str, store: str) -> bool:
        """Return whether a store has all of a study's record."""
        try:
            known = Delivered(**json.loads(receipt_path(self.path(name)).read_bytes()))
        except (OSError, ValueError, TypeError):
            return False
        return known == Delivered(store, self.size(name))

    def mark_delivered(self, name: str, store: str, size: int) -> None:
        """Note that a store has the first `size` bytes of a study's record."""
        write_in_place(receipt_path(self.path(name)), asdict(Delivered(store, size)))

    def size(self, name: str) -> int:
        """Return how many bytes the record of a study has."""
        return self.path(name).stat().st_size

    def _add(self, name: str, record: str, fields: Mapping[str, Any]) -> None:
        line = json.dumps({"record": record, "time": time.time(), **fields}, default=str)
        self._append(name, [line.encode()])

    def _append(self, name: str, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(max(0, file.tell() - 1))
            cut_off = file.read() not in (b"", b"\n")  # a crash left half a line: it stays apart, and is none
            file.write(b"\n" * cut_off + b"".join(line + b"\n" for line in lines))


def study_files(folder: Path) -> list[Path]:
    """Return the records of studies in a folder."""
    return sorted(folder.glob(f"*{ENDING}"))


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a study's record in order of time; what a crash cut off is left out."""
    found = []
    for text in dict.fromkeys(_whole_lines(path)):
        try:
            line = json.loads(text)
            found.append((float(line["time"]), line))
            line["record"]
        except (ValueError, KeyError, TypeError):
            continue
    return [line for _, line in sorted(found, key=lambda pair: pair[0])]


def fold(lines: Iterable[Mapping[str, Any]]) -> StudyRecord | None:
    """Return the study that the lines of its record tell, oldest first."""
    found: StudyRecord | None = None
    for line in lines:
        if line["record"] == "study":
            new = StudyRecord.from_dict(line, "running")
            new = replace(new, recorded=line["time"], since=min(new.since or line["time"], line["time"]))
            found = new.merged_with(found) if found else new
        elif line["record"] == "status" and found:
            found = replace(found, status=line["status"], recorded=line["time"])
    return found


def says_the_same(one: StudyRecord, other: StudyRecord) -> bool:
    """Return whether two records declare and plan the same, whatever was declared before."""
    apart = {"earlier": (), "recorded": 0, "since": 0}
    plain = [json.dumps({**record.as_dict(), **apart}, default=str) for record in (one, other)]
    return plain[0] == plain[1]


def _whole_lines(path: Path) -> list[bytes]:
    if not path.is_file():
        return []
    *whole, _cut_off = path.read_bytes().split(b"\n")
    return [line for line in whole if line.strip()]
