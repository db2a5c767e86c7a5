"""Paired effects: confidence intervals, multiple comparisons, equivalence tests, power and verdicts."""

from ablate.stats.effects.estimate import check_comparisons, effects_table, estimate_effects
from ablate.stats.effects.inference import (
    PairedT,
    always_valid_half_width,
    holm,
    paired_t,
    sign_flip_can_reach,
    sign_flip_p,
    welch_p,
    wilson,
)
from ablate.stats.effects.noise import (
    BUDGET_DIFFERENCES,
    NoiseBudget,
    TwoScopes,
    expected_best,
    image_standard_error,
    noise_budget,
    two_scopes,
)
from ablate.stats.effects.pairing import STATUSES, score_table
from ablate.stats.effects.power import detectable_effect_size, minimum_detectable_effect, seeds_needed
from ablate.stats.effects.sentences import sentence
from ablate.stats.effects.sequential import (
    Looks,
    MonitoredArm,
    Monitoring,
    missing_runs,
    replay,
    start_monitoring,
    take_look,
)
from ablate.stats.effects.types import (
    EFFECT_COLUMNS,
    Comparison,
    Effect,
    Evidence,
    PairedSeeds,
    Protocol,
    Verdict,
)

__all__ = [
    "BUDGET_DIFFERENCES",
    "EFFECT_COLUMNS",
    "STATUSES",
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
    "replay",
    "score_table",
    "seeds_needed",
    "sentence",
    "sign_flip_can_reach",
    "sign_flip_p",
    "start_monitoring",
    "take_look",
    "two_scopes",
    "welch_p",
    "wilson",
]
