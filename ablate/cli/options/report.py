"""Option groups of `ablate report`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.report.sources.table import TableOptions

_GOALS = ("max", "min")


def _external(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Runs recorded elsewhere", show_default=False, **more)


@dataclass(frozen=True)
class ExternalFlags:
    """Runs that were recorded elsewhere, and how to read them."""

    runs: Annotated[
        Path | None,
        _external(
            text="A CSV, a row a run: variant, seed, status, the metric, a true/false column a factor.",
            metavar="FILE.csv",
        ),
    ] = None
    experiment: Annotated[str | None, _external(text="An MLflow experiment, whoever made it.", metavar="NAME")] = None
    metric: Annotated[
        str | None, _external(text="The column or MLflow metric; test_accuracy unless given.", metavar="NAME")
    ] = None
    metric_goal: Annotated[str | None, _external(text="Whether higher or lower is better.", metavar="max|min")] = None
    baseline: Annotated[
        str, _external(text="The variant that the others are held against; 'baseline' unless given.")
    ] = "baseline"
    variant_param: Annotated[str | None, _external(text="What names the variant.", metavar="NAME")] = None
    factor_params: Annotated[
        str | None, _external(text="The true/false columns or params that are factors.", metavar="A,B,...")
    ] = None
    seed_param: Annotated[str, _external(text="What names the seed; 'seed' unless given.", metavar="NAME")] = "seed"
    floor: Annotated[
        float | None, _external(text="What an unstable run without a value counts as.", metavar="NUMBER")
    ] = None
    exploratory: Annotated[
        bool, _external("--exploratory", text="The comparisons were not planned before the runs.")
    ] = False

    def table_options(self, margin: float | None) -> TableOptions:
        """Return how to read the runs. Raises UsageError for a goal that is neither max nor min."""
        from ablate.report.sources.table import TableOptions

        if self.metric_goal not in (None, *_GOALS):
            raise UsageError(f"--metric-goal is max or min, not {self.metric_goal!r}")
        factors = tuple(name.strip() for name in (self.factor_params or "").split(",") if name.strip())
        return TableOptions(
            margin=margin,
            baseline=self.baseline,
            variant=self.variant_param,
            factors=factors,
            seed=self.seed_param,
            metric=self.metric,
            goal=self.metric_goal,
            floor=self.floor,
            exploratory=self.exploratory,
        )

    def command(self, study: str | None, margin: float | None) -> str:
        """Return the command line that writes the same report."""
        given = {item.name: (getattr(self, item.name), item.default) for item in fields(self)} | {
            "margin": (margin, None)
        }
        words = ["ablate", "report", *([study] if study else [])]
        for name, (value, default) in given.items():
            if value != default:
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return shlex.join(words)


@dataclass(frozen=True)
class ReportFlags:
    """What a report contains, and where it goes."""

    margin: Annotated[
        float | None,
        typer.Option(
            help="The smallest difference that matters, in points of accuracy; the study's own unless given.",
            show_default=False,
        ),
    ] = None
    output: Annotated[
        Path | None,
        typer.Option(help="The folder to write; reports/STUDY unless given.", metavar="PATH", show_default=False),
    ] = None
    html: Annotated[bool, typer.Option("--html", help="Also write one self-contained HTML file.")] = False
    check: Annotated[
        Path | None,
        typer.Option(
            help="Check the numbers that a text states about the study; write nothing.",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False
