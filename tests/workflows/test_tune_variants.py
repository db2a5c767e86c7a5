"""Tuning of every variant: drop-in and re-tuned results, the report, the saved study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ablate.report.analysis import analyse
from ablate.report.marks.study_values import StudyValues
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.searches import read_searches
from ablate.report.sources.study import from_study
from ablate.runs.executors import SerialExecutor
from ablate.tuning.per_variant import search_specs
from ablate.tuning.run_search import run_trials
from ablate.tuning.trials import TrialTask
from ablate.tuning.types import objectives_of
from ablate.workflows.tune_request import TuneContext
from ablate.workflows.tune_variants import tune_variants
from ablate.workloads.custom.study_file import load_study
from tests.samples import tuning_toy as toy
from tests.samples.marks import assert_filled_marks_agree, check
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.tune import TRIALS, fair_study, tune_context


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MemoryTracker]:
    """A study whose baseline has the best learning rate for sugar, with each variant tuned."""
    folder, tracker = tmp_path_factory.mktemp("fair"), MemoryTracker()
    tune_variants(tune_context(folder, fair_study(), tracker, folder / "experiments" / "tuned.py"), 0.0)
    return folder, tracker


def test_re_tuning_removes_the_bias_of_a_baseline_tuned_for_one_variant(fair: tuple[Path, MemoryTracker]) -> None:
    found = analyse(from_study("fair", fair[1]))
    (sugar,) = [effect for effect in found.compared if effect.factor == "sugar"]
    assert sugar.verdict == "clear and important loss"
    assert sugar.delta == pytest.approx(-10, abs=1), "at sugar's rate, 0.01, which is 10 times too high without it"
    other = found.partner(sugar)
    assert other is not None
    assert other.evidence.estimand == "re-tuned"
    assert other.verdict == "no practically meaningful effect"
    assert other.evidence.paired.seeds == sugar.evidence.paired.seeds == tuple(range(1000, 1006)), "both are paired"
    (salt,) = [effect for effect in found.retuned if effect.factor == "salt"]
    assert salt.delta == pytest.approx(-5, abs=1), "no learning rate compensates for salt"
    assert {effect.evidence.comparisons for effect in found.retuned} == {2}, "a separate family"


def test_re_tuned_results_can_be_marked(fair: tuple[Path, MemoryTracker]) -> None:
    values = StudyValues(analyse(from_study("fair", fair[1])))
    filled = assert_filled_marks_agree(values, most_altered=30)
    assert "<!-- ablate: fair no-sugar-retuned vs baseline-retuned delta -->" in filled
    assert "<!-- ablate: fair drop_in_and_re_tuned -->" in filled
    report = (fair[0] / "reports" / "fair" / "report.md").read_text()
    assert all(item.agrees for item in check(report, values, tables_of="fair"))


def test_every_variant_has_the_same_search(fair: tuple[Path, MemoryTracker]) -> None:
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


def test_the_report_has_both_estimands(fair: tuple[Path, MemoryTracker]) -> None:
    folder = fair[0] / "reports" / "fair"
    text = (folder / "report.md").read_text()
    assert f"| Tuning | {TRIALS} trials per variant, seeds 0, TPE with seed 0, over " in text
    section = text.split("<b>Drop-in and re-tuned</b>")[1].split("</details>")[0]
    for words in (
        "drop-in: difference", "re-tuned: difference", "conditional on the chosen settings", "Chosen values",
        "figures/estimands.png", "figures/budget.png",
        "the same search space except for the hyperparameters of components that are off",
        "never the test scores",
    ):  # fmt: skip
        assert words in section, words
    assert "unequal numbers" not in section
    answered = text.split("<b>Verdicts in sentences</b>")[1].split("</details>")[0]
    assert "Removing sugar, both variants re-tuned, changed test taste" in answered
    assert "Removing sugar changed test taste by -" in answered
    assert text.index("<b>Drop-in and re-tuned</b>") < text.index("<b>Noise</b>")
    assert "ablate tune --per-variant fair.py" in text
    rows = read_csv(folder / "effects.csv")
    assert set(rows["variant"]) == {"no-sugar", "no-salt", "no-sugar-retuned", "no-salt-retuned"}
    assert {"baseline-retuned", "no-sugar"} <= set(read_csv(folder / "runs.csv")["variant"])


def test_repeating_the_command_makes_no_run(fair: tuple[Path, MemoryTracker]) -> None:
    folder, tracker = fair
    before = sorted((folder / "mlruns" / "journal").glob("*.jsonl"))
    tune_variants(tune_context(folder, fair_study(), tracker), 0.0)
    assert sorted((folder / "mlruns" / "journal").glob("*.jsonl")) == before
    assert (folder / "reports" / "fair" / "report.md").exists()


def test_the_best_values_are_saved_as_a_study_file(fair: tuple[Path, MemoryTracker]) -> None:
    study = load_study(fair[0] / "experiments" / "tuned.py")
    assert study.workload is toy.WORKLOAD
    assert study.baseline.factors == fair_study().baseline.factors
    assert study.name == "tuned"
    assert study.seed_list == tuple(range(1000, 1006)), "tuning uses smaller seeds"
    searches = read_searches(fair[1].study("fair").details)
    assert searches is not None
    winner = searches.first.winner
    assert winner is not None
    assert study.baseline.settings["lr"] == winner.params["lr"]


def test_unequal_numbers_of_trials_are_reported(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    first = tune_context(tmp_path, fair_study(name="short", factors=["sugar"], seeds=3), tracker, trials=3)
    task = tasks_of(first)["baseline"]
    assert len(list(run_trials(replace(task, spec=replace(task.spec, budget=5)), SerialExecutor()))) == 5
    tune_variants(first, 0.0)
    text = (tmp_path / "reports" / "short" / "report.md").read_text()
    assert "unequal numbers of trials, which favours those with more: baseline 5, no-sugar 3" in text


def tasks_of(asked: TuneContext) -> dict[str, TrialTask]:
    (objective,) = objectives_of(toy.WORKLOAD.validation, "toy")
    found = search_specs(asked.request.study, asked.request.settings, objective)
    return {label: asked.task(spec) for label, spec in found.items()}
