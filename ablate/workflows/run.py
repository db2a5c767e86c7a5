"""Train one recipe: announce the run, train it while its journal is delivered, and find its record and its weights."""

from __future__ import annotations

import math
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablate import console
from ablate.errors import UserError
from ablate.journal.journal_lines import records
from ablate.journal.run_journal import Journal, Journals, Run
from ablate.runs.runner import RunOptions, make_run
from ablate.studies.job import Job
from ablate.tracking import BackgroundDelivery, JournalTracker, Project, Tracker, run_title
from ablate.workflows.messages import describe_scale, run_row, running_already
from ablate.workflows.store import DeliveryWarnings, warn_refused
from ablate.workloads.resnet9.workload import WORKLOAD

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

    def artifact(self, name: str) -> Path:
        """Return a file or folder of the run, not delivered yet or in the store. Raises UserError if there is none."""
        waiting = Journal(self.journal).files / name
        return waiting if waiting.exists() else self.tracker.artifact(self.run, name)

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
    return f"{recipe.title}{switched}\n{describe_scale(job, preset)}"


def train_run(job: Job, options: RunOptions, project: Project, tracker: Tracker) -> RunResult:
    """Train a job, or return its earlier result, and deliver its journal to the store meanwhile."""
    journals = Journals(project.journals)
    key, data = job.recipe.key, job.data.fingerprint
    if journals.is_locked(key, data):
        console.info(running_already(job, journals.lock_owner(key, data)))
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
    folder = result.artifact(WEIGHTS)
    target.parent.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        shutil.copyfile(path, target.with_suffix(path.suffix) if path.suffix == ".json" else target)


def find_weights(tracker: Tracker, name: str | None) -> tuple[Run, Path]:
    """Return the run of that name and its weights, or without a name the newest run that kept its weights.

    Of several runs with the same title, the newest with weights is chosen: those of a sweep keep none.
    """
    named = tracker.find(name) if name else None
    runs = [named] if named else []
    if named is None or name == run_title(named):
        runs = [run for run in reversed(tracker.runs()) if named is None or run_title(run) == name]
    for run in runs:
        try:
            return run, _weights_in(tracker.artifact(run, WEIGHTS))
        except UserError:
            continue
    if named is None:
        raise UserError("No run has saved weights. Train one with `ablate run`, or pass a file with --weights")
    recorded = WORKLOAD.completed(named.params)
    if not {*WORKLOAD.factors, *(setting.name for setting in WORKLOAD.settings)} <= recorded.keys():
        raise UserError(f"{run_title(named)} has no weights of the built-in network")
    raise UserError(
        f"{run_title(named)} has no weights: the runs of a sweep keep none. Train it again with "
        f"`{command_of(named)}`, and with --data-dir if the sweep had one"
    )


def describe_weights(run: Run) -> str:
    """Return the run of some weights, with its test accuracy and its start: several runs may have one name."""
    row = run_row(run)
    score = run.metrics.get(WORKLOAD.metric.tracked)
    accuracy = "" if score is None else f"test accuracy {score:.4f}, "
    return f"{row['run']} ({row['scale']}, {accuracy}started {row['started']})"


def command_of(run: Run) -> str:
    """Return the command that repeats a run of the built-in workload, without the source of its data."""

    def differing(values: Mapping[str, Any]) -> dict[str, str]:
        defaults: dict[str, Any] = {setting.name: setting.default for setting in WORKLOAD.settings}
        expected = {**defaults, **values}
        return {name: recorded[name] for name, value in expected.items() if recorded[name] != str(value).lower()}

    recorded = {name: str(value).lower() for name, value in WORKLOAD.completed(run.params).items()}  # stores have text
    preset = min(WORKLOAD.presets, key=lambda preset: len(differing(preset.settings)))
    words = ["ablate", "run", "--preset", preset.name]
    for name, factor in WORKLOAD.factors.items():
        if recorded[name] != str(factor.in_baseline).lower():
            words.append(f"--no-{factor.flag}" if factor.in_baseline else f"--{factor.flag}")
    values = differing(preset.settings)
    for setting in WORKLOAD.factors.hyperparameters:
        if recorded.get(setting.name, str(setting.default)) != str(setting.default):
            values[setting.name] = recorded[setting.name]
    for name, value in values.items():
        words += [f"--{name.replace('.', '-').replace('_', '-')}", value.replace("none", "all")]
    return shlex.join([*words, *(["--seed", str(run.seed)] if run.seed else []), "--again"])


def _weights_in(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.suffix != ".json")
