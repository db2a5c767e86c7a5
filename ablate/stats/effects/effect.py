"""The estimated effect of a comparison, and the evidence behind its verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from ablate.stats.effects.power import SeedsRange
from ablate.stats.effects.types import FINAL, Change, Estimand, PairedSeeds, Replicates, Verdict


@dataclass(frozen=True)
class Evidence:
    """The values behind an effect's verdict and sentence that are not columns of effects.csv.

    Attributes:
        paired: The paired scores.
        comparisons: The size m of the family.
        alpha: The error rate of this row's intervals: .05, or the share of a look.
        sd_difference: Standard deviation of the paired difference.
        seeds_needed: Seeds needed to detect a true difference equal to the margin; None if there is no estimate.
        unstable_low: Lower end of the Wilson interval of the share of unstable seeds.
        unstable_high: Upper end of that interval.
        p_unreliable: Holm's p of the test that the variant is unstable as often as the reference.
        rule: The verdict without prefixes.
        coarse: The step of coarse scores, if it alone prevents a verdict of equivalence; 0 otherwise.
        estimand: "drop-in" or "re-tuned".
        replicates: What the repetitions are.
        freedom: Degrees of freedom of the t test.
        extended: Whether the seeds were changed after a report.
        valid: The 95 % interval that is valid although seeds were added; None if none were.
        valid_family: The same, corrected for the family.
        look: The look of `--until-clear` that gave the verdict, from 1; 0 for a fixed number of seeds.
        stopped_early: Whether the arm ended before the last look.
        factor_level: The variant's level of a factor that has several, or whose value is varied.
        reference_level: The reference's level of it.
    """

    paired: PairedSeeds
    comparisons: int
    alpha: float
    sd_difference: float
    seeds_needed: SeedsRange | None
    unstable_low: float
    unstable_high: float
    p_unreliable: float
    rule: Verdict
    coarse: float = 0.0
    estimand: Estimand = "drop-in"
    replicates: Replicates = "seeds"
    freedom: float = math.nan
    extended: bool = False
    valid: tuple[float, float] | None = None
    valid_family: tuple[float, float] | None = None
    look: int = 0
    stopped_early: bool = False
    factor_level: str = ""
    reference_level: str = ""

    @property
    def is_screening(self) -> bool:
        """Whether the design has resolution III, so that the effect may be that of a pair of other factors."""
        return self.paired.average is not None and self.paired.average.screening


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

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of this comparison alone: if seeds were added after a report, the one that allows for this."""
        return self.evidence.valid or (self.ci_low, self.ci_high)

    @property
    def verdict_interval(self) -> tuple[float, float]:
        """The interval that is corrected for the family, as the verdict is, and allows for seeds that were added."""
        return self.evidence.valid_family or (self.fw_low, self.fw_high)

    def row(self) -> dict[str, Any]:
        """Return the columns of effects.csv in order."""
        return {name: getattr(self, name) for name in EFFECT_COLUMNS}


EFFECT_COLUMNS = tuple(entry.name for entry in fields(Effect) if entry.name != "evidence")
