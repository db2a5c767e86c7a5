"""The interface of trackers, which store runs and studies and read them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ablate.journal.run_journal import Run
from ablate.journal.study_record import StudyRecord

SINGLE_RUNS = "ablate"
"""The experiment of runs that belong to no study."""


class RunTracker(Protocol):
    """Delivers runs from journals to a store, and reads them back."""

    def deliver(self, journal: Path) -> str | None:
        """Deliver the new records of a journal and return the store's identifier of the run.

        Repeating a delivery changes nothing. A run whose process is gone is closed as killed. The result is None for a
        journal without a complete first line.

        Raises:
            StoreError: The store failed. The next call continues.
        """

    def undelivered(self, journals: Iterable[Path]) -> list[Path]:
        """Return the journals that are not completely delivered, and those of open runs."""

    def lost(self, journals: Iterable[Path]) -> list[Path]:
        """Return the delivered journals, of runs or studies, that the store lacks, or of which it has an earlier part.

        A database that was restored from a backup lacks later deliveries. Deleted runs are not lost. Stores other than
        SQLite are not examined.
        """

    def heartbeat(self, journal: Path) -> None:
        """Record that the run of a delivered journal is still alive."""

    def runs(self, experiment: str | None = None, condition: str = "") -> list[Run]:
        """Return the runs of one experiment, or all runs of ablate, oldest first, without histories.

        `condition` is a filter of the runs of one experiment in MLflow's syntax. Raises UserError if it is invalid.
        """

    def experiments(self) -> list[str]:
        """Return the names of the experiments."""

    def history(self, run: Run, names: Sequence[str] = ()) -> tuple[Mapping[str, float], ...]:
        """Return one row per epoch: `step` and the metrics, of those in `names` if any are given."""

    def find(self, text: str) -> Run:
        """Return the run that `text` names, with its history.

        Args:
            text: The start of an identifier, of a run's name or of a key, or `variant/s3` for the newest run of that
                title.

        Raises:
            UserError: No run, or more than one, has that name.
        """

    def identifier(self, run: Run) -> str:
        """Return the store's identifier of a run."""

    def run_environment(self, identifier: str) -> Mapping[str, str]:
        """Return the environment variables with which another program logs to a run."""

    def artifact_uri(self, run: Run) -> str:
        """Return the URI of a run's artifacts."""

    def artifact(self, run: Run, name: str) -> Path:
        """Return a local path of an artifact. Raises UserError if it does not exist."""

    def artifacts(self, runs: Iterable[Run], name: str) -> dict[str, Path]:
        """Return local paths of an artifact, by name of the run, for the runs that have it."""

    def delete(self, run: Run) -> None:
        """Delete a run from the store, with its artifacts if they are on this machine."""

    def orphans(self, older_than: float) -> list[Run]:
        """Return the open runs of other hosts without a heartbeat in the last `older_than` seconds."""

    def close_orphans(self, journals: Iterable[Path]) -> list[str]:
        """Close every open run whose process is gone as killed, and return the names of these runs.

        The `journals` of ended runs are delivered first if necessary.
        """

    def close_as_killed(self, run: Run) -> None:
        """Close an open run as killed, at the time of its last heartbeat."""


class StudyTracker(Protocol):
    """Stores studies with their plans and reports."""

    def open_study(self, study: StudyRecord) -> str:
        """Record a study's declarations and plan, and return the store's identifier of the study."""

    def close_study(self, name: str, status: str) -> None:
        """Record the status of a study: `finished`, `failed` or `killed`."""

    def study(self, name: str) -> StudyRecord:
        """Return the record of a study. Raises UserError if it is unknown."""

    def studies(self) -> Sequence[str]:
        """Return the names of the recorded studies."""

    def confirm_study(self, name: str, size: int) -> str:
        """Record that `size` bytes of a study's journal are delivered, and return the store's identifier."""

    def attach_report(
        self,
        name: str,
        folder: Path | None,
        note: str,
        metrics: Mapping[str, float],
        time: float | None = None,
        number: int | None = None,
    ) -> None:
        """Store the files of a report with its study, and its summary as the description of the experiment.

        `folder` is None if the files do not exist any more, `time` that of the report, in seconds since the epoch
        (default: now), `number` its number, from 0 (default: the next one), which is the step of the metrics. Repeating
        the call changes nothing.
        """


class Tracker(RunTracker, StudyTracker, Protocol):
    """Stores runs and studies, and reads them back."""

    @property
    def uri(self) -> str:
        """The URI of the store, without passwords."""

    @property
    def identity(self) -> str:
        """An identifier of the store that differs from that of an earlier store at the same URI."""
