"""Secondary metrics: the same columns as the results, in tables of their own. They decide nothing."""

from __future__ import annotations

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import code, escape
from ablate.report.sections.results_table import effects_tables


def secondary_section(analysis: Analysis) -> str:
    """Return the section; empty for a study with one metric."""
    if not analysis.secondary:
        return ""
    parts = [
        "## Secondary metrics",
        f"{code(analysis.study.metric.label)} decides; the metrics below are secondary. P-values are corrected for the "
        "comparisons within each metric, not over the metrics.",
    ]
    for other in analysis.secondary:
        parts += [
            f"### {code(other.study.metric.name)}, secondary",
            *_about(other),
            *effects_tables(other, "secondary"),
        ]
    return "\n\n".join(parts)


def _about(analysis: Analysis) -> list[str]:
    """Return the margin, how the metric was read, and the runs without it."""
    study = analysis.study
    margin = f"Margin: {study.metric.with_unit(f'{study.margin:g}')}."
    return [escape(" ".join(filter(None, [margin, study.statement, account_for(analysis).sentence])))]
