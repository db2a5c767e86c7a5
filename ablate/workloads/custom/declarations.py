"""What a study says of a training of its own: factors, settings, the metric, data, code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self, TypedDict

from ablate.errors import UsageError
from ablate.stats.metric import Metric
from ablate.studies.job import FINAL, Data, Job, Log, Outcome
from ablate.studies.registry import Factor, FactorRegistry
from ablate.studies.settings import Anything, OneOf, Range, Setting, Value
from ablate.studies.workload import Preset, Workload
from ablate.workloads.custom.fingerprint import content_digest

Meaning = str | tuple[str, str]
"""What a factor is when it is on; or what it is when it is on and when it is off."""

_TAKEN = {"seed", "variant", "status", "device", "precision", "threads", "platform", "processor", "dirty", "commit"}
"""Names of what is recorded of every run."""


class Declarations(TypedDict, total=False):
    """What `from_function` and `from_command` take beside the training; `metric` is needed.

    `factors` are on in the baseline, `candidates` off. `settings` are values that all arms share; `ranges` says where
    they may lie, and that tuning may search them; `presets` are other scales: values by name. `data` names files or
    folders, relative to the study's file, whose content is part of a run's identity; `code` names further ones whose
    code trains. `version` stands for the code where it should not be told by itself whether it changed. `floor` is what
    guessing scores: runs no better than that count as unstable. `validation` is the metric that tuning may look at: one
    that the training logs at its steps or ends with, and never reads off the test data. `name` is the file's stem
    unless given.
    """

    factors: Mapping[str, Meaning]
    candidates: Mapping[str, Meaning]
    settings: Mapping[str, Value]
    ranges: Mapping[str, Range | OneOf]
    presets: Mapping[str, Mapping[str, Value]]
    metric: Metric
    validation: Metric
    floor: float
    data: Sequence[str]
    code: Sequence[str]
    version: str
    name: str


class Trainer(Protocol):
    """What trains: knows its place once the study's file is known, and the digest of its code."""

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Make the run that `job` asks for."""

    def placed(self, file: Path) -> Self:
        """Return this trainer as the study's file `file` brings it."""

    @property
    def code(self) -> str:
        """Hexadecimal digits that name the code."""


@dataclass(frozen=True)
class OwnData:
    """The data that a study names, or none: what a training reads by itself is its own affair."""

    paths: tuple[str, ...] = ()
    floor: float | None = None
    folder: Path = Path()

    def __call__(self, source: object, _recipe: object, progress: Callable[[str, int, int], None] | None) -> Data:
        """Return the data's name and the digest of its content; no recipe changes it.

        Raises UsageError for a file that is not there, and where flags ask for a `source` of images.
        """
        if source is not None:
            raise UsageError(
                "--dataset and --data-dir are for the built-in images: this study's training reads its own data, "
                "which `data=[...]` in the study's file may name"
            )
        if not self.paths:
            return Data("not named", "none", self.floor)
        name = ", ".join(Path(path).name for path in self.paths)
        return Data(name, content_digest(self.paths, self.folder, progress), self.floor)

    def placed(self, file: Path) -> Self:
        """Return this with paths relative to the folder of `file`."""
        return replace(self, folder=file.parent)


def workload(trainer: Trainer, declared: Declarations) -> Workload:
    """Return the workload of a study. Raises UsageError for declarations that do not fit together."""
    metric, settings = metric_of(declared), declared.get("settings", {})
    meanings = {**declared.get("factors", {}), **declared.get("candidates", {})}
    if not meanings:
        raise UsageError("a study of its own training needs factors: factors=dict(scaling='standardise the inputs')")
    validation = _validation_of(declared)
    _check_names(meanings, settings, [metric.name, *([validation.name] if validation else [])])
    baseline = declared.get("factors", {})
    ranges = declared.get("ranges", {})
    for name in ranges:
        if name not in settings:
            raise UsageError(f"there is a range for {name}, but no setting of that name")
    presets = {"default": {}, **declared.get("presets", {})}
    return Workload(
        name=declared.get("name", ""),
        factors=FactorRegistry(tuple(_factor(name, meaning, name in baseline) for name, meaning in meanings.items())),
        settings=tuple(_setting(name, value, ranges.get(name)) for name, value in settings.items()),
        presets=tuple(Preset(name, "declared by the study", values) for name, values in presets.items()),
        metric=metric,
        train_function=trainer,
        data_function=OwnData(tuple(declared.get("data", ())), declared.get("floor")),
        version=declared.get("version", ""),
        validation=validation,
    )


def metric_of(declared: Declarations) -> Metric:
    """Return the metric, or raise UsageError where there is none."""
    metric = declared.get("metric")
    if not isinstance(metric, Metric):
        raise UsageError('a study of its own training needs a metric: metric=Metric("accuracy")')
    return replace(metric, tracked=FINAL + metric.name) if metric.tracked == metric.name else metric


def _validation_of(declared: Declarations) -> Metric | None:
    validation = declared.get("validation")
    if validation is None:
        return None
    if not isinstance(validation, Metric):
        raise UsageError(f'validation is a metric: validation=Metric("val_accuracy"), not {validation!r}')
    if validation.name == metric_of(declared).name:
        raise UsageError(
            f"{validation.name} is the metric of the results, which tuning must not see: validation names another one, "
            "read off other data"
        )
    return validation


def _check_names(meanings: Mapping[str, Meaning], settings: Mapping[str, Value], metrics: Sequence[str]) -> None:
    for name in (*meanings, *settings):
        if not name.isidentifier():
            raise UsageError(f"a factor or setting is named by letters, digits and underscores, not {name!r}")
        if name in {*_TAKEN, *metrics}:
            raise UsageError(f"{name} is recorded of every run already: give the factor or setting another name")
    if both := sorted(set(meanings) & set(settings)):
        raise UsageError(f"{both[0]} is declared as a factor and as a setting: give one of them another name")


def _factor(name: str, meaning: Meaning, in_baseline: bool) -> Factor:
    words = meaning if isinstance(meaning, str) else f"{meaning[0] or 'nothing'}; off: {meaning[1] or 'nothing'}"
    return Factor(name, lambda plan: plan, words, (), in_baseline)


def _setting(name: str, value: Value, domain: Range | OneOf | None) -> Setting:
    if value is None:
        raise UsageError(f"the setting {name} needs a value: a number, a word, true or false")
    setting = Setting(name, type(value), value, domain or Anything(), name, tunable=domain is not None)
    setting.check(value)
    return replace(setting, scale_text=f"{name.replace('_', ' ')} {{0}}")


def outcome(returned: Any, metric: Metric, what: str, facts: Mapping[str, Value]) -> Outcome:
    """Return what a training gave back as an outcome: a mapping of numbers, or the metric alone.

    Raises UsageError, in which `what` names the training, for anything else.
    """
    values = returned if isinstance(returned, Mapping) else {metric.name: returned}
    numbers = {}
    for name, value in values.items():
        try:
            numbers[FINAL + str(name)] = float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"{what} gave {name} = {value!r}, which is no number: it must give {{{metric.name!r}: number}}"
            ) from None
    if FINAL + metric.name not in numbers:
        gave = ", ".join(map(str, values)) or "nothing"
        raise UsageError(f"{what} gave no {metric.name}, which is the metric (it gave: {gave})")
    numbers[metric.tracked] = numbers.pop(FINAL + metric.name)
    return Outcome(numbers, dict(facts))
