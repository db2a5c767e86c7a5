"""The Markdown document: all sections in order."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.plots.render import Plot
from ablate.report.sections.answer import answer
from ablate.report.sections.appendix import file_list, glossary, reproduce
from ablate.report.sections.attribution import attribution_section
from ablate.report.sections.diagnostics import diagnostics
from ablate.report.sections.head import head
from ablate.report.sections.limits import limits
from ablate.report.sections.noise import noise_section
from ablate.report.sections.plots import plot_sections
from ablate.report.sections.results_table import results_section
from ablate.report.sections.study_card import study_card
from ablate.report.sections.tuning import tuning_section


def markdown(analysis: Analysis, plots: Sequence[Plot], files: Sequence[str]) -> str:
    """Return the document; `files` are the other files of the report."""
    parts = [
        head(analysis.study),
        answer(analysis),
        study_card(analysis),
        results_section(analysis) if analysis.effects else "",
        plot_sections(plots),
        attribution_section(analysis, plots),
        tuning_section(analysis, plots),
        noise_section(analysis, plots),
        diagnostics(analysis),
        limits(analysis),
        reproduce(analysis.study.commands),
        glossary(),
        file_list(files),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"
