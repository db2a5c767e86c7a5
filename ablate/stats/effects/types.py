"""Data types: a planned comparison, the protocol of a study, paired scores, and the estimated effect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Self

from ablate.stats.effects.seeds import Seed

Change = Literal["removed", "added", "changed"]
Estimand = Literal["drop-in", "re-tuned"]
Replicates = Literal["seeds", "runs", "folds", "data sets"]
"""What the repetitions of a comparison are: pairs by seed, unpaired runs, folds of one data set, or data sets."""


ALL_PAIRS = ": all pairs"
"""End of the name of a family that compares all levels of a component, or all named arms, with each other."""

ALPHA = 0.05  # per family; difference tests and equivalence tests are separate families
POWER = 0.80
MIN_SEEDS = 3  # with fewer there is no verdict
EQUAL = 2.0**-46  # share of the largest |score|, 64 spacings of floats, up to which scores and differences are equal


@dataclass(frozen=True)
class Comparison:
    """A comparison of one variant with one reference.

    Attributes:
        variant: The arm that is compared.
        reference: The arm that it is compared with.
        factor: The component that differs, or the variant's name if the arms differ in more than one (`change` is
            then "changed").
        change: What the variant does to the factor.
        family: The Holm family. Its size is the number of comparisons in it, with or without runs.
        n_planned: The planned number of seeds.
        planned: Whether the comparison was fixed before the runs.
        level: The variant's level of a factor that has several, or whose value is varied (`change` is then "changed").
        reference_level: The reference's level of it.
    """

    variant: str
    reference: str = "baseline"
    factor: str = ""
    change: Change = "removed"
    family: str = "leave-one-out"
    n_planned: int = 5
    planned: bool = True
    level: str = ""
    reference_level: str = ""

    @property
    def label(self) -> str:
        """The factor, or the variant if no factor is given."""
        return self.factor or self.variant

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the comparison of its plain data. Unknown fields, of newer versions, are ignored."""
        known = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in plain.items() if name in known and value is not None})

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as plain data; levels only if there are any, as in older records."""
        levels = {"level", "reference_level"}
        return {name: value for name, value in asdict(self).items() if name not in levels or value}


@dataclass(frozen=True)
class Protocol:
    """What was fixed before the runs. A field that differs from its default qualifies every verdict.

    Attributes:
        planned: Whether margin, metric and comparisons were fixed before the runs.
        selected_on_test: Whether something (settings, epoch, seed) was selected on the test set.
        extended: Whether the seeds were changed after a report or a look: added, dropped, or planned in another way.
        estimand: Whether the variants keep the baseline's settings or were tuned again.
        replicates: What the repetitions of a comparison are.
        fold_ratio: With folds, the number of test rows per training row.
    """

    planned: bool = True
    selected_on_test: bool = False
    extended: bool = False
    estimand: Estimand = "drop-in"
    replicates: Replicates = "seeds"
    fold_ratio: float = 0.0


class Verdict(StrEnum):
    """The verdicts, in the order of their rules, followed by the verdicts that override the rules."""

    UNRELIABLE = "trains unreliably"
    LOSS = "clear and important loss"
    GAIN = "clear and important gain"
    NEGLIGIBLE = "real but negligible"
    NO_EFFECT = "no practically meaningful effect"
    UNRESOLVED = "real, importance unresolved"
    INCONCLUSIVE = "inconclusive"
    SINGLE = "single-run observation"
    TOO_FEW = "too few seeds"
    IDENTICAL = "identical differences"
    UNSTABLE = "unstable"


FINAL = (Verdict.LOSS, Verdict.GAIN, Verdict.NEGLIGIBLE, Verdict.NO_EFFECT)  # these end an arm of --until-clear


@dataclass(frozen=True)
class Average:
    """What qualifies a comparison of averages over several variants, which have no unstable seeds of their own.

    Attributes:
        runs: Number of runs that the averages contain.
        unstable: Seeds of the unstable runs among them, by variant.
        delta_survivors: The difference without the variants that have unstable runs; NaN if it cannot be estimated.
        step: The step of the scores of single runs, if they are coarse; 0 otherwise.
        repeats: Number of seeds over which every variant repeats its score exactly; 0 if the scores vary.
        screening: Whether the design has resolution III, so that pairs of factors can imitate the difference.
        alias: The likeliest of these pairs; empty if there are none.
    """

    runs: int
    unstable: Mapping[str, tuple[Seed, ...]] = field(default_factory=lambda: MappingProxyType({}))
    delta_survivors: float = math.nan
    step: float = 0.0
    repeats: int = 0
    screening: bool = False
    alias: str = ""

    @property
    def n_unstable(self) -> int:
        """Number of unstable runs."""
        return sum(map(len, self.unstable.values()))


@dataclass(frozen=True)
class PairedSeeds:
    """The scores of two arms at their shared seeds, or of all their runs if these are not paired.

    Attributes:
        seeds: The shared seeds, ascending.
        reference: Scaled scores of the reference by seed; NaN for an unstable run without a finite score or a floor.
        variant: Scaled scores of the variant by seed.
        unstable: Shared seeds at which the variant is unstable.
        reference_unstable: Shared seeds at which the reference is unstable.
        excluded: Number of the variant's runs without a score, by status.
        repeats: Number of shared seeds if every arm of the study repeats its score exactly over the seeds, so that the
            pair keeps one of them; 0 otherwise.
        repeating: The variant of the two that repeats its score exactly over the seeds while the other one varies, so
            that it is one observation; empty without one.
        average: What qualifies averages over several variants; None for single variants.
        reference_seeds: The seeds of the reference if the runs are not paired: `seeds` and the scores of the variant
            are then those of all its runs. None for pairs.
    """

    seeds: tuple[Seed, ...]
    reference: tuple[float, ...]
    variant: tuple[float, ...]
    unstable: tuple[Seed, ...] = ()
    reference_unstable: tuple[Seed, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    repeats: int = 0
    repeating: str = ""
    average: Average | None = None
    reference_seeds: tuple[Seed, ...] | None = None

    @property
    def is_unpaired(self) -> bool:
        """Whether all runs of both arms count, without pairs."""
        return self.reference_seeds is not None

    @property
    def n_reference(self) -> int:
        """Number of runs of the reference."""
        return len(self.seeds if self.reference_seeds is None else self.reference_seeds)

    @property
    def n(self) -> int:
        """Number of pairs; of unpaired arms, the smaller number of runs."""
        return min(len(self.seeds), self.n_reference)

    @property
    def n_unstable(self) -> int:
        """Number of the variant's unstable runs, or of all unstable runs in the averages."""
        return self.average.n_unstable if self.average else len(self.unstable)

    @cached_property
    def survivors(self) -> tuple[bool, ...]:
        """Whether both arms are stable, by seed of the variant."""
        lost = {*self.unstable, *self.reference_unstable}
        return tuple(seed not in lost for seed in self.seeds)

    @cached_property
    def is_scored(self) -> bool:
        """Whether every score is finite."""
        return all(map(math.isfinite, (*self.reference, *self.variant)))

    @property
    def repeated(self) -> int:
        """Number of seeds over which every arm of the study repeats its score exactly; 0 if the scores vary."""
        return self.average.repeats if self.average else self.repeats

    @cached_property
    def is_equal(self) -> bool:
        """Whether the variant has the reference's score at every seed, and no run is unstable."""
        if self.is_unpaired:
            return False
        pairs = zip(self.reference, self.variant, strict=True)
        return self.n > 0 and all(self.survivors) and all(abs(one - other) <= self.tolerance for one, other in pairs)

    @property
    def least_sd(self) -> float:
        """The SD up to which a difference does not vary; infinite if one variant is a single observation."""
        return math.inf if self.repeating else self.tolerance

    @cached_property
    def tolerance(self) -> float:
        """The difference up to which scores count as equal."""
        return EQUAL * max(
            (abs(score) for score in (*self.reference, *self.variant) if math.isfinite(score)), default=0
        )
