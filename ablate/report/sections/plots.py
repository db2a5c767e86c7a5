"""Figures of a report with their captions."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import escape, image
from ablate.report.plots.render import Plot

Plots = Sequence[Plot]
MOST_ROWS = 60
"""Rows of a table in Markdown; the CSV files have all."""


def shown(plots: Plots, section: str) -> list[str]:
    """The figures of a section, each with its caption."""
    chosen = [found for found in plots if found.section == section]
    return [f"{image(found.path, found.words)}\n\n*{escape(found.caption)}*" for found in chosen]


def figures_section(plots: Plots) -> str:
    """Forest plot, paired slopes, training curves."""
    parts = []
    for title, key in (("Effects at a glance", "forest"), ("Seed by seed", "slopes"), ("Training", "curves")):
        found = shown(plots, key)
        if found:
            parts += [f"## {title}", *found]
    return "\n\n".join(parts)
