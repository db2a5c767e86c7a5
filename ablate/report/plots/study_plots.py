"""The plots of a study: captions, and arguments for `ablate.figures`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ablate.report.analysis import Analysis
from ablate.report.effect_rows import comparison_names
from ablate.report.formats.markdown_text import MOST_ROWS
from ablate.report.main_effects import AVERAGED, names_in_plots
from ablate.report.plots.curves import batch_plots, training_plots
from ablate.report.plots.factorial_plots import half_normal_plots, interaction_plots, main_effect_plots
from ablate.report.plots.recorded import recorded_plots
from ablate.report.plots.render import Plot
from ablate.report.plots.units import MOST_PANELS, axis_of, unit_of
from ablate.stats.effects import Effect, TwoScopes
from ablate.stats.effects.repetition_text import UNITS
from ablate.wording import in_words

_WITH_ADDED_SEEDS = (
    "One row per variant. Thin line: interval for added seeds, corrected for the number of comparisons, on which the "
    "verdict is based; thick line: the same of this comparison alone; dots: individual seeds. Grey band: the margin; "
    "differences within it are too small to matter."
)


def study_plots(analysis: Analysis) -> list[Plot]:
    """Return the plots that the study supports, in the order of the report."""
    makers = (
        forest_plots,
        _slopes,
        training_plots,
        recorded_plots,
        batch_plots,
        main_effect_plots,
        _shapley,
        interaction_plots,
        half_normal_plots,
        _noise,
    )
    return [plot for maker in makers for plot in maker(analysis)]


def _with_seeds(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if effect.n]


def forest_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the forest plot, unless nothing is compared."""
    rows, seeds = [], {}
    metric = analysis.study.metric.label + f", {AVERAGED}," * bool(analysis.main_effects)
    known = _with_seeds(analysis.headline)
    half = MOST_ROWS // 2
    ranked = [effect for effect in known if math.isfinite(effect.delta)]
    effects = [*ranked[:half], *ranked[-half:]] if len(ranked) > MOST_ROWS else known
    for effect in effects:
        row = effect.row()
        if analysis.main_effects:
            row |= names_in_plots(effect, has_levels=analysis.levels.factorial is not None)
        if effect.evidence.extended:
            row |= zip(("ci_low", "ci_high"), map(_finite, effect.interval), strict=True)
            row |= zip(("fw_low", "fw_high"), map(_finite, effect.verdict_interval), strict=True)
        rows.append(row)
        pair = effect.evidence.paired
        if not pair.is_unpaired:
            both = zip(pair.variant, pair.reference, strict=True)
            seeds[row["variant"], row["reference"]] = [one - other for one, other in both]
    if not rows:
        return
    replicates = analysis.study.protocol.replicates
    dots = "" if replicates == "runs" else f"; dots: individual {replicates}"
    caption = (
        "One row per variant. Thin line: family-wise interval, on which the verdict is based; thick line: 95 % "
        f"interval of this comparison alone{dots}. Grey band: the margin; differences within it are too small to "
        "matter."
    )
    if any(not math.isclose(row["level"], 0.95) for row in rows):
        caption = caption.replace("95 % interval of", "interval at the level of the last look of")
    if any(effect.evidence.extended for effect in analysis.headline):
        caption = _WITH_ADDED_SEEDS
    if len(known) > len(effects):
        caption += f" The {half} lowest and the {half} highest of {len(ranked):,} differences."
    arguments = {
        "effects": rows, "margin": analysis.study.margin, "seeds": seeds, "unit": unit_of(analysis), "metric": metric,
    }  # fmt: skip
    yield Plot("forest", "forest.png", "Differences with intervals and individual seeds", caption, "forest", arguments)


def _finite(value: float) -> float:
    return value if math.isfinite(value) else math.nan


def _slopes(analysis: Analysis) -> Iterator[Plot]:
    groups: dict[str, list[Effect]] = {}
    for effect in _with_seeds(analysis.compared):
        if effect.evidence.paired.is_unpaired:
            continue
        groups.setdefault(effect.reference, []).append(effect)
    for number, (reference, effects) in enumerate(groups.items(), start=1):
        shown = effects[:MOST_PANELS]
        pairs = {
            effect.variant: list(zip(effect.evidence.paired.reference, effect.evidence.paired.variant, strict=True))
            for effect in shown
        }
        rho = {effect.variant: effect.rho for effect in shown}
        caption = (
            f"One line per {UNITS[effects[0].evidence.replicates]}, from {reference} to the variant. Parallel lines "
            "(rho near 1) mean that both variants vary alike between seeds, so that pairing removes this variation."
        )
        if len(effects) > MOST_PANELS:
            caption += f" First {MOST_PANELS} of {len(effects)} variants."
        yield Plot(
            "slopes",
            "slopes.png" if number == 1 else f"slopes-{number}.png",
            f"Paired slopes by seed against {reference}",
            caption,
            "slopes",
            {"pairs": pairs, "reference": reference, "metric": axis_of(analysis), "rho": rho},
        )


def _shapley(analysis: Analysis) -> Iterator[Plot]:
    if analysis.attribution is None:
        return
    rows = [
        {
            "factor": in_words(share.factor), "shapley": share.shapley, "shapley_low": share.shapley_low,
            "shapley_high": share.shapley_high, "loo": share.leave_one_out, "loo_low": share.leave_one_out_low,
            "loo_high": share.leave_one_out_high, "aoi": share.add_one_in, "aoi_low": share.add_one_in_low,
            "aoi_high": share.add_one_in_high,
        }
        for share in analysis.attribution.shares
    ]  # fmt: skip
    caption = "A component whose bars differ interacts with others."
    arguments = {"shares": rows, "unit": unit_of(analysis), "metric": analysis.study.metric.label}
    description = "Leave-one-out, Shapley value and add-one-in"
    yield Plot("shapley", "shapley.png", description, caption, "shapley_bars", arguments)


def _noise(analysis: Analysis) -> Iterator[Plot]:
    named = zip(comparison_names(analysis.headline), analysis.headline, strict=True)
    sds = {name: effect.evidence.sd_difference for name, effect in named}
    sds = {name: sd for name, sd in sds.items() if math.isfinite(sd) and sd > 0}
    if not sds or analysis.budget is None:
        return
    errors = sorted(_image_part(row) for row in analysis.scopes.values())
    image_se = errors[len(errors) // 2] if errors else None
    caption = (
        "Precision of a difference by number of seeds. Dotted line: a standard error equal to the margin. Detecting a "
        "difference takes a standard error several times smaller; the list above contains the numbers of seeds."
    )
    arguments = {"sds": sds, "image_se": image_se, "margin": analysis.study.margin, "unit": unit_of(analysis)}
    description = "Standard error of a difference by number of seeds"
    yield Plot("noise", "noise.png", description, caption, "noise_budget", arguments)


def _image_part(row: TwoScopes) -> float:
    """Return the part of the standard error that is due to the test images."""
    return math.sqrt(max(0.0, row.se_total**2 - row.se_seed**2))
