"""Train one recipe: resolve its conditions and data, run it or find its earlier result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ablate.api.progress import shown_progress
from ablate.api.resources import FULL_PRESET, ComputeChoice, DataChoice
from ablate.api.training_options import TrainingOptions, check_options, chosen
from ablate.errors import UsageError, UserError
from ablate.runs.runner import RunOptions
from ablate.studies.job import Job
from ablate.studies.recipe import Recipe
from ablate.studies.settings import Value
from ablate.studies.variation import check_switches
from ablate.tracking import Project
from ablate.wording import unknown
from ablate.workflows.run import RunResult, describe_run, train_run
from ablate.workflows.store import open_store
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunRequest:
    """One run of the built-in workload.

    Attributes:
        on: Candidates that are added to the baseline.
        off: Factors that are removed from it.
        values: Settings and hyperparameters that differ from the preset.
        preset: The scale; by default that of the hardware.
        seed: The seed.
        tags: MLflow tags.
        again: Whether a finished run is repeated.
        data: The images to train on.
        compute: The hardware.
    """

    on: Sequence[str] = ()
    off: Sequence[str] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    preset: str | None = None
    seed: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    data: DataChoice = field(default_factory=DataChoice)
    compute: ComputeChoice = field(default_factory=ComputeChoice)


@dataclass(frozen=True)
class PreparedRun:
    """A run that has not started: its job and its options."""

    job: Job
    options: RunOptions
    project: Project
    description: str


def prepare_run(request: RunRequest) -> PreparedRun:
    """Return a run that has not started, with its conditions and data.

    Raises UsageError for unknown factors, settings, presets and data, and for a device that is missing.
    """
    for name in (*request.on, *request.off):
        if name not in WORKLOAD.factors:
            raise UsageError(unknown("factor", name, WORKLOAD.factors))
    check_switches(request.on, request.off)
    conditions = request.compute.conditions(WORKLOAD)
    preset = request.preset or (FULL_PRESET if conditions.device == "cuda" else WORKLOAD.default_preset)
    on = ({*WORKLOAD.factors.baseline} | {*request.on}) - {*request.off}
    recipe = Recipe.of(WORKLOAD, on, {**WORKLOAD.preset(preset).settings, **request.values}, request.seed)
    conditions, project = request.compute.for_one_run(conditions, recipe), Project.find()
    job = Job(recipe, request.data.open(recipe, preset), conditions, keep_weights=True)
    options = RunOptions(project.root, tags=request.tags, again=request.again)
    shown = preset if request.preset else f"{preset} (default for this hardware)"
    return PreparedRun(job, options, project, describe_run(job, shown))


@dataclass(frozen=True, repr=False, eq=False)
class TrainedRun:
    """A run that has ended.

    Attributes:
        result: The run, its journal and its place in the store.
    """

    result: RunResult

    @property
    def name(self) -> str:
        """The name of the run: `no-augment/s0`."""
        return self.result.title

    @property
    def status(self) -> str:
        """`finished`, or `unstable` for a run that diverged or learned nothing."""
        return self.result.run.status

    @property
    def metrics(self) -> dict[str, float]:
        """The final value of each metric by its tracked name, such as `test/accuracy`."""
        found: dict[str, float] = self.result.facts["metrics"]
        return dict(found)

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: `step`, then the metrics."""
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self.result.run.history])

    def artifact(self, name: str) -> Path:
        """Return the path of a file of the run, such as `curves.png`. Raises UserError if the run has no such file."""
        return self.result.artifact(name)

    def __repr__(self) -> str:
        known = {name: f"{value:.4g}" for name, value in self.metrics.items() if name.startswith("test/")}
        facts = ", ".join(f"{name} {value}" for name, value in known.items())
        reused = "" if self.result.is_new else ", made earlier"
        return f"{self.name}: {facts or 'no metrics'}, {self.status}{reused}"


def run(
    *,
    preset: str | None = None,
    on: Sequence[str] = (),
    off: Sequence[str] = (),
    values: Mapping[str, Value] | None = None,
    seed: int = 0,
    tags: Mapping[str, str] | None = None,
    **options: Unpack[TrainingOptions],
) -> TrainedRun:
    """Train one recipe of the built-in network and record it, or return its earlier result.

    Args:
        preset: The scale: `demo`, `laptop` or `notebook`; by default that of the hardware.
        on: Candidates that are added to the baseline.
        off: Factors of the baseline that are removed.
        values: Settings and hyperparameters that differ from the preset: `{"epochs": 4, "dropout.p": 0.3}`.
        seed: The random seed.
        tags: MLflow tags.
        options: Data, hardware and store.

    Raises:
        UsageError: Arguments are wrong.
        UserError: The run failed.
    """
    check_options(options, TrainingOptions.__optional_keys__)
    for names in (on, off):
        if isinstance(names, str):
            raise UsageError(f"on and off are lists of names, such as [{names!r}]")
    with shown_progress(options.get("progress")):
        request = RunRequest(
            on, off, values or {}, preset, seed, tags or {}, options.get("again", False),
            chosen(DataChoice, options), chosen(ComputeChoice, options),
        )  # fmt: skip
        prepared = prepare_run(request)
        tracker = open_store(prepared.project, options.get("tracking_uri"), offline=options.get("offline", False))
        result = train_run(prepared.job, prepared.options, prepared.project, tracker)
    check_result(result)
    return TrainedRun(result)


def check_result(result: RunResult) -> None:
    """Raise UserError for a run that failed."""
    run = result.run
    if not run.is_result:
        raise UserError(
            f"{result.title} {run.status}: {run.error}. Repeat the command to retry, with --debug for the traceback"
        )
