"""Synergies of pairs at a corner of the design, from leave-two-out or add-two-in arms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ablate.stats.attribution.aliasing import AliasGroup
from ablate.stats.attribution.contrasts import ContrastCriteria, FactorialContrast, Term, family_contrasts
from ablate.stats.effects.coarse_scores import usual_step
from ablate.stats.effects.inference import Floats, paired_t
from ablate.stats.effects.sequential import stack
from ablate.stats.effects.types import ALPHA, EQUAL, Protocol
from ablate.stats.metric import Goal

if TYPE_CHECKING:
    import pandas as pd

Corner = Literal["full", "none"] | frozenset[str]
"""The other factors of a pair: all on, all off, or those of this set on."""


def arms_by_factors(design: pd.DataFrame, scores: pd.DataFrame) -> dict[frozenset[str], Floats]:
    """Return the scores by seed (NaN if missing) of each set of enabled factors."""
    return {
        on: scores.loc[label].to_numpy(dtype=np.float64)
        for on, label in zip(_sets(design), design.index, strict=True)
        if label in scores.index
    }


def _sets(design: pd.DataFrame) -> list[frozenset[str]]:
    """Return the enabled factors of each variant."""
    factors = [str(name) for name in design.columns]
    return [
        frozenset(name for name, is_on in zip(factors, row, strict=True) if is_on)
        for row in design.to_numpy(dtype=bool).tolist()
    ]


def pair_synergies(
    design: pd.DataFrame,
    scores: pd.DataFrame,
    margin: float,
    goal: Goal = "max",
    corner: Corner = "full",
    unstable: pd.DataFrame | None = None,
    protocol: Protocol | None = None,
) -> list[FactorialContrast]:
    """Return the synergy v(AB) - v(A) - v(B) + v(none) of each pair of factors.

    The other factors are all on (corner "full": leave-two-out), all off ("none"), or as in a set, such as that of a
    baseline without the candidates. `estimate` is the synergy, over
    the seeds that all four arms share. The family contains every pair whose four arms are in the design, with or
    without runs. `design`, `scores`, `unstable` and `protocol` are as in `factorial_effects`.
    """
    criteria = ContrastCriteria(margin, goal, protocol or Protocol())
    return synergies_of(synergy_variants(design, corner), scores.reindex(design.index), criteria, unstable)


def synergies_of(
    variants: Mapping[str, Sequence[str]],
    scores: pd.DataFrame,
    criteria: ContrastCriteria,
    unstable: pd.DataFrame | None = None,
) -> list[FactorialContrast]:
    """Return the synergy v(both) - v(one) - v(other) + v(neither) of each pair, as one family.

    Args:
        variants: The variants with both, one, the other and neither, by the name of the pair.
        scores: Variants x seeds.
        criteria: The criteria of the verdicts.
        unstable: Whether each run is unstable; none by default.
    """
    lost = scores.isna() & False if unstable is None else unstable.reindex_like(scores).fillna(False).astype(bool)
    terms = [
        _synergy(term, scores.reindex(list(arms)), lost.reindex(list(arms), fill_value=False), criteria.margin)
        for term, arms in variants.items()
    ]
    if not terms:
        return []
    values = scores.to_numpy(dtype=np.float64)
    tolerance = EQUAL * float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    statistics = stack([paired_t(term.by_seed, criteria.margin, ALPHA, len(terms), tolerance) for term in terms])
    return family_contrasts(terms, statistics, "per-seed contrasts", "synergies", criteria)


def synergy_variants(design: pd.DataFrame, corner: Corner = "full") -> dict[str, list[str]]:
    """Return the variants with both, one, the other and neither factor of each pair that has all four."""
    names = {on: str(label) for on, label in zip(_sets(design), design.index, strict=True)}
    factors = [str(name) for name in design.columns]
    found = {}
    others = frozenset(factors if corner == "full" else () if corner == "none" else corner)
    for pair in itertools.combinations(factors, 2):
        rest = others - set(pair)
        arms = [rest | set(on) for on in (pair, pair[:1], pair[1:], ())]
        if names.keys() >= set(arms):
            found[" x ".join(pair)] = [names[arm] for arm in arms]
    return found


def _synergy(name: str, scores: pd.DataFrame, unstable: pd.DataFrame, margin: float) -> Term:
    """Return the synergy of a pair from the rows both, one, other, neither."""
    lost = unstable.to_numpy(dtype=bool)
    values = scores.to_numpy(dtype=np.float64)
    shared = (np.isfinite(values) | lost).all(axis=0)
    by_seed, lost = np.array([1.0, -1.0, -1.0, 1.0]) @ values[:, shared], lost[:, shared]
    seeds = scores.columns[shared]
    stable = by_seed[~lost.any(axis=0)]
    return Term(
        name,
        np.asarray(by_seed, dtype=np.float64),
        2,
        runs=lost.size,
        unstable={
            str(arm): tuple(seeds[row].tolist()) for arm, row in zip(scores.index, lost, strict=True) if row.any()
        },
        delta_survivors=float(stable.mean()) if len(stable) else math.nan,
        step=usual_step(np.diff(values[:, shared], axis=0), margin),
    )


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


def likeliest_alias(group: AliasGroup, effects: Mapping[str, float]) -> str:
    """Return the pair that most likely imitates a term: that with the largest product of main effects and correlation.

    Effect heredity, as in `likeliest_pair`. Empty if no pair is aliased with the term.

    Args:
        group: The term, its aliases, and the pairs that correlate with it.
        effects: The main effects by factor.
    """
    pairs = dict.fromkeys(group.terms[1:], 1.0) | {term: abs(share) for term, share in group.partial}
    sizes = {
        " x ".join(term): share * math.prod(abs(effects.get(factor, 0.0)) for factor in term)
        for term, share in pairs.items()
        if len(term) == 2
    }
    return max(sizes, key=sizes.__getitem__, default="")
