"""What can be ablated: a menu of factors, settings shared by all arms, a metric and a function that trains.

The built-in workload is `resnet9`; nothing above the kernel assumes that it is the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ablate.errors import UsageError
from ablate.machine import usable_cores
from ablate.menu import Menu, Setting, Value
from ablate.metric import Metric

if TYPE_CHECKING:
    from ablate.data import Source
    from ablate.recipe import Recipe


FINAL = "final/"
"""Stands before the names of what a study's own training ends with, which may be the names of curves as well."""


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
    compiled: bool = False
    fused: bool = False


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


def own_conditions(
    device: str, precision: str, threads: int | None, compiled: bool = False, fused: bool | None = None
) -> Conditions:
    """Return the conditions of trainings that choose device and precision themselves; they count as the CPU's.

    Raises UsageError where they are to be compiled or fused.
    """
    if compiled:
        raise UsageError("--compile is for the built-in network: a training of your own compiles what it likes")
    if fused is not None:
        raise UsageError("--fused and --no-fused are for the built-in network: a training of your own has its kernels")
    cores = threads or usable_cores()
    return Conditions("cpu" if device == "auto" else device, "own" if precision == "auto" else precision, cores)


@dataclass(frozen=True)
class Home:
    """Where a workload that a study brings lies: the study's file, and the digest of the code that trains."""

    file: Path
    code: str


@dataclass(frozen=True)
class Workload:
    """A menu of factors, settings, presets, a metric, and what does the work: functions, or `module:function`.

    `train_function` makes a run, `data_function` opens the data, `pilot_function` times a few steps of a run,
    `conditions_function` says what the flags for device, precision and threads stand for. `usual_preset` is taken where
    none is named. `validation` is what tuning may look at: a metric that is recorded at every step, or that a study's
    own training ends with, and never read off the test data. `version` is part of a run's identity beside the name.
    `home` is for a workload that a study brings: it travels to workers by its file.
    """

    name: str
    menu: Menu
    settings: tuple[Setting, ...]
    presets: tuple[Preset, ...]
    metric: Metric
    train_function: str | Callable[[Job, Log], Outcome]
    data_function: str | Callable[[Source | None, Recipe, Any], Data]
    pilot_function: str | None = None
    conditions_function: str | Callable[[str, str, int | None, bool, bool | None], Conditions] = own_conditions
    usual_preset: str = "default"
    version: str = ""
    home: Home | None = None
    validation: Metric | None = None

    def __reduce__(self) -> tuple[Callable[..., Workload], tuple[Any, ...]]:
        """Travel to workers by name, or by the file that brings it."""
        return (_resolve(_FROM_FILE), (self.home,)) if self.home else (find, (self.name,))

    @property
    def identity(self) -> str:
        """What of the workload is part of a run's identity."""
        return f"{self.name} {self.version}" if self.version else self.name

    def train(self, job: Job, log: Log) -> Outcome:
        """Make the run that `job` asks for."""
        outcome: Outcome = _resolve(self.train_function)(job, log)
        return outcome

    def open_data(self, source: Source | None, recipe: Recipe, progress: Any = None) -> Data:
        """Find the data, decoding it if it was not before, and return its name and fingerprint."""
        data: Data = _resolve(self.data_function)(source, recipe, progress)
        return data

    def conditions(
        self, device: str, precision: str, threads: int | None, compiled: bool = False, fused: bool | None = None
    ) -> Conditions:
        """Return what the words of the flags stand for on this machine; `auto` and None: whatever suits."""
        conditions: Conditions = _resolve(self.conditions_function)(device, precision, threads, compiled, fused)
        return conditions

    def scale_of(self, settings: Mapping[str, Value]) -> str:
        """Return the settings that set the scale in words: `width 16, 16 epochs, 10,000 training images`."""
        named = [setting for setting in self.settings if setting.said and setting.name in settings]
        said = [setting.said.format(_said(settings[setting.name])) for setting in named]
        return ", ".join(said).replace(", of ", " of ")

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

    def preset(self, name: str = "") -> Preset:
        """Return the preset of that name, or the usual one; raise UsageError with what there is."""
        name = name or self.usual_preset
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
_FROM_FILE = "ablate.custom.loading:workload_of"


def find(name: str) -> Workload:
    """Return the built-in workload of that name, or what `module:NAME` names."""
    if name not in _BUILT_IN and ":" not in name:
        raise UsageError(unknown("workload", name, _BUILT_IN))
    workload: Workload = _resolve(_BUILT_IN.get(name, name))
    return workload


def _said(value: Value) -> str:
    return "all" if value is None else f"{value:,}" if type(value) is int else str(value)


def _resolve(path: Any) -> Any:
    """Return what `module:name` names; what is no name stands for itself."""
    if not isinstance(path, str):
        return path
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
