"""The Markdown document: the answer with its figure and table, then all other sections, folded."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import folded
from ablate.report.formats.means_table import means_section
from ablate.report.plots.render import Plot
from ablate.report.sections.answer import answer_in_short, verdict_sentences
from ablate.report.sections.appendix import file_list, glossary, reproduce
from ablate.report.sections.attribution import attribution_section
from ablate.report.sections.datasets import datasets_section
from ablate.report.sections.diagnostics import diagnostics
from ablate.report.sections.head import head
from ablate.report.sections.learning import classes_section, gap_section, purposes_section
from ablate.report.sections.levels import levels_section
from ablate.report.sections.limits import limits
from ablate.report.sections.noise import noise_section
from ablate.report.sections.plots import plot_section
from ablate.report.sections.results_table import results_section
from ablate.report.sections.secondary import secondary_section
from ablate.report.sections.study_card import study_card
from ablate.report.sections.target import target_section
from ablate.report.sections.tuning import tuning_section
from ablate.report.sections.verdicts_table import verdicts_section


def markdown(analysis: Analysis, plots: Sequence[Plot], files: Sequence[str], more: str = "") -> str:
    """Return the document; `files` are the other files of the report, `more` a sentence on further ones."""
    parts = [
        head(analysis.study),
        answer_in_short(analysis),
        plot_section(plots, "forest", "Effects at a glance"),
        means_section(analysis),
        verdicts_section(analysis) if analysis.effects else "",
        "## Details",
        *_folded_sections(analysis, plots),
        file_list(files),
        more,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _folded_sections(analysis: Analysis, plots: Sequence[Plot]) -> list[str]:
    sections = [
        (verdict_sentences(analysis), "each verdict with its numbers, and what would settle the open ones"),
        (results_section(analysis) if analysis.effects else "", "means, both intervals, tests, detectable effects"),
        (levels_section(analysis, plots), "whether the levels differ at all, trends over values, interactions"),
        (target_section(analysis), "whether the mean of each variant is better than it"),
        (datasets_section(analysis, plots), "means of the differences, predictions for a new data set, ranks"),
        (secondary_section(analysis), "the same results for other metrics, which decide nothing"),
        (study_card(analysis), "metric, margin, design, seeds, data, versions"),
        (plot_section(plots, "slopes", "Seed by seed"), "the paired scores of every seed"),
        (plot_section(plots, "curves", "Training curves"), "every variant over the epochs"),
        (gap_section(analysis), "training and validation scores, and signs of overfitting"),
        (classes_section(analysis), "which classes a component helps"),
        (plot_section(plots, "batch", "Images as trained"), "what the network sees in training"),
        (purposes_section(analysis), "what each component is for"),
        (attribution_section(analysis, plots), "contributions of components, alone and in combination"),
        (tuning_section(analysis, plots), "effects with the baseline's settings and with tuned ones"),
        (noise_section(analysis, plots), "the variation between seeds and between images"),
        (diagnostics(analysis), "incomplete runs, and the results of other tests"),
        (limits(analysis), "what the results do not show"),
        (reproduce(analysis.study.commands), "the commands"),
        (glossary(), "the terms of this report"),
    ]
    return [_folded(text, about) for text, about in sections if text]


def _folded(section: str, about: str) -> str:
    heading, _, text = section.partition("\n\n")
    return folded(heading.removeprefix("## "), about, text)
