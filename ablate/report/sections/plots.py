"""The plots of a report with their captions."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import escape, image
from ablate.report.plots.render import Plot


def plots_in(plots: Sequence[Plot], section: str) -> list[str]:
    """Return the plots of a section as Markdown."""
    return [plot_text(plot) for plot in plots if plot.section == section]


def plot_text(plot: Plot) -> str:
    """Return a plot with its caption as Markdown."""
    return f"{image(plot.path, plot.description)}\n\n*{escape(plot.caption)}*"


def plot_section(plots: Sequence[Plot], section: str, title: str) -> str:
    """Return a section that contains nothing but plots; empty without any."""
    found = plots_in(plots, section)
    return "\n\n".join([f"## {title}", *found]) if found else ""
