"""The input of a tune command: what to search, and with which resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ablate import console
from ablate.journal.run_journal import Journals
from ablate.report.report_folder import study_folder
from ablate.report.tuning_report import TuningReport
from ablate.report.write import Report
from ablate.runs.executors import Executor
from ablate.runs.runner import RunOptions
from ablate.studies.conditions import Conditions
from ablate.studies.job import Data
from ablate.studies.study import Study
from ablate.tracking import Project, Tracker
from ablate.tuning.space import Space
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import SearchSettings, SearchSpec, SearchStorage
from ablate.workflows.study_recorder import StudyRecorder, StudyReporter


@dataclass(frozen=True)
class TuneRequest:
    """What to search, and what to do with the result.

    Attributes:
        study: The study whose baseline, or variants, are tuned.
        settings: Trials, seeds, space, objectives, pruner and sampler seed.
        command: The command line, for the report.
        max_failures: Failed trials, or runs, after which the command ends.
        mix: Whether to reuse runs of other devices and precisions.
        save: Where to write the tuned recipe as a study file.
        deadline: Time (seconds since 1970) after which no trial starts.
        as_json: Whether to print the result as JSON.
    """

    study: Study
    settings: SearchSettings
    command: str
    max_failures: int
    deadline: float
    mix: bool = False
    save: Path | None = None
    as_json: bool = False


@dataclass(frozen=True)
class TuneResources:
    """Data, hardware and storage of a tune command."""

    data: Data
    conditions: Conditions
    executor: Executor
    project: Project
    tracker: Tracker
    storage: SearchStorage


@dataclass(frozen=True)
class TuneContext:
    """A request and the resources for it, and the tasks and records made of both."""

    request: TuneRequest
    resources: TuneResources
    has_pool: bool = True
    """Whether a process draws a part of the figures of the report."""

    @cached_property
    def recorder(self) -> StudyRecorder:
        """The recorder of the study. There is one per command, so that a failing store is reported once."""
        resources = self.resources
        return StudyRecorder(self.request.study.name, resources.tracker, Journals(resources.project.journals))

    @property
    def options(self) -> RunOptions:
        """The options of all runs of the command."""
        return RunOptions(self.resources.project.root, self.request.study.name, mix=self.request.mix)

    def task(self, spec: SearchSpec) -> TrialTask:
        """Return the task of a trial of a search."""
        resources, deadline = self.resources, self.request.deadline
        journals = resources.project.journals
        return TrialTask(
            spec, resources.storage, resources.data, resources.conditions, self.options, journals, deadline
        )

    def write_report(self) -> Report | TuningReport:
        """Write the report into the project's reports."""
        folder = study_folder(self.resources.project.reports, self.request.study.name)
        with StudyReporter(self.recorder, folder, has_pool=self.has_pool) as reporter:
            return reporter.write()


def announce_space(space: Space, values: Mapping[str, Any]) -> None:
    """Print the dimensions of a search space with the recipe's current values."""
    for dimension in space.dimensions:
        value = values[dimension.name]
        current = f"{value:g}" if isinstance(value, float) else str(value)
        console.info(f"  {dimension.name}: {dimension.text} (baseline: {current})")
