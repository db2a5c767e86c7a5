"""Data types: a planned comparison, the protocol of a study, paired scores, and the estimated effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

Change = Literal["removed", "added", "changed"]
Estimand = Literal["drop-in", "re-tuned"]

ALPHA = 0.05  # per family; difference tests and equivalence tests are separate families
POWER = 0.80


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
    """

    variant: str
    reference: str = "baseline"
    factor: str = ""
    change: Change = "removed"
    family: str = "leave-one-out"
    n_planned: int = 5
    planned: bool = True

    @property
    def label(self) -> str:
        """The factor, or the variant if no factor is given."""
        return self.factor or self.variant


@dataclass(frozen=True)
class Protocol:
    """What was fixed before the runs. A field that differs from its default qualifies every verdict.

    Attributes:
        planned: Whether margin, metric and comparisons were fixed before the runs.
        selected_on_test: Whether something (settings, epoch, seed) was selected on the test set.
        extended: Whether seeds were added to a fixed-n study after its report.
        estimand: Whether the variants keep the baseline's settings or were tuned again.
    """

    planned: bool = True
    selected_on_test: bool = False
    extended: bool = False
    estimand: Estimand = "drop-in"


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


FINAL = (Verdict.LOSS, Verdict.GAIN, Verdict.NEGLIGIBLE, Verdict.NO_EFFECT)  # these end an arm of --until-clear


@dataclass(frozen=True)
class PairedSeeds:
    """The scores of two arms at their shared seeds.

    Attributes:
        seeds: The shared seeds, ascending.
        reference: Scaled scores of the reference by seed.
        variant: Scaled scores of the variant by seed.
        unstable: Shared seeds at which the variant is unstable.
        reference_unstable: Shared seeds at which the reference is unstable.
        excluded: Number of the variant's runs without a score, by status.
    """

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
        """Whether both arms are stable, by seed."""
        lost = {*self.unstable, *self.reference_unstable}
        return tuple(seed not in lost for seed in self.seeds)


@dataclass(frozen=True)
class Evidence:
    """The values behind an effect's verdict and sentence that are not columns of effects.csv.

    Attributes:
        paired: The paired scores.
        comparisons: The size m of the family.
        alpha: The error rate of this row's intervals: .05, or the share of a look.
        sd_difference: Standard deviation of the paired difference.
        seeds_needed: Seeds needed to detect a true difference equal to the margin; None above a million.
        unstable_low: Lower end of the Wilson interval of the share of unstable seeds.
        unstable_high: Upper end of that interval.
        rule: The verdict without prefixes.
        estimand: "drop-in" or "re-tuned".
        extended: Whether seeds were added after a report.
        look: The look of `--until-clear` that gave the verdict, from 1; 0 for a fixed number of seeds.
        stopped_early: Whether the arm ended before the last look.
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

    All fields except `evidence` are columns. `delta` = variant - reference, in percentage points for fractions and in
    the metric's unit otherwise. `mde` is infinite if no effect is detectable. Unavailable numbers are NaN.
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
        """Whether the verdict decides the question, even if only preliminarily."""
        return self.evidence.rule in (Verdict.UNRELIABLE, *FINAL)

    def row(self) -> dict[str, Any]:
        """Return the columns of effects.csv in order."""
        return {name: getattr(self, name) for name in EFFECT_COLUMNS}


EFFECT_COLUMNS = tuple(entry.name for entry in fields(Effect) if entry.name != "evidence")
