"""Reports on studies: files, head, warnings, scopes of noise, designs."""

from __future__ import annotations

import json
import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.errors import UsageError, UserError
from ablate.report.analysis import analyse
from ablate.report.plots.curves import curve_caption
from ablate.report.plots.render import Drawing, figure_pool
from ablate.report.plots.study_plots import study_plots
from ablate.report.sections.answer import answer, summary
from ablate.report.sources.declarations import declared_comparisons, has_older_seed
from ablate.report.sources.study import from_study, match_runs
from ablate.report.write import write_report
from ablate.report.write_study import write_study_report
from ablate.stats.effects import Looks, Verdict, effects_table
from ablate.tracking import Project, attach_report
from tests.samples.memory_tracker import MemoryTracker
from tests.samples.report import IMAGES, WORTH, record_of, report_text, small_study, tracked, write_runs

ORDER = ["Answer", "Effects at a glance", "Verdicts", "Details"]
FOLDED = ["Verdicts in sentences", "Results", "Study card", "Seed by seed", "Training curves", "Components", "Noise",
          "Diagnostics", "Limits", "Reproduce", "Glossary"]  # fmt: skip


@pytest.mark.usefixtures("pictures")
def test_a_report_has_its_files_and_sections_in_order(tmp_path: Path) -> None:
    tracker = tracked(small_study(), tmp_path / "journals")
    report = write_study_report("small", tracker, tmp_path / "reports" / "small", as_html=True)
    assert {"report.md", "report.html", "runs.csv", "effects.csv", "table.tex"} <= set(report.files)
    text = (report.folder / "report.md").read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ORDER
    assert re.findall(r"^<details>\n<summary><b>(.*)</b>: .+</summary>\n\n.", text, re.MULTILINE) == FOLDED
    assert text.count("\n\n</details>\n") == len(FOLDED)
    assert text.startswith(f"# small (resnet9, preset demo: width {small_study().declared['width']}, ")
    for path in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (report.folder / path).stat().st_size > 5000
    assert list((tmp_path / "reports").iterdir()) == [report.folder]
    runs = pd.read_csv(report.folder / "runs.csv")
    assert list(runs.columns[:4]) == ["variant", "seed", "status", "test_accuracy"]
    assert len(runs) == 25
    assert runs["augment"].dtype == bool


def test_the_report_is_kept_with_its_study(tmp_path: Path) -> None:
    tracker = tracked(small_study(), tmp_path / "journals")
    report = write_study_report("small", tracker, tmp_path / "report")
    attach_report(tracker, Project(tmp_path), "small", report.folder, report.note, report.metrics)
    folder, note, metrics = tracker.reports["small"]
    assert (folder / "report.md").read_text() == (report.folder / "report.md").read_text()
    assert "## Answer" in note
    assert metrics["delta/no-augment"] == pytest.approx(report.analysis.effects[0].delta)
    assert {"delta_ci_low/no-augment", "delta_ci_high/no-augment"} <= set(metrics)


def test_the_answer_separates_established_and_open_results(tmp_path: Path) -> None:
    text = report_text(tracked(small_study(), tmp_path / "journals"))
    answer = text.partition("## Answer")[2].partition("<b>Results</b>")[0]
    assert "Clearly helpful: augment and batch norm." in answer
    assert re.search(
        r"Removing augment changed test accuracy by -\d\.\d\d points \[.*\] \(5 .*\): a clear and important loss\.",
        answer,
    )
    for word in ("proves", "significant"):
        assert not re.search(rf"\b{word}\b", text)


def test_the_summary_names_added_components_last(tmp_path: Path) -> None:
    """ "adding cutout and augment" once read as if both had been added."""
    added, removed, *_ = analyse(from_study("small", tracked(small_study(), tmp_path / "journals"))).headline
    harmful = replace(removed, evidence=replace(removed.evidence, rule=Verdict.GAIN))
    words = summary([replace(added, change="added"), harmful])
    assert words == "2 comparisons. Clearly harmful: batch norm and adding augment."


def test_failed_and_missing_runs_are_listed_at_the_top(tmp_path: Path) -> None:
    def change(variant: str, seed: int) -> dict[str, object]:
        return {
            ("no-augment", 0): {"status": "failed", "error": "RuntimeError: no"},
            ("no-augment", 1): {"status": "out_of_memory", "error": "MemoryError"},
            ("no-residual", 2): {"leave out": True},
            ("no-residual", 3): {"status": "running"},
            ("no-dropout", 4): {"status": "unstable", "value": 0.1},
        }.get((variant, seed), {})

    text = report_text(tracked(small_study(), tmp_path / "journals", change))
    top = text.partition("## Answer")[0]
    assert "25 runs planned; 20 finished, 1 unstable, 1 failed, 1 out of memory, 1 running, 1 missing." in top
    assert "**Failed:** no-augment (seed 0)" in top
    assert "**Missing:** no-residual (seed 2)" in top
    assert "**Running:** no-residual (seed 3)" in top
    assert "**Unstable:** no-dropout (seed 4)" in top
    assert "Removing dropout (unstable in 1 of 5 seeds)" in text
    assert "3 of 5" in text


def test_a_study_without_any_run_yet_is_reported(tmp_path: Path) -> None:
    tracker = MemoryTracker()
    tracker.open_study(record_of(small_study(), status="running"))
    text = report_text(tracker)
    assert "25 runs planned; 25 missing." in text
    assert "too few seeds" in text


def test_planned_runs_without_a_name_are_matched_by_recipe(tmp_path: Path) -> None:
    study = small_study()
    record = record_of(study)
    record = replace(record, planned_runs=[replace(planned, run=None) for planned in record.planned_runs])
    tracker = MemoryTracker(write_runs(study, tmp_path / "journals"))
    tracker.open_study(record)
    assert analyse(from_study("small", tracker)).effects[0].n == 5


def test_runs_reused_from_other_studies_are_counted(tmp_path: Path) -> None:
    tracker = tracked(small_study(), tmp_path / "j", lambda v, s: {"study": "earlier"} if v == "baseline" else {})
    assert "5 reused from other studies" in report_text(tracker)


def test_unknown_studies_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Unknown study 'other'"):
        write_study_report("other", MemoryTracker(), tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("conditions", {"device": "cuda", "precision": "bf16", "threads": 1}, "device cpu and cuda"),
        ("conditions", {"device": "cpu", "precision": "fp32", "threads": 1}, "precision bf16 and fp32"),
        ("conditions", {"device": "cpu", "precision": "bf16", "threads": 2}, "number of threads 1 and 2"),
        ("environment", {"commit": "beef", "dirty": False, "versions": {}}, "2 versions of the code"),
    ],
)
def test_mixed_conditions_are_warned_of(tmp_path: Path, field: str, value: object, words: str) -> None:
    study = small_study()
    assert words not in report_text(tracked(study, tmp_path / "a"))
    tracker = tracked(study, tmp_path / "b", lambda variant, seed: {field: value} if variant == "no-dropout" else {})
    assert words in report_text(tracker).partition("## Answer")[0]


def test_a_variant_identical_to_its_reference_is_warned_of(tmp_path: Path) -> None:
    def change(variant: str, seed: int) -> dict[str, object]:
        return {"digest": f"same{seed}", "value": 0.9} if variant in ("baseline", "no-dropout") else {}

    top = report_text(tracked(small_study(), tmp_path / "a", change)).partition("## Answer")[0]
    assert "no-dropout is identical to baseline" in top

    def nearly(variant: str, seed: int) -> dict[str, object]:
        return {} if (variant, seed) == ("no-dropout", 3) else change(variant, seed)

    assert "identical to baseline" not in report_text(tracked(small_study(), tmp_path / "b", nearly))


def test_a_margin_that_changed_makes_verdicts_exploratory(tmp_path: Path) -> None:
    study = small_study()
    earlier = ({**study.declared, "margin": 2.0},)
    text = report_text(tracked(study, tmp_path / "journals", earlier=earlier))
    assert "Changed after the start of the study: margin from 2.0 to 0.5" in text.partition("## Answer")[0]
    assert "Exploratory: Removing augment" in text
    asked = analyse(from_study("small", tracked(study, tmp_path / "b"), margin=0.1))
    assert asked.effects[0].verdict.startswith("exploratory: ")
    assert asked.effects[0].margin == 0.1


@pytest.mark.parametrize(
    ("name", "before"), [("goal", "min"), ("metric", "loss"), ("metric.unit", "own"), ("baseline", "no-augment")]
)
def test_what_defines_the_comparison_must_not_change(tmp_path: Path, name: str, before: str) -> None:
    study = small_study()
    changed = from_study("small", tracked(study, tmp_path / "a", earlier=({**study.declared, name: before},)))
    assert not changed.protocol.planned
    words = name.replace("metric.unit", "unit of the metric")
    assert any(f"Changed after the start of the study: {words} from {before} to " in line for line in changed.cautions)
    older = {key: value for key, value in study.declared.items() if key != name or name == "metric"}
    assert from_study("small", tracked(study, tmp_path / "b", earlier=({**older, "threads": 2},))).protocol.planned


def test_a_floor_can_be_given_later(tmp_path: Path) -> None:
    tracker = tracked(small_study(), tmp_path, lambda variant, seed: {"value": 0.42} if seed == 3 else {})
    assert set(from_study("small", tracker).runs["status"]) == {"finished"}
    later = from_study("small", tracker, floor=0.4)
    assert (later.runs["status"] == "unstable").tolist() == (later.runs["seed"] == 3).tolist()
    assert any("The floor of this report is 0.4" in text for text in later.cautions)
    with pytest.raises(UsageError, match="--floor is 40"):
        from_study("small", tracker, floor=40)


@pytest.mark.parametrize(("left_out", "is_exploratory"), [("dropout", False), ("lr_schedule", True)])
def test_a_family_that_shrank_makes_verdicts_exploratory(tmp_path: Path, left_out: str, is_exploratory: bool) -> None:
    study = small_study()
    before = [*(name for name in study.declared["factors"] if name != left_out), *({"lr_schedule"} & {left_out})]
    text = report_text(tracked(study, tmp_path / "journals", earlier=({**study.declared, "factors": before},)))
    assert ("Exploratory: Removing augment" in text) is is_exploratory
    assert ("All verdicts are exploratory" in text) is is_exploratory


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (0, ("before the end of any run", "fixed before the runs,")),
        (5, ("after 5 of 25 results, so this record cannot show", "fixed before 20 of the 25 runs,")),
        (25, ("after 25 of 25 results, so this record cannot show", "recorded after the runs,")),
    ],
)
def test_a_report_shows_whether_the_record_is_older_than_the_runs(
    tmp_path: Path, before: int, words: tuple[str, str]
) -> None:
    study = small_study()
    tracker = tracked(study, tmp_path / "journals")
    ends = sorted(run.ended for run in tracker.runs() if run.ended is not None)
    since = [*ends, ends[-1] + 1][before] if before else ends[0] - 1
    tracker.open_study(record_of(study, since=since))
    text = report_text(tracker)
    assert all(word in text for word in words)
    assert "Recorded" not in report_text(tracked(study, tmp_path / "unknown"))


def test_a_comparison_of_which_a_pair_of_runs_is_older_than_the_record_is_exploratory(tmp_path: Path) -> None:
    study = small_study()
    tracker, record = tracked(study, tmp_path / "journals"), record_of(study, since=2.0)
    matched = match_runs(record, tracker.runs(), tracker)
    everything = {comparison.variant for comparison in declared_comparisons(record, {})}
    for old, expected in (
        ({("no-augment", 2), ("baseline", 2)}, {"no-augment"}),
        ({("no-augment", 2), ("baseline", 1)}, set()),
        ({("no-augment", seed) for seed in range(5)}, set()),
        ({(entry.variant, 2) for entry in matched}, everything),
    ):
        ends = {entry: 1.0 if (entry.variant, entry.seed) in old else 3.0 for entry in matched}
        results = {entry: replace(run, ended=ends[entry]) for entry, run in matched.items()}
        comparisons = declared_comparisons(record, results)
        assert {one.variant for one in comparisons if not one.planned} == expected
        assert has_older_seed(record, results) == (expected == everything)


def test_seeds_added_later_show_the_always_valid_interval(tmp_path: Path) -> None:
    study = small_study()
    text = report_text(tracked(study, tmp_path / "j", earlier=({**study.declared, "seeds": [0, 1, 2]},)))
    assert "The seeds were changed after a report" in text


LOOKS = {"looks": [list(Looks().seeds), list(Looks().alphas)]}


@pytest.mark.parametrize(
    ("before", "now", "extended"),
    [
        ({"seeds": 5}, {"seeds": 5}, False),
        ({"seeds": 20, **LOOKS}, {"seeds": 20, **LOOKS}, False),
        ({"seeds": 5}, {"seeds": 8}, True),
        ({"seeds": 20}, {"seeds": 8}, True),  # the larger number was analysed already
        ({"seeds": (5, 6, 7, 8)}, {"seeds": 4}, True),
        ({"seeds": 20, **LOOKS}, {"seeds": 8}, True),  # --until-clear plans 20 seeds, and may stop at 5
        ({"seeds": 20, **LOOKS}, {"seeds": 20}, True),
        ({"seeds": 5}, {"seeds": 20, **LOOKS}, True),
        ({"seeds": 20}, {"seeds": 20, **LOOKS}, True),
    ],
)
def test_any_change_of_the_seeds_is_exploratory(
    tmp_path: Path, before: dict[str, Any], now: dict[str, Any], extended: bool
) -> None:
    study, old = small_study(seeds=now["seeds"]), small_study(seeds=before["seeds"])
    looks = {name: value for name, value in now.items() if name == "looks"}
    record = {"declared": {**study.declared, **looks}, "details": {**study.design_as_dict(), **looks}}
    earlier = {**old.declared, **before, "seeds": old.declared["seeds"]}
    tracker = tracked(study, tmp_path / "j", **record, earlier=(earlier,))
    found = analyse(from_study("small", tracker))
    assert found.study.protocol.extended == extended
    assert {"exploratory" in effect.verdict for effect in found.effects} == {extended}
    assert {effect.evidence.valid_family is not None for effect in found.effects} == {extended}


def test_two_scopes_come_from_the_bits_of_each_image(tmp_path: Path) -> None:
    found = analyse(from_study("small", tracked(small_study(), tmp_path / "journals")))
    scope = found.scopes["no-augment", "baseline"]
    assert (scope.n_seeds, scope.n_images) == (5, IMAGES)
    assert scope.delta == pytest.approx(found.effects[0].delta)
    assert scope.se_total >= scope.se_seed
    assert found.budget is not None
    assert np.isfinite(found.budget.image_se)


def test_every_table_and_figure_has_one_order(tmp_path: Path) -> None:
    study = small_study(factors=tuple(reversed(WORTH)))
    found = analyse(from_study("small", tracked(study, tmp_path / "journals")))
    ordered = [effect.variant for effect in found.headline]
    assert ordered[:2] == ["no-augment", "no-batch-norm"]
    assert [effect.variant for effect in found.effects] != ordered  # effects.csv has the order of the plan
    slopes = next(plot for plot in study_plots(found) if plot.section == "slopes")
    assert list(slopes.arguments["pairs"]) == ordered
    assert [variant for variant, _ in found.scopes] == ordered


def test_captions_of_curves_name_the_band(tmp_path: Path) -> None:
    found = analyse(from_study("small", tracked(small_study(), tmp_path / "journals")))
    accuracy, loss, rate = (plot.caption for plot in study_plots(found) if plot.section == "curves")
    assert (
        "Validation accuracy by epoch: mean over seeds, with a band of ± 1 standard deviation over seeds." in accuracy
    )
    assert "band" not in loss  # identical in all seeds of these journals
    assert "mean over seeds, which are identical" in rate
    differing = {"baseline": [[{"step": 1, "val/loss": value}] for value in (0.5, 0.6)], "alone": []}
    words = "Loss: mean over seeds, with a band from the lowest to the highest seed."
    assert curve_caption("Loss", differing, "val/loss", "range").startswith(words)
    single = {"baseline": differing["baseline"][:1]}
    assert curve_caption("Loss", single, "val/loss", "range").startswith("Loss: one seed per variant.")


def test_a_removed_factor_does_no_harm(tmp_path: Path) -> None:
    record = record_of(small_study())
    plain = json.loads(json.dumps(record.details).replace("dropout", "removed_since"))
    tracker = MemoryTracker(write_runs(small_study(), tmp_path / "journals"))
    tracker.open_study(replace(record, details=plain))
    assert "removed since" in report_text(tracker)


def test_limits_name_skewed_noise_and_the_schedule(tmp_path: Path) -> None:
    study = small_study(factors=("augment", "lr_schedule"), values={"validate_on": "test"})
    text = report_text(tracked(study, tmp_path / "journals")).partition("<b>Limits</b>")[2]
    assert "skewed" in text
    assert "beta1" in text
    assert "the notebook's protocol" in text


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ("both-ways", ["### Shapley values", "Shapley value", "both-ways: 8 comparisons"]),
        ("add-one-in", ["### Against"]),
        ("factorial", ["### Main effects", "full factorial: nothing is aliased", "### Interactions"]),
        (
            "fractional",
            ["### Main effects", "### Aliasing", "resolution IV", "| likeliest |", "heredity", "as 1 of several"],
        ),
        ("plackett-burman", ["### Main effects", "resolution III", "in part"]),
        ("pairs", ["### Interactions", "Synergy in the full recipe"]),
        ("path", ["depend on the order"]),
    ],
)
def test_every_design_is_reported(tmp_path: Path, design: str, words: list[str]) -> None:
    factors = tuple(small_study().workload.factors.baseline) if design == "plackett-burman" else tuple(WORTH)
    study = small_study(design=design, seeds=3, factors=factors)
    tracker = tracked(study, tmp_path / "journals")
    text = report_text(tracker)
    for word in words:
        assert word.lower() in text.lower(), word
    main = effects_table(analyse(from_study("small", tracker)).effects)
    if design in ("factorial", "fractional", "plackett-burman"):
        assert main["family"].unique().tolist() == ["main effects"]
        augment = main.set_index("factor").loc["augment"]
        assert augment["delta"] == pytest.approx(-4, abs=0.4)  # switching it off costs
        assert augment["variant"] == "no-augment (averaged)"
    else:
        assert set(main["family"]) == {design}


def test_main_effects_are_called_averages_wherever_they_are_stated(tmp_path: Path) -> None:
    tracker = tracked(small_study(design="factorial", seeds=3), tmp_path / "journals")
    report = write_report(from_study("small", tracker), tmp_path / "report")
    words = "averaged over the other components"
    sentences = re.compile(rf"^(?:Preliminary: )?Removing [a-z ]+, {words}[,:] ")
    in_terminal = [line.removeprefix("  - ") for line in report.answer if line.startswith("  - ")]
    in_json = [text for texts in report.facts["answer"].values() for text in texts]
    in_markdown = re.findall(r"^- (.*Removing .*)$", (report.folder / "report.md").read_text(), re.MULTILINE)
    for found in (in_terminal, in_json, in_markdown, [report.note.partition("- ")[2]]):
        assert found
        assert all(sentences.match(text) for text in found)
    assert len(in_terminal) == len(in_json) == len(in_markdown) == len(WORTH)
    assert words in answer(report.analysis).partition("Clearly")[0]
    labels = {
        plot.section: plot.arguments["metric"] for plot in study_plots(report.analysis) if "effects" in plot.arguments
    }
    assert labels == {"forest": f"test accuracy, {words},", "main_effects": f"test accuracy, {words}"}


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_give_observations_only(tmp_path: Path, seeds: int) -> None:
    numbers = tuple(range(seeds))
    for design in ("leave-one-out", "factorial"):
        study = small_study(design=design, seeds=numbers)
        tracker = tracked(study, tmp_path / design)
        found = analyse(from_study("small", tracker))
        verdicts = {effect.verdict for effect in found.effects}
        assert verdicts == {"single-run observation" if seeds == 1 else "too few seeds"}
        assert "<b>Glossary</b>" in report_text(tracker)
    main = found.main_effects[0]
    contrast = next(row for row in found.factorial.contrasts if row.term == main.factor)  # type: ignore[union-attr]
    assert (main.ci_low, main.ci_high) == pytest.approx((-contrast.high, -contrast.low))


def test_looks_of_until_clear(tmp_path: Path) -> None:
    study = small_study(seeds=20)
    layout = {**study.design_as_dict(), "looks": [list(Looks().seeds), list(Looks().alphas)]}

    def change(variant: str, seed: int) -> dict[str, object]:
        return {"leave out": True} if seed > 4 and variant in ("no-augment", "no-batch-norm") else {}

    tracker = tracked(study, tmp_path / "journals", change, details=layout)
    text = report_text(tracker)
    found = analyse(from_study("small", tracker))
    assert [effect.n for effect in found.effects][:2] == [5, 5]
    assert found.effects[0].level == pytest.approx(0.985)
    assert "**Missing:**" not in text
    assert "Sequential testing" in text
    early = tracked(study, tmp_path / "early", lambda variant, seed: {"leave out": seed > 2}, details=layout)
    top = report_text(early)
    assert "The first look needs 5 seeds" in top


def test_an_older_report_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(
        from_study("small", tracked(small_study(design="both-ways", seeds=3), tmp_path / "a")), folder, as_html=True
    )
    (folder / "notes.txt").write_text("mine")
    write_report(from_study("small", tracked(small_study(seeds=3), tmp_path / "b")), folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert not (folder / "report.html").exists()
    assert not (folder / "figures" / "shapley.png").exists()


def test_a_failure_leaves_the_older_report(tmp_path: Path) -> None:
    study = from_study("small", tracked(small_study(seeds=3), tmp_path / "a"))
    folder = write_report(study, tmp_path / "report").folder
    before = (folder / "report.md").read_bytes()
    with pytest.raises(ZeroDivisionError):
        write_report(replace(study, curves=lambda: {"x": 1 / 0}), folder)  # type: ignore[dict-item]
    assert (folder / "report.md").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_figures_are_drawn_with_and_without_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.figures.style.DPI", 160)  # as in the other process: here figures are coarser
    study = replace(from_study("small", tracked(small_study(seeds=3), tmp_path / "a")), curves=dict)
    alone = write_report(study, tmp_path / "alone").folder
    with figure_pool() as pool:
        together = write_report(study, tmp_path / "together", drawing=Drawing(pool)).folder
    broken = ProcessPoolExecutor(1, initializer=exit, mp_context=multiprocessing.get_context("spawn"))
    lonely = write_report(study, tmp_path / "lonely", drawing=Drawing(broken)).folder
    left = write_report(
        study, tmp_path / "left", drawing=Drawing(broken)
    ).folder  # broken before anything is asked of it
    names = {path.name for path in (alone / "figures").iterdir()}
    assert names == {f"{name}{ending}.png" for name in ("forest", "slopes", "noise") for ending in ("", "-narrow")}
    for folder in (together, lonely, left):
        assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == {
            name: (alone / "figures" / name).read_bytes() for name in names
        }


def test_runs_on_a_gpu_are_repeated_on_one_and_its_name_is_on_the_card(tmp_path: Path) -> None:
    def change(variant: str, seed: int) -> dict[str, object]:
        environment = {"processor": "a CPU", **({"gpu": "NVIDIA H200"} if seed else {})}
        return {"conditions": {"device": "cuda", "precision": "bf16", "threads": 1}, "environment": environment}

    text = report_text(tracked(small_study(), tmp_path / "journals", change))
    assert "--device cuda --precision bf16\n" in text
    assert "| Processor | a CPU |\n| GPU | NVIDIA H200 |\n" in text


@pytest.mark.parametrize("odd", [{}, {"precision": "fp32"}, {"compiled": False}])
def test_the_command_repeats_the_precision_that_all_runs_used(tmp_path: Path, odd: dict[str, object]) -> None:
    alike = {"device": "cpu", "precision": "bf16", "threads": 1, "compiled": True}

    def change(variant: str, seed: int) -> dict[str, object]:
        return {"conditions": alike | (odd if (variant, seed) == ("baseline", 0) else {})}

    text = report_text(tracked(small_study(), tmp_path / "journals", change))
    assert ("--precision bf16 --compile\n" in text) == (not odd)
    assert "--device" not in text
    assert ("--precision" in text) == (not odd)
    assert ("Mixed conditions" in text) == bool(odd)
