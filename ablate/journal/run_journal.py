"""The append-only journal of a run, and the lock on a recipe while it runs.

Each attempt at a recipe appends to `<key>-<data>-<attempt>.jsonl`, on which store, run table and reuse are based. Lines
are flushed at once, so a crash loses at most the last one. Records, all with `record` and `time` (since the epoch):

    start    schema, run, variant, key, data, data_name, study, tags, recipe, params, metric, floor, conditions,
             environment, process
    resume   process                   a killed run continues from its checkpoint
    metrics  step, values              one value per metric
    wanted                             the training waits for its run in the store
    series   name, first, values       one value per step, from step `first`
    end      status, metrics, params, error, trace
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ablate.errors import UserError
from ablate.journal.field_checks import is_file_name
from ablate.journal.journal_lines import FILE_NAME, DamagedJournalError, records
from ablate.journal.line_format import format_line

RESULT_STATUSES = ("finished", "unstable")
"""The statuses of runs that are results of their recipe: they are reused, not repeated."""


@dataclass(frozen=True)
class Run:
    """One run of a recipe. Times are in seconds since the epoch.

    `status` is `running` while the journal has no end record, `history` has one row per epoch (`step` and the metrics),
    `metrics` are the final ones (their `last_steps` in MLflow only from other programs), `parent` is the id in MLflow.
    """

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
    parent: str = ""
    last_steps: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_result(self) -> bool:
        """Whether this run is a result of its recipe."""
        return self.status in RESULT_STATUSES


class Journal:
    """The open journal of one attempt; a context manager that closes the file."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.stem
        self._file: IO[bytes] | None = None

    @property
    def files(self) -> Path:
        """The folder of the artifacts that are not delivered yet."""
        return self.path.with_suffix(".files")

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self.path.with_suffix(".checkpoint")

    @property
    def working_folder(self) -> Path:
        """The folder in which the training works, if it has one of its own."""
        return self.path.with_suffix(".work")

    def write(self, record: str, **fields: Any) -> None:
        """Append a record; non-finite numbers become null, secrets `***`."""
        if self._file is None:
            self._file = _open_after_last_line(self.path)
        self._file.write(format_line(record, time.time(), fields))
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
    """The journals of a project, in one flat folder.

    `damaged` has the journals that `read` skipped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: dict[Path, DamagedJournalError] = {}

    def read(self, path: Path) -> Run | None:
        """Return the run of a journal, or None if its first line is missing or the journal is damaged."""
        try:
            return load(path)
        except DamagedJournalError as error:
            self.damaged[path] = error
            return None

    def paths(self) -> list[Path]:
        """Return the paths of all journals, sorted by name."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if FILE_NAME.fullmatch(path.name))

    def path(self, run: str) -> Path:
        """Return the path of a run's journal. Raises UserError for a name that is not that of a file in the folder."""
        if not is_file_name(run):
            raise UserError(f"Invalid name of a run: {run!r}")
        return self.folder / f"{run}.jsonl"

    def attempts(self, key: str, data: str) -> list[Path]:
        """Return the journals of all attempts at a recipe on one data set, oldest first."""
        found = self.folder.glob(f"{key}-{data}-*.jsonl")
        return sorted((path for path in found if FILE_NAME.fullmatch(path.name)), key=_attempt)

    def index(self) -> dict[tuple[str, str], list[Path]]:
        """Return the journals by recipe key and data fingerprint, oldest attempt first."""
        found: dict[tuple[str, str], list[Path]] = {}
        for path in sorted(self.paths(), key=_attempt):
            key, data, _ = path.stem.split("-")
            found.setdefault((key, data), []).append(path)
        return found

    def create(self, key: str, data: str) -> Journal:
        """Create the journal of a new attempt; its file name is unique among concurrent attempts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        attempts = self.attempts(key, data)
        number = _attempt(attempts[-1]) + 1 if attempts else 0
        while True:
            with suppress(FileExistsError):  # on a shared folder, where locks may not reach the other machine
                self.path(f"{key}-{data}-{number}").touch(exist_ok=False)
                return Journal(self.path(f"{key}-{data}-{number}"))
            number += 1

    @contextmanager
    def lock(self, key: str, data: str, timeout: float = -1) -> Iterator[None]:
        """Hold the lock on running a recipe. The operating system releases it when the process ends.

        Raises UserError if another process held it for `timeout` seconds (-1: wait without limit).
        """
        from filelock import FileLock, Timeout

        if not is_file_name(f"{key}-{data}"):
            raise UserError(f"Invalid key or data fingerprint of a run: {key!r}, {data!r}")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / f"{key}-{data}.lock", timeout=timeout):
                yield
        except Timeout:
            raise UserError(f"Another process runs {key} on this data: {self.lock_owner(key, data)}") from None

    def is_locked(self, key: str, data: str) -> bool:
        """Return whether another process runs a recipe."""
        try:
            with self.lock(key, data, timeout=0):
                return False
        except UserError:
            return True

    def lock_owner(self, key: str, data: str) -> str:
        """Return the process that runs a recipe, according to its newest journal."""
        attempts = self.attempts(key, data)
        run = self.read(attempts[-1]) if attempts else None
        return f"process {run.process['pid']} on {run.process['host']}" if run else "a process that has just started"


def _attempt(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _open_after_last_line(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+b")
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    file.truncate(whole)  # an incomplete line, after a crash
    file.seek(whole)
    return file


def load(path: Path) -> Run | None:
    """Return the run of a journal, or None if its first line is missing. Raises DamagedJournalError."""
    lines = records(path)
    if not lines:
        return None
    start, end = lines[0], lines[-1] if lines[-1]["record"] == "end" else {}
    process = [line["process"] for line in lines if line["record"] in ("start", "resume")][-1]
    rows: dict[int, dict[str, float]] = {}
    for line in lines:
        if line["record"] == "metrics":
            row = rows.setdefault(line["step"], {"step": line["step"]})
            row |= {name: value for name, value in _numbers(line["values"]).items() if name not in row}
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
