"""A run as a worker receives it (recipe, data, conditions), and the log that a training writes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.studies.conditions import Conditions
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value

if TYPE_CHECKING:
    from ablate.data import ImageSource


FINAL = "final/"
"""Prefix of the final metrics of a study's own training, whose curves may have the same names."""


@dataclass(frozen=True)
class Data:
    """The data of a run: its name, a fingerprint of its content, and the score of guessing (`floor`).

    `source` is where it is loaded from, `description` describes it in reports, `notes` state how it was read.
    """

    name: str
    fingerprint: str
    floor: float | None = None
    source: ImageSource | None = None
    description: str = ""
    notes: tuple[str, ...] = ()

    @property
    def provenance(self) -> dict[str, Any]:
        """Name, description and flags as plain data for a study's record; folders by their name, without the path."""
        if self.source is None:
            flags = []
        else:
            folder = self.source.folder
            flags = ["--data-dir", folder.name] if folder else ["--dataset", self.source.dataset]
            flags += ["--splits", self.source.splits] if self.source.splits else []
        return {"name": self.name, "description": self.description, "flags": flags}


@dataclass(frozen=True)
class Job:
    """Everything that a worker needs for one run. `keep_weights` keeps the trained weights as an artifact."""

    recipe: Recipe
    data: Data
    conditions: Conditions
    keep_weights: bool = False


class Log(Protocol):
    """The log of a run, which a training writes to."""

    def __call__(self, step: int, **metrics: float) -> None:
        """Record metrics at `step`. A value that is not finite ends the run as unstable."""

    def series(self, name: str, first: int, values: Sequence[float]) -> None:
        """Record values of a metric at consecutive steps, starting at `first`."""

    def progress(self, done: int, total: int) -> None:
        """Report progress for display. It costs nothing and is not recorded."""

    def file(self, name: str) -> Path:
        """Return the path at which to write the artifact `name`."""

    def mlflow_environment(self) -> Mapping[str, str]:
        """Return the environment variables for logging to this run with MLflow; waits until the run exists there."""

    @property
    def history(self) -> Sequence[Mapping[str, float]]:
        """The metrics recorded so far, one row per step, including those from before a resumption."""

    def recorded(self, name: str) -> Sequence[float]:
        """Return the series `name` so far, from its first step on."""

    @property
    def checkpoint(self) -> Path:
        """The folder for a training's checkpoint. It is removed when the run has finished."""

    @property
    def working_folder(self) -> Path:
        """The path of a folder of this run, in which the training may work. It is removed with the checkpoint."""


class TrainingFailed(Exception):  # noqa: N818  # as Diverged and Pruned: how a training ended
    """A training raised an exception in a process of its own.

    Args:
        kind: Name of the exception's class.
        message: Its message.
        trace: Its traceback.
    """

    def __init__(self, kind: str, message: str, trace: str) -> None:
        super().__init__(kind, message, trace)
        self.kind, self.message, self.trace = kind, message, trace

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class TrainingLost(Exception):  # noqa: N818
    """The process of a training died. The run can be resumed; the message is the reason."""


@dataclass(frozen=True)
class Outcome:
    """The result of a training: metrics by their tracked names, values to record as params, and a warning."""

    metrics: Mapping[str, float]
    params: Mapping[str, Value] = field(default_factory=dict)
    warning: str = ""
