"""Which part accounts for how much: factorial effects, interactions, aliases, Shapley values."""

from ablate.stats.attribution.aliasing import (
    AliasGroup,
    alias_groups,
    design_table,
    estimable_groups,
    orthogonal_part,
    resolution,
)
from ablate.stats.attribution.contrasts import Contrast, FactorialAnalysis, factorial_effects
from ablate.stats.attribution.screening import HalfNormal, Lenth, half_normal, lenth
from ablate.stats.attribution.shapley import (
    Attribution,
    Residual,
    Share,
    attributable,
    attribute,
    check_residual,
    half_sums,
    shapley_values,
)
from ablate.stats.attribution.synergies import likeliest, pair_synergies

__all__ = [
    "AliasGroup",
    "Attribution",
    "Contrast",
    "FactorialAnalysis",
    "HalfNormal",
    "Lenth",
    "Residual",
    "Share",
    "alias_groups",
    "attributable",
    "attribute",
    "check_residual",
    "design_table",
    "estimable_groups",
    "factorial_effects",
    "half_normal",
    "half_sums",
    "lenth",
    "likeliest",
    "orthogonal_part",
    "pair_synergies",
    "resolution",
    "shapley_values",
]
