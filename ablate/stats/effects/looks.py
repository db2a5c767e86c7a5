"""The looks of sequential testing as arrays: p-values over several looks, stopped comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ablate.errors import UserError
from ablate.stats.effects.inference import CODES, Floats, PairedT, judge
from ablate.stats.effects.multiple_comparisons import holm, sequential_p
from ablate.stats.effects.types import ALPHA, FINAL

FINAL_CODES = np.array([CODES[rule] for rule in FINAL])


@dataclass(frozen=True)
class Looks:
    """The interim analyses of a study: their numbers of seeds, and the share of alpha that each spends."""

    seeds: tuple[int, ...] = (5, 10, 20)
    alphas: tuple[float, ...] = (0.015, 0.015, 0.020)

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.alphas) or list(self.seeds) != sorted(set(self.seeds)) or self.seeds[:1] < (3,):
            raise UserError(f"Looks need increasing numbers of seeds from 3, with one alpha each, not {self.seeds}")
        if min(self.alphas) <= 0 or sum(self.alphas) > ALPHA + 1e-12:
            raise UserError(f"The alphas of the looks must be positive and sum to at most {ALPHA}, not {self.alphas}")


@dataclass(frozen=True)
class LookArrays:
    """The state of a family's m comparisons as arrays of shape (..., m): p_seq, verdict codes, stopped."""

    p: Floats
    p_tost: Floats
    p_unreliable: Floats
    p_holm: Floats
    p_tost_holm: Floats
    p_unreliable_holm: Floats
    codes: NDArray[np.int_]
    stopped: NDArray[np.bool_]

    @classmethod
    def initial(cls, shape: tuple[int, ...]) -> LookArrays:
        """Return the state before the first look."""
        ones = np.ones(shape)
        return cls(ones, ones, ones, ones, ones, ones, np.full(shape, -1), np.zeros(shape, dtype=bool))


def advance(
    before: LookArrays,
    statistics: PairedT,
    alpha: float,
    margin: float,
    better: int = 1,
    p_unreliable: ArrayLike = 1.0,
) -> LookArrays:
    """Return the state after one look: p_seq = min_k p_k (.05/alpha_k), Holm over the last axis, verdicts, stops.

    Stopped comparisons keep their p_seq and verdict and remain in the family.

    Args:
        before: The state before the look.
        statistics: The result of `paired_t` at this look's alpha.
        alpha: This look's share of alpha.
        margin: The smallest difference that matters.
        better: +1 if higher is better, else -1.
        p_unreliable: The p of each variant's number of unstable runs (see `unreliable_p`).
    """
    raw = (statistics.p, statistics.p_tost, np.asarray(p_unreliable))
    kept = (before.p, before.p_tost, before.p_unreliable)
    p, p_tost, p_bad = (
        np.where(before.stopped, old, sequential_p(old, new, alpha)) for old, new in zip(kept, raw, strict=True)
    )
    p_holm, p_tost_holm, p_unreliable_holm = map(holm, (p, p_tost, p_bad))
    codes = judge(statistics, p_holm, p_tost_holm, p_unreliable_holm < ALPHA, margin, better)
    codes = np.where(before.stopped, before.codes, codes)
    stopped = before.stopped | np.isin(codes, FINAL_CODES)
    return LookArrays(p, p_tost, p_bad, p_holm, p_tost_holm, p_unreliable_holm, codes, stopped)
