"""Groups of options that several commands share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.api.resources import DEFAULT_DATASET, FULL_PRESET, ComputeChoice, DataChoice
from ablate.cli.options import names, panels
from ablate.errors import UsageError
from ablate.studies.conditions import RequestedConditions
from ablate.wording import alternatives
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.tracking import Project, Tracker

JSON_HELP = "Print one JSON object on standard output."
JsonFlag = Annotated[bool, typer.Option("--json", help=JSON_HELP)]


def shows_tracebacks() -> bool:
    """Return whether the command line asks for tracebacks: --debug may come before or after the command."""
    return "--debug" in sys.argv


@dataclass(frozen=True)
class DataFlags(DataChoice):
    """The images to train on."""

    dataset: Annotated[
        str | None,
        typer.Option(
            help=f"Data set: {alternatives(names.DATASETS)}.",
            metavar="NAME",
            rich_help_panel=panels.DATA,
            show_default=f"{DEFAULT_DATASET}, or the preset's",
        ),
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Image folder (train/CLASS/*, test/CLASS/*), CIFAR folder, Parquet files or archive.",
            metavar="PATH",
            rich_help_panel=panels.DATA,
            show_default=False,
        ),
    ] = None
    splits: Annotated[
        str | None,
        typer.Option(
            help="Splits in --data-dir: train=A,test=B. A+B joins folders; train=A alone holds out a fifth.",
            metavar="FOLDERS",
            rich_help_panel=panels.DATA,
            show_default="by name",
        ),
    ] = None


@dataclass(frozen=True)
class ComputeFlags(ComputeChoice):
    """The hardware, and how it is used."""

    device: Annotated[
        str, typer.Option(help=f"{alternatives(names.DEVICES)}.", metavar="NAME", rich_help_panel=panels.COMPUTE)
    ] = RequestedConditions.device
    precision: Annotated[
        str,
        typer.Option(
            help=f"{alternatives(names.PRECISIONS)}.",
            metavar="NAME",
            rich_help_panel=panels.COMPUTE,
        ),
    ] = RequestedConditions.precision
    threads: Annotated[
        int | None,
        typer.Option(
            help="CPU threads per run.",
            min=1,
            rich_help_panel=panels.COMPUTE,
            show_default="by cores and batch size",
        ),
    ] = RequestedConditions.threads
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the network with torch.compile, without the kernels of --fused.",
            rich_help_panel=panels.ADVANCED,
        ),
    ] = RequestedConditions.compiled
    fused: Annotated[
        bool | None,
        typer.Option(
            "--fused/--no-fused",
            help="Use the CPU kernels (Winograd convolution, fused norm-pool-ReLU) or the GPU's in Triton.",
            rich_help_panel=panels.ADVANCED,
            show_default="on if available",
        ),
    ] = RequestedConditions.fused


@dataclass(frozen=True)
class StoreFlags:
    """The MLflow store."""

    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="MLflow tracking URI.",
            metavar="URI",
            rich_help_panel=panels.TRACKING,
            show_default="MLFLOW_TRACKING_URI, or the project's database",
        ),
    ] = None


@dataclass(frozen=True)
class TrackingFlags(StoreFlags):
    """Where runs are recorded: the MLflow store, or the local journals alone."""

    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Use local journals instead of MLflow; `ablate sync` delivers them later.",
            rich_help_panel=panels.TRACKING,
        ),
    ] = False

    def open(self, project: Project, *, only_reads: bool = False) -> Tracker:
        """Return the project's tracker, without connecting yet. A command that `only_reads` creates no database."""
        from ablate.workflows.store import open_store

        return open_store(project, self.tracking_uri, offline=self.offline, only_reads=only_reads)

    def open_current(self, project: Project) -> Tracker:
        """Return the project's tracker after delivering the records that earlier commands could not deliver."""
        from ablate.workflows.store import open_current_store

        return open_current_store(project, self.tracking_uri, offline=self.offline)


@dataclass(frozen=True)
class RunFlags:
    """The scale and the seed of a run, and its output."""

    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Scale: {alternatives(names.PRESETS)}.",
            metavar="NAME",
            rich_help_panel=panels.RUN,
            show_default=f"{FULL_PRESET} with CUDA, otherwise {WORKLOAD.default_preset}",
        ),
    ] = None
    seed: Annotated[int, typer.Option(help="Random seed.", min=0, rich_help_panel=panels.RUN)] = 0
    again: Annotated[bool, typer.Option("--again", help="Rerun a finished run.", rich_help_panel=panels.RUN)] = False
    save_weights: Annotated[
        Path | None,
        typer.Option(
            help="Also save the weights to this file.", metavar="PATH", rich_help_panel=panels.RUN, show_default=False
        ),
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Add an MLflow tag; can be repeated.", metavar="KEY=VALUE", rich_help_panel=panels.RUN),
    ] = None
    as_json: Annotated[bool, typer.Option("--json", help=JSON_HELP, rich_help_panel=panels.RUN)] = False

    @property
    def tags(self) -> dict[str, str]:
        """The tags by key. Raises UsageError for one without `=`."""
        pairs = [text.partition("=") for text in self.tag or []]
        for key, equals, value in pairs:
            if not key or not equals:
                raise UsageError(f"--tag takes KEY=VALUE, not {key}{equals}{value}")
        return {key: value for key, _, value in pairs}
