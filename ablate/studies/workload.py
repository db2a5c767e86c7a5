"""A workload: the factors and settings of a training, its metric, and the functions that train and load data.

`resnet9` is built in; a study's file may define others. Nothing above `workloads` depends on a particular one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ablate.errors import UsageError
from ablate.redaction import mask_fields
from ablate.stats.metric import Metric
from ablate.studies.conditions import Conditions, RequestedConditions, custom_conditions
from ablate.studies.registry import FactorRegistry
from ablate.studies.settings import OneOf, Setting, Value
from ablate.wording import unknown

BUILT_IN = {"resnet9": "ablate.workloads.resnet9.workload:WORKLOAD"}
EXIT_CODE = "exit code"
"""The name of a warning about a command that hides the exit code of its program."""

_FROM_STUDY_FILE = "ablate.workloads.custom.study_file:load_workload"


@dataclass(frozen=True)
class Preset:
    """A named scale: values of settings, and the data set that it is meant for."""

    name: str
    help: str
    settings: Mapping[str, Value]
    dataset: str | None = None


@dataclass(frozen=True)
class StudyFile:
    """The file of a study that defines its own workload, the digest of the training code, and its files."""

    path: Path
    code_digest: str
    code_files: tuple[Path, ...] = field(default=(), compare=False)


def relative_path(path: Path) -> str:
    """Return a path relative to the current folder if it is inside it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


@dataclass(frozen=True)
class Workload:
    """The training of a study: its factors, settings, presets and metric, and the functions that train and load data.

    `find_workload` returns the built-in one; `from_function` and `from_command` make others. Functions may be given as
    references `module:function`.

    Attributes:
        name: The name, part of a run's identity.
        factors: The factors by name, with their hyperparameters.
        settings: The settings, which all variants of a study share.
        presets: Named scales.
        metric: The metric that studies compare.
        train_function: Executes a run.
        data_function: Opens the data.
        pilot_function: Estimates the duration of a run from a few steps.
        conditions_function: Resolves requested conditions on this machine.
        device_function: Returns the name of the GPU that the conditions use.
        default_preset: The preset of studies that name none.
        version: Part of a run's identity, next to the name.
        study_file: The file that defines the workload, and which workers import.
        validation: The metric that tuning may use: recorded at every step, or returned by a study's own training, and
            never computed on the test data.
        unread: A warning for each name (factor, setting, `seed`) that the training does not read, and for `EXIT_CODE`
            if the exit code of the training's program is hidden.
        shared_folder: Whether runs work in the same folder, one at a time.
        inputs_function: What the training gets of a recipe, such as a command line; None if this is unknown. Recipes
            with the same inputs are the same training.
    """

    name: str
    factors: FactorRegistry
    settings: tuple[Setting, ...]
    presets: tuple[Preset, ...]
    metric: Metric
    train_function: str | Callable[..., Any]
    data_function: str | Callable[..., Any]
    pilot_function: str | None = None
    conditions_function: str | Callable[[RequestedConditions], Conditions] = custom_conditions
    device_function: str | None = None
    default_preset: str = "default"
    version: str = ""
    study_file: StudyFile | None = None
    validation: Metric | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    shared_folder: bool = False
    inputs_function: Callable[[Any], object] | None = None  # of a recipe

    def __reduce__(self) -> tuple[Callable[..., Workload], tuple[Any, ...]]:
        """Pickle as the name, or as the study's file."""
        return (resolve(_FROM_STUDY_FILE), (self.study_file,)) if self.study_file else (find_workload, (self.name,))

    def __repr__(self) -> str:
        return f"Workload({self.name!r})"

    @property
    def identity(self) -> str:
        """The workload's part of a run's identity, which is its name and version."""
        return f"{self.name} {self.version}" if self.version else self.name

    def scale_of(self, settings: Mapping[str, Value]) -> str:
        """Return a description of the scale: `width 16, 16 epochs, 10,000 training images`."""
        named = [setting for setting in self.settings if setting.scale_text and setting.name in settings]
        shown = mask_fields({setting.name: settings[setting.name] for setting in named})
        parts = [setting.scale_text.format(_formatted(shown[setting.name])) for setting in named]
        ones = [settings[setting.name] == 1 and setting.scale_text.startswith("{0} ") for setting in named]
        parts = [part.removesuffix("s") if is_one else part for part, is_one in zip(parts, ones, strict=True)]
        return ", ".join(parts).replace(", of ", " of ")

    @property
    def level_factors(self) -> dict[str, tuple[Value, ...]]:
        """The levels of the factors that have named levels, which are settings with these values."""
        chosen = [setting for setting in self.settings if setting.in_question]
        return {setting.name: setting.domain.words for setting in chosen if isinstance(setting.domain, OneOf)}

    def setting(self, name: str) -> Setting:
        """Return the setting (`lr`) or hyperparameter (`dropout.p`) of that name.

        Raises UsageError for an unknown name.
        """
        known = {setting.name: setting for setting in (*self.settings, *self.factors.hyperparameters)}
        if name not in known:
            raise UsageError(unknown("setting", name, known))
        return known[name]

    def completed(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the recorded params of a run with the values that later settings and hyperparameters had in it.

        Those of a run of another workload are returned unchanged.
        """
        if not {setting.name for setting in self.settings if not setting.was_added_later} <= params.keys():
            return dict(params)
        on = {name for name in self.factors if str(params.get(name)).lower() == "true"}  # some stores have text only
        later = [setting for setting in self.factors.hyperparameters if setting.name.partition(".")[0] in on]
        legacy = {one.name: one.legacy_value for one in (*later, *self.settings) if one.was_added_later}
        return {**params, **{name: value for name, value in legacy.items() if name not in params}}

    def preset(self, name: str = "") -> Preset:
        """Return the preset of that name, or the default one. Raises UsageError for an unknown name."""
        name = name or self.default_preset
        known = {preset.name: preset for preset in self.presets}
        if name not in known:
            raise UsageError(unknown("preset", name, known))
        return known[name]


def find_workload(name: str) -> Workload:
    """Return the built-in workload of that name, or the one that a reference `module:NAME` refers to.

    Raises:
        UsageError: For an unknown name.

    Example:
        >>> from ablate import find_workload
        >>> find_workload("resnet9").factors.baseline[:3]
        ('augment', 'batch_norm', 'residual')
    """
    if name not in BUILT_IN and ":" not in name:
        raise UsageError(unknown("workload", name, BUILT_IN))
    workload: Workload = resolve(BUILT_IN.get(name, name))
    return workload


def caveats(workload: str, factors: Iterable[str]) -> list[str]:
    """Return the caveats of factors of a built-in workload. Unknown workloads and factors have none."""
    known = find_workload(workload).factors if workload in BUILT_IN else {}
    return [known[name].caveat for name in factors if name in known and known[name].caveat]


def purposes(workload: str, factors: Iterable[str], used: Mapping[str, Collection[Value]]) -> dict[str, str]:
    """Return what factors and levels of a built-in workload are for, by name. Unknown ones are left out.

    Levels are those of settings with several values in use, and of hyperparameters of the factors, unless it is the
    default alone. They replace the paragraph of their factor, which is about the default.

    Args:
        workload: The name of the workload.
        factors: The factors in question.
        used: The values of settings and hyperparameters in the runs.
    """
    if workload not in BUILT_IN:
        return {}
    found = find_workload(workload)
    texts = {name: found.factors[name].purpose for name in factors if name in found.factors}
    for setting in (*found.settings, *found.factors.hyperparameters):
        levels = [level for level in setting.purposes if level in used.get(setting.name, ())]
        factor, _, name = setting.name.partition(".")
        if len(levels) > 1 or (name and factor in texts and levels and levels != [setting.default]):
            texts.pop(factor, None)
            texts |= {f"{setting.name}={level}": setting.purposes[level] for level in levels}
    return {name: text for name, text in texts.items() if text}


def resolve(reference: Any) -> Any:
    """Import and return the object that the string `module:name` refers to; return anything else unchanged."""
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def _formatted(value: Value) -> str:
    return "all" if value is None else f"{value:,}" if type(value) is int else str(value)
