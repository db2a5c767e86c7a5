"""Settings in which runs of one variant differ, and settings and conditions of whole variants."""

from __future__ import annotations

import pytest

from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.run_table import RunTable, table_of_rows
from ablate.report.study_data import StudyData

SEEDS = range(5)


def study(column: str, base: list[object], other: list[object], *, kinds: bool = False, **options: object) -> StudyData:
    """Return a study of two variants of five seeds with the values of one more column."""
    param, metric = ("params.", "metrics.") if kinds else ("", "")
    rows = [
        {
            f"{param}variant": variant,
            f"{param}seed": str(seed),
            f"{metric}acc": f"0.{80 + place}{seed}",
            column: str(value),
        }
        for place, (variant, values) in enumerate((("base", base), ("x", other)))
        for seed, value in zip(SEEDS, values, strict=True)
    ]
    table = table_of_rows(dict(enumerate(rows)))
    asked = TableOptions(**{"metric": "acc", "margin": 0.5, "baseline": "base", **options})  # type: ignore[arg-type]
    return study_of("runs", RunTable("runs.csv", table, "line"), asked)


def cautions(*given: object, **options: object) -> list[str]:
    column = str(given[0])
    return [text for text in study(*given, **options).cautions if column.rsplit(".", maxsplit=1)[-1] in text]  # type: ignore[arg-type]


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize(
    ("name", "usual", "other"),
    [("lr", "0.1", "0.01"), ("gpu_name", "A100", "V100"), ("git_commit", "ab", "cd"),
     ("max_epochs", "20", "10"), ("dataset", "cifar100", "cifar10"), ("tokenizer", "bpe", "wp"),
     ("crop", "32", "28"), ("use_ema", "true", "false")],
)  # fmt: skip
def test_a_warning_names_the_runs_of_a_variant_that_differ_in_a_setting(
    name: str, usual: str, other: str, kinds: bool
) -> None:
    column = f"params.{name}" if kinds else name
    found = cautions(column, [usual] * 5, [usual] * 4 + [other], kinds=kinds)
    assert found == [
        f"Runs of x differ in {name}: {usual} (seeds 0 to 3), {other} (seed 4). If these are different variants, name "
        f"them with --variant-param variant,{name}, or select one with --where {name}={usual}."
    ]


def test_variants_named_by_another_column() -> None:
    rows = [
        {"model": model, "seed": str(seed), "lr": "0.01" if (model, seed) == ("x", 4) else "1e-1", "acc": f"0.8{seed}"}
        for model in ("base", "x")
        for seed in SEEDS
    ]
    runs = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    found = study_of("runs", runs, TableOptions(metric="acc", margin=0.5, baseline="base", variant="model"))
    assert [text for text in found.cautions if "--variant-param model,lr" in text]


@pytest.mark.parametrize(
    ("name", "base", "other"),
    [
        ("lr", ["0.1"] * 5, ["1e-1", "0.10", "0.1", "0.1", "0.1"]),
        ("data_order", [*"ababa"], [*"ababa"]),
        ("data_order", [*"01234"], [*"01234"]),
        ("val_loss", [1] * 5, [1, 1, 1, 1, 2]),
        ("epoch", [9] * 5, [9, 9, 9, 9, 7]),
        ("hostname", ["a"] * 5, [*"aabba"]),
        ("run_id", [*"abcde"], [*"fghij"]),
        ("wrong", [3, 3, 4, 3, 3], [5, 5, 5, 6, 5]),
        ("n_active_dims", [9] * 5, [5, 5, 6, 5, 5]),
        ("solved", ["true", "false", "true", "true", "true"], ["true", "true", "false", "true", "true"]),
        ("prediction", [*"ababb"], [*"baaba"]),
        ("gpu", ["0"] * 5, ["0", "0", "0", "0", "cuda:1"]),
        ("accuracy_at_best", ["0.5"] * 5, ["0.5", "0.5", "0.5", "0.5", "0.4"]),
        ("output", ["/a"] * 5, ["/a", "/a", "/a", "/a", "/b"]),
    ],
)  # fmt: skip
def test_results_seeds_paths_and_spellings_are_not_settings(name: str, base: list[object], other: list[object]) -> None:
    assert not cautions(name, base, other)


def test_settings_and_conditions_of_whole_variants_are_named() -> None:
    found = study("epochs", [20] * 5, [10] * 5)
    assert found.statement.endswith("; variants differ in epochs.")
    assert not [text for text in found.cautions if "epochs" in text]
    assert cautions("git_commit", ["a1"] * 5, ["b2"] * 5) == [
        "Variants differ in git_commit: a1 (base), b2 (x). Differences may be due to this."
    ]
    assert "variants differ" not in study("epochs", [20] * 5, [20] * 5).statement


def test_rows_of_steps_have_schedules_and_not_settings() -> None:
    rows = [
        {
            "variant": variant,
            "seed": str(seed),
            "epoch": str(epoch),
            "lr": f"0.{epoch}",
            "acc": f"0.{place}{seed}{epoch}",
        }
        for place, variant in enumerate(("base", "x"))
        for seed in SEEDS
        for epoch in range(1, 3 if (variant, seed) == ("x", 4) else 4)
    ]
    runs = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    found = study_of("runs", runs, TableOptions(metric="acc", margin=0.5, baseline="base", step="last"))
    assert not [text for text in found.cautions if "lr" in text]


def test_a_setting_in_rows_of_steps() -> None:
    rows = [
        {"model": model, "seed": str(seed), "epoch": str(epoch), "lr": f"0.{epoch}", "acc": f"0.{place}{seed}{epoch}",
         "batch_size": "32" if (model, seed) == ("x", 4) else "64"}
        for place, model in enumerate(("base", "x"))
        for seed in SEEDS
        for epoch in range(1, 3)
    ]  # fmt: skip
    runs = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    options = TableOptions(metric="acc", margin=0.5, baseline="base", variant="model", step="last")
    (caution,) = study_of("runs", runs, options).cautions
    assert caution.startswith("Runs of x differ in batch_size: 64 (seeds 0 to 3), 32 (seed 4).")


def test_a_setting_follows_the_seed_only_where_runs_share_seeds() -> None:
    rows = [
        {"variant": variant, "seed": str(seed), "acc": f"0.{seed}5", "lr": "1" if seed < 8 else "2"}
        for variant, seeds in (("base", range(1, 5)), ("x", range(5, 10)))
        for seed in seeds
    ]
    runs = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    found = study_of("runs", runs, TableOptions(baseline="base", metric="acc", margin=0.5, unpaired=True))
    assert [text for text in found.cautions if text.startswith("Runs of x differ in lr: 1 (seeds 5 to 7)")]
    assert not cautions("data_seed", [*"12345"], [*"12345"])


def test_conditions_of_data_sets_are_no_difference_of_variants() -> None:
    rows = [
        {"variant": arm, "data": data, "gpu": gpu, "epochs": gpu[1:], "seed": str(seed), "acc": f"0.{5 + place}{seed}"}
        for place, arm in enumerate(("base", "x"))
        for data, gpu in (("one", "A100"), ("two", "V100"))
        for seed in SEEDS
    ]
    runs = RunTable("runs.csv", table_of_rows(dict(enumerate(rows))), "line")
    found = study_of("runs", runs, TableOptions(baseline="base", metric="acc", margin=0.5, dataset="data"))
    assert ([text for text in found.cautions if "gpu" in text], "variants differ" in found.statement) == ([], False)
