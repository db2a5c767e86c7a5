"""Variants that the configuration of the runs names: which keys, which baseline, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.report.found_variants import UnclearVariantsError
from ablate.report.sources.configuration_keys import varying_keys
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.known_keys import is_seed, reason_by_name
from ablate.report.sources.readers.run_table import RunTable, table_of_rows
from ablate.report.sources.run_names import seed_in, without_seeds
from ablate.report.study_data import StudyData

Row = dict[str, str]
SEEDS = ("0", "1", "2")


def study(rows: Sequence[Row], names: Sequence[str] = (), **options: Any) -> StudyData:
    table = table_of_rows(dict(enumerate(rows)))
    found = RunTable("runs.csv", table, "run" if names else "line", names=names)
    return study_of("runs", found, TableOptions(**{"metric": "acc", "margin": 0.5, **options}))


def runs(*settings: Row, seeds: Sequence[str] = SEEDS, **more: str) -> list[Row]:
    """One run per setting and seed, with another score for each."""
    return [
        {**setting, "seed": seed, "acc": f"0.{80 + place}{seed}", **more}
        for place, setting in enumerate(settings)
        for seed in seeds
    ]


def seeds_of(found: StudyData) -> dict[str, list[Any]]:
    return {str(name): sorted(rows["seed"]) for name, rows in found.runs.groupby("variant", sort=False)}


GRID = runs(*({"lr": lr, "opt": opt} for lr, opt in product(("0.1", "1"), ("sgd", "adam"))))


def test_the_most_common_configuration_is_the_baseline() -> None:
    found = study([*GRID, {"lr": "1", "opt": "adam", "seed": "3", "acc": "0.9"}])
    assert seeds_of(found) == {
        "lr=0.1, opt=sgd": [0, 1, 2],
        "lr=0.1": [0, 1, 2],
        "opt=sgd": [0, 1, 2],
        "baseline": [0, 1, 2, 3],
    }
    assert "variants by lr, opt, the keys that differ between runs; baseline: lr=1, opt=adam (the most common" in (
        found.statement
    )
    assert (found.design_name, list(found.factors)) == ("factorial", ["lr=0.1", "opt=sgd"])
    assert found.found is not None
    assert found.found.options == ["--variant-param", "lr,opt", "--baseline", "lr=1, opt=adam"]


def test_the_printed_options_name_the_same_variants() -> None:
    named = study(GRID, variant="lr,opt", baseline="lr=1, opt=adam")
    guessed = study([*GRID, {"lr": "1.0", "opt": "adam", "seed": "3", "acc": "0.9"}])
    assert list(seeds_of(named)) == list(seeds_of(guessed))
    assert [vars(row) | {"n_planned": 0} for row in named.comparisons] == [
        vars(row) | {"n_planned": 0} for row in guessed.comparisons
    ]


def test_a_tie_is_settled_by_the_user() -> None:
    with pytest.raises(
        UnclearVariantsError, match=r"--baseline 'lr=0.1, opt=sgd': 4 of 4 configurations .* 3 each"
    ) as at:
        study(GRID)
    assert at.value.found.table[1][0][1:] == ["lr=0.1, opt=sgd", "3", "0 to 2"]


@pytest.mark.parametrize("asked", ["lr=1, opt=adam", "opt=adam,lr=1.0", "opt=adam, lr=1e0", "adam, 1"])
def test_the_baseline_by_its_values(asked: str) -> None:
    assert "opt=sgd" in seeds_of(study(GRID, baseline=asked))


@pytest.mark.parametrize(
    ("asked", "words"),
    [("lr=1", "2 configurations have 'lr=1'.*lr=1, opt=sgd"), ("lr=2", "No configuration has 'lr=2'")],
)
def test_an_unclear_baseline(asked: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        study(GRID, baseline=asked)


def test_equal_numbers_are_one_value() -> None:
    rows = runs({"lr": "1e-3"}, seeds=("0", "1")) + runs({"lr": "0.001"}, seeds=("2", "3")) + runs({"lr": "0.01"})
    found = study(rows)
    assert seeds_of(found) == {"baseline": [0, 1, 2, 3], "lr=0.01": [0, 1, 2]}
    assert "equal numbers: lr: 1e-3 = 0.001" in found.statement


def test_keys_that_vary_together_are_one_name() -> None:
    rows = runs({"lr": "0.1", "opt": "sgd", "ema": "True"}, {"lr": "0.001", "opt": "adam", "ema": "False"})
    for baseline in ("sgd", "opt=sgd", "lr=0.1", "True, 1e-1"):
        found = study(rows, baseline=baseline)
        assert (list(seeds_of(found)), list(found.factors)) == (["baseline", "opt=adam"], ["opt=adam"])
        assert "always together: opt with ema, lr" in found.statement


def test_true_and_false_keep_their_factor() -> None:
    switches = [{"ema": str(ema), "mixup": str(mixup), "crop": str(crop)}
                for ema, mixup, crop in ((1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0))]  # fmt: skip
    rows = runs(*({name: ("False", "True")[int(value)] for name, value in row.items()} for row in switches))
    found = study(
        rows,
        baseline="ema=true, mixup=true, crop=true",
    )
    assert found.design_name == "leave-one-out"
    assert [(row.factor, row.change) for row in found.comparisons] == [
        ("ema", "removed"), ("mixup", "removed"), ("crop", "removed")
    ]  # fmt: skip
    assert list(seeds_of(found))[1:] == ["ema=false", "mixup=false", "crop=false"]


def test_a_key_with_three_values_has_no_factors() -> None:
    rows = runs(*({"lr": lr, "ema": "true"} for lr in "123"), {"lr": "1", "ema": "false"}, {"lr": "2", "ema": "false"})
    found = study(rows, baseline="lr=1, ema=true")
    assert not found.factors
    assert {row.change for row in found.comparisons} == {"changed"}


def test_ids_times_results_and_values_of_each_run_are_left_out() -> None:
    rows = runs({"lr": "1"}, {"lr": "2"}, seeds=("0", "1", "2", "3"))
    for place, row in enumerate(rows):
        row |= {
            "run_id": f"r{place // 2}", "started_at": f"12:0{place // 3}", "host": f"h{place % 2}",
            "val_loss": f"0.{place // 2}", "acc_pruned": f"10.{place % 2}", "out": f"/runs/{place // 2}",
            "params_seen": f"{place}.5", "data_seed": str(100 + int(row["seed"])), "git_commit": "ab"[place % 2],
        }  # fmt: skip
    found = study(rows, baseline="1")
    assert list(seeds_of(found)) == ["baseline", "lr=2"]
    assert found.found is not None
    assert found.found.left_out == {
        "ids and descriptions": ["run_id"],
        "times": ["started_at"],
        "hosts and devices": ["host"],
        "results": ["val_loss", "acc_pruned"],
        "paths": ["out"],
        "a value of their own in most runs": ["params_seen"],
        "one value per seed": ["data_seed"],
        "commits": ["git_commit"],
    }


def test_a_key_left_out_by_mistake_leads_to_an_error_on_duplicates() -> None:
    with pytest.raises(UserError, match=r"Duplicate results.*They differ in device"):
        study(runs(*({"lr": lr, "device": device} for lr, device in product("12", "ab"))), baseline="1")


_TWELVE = runs({"lr": "1"}, {"lr": "2"}, seeds="012345")
RESULT_LIKE = [row | {"best_at": str(place % 5)} for place, row in enumerate(_TWELVE)]
TWO_RESULTS = [
    {"dim": dim, "seed": seed, "active": active, "collapsed": str(int(dim) - int(active)), "acc": "0.5"}
    for dim, actives in (("50", "55555"), ("40", "55655"), ("20", "55565"))
    for seed, active in enumerate(actives)
    for seed in [str(seed)]
]
PARTLY_SET = [
    *runs({"lr": "1", "ema": "true"}, {"lr": "2", "ema": "true"}, {"lr": "3"}),
    *runs({"lr": "3", "ema": "x"}),
]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (runs({"lr": "1"}) + runs({"lr": "2"}, seeds=("3", "4", "5")), "lr varies only with the seed"),
        (
            RESULT_LIKE,
            "best_at differs between the seeds of runs that are otherwise equal.*--variant-param lr$",
        ),
        (TWO_RESULTS, "active, collapsed differ between the seeds .*--variant-param dim$"),
        (PARTLY_SET,
         "ema is missing in 3 of 12 runs.*--where 'ema!='"),
        (runs({"lr": "1"}), "No variants found.*--variant-param NAME"),
        (runs({"lr": "1", "run_id": "a"}, {"lr": "1", "run_id": "b"}), r"Other keys that differ: run_id \(ids"),
        (runs({"lr": "1", "opt": "a"}, {"lr": "2", "opt": "b"}), "Choose the baseline with --baseline"),
    ],
)  # fmt: skip
def test_unclear_configurations_are_refused(rows: list[Row], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        study(rows)


def test_a_parameter_of_one_optimizer_may_be_missing() -> None:
    rows = runs({"opt": "sgd", "momentum": "0.9"}, {"opt": "sgd", "momentum": "0.5"}, {"opt": "adam"})
    found = study(rows, baseline="sgd, 0.9")
    assert list(seeds_of(found)) == ["baseline", "momentum=0.5", "opt=adam, momentum=not set"]


def test_one_row_per_step_is_no_configuration() -> None:
    rows = [row | {"epoch": epoch, "lr": lr} for row in runs({}) for epoch, lr in (("0", "1"), ("1", "0.1"))]
    with pytest.raises(UsageError, match="Unknown variant column"):
        study(rows, step="last")


def test_general_names_keep_the_part_before_them() -> None:
    rows = runs({"params.optimizer.name": "sgd"}, {"params.optimizer.name": "adam"})
    found = study([{("params.seed" if key == "seed" else key): value for key, value in row.items()} for row in rows],
                  baseline="sgd")  # fmt: skip
    assert list(seeds_of(found)) == ["baseline", "optimizer.name=adam"]


def test_names_of_runs_take_precedence_if_several_runs_share_one() -> None:
    rows = runs({"lr": "1"}, {"lr": "2"})
    assert list(seeds_of(study(rows, ["a"] * 3 + ["b"] * 3, baseline="a"))) == ["a", "b"]
    mixed = study(
        [row | {"wd": "01"[place % 2]} for place, row in enumerate(rows)], ["a"] * 3 + ["b"] * 3, baseline="a"
    )
    assert [text for text in mixed.cautions if "wd" in text] == [
        "Runs of a differ in wd: 0 (seeds 0, 2), 1 (seed 1), those of b also. If these are different variants, name "
        "them with --variant-param wd, or select one with --where wd=0."
    ]
    found = study(rows, [f"fancy-cat-{place}" for place in range(6)], baseline="lr=1")
    assert list(seeds_of(found)) == ["baseline", "lr=2"]


@pytest.mark.parametrize("name", ["seed", "random_state", "Random-Seed", "trainer.seed", "cfg.seed", "seed_everything"])
def test_the_seed_is_found_by_known_names(name: str) -> None:
    assert is_seed(name)
    rows = [
        {name if key == "seed" else key: value for key, value in row.items()} for row in runs({"lr": "1"}, {"lr": "2"})
    ]
    assert seeds_of(study(rows, baseline="1")) == {"baseline": [0, 1, 2], "lr=2": [0, 1, 2]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [{"method": m, "seed_1": "90.1", "seed_2": "9"} for m in "AB"],
            "No seed found, but.*seed_1, seed_2.*melt",
        ),
        (
            [{"method": m, "acc_s0": "90.1", "acc_s1": "90.3"} for m in "AB"],
            "named by one: acc_s0, acc_s1.*one row per",
        ),
        ([{"seed": s, "A": f"90.{s}", "B": f"91.{s}"} for s in "123"], "If A, B are scores of a variant each.*melt"),
    ],
    ids=["a column per seed", "and per metric", "a column per variant"],
)
def test_wide_tables_are_refused_with_the_remedy(rows: list[Row], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        study(rows, metric=None, baseline="A")


def test_the_seed_is_never_guessed() -> None:
    rows = [{"fold": row.pop("seed"), **row} for row in runs({"lr": "1"}, {"lr": "2"})]
    with pytest.raises(UsageError, match="No seed found: no column has a known name of seeds"):
        study(rows)
    several = [{"np_seed": row["seed"], "torch_seed": str(place), "acc": "0.5"} for place, row in enumerate(GRID)]
    with pytest.raises(UsageError, match="The seed may be np_seed, torch_seed"):
        study(several)


@pytest.mark.parametrize(
    "name",
    ["model.name", "lr", "epochs", "params.batch_size", "train_size", "params.loss", "fold", "params.max_seconds"],
)
def test_names_of_configuration_keys(name: str) -> None:
    assert reason_by_name(name) == ""


def test_names_of_times_and_of_objects_in_memory() -> None:
    assert reason_by_name("runtime_train_seconds") == "times"
    assert reason_by_name("params.logger.<Logger object at 0x7fe5>.first_row") == "ids and descriptions"


@pytest.mark.parametrize(
    ("name", "seed", "rest"),
    [
        ("vit/seed3/logs", "3", "vit/logs"),
        ("seed_3/vit", "3", "vit"),
        ("vit_seed3/version_0", "3", "vit/version_0"),
        ("lr=0.1,seed=3,width=8", "3", "lr=0.1,width=8"),
        ("seed=3,lr=0.1", "3", "lr=0.1"),
        ("PPO_seed3_1", "3", "PPO_1"),
        ("seed_3_vit", "3", "vit"),
        ("vit (seed=3)", "3", "vit"),
        ("vit[seed 3]-lr1", "3", "vit-lr1"),
        ("vit-seed3-lr0.1", "3", "vit-lr0.1"),
        ("seed1/vit/seed3", "3", "seed1/vit"),
        ("vit/seeded3/logs", "", "vit/seeded3/logs"),
        ("linseed3/logs", "", "linseed3/logs"),
    ],
)
def test_seeds_inside_names(name: str, seed: str, rest: str) -> None:
    assert (seed_in(name), without_seeds([name], [seed])) == (seed, [rest])


def test_variants_without_pairs_need_no_common_seeds() -> None:
    table = table_of_rows(dict(enumerate(runs({"lr": "1"}) + runs({"lr": "2"}, seeds=("3", "4", "5")))))
    assert list(varying_keys(table, "seed", ["acc"], are_paired=False).keys) == ["lr"]


def test_variants_of_unpaired_runs_without_seeds() -> None:
    rows = [{name: value for name, value in row.items() if name != "seed"} for row in runs({"lr": "1"}, {"lr": "2"})]
    found = study(rows, baseline="1", unpaired=True)
    assert found.runs["variant"].value_counts().to_dict() == {"baseline": 3, "lr=2": 3}


def test_runs_of_a_table_with_one_row_per_step_are_counted_once() -> None:
    """Three runs of ten epochs are fewer runs than five of two."""
    lengths = [("sgd", "1", 3, 10), ("adam", "2", 5, 2)]
    rows = [
        {"opt": opt, "bs": bs, "seed": str(seed), "epoch": str(epoch), "acc": f"0.{60 + seed}{epoch}"}
        for opt, bs, number, epochs in lengths
        for seed in range(number)
        for epoch in range(epochs)
    ]
    found = study(rows, variant="opt,bs", step="last").found
    assert found is not None
    assert found.origin == "the most common configuration, 5 runs"
    assert [row[1:] for row in found.table[1]] == [["opt=adam, bs=2", "5", "0 to 4"], ["opt=sgd, bs=1", "3", "0 to 2"]]
