"""Criteria of the verdicts: metric, margin, protocol, adjusted p-values."""

from __future__ import annotations

from dataclasses import dataclass

from ablate.stats.effects.types import ALPHA, Protocol
from ablate.stats.metric import Metric


@dataclass(frozen=True)
class Criteria:
    """The criteria shared by all comparisons of a study.

    Attributes:
        metric: The metric.
        margin: The smallest difference that matters, scaled as displayed.
        protocol: What was fixed before the runs.
    """

    metric: Metric
    margin: float
    protocol: Protocol


@dataclass(frozen=True)
class PValues:
    """The p-values of one comparison before and after Holm, the size of its family, and its error rate.

    `p_unreliable` is that of the numbers of unstable runs, after Holm.
    """

    p: float
    p_holm: float
    p_tost: float
    p_tost_holm: float
    p_unreliable: float
    comparisons: int
    alpha: float = ALPHA
