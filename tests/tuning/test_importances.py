"""Hyperparameter importances."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.tuning.importances import importances
from ablate.tuning.search import Search
from tests.samples.searches import run_search, search_spec, trial_task


def test_importances_rank_the_settings(tmp_path: Path) -> None:
    run_search(tmp_path, search_spec(budget=16))
    found = importances(Search(search_spec(budget=16), trial_task(tmp_path).storage))
    assert set(found) == {"PED-ANOVA", "fANOVA"}
    assert max(found["fANOVA"], key=lambda name: found["fANOVA"][name]) == "lr"
    assert all(sum(shares.values()) == pytest.approx(1) and min(shares.values()) >= 0 for shares in found.values())
    assert importances(Search(search_spec(name="empty"), trial_task(tmp_path).storage)) == {}
