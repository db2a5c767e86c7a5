"""A study: question, baseline, design and seeds, all declared before the first run."""

from __future__ import annotations

import inspect
import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ablate.errors import UsageError
from ablate.studies.designs import DESIGNS, Arm, Design, PlannedContrast
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.studies.workload import Workload, find_workload
from ablate.wording import nearest, unknown, unknown_name

if TYPE_CHECKING:
    from ablate.stats.effects import Comparison


StudyType = TypeVar("StudyType")
MOST_SEEDS = 10_000


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _arguments_explained(study: type[StudyType]) -> type[StudyType]:
    """Raise UsageError for an unknown argument, with the place of settings and hyperparameters."""
    construct = study.__init__

    @wraps(construct)
    def explained(self: StudyType, *given: Any, **named: Any) -> None:
        for name in named:
            if name not in study.__dataclass_fields__:  # type: ignore[attr-defined]  # a dataclass has them
                near = nearest(name, study.__dataclass_fields__)  # type: ignore[attr-defined]  # likewise
                values = f" Settings and hyperparameters are values: Study(values={{{name!r}: ...}})"
                raise UsageError(unknown_name("argument of Study", name, near) + values * (near is None))
        construct(self, *given, **named)

    study.__init__ = explained  # type: ignore[method-assign, assignment]  # only the error message changes
    return study


@_arguments_explained
@dataclass(frozen=True)
class Study:
    """A question, and the runs that will answer it.

    A study file defines one as its variable `study`; `ablate sweep FILE.py` runs it.

    Attributes:
        question: The question; by default the docstring of the study file.
        design: Name of the design, such as `leave-one-out`, `both-ways` or `factorial`.
        factors: The factors in question; by default those of the baseline.
        seeds: The number of seeds (5 means 0 to 4) or a list of seeds.
        margin: The smallest difference that matters, in the unit in which the metric is reported: for an accuracy, in
            percentage points.
        preset: A preset of the workload; by default its default preset.
        on: Candidates that are added to the baseline.
        off: Factors that are removed from the baseline.
        values: Settings and hyperparameters that differ from the preset, by name.
        options: Further arguments of the design, by name.
        name: The name of the study; by default the stem of the study file.
        workload: The training: the built-in ResNet9, or the result of `from_function` or `from_command`.

    Raises:
        UsageError: For an unknown design, factor, preset or argument, and for invalid seeds or margins.

    Example:
        >>> from ablate import Study
        >>> study = Study(factors=["augment", "dropout"], preset="demo", seeds=2)
        >>> [recipe.label for recipe in study.recipes()]
        ['baseline', 'no-augment', 'no-dropout', 'baseline', 'no-augment', 'no-dropout']
    """

    question: str = ""
    design: str = "leave-one-out"
    factors: Sequence[str] = ()
    seeds: int | Sequence[int] = 5
    margin: float = 0.5
    preset: str = ""
    on: Sequence[str] = ()
    off: Sequence[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    workload: Workload = field(default_factory=lambda: find_workload("resnet9"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "preset", self.preset or self.workload.default_preset)
        if self.design not in DESIGNS:
            raise UsageError(unknown("design", self.design, DESIGNS))
        if self.name and not _NAME.fullmatch(self.name):
            raise UsageError(
                f"The name of a study must consist of letters, digits, dots, dashes and underscores, not {self.name!r}"
            )
        if not self.margin > 0:
            raise UsageError(f"The margin, the smallest difference that matters, must be above 0, not {self.margin}")
        check_seeds(self.seeds)
        if isinstance(self.seeds, int) and self.seeds > MOST_SEEDS:
            raise UsageError(f"A study takes at most {MOST_SEEDS:,} seeds, not {self.seeds:,}")
        if not self.seed_list:
            raise UsageError("A study needs at least one seed")
        for names in ("factors", "on", "off"):
            if isinstance(getattr(self, names), str):
                raise UsageError(f"{names} of a study is a list of names, such as [{getattr(self, names)!r}]")
        for name in (*self.factors, *self.on, *self.off):
            if name not in self.workload.factors:
                raise UsageError(unknown("factor", name, tuple(self.workload.factors)))

    def __repr__(self) -> str:
        factors = list(self.factors) or "the baseline's"
        return (
            f"Study(name={self.name!r}, design={self.design!r}, factors={factors}, seeds={reprlib.repr(self.seeds)}, "
            f"preset={self.preset!r}, workload={self.workload.name!r})"
        )

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds, without duplicates."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(dict.fromkeys(self.seeds))

    @cached_property
    def baseline(self) -> Recipe:
        """The recipe that the design starts from, at the first seed.

        Candidates in question are off in it. Their hyperparameters keep what `values` sets, for the arms that switch
        them on.
        """
        on = (set(self.workload.factors.baseline) | set(self.on)) - set(self.off)
        preset = self.workload.preset(self.preset)
        everything = Recipe.of(self.workload, on | set(self.factors), {**preset.settings, **self.values})
        return everything.only(on).reseed(self.seed_list[0])

    @cached_property
    def resolved_design(self) -> Design:
        """The arms and contrasts of the design for the factors in question."""
        factors = tuple(dict.fromkeys(self.factors)) or self.baseline.factors
        try:
            return DESIGNS[self.design](frozenset(self.baseline.factors), factors, **self.options)
        except TypeError:
            taken = list(inspect.signature(DESIGNS[self.design]).parameters)[2:]
            raise UsageError(
                f"The design {self.design} takes {', '.join(taken) or 'no options'}, not {', '.join(self.options)}"
            ) from None

    def recipe(self, arm: Arm, seed: int) -> Recipe:
        """Return the recipe of an arm at a seed."""
        return self.baseline.only(arm).reseed(seed)

    def recipes(self) -> list[Recipe]:
        """Return all planned recipes, seed by seed, so that an interrupted study is balanced."""
        return [self.recipe(arm, seed) for seed in self.seed_list for arm in self.resolved_design.arms]

    def comparisons(self) -> list[Comparison]:
        """Return the planned comparisons in the form that `stats` takes."""
        return [self._comparison(contrast) for contrast in self.resolved_design.contrasts]

    def _comparison(self, contrast: PlannedContrast) -> Comparison:
        from ablate.stats.effects import Comparison

        factor = contrast.factor
        change = "changed" if factor is None else "removed" if factor in contrast.reference else "added"
        return Comparison(
            variant=self.recipe(contrast.arm, 0).label,
            reference=self.recipe(contrast.reference, 0).label,
            factor=factor or "",
            change=change,  # type: ignore[arg-type]  # one of the three words
            family=contrast.family,
            n_planned=len(self.seed_list),
        )

    @property
    def declared(self) -> dict[str, Any]:
        """The declarations of the study, fixed before its runs, as plain values."""
        metric = self.workload.metric
        return {
            "workload": self.workload.name,
            "design": self.design,
            **{f"design.{name}": value for name, value in self.options.items()},
            "factors": list(self.resolved_design.factors),
            "baseline": self.baseline.label,
            "seeds": list(self.seed_list),
            "metric": metric.name,
            "goal": metric.goal,
            "margin": self.margin,
            "preset": self.preset,
            **({"code": self.workload.version} if self.workload.version else {}),
            **self.baseline.settings,
        }

    def design_as_dict(self) -> dict[str, Any]:
        """Return the design as plain data: metric, factors, arms by variant, comparisons, generators."""
        design = self.resolved_design
        return {
            "metric": self.workload.metric.as_dict(),
            "factors": list(design.factors),
            "arms": {self.recipe(arm, 0).label: sorted(arm) for arm in design.arms},
            "comparisons": [asdict(comparison) for comparison in self.comparisons()],
            "generators": list(design.generators),
            "meanings": {name: self.workload.factors[name].help for name in design.factors},
            "scale": self.workload.scale_of(self.baseline.settings),
            **({"file": _relative(self.workload.study_file.path)} if self.workload.study_file else {}),
        }

    def change(self, **values: Any) -> Self:
        """Return this study with other values; fields given as None are unchanged."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


def check_seeds(seeds: object) -> None:
    """Raise UsageError unless `seeds` is a number of seeds or a list of seeds, which are integers from 0."""
    is_number = isinstance(seeds, int) and not isinstance(seeds, bool)
    values = (
        [seeds] if is_number else list(seeds) if isinstance(seeds, Sequence) and not isinstance(seeds, str) else None
    )
    if values is None or any(not isinstance(one, int) or isinstance(one, bool) or one < 0 for one in values):
        raise UsageError(f"The seeds of a study are a number such as 5 or a list such as [0, 1, 2], not {seeds!r}")


def _relative(path: Path) -> str:
    """Return a path relative to the current folder if it is inside it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
