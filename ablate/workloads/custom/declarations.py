"""Declarations of a custom training (factors, settings, metric, data, code): their checks and their workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, Self

from ablate.errors import UsageError
from ablate.stats.known_metrics import known_metric
from ablate.stats.metric import Metric
from ablate.studies.job import FINAL, Data, Job, Log, Outcome
from ablate.studies.registry import Factor, FactorRegistry
from ablate.studies.settings import Anything, OneOf, Range, Setting, Value
from ablate.studies.workload import Preset, Workload
from ablate.wording import listed, unknown
from ablate.workloads.custom.arguments import WorkloadDeclaration
from ablate.workloads.custom.fingerprint import content_digest
from ablate.workloads.custom.levels import OnOff, Requirement, declared_requirements, level_settings, split_factors
from ablate.workloads.custom.result_names import find_result, flatten, recordable

if TYPE_CHECKING:
    from ablate.data import DataProgress

_RESERVED = {"seed", "variant", "status", "device", "precision", "threads", "platform", "processor", "dirty", "commit"}
"""Names that are recorded for every run."""


class Trainer(Protocol):
    """The train function of a declared workload."""

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Execute the run of `job`."""

    def bound_to(self, file: Path) -> Self:
        """Return this trainer with paths relative to the study file `file`."""

    @property
    def code_digest(self) -> str:
        """The digest of the training code."""

    @property
    def code_files(self) -> Sequence[Path]:
        """The files of the training code, which the digest covers."""

    @property
    def unread(self) -> Mapping[str, str]:
        """Warnings of the training code, in addition to those of the declaration, as `Workload.unread`."""

    @property
    def train_function(self) -> str | Callable[[Job, Log], Outcome]:
        """What the workload calls to execute a run: this trainer, or a function that calls it in another process."""


@dataclass(frozen=True)
class DeclaredData:
    """The data files that a study declares, if any; other data that the training reads is not tracked."""

    paths: tuple[str, ...] = ()
    floor: float | None = None
    folder: Path = Path()

    def __call__(self, source: object, _recipe: object, progress: DataProgress | None) -> Data:
        """Return the name and the content digest of the data, which are the same for every recipe.

        Raises UsageError for a missing file, and if options select a `source` of images.
        """
        if source is not None:
            raise UsageError(
                "--dataset and --data-dir select the built-in images, but this study trains on its own data. "
                "Leave them out, and declare data files in the study file: data=[...]"
            )
        if not self.paths:
            return Data("not named", "none", self.floor)
        name = ", ".join(Path(path).name for path in self.paths)
        return Data(name, content_digest(self.paths, self.folder, progress), self.floor)

    @property
    def locations(self) -> tuple[Path, ...]:
        """The absolute paths of the declared files and folders."""
        return tuple((self.folder / Path(path).expanduser()).absolute() for path in self.paths)

    def bound_to(self, file: Path) -> Self:
        """Return this data with paths relative to the folder of the study file `file`."""
        return replace(self, folder=file.parent)


def declared_workload(
    trainer: Trainer,
    declaration: WorkloadDeclaration,
    unread: Mapping[str, str],
    help_texts: Mapping[str, str] = MappingProxyType({}),
) -> Workload:
    """Return the workload of a declaration, of the names that its training does not read, and of the help of levels.

    Raises UsageError for an invalid declaration.
    """
    metric, settings = declared_metric(declaration), declaration.get("settings", {})
    ranges, candidates = declaration.get("ranges", {}), declaration.get("candidates", {})
    for kind in ("factors", "candidates", "settings"):
        _check_mapping(kind, declaration.get(kind, {}))
    descriptions, levels = split_factors(declaration.get("factors", {}), candidates)
    if not (descriptions or levels):
        raise UsageError("A custom training needs factors. Declare some: factors=dict(scaling='standardised inputs')")
    validation = _declared_validation(declaration)
    _check_names([*descriptions, *levels], settings, [metric.name, *([validation.name] if validation else [])])
    for name in ranges:
        if name not in settings:
            raise UsageError(f"{unknown('setting', name, settings)}. A range needs a setting of the same name")
    declared = [_setting(name, value, ranges.get(name)) for name, value in settings.items()]
    declared = [*level_settings(levels, help_texts), *declared]
    needs = declared_requirements(declaration.get("requires", {}), tuple(descriptions), declared)
    factors = tuple(_factor(name, text, name not in candidates, needs.get(name)) for name, text in descriptions.items())
    presets = {"default": {}, **declaration.get("presets", {})}
    floor = declaration.get("floor")
    metric.with_floor(floor).check_floor()
    return Workload(
        name=declaration.get("name", ""),
        factors=FactorRegistry(factors),
        settings=tuple(replace(setting, requires=needs.get(setting.name)) for setting in declared),
        presets=tuple(Preset(name, "declared by the study", values) for name, values in presets.items()),
        metric=metric,
        train_function=trainer,
        data_function=DeclaredData(tuple(declaration.get("data", ())), floor),
        version=declaration.get("version", ""),
        validation=validation,
        unread=unread,
        shared_folder=declaration.get("shared_folder", False),
    )


def _check_mapping(kind: str, given: object) -> None:
    """Raise UsageError for names without descriptions or values."""
    if isinstance(given, Mapping):
        return
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, Sequence) else []
    name = names[0] if names else kind.removesuffix("s")
    value = "0.1" if kind == "settings" else "'what it is'"
    what = "values" if kind == "settings" else "descriptions"
    raise UsageError(f"The {kind} of a custom training have {what}: {kind}={{{name!r}: {value}}}, not {given!r}")


def declared_metric(declaration: WorkloadDeclaration) -> Metric:
    """Return the declared metric. Raises UsageError if there is none."""
    metric = declaration.get("metric")
    if not isinstance(metric, Metric):
        raise UsageError('A custom training needs a metric. Declare one: metric=Metric("accuracy")')
    _check_goal(metric)
    return replace(metric, tracked=FINAL + recordable(metric.name)) if metric.tracked == metric.name else metric


def _check_goal(metric: Metric) -> None:
    """Raise UsageError if the default goal, `max`, is wrong for a metric of this name."""
    known = known_metric(metric.name)
    if known and known.goal == "min" and not metric.declares_goal:
        raise UsageError(
            f'A lower {metric.label} is better, and the goal of a metric is "max" by default. Declare the goal: '
            f'Metric("{metric.name}", goal="min")'
        )


def _declared_validation(declaration: WorkloadDeclaration) -> Metric | None:
    validation = declaration.get("validation")
    if validation is None:
        return None
    if not isinstance(validation, Metric):
        raise UsageError(f'validation must be a metric, such as Metric("val_accuracy"), not {validation!r}')
    _check_goal(validation)
    if validation.name == declared_metric(declaration).name:
        raise UsageError(
            f"validation must not be {validation.name}, the metric of the results, which tuning must not use. "
            "Declare a metric that is computed on other data"
        )
    return replace(validation, tracked=recordable(validation.tracked))


def _check_names(factors: Sequence[str], settings: Mapping[str, Value], metrics: Sequence[str]) -> None:
    for name in (*factors, *settings):
        if not name.isidentifier():
            raise UsageError(f"Invalid name {name!r} of a factor or setting. Use letters, digits and underscores")
        if name in {*_RESERVED, *metrics}:
            raise UsageError(f"The name {name} is reserved: every run records it. Rename the factor or setting")
    if both := sorted(set(factors) & set(settings)):
        raise UsageError(f"{both[0]} is declared both as a factor and as a setting. Rename one of them")


def _factor(name: str, description: OnOff, in_baseline: bool, requires: Requirement | None) -> Factor:
    if isinstance(description, str):
        text = description
    else:
        on, off = description
        text = f"{on or 'nothing'}; off: {off or 'nothing'}"
    return Factor(name, _unchanged, text, (), in_baseline, requires=requires)


def _unchanged(plan: Any) -> Any:
    return plan


def _setting(name: str, value: Value, domain: Range | OneOf | None) -> Setting:
    if value is None:
        raise UsageError(f"The setting {name} needs a value: a number, a word, true or false")
    setting = Setting(name, type(value), value, domain or Anything(), name, tunable=domain is not None)
    setting.check(value)
    return replace(setting, scale_text=f"{name.replace('_', ' ')} {{0}}")


def make_outcome(returned: Any, metric: Metric, trainer: str, params: Mapping[str, Value]) -> Outcome:
    """Return the result of a training, a mapping of numbers or the metric alone, as an outcome.

    The mapping may be nested. Raises UsageError for other results; the message begins with the name of the `trainer`.
    """
    values = flatten(returned) if isinstance(returned, Mapping) else {metric.name: returned}
    numbers = {}
    for name, value in values.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            raise UsageError(
                f"{trainer} returned {name} = {value!r}, which is not a number. Return {{{metric.name!r}: number}}"
            ) from None
    found = find_result(values, metric.name, f"the result of {trainer}")
    if found is None:
        raise UsageError(f"{trainer} returned no {metric.name}, the metric (found: {listed(values) or 'nothing'})")
    if _is_boolean(values[found]):
        raise UsageError(
            f"{trainer} returned {found} = {values[found]}, which is not a number. Return {{{metric.name!r}: number}}"
        )
    others = {FINAL + recordable(name): number for name, number in numbers.items() if name != found}
    return Outcome({**others, metric.tracked: numbers[found]}, dict(params))


def _is_boolean(value: Any) -> bool:
    """Return whether a value, also one of NumPy, a tensor or a series, is true or false."""
    return isinstance(value, bool) or str(getattr(value, "dtype", "")).removeprefix("torch.").startswith("bool")
