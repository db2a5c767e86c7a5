"""The command that makes the runs of a study."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate import console
from ablate.cli.options.common import ComputeFlags, DataFlags, TrackingFlags
from ablate.cli.options.groups import expand_groups
from ablate.cli.options.recipe import RecipeFlags
from ablate.cli.options.study import StudyFlags, SweepFlags
from ablate.errors import UserError
from ablate.wording import count

if TYPE_CHECKING:
    from ablate.studies.study import Study
    from ablate.tracking import Project, Tracker
    from ablate.workflows.study_recorder import StudyReporter
    from ablate.workflows.sweep import SweepSession
from ablate.workloads.dispatch import open_data


@expand_groups
def sweep(
    flags: StudyFlags,
    how: SweepFlags,
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

      ablate sweep --design fractional --seeds 3 --preset demo --name screening
    """
    from ablate.runs.forecast import code_cautions
    from ablate.tracking import Project
    from ablate.workflows.dry_run import announce_sweep, print_dry_run

    began = time.perf_counter()
    study = flags.study(file, recipe)
    if how.until_clear:
        study = _looked_at(study, keep_seeds=flags.seeds is not None)
    project = Project.find()
    session = _session(study, how, data, compute, project, store.open(project))
    slots = session.executor.slots
    announce_sweep(study, session.planned, slots)
    for caution in code_cautions(study, session.planned, session.journals):
        console.warn(caution)
    if how.dry_run:
        print_dry_run(study, session.planned, session.journals, slots, as_json=how.as_json)
        return
    _run_and_report(session, project.reports / study.name, began, as_json=how.as_json)
    _complain_of_failures(session)


def _looked_at(study: Study, *, keep_seeds: bool) -> Study:
    """Return the study as `--until-clear` takes it: with the seeds of the last look unless others were asked for."""
    from ablate.runs.until_clear import check_design, last_look

    check_design(study)
    return study if keep_seeds else study.change(seeds=last_look())


def _session(
    study: Study, how: SweepFlags, data: DataFlags, compute: ComputeFlags, project: Project, tracker: Tracker
) -> SweepSession:
    """Return the session that makes a study's runs: what is planned, and what the journals hold of it."""
    from ablate.journal.run_journal import Journals
    from ablate.runs.runner import RunOptions
    from ablate.runs.sweep import plan_runs
    from ablate.workflows.study_recorder import StudyRecorder
    from ablate.workflows.sweep import SweepSession

    workload, journals = study.workload, Journals(project.journals)
    wanted = compute.conditions(workload)
    slots = how.slots(wanted, compute.threads)
    conditions = replace(wanted, threads=compute.threads or max(1, wanted.threads // slots))
    with console.DecodingBar() as bar:
        source = data.source_or_none(workload.preset(study.preset).dataset)
        opened = open_data(study.baseline, source, bar)
    return SweepSession(
        study,
        plan_runs(study.recipes(), opened, conditions, journals, mix=how.mix),
        journals,
        RunOptions(project.root, study.name, again=how.again, mix=how.mix),
        how.open(slots, conditions),
        StudyRecorder(study.name, tracker, journals),
        until_clear=how.until_clear,
        retry_failed=how.retry_failed,
        max_failures=how.max_failures,
    )


def _run_and_report(session: SweepSession, folder: Path, began: float, *, as_json: bool) -> None:
    """Make the missing runs and write the report."""
    from ablate.workflows.study_recorder import StudyReporter

    is_up_to_date = session.is_recorded and (folder / "report.md").exists()
    with StudyReporter(session.recorder, folder) as reporter:
        session.next_step = reporter
        session.run()
        _conclude(session, time.perf_counter() - began, as_json=as_json)
        if is_up_to_date:
            console.say(f"No new runs since {folder / 'report.md'}")
        else:
            _report(reporter, as_json=as_json)


def _report(reporter: StudyReporter, *, as_json: bool) -> None:
    """Write the study's report and print its answer."""
    from ablate.cli.report import show_report

    written = reporter.write()
    if as_json:
        console.say(f"{written.folder / 'report.md'}")
    else:
        show_report(written)


def _conclude(session: SweepSession, seconds: float, *, as_json: bool) -> None:
    """Print what came of a sweep."""
    summary = session.summary(seconds)
    if as_json:
        console.emit(summary)
    else:
        console.result(
            f"{summary['study']}: {count(summary['planned'], 'run')} planned, {summary['reused']} reused, "
            f"{summary['ran']} made, {summary['failed']} failed, in {console.duration(seconds)}"
        )


def _complain_of_failures(session: SweepSession) -> None:
    """Raise UserError, for exit code 1, if runs failed."""
    if session.failed:
        first = session.failed[0]
        raise UserError(
            f"{len(session.failed)} of {len(session.planned)} runs failed, the first: {first.variant}/s{first.seed} "
            f"({first.error}); --retry-failed runs them once more"
        )
