"""Studies of levels from the plan to the report: every level is trained, recorded, reused and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals
from ablate.report.accounting import account_for
from ablate.report.analysis import analyse
from ablate.report.effect_rows import effects_file
from ablate.report.sections.answer import effect_sentence
from ablate.report.sections.document import markdown
from ablate.report.sources.study import from_study
from ablate.runs.executors import SerialExecutor
from ablate.runs.runner import RunOptions
from ablate.runs.sweep import plan_runs
from ablate.runs.until_clear import SequentialTest
from ablate.stats.effects.sentences import subject
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.tracking import JournalTracker, Project
from ablate.workflows.aliases import describe_aliases
from ablate.workflows.dry_run import announce_sweep, print_dry_run
from ablate.workflows.study_recorder import StudyRecorder
from ablate.workflows.sweep import SweepSession
from tests.samples import levels

SPICE, HEAT = {"spice": ["salt", "pepper", "curry"]}, {"heat": [0.5, 1, 2]}


def study(**values: object) -> Study:
    """Return a study of the sample workload."""
    return Study(**{"workload": levels.WORKLOAD, "seeds": 3, "name": "kitchen", **values})  # type: ignore[arg-type]


def session(asked: Study, folder: Path) -> SweepSession:
    journals = Journals(folder / "mlruns" / "journal")
    planned = plan_runs(asked.recipes(), levels.open_data(None, None), Conditions("cpu", "fp32", 1), journals)
    recorder = StudyRecorder(asked.name, JournalTracker(Project(folder)), journals)
    return SweepSession(asked, planned, journals, RunOptions(folder, asked.name), SerialExecutor(), recorder)


def swept(asked: Study, folder: Path) -> SweepSession:
    made = session(asked, folder)
    made.run()
    return made


def test_every_level_is_trained_compared_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = study(vary={**SPICE, **HEAT}, factors=["sugar"], arms={"feast": {"spice": "curry", "heat": 2}})
    made = swept(asked, tmp_path)
    assert made.summary(0.0)["ran"] == 3 * 7
    announce_sweep(asked, made.planned, 1)
    announce_sweep(study(arms=asked.arms), made.planned, 1)
    announce_sweep(study(vary={"heat": [2.0]}), made.planned, 1)
    announced = capsys.readouterr().err
    assert "leave-one-out over 3 components and 1 named arm, 7 variants" in announced
    assert "leave-one-out over 1 named arm, 2 variants" in announced
    assert announced.count("which was not listed") == 1
    assert "heat is compared with the baseline's value, 1, which was not listed" in announced
    data = from_study("kitchen", JournalTracker(Project(tmp_path)))
    assert data.levels.to_dict("index") == {
        "baseline": {"sugar": "on", "spice": "salt", "heat": 1.0},
        "no-sugar": {"sugar": "off", "spice": "salt", "heat": 1.0},
        "spice=pepper": {"sugar": "on", "spice": "pepper", "heat": 1.0},
        "spice=curry": {"sugar": "on", "spice": "curry", "heat": 1.0},
        "heat=0.5": {"sugar": "on", "spice": "salt", "heat": 0.5},
        "heat=2": {"sugar": "on", "spice": "salt", "heat": 2.0},
        "feast": {"sugar": "on", "spice": "curry", "heat": 2.0},
    }
    assert not data.design.shape[1]
    analysis = analyse(data)
    found = {effect.variant: effect.delta for effect in analysis.effects}
    wanted = {"no-sugar": -8, "spice=pepper": 4, "spice=curry": -2, "heat=0.5": -5, "heat=2": 10, "feast": 13}
    assert found == pytest.approx(wanted, abs=0.7)
    sentences = [effect_sentence(effect, data.metric) for effect in analysis.effects]
    assert any(
        text.startswith("Preliminary: Using spice pepper instead of salt changed taste by +") for text in sentences
    )
    assert any("Using heat 2 instead of 1 changed taste by +" in text for text in sentences)
    assert any("Variant feast changed taste by +" in text for text in sentences)
    pepper = next(effect for effect in analysis.effects if effect.variant == "spice=pepper")
    without = replace(pepper, variant="no-sugar+spice=pepper")
    assert subject(without) == "Using spice pepper instead of salt (variant no-sugar+spice=pepper)"
    retuned = replace(pepper, reference="baseline-retuned", evidence=replace(pepper.evidence, estimand="re-tuned"))
    named = {"none": " in the bare recipe", "only-sugar": " in only-sugar", "spice=curry": ""}
    assert subject(retuned) == "Using spice pepper instead of salt"
    assert {one: subject(replace(pepper, reference=one)) for one in named} == {
        one: f"Using spice pepper instead of salt{where}" for one, where in named.items()
    }


def test_the_report_and_its_tables_have_every_level(tmp_path: Path) -> None:
    swept(study(vary=SPICE, all_pairs=True), tmp_path)
    analysis = analyse(from_study("kitchen", JournalTracker(Project(tmp_path))))
    effects, runs, text = effects_file(analysis), analysis.study.runs, markdown(analysis, [], [])
    assert list(zip(effects["factor"], effects["variant"], effects["reference"], effects["family"], strict=True)) == [
        ("spice", "spice=pepper", "baseline", "leave-one-out"),
        ("spice", "spice=curry", "baseline", "leave-one-out"),
        ("spice", "spice=curry", "spice=pepper", "spice: all pairs"),
    ]
    assert (list(effects["factor_level"]), list(effects["reference_level"])) == (
        ["pepper", "curry", "curry"],
        ["salt", "salt", "pepper"],
    )
    assert runs.groupby("variant")["spice"].unique().map(list).to_dict() == {
        "baseline": ["salt"],
        "spice=curry": ["curry"],
        "spice=pepper": ["pepper"],
    }
    assert "spice (salt, pepper, curry; the first is the baseline's)" in text
    assert "--vary spice=salt,pepper,curry --all-pairs" in text
    card = text[text.index("Settings of every variant") :].splitlines()[0]
    assert "portions 2" in card
    assert "spice" not in card


def test_values_that_change_together_from_the_plan_to_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vary = {("spice", "heat", "sugar"): [("salt", 1, True), ("curry", 2, True), ("salt", 2, False)]}
    asked = study(vary=vary, seeds=5)
    made = swept(asked, tmp_path)
    print_dry_run(made, as_json=False)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:4]] == [
        "baseline",
        "spice=curry+heat=2",
        "no-sugar+heat=2",
    ]
    analysis = analyse(from_study("kitchen", JournalTracker(Project(tmp_path))))
    runs = analysis.study.runs.set_index("variant")
    for variant, own in {"spice=curry+heat=2": ("curry", 2, True), "no-sugar+heat=2": ("salt", 2, False)}.items():
        assert set(runs.loc[variant, ["spice", "heat", "sugar"]].itertuples(index=False, name=None)) == {own}
    found = {effect.variant: effect.delta for effect in analysis.effects}
    assert found == pytest.approx({"spice=curry+heat=2": 13, "no-sugar+heat=2": 2}, abs=0.7)
    sentence = effect_sentence(analysis.effects[0], analysis.study.metric)
    own = "spice=salt+heat=1+sugar=on"
    assert sentence.startswith(f"Using spice=curry+heat=2+sugar=on instead of {own} changed taste by +")
    text = markdown(analysis, [], [])
    assert f"spice+heat+sugar ({own}, spice=curry+heat=2+sugar=on" in text
    assert "--vary spice,heat,sugar=salt:1:true,curry:2:true,salt:2:false" in text
    assert "spice=curry+heat=2+sugar=on" in text[text.index("All levels of a component") :]
    assert account_for(analysis).left_out == {}


def test_runs_are_reused_by_a_study_in_which_they_have_another_name(tmp_path: Path) -> None:
    swept(study(vary=HEAT), tmp_path)
    warm = study(vary=HEAT, values={"heat": 2}, name="warm")
    made = swept(warm, tmp_path)
    assert (made.summary(0.0)["ran"], made.summary(0.0)["reused"]) == (0, 9)
    found = {run.variant for run in made.runs.values()}
    assert found == {"baseline", "heat=0.5", "heat=1"}
    deltas = {row.variant: row.delta for row in analyse(from_study("warm", JournalTracker(Project(tmp_path)))).effects}
    assert deltas == pytest.approx({"heat=0.5": -15, "heat=1": -10}, abs=0.7)


def test_an_interrupted_study_resumes_and_a_dropped_level_makes_it_exploratory(tmp_path: Path) -> None:
    asked = study(vary={**SPICE})
    first = session(asked, tmp_path)
    first.recorder.open(first.record)
    first._make(first.open_jobs[:4])
    assert swept(asked, tmp_path).summary(0.0)["reused"] == 4
    swept(study(vary={"spice": ["salt", "curry"]}), tmp_path)
    data = from_study("kitchen", JournalTracker(Project(tmp_path)))
    assert not data.protocol.planned
    assert "Changed after the start of the study: vary.spice from salt, pepper, curry to salt, curry." in data.cautions


def test_a_dry_run_lists_every_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = session(study(vary=SPICE), tmp_path)
    print_dry_run(planned, as_json=False)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:4]] == [
        "baseline",
        "spice=pepper",
        "spice=curry",
    ]
    print_dry_run(planned, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert {row["variant"] for row in facts["runs"]} == {"baseline", "spice=pepper", "spice=curry"}


@pytest.mark.parametrize("design", ["add-one-in", "both-ways", "path"])
def test_every_design_compares_levels_with_their_planted_effects(design: str, tmp_path: Path) -> None:
    asked = study(vary={**SPICE, **HEAT}, factors=["sugar"], design=design, seeds=2)
    swept(asked, tmp_path)
    data = from_study("kitchen", JournalTracker(Project(tmp_path)))
    planted = {asked.label(arm): 100 * levels.taste(asked.recipe(arm, 0)) for arm in asked.resolved_design.arms}
    found = {(row.variant, row.reference): row.delta for row in analyse(data).compared}
    wanted = {pair: planted[pair[0]] - planted[pair[1]] for pair in found}
    assert len(found) == {"both-ways": 10, "path": 5}.get(design, 5)
    assert found == pytest.approx(wanted, abs=0.9)
    assert set(data.runs["variant"]) == set(planted)


def test_the_arms_of_designs_with_levels() -> None:
    def labels(design: str, **more: object) -> list[str]:
        asked = study(vary=SPICE, factors=["sugar"], design=design, seeds=1, **more)
        return [recipe.label for recipe in asked.recipes()]

    at_baseline = ["baseline", "no-sugar", "spice=pepper", "spice=curry"]
    bare = ["no-sugar", "no-sugar+spice=pepper", "no-sugar+spice=curry"]
    assert labels("leave-one-out") == at_baseline
    assert labels("add-one-in") == ["baseline", *bare]
    assert set(labels("both-ways")) == {*at_baseline, *bare}
    assert set(labels("factorial")) == set(labels("pairs")) == {*at_baseline, *bare}
    assert labels("path") == ["baseline", "no-sugar", *bare[1:]]
    assert len(labels("fractional")) == 6
    with pytest.raises(UsageError, match=r"plackett-burman takes two levels .* spice has 3: use the design fractional"):
        labels("plackett-burman")


def test_a_fraction_with_levels_prints_its_aliases() -> None:
    asked = study(vary={**SPICE, **HEAT, "portions": [2, 3, 4]}, design="fractional", options={"resolution": 3})
    design = asked.resolved_design
    assert len(design.arms) == 9
    assert design.arms[0].values == ()
    lines = describe_aliases(design)
    assert lines[0] == "9 of 27 combinations"
    assert any(line.startswith("aliased: heat with spice x portions") for line in lines)
    everything = study(vary={**SPICE, **HEAT}, design="factorial").resolved_design
    assert describe_aliases(everything) == ["all combinations: no aliases"]


def test_combinations_that_cannot_be_are_left_out_and_said() -> None:
    asked = study(vary={"sugar.grams": [5, 10, 20]}, factors=["sugar"], design="factorial")
    assert [asked.label(arm) for arm in asked.resolved_design.arms] == [
        "baseline",
        "sugar.grams=5",
        "sugar.grams=20",
        "no-sugar",
    ]
    assert asked.resolved_design.left_out == ("2 combinations left out: sugar.grams has no effect while sugar is off",)


def test_interim_decisions_name_every_level(tmp_path: Path) -> None:
    asked = study(vary=SPICE, seeds=20)
    made = session(asked, tmp_path)
    made._make([entry.job for entry in made.planned if entry.job.recipe.seed < 5])
    decision = SequentialTest(asked, 0.1).analyse(list(made.runs.values()))
    assert {*decision.settled, *decision.continued} == {"spice pepper", "spice curry"}
