"""Tuned ablations: drop-in and re-tuned effects side by side, the chosen values, and the searches."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bullets, caution, code, escape, table
from ablate.report.formats.numbers import DASH, corrected, digits_of, interval, signed, value_text
from ablate.report.plots.render import Plot
from ablate.report.search_data import CONDITIONAL, Searches
from ablate.report.sections.plots import plots_in
from ablate.report.sections.tuning_text import edge_lines, method, score_text, trials_summary
from ablate.stats.effects import Effect

ESTIMANDS = (
    "The two differences answer two questions. Drop-in: the effect of removing a component with all settings "
    "unchanged. Re-tuned: the effect of removing it after both variants were tuned alike, with the same budget, "
    "sampler and seeds, and with the same search space except for the hyperparameters of components that are off. "
    "Both are paired over the same fresh seeds, and each is corrected separately for multiple comparisons."
)


def tuning_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """Return the section, or nothing for a study that was not tuned."""
    searches = analysis.study.searches
    if searches is None:
        return ""
    estimands, *others = plots_in(plots, "tuning") or [""]
    parts = [
        "## Drop-in and re-tuned",
        escape(ESTIMANDS),
        _effects_table(analysis),
        escape(CONDITIONAL),
        estimands,
        "### Chosen values",
        _chosen_table(searches),
        *map(caution, edge_lines(list(searches.by_arm.values()))),
        "### Searches",
        *map(caution, _unequal_budgets(searches)),
        bullets(map(escape, method(searches.first))),
        _summaries(searches),
        *others,
    ]
    return "\n\n".join(part for part in parts if part)


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
        escape(corrected(effect.p_holm, effect)),
        escape(effect.verdict),
    ]


def _chosen_table(searches: Searches) -> str:
    """Return one row per variant: validation score before and after tuning, and the chosen values."""
    names = list(dict.fromkeys(name for search in searches.by_arm.values() for name in search.space.names))
    rows = []
    for label, search in searches.by_arm.items():
        scores = [
            score_text(trial.values[0], search.objective) if trial else DASH
            for trial in (search.baseline, search.winner)
        ]
        chosen = search.winner.params if search.winner else {}
        rows.append([code(label), *scores, *(value_text(chosen.get(name)) for name in names)])
    columns = ["variant", "validation, original recipe", "validation, best trial", *(code(name) for name in names)]
    return table(columns, rows, numeric=range(1, len(columns)))


def _unequal_budgets(searches: Searches) -> list[str]:
    """Return a caution if the numbers of trials differ: only equal budgets make the comparison fair."""
    counts = {label: sum(trial.is_over for trial in search.trials) for label, search in searches.by_arm.items()}
    if len(set(counts.values())) == 1:
        return []
    words = ", ".join(f"{label} {number}" for label, number in counts.items())
    return [f"The variants had unequal numbers of trials, which favours those with more: {words}."]


def _summaries(searches: Searches) -> str:
    rows = [[code(label), escape(trials_summary(search))] for label, search in searches.by_arm.items()]
    return table(["variant", "trials"], rows)
