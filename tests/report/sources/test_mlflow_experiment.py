"""The runs of an MLflow experiment as a table: variants and seeds by name, and columns of one name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ablate.errors import UsageError, UserError
from ablate.journal.run_journal import Run
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.mlflow_experiment import (
    NESTED,
    PARENTS,
    SUMMARIES,
    WITHOUT_METRIC,
)
from ablate.report.study_data import StudyData
from tests.samples.external_store import EMPTY_RUN, Store, from_experiment


def run(name: str, acc: float | None = 0.9, **changes: Any) -> Run:
    metrics = {} if acc is None else {"val_acc": acc}
    return replace(EMPTY_RUN, name=f"id-{name}", variant=name, **{"metrics": metrics, **changes})


def read(runs: list[Run], **options: Any) -> StudyData:
    return from_experiment("theirs", Store(runs), TableOptions(**{"metric": "val_acc", **options}))  # type: ignore[arg-type]


def arms(study: StudyData) -> dict[str, list[int]]:
    return {str(name): sorted(rows["seed"]) for name, rows in study.runs.groupby("variant")}


def test_sizes_are_not_seeds() -> None:
    runs = [run(f"vit-s{size}", params={"seed": seed}) for size in (16, 8) for seed in range(3)]
    assert arms(read(runs, baseline="vit-s16")) == {"vit-s16": [0, 1, 2], "vit-s8": [0, 1, 2]}


@pytest.mark.parametrize("names", [["layers2", "layers4", "layers8"], ["vit-s16", "vit-s8"], ["bert_s1", "bert_s2"]])
def test_without_a_seed_it_is_asked_for(names: list[str]) -> None:
    with pytest.raises(UsageError, match="--seed-param"):
        read([run(name) for name in names], baseline=names[0])


@pytest.mark.parametrize(
    "form",
    [
        "{}/s{}",
        "{}-s{}",
        "{}_s{}",
        "{}-seed{}",
        "{}_seed={}",
        "{} seed {}",
        "{}/seed_{}",
        "{}.S{}",
        "{},seed={}",
        "{}+seed={}",
    ],
)
def test_the_seed_of_the_run_is_cut_from_its_name(form: str) -> None:
    runs = [run(form.format(name, seed), params={"seed": seed}) for name in ("base", "new") for seed in (3, 14)]
    found = read(runs, baseline="base")
    assert arms(found) == {"base": [3, 14], "new": [3, 14]}
    assert "variant by the names of the runs" in found.statement


@pytest.mark.parametrize("written", ["{}", "{}.0"])
def test_seeds_beyond_double_precision_are_cut_from_names(written: str) -> None:
    seeds = [2**53 + 1, 2**53 + 2, 2**64 + 1]
    runs = [run(f"{name}-s{seed}", params={"seed": written.format(seed)}) for name in ("base", "new") for seed in seeds]
    assert arms(read(runs, baseline="base")) == {"base": seeds, "new": seeds}


def test_a_suffix_is_kept_where_it_is_not_every_runs_seed() -> None:
    runs = [run(f"vit-s{size}", params={"random_state": seed}) for size in (1, 2) for seed in range(3)]
    assert arms(read(runs, baseline="vit-s1", seed="random_state")) == {"vit-s1": [0, 1, 2], "vit-s2": [0, 1, 2]}


def test_seeds_in_names_alone_need_the_word() -> None:
    runs = [run(f"{name}-seed{seed}") for name in ("base", "new") for seed in range(2)]
    found = read(runs, baseline="base")
    assert arms(found) == {"base": [0, 1], "new": [0, 1]}
    assert "variant and seed by the names of the runs" in found.statement or "seed" in found.statement


def test_a_param_does_not_hide_the_metric() -> None:
    runs = [
        run(f"{name}{seed}", params={"model": name, "seed": seed, "val_acc": "top1"})
        for name in "ab"
        for seed in range(2)
    ]
    found = read(runs, variant="model", baseline="a")
    assert found.runs["val_acc"].tolist() == [0.9] * 4
    assert found.runs["params.val_acc"].tolist() == ["top1"] * 4


def test_slashes_and_underscores_are_two_metrics() -> None:
    runs = [run(f"{name}{seed}", metrics={"val/acc": 0.5, "val_acc": 0.9}, params={"model": name, "seed": seed})
            for name in "ab" for seed in range(2)]  # fmt: skip
    for metric, value in (("val/acc", 0.5), ("val_acc", 0.9)):
        found = read(runs, metric=metric, variant="model", baseline="a")
        assert found.runs[found.metric.name].tolist() == [value] * 4


def test_random_state_next_to_seed() -> None:
    runs = [run(f"{name}{number}", params={"model": name, "seed": 42, "random_state": number})
            for name in "ab" for number in range(3)]  # fmt: skip
    assert arms(read(runs, variant="model", seed="random_state", baseline="a")) == {"a": [0, 1, 2], "b": [0, 1, 2]}


def test_states_in_tags_count() -> None:
    """Optuna's callback closes the runs of pruned trials as FINISHED and tags their state."""
    runs = [run(f"{name}{seed}", params={"model": name, "seed": seed},
                tags={"state": "PRUNED" if (name, seed) == ("b", 2) else "COMPLETE"})
            for name in "ab" for seed in range(3)]  # fmt: skip
    assert read(runs, variant="model", baseline="a").counts.statuses == {"finished": 5, "pruned": 1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.7976931348623157e308])
def test_scores_that_are_not_finite_are_unstable_runs(value: float) -> None:
    runs = [run(f"{name}{seed}", value if (name, seed) == ("b", 1) else 0.9, params={"model": name, "seed": seed})
            for name in "ab" for seed in range(3)]  # fmt: skip
    assert read(runs, variant="model", baseline="a", floor=0.1).counts.statuses == {"finished": 5, "unstable": 1}


def test_a_run_without_the_metric_is_not_unstable() -> None:
    runs = [run(f"{name}/s{seed}", params={"seed": seed}) for name in "ab" for seed in range(2)]
    found = read([*runs, run("a/s2", None, params={"seed": 2}), run("parent", None)], baseline="a")
    assert found.counts.statuses == {"finished": 5}
    assert found.counts.set_aside == {"with neither a seed nor a metric": 1}
    assert "1 run with neither a seed nor a metric excluded: parent." in found.cautions


def nested(parent: dict[str, Any], **children: Any) -> list[Run]:
    """Return runs of two variants, each with a parent run of its own."""
    parents = [run(f"search-{name}", **parent) for name in "ab"]
    return parents + [
        run(f"{name}{seed}", parent=f"id-search-{name}", params={"model": name, "seed": seed}, **children)
        for name in "ab"
        for seed in range(3)
    ]


@pytest.mark.parametrize(
    "parent",
    [
        {},
        {"params": {"trials": 3}},
        {"tags": {"note": "best of three"}},
        {"acc": None},
        {"acc": 0.99, "status": "running"},
        {"acc": math.inf},
    ],
)
def test_parents_that_sum_up_nested_runs_are_set_aside(parent: dict[str, Any]) -> None:
    found = read(nested(parent), variant="model", baseline="a")
    assert arms(found) == {"a": [0, 1, 2], "b": [0, 1, 2]}
    assert found.counts.set_aside == {PARENTS: 2}
    assert f"2 runs {PARENTS} excluded: search-a, search-b." in found.cautions


def test_a_parent_with_a_seed_is_a_training() -> None:
    runs = [run(f"{name}{seed}", params={"model": name, "seed": seed}) for name in "ab" for seed in range(2)]
    evaluation = run("evaluation", None, parent="id-a0")
    found = read([*runs, evaluation], variant="model", baseline="a")
    assert arms(found) == {"a": [0, 1], "b": [0, 1]}
    with pytest.raises(
        UserError, match=r"No seed in run id-alone \(b\)\. Add it to these runs, or delete them$"
    ):  # not a parent: nothing shows what it is
        read([*runs, run("alone", params={"model": "b"})], variant="model", baseline="a")


@pytest.mark.parametrize("seed", [0, 7])
def test_a_parent_with_a_seed_of_its_own_is_no_further_replicate(seed: int) -> None:
    """Its children have the same variant and the metric: it sums them up, whatever seed it was started with."""
    runs = [
        replace(one, params={"model": one.variant[-1], "seed": seed}, metrics={"val_acc": 0.5})
        if not one.parent
        else one
        for one in nested({})
    ]
    between = [run("folds", None, parent="id-search-a"), run("a9", parent="id-folds", params={"model": "a", "seed": 9})]
    for found in (read(runs, variant="model", baseline="a"), read(runs + between, variant="model", baseline="a")):
        assert {name: set(seeds) - {9} for name, seeds in arms(found).items()} == {"a": {0, 1, 2}, "b": {0, 1, 2}}
        assert found.counts.set_aside[SUMMARIES] == 2
        assert f"2 runs {SUMMARIES} excluded: search-a, search-b." in found.cautions
        assert set(found.runs["val_acc"]) == {0.9}


@pytest.mark.parametrize(
    "child",
    [
        {"params": {"model": "b", "seed": 9}},
        {"params": {"model": "a", "seed": 9}, "acc": None, "metrics": {"robustness": 0.4}},
    ],
)
def test_a_parent_of_other_runs_is_a_training(child: dict[str, Any]) -> None:
    runs = [run(f"{name}{seed}", params={"model": name, "seed": seed}) for name in "ab" for seed in range(2)]
    found = read([*runs, run("child", parent="id-a0", **child)], variant="model", baseline="a")
    assert not found.counts.set_aside
    assert 0 in arms(found)["a"]


def test_a_parent_with_the_seed_of_its_child_is_a_duplicate() -> None:
    runs = [run("search", params={"model": "a", "seed": 0, "kind": "parent"}), *nested({})[2:]]
    runs[1] = replace(runs[1], parent="id-search")
    with pytest.raises(UserError, match=r"Duplicate results: .*They differ in kind \('parent', ''\)"):
        read(runs, variant="model", baseline="b")


def test_nested_trials_have_the_seed_and_the_asked_keys_of_their_parents() -> None:
    """As `mlflow.autolog` records the searches of scikit-learn: what all trials share is in the parent."""
    runs = [
        one
        for data in ("digits", "wine") for seed in range(3) for one in (
            run(f"{data}{seed}", params={"seed": seed, "data": data}, metrics={"best_cv_score": 0.9}),
            run(f"{data}{seed}-fit", parent=f"id-{data}{seed}", metrics={"val_time": 1}),
            *(run(f"{data}{seed}-{c}", 0.8 + c / 100 + seed / 500, parent=f"id-{data}{seed}", params={"C": c})
              for c in (1, 10)),
        )
    ]  # fmt: skip
    found = read(runs, variant="C", baseline="1", dataset="data")
    assert arms(found) == {f"{c} on {data}": [0, 1, 2] for c in (1, 10) for data in ("digits", "wine")}
    assert found.counts.set_aside == {WITHOUT_METRIC: 6, NESTED: 6}
    assert "seed, data of nested runs: as in their parents" in found.statement


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("their", "Unknown experiment 'their'. Did you mean 'theirs'? Known: Default, theirs. The store is sqlite:"),
        ("", "Unknown experiment ''. Known: Default, theirs. The store is sqlite:///theirs.db"),
        ("Default", "No runs in the experiment 'Default' of sqlite:///theirs.db"),
    ],
)
def test_a_mistyped_experiment_names_those_that_exist(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_experiment(name, Store([]), TableOptions())  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_metrics_that_end_early_are_a_caution_and_only_the_last_value_is_read() -> None:
    runs = [
        run(f"{name}-seed{seed}", last_steps={"val_acc": 3 if (name, seed) == ("new", 1) else 20})
        for name in ("base", "new") for seed in range(3)
    ]  # fmt: skip
    for step in (None, "last"):
        found = read(runs, baseline="base", step=step)
        (caution,) = [text for text in found.cautions if "before step" in text]
        assert caution.startswith(
            "1 run ends before step 20 of val_acc: id-new-seed1 (step 3). If they were not stopped"
        )
        assert "last recorded val_acc of each run" in found.statement
    for step in ("3", "best:val_loss"):
        with pytest.raises(UsageError, match=rf"^--step {step}: only the last value .* theirs\. Use --step last$"):
            read(runs, baseline="base", step=step)


def test_metrics_without_steps_need_no_statement() -> None:
    runs = [run(f"{name}-seed{seed}", last_steps={"val_acc": 0}) for name in ("base", "new") for seed in range(3)]
    assert "last recorded" not in read(runs, baseline="base").statement
    assert "last recorded" in read(runs, baseline="base", step="last").statement


class StoreWithHistories(Store):
    """A store that counts the histories that it loads."""

    loaded = 0

    def history(self, run: Run, names: Sequence[str] = ()) -> tuple[Mapping[str, float], ...]:
        self.loaded += 1
        return tuple({"step": step, name: run.metrics[name] - 0.1 / step} for name in names for step in (1, 2, 3))


def test_histories_are_loaded_for_the_compared_metric_when_they_are_drawn() -> None:
    steps = {"val_acc": 3.0, "val_loss": 3.0}
    store = StoreWithHistories(
        [run(f"{arm}-s{seed}", last_steps=steps, params={"seed": seed}) for arm in ("base", "new") for seed in range(2)]
    )
    found = from_experiment("theirs", store, TableOptions(metric="val_acc", baseline="base"))  # type: ignore[arg-type]
    assert store.loaded == 0
    curves = found.recorded()
    assert curves is not None
    assert store.loaded == 4
    (metric,) = curves.metrics
    assert (metric.label, curves.choice) == ("val acc (%)", "the last step")
    assert [len(runs) for runs in metric.by_variant.values()] == [2, 2]
    assert metric.by_variant["base"][0].values == pytest.approx([80, 85, 86.6666667])


def test_of_very_many_runs_the_histories_are_not_loaded_which_the_report_states() -> None:
    runs = [
        run(f"{arm}-s{seed}", last_steps={"val_acc": 3.0}, params={"seed": seed})
        for arm in ("base", "new")
        for seed in range(251)
    ]
    store = StoreWithHistories(runs)
    found = from_experiment("theirs", store, TableOptions(metric="val_acc", baseline="base"))  # type: ignore[arg-type]
    assert found.recorded() is None
    assert store.loaded == 0
    assert "Training curves of these 502 runs are not drawn" in found.limits[-1]
