"""The commands that make runs, and what uses their weights."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.cli.options.common import DataFlags, RunFlags, StoreFlags, WhereFlags
from ablate.cli.options.recipe import Selection, grouped
from ablate.errors import UserError
from ablate.journal.run_journal import Journal, Journals, Run, records
from ablate.studies.job import Job
from ablate.workflows.messages import not_delivered, scale_of
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.tracking import Project, Tracker
from ablate.studies.job import open_data

_WEIGHTS = "weights"
"""The folder of the weights among a run's artifacts."""


@grouped(WORKLOAD)
def run(
    selection: Selection,
    data: DataFlags,
    where: WhereFlags,
    store: StoreFlags,
    flags: RunFlags,
    preset: Annotated[
        str | None,
        typer.Option(help="The scale: notebook, laptop or demo; by the hardware unless given.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of every random stream.", min=0)] = 0,
) -> None:
    """Train one recipe and record it in MLflow.

    Switch components off (--no-augment --no-residual) or candidates on (--mixup), turn their knobs, choose a scale.
    The same recipe on the same data runs once; asked for again, its result is shown.

    Examples:
      ablate run --preset demo

      ablate run --no-augment --no-residual --seed 1

      ablate run --data-dir cifar10.tgz --preset laptop --mixup --mixup-alpha 0.4
    """
    from ablate.runs.runner import Purpose, make
    from ablate.tracking import JournalTracker, Project, StudyJournals, Writer, catch_up

    conditions = where.conditions(WORKLOAD)
    scale = preset or ("notebook" if conditions.device == "cuda" else "laptop")
    recipe = selection.recipe(scale, seed)
    project = Project.find()
    tracker = store.open(project)
    purpose = Purpose(project.root, tags=flags.tags, again=flags.again)
    if flags.save_weights:
        _check_writable(flags.save_weights)
    with console.DecodingBar() as bar:
        opened = open_data(recipe, data.source(WORKLOAD.preset(scale).dataset), bar)
    job = Job(recipe, opened, conditions, keep_weights=True)
    console.say(_announcement(job, scale if preset else f"{scale} (chosen by the hardware)"))
    journals = Journals(project.journals)
    studies = StudyJournals(project.studies)
    with Writer(
        tracker,
        lambda error: console.warn(not_delivered(error)),
        tidy=lambda: catch_up(tracker, journals, studies, lambda error: console.warn(str(error))),
    ) as writer:
        with console.RunView(recipe.settings["epochs"], on_start=writer.follow) as view:
            made, is_new = make(job, journals, purpose, view)
        writer.follow(journals.path(made.name))
    if writer.failure and not store.offline:
        tracker = JournalTracker(project)  # the store would only fail once more
    _conclude(made, is_new, project, tracker, flags)


def _announcement(job: Job, scale: str) -> str:
    """Return what will run: the variant and what is off in it, its scale and conditions."""
    recipe = job.recipe
    off = [name for name in recipe.workload.menu.baseline if name not in recipe.factors]
    switched = f", off: {', '.join(off)}" if off else ", everything on" if recipe.label == "baseline" else ""
    return f"{recipe.label}/s{recipe.seed}{switched}\n{scale_of(job, scale)}"


def _check_writable(path: Path) -> None:
    """Raise UserError unless a file can be written at `path`: better now than after the training."""
    if path.is_dir():
        raise UserError(f"--save-weights {path} is a folder: give a file, for instance {path / 'weights.pth'}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--save-weights {path}: {folder} cannot be written to")


def _conclude(made: Run, is_new: bool, project: Project, tracker: Tracker, flags: RunFlags) -> None:
    """Print what came of a run; exit 1 if it failed."""
    from ablate.tracking import JournalTracker, StoreError, title

    if flags.save_weights and made.is_result:
        _copy_weights(made, Journals(project.journals), tracker, flags.save_weights)
    try:
        identifier, artifacts = tracker.identifier(made), tracker.artifact_uri(made)
    except (StoreError, UserError):  # it was said while it ran; the journal keeps the run
        identifier, artifacts = None, None
    if flags.as_json:
        facts = _facts(made) | {"run_id": identifier, "tracking_uri": tracker.uri, "artifact_uri": artifacts}
        console.emit(facts | {"reused": not is_new})
    elif made.is_result:
        accuracy = made.metrics.get(WORKLOAD.metric.tracked, float("nan"))
        verb = made.status if is_new else f"{made.status} before (--again repeats it)"
        console.result(f"{title(made)}: test accuracy {accuracy:.4f}, {verb} in {console.duration(_seconds(made))}")
        if made.error:
            console.warn(f"unstable: {made.error}")
        only_here = isinstance(tracker, JournalTracker) or identifier is None
        kept = Journals(project.journals).path(made.name)
        console.say(
            f"kept in {kept}; `ablate sync` brings it into MLflow"
            if only_here
            else f"run {identifier} in {tracker.uri}"
        )
        look = f"ablate show {title(made)} --offline" if only_here else f"ablate ui, or ablate show {title(made)}"
        console.say(f"next: {look}, or the same with a component off (--no-batch-norm)")
    if not made.is_result:
        if "--debug" in sys.argv:
            console.say(records(Journals(project.journals).path(made.name))[-1]["trace"] or "")
        raise UserError(f"{title(made)} {made.status}: {made.error}; --debug shows where, the same command retries it")


def _seconds(made: Run) -> float:
    return float(made.metrics.get("time/total_s", float("nan")))


def _facts(made: Run) -> dict[str, Any]:
    return {
        "key": made.key,
        "variant": made.variant,
        "status": made.status,
        "seed": made.seed,
        "device": made.conditions["device"],
        "precision": made.conditions["precision"],
        "metrics": _last_metrics(made),
        "seconds": _seconds(made),
    }


def _last_metrics(made: Run) -> Mapping[str, float]:
    last = {name: value for row in made.history for name, value in row.items() if name != "step"}
    return {**last, **made.metrics}


def _copy_weights(made: Run, journals: Journals, tracker: Tracker, target: Path) -> None:
    """Copy the weights of a run, and what lies beside them, from where they wait for delivery or from the store."""
    waiting = Journal(journals.path(made.name)).files / _WEIGHTS
    kept = waiting if waiting.is_dir() else tracker.artifact(made, _WEIGHTS)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in kept.iterdir():
        shutil.copyfile(path, target.with_suffix(path.suffix) if path.suffix == ".json" else target)
