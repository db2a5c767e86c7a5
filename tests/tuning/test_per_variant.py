"""Searches of the variants of a study."""

from __future__ import annotations

import pytest

from ablate.errors import UsageError
from ablate.tuning.per_variant import check_comparable, search_specs
from ablate.tuning.types import Objective, SearchSettings
from tests.samples.tune import fair_study


def test_a_space_omits_hyperparameters_of_factors_that_are_off() -> None:
    objective = Objective("val_taste", "val/taste", "max", 100, of_history=True)
    found = search_specs(fair_study(), SearchSettings(4, (0,)), objective)
    assert {label: spec.space.names for label, spec in found.items()} == {
        "baseline": ("lr", "sugar.spoons", "salt.grains"),
        "no-sugar": ("lr", "salt.grains"),
        "no-salt": ("lr", "sugar.spoons"),
    }
    with pytest.raises(UsageError, match="no dimension for no-sugar"):
        search_specs(fair_study(), SearchSettings(4, (0,), ("sugar.spoons",)), objective)
    with pytest.raises(UsageError, match="not factorial"):
        check_comparable(fair_study(design="factorial"), [0])
    with pytest.raises(UsageError, match="below 1000"):
        check_comparable(fair_study(), [1000])
