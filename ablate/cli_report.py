"""The command that writes a report: on a study of ours, or on anyone's runs."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate import console
from ablate.errors import UsageError, UserError
from ablate.flags import grouped
from ablate.options import JsonFlag, StoreFlags
from ablate.resnet9 import WORKLOAD

if TYPE_CHECKING:
    from ablate.report import Material, Reading, Report, TuningReport
    from ablate.tracking import Project, Tracker

_GOALS = ("max", "min")
_SPARE = ("reference", "p (Holm)", "seeds")
"""Columns of the main table that a narrow terminal does without; the sentences above it hold them too."""


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


@grouped(WORKLOAD)
def report(
    foreign: ForeignFlags,
    store: StoreFlags,
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY", help="A study's name; for other runs, what to call the report.", show_default=False
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            help="The smallest difference that matters, in points of accuracy; the study's own unless given.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The folder to write; reports/STUDY unless given.", metavar="PATH", show_default=False),
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="Also write one self-contained HTML file.")] = False,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Check the numbers that a text states about the study; write nothing.",
            metavar="FILE.md",
            show_default=False,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what a study found: reports/STUDY with report.md, tables and figures.

    Works while the study still runs, and says what is missing.

    Examples:

      ablate report demo --html

      ablate report --runs runs.csv --baseline full --margin 0.5

      ablate report --experiment their-study --metric val_acc --variant-param model --seed-param random_state

      ablate report demo --check README.md
    """
    from ablate.tracking import Project
    from ablate.tracking.quiet import collector_paused

    if foreign.runs and foreign.experiment:
        raise UsageError("--runs and --experiment name two sources: give one of them")
    if not (study or foreign.runs or foreign.experiment):
        raise UsageError("which study? ablate report NAME, or --runs FILE.csv, or --experiment NAME")
    if margin is not None and not 0 < margin < float("inf"):
        raise UsageError(f"--margin is the smallest difference that matters, above 0, not {margin:g}")
    project = Project.find()
    source = _Source(study, foreign, margin, store, project)
    if check is not None:
        _check(source, check, as_json=as_json)
        return
    with collector_paused():  # imports and tables make many objects and no garbage
        written = source.write(output, as_html=html)
    if as_json:
        console.emit(written.facts)
    else:
        show_report(written)


@dataclass(frozen=True)
class _Source:
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
        from ablate.report import draughtsmen, folder_name, write, write_report
        from ablate.tracking.quiet import collector_paused

        folder = output or self.project.reports / folder_name(self.name)
        with draughtsmen() as pool, collector_paused():
            if self.is_foreign:
                return write(self.material(), folder, as_html=as_html, pool=pool)
            return write_report(self.name, self.tracker(), folder, as_html=as_html, margin=self.margin, pool=pool)


def show_report(written: Report | TuningReport) -> None:
    """Print the answer, the main table, and where the files are."""
    from ablate.report import TuningReport

    if isinstance(written, TuningReport):
        for line in written.answer:
            console.result(line)
        console.result(f"\n{written.folder / 'report.md'}")
        return
    material = written.analysis.material
    console.result(f"{material.name}: {written.runs}")
    for text in [*written.incomplete, *material.cautions]:
        console.warn(text)
    for line in written.answer:
        console.prose(line)
    columns, rows = written.table
    console.table(columns, rows, title="", spare=[name for name in _SPARE if name in columns])
    console.result(f"\n{written.folder / 'report.md'}")


def _check(source: _Source, file: Path, *, as_json: bool) -> None:
    """Hold the numbers of a text against the study's; exit 1 if any disagrees."""
    from ablate.report import check_material

    if not file.is_file():
        raise UsageError(f"there is no file {file} to check")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{file} is no text in UTF-8") from None
    claims = check_material(source.material(), text)
    wrong = [claim for claim in claims if not claim.agrees]
    if as_json:
        console.emit(
            {
                "study": source.name,
                "file": str(file),
                "claims": len(claims),
                "wrong": len(wrong),
                "found": [vars(claim) for claim in claims],
            }
        )
    else:
        if claims:
            columns = ["line", "variant", "what", "says", "the study has", ""]
            rows = [
                [claim.line, claim.variant, claim.what, claim.claimed, claim.known, "" if claim.agrees else "WRONG"]
                for claim in claims
            ]
            console.table(columns, rows)
        console.result(f"{len(claims)} numbers about {source.name} found in {file}, {len(wrong)} of them wrong")
    if wrong:
        first = wrong[0]
        raise UserError(
            f"{len(wrong)} of {len(claims)} numbers disagree with {source.name}, the first in line {first.line}: "
            f"{first.what} of {first.variant} is {first.known}, not {first.claimed}"
        )
