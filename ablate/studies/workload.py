"""What can be ablated: a menu of factors, settings shared by all arms, a metric and a function that trains.

The built-in workload is `resnet9`; nothing above the kernel assumes that it is the only one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ablate.errors import UsageError
from ablate.stats.metric import Metric
from ablate.studies.conditions import Conditions, own_conditions
from ablate.studies.menu import Menu, Setting, Value
from ablate.wording import unknown


@dataclass(frozen=True)
class Preset:
    """A named scale: values for settings, and the data that it is meant for."""

    name: str
    help: str
    settings: Mapping[str, Value]
    dataset: str | None = None


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
    train_function: str | Callable[..., Any]
    data_function: str | Callable[..., Any]
    pilot_function: str | None = None
    conditions_function: str | Callable[[str, str, int | None, bool, bool | None], Conditions] = own_conditions
    usual_preset: str = "default"
    version: str = ""
    home: Home | None = None
    validation: Metric | None = None

    def __reduce__(self) -> tuple[Callable[..., Workload], tuple[Any, ...]]:
        """Travel to workers by name, or by the file that brings it."""
        return (resolve(_FROM_FILE), (self.home,)) if self.home else (find, (self.name,))

    @property
    def identity(self) -> str:
        """What of the workload is part of a run's identity."""
        return f"{self.name} {self.version}" if self.version else self.name

    def conditions(
        self, device: str, precision: str, threads: int | None, compiled: bool = False, fused: bool | None = None
    ) -> Conditions:
        """Return what the words of the flags stand for on this machine; `auto` and None: whatever suits."""
        conditions: Conditions = resolve(self.conditions_function)(device, precision, threads, compiled, fused)
        return conditions

    def scale_of(self, settings: Mapping[str, Value]) -> str:
        """Return the settings that set the scale in words: `width 16, 16 epochs, 10,000 training images`."""
        named = [setting for setting in self.settings if setting.said and setting.name in settings]
        said = [setting.said.format(_said(settings[setting.name])) for setting in named]
        return ", ".join(said).replace(", of ", " of ")

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


_BUILT_IN = {"resnet9": "ablate.workloads.resnet9.workload:WORKLOAD"}
_FROM_FILE = "ablate.workloads.custom.study_file:workload_of"


def find(name: str) -> Workload:
    """Return the built-in workload of that name, or what `module:NAME` names."""
    if name not in _BUILT_IN and ":" not in name:
        raise UsageError(unknown("workload", name, _BUILT_IN))
    workload: Workload = resolve(_BUILT_IN.get(name, name))
    return workload


def _said(value: Value) -> str:
    return "all" if value is None else f"{value:,}" if type(value) is int else str(value)


def resolve(path: Any) -> Any:
    """Return what `module:name` names; what is no name stands for itself."""
    if not isinstance(path, str):
        return path
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
