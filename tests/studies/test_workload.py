"""Workloads: scale, caveats, presets, references to functions."""

from __future__ import annotations

import pytest

from ablate.errors import UsageError
from ablate.studies.recipe import Recipe
from ablate.studies.workload import caveats, resolve
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples import toy


def test_the_scale_in_words() -> None:
    demo = Recipe.of(WORKLOAD, values=WORKLOAD.preset("demo").settings)
    words = WORKLOAD.scale_of(demo.settings)
    assert words == "width 8, 12 epochs, all training images of 16 x 16 pixels"
    assert WORKLOAD.scale_of({**demo.settings, "train_size": 10_000}).endswith(
        "10,000 training images of 16 x 16 pixels"
    )
    assert toy.WORKLOAD.scale_of(Recipe.of(toy.WORKLOAD).settings) == "", "no setting of the toy sets a scale"


def test_values_of_a_recipe_by_name() -> None:
    recipe = Recipe.of(WORKLOAD).without("dropout")
    assert (recipe["augment"], recipe["dropout"], recipe["epochs"], recipe["augment.pad"]) == (True, False, 16, 4)
    with pytest.raises(UsageError, match="Did you mean 'dropout'"):
        recipe["drop_out"]


def test_the_default_preset_is_the_workloads_own() -> None:
    assert (WORKLOAD.preset().name, toy.WORKLOAD.preset().name) == ("laptop", "default")
    assert (WORKLOAD.identity, WORKLOAD.study_file) == ("resnet9", None)


def test_caveats_are_those_of_built_in_factors() -> None:
    expected = [factor.caveat for factor in WORKLOAD.factors.values() if factor.caveat]
    assert expected
    assert caveats("resnet9", WORKLOAD.factors) == expected
    assert caveats("resnet9", ["removed_since"]) == []
    assert caveats("another", WORKLOAD.factors) == []


def test_references_are_imported_and_other_values_returned() -> None:
    assert resolve("tests.samples.toy:WORKLOAD") is toy.WORKLOAD
    assert resolve(toy.train) is toy.train
