"""Comparisons of variants that share only some of their seeds, by all of their runs."""

from __future__ import annotations

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import MOST_ROWS, escape, table
from ablate.report.formats.numbers import digits_of, plain, probability, signed
from ablate.stats.effects.pairing import read_arms
from ablate.stats.effects.unpaired import partly_paired_t

_COLUMNS = ("variant", "pairs", "other runs, variant and reference", "difference, all runs", "SE", "df", "p")
_WORDS = (
    "Partly paired: the results compare the runs that share a seed. As a sensitivity analysis, the test T_new2 of all "
    "runs (Derrick, Russ, Toher and White, 2017), not corrected for multiple comparisons. It does not affect "
    "the verdicts; to compare all runs without pairs, declare --unpaired."
)


def partly_paired_part(analysis: Analysis) -> list[str]:
    """Return the test of all runs of variants that share only some seeds; nothing for studies of this package.

    Their missing runs are still to come, or were not needed.
    """
    study = analysis.study
    if study.counts.planned is not None or not study.has_paired_seeds:
        return []
    arms, digits, rows = read_arms(study.runs, study.metric), digits_of(study.metric, study.margin), []
    for effect in analysis.compared[:MOST_ROWS]:
        found = partly_paired_t(arms.get(effect.variant).values, arms.get(effect.reference).values)
        if found is None or effect.evidence.paired.repeated:
            continue
        rows.append([
            escape(effect.variant), str(found.n), f"{found.n_variant} and {found.n_reference}",
            signed(found.delta, digits), plain(found.error, digits + 1), plain(found.freedom, 2),
            escape(probability(found.p)),
        ])  # fmt: skip
    return [escape(_WORDS), table(_COLUMNS, rows, numeric=range(1, 7))] if rows else []
