"""Random studies against formulas written a second time: NumPy and SciPy only, and brute force over the designs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablate.stats.attribution import alias_groups, factorial_effects, orthogonal_part, resolution
from ablate.stats.effects import Comparison, Protocol, estimate_effects
from ablate.stats.effects.looks import Looks
from ablate.stats.effects.sequential import replay, start_monitoring
from ablate.stats.metric import Metric
from ablate.studies.arms import Arm, factors_in_question
from ablate.studies.designs import fractional, plackett_burman

METRIC = Metric("score", unit="own")
FINAL = (
    "clear and important loss",
    "clear and important gain",
    "real but negligible",
    "no practically meaningful effect",
)


def holm(p: Sequence[float]) -> list[float]:
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, place in enumerate(np.argsort(p)):
        largest = adjusted[place] = max(largest, min(1.0, (len(p) - rank) * p[place]))
    return adjusted


def t_interval(d: np.ndarray, alpha: float) -> tuple[float, float]:
    half = stats.t.ppf(1 - alpha / 2, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean() - half, d.mean() + half


def tost(d: np.ndarray, margin: float) -> float:
    return max(
        float(stats.ttest_1samp(d, -margin, alternative="greater").pvalue),
        float(stats.ttest_1samp(d, margin, alternative="less").pvalue),
    )


def verdict(low: float, high: float, p: float, p_tost: float, margin: float) -> str:
    if high < -margin or low > margin:
        return FINAL[0] if high < -margin else FINAL[1]
    if p_tost < 0.05:
        return FINAL[2] if p < 0.05 else FINAL[3]
    return "real, importance unresolved" if p < 0.05 else "inconclusive"


def evidence_of_sequence(d: np.ndarray, mean: float) -> float:
    """Return the mixture martingale of the t statistic against `mean` (unit prior variance) at the last seed."""
    n, spread = len(d), ((d - d.mean()) ** 2).sum()
    shift = n * (d.mean() - mean) ** 2
    return float((1 + n) ** -0.5 * ((spread + shift) / (spread + shift / (1 + n))) ** (n / 2))


def table(scores: dict[str, dict[int, float]]) -> pd.DataFrame:
    rows = [(name, seed, "finished", value) for name, arm in scores.items() for seed, value in arm.items()]
    return pd.DataFrame(rows, columns=["variant", "seed", "status", "score"])


def random_study(draw: np.random.Generator, arms: int, seeds: Sequence[int]) -> dict[str, dict[int, float]]:
    base = dict(zip(seeds, draw.normal(size=len(seeds)), strict=True))
    effects = draw.choice([0.0, 0.3, 2.0], arms), draw.choice([0.1, 0.5, 1.0], arms)
    others = {
        f"v{arm}": {seed: base[seed] + shift + draw.normal(0, noise) for seed in seeds}
        for arm, (shift, noise) in enumerate(zip(*effects, strict=True))
    }
    return {"baseline": base, **others}


def differences(scores: dict[str, dict[int, float]], seeds: Sequence[int]) -> list[np.ndarray]:
    names = list(scores)[1:]
    return [np.array([scores[name][seed] - scores["baseline"][seed] for seed in seeds]) for name in names]


@pytest.mark.parametrize("number", range(12))
def test_added_seeds(number: int) -> None:
    """The interval consists of the means that the martingale does not reject, and the verdict follows from it."""
    draw = np.random.default_rng([1, number])
    arms, seeds, margin = (
        int(draw.integers(1, 6)),
        range(int(draw.integers(5, 40))),
        float(draw.choice([0.3, 1.0, 4.0])),
    )
    scores = random_study(draw, arms, seeds)
    comparisons = [Comparison(name) for name in list(scores)[1:]]
    found = estimate_effects(table(scores), comparisons, METRIC, margin, Protocol(extended=True))
    for effect, d in zip(found, differences(scores, seeds), strict=True):
        intervals = (effect.evidence.valid, 0.05), (effect.evidence.valid_family, 0.05 / arms)
        for interval, alpha in intervals:
            assert interval is not None
            for end in filter(math.isfinite, interval):
                assert evidence_of_sequence(d, end) == pytest.approx(1 / alpha, rel=1e-6)
            if not math.isfinite(interval[0]):
                assert evidence_of_sequence(d, 1e9) < 1 / alpha
        assert effect.evidence.valid_family is not None
        low, high = effect.evidence.valid_family
        differs, is_within = low > 0 or high < 0, -margin < low and high < margin
        expected = verdict(low, high, 1 - differs, 1 - is_within, margin)
        assert effect.verdict == f"exploratory: {expected}"


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("looks", [Looks(), Looks((4, 7, 11), (0.01, 0.01, 0.03))])
def test_sequential_looks(looks: Looks, number: int) -> None:
    draw = np.random.default_rng([2, number])
    arms, seeds = int(draw.integers(1, 5)), [int(seed) for seed in draw.permutation(99)[: looks.seeds[-1]]]
    scores, margin = random_study(draw, arms, seeds), 0.5
    p, p_tost, stopped = np.ones(arms), np.ones(arms), np.zeros(arms, dtype=int)
    rules, taken, used = [""] * arms, 0, np.zeros(arms, dtype=int)
    for taken, (n, alpha) in enumerate(zip(looks.seeds, looks.alphas, strict=True), start=1):
        for arm, d in enumerate(differences(scores, seeds[:n])):
            if not stopped[arm]:
                p[arm] = min(p[arm], stats.ttest_1samp(d, 0).pvalue * 0.05 / alpha)
                p_tost[arm] = min(p_tost[arm], tost(d, margin) * 0.05 / alpha)
        adjusted = holm(p), holm(p_tost)
        for arm, d in enumerate(differences(scores, seeds[:n])):
            if not stopped[arm]:
                rules[arm] = verdict(*t_interval(d, alpha / arms), adjusted[0][arm], adjusted[1][arm], margin)
                stopped[arm] = taken if rules[arm] in FINAL and n >= 5 else 0
                used[arm] = n
        if stopped.all():
            break
    comparisons = [Comparison(name) for name in list(scores)[1:]]
    state = replay(start_monitoring(comparisons, seeds, looks), table(scores), METRIC, margin)
    assert state.taken == taken
    assert [arm.stopped_at for arm in state.arms] == stopped.tolist()
    assert [effect.verdict for effect in state.effects] == rules
    assert [effect.n for effect in state.effects] == used.tolist()
    assert [arm.p_seq for arm in state.arms] == pytest.approx(p, rel=1e-7)
    assert [arm.p_tost_seq for arm in state.arms] == pytest.approx(p_tost, rel=1e-7)
    assert [effect.p_holm for effect in state.effects] == pytest.approx(adjusted[0], rel=1e-7)


SCREENING = [
    *({"count": count, "runs": runs} for count, runs in ((3, 4), (5, 8), (6, 8), (7, 8), (9, 16), (11, 16))),
    *({"count": count, "folded": count % 2 == 0} for count in (7, 8, 9, 10, 11)),
]


class Screening:
    """A design with candidates that are off in the baseline, and its columns coded as -1 and +1."""

    def __init__(self, count: int, **options: Any) -> None:
        self.draw = np.random.default_rng([3, count])
        self.factors = [f"f{place}" for place in range(count)]
        on = frozenset(name for name in self.factors if self.draw.random() < 0.6)
        baseline, components = Arm(on), factors_in_question(self.factors)
        arguments = (baseline, components, 3) if "runs" in options else (baseline, components)
        design = (fractional if "runs" in options else plackett_burman)(*arguments, **options)  # type: ignore[operator]
        assert design.arms[0] == baseline
        arms = [f"arm {place}" for place in range(len(design.arms))]
        levels = [[name in arm.on for name in self.factors] for arm in design.arms]
        self.rows = pd.DataFrame(levels, index=arms, columns=self.factors)
        self.part = orthogonal_part(self.rows)
        self.coded = np.where(self.part.to_numpy(), 1.0, -1.0)
        self.pairs = list(itertools.combinations(range(count), 2))

    @property
    def is_three(self) -> bool:
        """Whether some product of three columns is not balanced."""
        triples = itertools.combinations(range(len(self.factors)), 3)
        return any(abs(self.coded[:, chosen].prod(axis=1).mean()) > 1e-9 for chosen in triples)

    def correlation(self, main: int, pair: tuple[int, int]) -> float:
        """Return the correlation of the column of a factor with that of a pair."""
        return float((self.coded[:, main] * self.coded[:, pair].prod(axis=1)).mean())


@pytest.mark.parametrize("options", SCREENING, ids=str)
def test_aliases_of_screening_designs(options: dict[str, Any]) -> None:
    design = Screening(**options)
    count, coded = len(design.factors), design.coded
    assert (coded.T @ coded == len(coded) * np.eye(count)).all()
    assert (coded.sum(axis=0) == 0).all()
    assert (resolution(design.part) == 3) == design.is_three
    groups = {group.terms[0]: group for group in alias_groups(design.part)}
    for main, pair in itertools.product(range(count), design.pairs):
        names = tuple(design.factors[place] for place in pair)
        is_alias = abs(design.correlation(main, pair)) > 1 - 1e-9
        assert (names in groups[(design.factors[main],)].terms) == is_alias


@pytest.mark.parametrize("options", SCREENING, ids=str)
def test_estimates_of_screening_designs(options: dict[str, Any]) -> None:
    """The added baseline counts in no effect, and the likeliest alias has the largest product."""
    design, draw = Screening(**options), np.random.default_rng(options["count"])
    factors, coded, pairs = design.factors, design.coded, design.pairs
    planted = coded @ draw.normal(0, 2, len(factors)) + 3 * coded[:, pairs[1]].prod(axis=1)
    values = planted[:, None] + draw.normal(size=(len(planted), 5))
    scores = pd.DataFrame(values, index=design.part.index).reindex(design.rows.index, fill_value=draw.normal(0, 90))
    analysis = factorial_effects(design.rows, scores, 0.5)
    found = {row.term: row for row in analysis.contrasts}
    sizes = [abs(found[name].estimate) for name in factors]
    assert analysis.is_screening == design.is_three
    for main, name in enumerate(factors):
        by_seed = values[coded[:, main] > 0].mean(axis=0) - values[coded[:, main] < 0].mean(axis=0)
        assert found[name].by_seed == pytest.approx(by_seed)
        assert (found[name].low, found[name].high) == pytest.approx(t_interval(by_seed, 0.05))
        assert (found[name].fw_low, found[name].fw_high) == pytest.approx(t_interval(by_seed, 0.05 / len(factors)))
        shares = {pair: abs(design.correlation(main, pair)) for pair in pairs if design.is_three}
        likely = {
            " x ".join(factors[place] for place in pair): share * sizes[pair[0]] * sizes[pair[1]]
            for pair, share in shares.items()
            if share > 1e-9
        }
        assert likely.get(found[name].likeliest, 0.0) == pytest.approx(max(likely.values(), default=0.0))
        assert found[name].verdict.startswith("screening: ") == design.is_three
        assert not (design.is_three and found[name].verdict.endswith(FINAL))
