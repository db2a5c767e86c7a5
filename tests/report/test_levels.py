"""Reports of components with levels: every design against the planted effects and statsmodels' least squares."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis, analyse
from ablate.report.plots.level_plots import dose_response_plots, interaction_plots
from ablate.report.plots.study_plots import forest_plots, study_plots
from ablate.report.sections.answer import plain_answer
from ablate.report.sections.document import markdown
from ablate.report.sections.levels import level_sentences, levels_in_short
from ablate.report.write import write_report
from ablate.stats.effects import Looks
from ablate.studies.study import Study
from ablate.workflows.aliases import describe_aliases
from tests.samples import levels
from tests.samples.level_reports import data_of, runs_of, study_of

FACTORIAL = study_of(design="factorial")


def approx(value: object) -> object:
    return pytest.approx(value, rel=1e-6)


def truth(study, variant: str) -> float:
    """Return the planted score of a variant, in points."""
    (recipe,) = (one for one in study.recipes() if one.label == variant and one.seed == study.seed_list[0])
    return 100 * levels.taste(recipe)


def long_table(analysis: Analysis) -> pd.DataFrame:
    """Return one row per run with the levels as text, for statsmodels."""
    study = analysis.study
    table = study.runs.merge(study.levels.astype(str), left_on="variant", right_index=True)
    return table.assign(y=100 * table["taste"])


@pytest.mark.parametrize("design", ["leave-one-out", "add-one-in", "both-ways", "pairs", "path"])
def test_comparisons_of_every_design_are_those_of_least_squares(design: str) -> None:
    study = study_of(design=design)
    analysis = analyse(data_of(study))
    assert len(analysis.effects) == len(study.comparisons())
    runs = analysis.study.runs.assign(y=100 * analysis.study.runs["taste"])
    for effect in analysis.effects:
        two = runs[runs["variant"].isin([effect.variant, effect.reference])]
        model = ols(f"y ~ C(seed) + C(variant, Treatment('{effect.reference}'))", two).fit()
        (name,) = (name for name in model.params.index if "variant" in name)
        assert (effect.delta, effect.p) == (approx(model.params[name]), approx(model.pvalues[name]))
        assert effect.delta == pytest.approx(truth(study, effect.variant) - truth(study, effect.reference), abs=1.0)
    assert account_for(analysis).left_out == {}


def test_pairs_of_levels_have_synergies_at_the_baseline() -> None:
    analysis = analyse(data_of(study_of(design="pairs")))
    rows = {row.term: row for row in analysis.interactions}
    assert len(rows) == 2 * 2 + 2 + 2
    found = rows["spice=curry x heat=2"]
    long = long_table(analysis)
    four = long[long["variant"].isin(["baseline", "spice=curry", "heat=2", "spice=curry+heat=2"])]
    model = ols("y ~ C(seed) + C(spice, Treatment('salt')) * C(heat, Treatment('1.0'))", four).fit()
    (name,) = (name for name in model.params.index if ":" in name)
    assert found.estimate == approx(model.params[name])
    assert found.estimate == pytest.approx(100 * levels.HOT_CURRY, abs=1.0)
    text = markdown(analysis, [], [])
    assert "Synergy at the baseline" in text
    assert "spice=curry x heat=2" in text


def test_a_factorial_design_has_the_averages_and_f_tests_of_least_squares() -> None:
    analysis = analyse(data_of(FACTORIAL))
    long = long_table(analysis)
    model = ols("y ~ C(seed) + C(sugar, Sum) * C(spice, Sum) * C(heat, Sum)", long).fit()
    table = anova_lm(model, typ=3)
    for test in (*analysis.levels.tests, *analysis.levels.interactions):
        row = table.loc[":".join(f"C({name}, Sum)" for name in test.term.split(" x "))]
        assert (test.statistic, test.p) == (approx(row["F"]), approx(row["PR(>F)"]))
    means = long.groupby(["spice", "seed"])["y"].mean()
    effects = {effect.variant: effect for effect in analysis.main_effects}
    assert len(effects) == 2 + 2 + 1
    curry = effects["spice=curry (averaged)"]
    assert (curry.delta, curry.p) == (
        approx((means["curry"] - means["salt"]).mean()), approx(stats.ttest_rel(means["curry"], means["salt"]).pvalue),
    )  # fmt: skip
    assert curry.delta == pytest.approx(100 * (levels.SPICES["curry"] + levels.HOT_CURRY / 3), abs=0.5)
    synergies = {row.term: row.estimate for row in analysis.interactions}
    assert synergies["spice=curry x heat=2"] == pytest.approx(100 * levels.HOT_CURRY, abs=1.0)
    assert analysis.headline == analysis.main_effects
    assert account_for(analysis).left_out == {}
    (plot,) = interaction_plots(analysis)
    cells = long.astype({"heat": float}).groupby(["spice", "heat"])["y"].mean()
    (drawn,) = (pair for pair in plot.arguments["pairs"] if {pair["first"], pair["second"]} == {"spice", "heat"})
    assert (drawn["lines"], drawn["places"]) == (["salt", "pepper", "curry"], ["0.5", "1", "2"])
    for spice, row in zip(drawn["lines"], drawn["means"], strict=True):
        assert row == approx([cells[spice, float(heat)] for heat in drawn["places"]])


def test_a_fraction_estimates_the_planted_main_effects_and_names_its_aliases() -> None:
    vary = {"spice": ["salt", "pepper", "curry"], "heat": [0.5, 1, 2], "portions": [2, 1, 3]}
    study = study_of(design="fractional", options={"resolution": 3}, vary=vary, factors=[])
    assert len(study.resolved_design.arms) == 9
    analysis = analyse(data_of(study))
    effects = {effect.variant: effect for effect in analysis.main_effects}
    long = long_table(analysis)
    model = ols("y ~ C(seed) + C(spice, Treatment('salt')) + C(heat) + C(portions)", long).fit()
    pepper = effects["spice=pepper (averaged)"]
    assert pepper.delta == approx(model.params["C(spice, Treatment('salt'))[T.pepper]"])
    assert pepper.verdict == "screening: real, importance unresolved"
    assert pepper.evidence.paired.average is not None
    assert pepper.evidence.paired.average.alias == "heat x portions"
    text = markdown(analysis, [], [])
    assert "| spice | heat x portions |" in text
    assert "these are candidates for a study, not results" in text
    assert describe_aliases(study.resolved_design)[:2] == [
        "9 of 27 combinations", "aliased: portions with spice x heat",
    ]  # fmt: skip


def test_a_factorial_of_one_component_compares_its_levels() -> None:
    analysis = analyse(data_of(study_of(design="factorial", vary={"spice": ["salt", "pepper", "curry"]}, factors=[])))
    assert [effect.variant for effect in analysis.headline] == ["spice=curry (averaged)", "spice=pepper (averaged)"]


def test_a_screening_design_of_two_values_has_results() -> None:
    study = study_of(design="plackett-burman", vary={"spice": ["salt", "pepper"], "heat": [1, 2], "portions": [2, 3],
                                                     "sugar.grams": [10, 20]})  # fmt: skip
    analysis = analyse(data_of(study))
    assert {effect.verdict.split(":")[0] for effect in analysis.main_effects} == {"screening"}
    assert len(analysis.main_effects) == 5


def test_all_levels_are_tested_at_once_with_exact_p_values() -> None:
    analysis = analyse(data_of(study_of()))
    spice, heat = analysis.levels.tests
    table = analysis.study.runs.pivot(index="seed", columns="variant", values="taste")
    arms = ["baseline", "spice=pepper", "spice=curry"]
    assert (spice.term, spice.levels, spice.n) == ("spice", ("salt", "pepper", "curry"), 5)
    assert spice.statistic == approx(stats.friedmanchisquare(*(table[arm] for arm in arms)).statistic)
    (trend,) = analysis.levels.trends
    assert (trend.term, trend.levels, trend.verdict) == ("heat", (0.5, 1.0, 2.0), "tends to rise with the value")
    assert level_sentences(analysis) == [
        "spice (salt, pepper, curry): the levels differ (Friedman's test, chi-square 10.00, 5 seeds, p_Holm = .002).",
        "heat (1, 0.5, 2): the levels differ (Friedman's test, chi-square 10.00, 5 seeds, p_Holm = .002).",
        "heat from 0.5 to 2: taste tends to rise with the value (Page's test, mean rank correlation 1.00, 5 seeds, "
        "p_Holm < .001).",
    ]
    assert heat.verdict == "the levels differ"


def test_sentences_of_what_is_not_shown() -> None:
    study = study_of(seeds=3)
    flat = runs_of(study).assign(taste=0.5)
    analysis = analyse(data_of(study, flat))
    assert level_sentences(analysis)[0].startswith("spice (salt, pepper, curry): no test, because every")
    noise = flat.assign(taste=0.5 + 0.01 * np.random.default_rng(3).standard_normal(len(flat)))
    sentences = level_sentences(analyse(data_of(study, noise)))
    assert re.fullmatch(
        r"Preliminary: spice \(salt, pepper, curry\): no difference between the levels is shown \(Friedman's test, "
        r"chi-square \d\.\d\d, 3 seeds, p_Holm = [\d.]+\), and 3 seeds cannot show one in this many components\.",
        sentences[0],
    )
    assert "no trend of taste over the values is shown" in sentences[2]


def test_factorial_sentences_name_the_averages() -> None:
    sentences = level_sentences(analyse(data_of(FACTORIAL)))
    assert re.match(
        r"spice \(salt, pepper, curry\), averaged over the other components: the levels differ \(F\(2, 68\) = ",
        sentences[1],
    )
    assert any(text.startswith("spice x heat, averaged over the other components: the effects depend on each other")
               for text in sentences)  # fmt: skip
    short = levels_in_short(analyse(data_of(FACTORIAL)))
    assert short[-1] == "No interaction is shown for 2 pairs of components."
    assert not any("sugar (on, off)" in text for text in short)


def test_sequential_testing_makes_the_tests_of_all_levels_exploratory() -> None:
    study = study_of(seeds=20)
    analysis = analyse(data_of(study, looks=Looks()))
    assert {test.verdict.split(": ")[0] for test in analysis.levels.every} == {"exploratory"}
    assert "not planned for sequential testing" in markdown(analysis, [], [])


def test_unstable_runs_are_counted() -> None:
    study = study_of()
    runs = runs_of(study)
    chosen = (runs["variant"] == "heat=2") & (runs["seed"] == 1)
    runs.loc[chosen, ["status", "taste"]] = "unstable", 0.1
    _, heat = analyse(data_of(study, runs)).levels.tests
    assert heat.verdict.startswith("unstable in 1 of 15 runs: ")
    crossed = runs_of(FACTORIAL)
    crossed.loc[3, ["status", "taste"]] = "unstable", 0.1
    analysis = analyse(data_of(FACTORIAL, crossed))
    assert all("unstable in 1 of 90 runs" in test.verdict for test in analysis.levels.every)
    assert "unstable in 1 of 90 runs" in analysis.main_effects[0].verdict


def test_the_dose_response_plot_has_every_value(tmp_path: Path) -> None:
    (plot,) = dose_response_plots(analyse(data_of(study_of())))
    rows = plot.arguments["effects"]
    assert [(row["factor"], row["value"], row["reference_value"], row["reference"]) for row in rows] == [
        ("heat", 0.5, 1.0, "baseline"), ("heat", 2.0, 1.0, "baseline"),
    ]  # fmt: skip
    assert set(plot.arguments["seeds"]) == {("heat=0.5", "baseline"), ("heat=2", "baseline")}
    (averaged,) = dose_response_plots(analyse(data_of(FACTORIAL)))
    assert {row["reference"] for row in averaged.arguments["effects"]} == {"baseline's value"}
    assert list(dose_response_plots(analyse(data_of(study_of(vary={"heat": [1, 2]}))))) == []
    (forest,) = forest_plots(analyse(data_of(FACTORIAL)))
    assert {(row["variant"], row["reference"]) for row in forest.arguments["effects"]} >= {
        ("spice=curry", "the baseline's levels"), ("no-sugar", "the baseline's levels"),
    }  # fmt: skip


def test_every_comparison_of_a_variant_has_its_own_seeds_and_noise() -> None:
    analysis = analyse(data_of(study_of(all_pairs=True)))
    plots = {plot.section: plot.arguments for plot in study_plots(analysis)}
    forest = plots["forest"]
    assert len(forest["effects"]) == len(forest["seeds"]) == len(plots["noise"]["sds"]) == 7
    for row in forest["effects"]:
        differences = forest["seeds"][row["variant"], row["reference"]]
        assert sum(differences) / len(differences) == pytest.approx(row["delta"])
    assert {"spice=curry against spice=pepper", "spice=pepper"} <= set(plots["noise"]["sds"])
    assert "| spice=curry against baseline |" in markdown(analysis, [], [])


@pytest.mark.parametrize("study", [study_of(), FACTORIAL])
def test_scores_that_repeat_over_the_seeds_are_all_used_and_not_tested(study: Study) -> None:
    runs = runs_of(study)
    analysis = analyse(data_of(study, runs.assign(taste=runs.groupby("variant")["taste"].transform("first"))))
    assert account_for(analysis).sentence == ""
    assert all("no test, because every variant repeats its score" in text for text in level_sentences(analysis))


def test_two_level_studies_have_none_of_this() -> None:
    analysis = analyse(data_of(study_of(vary={})))
    assert analysis.levels.every == []
    assert "All levels of a component" not in markdown(analysis, [], [])


def test_the_report_has_the_levels_in_every_format(tmp_path: Path) -> None:
    report = write_report(data_of(FACTORIAL), tmp_path / "report", as_html=True)
    text = (report.folder / "report.md").read_text()
    assert "<b>All levels of a component</b>" in text
    assert "dose-response.png" in text
    assert "changing one component" not in text
    assert "except for those that are compared" in text
    assert "Shapley values and the half-normal plot are for components with two levels" in text
    html = (report.folder / "report.html").read_text()
    assert "All levels of a component" in html
    table = pd.read_csv(report.folder / "levels.csv")
    assert list(table["test"]) == ["F", "F", "F", "Page", "F", "F", "F"]
    facts = json.loads(json.dumps(report.facts))
    assert [row["component"] for row in facts["levels"]] == list(table["component"])
    assert facts["answer"]["levels"] == level_sentences(report.analysis)
    assert any("All levels of a component:" in line for line in plain_answer(report.analysis))
    effects = pd.read_csv(report.folder / "effects.csv")
    assert set(effects["factor_level"].dropna()) == {"pepper", "curry", "0.5", "2"}
    interactions = pd.read_csv(report.folder / "interactions.csv")
    assert "spice=curry x heat=2" in set(interactions["pair"])
