"""Tuning the variants of a study of levels: what they compare is not tuned, and a saved study keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError
from ablate.studies.study import Study
from ablate.tuning.per_variant import final_recipes, retuned_comparisons, search_specs
from ablate.tuning.save_winner import tuned_study
from ablate.tuning.types import Objective, SearchSettings
from ablate.workloads.custom.study_file import load_study
from tests.samples import levels


def study(**values: Any) -> Study:
    return Study(**{"workload": levels.WORKLOAD, "seeds": 2, "name": "kitchen", **values})


def specs(asked: Study, *space: str) -> dict[str, Any]:
    settings = SearchSettings(4, (0,), space, (), None, 0)
    return search_specs(asked, settings, Objective("score", "max", "score"))


def test_each_level_is_tuned_alike_except_in_what_is_compared() -> None:
    found = specs(study(vary={"heat": [1, 2]}, factors=["sugar"]))
    assert list(found) == ["baseline", "no-sugar", "heat=2"]
    assert found["heat=2"].base["heat"] == 2
    assert {name: spec.space.names for name, spec in found.items()} == {
        "baseline": ("portions", "sugar.grams"),
        "no-sugar": ("portions",),
        "heat=2": ("portions", "sugar.grams"),
    }
    with pytest.raises(UsageError, match="The variants of the study differ in heat, so it is not tuned"):
        specs(study(vary={"heat": [1, 2]}), "heat", "portions")


def test_re_tuned_levels_are_compared_with_the_re_tuned_baseline() -> None:
    asked = study(vary={"heat": [1, 2]}, seeds=[1000])
    recipes = dict(final_recipes(asked, {"baseline": {"portions": 3}, "heat=2": {"portions": 4}}))
    assert (recipes["heat=2-retuned"]["heat"], recipes["heat=2-retuned"]["portions"]) == (2, 4)
    (row,) = retuned_comparisons(asked)
    assert (row["variant"], row["reference"], row["level"], row["reference_level"]) == (
        "heat=2-retuned",
        "baseline-retuned",
        "2",
        "1",
    )


def test_a_saved_study_keeps_its_levels_and_arms(tmp_path: Path) -> None:
    asked = Study(vary={"lr": [0.01, 0.03]}, arms={"ours": {"augment": False, "lr": 0.1}}, preset="demo", seeds=2)
    path = tmp_path / "tuned.py"
    path.write_text(tuned_study(asked, {"lr": 0.02, "batch_size": 64}, "Trial 3.", tmp_path))
    saved = load_study(path)
    assert saved.vary == {"lr": [0.01, 0.03, 0.02]}
    assert saved.arms == asked.arms
    assert [recipe.label for recipe in saved.change(seeds=1).recipes()] == ["baseline", "lr=0.01", "lr=0.03", "ours"]
    together = Study(vary={("lr", "mixup"): [(0.01, False), [0.03, True]]}, preset="demo", seeds=2)
    path.write_text(tuned_study(together, {"lr": 0.02}, "Trial 3.", tmp_path))
    assert load_study(path).vary == {("lr", "mixup"): [(0.01, False), (0.03, True), (0.02, False)]}
