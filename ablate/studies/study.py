"""A study: question, baseline, design and seeds, all declared before the first run."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from ablate.errors import UsageError
from ablate.stats.metric import DEFAULT_MARGIN
from ablate.studies.arms import Arm, Component, PlannedContrast
from ablate.studies.conditional import possible
from ablate.studies.designs import DESIGNS, Design, check_size
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.studies.study_checks import arguments_explained, check_arguments, check_texts
from ablate.studies.variation import (
    arm_label,
    check_factor,
    check_inputs,
    check_labels,
    check_switches,
    named_arm,
    read_arms,
    with_all_pairs,
    with_named_arms,
)
from ablate.studies.varied_values import components_of, read_levels, values_as_dict, varied_names
from ablate.studies.workload import Workload, find_workload, relative_path
from ablate.wording import unknown

if TYPE_CHECKING:
    from ablate.stats.effects import Comparison


@arguments_explained
@dataclass(frozen=True)
class Study:
    """A question, and the runs that will answer it.

    A study file defines one as its variable `study`; `ablate sweep FILE.py` runs it.

    Attributes:
        question: The question; by default the docstring of the study file.
        design: Name of the design, such as `leave-one-out`, `both-ways` or `factorial`.
        factors: The factors in question; by default those of the baseline, or none if `vary` or `arms` are given.
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
        vary: Values of settings and hyperparameters in question, by name: `{"lr": [0.003, 0.01, 0.03]}`. They are
            compared with the baseline's value, listed or not. Values of several names that change together are
            combinations: `{("lr", "epochs"): [(0.01, 4), (0.003, 8)]}`.
        arms: Further variants by name, each with its differences from the baseline: factors (True or False), settings
            and hyperparameters.
        all_pairs: Whether levels, and named arms, are compared with each other as well as with the baseline.
        file: Path of the study file, which `load_study` sets.

    Raises:
        UsageError: For an unknown design, factor, preset or argument, and for invalid seeds, margins or values.

    Example:
        >>> from ablate import Study
        >>> study = Study(factors=["augment", "dropout"], preset="demo", seeds=2)
        >>> [recipe.label for recipe in study.recipes()]
        ['baseline', 'no-augment', 'no-dropout', 'baseline', 'no-augment', 'no-dropout']
    """

    question: str = ""
    design: str = "leave-one-out"
    factors: Sequence[str] | None = None
    seeds: int | Sequence[int] = 5
    margin: float = DEFAULT_MARGIN
    preset: str = ""
    on: Sequence[str] = ()
    off: Sequence[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    workload: Workload = field(default_factory=lambda: find_workload("resnet9"))
    vary: Mapping[Any, Sequence[Any]] = field(default_factory=dict)  # names or tuples of names, checked when read
    arms: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    all_pairs: bool = False
    file: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.workload, Workload):
            raise UsageError(
                f"The workload of a study is the result of from_function or from_command, not {self.workload!r}"
            )
        check_texts(self)
        object.__setattr__(self, "preset", self.preset or self.workload.default_preset)
        if self.design not in DESIGNS:
            raise UsageError(unknown("design", self.design, DESIGNS))
        check_arguments(self)
        levels, arms = read_levels(self.workload, self.vary), read_arms(self.workload, self.arms)
        if self.factors is not None and not (self.factors or levels or arms):
            raise UsageError("factors= of a study is empty. Name the factors to compare, or leave it out for all")
        for name in self.factors or ():
            check_factor(self.workload, name)
        for name in (*self.on, *self.off):
            if name not in self.workload.factors:
                raise UsageError(unknown("factor", name, tuple(self.workload.factors)))
        check_switches(self.on, self.off)

    def __repr__(self) -> str:
        factors = "the baseline's" if self.factors is None else list(self.factors)
        varied = f"vary={dict(self.vary)}, " if self.vary else ""
        return (
            f"Study(name={self.name!r}, design={self.design!r}, factors={factors}, {varied}"
            f"seeds={reprlib.repr(self.seeds)}, preset={self.preset!r}, workload={self.workload.name!r})"
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
        asked = {*(self.factors or ()), *varied_names(self.vary)} & set(self.workload.factors)
        everything = Recipe.of(self.workload, on | asked, {**preset.settings, **self.values})
        return everything.only(on).reseed(self.seed_list[0])

    @cached_property
    def components(self) -> tuple[Component, ...]:
        """The components in question: factors, then names whose values are varied, the baseline's value first."""
        own = () if self.vary or self.arms else (*self.baseline.factors, *self.workload.level_factors)
        return components_of(self.baseline, own if self.factors is None else self.factors, self.vary)

    @cached_property
    def resolved_design(self) -> Design:
        """The arms and contrasts of the design for the components in question, and the arms that the study names."""
        start = Arm(frozenset(self.baseline.factors))
        try:
            design = DESIGNS[self.design](start, self.components, **self.options)
        except TypeError:
            taken = list(inspect.signature(DESIGNS[self.design]).parameters)[2:]
            raise UsageError(
                f"The design {self.design} takes {', '.join(taken) or 'no options'}, not {', '.join(self.options)}"
            ) from None
        named = [named_arm(self.baseline, *arm) for arm in read_arms(self.workload, self.arms).items()]
        design = with_named_arms(possible(design, self.baseline), named)
        check_size(len(design.arms) * len(self.seed_list))
        check_labels([self.label(arm) for arm in design.arms])
        check_inputs(self.workload, design.contrasts, lambda arm: self.recipe(arm, self.seed_list[0]))
        return with_all_pairs(design) if self.all_pairs else design

    def recipe(self, arm: Arm, seed: int) -> Recipe:
        """Return the recipe of an arm at a seed."""
        recipe = self.baseline.only(arm.on).change(dict(arm.values)).reseed(seed)
        names_itself = not (arm.values or arm.name)
        return recipe if names_itself else replace(recipe, variant=self.label(arm))

    def label(self, arm: Arm) -> str:
        """Return the name of an arm."""
        return arm_label(self.baseline, arm, [name for component in self.components for name in component.names])

    def recipes(self) -> list[Recipe]:
        """Return all planned recipes, seed by seed, so that an interrupted study is balanced."""
        return [self.recipe(arm, seed) for seed in self.seed_list for arm in self.resolved_design.arms]

    def comparisons(self) -> list[Comparison]:
        """Return the planned comparisons in the form that `stats` takes."""
        return [self._comparison(contrast) for contrast in self.resolved_design.contrasts]

    def _comparison(self, contrast: PlannedContrast) -> Comparison:
        from ablate.stats.effects import Comparison

        factor = contrast.factor
        is_switch = factor is not None and not contrast.level
        change = "changed" if not is_switch else "removed" if factor in contrast.reference.on else "added"
        return Comparison(
            variant=self.label(contrast.arm),
            reference=self.label(contrast.reference),
            factor=factor or "",
            change=change,  # type: ignore[arg-type]  # one of the three words
            family=contrast.family,
            n_planned=len(self.seed_list),
            level=contrast.level,
            reference_level=contrast.reference_level,
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
            "metric.unit": metric.unit or "own",
            "margin": self.margin,
            "preset": self.preset,
            **({"code": self.workload.version} if self.workload.version else {}),
            **{f"vary.{' and '.join(one.names)}": one.plain_levels for one in self.components if one.levels},
            **({"arms": {name: dict(differences) for name, differences in self.arms.items()}} if self.arms else {}),
            **({"all_pairs": True} if self.all_pairs else {}),
            **self.baseline.settings,
        }

    def design_as_dict(self) -> dict[str, Any]:
        """Return the design as plain data: metric, factors, arms by variant, comparisons, generators."""
        design, own = self.resolved_design, self.workload.study_file
        return {
            "metric": self.workload.metric.as_dict(),
            "factors": list(design.factors),
            "arms": {self.label(arm): sorted(arm.on) for arm in design.arms},
            **values_as_dict({self.label(arm): arm for arm in design.arms}, design.components),
            "comparisons": [comparison.as_dict() for comparison in self.comparisons()],
            "generators": list(design.generators),
            "meanings": {name: self.workload.factors[name].help for name in design.factors},
            "scale": self.workload.scale_of(self.baseline.settings),
            **({"file": relative_path(own.path)} if own else {"declared_in": self.file} if self.file else {}),
        }

    def change(self, **values: Any) -> Self:
        """Return this study with other values; fields given as None are unchanged."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})
