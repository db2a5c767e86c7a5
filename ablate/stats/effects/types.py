"""The nouns of the statistics: a metric, a planned comparison, the protocol, and the effect that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

Change = Literal["removed", "added", "changed"]
Estimand = Literal["drop-in", "re-tuned"]

ALPHA = 0.05  # of every family; the difference and the equivalence tests are two families
POWER = 0.80


@dataclass(frozen=True)
class Comparison:
    """One variant against one reference; `planned` says whether it was fixed before the runs.

    `factor` is the component, or the arm's own name where the arm is not one factor (`change` is then "changed").
    The size of a family is the number of comparisons that name it, whether or not they have runs.
    """

    variant: str
    reference: str = "baseline"
    factor: str = ""
    change: Change = "removed"
    family: str = "leave-one-out"
    n_planned: int = 5
    planned: bool = True

    @property
    def named(self) -> str:
        """The factor, or the arm where no factor is given."""
        return self.factor or self.variant


@dataclass(frozen=True)
class Protocol:
    """What was fixed beforehand and what was not; every field that is off its default shows in the verdicts.

    `selected_on_test`: something (settings, epoch, seed) was chosen on the test set. `extended`: seeds were added to
    a fixed-n study after its report.
    """

    planned: bool = True
    selected_on_test: bool = False
    extended: bool = False
    estimand: Estimand = "drop-in"


class Verdict(StrEnum):
    """The outcomes of the rule table, in the order of its rules, then those that override it."""

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


FINAL = (Verdict.LOSS, Verdict.GAIN, Verdict.NEGLIGIBLE, Verdict.NO_EFFECT)  # what ends an arm of --until-clear


@dataclass(frozen=True)
class PairedSeeds:
    """The seeds that both arms have, in ascending order, with scaled values and what happened to the other runs."""

    seeds: tuple[int, ...]
    reference: tuple[float, ...]
    variant: tuple[float, ...]
    unstable: tuple[int, ...] = ()
    reference_unstable: tuple[int, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n(self) -> int:
        """Number of paired seeds."""
        return len(self.seeds)

    @property
    def survivors(self) -> tuple[bool, ...]:
        """Per seed, whether both arms were stable."""
        lost = {*self.unstable, *self.reference_unstable}
        return tuple(seed not in lost for seed in self.seeds)


@dataclass(frozen=True)
class Evidence:
    """What an effect's verdict and sentence rest on beside its columns.

    `comparisons` is m; `alpha` the error rate that this row was judged at (.05, or a look's share); `rule` the
    verdict without its prefixes; `seeds_needed` for a true difference as large as the margin, None beyond a million.
    `look` counts the looks of `--until-clear` from 1, 0 outside; `stopped_early` says the arm ended before the last.
    """

    paired: PairedSeeds
    comparisons: int
    alpha: float
    sd_difference: float
    seeds_needed: int | None
    unstable_low: float
    unstable_high: float
    rule: Verdict
    estimand: Estimand = "drop-in"
    extended: bool = False
    look: int = 0
    stopped_early: bool = False


@dataclass(frozen=True)
class Effect:
    """One row of effects.csv: a comparison with its estimate, intervals, tests and verdict.

    `delta` = variant - reference, in points for fractions and raw units else; `mde` is infinite where nothing is
    detectable; a number that cannot be had is NaN. `evidence` is no column.
    """

    factor: str
    variant: str
    reference: str
    change: Change
    family: str
    n_planned: int
    n: int
    n_unstable: int
    baseline_mean: float
    baseline_sd: float
    variant_mean: float
    variant_sd: float
    delta: float
    level: float
    ci_low: float
    ci_high: float
    fw_low: float
    fw_high: float
    p: float
    p_holm: float
    margin: float
    p_tost: float
    p_tost_holm: float
    delta_survivors: float
    p_welch: float
    p_signflip: float
    p_improve: float
    improve_low: float
    improve_high: float
    mde: float
    rho: float
    verdict: str
    evidence: Evidence = field(repr=False)

    @property
    def is_settled(self) -> bool:
        """Whether the verdict answers the question, if only preliminarily."""
        return self.evidence.rule in (Verdict.UNRELIABLE, *FINAL)

    def row(self) -> dict[str, Any]:
        """The columns of effects.csv, in order."""
        return {name: getattr(self, name) for name in EFFECT_COLUMNS}


EFFECT_COLUMNS = tuple(entry.name for entry in fields(Effect) if entry.name != "evidence")
