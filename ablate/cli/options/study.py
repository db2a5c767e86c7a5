"""Groups of options of the commands that run studies: the study, and the execution of its runs."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ablate.api.resources import ExecutionChoice
from ablate.cli.options import names, panels
from ablate.cli.options.common import JSON_HELP
from ablate.cli.options.recipe import RecipeFlags
from ablate.cli.options.vary import parse_vary
from ablate.errors import UsageError
from ablate.studies.designs import DESIGNS
from ablate.studies.study import Study
from ablate.studies.study_checks import MOST_SEEDS
from ablate.wording import alternatives

_RESOLUTION = inspect.signature(DESIGNS["fractional"]).parameters["resolution"].default


def _study(text: str, *flags: str, panel: str = panels.STUDY, **more: Any) -> Any:
    return typer.Option(*flags, help=text, rich_help_panel=panel, **more)


def execution_option(*flags: str, text: str, panel: str = panels.EXECUTION, **more: Any) -> Any:
    """Return an option under the heading of execution."""
    return typer.Option(*flags, help=text, rich_help_panel=panel, **more)


@dataclass(frozen=True)
class StudyFlags:
    """The study to run. Each option overrides the study file."""

    design: Annotated[
        str | None,
        _study(f"{alternatives(names.DESIGN_NAMES)}.", metavar="NAME", show_default=Study.design),
    ] = None
    factors: Annotated[
        str | None, _study("Factors to ablate.", metavar="A,B,...", show_default="those of the baseline")
    ] = None
    vary: Annotated[
        list[str] | None,
        _study(
            "Values of a setting, each against the baseline's. Several change together: lr,epochs=0.01:4,0.03:8. "
            "Repeatable.",
            "--vary",
            metavar="NAME=A,B,...",
            show_default=False,
        ),
    ] = None
    all_pairs: Annotated[
        bool, _study("Also compare levels, and named arms, with each other.", "--all-pairs", panel=panels.ADVANCED)
    ] = False
    seeds: Annotated[
        str | None,
        _study("Number of seeds, or a list (0,3,7 or 20-69).", metavar="N|A,B,...", show_default=str(Study.seeds)),
    ] = None
    margin: Annotated[
        float | None,
        _study(
            "Smallest difference that matters, in percentage points or the metric's unit.",
            show_default=f"{Study.margin:g}",
        ),
    ] = None
    preset: Annotated[
        str | None,
        _study(
            f"Scale: {alternatives(names.PRESETS)}, or one of the study's own.",
            metavar="NAME",
            show_default=names.WORKLOAD.default_preset,
        ),
    ] = None
    name: Annotated[
        str | None, _study("Name of the study.", "--name", metavar="NAME", show_default="the file's name")
    ] = None
    resolution: Annotated[
        int | None,
        _study("Resolution of the fractional design.", panel=panels.ADVANCED, min=3, show_default=str(_RESOLUTION)),
    ] = None

    def study(self, file: Path | None, recipe: RecipeFlags) -> Study:
        """Return the study of `file`, or the default one, with the changes of the command line."""
        from ablate.api.sweeps import named
        from ablate.workloads.custom.study_file import in_study_file, load_study

        study = load_study(file) if file else Study()
        recipe.check(study.workload)
        factors = [name.strip().replace("-", "_") for name in self.factors.split(",")] if self.factors else None
        vary = parse_vary(self.vary, study.workload)
        changed = study.change(
            design=self.design,
            factors=factors,
            vary={**study.vary, **vary} if vary else None,
            all_pairs=self.all_pairs or None,
            seeds=parse_seeds(self.seeds),
            margin=self.margin,
            preset=self.preset,
            name=self.name,
            on=_switched(study.on, recipe.switches, is_on=True),
            off=_switched(study.off, recipe.switches, is_on=False),
            values={**study.values, **recipe.values},
            options=study.options if self.resolution is None else {**study.options, "resolution": self.resolution},
        )
        mistake = _mistake(changed)
        if file and mistake and str(mistake) == str(_mistake(study)):
            raise in_study_file(file, mistake)
        return named(changed)


def _mistake(study: Study) -> UsageError | None:
    """Return what is wrong with the declarations of a study, which options of the command line may correct."""
    try:
        study.resolved_design  # noqa: B018  # it raises the error
    except UsageError as error:
        return error
    return None


def _switched(names: Iterable[str], switches: Mapping[str, bool], *, is_on: bool) -> list[str]:
    """Return the factors that the study file or the command line, which decides, switches on or off."""
    kept = [name for name in names if switches.get(name, is_on) == is_on]
    return list(dict.fromkeys([*kept, *(name for name, chosen in switches.items() if chosen == is_on)]))


def parse_seeds(text: str | None) -> int | list[int] | None:
    """Return a number of seeds, or the list of them. Raises UsageError for text that is neither."""
    if text is None:
        return None
    try:
        numbers = [seed for part in text.removesuffix(",").split(",") for seed in _seed_range(part)]
    except ValueError:
        raise UsageError(f"--seeds takes a number of seeds (5) or a list (0,3,7 or 20-69), not {text!r}") from None
    if not numbers or min(numbers) < 0 or text.strip() == "0":
        raise UsageError(f"--seeds takes a number from 1, or a list of integers from 0, not {text!r}")
    return numbers if len(numbers) > 1 or "," in text or "-" in text else numbers[0]


def _seed_range(text: str) -> Sequence[int]:
    """Return the seeds of `7` or `20-69`."""
    first, dash, last = text.partition("-") if text[:1] != "-" else (text, "", "")
    if not dash:
        return [int(first)]
    seeds = range(int(first), int(last) + 1)
    if not 0 < len(seeds) <= MOST_SEEDS:
        raise UsageError(f"--seeds: {text} is not a range of 1 to {MOST_SEEDS:,} seeds")
    return seeds


@dataclass(frozen=True)
class ExecutionFlags(ExecutionChoice):
    """Where the runs or trials of a command are executed, and how many in parallel."""

    jobs: Annotated[
        int | None, execution_option(text="Parallel runs or trials.", min=1, show_default="by number of cores or GPUs")
    ] = None
    executor: Annotated[str, execution_option(text=f"{alternatives(names.EXECUTORS)}.", metavar="NAME")] = "processes"
    as_json: Annotated[bool, execution_option("--json", text=JSON_HELP)] = False
    max_failures: Annotated[
        int, execution_option(text="Stop after this many failed runs or trials.", panel=panels.ADVANCED, min=1)
    ] = 5
    mix: Annotated[
        bool,
        execution_option("--mix", text="Reuse runs of other devices and precisions.", panel=panels.ADVANCED),
    ] = False
    address: Annotated[
        str | None,
        execution_option(text="Address of a running Ray cluster.", panel=panels.ADVANCED, show_default=False),
    ] = None
    slurm: Annotated[
        str | None,
        execution_option(
            text="Options of sbatch for the jobs on a Slurm cluster (partition=gpu,time=02:00:00,gres=gpu:1).",
            metavar="KEY=VALUE,...",
            panel=panels.ADVANCED,
            show_default=False,
        ),
    ] = None
    runs_per_job: Annotated[
        int | None,
        execution_option(
            text="End a Slurm job after this many runs.", min=1, panel=panels.ADVANCED, show_default="no limit"
        ),
    ] = None


@dataclass(frozen=True)
class SweepFlags(ExecutionFlags):
    """How the runs of a study are executed."""

    dry_run: Annotated[
        bool,
        execution_option("--dry-run", text="Show planned runs, time and detectable difference, then exit."),
    ] = False
    until_clear: Annotated[
        bool,
        execution_option(
            "--until-clear", text="Sequential testing at 5, 10 and 20 seeds; settled comparisons stop early."
        ),
    ] = False
    again: Annotated[bool, execution_option("--again", text="Rerun finished runs.")] = False
    retry_failed: Annotated[bool, execution_option("--retry-failed", text="Rerun failed runs.")] = False
