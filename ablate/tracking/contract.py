"""What a tracker is: where runs go and come back from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ablate.journal.run_journal import Run
from ablate.journal.study_record import StudyRecord

SINGLE_RUNS = "ablate"
"""The experiment of the runs that belong to no study."""


class RunTracker(Protocol):
    """Runs: from journals into the store, and back."""

    def deliver(self, journal: Path) -> str | None:
        """Bring what is new in a journal into the store and return the store's identifier of the run.

        Doing it twice changes nothing. A run whose process is provably dead is closed as killed. Returns None for a
        journal without a whole first line. Raises StoreError when the store fails; then the next call goes on.
        """

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:
        """Return the journals with something that the store does not have yet, or whose run is still open."""

    def heartbeat(self, journal: Path) -> None:
        """Say that the run of a journal that was delivered before is still alive."""

    def runs(self, experiment: str | None = None) -> list[Run]:
        """Return the runs of one experiment, or all that ablate made, oldest first, without histories."""

    def history(self, run: Run) -> tuple[Mapping[str, float], ...]:
        """Return a row for each epoch: `step` and the metrics."""

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history.

        `text` is the beginning of an identifier, of a journal's name or of a key, or `variant/s3` for the newest so
        named. Raises UserError, with what there is, if there is none or more than one.
        """

    def identifier(self, run: Run) -> str:
        """Return the store's identifier of a run."""

    def run_environment(self, identifier: str) -> Mapping[str, str]:
        """Return the environment variables by which a program of its own logs to the run of that identifier."""

    def artifact_uri(self, run: Run) -> str:
        """Return the address of a run's artifacts."""

    def artifact(self, run: Run, name: str) -> Path:
        """Return a local path of an artifact, or raise UserError with those that there are."""

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return local paths of an artifact by the name of the run, of those runs that have it; made for many."""

    def delete(self, run: Run) -> None:
        """Remove a run from the store, with its artifacts where they lie on this machine."""

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts whose last sign of life is more than `older_than` seconds old."""

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Close as killed every open run whose process is provably dead, and return the names of these runs.

        Of `journals`, those of runs that are over and not delivered yet are delivered first.
        """

    def close_as_killed(self, run: Run) -> None:
        """Close an open run as killed, at its last sign of life."""


class StudyTracker(Protocol):
    """Studies: what was planned, what answers it, and the report."""

    def open_study(self, study: StudyRecord) -> str:
        """Record what a study declares and plans, or go on with the record; return the store's identifier of it."""

    def close_study(self, name: str, status: str) -> None:
        """Record how a study's command ended: `finished`, `failed` or `killed`."""

    def study(self, name: str) -> StudyRecord:
        """Return what a study recorded, or raise UserError with the studies that there are."""

    def studies(self) -> Sequence[str]:
        """Return the names of the studies that were recorded."""

    def attach_report(self, name: str, folder: Path, note: str, metrics: Mapping[str, float]) -> None:
        """Keep the files of a report with its study, and its summary where the store shows it first."""


class Tracker(RunTracker, StudyTracker, Protocol):
    """Where runs and studies go and come back from."""

    @property
    def uri(self) -> str:
        """The address of the store, as it may be shown."""

    @property
    def identity(self) -> str:
        """What tells this store from any other, also from one that lay at the same address before."""
