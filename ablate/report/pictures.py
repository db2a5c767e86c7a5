"""The figures of a report: which there are, what each shows, drawn into a folder."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ablate.effects import Effect, effects_table
from ablate.errors import UserError
from ablate.report.analysis import Analysis
from ablate.report.material import Histories

MOST_PANELS = 40
CURVES = (
    ("accuracy", "accuracy by epoch", ("val/accuracy", "train/accuracy")),
    ("loss", "loss by epoch", ("val/loss", "train/loss")),
    ("lr", "learning rate by epoch", ("lr",)),
)


@dataclass(frozen=True)
class Picture:
    """A figure's file in the report's folder, its alternative text, and what a reader should look for."""

    path: str
    words: str
    caption: str


def _unit(found: Analysis) -> dict[str, str]:
    metric = found.material.metric
    return {"unit": "points" if metric.in_points else metric.unit or "own unit", "metric": metric.words}


def _axis(found: Analysis) -> str:
    metric = found.material.metric
    return f"{metric.words} (%)" if metric.in_points else metric.words


def _with_seeds(effects: Sequence[Effect]) -> list[Effect]:
    return [effect for effect in effects if effect.n]


def _forest(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    effects = _with_seeds(found.headline)
    if not effects:
        return {}
    table = effects_table(effects)
    if found.main_effects:
        table["variant"], table["reference"] = table["factor"].map(lambda name: f"no {name.replace('_', ' ')}"), "having it, averaged"
    seeds = {name: _differences(effect) for name, effect in zip(table["variant"], effects, strict=True)}
    figures.forest(table, folder / "forest.png", margin=found.material.margin, seeds=seeds, **_unit(found))
    caption = (
        "Each row is a variant. Thick line: 95 % interval; thin line: the interval that allows for looking at all rows "
        "at once; dots: single seeds. The grey band is the margin: what lies inside is too small to matter."
    )
    return {"": Picture("figures/forest.png", "Differences with intervals, every seed a dot", caption)}


def _differences(effect: Effect) -> list[float]:
    pair = effect.evidence.paired
    return [one - other for one, other in zip(pair.variant, pair.reference, strict=True)]


def _slopes(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    groups: dict[str, list[Effect]] = {}
    for effect in _with_seeds(found.compared)[: 2 * MOST_PANELS]:
        groups.setdefault(effect.reference, []).append(effect)
    pictures = {}
    for number, (reference, effects) in enumerate(groups.items()):
        pairs = {
            effect.variant: list(zip(effect.evidence.paired.reference, effect.evidence.paired.variant, strict=True))
            for effect in effects[:MOST_PANELS]
        }
        rho = {effect.variant: effect.rho for effect in effects}
        name = "slopes.png" if not number else f"slopes-{number + 1}.png"
        figures.slopes(pairs, folder / name, reference=reference, metric=_axis(found), rho=rho)
        caption = (
            f"One line a seed, from {reference} to the variant. Lines that run in parallel (rho near 1) mean that a "
            "lucky seed is lucky in both arms, so comparing within seeds removes that luck."
        )
        pictures[f"-{number}"] = Picture(f"figures/{name}", f"Paired slopes by seed against {reference}", caption)
    return pictures


def _training(words: str, metrics: Sequence[str], found: Analysis, folder: Path) -> dict[str, Picture]:
    """The curves of the first of `metrics` that any run recorded."""
    from ablate import figures

    histories = _relevant(found, found.material.curves())
    for metric in metrics:
        name = f"curves-{metric.replace('/', '-')}.png"
        band: Literal["range", "sd"] = "range" if "loss" in metric else "sd"  # mean - SD has no place on a log scale
        try:
            figures.training_curves(histories, folder / name, metric, reference=found.material.baseline, band=band)
        except UserError:  # no run recorded it
            continue
        kind = {"val": "validation ", "train": "training "}.get(metric.partition("/")[0], "")
        title = f"{kind}{words}".capitalize()
        return {"": Picture(f"figures/{name}", title, f"{title}: mean over seeds, with a band. {_SAME}")}
    return {}


_SAME = "Grey: the reference. Arms with the very same curve are drawn once."


def _relevant(found: Analysis, histories: Histories) -> Histories:
    """The curves in the order of the table, references first."""
    order = [found.material.baseline, *(name for row in found.headline for name in (row.reference, row.variant))]
    return {name: histories[name] for name in dict.fromkeys([*order, *histories]) if name in histories}


def _main_effects(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    if found.factorial is None:
        return {}
    rows = [
        {
            "factor": row.term, "effect": row.estimate, "ci_low": row.low, "ci_high": row.high, "fw_low": row.fw_low,
            "fw_high": row.fw_high, "kind": row.family, "verdict": row.verdict,
        }
        for row in found.factorial.contrasts
    ]  # fmt: skip
    seeds = {row.term: row.by_seed for row in found.factorial.contrasts}
    figures.main_effects(
        rows, folder / "main-effects.png", margin=found.material.margin, seeds=seeds, **_unit(found)
    )
    caption = "What having each component adds on average over all settings of the others, and how pairs interact."
    return {"": Picture("figures/main-effects.png", "Main effects and interactions", caption)}


def _interactions(found: Analysis, folder: Path) -> dict[str, Picture]:
    """The four cells of each estimable pair, in a full factorial or a fraction."""
    from ablate import figures
    from ablate.attribution import orthogonal_part

    if found.factorial is None:
        return {}
    part = orthogonal_part(found.material.design)
    scores = found.scores.reindex(part.index)[list(found.factorial.seeds)]
    by_label = {" x ".join(pair): pair for pair in itertools.combinations(map(str, part.columns), 2)}
    rows = [row for row in found.interactions if row.term in by_label][:MOST_PANELS]
    pairs = [by_label[row.term] for row in rows]
    cells = []
    for first, second in pairs:
        for one, other in itertools.product((False, True), repeat=2):
            chosen = scores[(part[first] == one) & (part[second] == other)]
            if len(chosen):
                mean = float(chosen.to_numpy().mean())
                cells.append({"first": first, "second": second, "first_on": one, "second_on": other, "mean": mean})
    if not cells:
        return {}
    notes = {by_label[row.term]: f"synergy {row.synergy:+.2f}" for row in rows}
    figures.interaction_grid(cells, folder / "interactions.png", metric=_axis(found), notes=notes)
    caption = "Parallel lines: the two components act independently. Pairs that are aliased stand for their whole group."
    return {"": Picture("figures/interactions.png", "Mean score of the four settings of each pair", caption)}


def _half_normal(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    if found.factorial is None:
        return {}
    points, limits = found.factorial.half_normal, found.factorial.screening
    figures.half_normal(
        points.sizes, points.labels, limits.me, limits.sme, folder / "half-normal.png", unit=_unit(found)["unit"]
    )
    caption = (
        "Effects that are pure noise lie on a straight line through the origin; those above Lenth's limits stand out "
        "(ME: one looked at alone, SME: all looked at together)."
    )
    return {"": Picture("figures/half-normal.png", "Half-normal plot with Lenth's limits", caption)}


def _shapley(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    if found.attribution is None:
        return {}
    rows = [
        {
            "factor": share.factor, "shapley": share.shapley, "shapley_low": share.shapley_low,
            "shapley_high": share.shapley_high, "loo": share.leave_one_out, "loo_low": share.leave_one_out_low,
            "loo_high": share.leave_one_out_high, "aoi": share.add_one_in, "aoi_low": share.add_one_in_low,
            "aoi_high": share.add_one_in_high,
        }
        for share in found.attribution.shares
    ]  # fmt: skip
    figures.shapley_bars(rows, folder / "shapley.png", **_unit(found))
    caption = "Three ways to share the credit; bars of one component that differ show that it interacts with others."
    return {"": Picture("figures/shapley.png", "Leave-one-out, Shapley value and add-one-in", caption)}


def _noise(found: Analysis, folder: Path) -> dict[str, Picture]:
    from ablate import figures

    sds = {effect.variant: effect.evidence.sd_difference for effect in found.headline}
    sds = {name: sd for name, sd in sds.items() if math.isfinite(sd) and sd > 0}
    if not sds or found.budget is None:
        return {}
    needed = {target: float(seeds) for target, seeds in found.budget.seeds.items() if seeds is not None}
    errors = [_image_part(row) for row in found.scopes.values()]
    image_se = sorted(errors)[len(errors) // 2] if errors else None
    figures.noise_budget(
        sds, folder / "noise.png", image_se=image_se, needed=needed, unit=_unit(found)["unit"]
    )
    caption = "How precise a difference gets with more seeds. Dotted lines: sizes of difference one may care about."
    return {"": Picture("figures/noise.png", "Standard error of a difference by number of seeds", caption)}


def _image_part(row: Any) -> float:
    """The part of a difference's standard error that the test images bring."""
    return math.sqrt(max(0.0, row.se_total**2 - row.se_seed**2))


PAINTERS: Mapping[str, Callable[[Analysis, Path], dict[str, Picture]]] = {
    "forest": _forest,
    "slopes": _slopes,
    **{f"curves-{name}": partial(_training, words, metrics) for name, words, metrics in CURVES},
    "main_effects": _main_effects,
    "interactions": _interactions,
    "half_normal": _half_normal,
    "shapley": _shapley,
    "noise": _noise,
}
