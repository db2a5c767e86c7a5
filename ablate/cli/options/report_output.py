"""Options of `ablate report` for its output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.options import names, panels
from ablate.cli.options.common import JSON_HELP
from ablate.errors import UsageError
from ablate.wording import alternatives

if TYPE_CHECKING:
    from ablate.report.plots.render import Drawing


def _report(*flags: str, text: str, **more: Any) -> Any:
    return typer.Option(*flags, help=text, rich_help_panel=panels.REPORT, **more)


@dataclass(frozen=True)
class ReportFlags:
    """The content of a report, and where it is written."""

    margin: Annotated[
        str | None,
        _report(
            text="Smallest difference that matters, in percentage points or the metric's unit; for several metrics, "
            "acc=0.5,loss=0.02.",
            metavar="FLOAT",
            show_default="the study's",
        ),
    ] = None
    output: Annotated[
        Path | None, _report(text="Folder of the report.", metavar="PATH", show_default="reports/STUDY")
    ] = None
    html: Annotated[bool, _report("--html", text="Also write one self-contained HTML file.")] = False
    figures: Annotated[
        str | None,
        _report(
            text="Also write each figure for a paper, next to the PNG: pdf, svg or both.",
            metavar="pdf,svg",
            show_default=False,
        ),
    ] = None
    figure_width: Annotated[
        str | None,
        _report(
            text="Width of these figures: that of a page (6.9 inches) or of one of its two columns (3.3 inches).",
            metavar="|".join(names.FIGURE_WIDTHS),
            show_default="page",
        ),
    ] = None
    check: Annotated[
        Path | None,
        _report(
            text="Check the marked numbers and tables in a text, instead of writing a report.",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None
    fill: Annotated[
        Path | None,
        _report(
            text="Write the study's numbers into the marks in a text, instead of writing a report.",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None
    as_json: Annotated[bool, _report("--json", text=JSON_HELP)] = False

    def drawing(self) -> Drawing:
        """Return how the figures are drawn. Raises UsageError for an unknown format or width."""
        from ablate.report.plots.render import Drawing

        if self.figure_width is not None and not self.figures:
            raise UsageError("--figure-width is for --figures pdf and --figures svg")
        formats = [word.strip().lower() for word in (self.figures or "").split(",") if word.strip()]
        wrong = [word for word in formats if word not in (*names.FIGURE_FORMATS, "png")]
        if wrong or (self.figures is not None and not formats):
            raise UsageError(
                f"Unknown format of figures {wrong[0] if wrong else self.figures!r}. Use pdf, svg or pdf,svg"
            )
        width = self.figure_width or names.FIGURE_WIDTHS[0]
        if width not in names.FIGURE_WIDTHS:
            raise UsageError(f"--figure-width must be {alternatives(names.FIGURE_WIDTHS)}, not {width!r}")
        kinds = [kind for kind in names.FIGURE_FORMATS if kind in formats]  # a PNG is written in any case
        return Drawing(formats=kinds, medium=width)
