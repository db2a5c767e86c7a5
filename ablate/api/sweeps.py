"""Open the sweep of a study: its plan, the runs that exist, the workers and the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.api.resources import ComputeChoice, DataChoice, ExecutionChoice
from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Journals
from ablate.report.report_folder import study_folder
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import plan_runs
from ablate.runs.until_clear import check_design, last_look
from ablate.studies.study import Study
from ablate.studies.varied_values import varied_names
from ablate.tracking import Project
from ablate.wording import count
from ablate.workflows.store import open_store
from ablate.workflows.study_recorder import StudyRecorder
from ablate.workflows.sweep import SweepSession

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SweepRequest:
    """How the runs of a study are made.

    Attributes:
        data: The images to train on.
        compute: The hardware.
        execution: The executor.
        until_clear: Whether comparisons that are settled stop early.
        again: Whether finished runs are repeated.
        retry_failed: Whether failed runs are repeated.
        tracking_uri: MLflow tracking URI.
        offline: Whether runs are recorded in journals only.
    """

    data: DataChoice = field(default_factory=DataChoice)
    compute: ComputeChoice = field(default_factory=ComputeChoice)
    execution: ExecutionChoice = field(default_factory=ExecutionChoice)
    until_clear: bool = False
    again: bool = False
    retry_failed: bool = False
    tracking_uri: str | None = None
    offline: bool = False


def named(study: Study) -> Study:
    """Return a study under its name, by default that of its design or of what it varies, and of its preset."""
    if study.name:
        return study
    design = [] if study.vary and study.design == Study.design else [study.design]
    varied = ["vary", *varied_names(study.vary)] if study.vary else []
    return study.change(name="-".join([*varied, *design, study.preset]))


def with_looks(study: Study, *, keep_seeds: bool) -> Study:
    """Return the study with the seeds of the last look of a sequential test, unless other seeds were given.

    Raises UsageError for a design that has no such test.
    """
    check_design(study)
    return study if keep_seeds else study.change(seeds=last_look())


def open_sweep(study: Study, request: SweepRequest) -> SweepSession:
    """Return the session of a sweep that has not started. The runs that exist are reused.

    Raises:
        UsageError: The device, the data or the store cannot be used, or workers cannot import the training.
    """
    check_file(study)
    study, project = named(study), Project.find()
    tracker = open_store(project, request.tracking_uri, offline=request.offline)
    execution, journals = request.execution, Journals(project.journals)
    workers = execution.workers(study.baseline, request.compute)
    data = request.data.open(study.baseline, study.preset)
    return SweepSession(
        study,
        plan_runs(study.recipes(), data, workers.conditions, journals, mix=execution.mix),
        journals,
        RunOptions(project.root, study.name, again=request.again, mix=execution.mix),
        workers.executor,
        StudyRecorder(study.name, tracker, journals),
        until_clear=request.until_clear,
        retry_failed=request.retry_failed,
        max_failures=execution.max_failures,
    )


def check_file(study: Study) -> None:
    """Raise UsageError for a study of the user's own training that is not in a file, which workers import."""
    workload = study.workload
    if not isinstance(workload.train_function, str) and workload.study_file is None:
        raise UsageError(
            "The training of this study is defined in this program, but its runs import it from a file. Write the "
            "study to a file, such as mine.py, and load it: ablate.load_study('mine.py')"
        )


def report_folder(session: SweepSession) -> Path:
    """Return the folder of the study's report."""
    return study_folder(session.recorder.project.reports, session.study.name)


def check_failures(session: SweepSession) -> None:
    """Raise UserError if runs of the study failed."""
    if session.failed:
        first = session.failed[0]
        raise UserError(
            f"{len(session.failed)} of {len(session.planned)} runs failed. The first: {first.variant}/s{first.seed} "
            f"({first.error}). --retry-failed reruns them"
        )


@dataclass(frozen=True, repr=False)
class SweepResult:
    """The runs of a study.

    Attributes:
        summary: The result as plain data: numbers of runs, and each run.
    """

    summary: dict[str, Any]

    @property
    def runs(self) -> pd.DataFrame:
        """The runs: variant, seed, key, run, status and score."""
        import pandas as pd

        return pd.DataFrame(self.summary["runs"])

    def __repr__(self) -> str:
        return describe_sweep(self.summary)


def describe_sweep(summary: dict[str, Any]) -> str:
    """Return the numbers of runs of a sweep and its duration, in one line."""
    from ablate import console

    return (
        f"{summary['study']}: {count(summary['planned'], 'run')} planned, {summary['reused']} reused, "
        f"{summary['ran']} new, {summary['failed']} failed, in {console.duration(summary['seconds'])}"
    )
