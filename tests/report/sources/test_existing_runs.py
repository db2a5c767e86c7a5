"""Reports on existing runs: numbers against an independent computation, and errors in tables."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from ablate.api.results import ComparisonResult
from ablate.errors import UsageError, UserError
from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.readers.table_files import read_table_files
from ablate.report.study_data import StudyData
from ablate.report.write import Report, write_report
from ablate.stats.effects import EFFECT_COLUMNS
from tests.samples.effects import BASELINE, NO_BATCH_NORM, NO_CLIP


def rows(arms: dict[str, list[float]], scale: float = 0.01, metric: str = "test_accuracy") -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"variant": name, "seed": seed, "status": "finished", metric: value * scale}
            for name, values in arms.items()
            for seed, value in enumerate(values)
        ]
    )


def study_in(table: pd.DataFrame, folder: Path, **options: object) -> StudyData:
    path = folder / "runs.csv"
    table.to_csv(path, index=False)
    return from_table("theirs", "runs.csv", read_csv(path), TableOptions(**options))  # type: ignore[arg-type]


def effects(table: pd.DataFrame, folder: Path, **options: object) -> pd.DataFrame:
    found = study_in(table, folder, **options)
    report = write_report(found, folder / "report")
    assert isinstance(report, Report)
    read = pd.read_csv(folder / "report" / "effects.csv", keep_default_na=False, na_values=[""])
    assert tuple(read.columns) == EFFECT_COLUMNS
    return read.set_index("variant")


def simulated(seed: int, arms: int, seeds: int) -> dict[str, list[float]]:
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, 0.3, seeds)
    shifts = generator.choice([-4.0, -0.8, -0.1, 0.0, 0.6], arms)
    table = {"baseline": list(90 + luck + generator.normal(0, 0.15, seeds))}
    for place, shift in enumerate(shifts):
        table[f"no-part{place}"] = list(90 + shift + luck + generator.normal(0, 0.15, seeds))
    return table


def independently(table: dict[str, list[float]], margin: float) -> pd.DataFrame:
    """Return the primary columns as scipy and statsmodels compute them."""
    base, found = np.array(table["baseline"]), {}
    variants = [name for name in table if name != "baseline"]
    m, n = len(variants), len(base)
    for name in variants:
        arm = np.array(table[name])
        test = stats.ttest_rel(arm, base)
        interval, family = test.confidence_interval(0.95), test.confidence_interval(1 - 0.05 / m)
        found[name] = {
            "n": n, "delta": (arm - base).mean(), "baseline_mean": base.mean(), "baseline_sd": base.std(ddof=1),
            "variant_mean": arm.mean(), "variant_sd": arm.std(ddof=1), "ci_low": interval.low,
            "ci_high": interval.high, "fw_low": family.low, "fw_high": family.high, "p": test.pvalue,
            "p_tost": ttost_paired(arm, base, -margin, margin)[0], "p_improve": (arm > base).mean(),
            "p_welch": stats.ttest_ind(arm, base, equal_var=False).pvalue, "rho": np.corrcoef(arm, base)[0, 1],
        }  # fmt: skip
    frame = pd.DataFrame.from_dict(found, orient="index")
    frame["p_holm"] = multipletests(frame["p"], method="holm")[1]
    frame["p_tost_holm"] = multipletests(frame["p_tost"], method="holm")[1]
    return frame


def expected_verdict(row: pd.Series, margin: float, n: int) -> str:
    differs, equivalent = row["p_holm"] < 0.05, row["p_tost_holm"] < 0.05
    if row["fw_high"] < -margin:
        verdict = "clear and important loss"
    elif row["fw_low"] > margin:
        verdict = "clear and important gain"
    elif differs and equivalent:
        verdict = "real but negligible"
    elif equivalent:
        verdict = "no practically meaningful effect"
    else:
        verdict = "real, importance unresolved" if differs else "inconclusive"
    return f"preliminary: {verdict}" if n in (3, 4) else verdict


@pytest.mark.parametrize(("seed", "arms", "seeds", "margin"), [(0, 7, 5, 0.5), (1, 12, 10, 0.3), (2, 3, 3, 1.0)])
def test_effects_agree_with_an_independent_computation(
    tmp_path: Path, seed: int, arms: int, seeds: int, margin: float
) -> None:
    table = simulated(seed, arms, seeds)
    known = independently(table, margin)
    found = analyse(study_in(rows(table), tmp_path, margin=margin))
    by_name = {effect.variant: effect for effect in found.effects}
    assert set(by_name) == set(known.index)
    for name, row in known.iterrows():
        for column in known.columns:
            assert getattr(by_name[str(name)], str(column)) == pytest.approx(row[column], rel=1e-6, abs=1e-9), column
        assert by_name[str(name)].verdict == expected_verdict(row, margin, seeds)


def test_the_known_answers_come_out_of_a_file(tmp_path: Path) -> None:
    found = effects(rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-grad-clip": NO_CLIP}), tmp_path)
    row = found.loc["no-batch-norm"]
    assert (row["factor"], row["reference"], row["change"]) == ("batch_norm", "baseline", "removed")
    assert row["delta"] == pytest.approx(-3.022, rel=1e-6)
    assert row["p"] == pytest.approx(1.7029458e-6, rel=1e-6)
    assert row["rho"] == pytest.approx(0.9227533, rel=1e-6)
    assert row["verdict"] == "clear and important loss"
    assert found.loc["no-grad-clip", "p_tost"] == pytest.approx(5.1739114e-5, rel=1e-6)
    assert found.loc["no-grad-clip", "verdict"] == "no practically meaningful effect"


def test_percentages_are_recognised_with_a_warning(tmp_path: Path) -> None:
    arms = {"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM}
    fractions, percentages = study_in(rows(arms), tmp_path), study_in(rows(arms, scale=1), tmp_path)
    assert any("percentages" in text for text in percentages.cautions)
    assert not fractions.cautions
    assert analyse(percentages).effects[0].delta == pytest.approx(analyse(fractions).effects[0].delta, abs=1e-9)
    assert percentages.runs["test_accuracy"].max() < 1


def test_mixed_percentages_and_fractions_are_an_error_that_names_the_rows(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM})
    table.loc[7, "test_accuracy"] = 89.75
    with pytest.raises(UserError, match=r"percentages in line 9 \(no-batch-norm, seed 2: 89.75\)"):
        study_in(table, tmp_path)


def test_other_metrics_keep_their_unit_and_need_a_margin(tmp_path: Path) -> None:
    table = rows({"baseline": [10.0, 11, 12, 10.5, 11.5], "new": [8.0, 9.1, 9.9, 8.4, 9.6]}, 1, "perplexity")
    with pytest.raises(UsageError, match="--margin is needed"):
        study_in(table, tmp_path, metric="perplexity")
    read = analyse(study_in(table, tmp_path, metric="perplexity", goal="min", margin=0.5))
    assert read.effects[0].delta == pytest.approx(-2.0)
    assert read.effects[0].verdict == "clear and important gain"


def test_errors_name_the_rows(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM})
    for column, place, value, message in (
        ("status", 3, "dnf", r"Unknown status in line 5 \(baseline, seed 3: 'dnf'\)"),
        ("seed", 6, "x", r"The seed is not an integer in line 8"),
        ("seed", 6, "", r"No seed in line 8"),
        ("variant", 6, "", r"No variant in line 8"),
        ("test_accuracy", 6, "high", r"test_accuracy is not a number in line 8 \(no-batch-norm, seed 1: 'high'\)"),
        ("test_accuracy", 6, -0.2, r"test_accuracy is not a fraction from 0 to 1 in line 8"),
        ("seed", 6, 0, r"Duplicate results: line 7 .*line 8"),
    ):
        broken = table.astype(object)
        broken.loc[place, column] = value
        with pytest.raises(UserError, match=message):
            study_in(broken, tmp_path)


def test_a_finished_run_without_a_value_is_excluded_with_a_caution(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM})
    table.loc[6, "test_accuracy"] = math.nan
    found = study_in(table, tmp_path)
    assert any("line 8 (no-batch-norm, seed 1)" in text for text in found.cautions)
    assert analyse(found).effects[0].n == 4


def test_a_missing_baseline_is_an_error_that_names_the_variants(tmp_path: Path) -> None:
    table = rows({"full": BASELINE, "no-batch-norm": NO_BATCH_NORM})
    with pytest.raises(UserError, match=r"--baseline\. Known: full, no-batch-norm"):
        study_in(table, tmp_path)
    assert analyse(study_in(table, tmp_path, baseline="full")).effects[0].reference == "full"


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM}, metric="val_acc")
    table = table.rename(columns={"variant": "model", "seed": "random_state"}).drop(columns="status")
    found = analyse(study_in(table, tmp_path, variant="model", seed="random_state", metric="val_acc"))
    assert found.effects[0].delta == pytest.approx(-3.022)
    with pytest.raises(UsageError, match="Did you mean 'model'"):
        study_in(table, tmp_path, variant="modle", seed="random_state", metric="val_acc")
    with pytest.raises(UsageError, match="--metric NAME"):
        study_in(table, tmp_path, variant="model", seed="random_state")


def test_unstable_runs_count_and_failed_ones_do_not(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM, "no-clip": NO_CLIP})
    table.loc[5, ["status", "test_accuracy"]] = ["unstable", 0.1]
    table.loc[10, ["status", "test_accuracy"]] = ["failed", math.nan]
    found = analyse(study_in(table, tmp_path))
    without, clip = found.effects
    assert (without.n, without.n_unstable, clip.n) == (5, 1, 4)
    assert without.verdict.startswith("unstable in 1 of 5 seeds: ")
    assert clip.verdict.startswith("preliminary: ")
    table.loc[5, "test_accuracy"] = math.nan
    blocked = analyse(study_in(table, tmp_path))
    assert blocked.effects[0].verdict == "unstable in 1 of 5 seeds"
    assert blocked.effects[1].verdict == clip.verdict
    assert re.match(r"No finite test_accuracy in line 7 .*--floor", blocked.study.cautions[0])
    assert analyse(study_in(table, tmp_path, floor=0.1)).effects[0].delta == pytest.approx(without.delta)


def test_exploratory_comparisons_are_marked(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM})
    assert analyse(study_in(table, tmp_path, exploratory=True)).effects[0].verdict.startswith("exploratory: ")
    planned = write_report(study_in(table, tmp_path), tmp_path / "report")
    assert "assumed to be planned before the runs" in (planned.folder / "report.md").read_text()


def both_ways(seeds: int = 5) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    worth = {"a": 3.0, "b": 1.0, "c": 0.0, "d": 0.5}
    arms = {"baseline": "abcd", "no-a": "bcd", "no-b": "acd", "no-c": "abd", "no-d": "abc", "none": "", "only-a": "a",
            "only-b": "b", "only-c": "c", "only-d": "d"}  # fmt: skip
    table = rows(
        {name: list(80 + sum(worth[f] for f in on) + generator.normal(0, 0.1, seeds)) for name, on in arms.items()}
    )
    for factor in "abcd":
        table[factor] = [factor in arms[name] for name in table["variant"]]
    return table


@pytest.mark.parametrize("columns", [True, False])
def test_both_ways_is_recognised_with_or_without_factor_columns(tmp_path: Path, columns: bool) -> None:
    table = both_ways() if columns else both_ways().drop(columns=["a", "b", "c", "d"])
    found = analyse(study_in(table, tmp_path))
    planned = {effect.variant: (effect.reference, effect.change, effect.family) for effect in found.compared}
    assert planned["no-a"] == ("baseline", "removed", "both-ways")
    assert planned["only-b"] == ("none", "added", "both-ways")
    assert len(planned) == 8
    assert found.attribution is not None
    shares = {share.factor: share.shapley for share in found.attribution.shares}
    assert shares["a"] == pytest.approx(3.0, abs=0.3)


def factorial() -> pd.DataFrame:
    cells = {
        "none": [80, 80.4, 79.6],
        "only-b": [86, 85.8, 86.2],
        "only-a": [90, 90.2, 89.9],
        "baseline": [91, 91.6, 91.1],
    }
    table = rows({name: list(values) for name, values in cells.items()})
    for factor in "ab":
        table[factor] = [name in ("baseline", f"only-{factor}") for name in table["variant"]]
    return table


@pytest.mark.parametrize("count", [2, 3, 4])
def test_all_combinations_are_a_factorial(tmp_path: Path, count: int) -> None:
    letters, generator = "abcd"[:count], np.random.default_rng(3)
    arms = {
        "baseline"
        if all(on)
        else "+".join(f"no-{name}" for name, is_on in zip(letters, on, strict=True) if not is_on): on
        for on in itertools.product((True, False), repeat=count)
    }
    table = rows({name: list(80 + 3.0 * on[0] + generator.normal(0, 0.1, 4)) for name, on in arms.items()})
    for place, letter in enumerate(letters):
        table[letter] = [arms[name][place] for name in table["variant"]]
    study = study_in(table, tmp_path)
    assert study.design_name == "factorial"
    assert f"all combinations of {count} factors" in dict(study.facts)["Comparisons"]
    assert ("both-ways" in dict(study.facts)["Comparisons"]) == (count == 3)
    found = analyse(study)
    assert found.headline[0].variant == "no-a (averaged)"
    assert len(found.headline) == count
    assert found.headline[0].delta == pytest.approx(-3.0, abs=0.2)
    assert len(found.compared) == 2**count - 1


def test_main_effects_of_a_factorial_are_those_of_switching_off(tmp_path: Path) -> None:
    found = effects(factorial(), tmp_path)
    main = found[found["family"] == "main effects"].set_index("factor")
    assert main.loc["a", "delta"] == pytest.approx(-7.6333333)
    assert (main.loc["a", "ci_low"], main.loc["a", "ci_high"]) == pytest.approx((-8.012792, -7.253875))
    assert (main.loc["b", "ci_low"], main.loc["b", "ci_high"]) == pytest.approx((-4.257241, -2.942759))
    pairs = pd.read_csv(tmp_path / "report" / "interactions.csv")
    assert pairs["estimate"].tolist() == pairs["synergy"].tolist() == pytest.approx([-4.8])  # twice the effect of -2.4
    assert found[found["family"] != "main effects"].index.tolist() == ["none", "only-b", "only-a"]


def test_arms_may_be_named_by_their_factors_alone(tmp_path: Path) -> None:
    table = factorial().drop(columns="variant")
    found = analyse(study_in(table, tmp_path, factors=("a", "b")))
    assert {effect.variant for effect in found.compared} == {"no-a", "no-b", "no-a+no-b"}


def test_a_written_run_table_gives_the_same_effects(tmp_path: Path) -> None:
    first = effects(both_ways(), tmp_path)
    again = from_table("again", "runs.csv", read_csv(tmp_path / "report" / "runs.csv"), TableOptions())
    second = write_report(again, tmp_path / "again")
    assert (second.folder / "effects.csv").read_text() == (tmp_path / "report" / "effects.csv").read_text()
    assert len(first) == 8


def test_a_running_run_is_named_once(tmp_path: Path) -> None:
    table = rows({"baseline": BASELINE, "no-a": NO_CLIP})
    table.loc[0, "status"] = "RUNNING"
    result = ComparisonResult(analyse(study_in(table, tmp_path)))
    assert [text for text in result.cautions if "unning" in text] == ["Running: baseline (seed 0)."]


def test_a_baseline_that_is_still_running_is_one_line(tmp_path: Path) -> None:
    """It was a KeyError where the names of the variants show factors."""
    table = rows({"baseline": BASELINE[:1], "no-a": NO_CLIP, "no-b": NO_BATCH_NORM})
    table.loc[table["variant"] == "baseline", "status"] = "RUNNING"
    with pytest.raises(UserError, match="All runs of the baseline 'baseline' are still running"):
        study_in(table, tmp_path)


@pytest.mark.parametrize(
    ("metric", "scale", "options", "hint"),
    [
        ("accuracy", 0.01, {}, "--floor (0.1 for chance among 10 classes)"),
        ("accuracy", 1, {}, "--floor (10 for chance among 10 classes)"),
        ("loss", 1, {"margin": 0.5}, "--floor (the loss of a model that learned nothing)"),
    ],
)
def test_the_floor_is_explained_in_the_unit_of_the_metric(
    metric: str, scale: float, options: dict[str, float], hint: str, tmp_path: Path
) -> None:
    table = rows({"baseline": BASELINE, "no-a": NO_CLIP}, scale, metric).astype({metric: object})
    table.loc[9, metric] = "inf"
    assert any(hint in text for text in study_in(table, tmp_path, metric=metric, **options).cautions)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "xlsx"])
def test_points_between_thousands_are_refused_in_every_format(tmp_path: Path, form: str) -> None:
    cells = {"baseline": ["993", "1.003", "998"], "no-a": ["1.012", "999", "1.000"]}
    found = [(name, str(seed), cell) for name, column in cells.items() for seed, cell in enumerate(column)]
    table, path = pd.DataFrame(found, columns=["variant", "seed", "latency"]), tmp_path / f"runs.{form}"
    if form == "xlsx":
        table.to_excel(path, index=False)
    elif form == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep=";" if form == "csv" else "\t")
    runs = read_table_files([path])
    with pytest.raises(UserError, match=r"latency may have a point between thousands in .*\(no-a, seed 0: '1\.012'\)"):
        from_table("theirs", runs.source, runs.table, TableOptions(metric="latency", margin=5.0), runs.row_word)


def spelled(folder: Path, names: list[str], baseline: str = "baseline") -> StudyData:
    """Return a study whose variants have two runs per name."""
    lines = [
        f"{name},{seed},0.9{seed}{len(name)}" for place, name in enumerate(names) for seed in (2 * place, 2 * place + 1)
    ]
    (folder / "runs.csv").write_text("\n".join(["variant,seed,accuracy", *lines, ""]), encoding="utf-8")
    return from_table("theirs", "runs.csv", read_csv(folder / "runs.csv"), TableOptions(baseline=baseline))


@pytest.mark.parametrize(
    ("one", "other"), [("no-a", "No-A"), ("1", "1.0"), ("True", "true"), ("baseline", "Baseline"), ("1e-3", "0.001")]
)
def test_variants_that_differ_only_in_spelling_are_a_caution(tmp_path: Path, one: str, other: str) -> None:
    found = spelled(tmp_path, list(dict.fromkeys(["baseline", one, other, "no-b"])))
    assert found.cautions[0] == (
        f"The variants {one} (2 runs), {other} (2 runs) differ only in case or in the form of a number and are "
        "compared as different ones. If they are the same, give them one name."
    )


@pytest.mark.parametrize("other", ["no-\N{CYRILLIC SMALL LETTER A}", "no\N{ZERO WIDTH SPACE}-a"])
def test_variants_that_look_alike_are_a_caution(tmp_path: Path, other: str) -> None:
    found = spelled(tmp_path, ["baseline", "no-a", other])
    assert "(2 runs) differ only in letters that look alike or are invisible" in found.cautions[0]


@pytest.mark.parametrize("names", [["no-a", "no-b"], ["1", "10"], ["0.1", "0.01"], ["1e400", "1e401"], ["nan", "inf"]])
def test_other_names_of_variants_are_not(tmp_path: Path, names: list[str]) -> None:
    found = spelled(tmp_path, ["baseline", *names])
    assert not found.cautions
    assert "Unicode" not in found.statement


@pytest.mark.parametrize("baseline", ["caf\u00e9", "cafe\u0301"])
def test_unicode_forms_of_a_name_are_one_variant(tmp_path: Path, baseline: str) -> None:
    found = spelled(tmp_path, ["caf\u00e9", "cafe\u0301", "tea"], baseline)
    assert found.runs["variant"].value_counts().to_dict() == {"caf\u00e9": 4, "tea": 2}
    assert found.baseline == "caf\u00e9"
    assert "variant: the Unicode forms of caf\u00e9 are one name" in found.statement
