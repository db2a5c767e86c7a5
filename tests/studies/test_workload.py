"""What a workload says of itself: its metric, its scale, its identity."""

from __future__ import annotations

import math

import pytest

from ablate.errors import UsageError
from ablate.studies.metric import Metric
from ablate.studies.recipe import Recipe
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples import toy


@pytest.mark.parametrize(
    ("metric", "tracked", "unit", "scale", "difference", "shown"),
    [
        (Metric("accuracy"), "accuracy", "points", 100, "0.5 points", "accuracy 0.9000"),
        (
            Metric("test_accuracy", "test/accuracy"),
            "test/accuracy",
            "points",
            100,
            "0.5 points",
            "test accuracy 0.9000",
        ),
        (Metric("perplexity", goal="min"), "perplexity", "", 1, "0.5", "perplexity 0.9"),
        (Metric("latency", goal="min", unit="ms"), "latency", "ms", 1, "0.5 ms", "latency 0.9 ms"),
        (Metric("reward", unit=""), "reward", "", 1, "0.5", "reward 0.9"),
        (Metric("error", goal="min", unit="points"), "error", "points", 100, "0.5 points", "error 0.9000"),
    ],
)
def test_a_metric_is_a_fraction_only_where_it_is_one(
    metric: Metric, tracked: str, unit: str, scale: float, difference: str, shown: str
) -> None:
    assert (metric.tracked, metric.unit, metric.scale) == (tracked, unit, scale)
    assert metric.in_points is (scale == 100)
    assert (metric.with_unit("0.5"), metric.shown(0.9)) == (difference, shown)
    assert metric.shown(None).endswith("unknown")


def test_guessing_is_below_for_one_goal_and_above_for_the_other() -> None:
    assert Metric("accuracy").at_floor(0.12, 0.1)
    assert not Metric("accuracy").at_floor(0.5, 0.1)
    loss = Metric("loss", goal="min")
    assert loss.at_floor(2.3, 2.3)
    assert not loss.at_floor(0.5, 2.3)
    assert loss.at_floor(math.nan, None)
    with pytest.raises(UsageError, match="'max' or 'min', not 'low'"):
        Metric("loss", goal="low")  # type: ignore[arg-type]  # on purpose


def test_the_scale_in_words() -> None:
    demo = Recipe.of(WORKLOAD, values=WORKLOAD.preset("demo").settings)
    words = WORKLOAD.scale_of(demo.settings)
    assert words == "width 8, 12 epochs, all training images of 16 x 16 pixels"
    assert WORKLOAD.scale_of({**demo.settings, "train_size": 10_000}).endswith(
        "10,000 training images of 16 x 16 pixels"
    )
    assert toy.WORKLOAD.scale_of(Recipe.of(toy.WORKLOAD).settings) == "", "no setting of the toy sets a scale"


def test_a_recipe_answers_by_name() -> None:
    recipe = Recipe.of(WORKLOAD).without("dropout")
    assert (recipe["augment"], recipe["dropout"], recipe["epochs"], recipe["augment.pad"]) == (True, False, 16, 4)
    with pytest.raises(UsageError, match="Did you mean 'dropout'"):
        recipe["drop_out"]


def test_the_usual_preset_is_the_workloads_own() -> None:
    assert (WORKLOAD.preset().name, toy.WORKLOAD.preset().name) == ("laptop", "default")
    assert (WORKLOAD.identity, WORKLOAD.home) == ("resnet9", None)
