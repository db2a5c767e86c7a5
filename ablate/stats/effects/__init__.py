"""Paired effects: confidence intervals, multiple comparisons, equivalence tests, power and verdicts."""

from ablate.stats.effects.effect import EFFECT_COLUMNS, Effect, Evidence
from ablate.stats.effects.estimate import check_comparisons, effects_table, estimate_effects
from ablate.stats.effects.inference import (
    PairedT,
    always_valid_half_width,
    paired_t,
    wilson,
)
from ablate.stats.effects.instability import unreliable_p
from ablate.stats.effects.looks import Looks
from ablate.stats.effects.multiple_comparisons import holm, sign_flip_can_reach
from ablate.stats.effects.noise import (
    BUDGET_DIFFERENCES,
    NoiseBudget,
    TwoScopes,
    expected_best,
    image_standard_error,
    noise_budget,
    two_scopes,
)
from ablate.stats.effects.pairing import STATUSES, Scores, read_scores
from ablate.stats.effects.power import (
    MAX_EFFECT_SIZE,
    SeedsRange,
    detectable_effect_size,
    minimum_detectable_effect,
    seeds_needed,
    seeds_range,
)
from ablate.stats.effects.sentences import sentence
from ablate.stats.effects.sequential import (
    MonitoredArm,
    Monitoring,
    missing_runs,
    replay,
    start_monitoring,
    take_look,
)
from ablate.stats.effects.sign_flip import sign_flip_p, smallest_sign_flip_p
from ablate.stats.effects.types import MIN_SEEDS, Average, Comparison, PairedSeeds, Protocol, Verdict
from ablate.stats.effects.unpaired import welch_p

__all__ = [
    "BUDGET_DIFFERENCES",
    "EFFECT_COLUMNS",
    "MAX_EFFECT_SIZE",
    "MIN_SEEDS",
    "STATUSES",
    "Average",
    "Comparison",
    "Effect",
    "Evidence",
    "Looks",
    "MonitoredArm",
    "Monitoring",
    "NoiseBudget",
    "PairedSeeds",
    "PairedT",
    "Protocol",
    "Scores",
    "SeedsRange",
    "TwoScopes",
    "Verdict",
    "always_valid_half_width",
    "check_comparisons",
    "detectable_effect_size",
    "effects_table",
    "estimate_effects",
    "expected_best",
    "holm",
    "image_standard_error",
    "minimum_detectable_effect",
    "missing_runs",
    "noise_budget",
    "paired_t",
    "read_scores",
    "replay",
    "seeds_needed",
    "seeds_range",
    "sentence",
    "sign_flip_can_reach",
    "sign_flip_p",
    "smallest_sign_flip_p",
    "start_monitoring",
    "take_look",
    "two_scopes",
    "unreliable_p",
    "welch_p",
    "wilson",
]
