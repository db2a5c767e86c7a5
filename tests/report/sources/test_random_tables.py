"""Random tables of runs, against an independent reading with the csv module and SciPy: every number of effects.csv."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.stats.effects import effects_table

MARGIN, FLOOR = 0.4, 5.0

DIALECTS: list[dict[str, Any]] = [
    {},
    {"separator": ";", "comma": True},
    {"separator": "\t", "comma": True, "encoding": "utf-16"},
    {"separator": "|", "comment": "# a|b\n"},
    {"separator": ";", "end": ";", "encoding": "utf-8-sig"},
]


def random_rows(generator: np.random.Generator, seeds: int) -> list[tuple[str, str, str, str]]:
    """Return rows of four variants with unequal seeds, ties, and runs that failed, diverged or have no score."""
    digits = int(generator.choice([1, 2, 6]))
    words = [f"fold {seed}" for seed in range(seeds)] if generator.random() < 0.5 else list(map(str, range(seeds)))
    luck, rows = generator.normal(0, 1, seeds), []
    for place, variant in enumerate(("baseline", "a", "b", "c")):
        shift = generator.choice([0.0, 0.0, 0.5, -2.0]) if place else 0.0
        for word, ours in zip(words, luck, strict=True):
            score = repr(round(float(20 + ours + shift + generator.normal(0, 0.5)), digits))
            kind = generator.choice(
                ["", "nan", "inf", "empty", "failed", "unstable", "absent"],
                p=[0.79, 0.03, 0.03, 0.03, 0.04, 0.03, 0.05],
            )
            if kind != "absent":
                status = kind if kind in ("failed", "unstable") else "finished"
                rows.append((variant, word, status, {"nan": "nan", "inf": "-inf", "empty": ""}.get(kind, score)))
    generator.shuffle(rows)
    return [tuple(map(str, row)) for row in rows]  # type: ignore[misc]


def write(rows: list[tuple[str, str, str, str]], path: Path, dialect: dict[str, Any]) -> None:
    separator, end = dialect.get("separator", ","), dialect.get("end", "")
    lines = [("variant", "seed", "status", "loss"), *rows]
    text = dialect.get("comment", "") + "".join(separator.join(line) + end + "\n" for line in lines)
    text = text.replace(".", ",") if dialect.get("comma") else text
    path.write_bytes(text.encode(dialect.get("encoding", "utf-8")))


def scores(path: Path) -> dict[str, dict[str, tuple[float, bool]]]:
    """Return score and instability by variant and seed, of a plain CSV file."""
    arms: dict[str, dict[str, tuple[float, bool]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            arm, value = arms.setdefault(row["variant"], {}), float(row["loss"] or "nan")
            if row["status"] == "failed" or (row["status"] == "finished" and not row["loss"]):
                continue
            known = math.isfinite(value)
            arm[row["seed"]] = (value if known else FLOOR, row["status"] == "unstable" or not known)
    return arms


def detectable(sd: float, n: int, alpha: float) -> float:
    def lacking(size: float) -> float:
        critical, shift = stats.t.isf(alpha / 2, n - 1), size * math.sqrt(n)
        return float(stats.nct.sf(critical, n - 1, shift) + stats.nct.sf(critical, n - 1, -shift)) - 0.8

    return sd * float(optimize.brentq(lacking, 1e-9, 10)) if lacking(10) > 0 else math.inf


def expected(arms: dict[str, dict[str, tuple[float, bool]]], variant: str, family: int) -> dict[str, float]:
    one, other = arms[variant], arms["baseline"]
    seeds = one.keys() & other.keys()
    ours, theirs = (np.array([arm[seed][0] for seed in seeds]) for arm in (one, other))
    change, n = ours - theirs, len(seeds)
    test, wins = stats.ttest_rel(ours, theirs), float(np.sum(change < 0) + 0.5 * np.sum(change == 0))
    wilson = stats.binomtest(int(wins), n).proportion_ci(method="wilson") if wins == int(wins) else None
    stable = [not one[seed][1] and not other[seed][1] for seed in seeds]
    return {
        "n": n,
        "n_unstable": sum(one[seed][1] for seed in seeds),
        "baseline_mean": theirs.mean(), "baseline_sd": theirs.std(ddof=1),
        "variant_mean": ours.mean(), "variant_sd": ours.std(ddof=1),
        "delta": change.mean(), "delta_survivors": change[stable].mean() if any(stable) else math.nan,
        "p": test.pvalue,
        "p_tost": max(
            stats.ttest_1samp(change, -MARGIN, alternative="greater").pvalue,
            stats.ttest_1samp(change, MARGIN, alternative="less").pvalue,
        ),
        **dict(zip(("ci_low", "ci_high"), test.confidence_interval(0.95), strict=True)),
        **dict(zip(("fw_low", "fw_high"), test.confidence_interval(1 - 0.05 / family), strict=True)),
        "p_welch": stats.ttest_ind(ours, theirs, equal_var=False).pvalue,
        "rho": np.corrcoef(ours, theirs)[0, 1],
        "p_improve": wins / n,
        **({"improve_low": wilson.low, "improve_high": wilson.high} if wilson else {}),
        "mde": detectable(float(change.std(ddof=1)), n, 0.05 / family),
    }  # fmt: skip


@pytest.mark.parametrize("number", [*range(3), *(pytest.param(n, marks=pytest.mark.slow) for n in range(3, 20))])
def test_every_number_is_that_of_an_independent_reading(tmp_path: Path, number: int) -> None:
    generator = np.random.default_rng(number)
    rows = random_rows(generator, int(generator.choice([6, 12, 40, 1_030])))
    write(rows, tmp_path / "plain.csv", {})
    write(rows, tmp_path / "runs.csv", DIALECTS[number % len(DIALECTS)])
    options = TableOptions(metric="loss", margin=MARGIN, floor=FLOOR)
    table = effects_table(analyse(from_table("x", "runs.csv", read_csv(tmp_path / "runs.csv"), options)).effects)
    arms = scores(tmp_path / "plain.csv")
    assert set(table["variant"]) == arms.keys() - {"baseline"}
    for row in table.to_dict("records"):
        for name, value in expected(arms, row["variant"], len(table)).items():
            assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-12, nan_ok=True), (row["variant"], name)
    for raw in ("p", "p_tost"):
        assert table[f"{raw}_holm"].tolist() == pytest.approx(multipletests(table[raw], method="holm")[1], rel=1e-9)
