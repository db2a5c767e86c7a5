"""A run's append-only record, and the claim on a recipe while it runs.

Each attempt at a recipe writes `<key>-<data>-<attempt>.jsonl` as it goes; everything else (the tracking store, the run
table, what is reused) is read from there. A line is written whole and flushed, so a crash loses at most the last one.
Records, each with `record` and `time` (seconds since the epoch):

    start    schema, run, variant, key, data, data_name, study, tags, recipe, params, metric, floor, conditions,
             environment, process
    resume   process                   a killed run goes on from its checkpoint
    metrics  step, values              one value a metric
    wanted                             the training waits for its run in the store
    series   name, first, values       one value a step, from step `first` on
    end      status, metrics, params, error, trace
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ablate.errors import UserError
from ablate.journal import line_format as journal_lines

SCHEMA = 1
RESULTS = ("finished", "unstable")
"""The statuses that answer a recipe: such a run is reused, not repeated."""

_FILE_NAME = re.compile(r"(?P<key>[0-9a-f]{12})-(?P<data>[0-9a-z]+)-(?P<attempt>\d+)\.jsonl")


@dataclass(frozen=True)
class Run:
    """What happened to one recipe. `status` is `running` while there is no end record; `metric` names the headline."""

    name: str
    key: str
    data: str
    variant: str
    seed: int
    study: str
    status: str
    started: float
    ended: float | None
    params: Mapping[str, Any]
    metrics: Mapping[str, float]
    history: tuple[Mapping[str, float], ...]
    conditions: Mapping[str, Any]
    environment: Mapping[str, Any]
    process: Mapping[str, Any]
    floor: float | None = None
    error: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    metric: str = ""

    @property
    def is_result(self) -> bool:
        """Whether this run answers its recipe."""
        return self.status in RESULTS


class Journal:
    """The open record of one attempt; a context manager that closes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self._file: IO[bytes] | None = None

    @property
    def files(self) -> Path:
        """The folder of the artifacts that wait for delivery."""
        return self.path.with_suffix(".files")

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self.path.with_suffix(".checkpoint")

    def write(self, record: str, **fields: Any) -> None:
        """Append one record; numbers that are not finite are written as null, secrets as `***`."""
        if self._file is None:
            self._file = _open_at_whole_line(self.path)
        self._file.write(journal_lines.line(record, time.time(), fields))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


class Journals:
    """The journals of a project: one flat folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paths(self) -> list[Path]:
        """Return every journal, in order of name."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _FILE_NAME.fullmatch(path.name))

    def path(self, run: str) -> Path:
        """Return the path of the journal of the run of that name."""
        return self.folder / f"{run}.jsonl"

    def attempts(self, key: str, data: str) -> list[Path]:
        """Return the journals of the attempts at one recipe on one data set, oldest first."""
        found = self.folder.glob(f"{key}-{data}-*.jsonl")
        return sorted((path for path in found if _FILE_NAME.fullmatch(path.name)), key=_attempt)

    def index(self) -> dict[tuple[str, str], list[Path]]:
        """Return the journals of every recipe and data set, oldest attempt first."""
        found: dict[tuple[str, str], list[Path]] = {}
        for path in sorted(self.paths(), key=_attempt):
            key, data, _ = path.stem.split("-")
            found.setdefault((key, data), []).append(path)
        return found

    def create(self, key: str, data: str) -> Journal:
        """Return the journal of a new attempt: an empty file that was not there before, whoever else makes one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        attempts = self.attempts(key, data)
        number = _attempt(attempts[-1]) + 1 if attempts else 0
        while True:
            with suppress(FileExistsError):  # on a shared folder whose locks do not reach the other machine
                self.path(f"{key}-{data}-{number}").touch(exist_ok=False)
                return Journal(self.path(f"{key}-{data}-{number}"))
            number += 1

    @contextmanager
    def claim(self, key: str, data: str, timeout: float = -1) -> Iterator[None]:
        """Hold the right to run a recipe; wait for it up to `timeout` seconds (-1: for ever), else raise UserError.

        The lock is the operating system's, so it goes with its process, however that ends.
        """
        from filelock import FileLock, Timeout

        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / f"{key}-{data}.lock", timeout=timeout):
                yield
        except Timeout:
            raise UserError(f"another process runs {key} on this data: {self.holder(key, data)}") from None

    def is_claimed(self, key: str, data: str) -> bool:
        """Return whether another process holds the claim just now."""
        try:
            with self.claim(key, data, timeout=0):
                return False
        except UserError:
            return True

    def holder(self, key: str, data: str) -> str:
        """Return who runs a recipe, as its newest journal tells."""
        attempts = self.attempts(key, data)
        run = load(attempts[-1]) if attempts else None
        return f"process {run.process['pid']} on {run.process['host']}" if run else "it has only just begun"


def _attempt(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _open_at_whole_line(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)  # a line that a crash cut off
    file.seek(whole)
    return file


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a journal; a last line that a crash cut off is none.

    Raises UserError for a file that is not a journal.
    """
    *whole, _cut_off = path.read_bytes().split(b"\n")
    found: list[dict[str, Any]] = []
    for number, line in enumerate(whole, start=1):
        try:
            found.append(journal_lines.parse(line))
        except ValueError as error:
            raise UserError(
                f"{path} is not a run's journal (line {number}: {error}): `ablate doctor --repair` moves it aside"
            ) from None
    return found


def load(path: Path) -> Run | None:
    """Return the run that a journal describes, or None if the crash came before its first line was whole."""
    lines = records(path)
    if not lines or lines[0]["record"] != "start":
        return None
    start, last = lines[0], lines[-1]
    end = last if last["record"] == "end" else {}
    process = [line["process"] for line in lines if line["record"] in ("start", "resume")][-1]
    rows: dict[int, dict[str, float]] = {}
    for line in lines:
        if line["record"] == "metrics":
            rows.setdefault(line["step"], {"step": line["step"]}).update(_numbers(line["values"]))
    return Run(
        name=path.stem,
        key=start["key"],
        data=start["data"],
        variant=start["variant"],
        seed=start["recipe"]["seed"],
        study=start["study"],
        status=end.get("status", "running"),
        started=start["time"],
        ended=end.get("time"),
        params={**start["params"], **(end.get("params") or {})},
        metrics=_numbers(end.get("metrics") or {}),
        history=tuple(rows.values()),
        conditions=start["conditions"],
        environment=start["environment"],
        process=process,
        floor=start.get("floor"),
        error=end.get("error"),
        tags=start.get("tags") or {},
        metric=(start.get("metric") or {}).get("tracked", ""),
    )


def _numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in values.items()}
