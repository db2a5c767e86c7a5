"""Seeds of tables, and results that occur twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ablate.errors import UserError
from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.study_data import StudyData
from ablate.report.write import write_report

BASE = [0.91, 0.93, 0.905, 0.92, 0.94]
OTHER = [0.915, 0.95, 0.91, 0.93, 0.955]


def study(folder: Path, text: str, **options: object) -> StudyData:
    path = folder / "runs.csv"
    path.write_text(text)
    return from_table("theirs", "runs.csv", read_csv(path), TableOptions(**options))  # type: ignore[arg-type]


def paired(keys: list[str], column: str = "seed") -> str:
    rows = [f"baseline,{key},{score}" for key, score in zip(keys, BASE, strict=True)]
    rows += [f"no-x,{key},{score}" for key, score in reversed(list(zip(keys, OTHER, strict=True)))]
    return "\n".join([f"variant,{column},accuracy", *rows, ""])


@pytest.mark.parametrize(
    ("keys", "read"),
    [
        (["0", "1", "2", "3", "4"], [0, 1, 2, 3, 4]),
        (["1e3", "7.0", "+8", "-1", "007"], [-1, 7, 8, 1000]),
        ([str(2**53 + place) for place in range(5)], [2**53 + place for place in range(5)]),
        ([str(2**64 - place) for place in range(5)], [2**64 - 4 + place for place in range(5)]),
        ([str(2**127 + place) for place in range(5)], [2**127 + place for place in range(5)]),
        (["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e"]),
        (["cifar10", "mnist", "20news", "svhn", "stl 10"], ["20news", "cifar10", "mnist", "stl 10", "svhn"]),
    ],
)
def test_runs_are_paired_by_integers_of_any_size_and_by_words(tmp_path: Path, keys: list[str], read: list) -> None:
    if keys[-1] == "007":
        with pytest.raises(UserError, match="Duplicate results"):  # 7.0 and 007 are one seed
            study(tmp_path, paired(keys))
        return
    found = study(tmp_path, paired(keys))
    (effect,) = analyse(found).effects
    assert list(effect.evidence.paired.seeds) == read == list(found.seeds)
    assert effect.p == pytest.approx(stats.ttest_rel(OTHER, BASE).pvalue, rel=1e-9)


def test_folds_and_data_sets_pair_runs_next_to_a_column_of_seeds(tmp_path: Path) -> None:
    lines = paired(["1", "2", "3", "4", "all"], "fold").split("\n")
    text = "\n".join([lines[0] + ",seed", *(line + ",7" for line in lines[1:-1]), ""])
    found = study(tmp_path, text, seed="fold")
    assert "seed: column fold, whose words pair the runs" in found.statement
    (effect,) = analyse(found).effects
    assert effect.evidence.paired.seeds == ("1", "2", "3", "4", "all")
    report = write_report(found, tmp_path / "report")
    runs = read_csv(tmp_path / "report" / "runs.csv")
    assert set(runs["seed"]) == {"1", "2", "3", "4", "all"}
    assert "5 paired seeds" in "".join(report.answer)


def test_words_that_are_left_out_or_unstable_are_named(tmp_path: Path) -> None:
    text = paired(["north", "south", "east", "west", "up"]) + "no-x,down,0.9\nbaseline,in,nan\nno-x,in,0.9\n"
    report = write_report(study(tmp_path, text, floor=0.1), tmp_path / "report")
    answer = "\n".join(report.answer)
    assert "1 with a seed that another compared variant lacks (no-x: seed down)" in answer
    assert "(reference unstable in seed in)" in answer
    assert report.analysis.effects[0].n == 6


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (paired(["0", "1", "2", "x", "4"]), {}, r"The seed is not an integer in line 5 .*'x'"),
        (
            paired(["0.1", "0.2", "0.3", "0.4", "0.5"]),
            {},
            r"not an integer .* Choose the seed column with --seed-param",
        ),
        (paired(["a", "b", "", "d", "e"], "fold"), {"seed": "fold"}, r"No seed in line 4 \(baseline\), line 9"),
        (paired(["", "", "", "", ""]), {}, r"No seed in .* Choose the seed column with --seed-param NAME"),
        (paired(["nan", "1", "2", "3", "4"]), {}, "The seed is not an integer in line 2"),
        (paired(["1e17", "1", "2", "3", "4"]), {}, "The seed is not an integer in line 2"),
        (paired(["1" * 5000, "1", "2", "3", "4"]), {}, "The seed is not an integer in line 2"),
    ],
)
def test_seeds_that_cannot_be_read_are_an_error(tmp_path: Path, text: str, options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study(tmp_path, text, **options)


def doubled(column: str, values: tuple[str, ...], others: str = "") -> str:
    rows = [
        f"{variant},{seed},0.9{seed}{place},{value}{others.format(line=f'{variant}{seed}{place}')}"
        for variant in ("baseline", "no-x")
        for seed in range(2)
        for place, value in enumerate(values)
    ]
    return "\n".join([f"variant,seed,accuracy,{column}", *rows, ""])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            doubled("dataset", ("cifar", "svhn")),
            r"They differ in dataset \('cifar', 'svhn'\)\. Keep the rows of one dat",
        ),
        (doubled("lr", ("0.1", "0.01", "")), r"They differ in lr \('0.1', '0.01', ''\)\."),
        (doubled("epoch", ("1", "2", "3", "4")), r"They differ in epoch \('1', '2', '3' and 1 more\)\."),
        (
            doubled("lr,run_id", ("0.1", "0.01"), ",{line}"),
            r"They differ in lr \('0.1', '0.01'\), and in run_id\. Keep",
        ),
        (doubled("run_id,lr", ("1", "2"), "{line},0.1"), r"They differ in run_id \("),
        (
            doubled("lr", ("0.1", "1e-1")),
            r"They differ in no column except accuracy\. Keep one row per variant and seed",
        ),
        (doubled("data,lr", ("a", "b"), ",0.1").replace("b,0.1", "b,1e-1"), r"differ in data \('a', 'b'\)\. Keep"),
        (
            doubled("lr", ("0.1", "0.1")),
            r"They differ in no column except accuracy\. Keep one row per variant and seed",
        ),
    ],
)
def test_doubled_results_name_the_column_in_which_they_differ(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        study(tmp_path, text)
    assert str(caught.value).startswith("Duplicate results: line 2 (baseline, seed 0), line 3 (baseline, seed 0)")


def test_a_doubled_row_names_a_column_called_seed(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"They differ in seed \('0', '1'\)\. Keep the rows of one seed \(--where\), or"
    ):
        study(tmp_path, doubled("fold", ("1", "2")), seed="fold")


def test_ten_thousand_rows_are_checked_at_once(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).normal(0.9, 0.01, (2, 5_000))
    rows = [f"{name},{seed},{score}" for name, arm in zip("ab", scores, strict=True) for seed, score in enumerate(arm)]
    found = study(tmp_path, "\n".join(["variant,seed,accuracy", *rows]), baseline="a")
    (effect,) = analyse(found).effects
    assert effect.p == pytest.approx(stats.ttest_rel(scores[1], scores[0]).pvalue, rel=1e-9)
    assert effect.p_signflip == pytest.approx(effect.p, abs=0.02)


def test_seeds_with_points_between_thousands_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"seed may have a point between thousands in line 6 \(baseline.*Write 1000 for"
    ):
        study(tmp_path, paired(["996", "997", "998", "999", "1.000"]))
