"""Fair ablations: a baseline tuned for one arm, where drop-in and re-tuned verdicts differ; the report and the file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ablate.errors import UsageError
from ablate.report.analysis import analyse
from ablate.report.search_data import SearchResult
from ablate.report.sections.tuning_text import edge_lines
from ablate.report.sources.searches import read_searches
from ablate.report.sources.study import from_study
from ablate.report.sources.table import read_csv
from ablate.runs.executors import SerialExecutor
from ablate.stats.effects import expected_best
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.tracking import Project
from ablate.tuning.per_variant import check_comparable, search_specs
from ablate.tuning.run_search import run_trials
from ablate.tuning.space import Dimension, Space
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import Objective, SearchSettings, SearchStorage, Trial, objectives_of
from ablate.workflows.tune_recipe import tune_recipe
from ablate.workflows.tune_request import TuneContext, TuneRequest, TuneResources
from ablate.workflows.tune_variants import tune_variants
from ablate.workloads.custom.study_file import load_study
from tests.samples import tuning_toy as toy
from tests.samples.memory_tracker import MemoryTracker

TRIALS = 16


def kitchen(**changes: object) -> Study:
    fields = {"workload": toy.WORKLOAD, "seeds": 6, "margin": 1.0, "factors": ["sugar", "salt"], "name": "fair"}
    return Study(**{**fields, **changes})  # type: ignore[arg-type]


def context(folder: Path, study: Study, tracker: MemoryTracker, save: Path | None = None, **asked: Any) -> TuneContext:
    project = Project(folder)
    project.mlruns.mkdir(exist_ok=True)
    settings = SearchSettings(**{"trials": TRIALS, "seeds": (0,), "space": ("lr",), **asked})
    command = "ablate tune --per-variant fair.py"
    optuna = project.mlruns / "optuna"
    return TuneContext(
        TuneRequest(study, settings, command, max_failures=5, deadline=math.inf, save=save),
        TuneResources(
            toy.open_data(None, None), Conditions("cpu", "fp32", 1), SerialExecutor(), project, tracker,
            SearchStorage(str(optuna / f"{study.name}.log"), optuna),
        ),
    )  # fmt: skip


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemoryTracker]:
    """A study whose baseline has the best rate for sugar, tuned arm by arm."""
    folder, tracker = tmp_path_factory.mktemp("fair"), MemoryTracker()
    tune_variants(context(folder, kitchen(), tracker, folder / "experiments" / "tuned.py"), 0.0)
    return folder, tracker


def test_a_baseline_tuned_for_one_arm_is_unfair_and_re_tuning_says_so(fair: tuple[Path, MemoryTracker]) -> None:
    found = analyse(from_study("fair", fair[1]))
    (sugar,) = [effect for effect in found.compared if effect.factor == "sugar"]
    assert sugar.verdict == "clear and important loss"
    assert sugar.delta == pytest.approx(-10, abs=1), "at sugar's rate, 0.01, the arm without it is a decade off"
    other = found.partner(sugar)
    assert other is not None
    assert other.evidence.estimand == "re-tuned"
    assert other.verdict == "no practically meaningful effect"
    assert other.evidence.paired.seeds == sugar.evidence.paired.seeds == tuple(range(1000, 1006)), "both are paired"
    (salt,) = [effect for effect in found.retuned if effect.factor == "salt"]
    assert salt.delta == pytest.approx(-5, abs=1), "what no rate mends stays"
    assert {effect.evidence.comparisons for effect in found.retuned} == {2}, "a family of their own"


def test_every_arm_is_tuned_alike(fair: tuple[Path, MemoryTracker]) -> None:
    searches = read_searches(fair[1].study("fair").details)
    assert searches is not None
    assert list(searches.by_arm) == ["baseline", "no-sugar", "no-salt"]
    for search in searches.by_arm.values():
        assert (search.budget, search.sampler, search.sampler_seed, list(search.seeds)) == (TRIALS, "TPE", 0, [0])
        assert len([trial for trial in search.trials if trial.is_over]) == TRIALS
        assert search.trials[0].is_baseline
    chosen = searches.by_arm["no-sugar"].winner
    assert chosen is not None
    assert 5e-4 < float(chosen.params["lr"]) < 2e-3  # type: ignore[arg-type]


def test_the_space_of_an_arm_has_no_knobs_of_what_is_off() -> None:
    objective = Objective("val_taste", "val/taste", "max", 100, of_history=True)
    found = search_specs(kitchen(), SearchSettings(4, (0,)), objective)
    assert {label: spec.space.names for label, spec in found.items()} == {
        "baseline": ("lr", "sugar.spoons", "salt.grains"),
        "no-sugar": ("lr", "salt.grains"),
        "no-salt": ("lr", "sugar.spoons"),
    }
    with pytest.raises(UsageError, match="no dimension for no-sugar"):
        search_specs(kitchen(), SearchSettings(4, (0,), ("sugar.spoons",)), objective)
    with pytest.raises(UsageError, match="not factorial"):
        check_comparable(kitchen(design="factorial"), [0])
    with pytest.raises(UsageError, match="below 1000"):
        check_comparable(kitchen(), [1000])


def test_the_report_names_both_estimands(fair: tuple[Path, MemoryTracker]) -> None:
    folder = fair[0] / "reports" / "fair"
    text = (folder / "report.md").read_text()
    section = text.split("## Drop-in and re-tuned")[1].split("\n## ")[0]
    for words in (
        "drop-in: difference", "re-tuned: difference", "conditional on the chosen settings", "Chosen values",
        "figures/estimands.png", "figures/budget.png",
        "the same space (less the hyperparameters of components that are off)",
        "never the test scores",
    ):  # fmt: skip
        assert words in section, words
    assert "unequal numbers" not in section
    answered = text.split("## Answer")[1].split("\n## ")[0]
    assert "Removing sugar, both variants re-tuned, changed test taste" in answered
    assert "Removing sugar cost" in answered
    assert text.index("## Drop-in and re-tuned") < text.index("## Noise")
    assert "ablate tune --per-variant fair.py" in text
    rows = read_csv(folder / "effects.csv")
    assert set(rows["variant"]) == {"no-sugar", "no-salt", "no-sugar-retuned", "no-salt-retuned"}
    assert {"baseline-retuned", "no-sugar"} <= set(read_csv(folder / "runs.csv")["variant"])


def test_doing_it_again_makes_nothing(fair: tuple[Path, MemoryTracker]) -> None:
    folder, tracker = fair
    before = sorted((folder / "mlruns" / "journal").glob("*.jsonl"))
    tune_variants(context(folder, kitchen(), tracker), 0.0)
    assert sorted((folder / "mlruns" / "journal").glob("*.jsonl")) == before
    assert (folder / "reports" / "fair" / "report.md").exists()


def test_the_winner_is_a_study_file(fair: tuple[Path, MemoryTracker]) -> None:
    study = load_study(fair[0] / "experiments" / "tuned.py")
    assert study.workload is toy.WORKLOAD
    assert study.baseline.factors == kitchen().baseline.factors
    assert study.name == "tuned"
    assert study.seed_list == tuple(range(1000, 1006)), "none that tuning has seen"
    searches = read_searches(fair[1].study("fair").details)
    assert searches is not None
    winner = searches.first.winner
    assert winner is not None
    assert study.baseline.settings["lr"] == winner.params["lr"]


def test_a_search_of_one_recipe_with_two_objectives(tmp_path: Path) -> None:
    tracker, study = MemoryTracker(), kitchen(name="both")
    asked = context(tmp_path, study, tracker, space=("lr", "width=1:64"), objectives=("taste", "parameters"))
    tune_recipe(asked, 0.0)
    folder = tmp_path / "reports" / "both"
    text = (folder / "report.md").read_text()
    assert "## Pareto front" in text
    assert "figures/pareto.png" in text
    assert "with several objectives" in text
    assert len(read_csv(folder / "trials.csv")) == TRIALS
    assert len(tracker.study("both").planned_runs) == TRIALS


def test_what_was_stopped_early_and_what_that_saved(tmp_path: Path) -> None:
    tracker, study = MemoryTracker(), kitchen(name="stopping", values={"epochs": 8, "lr": 0.1})
    tune_recipe(context(tmp_path, study, tracker), 0.0)
    text = (tmp_path / "reports" / "stopping" / "report.md").read_text()
    assert "MedianPruner" in text
    assert "stopped early, which saved" in text


def test_the_budget_curve_of_a_search_is_the_known_answer() -> None:
    trials = [Trial(place, "complete", {"lr": 0.01}, (value,)) for place, value in enumerate((0.9, 0.91, 0.925, 0.93))]
    search = result([*trials, Trial(4, "failed", {"lr": 0.01})])
    assert search.curve == pytest.approx([91.625, 92.5, 92.875, 93])
    assert expected_best([90, 91, 92.5, 93]) == pytest.approx([91.625, 92.5, 92.875, 93])


def test_an_optimum_at_the_edge_is_said() -> None:
    inside = [Trial(0, "complete", {"lr": 0.01}, (0.9,), is_baseline=True)]
    assert edge_lines([result(inside)]) == []
    at_edge = [*inside, replace(inside[0], number=1, params={"lr": 0.1}, values=(0.95,), is_baseline=False)]
    (line,) = edge_lines([result(at_edge)])
    assert "lr 0.1 is at the high end of 0.0001 to 0.1" in line


def result(trials: list[Trial]) -> SearchResult:
    objective = Objective("val_taste", "val/taste", "max", 100, of_history=True)
    space = Space((Dimension("lr", 1e-4, 1e-1, log=True),))
    return SearchResult("baseline", "x", [0], [objective], space, "none", "nothing", "TPE", 0, 5, "x.log", trials, {})


def test_arms_with_unequal_numbers_of_trials_are_pointed_out(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    first = context(tmp_path, kitchen(name="short", factors=["sugar"], seeds=3), tracker, trials=3)
    task = tasks_of(first)["baseline"]
    assert len(list(run_trials(replace(task, spec=replace(task.spec, budget=5)), SerialExecutor()))) == 5
    tune_variants(first, 0.0)
    text = (tmp_path / "reports" / "short" / "report.md").read_text()
    assert "unequal numbers of trials, which favours those with more: baseline 5, no-sugar 3" in text


def tasks_of(asked: TuneContext) -> dict[str, TrialTask]:
    (objective,) = objectives_of(toy.WORKLOAD.validation, "toy")
    found = search_specs(asked.request.study, asked.request.settings, objective)
    return {label: asked.task(spec) for label, spec in found.items()}
