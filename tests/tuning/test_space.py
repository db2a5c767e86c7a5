"""Search spaces: valid recipes only, no hyperparameters of factors that are off."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.study import Study
from ablate.studies.workload import Workload
from ablate.tuning.save_winner import tuned_study
from ablate.tuning.space import Dimension, Space, space_from, space_of
from ablate.tuning.types import SearchSpec, objectives_of
from ablate.workloads.resnet9 import workload as resnet9
from tests.samples import tuning_toy as toy

WORKLOADS = (toy.WORKLOAD, resnet9.WORKLOAD)


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    workload: Workload = draw(st.sampled_from(WORKLOADS))
    return Recipe.of(workload, draw(st.sets(st.sampled_from(list(workload.factors)))))


def value_at(dimension: Dimension, share: float) -> float | int | str:
    if dimension.words:
        return dimension.words[int(share * (len(dimension.words) - 1))]
    if dimension.log:
        value = dimension.low * (dimension.high / dimension.low) ** share
    else:
        value = dimension.low + share * (dimension.high - dimension.low)
    value = min(max(value, dimension.low), dimension.high)
    return round(value) if dimension.is_integer else value


@settings(max_examples=60)
@given(recipes(), st.lists(st.floats(0, 1), min_size=40, max_size=40))
def test_a_space_omits_factors_that_are_off_and_its_recipes_are_valid(recipe: Recipe, shares: list[float]) -> None:
    space = space_of(recipe)
    owners = {name.partition(".")[0] for name in space.names if "." in name}
    assert owners <= set(recipe.factors)
    values = {one.name: value_at(one, share) for one, share in zip(space.dimensions, shares, strict=False)}
    changed = recipe.change(values)
    assert Recipe.from_dict(changed.as_dict()) == changed
    if recipe.workload is resnet9.WORKLOAD:
        resnet9.training_plan(changed.change({"image_size": 16}), classes=10)  # the smallest images: every pad fits
    assert {one.name: one.position(value) for one, value in zip(space.dimensions, values.values(), strict=True)
            if not one.words and not 0 <= one.position(value) <= 1} == {}  # fmt: skip


@settings(max_examples=60)
@given(recipes())
def test_a_recipe_is_in_its_space_and_a_space_can_be_read_from_plain_data(recipe: Recipe) -> None:
    space = space_of(recipe)
    assert recipe.change(space.values(recipe)) == recipe
    assert all(one.low <= value <= one.high for one, value in zip(space.dimensions, space.values(recipe).values(),
               strict=True) if not one.words)  # type: ignore[operator]  # numbers all  # fmt: skip
    assert space_from(space.plain) == space


def test_all_tunable_settings_and_hyperparameters_are_in_the_default_space() -> None:
    assert space_of(Recipe.of(toy.WORKLOAD)).names == ("lr", "sugar.spoons", "salt.grains")
    assert "pepper.amount" in space_of(Recipe.of(toy.WORKLOAD, ["pepper"])).names
    assert "width" not in space_of(Recipe.of(resnet9.WORKLOAD)).names


def test_the_default_space_has_no_words_and_no_values_without_an_effect() -> None:
    base = Recipe.of(resnet9.WORKLOAD)
    assert space_of(base).names == (
        *("batch_size", "lr", "augment.pad", "augment.flip", "dropout.p", "weight_decay.strength", "grad_clip.value"),
        "lr_schedule.warmup",
    )
    other = base.change({"batch_norm.kind": "group", "lr_schedule.shape": "cosine"})
    assert {*space_of(other).names} ^ {*space_of(base).names} == {"batch_norm.group_size", "lr_schedule.warmup"}


def test_values_that_depend_on_a_searched_word_are_left_out_where_they_have_no_effect() -> None:
    base = Recipe.of(resnet9.WORKLOAD)
    with pytest.raises(UsageError, match="to group, or remove it from --space"):
        space_of(base, ["batch_norm.group_size"])
    space = space_of(base, ["batch_norm.kind", "batch_norm.group_size", "lr"])
    assert space.names == ("lr", "batch_norm.kind", "batch_norm.group_size")
    spec = SearchSpec("search", base, space, (0,), (), "none", 0, 10)
    batch, group = ({"lr": 0.02, "batch_norm.kind": kind, "batch_norm.group_size": 8} for kind in ("batch", "group"))
    assert spec.recipe(batch, 1) == base.change({"lr": 0.02}).reseed(1)
    assert spec.recipe(group, 1) == base.change(group).reseed(1)
    study = Study(values={"lr_schedule.warmup": 0.2, "mixup.alpha": 0.3}, factors=["mixup"], design="add-one-in")
    source = tuned_study(study, {"lr_schedule.shape": "cosine"}, "From a test.", Path())
    assert '"lr_schedule.shape": "cosine"' in source
    assert '"mixup.alpha": 0.3' in source
    assert "warmup" not in source, "of no effect with a cosine"


def test_a_space_can_be_narrowed() -> None:
    recipe = Recipe.of(resnet9.WORKLOAD)
    assert space_of(recipe, ["weight-decay.strength", "lr"]).names == ("lr", "weight_decay.strength")
    (width,) = space_of(recipe, ["width=4:32"]).dimensions
    assert (width.low, width.high, width.is_integer) == (4, 32, True)
    wider = space_of(Recipe.of(resnet9.WORKLOAD, values={"lr": 0.5}), ["lr"])
    assert wider.dimensions[0].high == 0.5, "a space includes the recipe's own value"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("rate", "Unknown setting or hyperparameter 'rate'"),
        ("mixup.alpha", "because mixup is off"),
        ("width", "has no default range"),
        ("lr=1:0", "LOW must be less than HIGH"),
        ("lr=fast", "NAME=LOW:HIGH"),
        ("lr=0.1:1000", "must be between"),
        ("weight_decay.strength=0:1", "logarithmic"),
        ("optimizer=1:2", "no range"),
    ],
)
def test_invalid_spaces_are_refused(asked: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        space_of(Recipe.of(resnet9.WORKLOAD), [asked])


def test_edges_of_a_range() -> None:
    lr = Dimension("lr", 1e-4, 1e-1, log=True)
    assert [lr.edge(value) for value in (1e-4, 1.2e-4, 1e-3, 0.09, 0.1)] == ["low", "low", None, "high", "high"]
    assert Dimension("word", words=("a", "b")).edge("a") is None
    assert Space((lr,)).names == ("lr",)


def test_objectives_exclude_test_scores() -> None:
    (main,) = objectives_of(resnet9.WORKLOAD.validation, "resnet9")
    assert (main.tracked, main.goal) == ("val/accuracy", "max")
    two = objectives_of(resnet9.WORKLOAD.validation, "resnet9", ["accuracy", "time"])
    assert [one.goal for one in two] == ["max", "min"]
    for wrong in (["test_accuracy", "time"], ["time"], ["time", "parameters"], ["accuracy"]):
        with pytest.raises(UsageError):
            objectives_of(resnet9.WORKLOAD.validation, "resnet9", wrong)
    with pytest.raises(UsageError, match="no validation metric to tune"):
        objectives_of(None, "other")
