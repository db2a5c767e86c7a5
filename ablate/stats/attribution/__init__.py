"""Attribution: factorial effects, interactions, aliases and Shapley values."""

from ablate.stats.attribution.aliasing import AliasGroup, alias_groups, estimable_groups, orthogonal_part, resolution
from ablate.stats.attribution.contrasts import FactorialContrast
from ablate.stats.attribution.factorial import FactorialAnalysis, factorial_effects
from ablate.stats.attribution.fit import Lenth, lenth
from ablate.stats.attribution.shapley import (
    Attribution,
    Residual,
    Share,
    attribute,
    check_residual,
    half_sums,
    shapley_source,
    shapley_values,
)
from ablate.stats.attribution.synergies import likeliest_pair, pair_synergies, synergy_variants

__all__ = [
    "AliasGroup",
    "Attribution",
    "FactorialAnalysis",
    "FactorialContrast",
    "Lenth",
    "Residual",
    "Share",
    "alias_groups",
    "attribute",
    "check_residual",
    "estimable_groups",
    "factorial_effects",
    "half_sums",
    "lenth",
    "likeliest_pair",
    "orthogonal_part",
    "pair_synergies",
    "resolution",
    "shapley_source",
    "shapley_values",
    "synergy_variants",
]
