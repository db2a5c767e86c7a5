"""Where the runs of a report come from: a study of ours, a table, or an MLflow experiment."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.options.common import StoreFlags
from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.report import Material, Reading, Report, TuningReport
    from ablate.tracking import Project, Tracker

_GOALS = ("max", "min")


def _foreign(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="Runs that were not made here", show_default=False, **more)


@dataclass(frozen=True)
class ForeignFlags:
    """Whose runs, and how to read them."""

    runs: Annotated[
        Path | None,
        _foreign(
            text="A CSV, a row a run: variant, seed, status, the metric, a true/false column a factor.",
            metavar="FILE.csv",
        ),
    ] = None
    experiment: Annotated[str | None, _foreign(text="An MLflow experiment, whoever made it.", metavar="NAME")] = None
    metric: Annotated[
        str | None, _foreign(text="The column or MLflow metric; test_accuracy unless given.", metavar="NAME")
    ] = None
    metric_goal: Annotated[str | None, _foreign(text="Whether higher or lower is better.", metavar="max|min")] = None
    baseline: Annotated[
        str, _foreign(text="The variant that the others are held against; 'baseline' unless given.")
    ] = "baseline"
    variant_param: Annotated[str | None, _foreign(text="What names the variant.", metavar="NAME")] = None
    factor_params: Annotated[
        str | None, _foreign(text="The true/false columns or params that are factors.", metavar="A,B,...")
    ] = None
    seed_param: Annotated[str, _foreign(text="What names the seed; 'seed' unless given.", metavar="NAME")] = "seed"
    floor: Annotated[
        float | None, _foreign(text="What an unstable run without a value counts as.", metavar="NUMBER")
    ] = None
    exploratory: Annotated[
        bool, _foreign("--exploratory", text="The comparisons were not planned before the runs.")
    ] = False

    def reading(self, margin: float | None) -> Reading:
        """Return how the runs are to be read."""
        from ablate.report import Reading

        if self.metric_goal not in (None, *_GOALS):
            raise UsageError(f"--metric-goal is max or min, not {self.metric_goal!r}")
        factors = tuple(name.strip() for name in (self.factor_params or "").split(",") if name.strip())
        return Reading(
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


@dataclass(frozen=True)
class Source:
    """Where the runs of a report come from."""

    study: str | None
    foreign: ForeignFlags
    margin: float | None
    store: StoreFlags
    project: Project

    @property
    def name(self) -> str:
        """What the report is called."""
        stem = self.foreign.runs.stem if self.foreign.runs else None
        return self.study or stem or self.foreign.experiment or ""

    def material(self) -> Material:
        """Read the runs."""
        from ablate.report import from_experiment, from_study, from_table, read_csv

        if not self.is_foreign:
            return from_study(self.name, self.tracker(), self.margin)
        reading = self.foreign.reading(self.margin)
        if self.foreign.runs:
            found = from_table(self.name, self.foreign.runs.name, read_csv(self.foreign.runs), reading)
        else:
            found = from_experiment(self.foreign.experiment or "", self.tracker(), reading)
        return replace(found, name=self.name, commands=[self.command])

    @property
    def is_foreign(self) -> bool:
        """Whether the runs are not those of a study of ours."""
        return bool(self.foreign.runs or self.foreign.experiment)

    @property
    def command(self) -> str:
        """The command that makes a report on runs that were not made here."""
        words = ["ablate", "report", *([self.study] if self.study else [])]
        given = {
            **{item.name: getattr(self.foreign, item.name) for item in fields(self.foreign)},
            "margin": self.margin,
        }
        usual = {item.name: item.default for item in fields(self.foreign)}
        for name, value in given.items():
            if value != usual.get(name):
                words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return shlex.join(words)

    def tracker(self) -> Tracker:
        """Open the store, with what earlier commands could not deliver."""
        return self.store.open_current(self.project)

    def write(self, output: Path | None, *, as_html: bool) -> Report | TuningReport:
        """Write the report; one on a study of ours is attached to it."""
        from ablate.cores import collector_paused
        from ablate.report import draughtsmen, folder_name, write, write_report

        folder = output or self.project.reports / folder_name(self.name)
        with draughtsmen() as pool, collector_paused():
            if self.is_foreign:
                return write(self.material(), folder, as_html=as_html, pool=pool)
            return write_report(self.name, self.tracker(), folder, as_html=as_html, margin=self.margin, pool=pool)
