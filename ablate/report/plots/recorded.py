"""Plots of the curves of runs of other software."""

from __future__ import annotations

from collections.abc import Iterator

from ablate.report.analysis import Analysis
from ablate.report.plots.curves import BANDS, chosen_curves, curves_file
from ablate.report.plots.render import Plot
from ablate.report.plots.step_grids import MOST_RUNS, MOST_STEPS, Grid, Grids, common_grids
from ablate.report.recorded_curves import RecordedCurve, RecordedCurves, RecordedMetric
from ablate.report.study_data import Histories, History
from ablate.wording import count

LAST = "the last step"
MOST_SCORES = 50
"""Runs per variant whose scores are marked."""


def recorded_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield one plot per metric of runs of other software, the compared one first."""
    yield from _plots(analysis, analysis.study.recorded())


def curve_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield one plot per metric of runs of any software, in one form."""
    yield from _plots(analysis, analysis.study.recorded() or _of_histories(analysis.study.curves()))


def _of_histories(histories: Histories) -> RecordedCurves:
    """Return the histories of a study of this project as recorded curves: accuracies in percent."""
    names = dict.fromkeys(name for seeds in histories.values() for rows in seeds for row in rows for name in row)
    metrics = []
    for _, candidates in chosen_curves(list(names)):
        name = next((one for one in candidates if one in names), None)
        if name is None:
            continue
        scale, unit = (100.0, " (%)") if "accuracy" in name else (1.0, "")
        curves = {
            variant: [_curve([row for row in rows if name in row], name, scale) for rows in seeds]
            for variant, seeds in histories.items()
        }
        goal = "min" if "loss" in name else "max"
        metrics.append(RecordedMetric(name, f"{name.replace('/', ' ')}{unit}", goal, is_score=False, by_variant=curves))
    return RecordedCurves(metrics, axis="epoch")


def _curve(rows: History, name: str, scale: float) -> RecordedCurve:
    return RecordedCurve([row["step"] for row in rows], [scale * row[name] for row in rows])


def _plots(analysis: Analysis, found: RecordedCurves | None) -> Iterator[Plot]:
    for number, metric in enumerate(found.metrics if found else (), start=1):
        assert found is not None
        grids = common_grids(metric.by_variant)
        if grids.by_variant:
            yield _plot(analysis, found, metric, grids, curves_file(number, metric.name))


def _plot(analysis: Analysis, found: RecordedCurves, metric: RecordedMetric, grids: Grids, file: str) -> Plot:
    order = [analysis.study.baseline, *(effect.variant for effect in analysis.headline), *grids.by_variant]
    names = [name for name in dict.fromkeys(order) if name in grids.by_variant]
    scored = {point[0] for grid in grids.by_variant.values() for point in grid.scored}
    is_one_step = len(scored) == 1
    is_end = is_one_step and found.choice == LAST
    band = "range" if metric.goal == "min" else "sd"
    arguments = {
        "arms": [_arm(name, grids.by_variant[name], with_scores=not is_one_step) for name in names],
        "label": metric.label,
        "axis": found.axis,
        "reference": analysis.study.baseline,
        "band": band,
        "scored_step": min(scored) if is_one_step and not is_end else None,
    }
    title = f"{metric.label} by {found.axis}"
    caption = " ".join(_sentences(metric, grids, found, band, is_marked=bool(scored) and not is_end))
    return Plot("curves", file, title, caption, "run_curves", arguments)


def _arm(name: str, grid: Grid, *, with_scores: bool) -> dict[str, object]:
    scored = sorted(grid.scored)[:: max(1, len(grid.scored) // MOST_SCORES)] if with_scores else []
    return {
        "name": name, "steps": grid.steps, "values": grid.values, "singles": grid.singles, "diverged": grid.diverged,
        "stopped": grid.stopped, "scored": scored,
    }  # fmt: skip


def _sentences(
    metric: RecordedMetric, grids: Grids, found: RecordedCurves, band: str, *, is_marked: bool
) -> Iterator[str]:
    runs = sum(map(len, metric.by_variant.values()))
    several = any(len(one) > 1 for one in metric.by_variant.values())
    lines = f"mean over the runs of a variant, with a band {BANDS[band]}".replace("seed", "run")
    yield f"{metric.label} by {found.axis}, {count(runs, 'run')}: {lines if several else 'one run per variant'}."
    if grids.bins:
        yield (
            f"The steps of the runs differ, so the values of each run were averaged in {grids.bins} bins of equal "
            "width; the mean is drawn where all runs of a variant have a value."
        )
    elif several:
        yield "The mean is drawn at steps that all runs of a variant have; nothing is interpolated."
    if any(grid.singles for grid in grids.by_variant.values()) and several:
        yield "Thin lines: individual runs where others have ended or are not finite" + (
            f", {MOST_RUNS} per variant at most." if grids.omitted else "."
        )
    if grids.thinned:
        yield f"Drawn are {MOST_STEPS} of up to {grids.thinned:,} steps, at equal distances in their order."
    diverged = sum(len(grid.diverged) for grid in grids.by_variant.values())
    if diverged or grids.lost:
        never = f", {grids.lost} of them from the start and not drawn" if grids.lost else ""
        yield f"{count(diverged + grids.lost, 'run')} diverged (NaN or infinite){never}."
    if metric.is_score and found.choice:
        marks = ", which is marked" if is_marked else ""
        yield f"The score of a run is its value at {found.choice}{marks}."
