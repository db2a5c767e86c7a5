"""A variant that repeats its score over the seeds while the other one varies is one observation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from ablate.stats.effects import Comparison, Protocol, estimate_effects, sentence
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.repeated_scores import repeats_alone
from ablate.stats.metric import Metric

ACCURACY = Metric("accuracy")
VARIES = [0.92134, 0.92811, 0.92623, 0.92324, 0.92463]


def effects(by_variant: dict[str, Sequence[float]], protocol: Protocol | None = None) -> dict[str, Effect]:
    rows = [
        {"variant": name, "seed": seed, "status": "finished", "accuracy": score}
        for name, scores in by_variant.items()
        for seed, score in enumerate(scores)
    ]
    comparisons = [Comparison(name) for name in by_variant if name != "baseline"]
    found = estimate_effects(pd.DataFrame(rows), comparisons, ACCURACY, 0.5, protocol)
    return {effect.variant: effect for effect in found}


@pytest.mark.parametrize("replicates", ["seeds", "runs", "folds"])
@pytest.mark.parametrize("seeds", [3, 5])
def test_no_verdict_on_one_observation(replicates: str, seeds: int) -> None:
    protocol = Protocol(replicates=replicates, fold_ratio=0.25 * (replicates == "folds"))  # type: ignore[arg-type]
    other = [score - 0.03 + 0.001 * seed for seed, score in enumerate(VARIES[:seeds])]
    found = effects({"baseline": VARIES[:seeds], "no-ema": [0.90742] * seeds, "no-b": other}, protocol)
    effect = found["no-ema"]
    assert effect.verdict.endswith("single-run observation")
    assert "preliminary" not in effect.verdict
    text = sentence(effect, ACCURACY)
    assert "no-ema repeats its score exactly over them and baseline does not: it is one observation" in text
    unknown = (effect.p, effect.p_tost, effect.ci_low, effect.fw_high, effect.mde, effect.p_welch, effect.p_signflip)
    assert all(map(math.isnan, unknown))
    assert effect.p_holm in (1.0,) or math.isnan(effect.p_holm)
    assert effect.evidence.seeds_needed is None
    assert "clear and important" in found["no-b"].verdict


def test_a_reference_that_repeats_its_score() -> None:
    found = effects({"baseline": [0.92134] * 5, "no-a": VARIES, "no-b": [score - 0.02 for score in VARIES]})
    assert {effect.evidence.rule for effect in found.values()} == {"single-run observation"}
    assert "baseline repeats its score exactly over them and no-b does not" in sentence(found["no-b"], ACCURACY)


@pytest.mark.parametrize(
    ("scores", "others"),
    [
        ([0.9, 0.9], VARIES[:2]),
        ([100.0] * 5, VARIES),
        ([0.0] * 5, VARIES),
        ([0.9] * 5, [0.9] * 5),
        ([0.9] * 5, [*VARIES[:4], VARIES[0]]),
        ([0.9, 0.9, 0.9], [0.91, 0.93, 0.92]),
        ([0.9] * 4 + [0.91], VARIES),
        ([math.nan] * 5, VARIES),
    ],
)
def test_scores_that_may_be_equal_by_chance(scores: list[float], others: list[float]) -> None:
    assert not repeats_alone(scores, others)


def test_scores_of_any_size_and_rounding() -> None:
    assert repeats_alone([1e300] * 3, [1.01e300, 1.0237e300, 1.09e300])
    assert repeats_alone([0.3, 0.1 + 0.2, 0.3], [0.31, 0.3237, 0.39])
    generator = np.random.default_rng(1)
    grid = np.round(generator.normal(0.9, 0.005, (2000, 2, 3)), 2)
    assert np.mean([repeats_alone(*map(list, pair)) for pair in grid]) == 0
