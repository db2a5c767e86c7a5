"""Synergies of pairs at a corner of the design, from leave-two-out or add-two-in arms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from ablate.stats.attribution.contrasts import FactorialContrast, TermName, family_contrasts
from ablate.stats.effects.inference import Floats, paired_t
from ablate.stats.effects.sequential import stack
from ablate.stats.effects.types import ALPHA
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd

Corner = Literal["full", "none"]


def arms_by_factors(design: pd.DataFrame, scores: pd.DataFrame) -> dict[frozenset[str], Floats]:
    """Return the scores by seed (NaN if missing) of each set of enabled factors."""
    factors = [str(name) for name in design.columns]
    found = {}
    for label, row in zip(design.index, design.to_numpy(dtype=bool), strict=True):
        if label in scores.index:
            on = frozenset(name for name, is_on in zip(factors, row, strict=True) if is_on)
            found[on] = scores.loc[label].to_numpy(dtype=np.float64)
    return found


def pair_synergies(
    design: pd.DataFrame, scores: pd.DataFrame, margin: float, goal: Goal = "max", corner: Corner = "full"
) -> list[FactorialContrast]:
    """Return the synergy v(AB) - v(A) - v(B) + v(none) of each pair of factors.

    The other factors are all on (corner "full": leave-two-out) or all off ("none"). `estimate` is the synergy, over
    the seeds that all four arms share. The family contains every pair of factors, with or without runs. `design` and
    `scores` are as in `factorial_effects`.
    """
    arms = arms_by_factors(design, scores)
    unknown = np.full(scores.shape[1], np.nan)
    factors = [str(name) for name in design.columns]
    names, by_seed = [], []
    for pair in itertools.combinations(factors, 2):
        rest = frozenset(factors) - set(pair) if corner == "full" else frozenset()
        both, first, second, neither = (arms.get(rest | set(on), unknown) for on in (pair, pair[:1], pair[1:], ()))
        values = both - first - second + neither
        names.append(TermName(" x ".join(pair), synergy=1.0))
        by_seed.append(values[~np.isnan(values)])
    if not names:
        return []
    statistics = stack([paired_t(values, margin, ALPHA, len(names)) for values in by_seed])
    return family_contrasts(names, by_seed, statistics, "per-seed contrasts", "synergies", margin, goal)


def likeliest_pair(pair: str, aliases: Iterable[str], effects: Mapping[str, float]) -> str:
    """Return the aliased pair whose main effects have the largest product: a hint, not a result.

    Effect heredity: interactions are more likely between factors with large main effects (Hamada and Wu, 1992).

    Args:
        pair: The pair that names the alias group.
        aliases: The other terms of the group.
        effects: The main effects by factor.
    """
    pairs = [name for name in (pair, *aliases) if name.count(" x ") == 1]
    size = {name: math.prod(abs(effects.get(factor, 0.0)) for factor in name.split(" x ")) for name in pairs}
    return max(pairs, key=size.__getitem__, default=pair)
