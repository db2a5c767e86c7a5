"""The plots of a report with their captions."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import escape, image
from ablate.report.plots.render import Plot

_SECTIONS = (("Effects at a glance", "forest"), ("Seed by seed", "slopes"), ("Training curves", "curves"))


def plots_in(plots: Sequence[Plot], section: str) -> list[str]:
    """Return the plots of a section as Markdown."""
    return [plot_text(plot) for plot in plots if plot.section == section]


def plot_text(plot: Plot) -> str:
    """Return a plot with its caption as Markdown."""
    return f"{image(plot.path, plot.description)}\n\n*{escape(plot.caption)}*"


def plot_sections(plots: Sequence[Plot]) -> str:
    """Return the sections that contain nothing else: forest plot, paired slopes, training curves."""
    parts = []
    for title, section in _SECTIONS:
        found = plots_in(plots, section)
        if found:
            parts += [f"## {title}", *found]
    return "\n\n".join(parts)
