"""The search space: settings and hyperparameters of a recipe, each with its range."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Setting, Value
from ablate.wording import unknown

EDGE = 0.05
"""An optimum is at the edge if it is within this share of the range from an end."""


@dataclass(frozen=True)
class Dimension:
    """A setting or hyperparameter to search: a range from `low` to `high` (inclusive), or one of `words`."""

    name: str
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    is_integer: bool = False
    words: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The range, for display."""
        if self.words:
            return ", ".join(self.words)
        return f"{self.low:g} to {self.high:g}" + (", log scale" if self.log else "")

    def position(self, value: Value) -> float:
        """Return the position of a number in the range: 0 at the low end, 1 at the high end."""
        assert isinstance(value, int | float)
        if self.high == self.low:
            return 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def edge(self, value: Value) -> str | None:
        """Return the end of the range that a value is at (`low` or `high`), or None."""
        if self.words or self.low == self.high:
            return None
        where = self.position(value)
        return "low" if where <= EDGE else "high" if where >= 1 - EDGE else None


@dataclass(frozen=True)
class Space:
    """The dimensions of a search, in the order of the workload's settings."""

    dimensions: tuple[Dimension, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the settings and hyperparameters."""
        return tuple(dimension.name for dimension in self.dimensions)

    @property
    def plain(self) -> list[dict[str, Any]]:
        """The space as plain data."""
        return [{**asdict(dimension), "words": list(dimension.words)} for dimension in self.dimensions]

    def without(self, names: Iterable[str]) -> Space:
        """Return the space without the dimensions `names`."""
        left_out = frozenset(names)
        return Space(tuple(dimension for dimension in self.dimensions if dimension.name not in left_out))

    def values(self, recipe: Recipe) -> dict[str, Value]:
        """Return the values of a recipe in the space."""
        everything = {**recipe.settings, **recipe.hyperparameters}
        return {name: everything[name] for name in self.names}


def space_from(plain: Iterable[Mapping[str, Any]]) -> Space:
    """Return the space of its plain data."""
    return Space(tuple(Dimension(**{**row, "words": tuple(row["words"])}) for row in plain))


def space_of(recipe: Recipe, asked: Sequence[str] = (), *, others: Iterable[str] = ()) -> Space:
    """Return the search space of a recipe: its tunable settings, and the hyperparameters of the factors that are on.

    A range is widened to include the recipe's own value.

    Args:
        recipe: The recipe to tune.
        asked: Search these names only. `name=low:high` sets the range, and works for any numeric setting.
        others: Factors of the study's other variants. Their hyperparameters may be in `asked`; those of factors that
            are off in `recipe` are left out.

    Raises:
        UsageError: If a name is unknown, has no effect in any variant, or has an invalid range.
    """
    workload = recipe.workload
    hyperparameters = {setting.name: setting for setting in workload.factors.hyperparameters}
    known = {setting.name: setting for setting in workload.settings} | hyperparameters
    wanted = dict(_read(text) for text in asked)
    for name in wanted:
        if name not in known:
            raise UsageError(unknown("setting or hyperparameter", name, known))
        factor = name.partition(".")[0]
        if name in hyperparameters and factor not in {*recipe.factors, *others}:
            raise UsageError(f"{name} has no effect because {factor} is off. Remove it from --space")
        required = known[name].requires
        if required and required[0] not in wanted and recipe[required[0]] not in required[1]:
            raise UsageError(f"{name} has no effect while {recipe.obstacle(name)}, or remove it from --space")
    off = set(workload.factors) - set(recipe.factors)
    present = [
        setting for name, setting in known.items() if name not in hyperparameters or name.split(".")[0] not in off
    ]
    if wanted:
        chosen = [setting for setting in present if setting.name in wanted]
    else:
        chosen = [setting for setting in present if setting.tunable and not recipe.obstacle(setting.name)]
    own = {**recipe.settings, **recipe.hyperparameters}
    return Space(tuple(_dimension(setting, own[setting.name], wanted.get(setting.name)) for setting in chosen))


def _read(text: str) -> tuple[str, tuple[float, float] | None]:
    name, equals, ends = text.strip().partition("=")
    name = name.strip().replace("-", "_")
    if not equals:
        return name, None
    try:
        low, high = (float(end) for end in ends.split(":"))
    except ValueError:
        raise UsageError(f"--space takes NAME or NAME=LOW:HIGH, not {text.strip()!r}") from None
    if not low < high:
        raise UsageError(f"--space {text.strip()}: LOW must be less than HIGH")
    return name, (low, high)


def _dimension(setting: Setting, own: Value, asked: tuple[float, float] | None) -> Dimension:
    domain = setting.domain
    if isinstance(domain, OneOf):
        if asked:
            raise UsageError(f"{setting.name} has no range. It is one of {', '.join(domain.words)}")
        return Dimension(setting.name, words=domain.words)
    if setting.kind not in (int, float):
        raise UsageError(f"{setting.name} has no range because it is not a number")
    if not (setting.tunable or asked):
        raise UsageError(f"{setting.name} has no default range. Give one, e.g. --space {setting.name}=1:10")
    low, high = asked or domain.tune or (domain.low, domain.high)
    for end in (low, high):
        domain.check(setting.name, end)
    if not asked and isinstance(own, int | float):
        low, high = min(low, own), max(high, own)
    if domain.log and low <= 0:
        raise UsageError(
            f"{setting.name} is searched on a logarithmic scale, which cannot start at {low:g}. Set it to a value "
            "above 0, or remove it from --space"
        )
    is_integer = setting.kind is int
    if is_integer:
        low, high = math.ceil(low), math.floor(high)
    return Dimension(setting.name, low, high, domain.log, is_integer)
