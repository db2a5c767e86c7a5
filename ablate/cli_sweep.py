"""The command that makes the runs of a study."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.flags import Selection, grouped
from ablate.machine import usable_cores
from ablate.options import DataFlags, StoreFlags, WhereFlags
from ablate.phrases import not_delivered
from ablate.resnet9 import WORKLOAD

if TYPE_CHECKING:
    from concurrent.futures import Executor as PoolExecutor

    from ablate.executors import Executor
    from ablate.study import Study
    from ablate.sweep_session import SweepSession
    from ablate.tracking import Project, Tracker
    from ablate.workload import Conditions, Data


def _study_flag(text: str, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="The study; a flag wins over the file", show_default=False, **more)


def _how_flag(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="How it runs", **more)


@dataclass(frozen=True)
class StudyFlags:
    """What a study asks; each flag wins over the study's file."""

    design: Annotated[
        str | None,
        _study_flag(
            "leave-one-out (default), add-one-in, both-ways, pairs, factorial, fractional, plackett-burman or path.",
            metavar="NAME",
        ),
    ] = None
    factors: Annotated[
        str | None, _study_flag("The factors in question; the baseline's unless given.", metavar="A,B,...")
    ] = None
    seeds: Annotated[str | None, _study_flag("How many seeds (5: 0 to 4), or which.", metavar="N|A,B,...")] = None
    margin: Annotated[
        float | None, _study_flag("The smallest difference that matters: points, or the metric's unit.")
    ] = None
    preset: Annotated[
        str | None, _study_flag("The scale: notebook, laptop or demo, or one of the study's own.", metavar="NAME")
    ] = None
    name: Annotated[str | None, _study_flag("What the study is called; the file's stem unless given.")] = None
    resolution: Annotated[int | None, _study_flag("Of the fractional design; 4 unless given.", min=3)] = None

    def study(self, file: Path | None, selection: Selection) -> Study:
        """Return the study of `file`, or the default one, with what the flags change."""
        from ablate.study import Study, load_study

        study = load_study(file) if file else Study()
        selection.check(study.workload)
        factors = [name.strip().replace("-", "_") for name in self.factors.split(",")] if self.factors else None
        changed = study.change(
            design=self.design,
            factors=factors,
            seeds=parse_seeds(self.seeds),
            margin=self.margin,
            preset=self.preset,
            name=self.name,
            on=[*study.on, *(name for name, is_on in selection.switches.items() if is_on)],
            off=[*study.off, *(name for name, is_on in selection.switches.items() if not is_on)],
            values={**study.values, **selection.values},
            options=study.options if self.resolution is None else {**study.options, "resolution": self.resolution},
        )
        return changed if changed.name else changed.change(name=f"{changed.design}-{changed.preset}")


def parse_seeds(text: str | None) -> int | list[int] | None:
    """Return a number of seeds, or the list of them. Raises UsageError for what is neither."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--seeds takes a number of seeds (5) or a list (0,3,7), not {text!r}") from None
    if min(numbers) < 0 or numbers == [0]:
        raise UsageError(f"--seeds takes 1 or more, or a list of integers from 0 up, not {text!r}")
    return numbers if len(numbers) > 1 else numbers[0]


@dataclass(frozen=True)
class SweepFlags:
    """How the runs are made."""

    jobs: Annotated[
        int | None, _how_flag(text="Runs at a time; by cores or GPUs unless given.", min=1, show_default=False)
    ] = None
    executor: Annotated[str, _how_flag(text="serial, processes or ray.")] = "processes"
    address: Annotated[str | None, _how_flag(text="Of a running Ray cluster.", show_default=False)] = None
    dry_run: Annotated[
        bool, _how_flag("--dry-run", text="Only say what would run, how long, and what it could detect.")
    ] = False
    until_clear: Annotated[
        bool, _how_flag("--until-clear", text="Look at 5, 10 and 20 seeds; what is clear gets no more.")
    ] = False
    again: Annotated[bool, _how_flag("--again", text="Repeat what is there.")] = False
    retry_failed: Annotated[bool, _how_flag("--retry-failed", text="Run what failed before once more, too.")] = False
    max_failures: Annotated[int, _how_flag(text="Give up after so many failed runs.", min=1)] = 5
    mix: Annotated[bool, _how_flag("--mix", text="Reuse runs of other devices and precisions.")] = False
    as_json: Annotated[bool, _how_flag("--json", text="Print one JSON object and nothing else.")] = False

    def slots(self, conditions: Conditions, threads: int | None) -> int:
        """Return how many runs go on at a time: one a GPU, or as many as keep every core busy once."""
        if self.executor == "serial":
            return 1
        return self.jobs or (_gpus() if conditions.device == "cuda" else max(1, usable_cores() // (threads or 1)))

    def open(self, slots: int, conditions: Conditions) -> Executor:
        """Return the executor; one run at a time needs no process of its own."""
        from ablate.executors import make_executor

        name = "serial" if self.executor == "processes" and slots == 1 else self.executor
        gpus = float(conditions.device == "cuda")
        return make_executor(name, slots, self.address, threads=conditions.threads, gpus=gpus)


def _gpus() -> int:
    from ablate.devices import gpus

    return max(1, gpus())


@grouped(WORKLOAD)
def sweep(
    flags: StudyFlags,
    how: SweepFlags,
    selection: Selection,
    data: DataFlags,
    where: WhereFlags,
    store: StoreFlags,
    file: Annotated[Path | None, typer.Argument(metavar="STUDY.py", help="A study's file.", show_default=False)] = None,
) -> None:
    """Make every run of a study: each arm of a design under the same seeds.

    What was run before is reused; whatever interrupts it, the same command goes on, and nothing finished is repeated.

    Examples:

      ablate sweep experiments/demo.py

      ablate sweep experiments/laptop.py --dry-run

      ablate sweep --design fractional --seeds 3 --preset demo --name screening
    """
    from ablate.dry_run import announce, foretell
    from ablate.planning import code_cautions
    from ablate.tracking import Project

    began = time.perf_counter()
    study = flags.study(file, selection)
    if how.until_clear:
        study = _looked_at(study, keep_seeds=flags.seeds is not None)
    wanted = study.workload.conditions(where.device, where.precision, where.threads)
    slots = how.slots(wanted, where.threads)
    conditions = replace(wanted, threads=where.threads or max(1, wanted.threads // slots))
    with console.DecodingBar() as bar:
        source = data.wanted(study.workload.preset(study.preset).dataset)
        opened = study.workload.open_data(source, study.baseline, bar)
    project = Project.find()
    session = _session(study, opened, conditions, slots, how, project, store.open(project))
    announce(study, session.planned, slots)
    for caution in code_cautions(study, session.planned, session.journals):
        console.warn(caution)
    if how.dry_run:
        foretell(study, session.planned, session.journals, slots, as_json=how.as_json)
        return
    report = project.reports / study.name / "report.md"
    is_old_news = session.is_recorded and report.exists()
    with ExitStack() as stack:

        @cache
        def draughtsman() -> PoolExecutor:
            from ablate.report import draughtsmen

            return stack.enter_context(draughtsmen())

        session.on_idle = draughtsman
        session.run()
        _conclude(session, time.perf_counter() - began, as_json=how.as_json)
        if is_old_news:
            console.say(f"nothing is new since {report}")
        else:
            _report(session, report.parent, draughtsman, as_json=how.as_json)
    _complain_of_failures(session)


def _looked_at(study: Study, *, keep_seeds: bool) -> Study:
    """Return the study as `--until-clear` takes it: with the seeds of the last look unless others were asked for."""
    from ablate.adaptive import check_design, last_look

    check_design(study)
    return study if keep_seeds else study.change(seeds=last_look())


def _session(
    study: Study,
    data: Data,
    conditions: Conditions,
    slots: int,
    how: SweepFlags,
    project: Project,
    tracker: Tracker,
) -> SweepSession:
    """Return the session that makes a study's runs: what is planned, and what the journals hold of it."""
    from ablate.journal import Journals
    from ablate.runner import Purpose
    from ablate.sweep import plan
    from ablate.sweep_session import SweepSession

    journals = Journals(project.journals)
    return SweepSession(
        study,
        plan(study.recipes(), data, conditions, journals, mix=how.mix),
        journals,
        Purpose(project.root, study.name, again=how.again, mix=how.mix),
        how.open(slots, conditions),
        tracker,
        until_clear=how.until_clear,
        retry_failed=how.retry_failed,
        max_failures=how.max_failures,
    )


def _report(session: SweepSession, folder: Path, pool: Callable[[], PoolExecutor], *, as_json: bool) -> None:
    """Write the study's report and print its answer."""
    from ablate.cli_report import show_report
    from ablate.report import write_report
    from ablate.tracking import JournalTracker, Project, StoreError

    journals = JournalTracker(Project(session.purpose.project))
    try:
        written = write_report(
            session.study.name, journals if session.store_failed else session.tracker, folder, pool=pool()
        )
    except StoreError as error:
        console.warn(not_delivered(error))
        written = write_report(session.study.name, journals, folder, pool=pool())
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
            f"{summary['study']}: {summary['planned']} runs planned, {summary['reused']} reused, "
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
