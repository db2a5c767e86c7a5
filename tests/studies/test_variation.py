"""Studies of levels: varied settings and hyperparameters, and arms that the study names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value, value_text
from ablate.studies.study import Study
from ablate.studies.varied_values import added_levels

LR = {"lr": [0.003, 0.01, 0.03]}


def rows(study: Study) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (row.variant, row.reference, row.factor, row.level, row.reference_level, row.family)
        for row in study.comparisons()
    ]


def test_each_value_is_an_arm_against_the_baselines() -> None:
    study = Study(vary={**LR, "optimizer": ["sgd", "adam"]}, seeds=1)
    assert [(recipe.label, recipe["lr"], recipe["optimizer"]) for recipe in study.recipes()] == [
        ("baseline", 0.01, "adam"),
        ("lr=0.003", 0.003, "adam"),
        ("lr=0.03", 0.03, "adam"),
        ("optimizer=sgd", 0.01, "sgd"),
    ]
    family = "leave-one-out"
    assert rows(study) == [
        ("lr=0.003", "baseline", "lr", "0.003", "0.01", family),
        ("lr=0.03", "baseline", "lr", "0.03", "0.01", family),
        ("optimizer=sgd", "baseline", "optimizer", "sgd", "adam", family),
    ]
    assert {row.change for row in study.comparisons()} == {"changed"}


def test_the_baselines_value_need_not_be_listed() -> None:
    with_it, without = Study(vary=LR, seeds=1), Study(vary={"lr": [0.003, 0.03]}, seeds=1)
    assert without.recipes() == with_it.recipes()
    assert without.design_as_dict() == with_it.design_as_dict()
    assert added_levels(with_it.baseline, with_it.components, with_it.vary) == []
    assert added_levels(without.baseline, without.components, without.vary) == [
        "lr is compared with the baseline's value, 0.01, which was not listed"
    ]
    together = Study(vary={("lr", "epochs"): [(0.03, 8), (0.01, 8)], "width": [8]}, preset="notebook", seeds=1)
    assert [recipe.label for recipe in together.recipes()] == ["baseline", "lr=0.03+epochs=8", "epochs=8", "width=8"]
    assert added_levels(together.baseline, together.components, together.vary) == [
        "lr+epochs is compared with the baseline's value, lr=0.01+epochs=16, which was not listed",
        "width is compared with the baseline's value, 64, which was not listed",
    ]


def test_an_arm_has_the_key_of_the_same_recipe_by_itself() -> None:
    study = Study(vary=LR, factors=["augment"], seeds=1)
    for recipe in study.recipes():
        plain = Recipe.of(recipe.workload, recipe.factors, {**recipe.settings}, recipe.seed)
        assert recipe.key == plain.key
    arm = study.recipes()[2]
    assert arm.label == "lr=0.003"
    assert Recipe.from_dict(arm.as_dict()).label == "lr=0.003"
    assert "variant" not in study.recipes()[0].as_dict()
    assert arm.without("augment").label == "no-augment"


def test_factors_are_in_question_next_to_values_only_if_they_are_named() -> None:
    assert [recipe.label for recipe in Study(vary=LR, seeds=1).recipes()] == ["baseline", "lr=0.003", "lr=0.03"]
    both = Study(vary=LR, factors=["augment"], seeds=1)
    assert [recipe.label for recipe in both.recipes()] == ["baseline", "no-augment", "lr=0.003", "lr=0.03"]
    combined = Study(vary=LR, factors=["augment"], design="factorial", seeds=1)
    assert [recipe.label for recipe in combined.recipes()][-2:] == ["no-augment+lr=0.003", "no-augment+lr=0.03"]
    assert len(combined.recipes()) == 6


def test_named_arms_are_compared_with_the_baseline_and_if_asked_with_each_other() -> None:
    arms: dict[str, dict[str, Any]] = {
        "ours": {"lr": 0.03, "mixup": True, "mixup.alpha": 0.4},
        "bare": {"augment": False},
    }
    study = Study(arms=arms, vary=LR, all_pairs=True, seeds=1)
    ours = next(recipe for recipe in study.recipes() if recipe.label == "ours")
    assert (ours["lr"], ours["mixup"], ours["mixup.alpha"]) == (0.03, True, 0.4)
    assert [row[:2] + row[5:] for row in rows(study)][2:] == [
        ("ours", "baseline", "named arms"),
        ("bare", "baseline", "named arms"),
        ("lr=0.03", "lr=0.003", "lr: all pairs"),
        ("bare", "ours", "named arms: all pairs"),
    ]
    assert [row.label for row in study.comparisons()][-3:] == ["bare", "lr", "bare"]


def test_values_of_a_factor_that_is_off_are_left_out() -> None:
    vary = {"dropout.p": [0.1, 0.2, 0.4]}
    study = Study(vary=vary, factors=["dropout"], design="factorial", seeds=1)
    labels = [recipe.label for recipe in study.recipes()]
    assert labels == ["baseline", "dropout.p=0.1", "dropout.p=0.4", "no-dropout"]
    assert len({recipe.key for recipe in study.recipes()}) == 4
    with pytest.raises(UsageError, match=r"add-one-in cannot vary dropout\.p: dropout is off"):
        Study(vary=vary, factors=["dropout"], design="add-one-in", seeds=1).recipes()


def test_values_that_require_another_value_are_left_out_where_it_differs() -> None:
    shapes = {"lr_schedule.shape": ["one-cycle", "cosine"], "lr_schedule.warmup": [0.3, 0.1]}
    study = Study(vary=shapes, design="factorial", seeds=1)
    labels = [recipe.label for recipe in study.recipes()]
    assert labels == ["baseline", "lr_schedule.warmup=0.1", "lr_schedule.shape=cosine"]
    sizes: dict[str, list[Value]] = {"batch_norm.kind": ["batch", "group"], "batch_norm.group_size": [16, 8]}
    crossed = [recipe.label for recipe in Study(vary=sizes, design="factorial", seeds=1).recipes()]
    assert crossed == ["baseline", "batch_norm.kind=group", "batch_norm.kind=group+batch_norm.group_size=8"]
    with pytest.raises(UsageError, match=r"cannot vary batch_norm\.group_size: batch_norm\.kind is batch"):
        Study(vary=sizes, seeds=1).recipes()
    arms = {"eight": {"batch_norm.kind": "group", "batch_norm.group_size": 8}}
    (_, named) = Study(arms=arms, seeds=1).recipes()
    assert (named.label, named["batch_norm.group_size"]) == ("eight", 8)


TOGETHER = {("lr", "epochs"): [(0.01, 16), (0.003, 16), [0.03, 8]]}


def test_values_that_change_together_are_the_levels_of_one_component() -> None:
    study = Study(vary=TOGETHER, seeds=1, all_pairs=True)
    assert [(recipe.label, recipe["lr"], recipe["epochs"]) for recipe in study.recipes()] == [
        ("baseline", 0.01, 16),
        ("lr=0.003", 0.003, 16),
        ("lr=0.03+epochs=8", 0.03, 8),
    ]
    own, one, two = "lr=0.01+epochs=16", "lr=0.003+epochs=16", "lr=0.03+epochs=8"
    family = "leave-one-out"
    assert rows(study) == [
        ("lr=0.003", "baseline", "lr+epochs", one, own, family),
        ("lr=0.03+epochs=8", "baseline", "lr+epochs", two, own, family),
        ("lr=0.03+epochs=8", "lr=0.003", "lr+epochs", two, one, "lr+epochs: all pairs"),
    ]
    details = study.design_as_dict()
    assert details["varied"] == {"lr+epochs": [own, one, two]} == {"lr+epochs": study.declared["vary.lr and epochs"]}
    names = re.compile(r"[\w\-. :/]+")  # those that MLflow takes
    assert all(names.fullmatch(name) for name in study.declared)
    assert details["zipped"] == {"lr+epochs": {"lr": [0.01, 0.003, 0.03], "epochs": [16, 16, 8]}}
    assert details["arm_values"]["lr=0.003"] == {"lr": 0.003, "lr+epochs": one}


def test_values_that_change_together_are_crossed_with_others_only() -> None:
    study = Study(vary={**TOGETHER, "optimizer": ["adam", "sgd"]}, design="factorial", seeds=1)
    labels = [recipe.label for recipe in study.recipes()]
    single = ["baseline", "lr=0.003", "lr=0.03+epochs=8"]
    assert sorted(labels) == sorted([*single, "optimizer=sgd", *(f"{one}+optimizer=sgd" for one in single[1:])])
    assert [recipe.label for recipe in Study(vary=TOGETHER, design="path", seeds=1).recipes()] == single
    assert len(Study(vary=TOGETHER, factors=["augment"], design="both-ways", seeds=1).recipes()) == 6
    columns: dict[Any, Any] = {**TOGETHER, ("width", "train_size"): [(64, None), (32, None), (32, 500)]}
    columns["optimizer"] = ["adam", "sgd", "muon"]
    array = Study(vary=columns, design="fractional", preset="notebook", seeds=1)
    assert len(array.change(options={"resolution": 3}).recipes()) == 9


def test_factors_change_together_with_values() -> None:
    vary: dict[Any, Any] = {("mixup", "mixup.alpha", "lr"): [(False, 0.2, 0.01), (True, 0.2, 0.03), (True, 0.4, 0.03)]}
    study = Study(vary=vary, factors=["augment"], design="factorial", seeds=1)
    found = {recipe.label: (recipe["mixup"], recipe["mixup.alpha"], recipe["lr"]) for recipe in study.recipes()}
    assert found == {
        "baseline": (False, 0.2, 0.01),
        "with-mixup+lr=0.03": (True, 0.2, 0.03),
        "with-mixup+mixup.alpha=0.4+lr=0.03": (True, 0.4, 0.03),
        "no-augment": (False, 0.2, 0.01),
        "no-augment+with-mixup+lr=0.03": (True, 0.2, 0.03),
        "no-augment+with-mixup+mixup.alpha=0.4+lr=0.03": (True, 0.4, 0.03),
    }
    assert study.design_as_dict()["varied"]["mixup+mixup.alpha+lr"][1] == "mixup=on+mixup.alpha=0.2+lr=0.03"
    weaker = {("mixup", "mixup.alpha"): [(False, 0.1), (True, 0.1)]}
    assert Study(vary=weaker, values={"mixup.alpha": 0.1}, seeds=1).recipes()[1]["mixup.alpha"] == 0.1


def test_combinations_of_which_a_part_has_no_effect_are_left_out() -> None:
    vary: dict[Any, Any] = {("dropout.p", "lr"): [(0.2, 0.01), (0.4, 0.01), (0.4, 0.03), (0.2, 0.03)]}
    study = Study(vary=vary, factors=["dropout"], design="factorial", seeds=1)
    labels = ["baseline", "dropout.p=0.4", "dropout.p=0.4+lr=0.03", "lr=0.03", "no-dropout", "no-dropout+lr=0.03"]
    assert [recipe.label for recipe in study.recipes()] == labels
    assert study.resolved_design.left_out == ("2 combinations left out: dropout.p has no effect while dropout is off",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {("lr", "epochs"): [(0.01, 16), (0.03,)]},
            r"combination of lr and epochs has 2 values, one for each",
        ),
        (
            {("lr", "epochs"): [(0.01, 16), 0.03]},
            "values, one for each name, not 0.03",
        ),
        ({("lr", "epochs"): "lr"}, r"The values of lr\+epochs are a list of combinations"),
        ({("lr", "epochs"): [(0.01, 16), (0.03, 8), (3e-2, 8)]}, r"has the combination \(0.03, 8\) twice"),
        (
            {("lr", "epochs"): [(0.01, 16)]},
            r"only value of lr\+epochs is the baseline's, lr=0.01\+epochs=16. List another",
        ),
        ({("lr", "epochs"): []}, r"only value of lr\+epochs is the baseline's"),
        ({("lr", "mixup"): [(0.01, 0), (0.03, 1)]}, r"mixup is a factor, which is on \(True\) or off \(False\), not 0"),
        ({("lr", "epoch"): [(0.01, 16), (0.03, 8)]}, "Unknown factor or setting 'epoch'. Did you mean 'epochs'"),
        ({("lr", "epochs"): [(0.01, 16), (0.03, 8.5)]}, "epochs must be an integer, not 8.5"),
        ({("lr",): [(0.01,), (0.03,)]}, "Values that change together have two names or more"),
        ({("lr", "lr"): [(0.01, 0.01), (0.03, 0.03)]}, "Values that change together have two names or more"),
        ({**TOGETHER, **LR}, r"lr is varied in lr\+epochs and by itself. Name it once"),
        ({**TOGETHER, ("lr", "width"): [(0.01, 64), (0.03, 8)]}, r"lr is varied in lr\+epochs and in lr\+width"),
        (
            {("mixup", "mixup.alpha"): [(False, 0.2), (False, 0.4), (True, 0.4)]},
            r"cannot have mixup=off\+mixup.alpha=0.4: mixup is off. Give names of",
        ),
    ],
)
def test_invalid_combinations(values: dict[Any, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Study(vary=values, preset="notebook", seeds=1).recipes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vary": {"lr": [0.01, 0.1, 1e-1]}}, "lr has the value 0.1 twice"),
        ({"vary": {"lr": [0.01, 10, 10.0]}}, "lr has the value 10 twice"),
        ({"vary": {"lr": [0.01]}}, "The only value of lr is the baseline's, 0.01. List another one"),
        ({"vary": {"lr": []}}, "The only value of lr is the baseline's"),
        ({"vary": {"lr": 0.01}}, "The values of lr are a list"),
        ({"vary": {"optimizer": ["adam", "mun"]}}, "optimizer must be one of .*, not 'mun'"),
        ({"vary": {"leraning": [1, 2]}}, "Unknown setting 'leraning'"),
        ({"vary": {"augment": [True, False]}}, "augment is a factor, which is on or off. List it in factors="),
        ({"vary": {"mixup.alpha": [0.2, 0.4]}}, "cannot vary mixup.alpha: mixup is off"),
        ({"vary": ["lr"]}, "vary of a study names settings and their values"),
        (
            {"vary": LR, "design": "plackett-burman"},
            "plackett-burman takes two levels .*, and lr has 3: use the design fractional or factorial",
        ),
        ({"vary": LR, "seeds": 5000}, "would have 15,000 runs, more than 10,000"),
        ({"vary": {"epochs": range(1, 200), "width": range(1, 200)}, "design": "factorial"}, "39,601 runs, more than"),
        ({"factors": []}, "factors= of a study is empty"),
        ({"arms": {"ours": {}}}, "The arm 'ours' is the baseline: it changes nothing"),
        ({"arms": {"ours": {"lr": 0.01}}}, "The arm 'ours' is the baseline"),
        ({"arms": {"a": {"lr": 0.1}, "b": {"lr": 0.1}}}, "The arm 'b' is the same as the arm 'a'"),
        ({"arms": {"a": {"lr": 0.03}}, "vary": LR}, "The arm 'a' is the same as another arm of the design"),
        (
            {"arms": {"a": {"agument": False}}},
            "The arm 'a': Unknown factor or setting 'agument'. Did you mean 'augment'",
        ),
        (
            {"arms": {"a": {"augment": 0}}},
            r"The arm 'a': augment is a factor, which is on \(True\) or off \(False\), not 0",
        ),
        (
            {"arms": {"a": {"batch_norm.group_size": 8}}},
            "The arm 'a': batch_norm.group_size has no effect while batch_norm.kind is batch",
        ),
        ({"arms": {"a": {"mixup.alpha": 0.4}}}, "The arm 'a': mixup.alpha has no effect while mixup is off"),
        ({"arms": {"baseline": {"lr": 0.1}}}, "The arm 'baseline' exists already"),
        ({"arms": {"lr=0.03": {"lr": 0.1}}, "vary": LR}, "Two arms have the name 'lr=0.03'"),
        ({"arms": {"a": {"lr": 0.1}}, "design": "path"}, "by the design leave-one-out, not path"),
        ({"vary": LR, "all_pairs": True, "design": "factorial"}, "by the design leave-one-out, not factorial"),
        ({"vary": {"lr": [0.01, 0.1]}, "all_pairs": True}, "All pairs need two levels or named arms besides"),
    ],
)
def test_bad_input_is_one_line(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Study(**{"seeds": 1, "preset": "notebook", **values}).recipes()
    assert "\n" not in str(caught.value)


def test_values_are_written_as_on_the_command_line() -> None:
    texts = [value_text(value) for value in (0.03, 1e-05, 10.0, 400, None, True, "muon", 0.1 + 0.2)]
    assert texts == ["0.03", "1e-05", "10", "400", "all", "true", "muon", "0.30000000000000004"]


def test_the_record_has_the_levels_and_old_records_have_none() -> None:
    study = Study(vary=LR, factors=["augment"], seeds=1)
    details = study.design_as_dict()
    assert details["varied"] == {"lr": [0.01, 0.003, 0.03]}
    assert details["arm_values"] == {
        "baseline": {},
        "no-augment": {},
        "lr=0.003": {"lr": 0.003},
        "lr=0.03": {"lr": 0.03},
    }
    assert study.declared["vary.lr"] == [0.01, 0.003, 0.03]
    plain = Study(factors=["augment"], seeds=1)
    assert not {"varied", "arm_values"} & plain.design_as_dict().keys()
    assert not any(re.match("vary|arms|all_pairs", name) for name in plain.declared)
    assert all("level" not in row for row in plain.design_as_dict()["comparisons"])
