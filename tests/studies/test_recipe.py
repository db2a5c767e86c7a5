"""Recipes: values, labels and keys."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Setting
from ablate.studies.workload import Workload
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.workload import PRESETS, SETTINGS, WORKLOAD, training_plan

NAMES = tuple(FACTORS)
subsets = st.sets(st.sampled_from(NAMES))


def recipe(*names: str) -> Recipe:
    return Recipe.of(WORKLOAD, names)


def test_known_key() -> None:
    """The key of the notebook's baseline. It changes with a default only, and old runs are then not reused."""
    assert Recipe.of(WORKLOAD).key == "4909ca98c9f0"


@given(subsets, subsets)
def test_keys_identify_variants(one: set[str], other: set[str]) -> None:
    assert (recipe(*one).key == recipe(*other).key) == (one == other)
    assert (recipe(*one) == recipe(*other)) == (one == other)


@given(subsets, st.integers(0, 2**63 - 1))
def test_a_recipe_is_restored_from_plain_data(names: set[str], seed: int) -> None:
    made = Recipe.of(WORKLOAD, names, {"lr": 0.02, "train_size": 100}, seed)
    again = Recipe.from_dict(made.as_dict())
    assert again.key == made.key
    assert again.params == made.params
    assert pickle.loads(pickle.dumps(made)) == made


@given(subsets)
def test_labels_are_unique_and_name_every_difference(names: set[str]) -> None:
    label = recipe(*names).label
    if names == set(FACTORS.baseline):
        assert label == "baseline"
    elif not names:
        assert label == "none"
    elif len(names) == 1:
        assert label == f"only-{FACTORS[next(iter(names))].flag}"
    else:
        parts = label.split("+")
        assert parts == [
            f"{'with' if name in names else 'no'}-{FACTORS[name].flag}"
            for name in NAMES
            if (name in names) != FACTORS[name].in_baseline
        ]


@pytest.mark.parametrize("name", NAMES)
def test_every_factor_adds_something_and_hides_its_hyperparameters_when_off(name: str) -> None:
    with_it, without = recipe(name), recipe()
    assert training_plan(with_it, 10) != training_plan(without, 10)
    for setting in FACTORS[name].hyperparameters:
        needed = {setting.requires[0]: setting.requires[1][0]} if setting.requires else {}
        assert setting.name in with_it.change(needed).params
        assert setting.name not in without.params
        with pytest.raises(UsageError, match="has no effect while"):
            without.change({setting.name: setting.default})


@pytest.mark.parametrize("name", NAMES)
def test_every_factor_is_described(name: str) -> None:
    factor = FACTORS[name]
    assert factor.help
    assert not factor.help.endswith(".")
    for setting in factor.hyperparameters:
        assert setting.check(setting.default) == setting.default
        if isinstance(setting.domain, OneOf):
            assert setting.help, "its name does not explain its words"
            continue
        low, high = setting.domain.tune or (setting.domain.low, setting.domain.high)
        assert setting.domain.low <= low < high <= setting.domain.high


def test_what_a_hyperparameter_requires_exists() -> None:
    conditional = [setting for setting in (*SETTINGS, *FACTORS.hyperparameters) if setting.requires]
    assert len(conditional) == 2
    for setting in conditional:
        assert setting.requires
        other, values = setting.requires
        assert all(WORKLOAD.setting(other).check(value) == value for value in values)
        assert setting.name.partition(".")[0] == other.partition(".")[0], "both belong to one factor"


def test_hyperparameters_of_factors_that_are_off_do_not_change_the_key() -> None:
    changed = Recipe.of(WORKLOAD, None, {"dropout.p": 0.5})
    assert changed.key != Recipe.of(WORKLOAD).key
    assert changed.without("dropout").key == Recipe.of(WORKLOAD).without("dropout").key


def test_a_setting_added_later_does_not_change_old_keys() -> None:
    later = Setting("warm_start", str, "no", OneOf(("no", "yes")), "an addition", legacy_value="no")
    grown = Workload(
        WORKLOAD.name,
        FACTORS,
        (*SETTINGS, later),
        PRESETS,
        WORKLOAD.metric,
        WORKLOAD.train_function,
        WORKLOAD.data_function,
    )
    assert Recipe.of(grown).key == Recipe.of(WORKLOAD).key
    assert Recipe.of(grown, None, {"warm_start": "yes"}).key != Recipe.of(WORKLOAD).key


def test_a_hyperparameter_is_part_of_a_recipe_only_with_what_it_requires() -> None:
    base = Recipe.of(WORKLOAD)
    group = base.change({"batch_norm.kind": "group"})
    assert "batch_norm.group_size" not in base.params
    assert group.params["batch_norm.group_size"] == 16
    with pytest.raises(UsageError) as caught:
        base.change({"batch_norm.group_size": 8})
    assert str(caught.value) == (
        "batch_norm.group_size has no effect while batch_norm.kind is batch: set batch_norm.kind to group, or leave "
        "batch_norm.group_size out"
    )
    with pytest.raises(UsageError, match="shape to one-cycle, linear or warmup, or leave"):
        base.change({"lr_schedule.warmup": 0.1, "lr_schedule.shape": "cosine"})
    eight = base.change({"batch_norm.group_size": 8, "batch_norm.kind": "group"})
    assert eight.key != group.key
    assert Recipe.from_dict(eight.as_dict()) == eight
    back = eight.change({"batch_norm.kind": "batch"})
    assert back.key == base.key
    assert Recipe.from_dict(back.as_dict()).params == base.params


def test_the_values_with_an_effect_are_found() -> None:
    cosine = {"lr_schedule.shape": "cosine", "lr_schedule.warmup": 0.2, "mixup.alpha": 0.3, "lr": 0.02}
    effective = Recipe.of(WORKLOAD).effective(cosine)
    assert effective == {"lr_schedule.shape": "cosine", "lr": 0.02}


LEVELS = [
    *(("optimizer", word) for word in ("adamw", "sgd", "nesterov", "muon")),
    *(("lr_schedule.shape", word) for word in ("cosine", "step", "linear", "warmup")),
    *(("activation", word) for word in ("gelu", "silu")),
    ("batch_norm.kind", "group"),
]


def test_every_level_has_its_own_key_and_plan() -> None:
    made = [Recipe.of(WORKLOAD), *(Recipe.of(WORKLOAD, None, {name: level}) for name, level in LEVELS)]
    assert len({recipe.key for recipe in made}) == len(made)
    plans = [str(training_plan(recipe, 10)) for recipe in made]
    assert len(set(plans)) == len(made)
    declared = {
        (setting.name, word)
        for setting in (*SETTINGS, *FACTORS.hyperparameters)
        if isinstance(setting.domain, OneOf)
        for word in setting.domain.words
        if word != setting.default and setting.name != "validate_on"
    }
    assert declared == set(LEVELS)


def test_params_of_older_runs_are_completed() -> None:
    recorded = {"lr_schedule.warmup": "0.3", **{name: str(value) for name, value in Recipe.of(WORKLOAD).params.items()}}
    older = {name: value for name, value in recorded.items() if name not in LATER}
    assert WORKLOAD.completed(older) == recorded
    off = {name: value for name, value in older.items() if not name.startswith("lr_schedule")} | {
        "lr_schedule": "false"
    }
    assert "lr_schedule.shape" not in WORKLOAD.completed(off)
    assert WORKLOAD.completed({"lr": 1}) == {"lr": 1}, "of another training"


LATER = {"activation", "batch_norm.kind", "lr_schedule.shape"}


def test_integers_are_accepted_as_numbers() -> None:
    assert Recipe.of(WORKLOAD, None, {"lr": 1}).key == Recipe.of(WORKLOAD, None, {"lr": 1.0}).key


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (["dropuot"], {}, "Did you mean 'dropout'"),
        (None, {"wdith": 3}, "Did you mean 'width'"),
        (None, {"width": 0}, "between 1 and 1024"),
        (None, {"width": 1.5}, "width must be an integer"),
        (None, {"epochs": True}, "epochs must be an integer"),
        (None, {"lr": float("nan")}, "lr must be between"),
        (None, {"optimizer": "lion"}, "adam, adamw, sgd"),
        (None, {"dropout.p": 1.0}, "dropout.p must be between"),
        (None, {"mixup.alpha": 0.3}, "add --mixup"),
    ],
)
def test_errors_name_the_mistake(names: list[str] | None, values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Recipe.of(WORKLOAD, names, values)  # type: ignore[arg-type]  # on purpose


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a non-negative integer"):
        Recipe.of(WORKLOAD, seed=-1)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_only_fill_in_values(preset) -> None:
    assert Recipe.of(WORKLOAD, None, preset.settings).label == "baseline"


def test_only_without_plus() -> None:
    base = Recipe.of(WORKLOAD)
    assert base.without("augment", "residual").label == "no-augment+no-residual"
    assert base.plus("mixup").label == "with-mixup"
    assert base.without("dropout").plus("cutout").label == "no-dropout+with-cutout"
    assert base.only(["ema"]).label == "only-ema"
    assert base.reseed(4).seed == 4
    assert base.reseed(4).key != base.key


def test_padding_must_fit_into_the_image() -> None:
    with pytest.raises(UsageError, match=r"augment.pad must be less than the image size, 16, not 16"):
        training_plan(Recipe.of(WORKLOAD, None, {"augment.pad": 16, "image_size": 16}), 10)


def test_the_image_size_is_a_multiple_of_eight() -> None:
    with pytest.raises(UsageError, match="multiple of 8"):
        training_plan(Recipe.of(WORKLOAD, None, {"image_size": 33}), 10)
