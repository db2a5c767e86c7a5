"""The statistics of a comparison by what its repetitions are: pairs by seed, unpaired runs, or folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ablate.stats.effects.folds import corrected_t
from ablate.stats.effects.inference import Floats, PairedT, moments, paired_t
from ablate.stats.effects.instability import unreliable_p
from ablate.stats.effects.types import PairedSeeds, Protocol
from ablate.stats.effects.unpaired import welch_freedom, welch_t


def family_statistics(
    pairs: Sequence[PairedSeeds], margin: float, alpha: float, protocol: Protocol | None = None
) -> list[PairedT]:
    """Return the t statistics of each comparison of a family; paired by seed unless the protocol says otherwise."""
    ratio, m = protocol.fold_ratio if protocol else 0.0, len(pairs)
    found = []
    for pair in pairs:
        if pair.is_unpaired:
            found.append(welch_t(pair.variant, pair.reference, margin, alpha, m, pair.least_sd))
        elif ratio:
            found.append(corrected_t(differences(pair), ratio, margin, alpha, m, pair.least_sd))
        else:
            found.append(paired_t(differences(pair), margin, alpha, m, pair.least_sd))
    return found


def instability_p(pairs: Sequence[PairedSeeds]) -> Floats:
    """Return p of the numbers of unstable runs, variant against reference; 1 for averages over several variants."""
    counts = [
        (0, 0, 0, 0)
        if pair.average
        else (len(pair.unstable), len(pair.reference_unstable), len(pair.seeds), pair.n_reference)
        for pair in pairs
    ]
    return unreliable_p(*np.array(counts, dtype=int).reshape(-1, 4).T)


def differences(pair: PairedSeeds) -> Floats:
    """Return variant - reference by seed."""
    return np.subtract(pair.variant, pair.reference, dtype=np.float64)


def freedom_of(pair: PairedSeeds) -> float:
    """Return the degrees of freedom of a comparison's t test."""
    if not pair.is_unpaired or pair.n < 2 or not pair.is_scored:
        return pair.n - 1
    error, other = (moments(arm)[1] / math.sqrt(len(arm)) for arm in (pair.variant, pair.reference))
    return float(welch_freedom(error, other, len(pair.variant), len(pair.reference)))


def balanced(pair: PairedSeeds) -> tuple[float, float]:
    """Return the SD of the difference of one run of each unpaired arm, and the share of n - 1 that is its freedom.

    With n runs of both arms, the standard error is sd/sqrt(n) with (n - 1) share degrees of freedom.
    """
    variances = [float(moments(arm)[1]) ** 2 for arm in (pair.variant, pair.reference)]
    total = sum(variances)
    if total == 0:
        return 0.0, 1.0
    return math.sqrt(total), total**2 / sum(variance**2 for variance in variances)


def stable_part(pair: PairedSeeds) -> PairedSeeds:
    """Return the stable runs of unpaired arms."""
    assert pair.reference_seeds is not None
    variant = {seed: score for seed, score in zip(pair.seeds, pair.variant, strict=True) if seed not in pair.unstable}
    reference = {
        seed: score
        for seed, score in zip(pair.reference_seeds, pair.reference, strict=True)
        if seed not in pair.reference_unstable
    }
    return replace(
        pair,
        seeds=tuple(variant),
        variant=tuple(variant.values()),
        reference=tuple(reference.values()),
        reference_seeds=tuple(reference),
        unstable=(),
        reference_unstable=(),
    )
