"""The flags of commands that make the runs of a study: what it asks, and how its runs are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.options.recipe import Selection
from ablate.cores import usable_cores
from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.runs.executors import Executor
    from ablate.studies.conditions import Conditions
    from ablate.studies.study import Study


def _study_flag(text: str, **more: Any) -> Any:
    return typer.Option(help=text, rich_help_panel="The study; a flag wins over the file", show_default=False, **more)


def _how_flag(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="How it runs", **more)


@dataclass(frozen=True)
class StudyFlags:
    """What a study asks; each flag wins over the study's file."""

    design: Annotated[
        str | None,
        _study_flag(
            "leave-one-out (default), add-one-in, both-ways, pairs, factorial, fractional, plackett-burman or path.",
            metavar="NAME",
        ),
    ] = None
    factors: Annotated[
        str | None, _study_flag("The factors in question; the baseline's unless given.", metavar="A,B,...")
    ] = None
    seeds: Annotated[str | None, _study_flag("How many seeds (5: 0 to 4), or which.", metavar="N|A,B,...")] = None
    margin: Annotated[
        float | None, _study_flag("The smallest difference that matters: points, or the metric's unit.")
    ] = None
    preset: Annotated[
        str | None, _study_flag("The scale: notebook, laptop or demo, or one of the study's own.", metavar="NAME")
    ] = None
    name: Annotated[str | None, _study_flag("What the study is called; the file's stem unless given.")] = None
    resolution: Annotated[int | None, _study_flag("Of the fractional design; 4 unless given.", min=3)] = None

    def study(self, file: Path | None, selection: Selection) -> Study:
        """Return the study of `file`, or the default one, with what the flags change."""
        from ablate.studies.study import Study
        from ablate.workloads.custom.study_file import load_study

        study = load_study(file) if file else Study()
        selection.check(study.workload)
        factors = [name.strip().replace("-", "_") for name in self.factors.split(",")] if self.factors else None
        changed = study.change(
            design=self.design,
            factors=factors,
            seeds=parse_seeds(self.seeds),
            margin=self.margin,
            preset=self.preset,
            name=self.name,
            on=[*study.on, *(name for name, is_on in selection.switches.items() if is_on)],
            off=[*study.off, *(name for name, is_on in selection.switches.items() if not is_on)],
            values={**study.values, **selection.values},
            options=study.options if self.resolution is None else {**study.options, "resolution": self.resolution},
        )
        return changed if changed.name else changed.change(name=f"{changed.design}-{changed.preset}")


def parse_seeds(text: str | None) -> int | list[int] | None:
    """Return a number of seeds, or the list of them. Raises UsageError for what is neither."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--seeds takes a number of seeds (5) or a list (0,3,7), not {text!r}") from None
    if min(numbers) < 0 or numbers == [0]:
        raise UsageError(f"--seeds takes 1 or more, or a list of integers from 0 up, not {text!r}")
    return numbers if len(numbers) > 1 else numbers[0]


@dataclass(frozen=True)
class SweepFlags:
    """How the runs are made."""

    jobs: Annotated[
        int | None, _how_flag(text="Runs at a time; by cores or GPUs unless given.", min=1, show_default=False)
    ] = None
    executor: Annotated[str, _how_flag(text="serial, processes or ray.")] = "processes"
    address: Annotated[str | None, _how_flag(text="Of a running Ray cluster.", show_default=False)] = None
    dry_run: Annotated[
        bool, _how_flag("--dry-run", text="Only say what would run, how long, and what it could detect.")
    ] = False
    until_clear: Annotated[
        bool, _how_flag("--until-clear", text="Look at 5, 10 and 20 seeds; what is clear gets no more.")
    ] = False
    again: Annotated[bool, _how_flag("--again", text="Repeat what is there.")] = False
    retry_failed: Annotated[bool, _how_flag("--retry-failed", text="Run what failed before once more, too.")] = False
    max_failures: Annotated[int, _how_flag(text="Give up after so many failed runs.", min=1)] = 5
    mix: Annotated[bool, _how_flag("--mix", text="Reuse runs of other devices and precisions.")] = False
    as_json: Annotated[bool, _how_flag("--json", text="Print one JSON object and nothing else.")] = False

    def slots(self, conditions: Conditions, threads: int | None) -> int:
        """Return how many runs go on at a time: one a GPU, or as many as keep every core busy once."""
        if self.executor == "serial":
            return 1
        places = len(_gpus(conditions)) if conditions.device == "cuda" else usable_cores() // (threads or 1)
        return self.jobs or max(1, places)

    def open(self, slots: int, conditions: Conditions) -> Executor:
        """Return the executor; one run at a time needs no process of its own."""
        from ablate.runs.executors import make_executor

        name = "serial" if self.executor == "processes" and slots == 1 else self.executor
        return make_executor(name, slots, self.address, threads=conditions.threads, gpus=_gpus(conditions))


def _gpus(conditions: Conditions) -> tuple[str, ...]:
    if conditions.device != "cuda":
        return ()
    from ablate.workloads.resnet9.devices import gpus

    return gpus()
