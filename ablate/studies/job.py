"""One run as a worker receives it: recipe, data and conditions, and the log that a training writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.studies.conditions import Conditions
from ablate.studies.menu import Value
from ablate.studies.recipe import Recipe
from ablate.studies.workload import resolve

if TYPE_CHECKING:
    from ablate.data import Source


FINAL = "final/"
"""Stands before the names of what a study's own training ends with, which may be the names of curves as well."""


@dataclass(frozen=True)
class Data:
    """The data of a run: name, fingerprint of its content, what guessing scores on it, where it lies, what it is."""

    name: str
    fingerprint: str
    floor: float | None = None
    source: Source | None = None
    description: str = ""

    @property
    def layout(self) -> dict[str, Any]:
        """What a study's record keeps of it as plain data; of a folder the name without the path."""
        if self.source is None:
            flags = []
        else:
            folder = self.source.folder
            flags = ["--data-dir", folder.name] if folder else ["--dataset", self.source.dataset]
        return {"name": self.name, "description": self.description, "flags": flags}


@dataclass(frozen=True)
class Job:
    """All that a worker needs to make one run; `keep_weights` keeps the trained weights among its artifacts."""

    recipe: Recipe
    data: Data
    conditions: Conditions
    keep_weights: bool = False


class Log(Protocol):
    """What a training writes to as it goes."""

    def __call__(self, step: int, **metrics: float) -> None:
        """Record one value a metric at `step`; a value that is not finite ends the run as unstable."""

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Record values of a metric at the steps from `first` on."""

    def progress(self, done: int, total: int) -> None:
        """Say how far the training is; costs nothing and is not recorded."""

    def file(self, name: str) -> Path:
        """Return where the artifact `name` is to be written."""

    def waiting_run(self) -> Mapping[str, str]:
        """Return the environment in which a program logs to this run in the store itself; waits until it is there."""

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """What was recorded so far, a row a step; of a resumed run from the beginning."""

    def recorded(self, name: str) -> Sequence[float]:
        """Return the series `name` so far, from its first step on."""

    @property
    def checkpoint(self) -> Path:
        """The folder in which a training keeps what it needs to go on after a crash; removed when the run is done."""


@dataclass(frozen=True)
class Outcome:
    """What a training ends with: metrics by their tracked names, and facts worth a param."""

    metrics: Mapping[str, float]
    params: Mapping[str, Value] = field(default_factory=dict)


def train(job: Job, log: Log) -> Outcome:
    """Make the run that `job` asks for."""
    outcome: Outcome = resolve(job.recipe.workload.train_function)(job, log)
    return outcome


def open_data(recipe: Recipe, source: Source | None, progress: Any = None) -> Data:
    """Open the data of a recipe's workload, decoding it on first use."""
    data: Data = resolve(recipe.workload.data_function)(source, recipe, progress)
    return data


def estimate(job: Job) -> float | None:
    """Return the seconds that a run will take, from a timed pilot, or None where the workload has none."""
    pilot = job.recipe.workload.pilot_function
    return float(resolve(pilot)(job)) if pilot else None
