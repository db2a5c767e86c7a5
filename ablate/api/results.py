"""The results of a comparison for Python: a data frame, plots in axes, tables for a paper, a page in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ablate.api.messages import LOGGER, logged_messages
from ablate.errors import UsageError, UserError
from ablate.report.effect_rows import effects_file
from ablate.report.formats.html import fragment, picture
from ablate.report.formats.latex import latex_table
from ablate.report.formats.markdown_text import escape
from ablate.report.formats.paper_table import markdown_table
from ablate.report.plots.recorded import curve_plots
from ablate.report.plots.render import Drawing, Format, Plot
from ablate.report.plots.study_plots import forest_plots
from ablate.report.results import Results
from ablate.report.write import Report, write_results
from ablate.wording import aligned, unknown

if TYPE_CHECKING:
    import pandas as pd

    from ablate.figures import Axes

PLOTS = ("forest", "curves")


@dataclass(frozen=True, repr=False, eq=False)
class ComparisonResult(Results):
    """The differences between variants, with intervals and verdicts.

    In a notebook it is shown as the answer in words, the table and the forest plot; `print` shows the answer and the
    table.

    Attributes:
        analysis: The runs, the effects and everything else that the report is made of.
    """

    @property
    def effects(self) -> pd.DataFrame:
        """The effects, one row per comparison, with the columns of `effects.csv`."""
        return effects_file(self.analysis)

    @property
    def cautions(self) -> list[str]:
        """Warnings about the runs, and their counts by status where not all are finished."""
        return [*self.incomplete, *self.analysis.study.cautions]

    def plot(self, kind: Literal["forest", "curves"] = "forest", ax: Axes | None = None) -> Axes:
        """Plot the differences (`forest`) or the compared metric by step (`curves`), and return the axes.

        Args:
            kind: The plot.
            ax: Axes to draw into. Without them, the plot of the report is drawn in a figure of its own, which a
                notebook shows.

        Raises:
            UsageError: The kind is unknown.
            UserError: Nothing is compared, or the runs have no values by step.
        """
        from ablate import figures

        plot = _plot(self, kind)
        if ax is not None and not hasattr(ax, "get_figure"):
            raise UsageError(f"ax must be axes of Matplotlib, such as those of plt.subplots(), not {type(ax).__name__}")
        if ax is not None:
            (figures.forest_axes if kind == "forest" else figures.run_curves_axes)(ax, **plot.arguments)
            return ax
        make: Callable[..., Any] = figures.forest_figure if kind == "forest" else figures.run_curves_figure
        axes: Axes = make(**plot.arguments).axes[0]
        return axes

    def to_markdown(self) -> str:
        """Return the table of results as Markdown."""
        return markdown_table(self.analysis)

    def to_latex(self) -> str:
        """Return the table of results as LaTeX."""
        return latex_table(self.analysis)

    def save(self, folder: str | PathLike[str], *, html: bool = False, figures: Sequence[Format] = ()) -> Report:
        """Write the report into a folder, as `ablate report --output` does, and return it.

        Args:
            folder: The folder. An older report in it is replaced.
            html: Whether to write also one HTML file.
            figures: Formats in which each figure is written next to the PNG: `pdf`, `svg`.

        Raises:
            UserError: The folder cannot be written.
        """
        if not isinstance(folder, str | PathLike) or not str(folder):
            raise UsageError(f"The report needs a folder, not {folder!r}")
        with logged_messages():
            drawing = Drawing(formats=list(figures))
            return write_results(self.analysis, Path(folder).expanduser(), as_html=html, drawing=drawing)

    def __repr__(self) -> str:
        study = self.analysis.study
        warnings = [f"warning: {text}" for text in self.cautions]
        return "\n".join([f"{study.name}: {self.runs}", *warnings, *self.answer, "", *aligned(*self.table)])

    def _repr_html_(self) -> str:
        cautions = "\n\n".join(f"> {line}" for line in map(escape, self.cautions))
        text = fragment("\n\n".join(filter(None, [self.note, cautions, markdown_table(self.analysis)])))
        return f"<div>{text}{_picture(self)}</div>"


def _plot(result: ComparisonResult, kind: str) -> Plot:
    if kind not in PLOTS:
        raise UsageError(unknown("plot", kind, PLOTS))
    makers = forest_plots if kind == "forest" else curve_plots
    plot = next(iter(makers(result.analysis)), None)
    if plot is None:
        nothing = "No differences to plot" if kind == "forest" else "No curves to plot: the runs have no values by step"
        raise UserError(nothing)
    return plot


def _picture(result: ComparisonResult) -> str:
    """Return the forest plot as HTML; nothing if it cannot be drawn."""
    from ablate import figures

    try:
        plot = next(iter(forest_plots(result.analysis)), None)
        return "" if plot is None else picture(figures.forest(**plot.arguments), plot.description)
    except Exception as error:
        LOGGER.warning("The forest plot could not be drawn (%s: %s)", type(error).__name__, error)
        return ""
