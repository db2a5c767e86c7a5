"""The plots of factorial designs of factors that are on or off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ablate.report.analysis import Analysis
from ablate.report.main_effects import AVERAGED
from ablate.report.plots.render import Plot
from ablate.report.plots.units import MOST_PANELS, axis_of, unit_of
from ablate.wording import in_words

_KINDS = {"interactions": "synergies of pairs"}
_ALIASED = " A term marked as 1 of several is aliased with the others, which are in the table."


def main_effect_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the main effects and synergies of a factorial design."""
    if analysis.factorial is None or not analysis.factorial.is_scored:
        return
    rows = [
        {
            "factor": _name(row.term, row.aliases), "effect": row.estimate, "ci_low": row.low, "ci_high": row.high,
            "fw_low": row.fw_low, "fw_high": row.fw_high, "kind": _KINDS.get(row.family, row.family),
            "verdict": row.verdict,
        }
        for row in analysis.factorial.contrasts
    ]  # fmt: skip
    arguments = {
        "effects": rows, "margin": analysis.study.margin, "unit": unit_of(analysis),
        "metric": f"{analysis.study.metric.label}, {AVERAGED}",
        "seeds": {_name(row.term, row.aliases): row.by_seed for row in analysis.factorial.contrasts},
    }  # fmt: skip
    caption = f"Effect of having each component, and synergies of pairs, {AVERAGED}."
    if any(row.aliases for row in analysis.factorial.contrasts):
        caption += _ALIASED
    yield Plot("main_effects", "main-effects.png", "Main effects and interactions", caption, "main_effects", arguments)


def _name(term: str, aliases: Sequence[str]) -> str:
    """Return a term in words, and of how many aliased terms it is one: "augment x weight decay (1 of 3)"."""
    return in_words(term) + (f" (1 of {len(aliases) + 1})" if aliases else "")


def interaction_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the four means of each estimable pair."""
    from ablate.stats.attribution import orthogonal_part

    if analysis.factorial is None or not analysis.factorial.is_scored:
        return
    part = orthogonal_part(analysis.study.design)
    scores = analysis.scores.reindex(part.index)[list(analysis.factorial.seeds)]
    by_label = {" x ".join(pair): pair for pair in itertools.combinations(map(str, part.columns), 2)}
    rows = [row for row in analysis.interactions if row.term in by_label][:MOST_PANELS]
    cells = []
    for first, second in (by_label[row.term] for row in rows):
        for one, other in itertools.product((False, True), repeat=2):
            chosen = scores[(part[first] == one) & (part[second] == other)]
            if len(chosen):
                mean = float(chosen.to_numpy().mean())
                names = {"first": in_words(first), "second": in_words(second)}
                cells.append({**names, "first_on": one, "second_on": other, "mean": mean})
    if not cells:
        return
    notes = {}
    for row in rows:
        first, second = map(in_words, by_label[row.term])
        aliased = f" (1 of {len(row.aliases) + 1})" if row.aliases else ""
        words = f"synergy {row.synergy:+z.2f}{aliased}".replace("-", "\N{MINUS SIGN}")
        notes[first, second] = words.replace("1 of ", "1\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}")
    caption = f"Mean scores {AVERAGED}. Parallel lines: no interaction of the two components."
    if any(row.aliases for row in rows):
        caption += _ALIASED
    arguments = {"cells": cells, "metric": f"{axis_of(analysis)}, averaged", "notes": notes}
    description = "Mean score of the four combinations of each pair"
    yield Plot("interactions", "interactions.png", description, caption, "interaction_grid", arguments)


def half_normal_plots(analysis: Analysis) -> Iterator[Plot]:
    """Yield the half-normal plot of a factorial design."""
    if analysis.factorial is None or not analysis.factorial.is_scored:
        return
    averages, limits = analysis.factorial.averages, analysis.factorial.screening
    caption = (
        "Effects that are pure noise follow a straight line through the origin. Those above Lenth's limits stand out "
        "(ME: margin of error of one effect, SME: simultaneous margin of all effects). Interactions are effects "
        "here: half of the synergy."
    )
    aliases = {row.term: row.aliases for row in analysis.factorial.contrasts}
    caption += _ALIASED * any(aliases.values())
    names = [_name(term, aliases.get(term, ())) for term in averages]
    arguments = {
        "contrasts": [*averages.values()], "names": names, "me": limits.me, "sme": limits.sme,
        "unit": unit_of(analysis),
    }  # fmt: skip
    description = "Half-normal plot with Lenth's limits"
    yield Plot("half_normal", "half-normal.png", description, caption, "half_normal", arguments)
