"""Section 8 of a report: drop-in beside re-tuned effects, what tuning chose for each arm, and with what budget."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, code, escape, image, table
from ablate.report.formats.numbers import DASH, digits_of, interval, probability, signed, value_text
from ablate.report.plots.render import Plot
from ablate.report.search_data import CONDITIONAL, Searches, SearchResult
from ablate.report.sections.tuning_text import edge_lines, method, score_text, trials_summary
from ablate.stats.effects import Effect

ESTIMANDS = (
    "Two questions, two answers. Drop-in: what does removing the component do, all settings as they are? Re-tuned: "
    "what does it do when both arms are tuned alike, with the same space (less the knobs of what is off), budget, "
    "sampler and seeds? Both are paired over the same fresh seeds, and each set of comparisons is corrected for its "
    "own number."
)


def tuning_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """The section, or nothing for a study that was not tuned."""
    searches = analysis.study.searches
    if searches is None:
        return ""
    shown = [f"{image(one.path, one.words)}\n\n*{escape(one.caption)}*" for one in plots if one.section == "tuning"]
    parts = ["## Drop-in and re-tuned", escape(ESTIMANDS), _effects_table(analysis), escape(CONDITIONAL)]
    parts += shown[:1]
    parts += ["### What tuning chose", _chosen_table(searches), *(f"> **Caution:** {escape(line)}" for line in
              edge_lines(list(searches.by_arm.values())))]  # fmt: skip
    parts += [
        "### How the arms were tuned",
        *_unequal(searches),
        bullets(escape(line) for line in method(searches.first)),
    ]
    parts.append(_summaries(searches))
    return "\n\n".join([*parts, *shown[1:]])


def _effects_table(analysis: Analysis) -> str:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = []
    for effect in analysis.compared:
        other = analysis.partner(effect)
        cells = [code(effect.variant), code(effect.reference), *_cells(effect, digits)]
        rows.append([*cells, *(_cells(other, digits) if other else [DASH] * 4)])
    columns = ["variant", "reference"]
    for estimand in ("drop-in", "re-tuned"):
        columns += [f"{estimand}: difference", "95 % interval", "p (Holm)", f"{estimand}: verdict"]
    return table(columns, rows, numeric=(2, 3, 4, 6, 7, 8))


def _cells(effect: Effect, digits: int) -> list[str]:
    return [
        signed(effect.delta, digits),
        interval(effect.ci_low, effect.ci_high, digits),
        escape(probability(effect.p_holm)),
        escape(effect.verdict),
    ]


def _chosen_table(searches: Searches) -> str:
    """A row an arm: its score before and after, and the values that were chosen."""
    names = list(dict.fromkeys(name for search in searches.by_arm.values() for name in search.space.names))
    rows = []
    for label, search in searches.by_arm.items():
        winner, before = search.winner, search.baseline
        cells = [code(label), _of(before, search), _of(winner, search)]
        params = winner.params if winner else {}
        rows.append([*cells, *(value_text(params.get(name)) for name in names)])
    columns = ["arm", "validation as it was", "validation, best trial", *(code(name) for name in names)]
    return table(columns, rows, numeric=range(1, len(columns)))


def _of(trial: object, search: SearchResult) -> str:
    values = getattr(trial, "values", ())
    return score_text(values[0], search.objective) if values else DASH


def _unequal(searches: Searches) -> list[str]:
    """A caution where some arm had more trials than another: the same budget is what makes the comparison fair."""
    counts = {label: sum(trial.is_over for trial in search.trials) for label, search in searches.by_arm.items()}
    if len(set(counts.values())) == 1:
        return []
    words = ", ".join(f"{label} {number}" for label, number in counts.items())
    return [
        f"> **Caution:** {escape(f'The arms had unequal numbers of trials, which favours those with more: {words}.')}"
    ]


def _summaries(searches: Searches) -> str:
    rows = [[code(label), escape(trials_summary(search))] for label, search in searches.by_arm.items()]
    return table(["arm", "trials"], rows)
