"""An MLflow experiment of another program, as reports see it."""

from __future__ import annotations

from ablate.journal.run_journal import Run
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.mlflow_experiment import read_experiments
from ablate.report.study_data import StudyData
from ablate.tracking import Tracker

EMPTY_RUN = Run("", "", "", "", 0, "theirs", "finished", 0.0, 1.0, {}, {}, (), {}, {}, {})


class Store:
    """A tracker with the runs of one experiment, `theirs`."""

    uri = "sqlite:///theirs.db"

    def __init__(self, runs: list[Run]) -> None:
        self._runs = runs

    def runs(self, experiment: str | None = None, condition: str = "") -> list[Run]:
        return self._runs

    def experiments(self) -> list[str]:
        return ["Default", "theirs"]


def from_experiment(experiment: str, tracker: Tracker, options: TableOptions) -> StudyData:
    """Return the study in an MLflow experiment, as a report reads it."""
    return study_of(experiment, read_experiments([experiment], tracker, options), options)
