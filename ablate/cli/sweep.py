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
from ablate.cli.options.study import StudyFlags, SweepFlags
from ablate.cli.report import show_report

if TYPE_CHECKING:
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
    from ablate.api.sweeps import SweepRequest, open_sweep, report_folder, with_looks

    began = time.perf_counter()
    study = flags.study(file, recipe)
    study.comparisons()  # raises the errors of a design before the data are opened
    if execution.until_clear:
        study = with_looks(study, keep_seeds=flags.seeds is not None)
    request = SweepRequest(
        data,
        compute,
        execution,
        until_clear=execution.until_clear,
        again=execution.again,
        retry_failed=execution.retry_failed,
        tracking_uri=store.tracking_uri,
        offline=store.offline,
    )
    session = open_sweep(study, request)
    _announce(session)
    if execution.dry_run:
        _print_dry_run(session, as_json=execution.as_json)
    else:
        _run_and_report(session, report_folder(session), began, as_json=execution.as_json)


def _announce(session: SweepSession) -> None:
    """Print the study, its scale, its conditions, and cautions."""
    from ablate.workflows.dry_run import announce_sweep
    from ablate.workflows.store import warn_refused

    announce_sweep(session.study, session.planned, session.executor.slots)
    for caution in session.cautions:
        console.warning(caution)
    warn_refused(session.journals.damaged.values())


def _print_dry_run(session: SweepSession, *, as_json: bool) -> None:
    from ablate.workflows.dry_run import print_dry_run

    print_dry_run(session, as_json=as_json)


def _run_and_report(session: SweepSession, folder: Path, began: float, *, as_json: bool) -> None:
    """Train the missing runs and write the report. Raises UserError, for exit code 1, if runs failed."""
    from ablate.api.sweeps import check_failures
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
    check_failures(session)


def _print_summary(session: SweepSession, seconds: float, *, as_json: bool) -> None:
    from ablate.api.sweeps import describe_sweep

    summary = session.summary(seconds)
    if as_json:
        console.print_json(summary)
    else:
        console.result(describe_sweep(summary))
