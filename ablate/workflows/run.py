"""Train one recipe: announce the run, train it while its journal is delivered, and find its record and its weights."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.journal.run_journal import Journal, Journals, Run, records
from ablate.runs.runner import RunOptions, make_run
from ablate.studies.job import Job
from ablate.tracking import BackgroundDelivery, JournalTracker, Project, Tracker, run_title
from ablate.workflows.messages import describe_scale
from ablate.workflows.store import DeliveryWarnings, warn_refused

WEIGHTS = "weights"
"""The folder of the weights among the artifacts of a run."""


@dataclass(frozen=True)
class RunResult:
    """A run that has ended, and where its record is."""

    run: Run
    is_new: bool
    journal: Path
    tracker: Tracker
    """The store, or the local journals where the store failed."""
    identifier: str | None
    """The run's id in the store, or None where the store does not have the run."""
    artifact_uri: str | None

    @property
    def title(self) -> str:
        """The name of the run: `no-augment/s0`."""
        return run_title(self.run)

    @property
    def is_stored(self) -> bool:
        """Whether MLflow has the run."""
        return not isinstance(self.tracker, JournalTracker) and self.identifier is not None

    @property
    def seconds(self) -> float:
        """The duration of the run."""
        return float(self.run.metrics.get("time/total_s", math.nan))

    @property
    def traceback(self) -> str | None:
        """The traceback of a failed run, if its journal has one."""
        trace: str | None = records(self.journal)[-1].get("trace")
        return trace

    @property
    def facts(self) -> dict[str, Any]:
        """The result as plain data, for JSON."""
        run = self.run
        last = {name: value for row in run.history for name, value in row.items() if name != "step"}
        return {
            "key": run.key,
            "variant": run.variant,
            "status": run.status,
            "seed": run.seed,
            "device": run.conditions["device"],
            "precision": run.conditions["precision"],
            "metrics": {**last, **run.metrics},
            "seconds": self.seconds,
            "run_id": self.identifier,
            "tracking_uri": self.tracker.uri,
            "artifact_uri": self.artifact_uri,
            "reused": not self.is_new,
        }


def describe_run(job: Job, preset: str) -> str:
    """Return the variant with the factors that are off in it, then its scale and conditions on a second line."""
    recipe = job.recipe
    off = [name for name in recipe.workload.factors.baseline if name not in recipe.factors]
    switched = f", off: {', '.join(off)}" if off else ", all factors on" if recipe.label == "baseline" else ""
    return f"{recipe.label}/s{recipe.seed}{switched}\n{describe_scale(job, preset)}"


def train_run(job: Job, options: RunOptions, project: Project, tracker: Tracker) -> RunResult:
    """Train a job, or return its earlier result, and deliver its journal to the store meanwhile."""
    journals = Journals(project.journals)
    with BackgroundDelivery(tracker, project, DeliveryWarnings()) as delivery:
        with console.RunView(job.recipe.settings["epochs"]) as view:
            run, is_new = make_run(job, journals, options, view, delivery)
        delivery.follow(journals.path(run.name))
    warn_refused(delivery.refused)
    if delivery.failure:
        tracker = JournalTracker(project)  # asking the store again would fail again
    try:
        identifier, artifacts = tracker.identifier(run), tracker.artifact_uri(run)
    except UserError:  # the warning came during the run
        identifier, artifacts = None, None
    return RunResult(run, is_new, journals.path(run.name), tracker, identifier, artifacts)


def check_writable(path: Path) -> None:
    """Raise UserError unless a file can be written to `path`."""
    if path.is_dir():
        raise UserError(f"--save-weights {path} is a folder. Give a file, for instance {path / 'weights.pth'}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise UserError(f"--save-weights {path}: cannot write to {folder}")


def copy_weights(result: RunResult, target: Path) -> None:
    """Copy the weights of a run and their description, from the files not delivered yet or from the store."""
    waiting = Journal(result.journal).files / WEIGHTS
    folder = waiting if waiting.is_dir() else result.tracker.artifact(result.run, WEIGHTS)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.copyfile(path, target.with_suffix(path.suffix) if path.suffix == ".json" else target)


def find_weights(tracker: Tracker, name: str | None) -> Path:
    """Return the weights of the run of that name, or without a name of the newest run that kept its weights."""
    if name:
        return _weights_in(tracker.artifact(tracker.find(name), WEIGHTS))
    for run in reversed(tracker.runs()):
        try:
            return _weights_in(tracker.artifact(run, WEIGHTS))
        except UserError:
            continue  # runs of a sweep keep no weights
    raise UserError("No run has saved weights. Train one with `ablate run`, or pass a file with --weights")


def _weights_in(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.suffix != ".json")
