"""What can be ablated: a menu of factors, settings shared by all arms, a metric and a function that trains.

The built-in workload is `resnet9`; nothing above the kernel assumes that it is the only one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ablate.errors import UsageError
from ablate.menu import Menu, Setting, Value

if TYPE_CHECKING:
    from ablate.data import Source
    from ablate.recipe import Recipe


@dataclass(frozen=True)
class Metric:
    """The headline number of a run: its name, its name in the tracking store, its goal, how differences are shown.

    A run whose final value lies within `tolerance` of the floor (what guessing gives) counts as unstable.
    """

    name: str
    tracked: str
    goal: Literal["max", "min"] = "max"
    unit: str = "points"
    scale: float = 100.0
    tolerance: float = 0.05

    def at_floor(self, value: float, floor: float | None) -> bool:
        """Return whether `value` is not finite or no better than guessing, within the tolerance."""
        if not math.isfinite(value):
            return True
        gain = (value - floor if self.goal == "max" else floor - value) if floor is not None else math.inf
        return gain <= self.tolerance


@dataclass(frozen=True)
class Preset:
    """A named scale: values for settings, and the data that it is meant for."""

    name: str
    help: str
    settings: Mapping[str, Value]
    dataset: str | None = None


@dataclass(frozen=True)
class Conditions:
    """Where and how a run computes: recorded with it, not part of its identity."""

    device: str
    precision: str
    threads: int


@dataclass(frozen=True)
class Data:
    """The data of a run: name, fingerprint of its content, what guessing scores on it, where it lies, what it is."""

    name: str
    fingerprint: str
    floor: float | None = None
    source: Source | None = None
    description: str = ""


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


@dataclass(frozen=True)
class Workload:
    """A menu of factors, settings, presets, a metric, and `module:function` of what does the work.

    `train_function` makes a run, `data_function` opens the data, `pilot_function` times a few steps of a run.
    """

    name: str
    menu: Menu
    settings: tuple[Setting, ...]
    presets: tuple[Preset, ...]
    metric: Metric
    train_function: str
    data_function: str
    pilot_function: str | None = None

    def __reduce__(self) -> tuple[Callable[[str], Workload], tuple[str]]:
        """Travel to workers by name."""
        return find, (self.name,)

    def train(self, job: Job, log: Log) -> Outcome:
        """Make the run that `job` asks for."""
        outcome: Outcome = _resolve(self.train_function)(job, log)
        return outcome

    def open_data(self, source: Source | None, recipe: Recipe, progress: Any = None) -> Data:
        """Find the data, decoding it if it was not before, and return its name and fingerprint."""
        data: Data = _resolve(self.data_function)(source, recipe, progress)
        return data

    def estimate(self, job: Job) -> float | None:
        """Return how many seconds a run will take, from a timed pilot, or None where the workload has none."""
        return float(_resolve(self.pilot_function)(job)) if self.pilot_function else None

    def setting(self, name: str) -> Setting:
        """Return the setting or knob (`dropout.p`) of that name, or raise UsageError with what there is."""
        known = {setting.name: setting for setting in self.settings}
        known |= {knob.name: knob for factor in self.menu.factors for knob in factor.knobs}
        if name not in known:
            raise UsageError(unknown("setting", name, known))
        return known[name]

    def preset(self, name: str) -> Preset:
        """Return the preset of that name, or raise UsageError with what there is."""
        known = {preset.name: preset for preset in self.presets}
        if name not in known:
            raise UsageError(unknown("preset", name, known))
        return known[name]


def unknown(kind: str, name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    """Return the line that says that `name` is not known, with the nearest name and all alternatives."""
    near = get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no {kind} {name!r}{hint} (known: {', '.join(known)})"


_BUILT_IN = {"resnet9": "ablate.resnet9:WORKLOAD"}


def find(name: str) -> Workload:
    """Return the built-in workload of that name, or what `module:NAME` names."""
    if name not in _BUILT_IN and ":" not in name:
        raise UsageError(unknown("workload", name, _BUILT_IN))
    workload: Workload = _resolve(_BUILT_IN.get(name, name))
    return workload


def _resolve(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
