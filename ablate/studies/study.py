"""A study: a question, a baseline, a design, seeds, and what was fixed before anything ran."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ablate.errors import UsageError
from ablate.studies.designs import DESIGNS, Arm, Contrast, Design
from ablate.studies.menu import Value
from ablate.studies.recipe import Recipe
from ablate.studies.workload import Workload, find
from ablate.wording import unknown

if TYPE_CHECKING:
    from ablate.stats.effects import Comparison


MOST_SEEDS = 10_000


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Study:
    """What is asked and how it will be answered; a file in `experiments/` holds one, its question as the docstring.

    `design` is a name in `designs.DESIGNS`, `options` its further arguments. `factors` are those in question (none
    given: the baseline's own); `on` switches candidates on in the baseline, `off` components off; `values` change
    settings and knobs of the preset. `seeds` is a number (5: 0 to 4) or a list. `margin` is the smallest difference
    that matters, in the unit of the metric as shown: percentage points of accuracy. `workload` is what is trained:
    the built-in ResNet9, or what `from_function` and `from_command` make of any other training.
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
    workload: Workload = field(default_factory=lambda: find("resnet9"))

    def __post_init__(self) -> None:
        object.__setattr__(self, "preset", self.preset or self.workload.usual_preset)
        if self.design not in DESIGNS:
            raise UsageError(unknown("design", self.design, DESIGNS))
        if self.name and not _NAME.fullmatch(self.name):
            raise UsageError(f"a study's name is letters, digits, dots, dashes and underscores, not {self.name!r}")
        if not self.margin > 0:
            raise UsageError(f"the margin is the smallest difference that matters, above 0, not {self.margin}")
        if isinstance(self.seeds, int) and self.seeds > MOST_SEEDS:
            raise UsageError(f"a study takes at most {MOST_SEEDS:,} seeds, not {self.seeds:,}")
        if not self.seed_list:
            raise UsageError("a study needs at least one seed")
        for name in (*self.factors, *self.on, *self.off):
            if name not in self.workload.menu:
                raise UsageError(unknown("factor", name, tuple(self.workload.menu)))

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds, each once."""
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(dict.fromkeys(self.seeds))

    @cached_property
    def baseline(self) -> Recipe:
        """The recipe that the arms are held against, at the first seed.

        A candidate in question is off in it; its knobs keep what `values` say for the arms that switch it on.
        """
        menu = self.workload.menu
        on = (set(menu.baseline) | set(self.on)) - set(self.off)
        preset = self.workload.preset(self.preset)
        everything = Recipe.of(self.workload, on | set(self.factors), {**preset.settings, **self.values})
        return everything.only(on).reseed(self.seed_list[0])

    @cached_property
    def layout(self) -> Design:
        """The design's arms and contrasts over the factors in question."""
        factors = tuple(dict.fromkeys(self.factors)) or self.baseline.factors
        try:
            return DESIGNS[self.design](frozenset(self.baseline.factors), factors, **self.options)
        except TypeError:
            taken = list(inspect.signature(DESIGNS[self.design]).parameters)[2:]
            raise UsageError(
                f"the design {self.design} takes {', '.join(taken) or 'no options'}, not {', '.join(self.options)}"
            ) from None

    def recipe(self, arm: Arm, seed: int) -> Recipe:
        """Return the recipe of an arm under a seed."""
        return self.baseline.only(arm).reseed(seed)

    def recipes(self) -> list[Recipe]:
        """Return every planned recipe, seed by seed, so that any interruption leaves a balanced study."""
        return [self.recipe(arm, seed) for seed in self.seed_list for arm in self.layout.arms]

    def comparisons(self) -> list[Comparison]:
        """Return the planned comparisons as the statistics know them."""
        return [self._comparison(contrast) for contrast in self.layout.contrasts]

    def _comparison(self, contrast: Contrast) -> Comparison:
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
        """What is fixed before the runs, as plain values."""
        metric = self.workload.metric
        return {
            "workload": self.workload.name,
            "design": self.design,
            **{f"design.{name}": value for name, value in self.options.items()},
            "factors": list(self.layout.factors),
            "baseline": self.baseline.label,
            "seeds": list(self.seed_list),
            "metric": metric.name,
            "goal": metric.goal,
            "margin": self.margin,
            "preset": self.preset,
            **({"code": self.workload.version} if self.workload.version else {}),
            **self.baseline.settings,
        }

    @property
    def plain_layout(self) -> dict[str, Any]:
        """The design spelled out as plain data: metric, factors, arms by variant, comparisons, generators."""
        return {
            "metric": self.workload.metric.as_dict(),
            "factors": list(self.layout.factors),
            "arms": {self.recipe(arm, 0).label: sorted(arm) for arm in self.layout.arms},
            "comparisons": [asdict(comparison) for comparison in self.comparisons()],
            "generators": list(self.layout.generators),
            "meanings": {name: self.workload.menu[name].help for name in self.layout.factors},
            "scale": self.workload.scale_of(self.baseline.settings),
            **({"file": _shown(self.workload.home.file)} if self.workload.home else {}),
        }

    def change(self, **values: Any) -> Self:
        """Return this study with other values; None leaves a field as it is."""
        return replace(self, **{name: value for name, value in values.items() if value is not None})


def _shown(file: Path) -> str:
    """Return a path as it is given on the command line: relative where the file lies below the current folder."""
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
