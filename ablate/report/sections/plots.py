"""Figures of a report with their captions."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import escape, picture
from ablate.report.plots.study_plots import Picture

Pictures = Sequence[Picture]
MOST_ROWS = 60
"""Rows of a table in Markdown; the CSV files have all."""


def shown(pictures: Pictures, section: str) -> list[str]:
    """The figures of a section, each with its caption."""
    chosen = [found for found in pictures if found.section == section]
    return [f"{picture(found.path, found.words)}\n\n*{escape(found.caption)}*" for found in chosen]


def figures_section(pictures: Pictures) -> str:
    """Forest plot, paired slopes, training curves."""
    parts = []
    for title, key in (("Effects at a glance", "forest"), ("Seed by seed", "slopes"), ("Training", "curves")):
        found = shown(pictures, key)
        if found:
            parts += [f"## {title}", *found]
    return "\n\n".join(parts)
