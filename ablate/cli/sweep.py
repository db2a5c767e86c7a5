"""`ablate sweep`: run a study and write its report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import ComputeFlags, DataFlags, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import RecipeFlags
from ablate.cli.options.study import StudyFlags, SweepFlags, Workers
from ablate.cli.report import show_report
from ablate.errors import UserError
from ablate.wording import count

if TYPE_CHECKING:
    from ablate.studies.job import Data
    from ablate.studies.study import Study
    from ablate.tracking import Project, Tracker
    from ablate.workflows.sweep import SweepSession


@expand_groups
def sweep(
    flags: StudyFlags,
    execution: SweepFlags,
    recipe: RecipeFlags,
    data: DataFlags,
    compute: ComputeFlags,
    store: TrackingFlags,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="STUDY.py", help="Study file. Without one, the options define the study.", show_default=False
        ),
    ] = None,
) -> None:
    """Run a study: train every variant under the same seeds.

    Finished runs are reused, and the same command resumes an interrupted sweep. Factors, hyperparameters and settings
    (--no-augment, --epochs 4) change the baseline.

    Examples:

      ablate sweep experiments/demo.py

      ablate sweep experiments/laptop.py --dry-run

      ablate sweep --vary lr=0.003,0.01,0.03 --vary optimizer=adam,sgd --preset demo

      ablate sweep --design fractional --seeds 3 --preset demo --name screening
    """
    from ablate.report.report_folder import study_folder
    from ablate.tracking import Project

    began = time.perf_counter()
    study = flags.study(file, recipe)
    study.comparisons()  # raises the errors of a design before the data are opened
    if execution.until_clear:
        study = _sequential(study, keep_seeds=flags.seeds is not None)
    project = Project.find()
    tracker, workers = store.open(project), execution.workers(study.baseline, compute)
    session = _session(study, execution, workers, data.open(study.baseline, study.preset), project, tracker)
    _announce(session)
    if execution.dry_run:
        _print_dry_run(session, as_json=execution.as_json)
    else:
        _run_and_report(session, study_folder(project.reports, study.name), began, as_json=execution.as_json)


def _sequential(study: Study, *, keep_seeds: bool) -> Study:
    """Return the study with the seeds of the last look of a sequential test, unless other seeds were given."""
    from ablate.runs.until_clear import check_design, last_look

    check_design(study)
    return study if keep_seeds else study.change(seeds=last_look())


def _session(
    study: Study, execution: SweepFlags, workers: Workers, data: Data, project: Project, tracker: Tracker
) -> SweepSession:
    """Plan the runs of a study, reusing the finished ones."""
    from ablate.journal.run_journal import Journals
    from ablate.runs.runner import RunOptions
    from ablate.runs.sweep import plan_runs
    from ablate.workflows.study_recorder import StudyRecorder
    from ablate.workflows.sweep import SweepSession

    journals = Journals(project.journals)
    return SweepSession(
        study,
        plan_runs(study.recipes(), data, workers.conditions, journals, mix=execution.mix),
        journals,
        RunOptions(project.root, study.name, again=execution.again, mix=execution.mix),
        workers.executor,
        StudyRecorder(study.name, tracker, journals),
        until_clear=execution.until_clear,
        retry_failed=execution.retry_failed,
        max_failures=execution.max_failures,
    )


def _announce(session: SweepSession) -> None:
    """Print the study, its scale, its conditions, and cautions."""
    from ablate.workflows.dry_run import announce_sweep

    announce_sweep(session.study, session.planned, session.executor.slots)
    for caution in session.cautions:
        console.warning(caution)


def _print_dry_run(session: SweepSession, *, as_json: bool) -> None:
    from ablate.workflows.dry_run import print_dry_run

    print_dry_run(session, as_json=as_json)


def _run_and_report(session: SweepSession, folder: Path, began: float, *, as_json: bool) -> None:
    """Train the missing runs and write the report. Raises UserError, for exit code 1, if runs failed."""
    from ablate.workflows.study_recorder import StudyReporter

    is_up_to_date = session.is_recorded and (folder / "report.md").exists()
    with StudyReporter(session.recorder, folder) as reporter:
        session.next_step = reporter
        session.run()
        _print_summary(session, time.perf_counter() - began, as_json=as_json)
        if is_up_to_date:
            console.info(f"No new runs since {folder / 'report.md'}")
        elif as_json:
            console.info(f"{reporter.write().folder / 'report.md'}")
        else:
            show_report(reporter.write())
    if session.failed:
        first = session.failed[0]
        raise UserError(
            f"{len(session.failed)} of {len(session.planned)} runs failed. The first: {first.variant}/s{first.seed} "
            f"({first.error}). --retry-failed reruns them"
        )


def _print_summary(session: SweepSession, seconds: float, *, as_json: bool) -> None:
    summary = session.summary(seconds)
    if as_json:
        console.print_json(summary)
    else:
        console.result(
            f"{summary['study']}: {count(summary['planned'], 'run')} planned, {summary['reused']} reused, "
            f"{summary['ran']} new, {summary['failed']} failed, in {console.duration(seconds)}"
        )
