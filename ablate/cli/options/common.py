"""Groups of flags that several commands share."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ablate.errors import UsageError

if TYPE_CHECKING:
    from ablate.data import ImageSource
    from ablate.studies.conditions import Conditions
    from ablate.studies.workload import Workload
    from ablate.tracking import Project, Tracker

_DATA, _WHERE, _OUTPUT = "Data", "Where and how it computes", "What comes out"


def shows_tracebacks() -> bool:
    """Return whether the command line asks for tracebacks: --debug may come before or after the command."""
    return "--debug" in sys.argv


JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@dataclass(frozen=True)
class DataFlags:
    """Where the images come from."""

    dataset: Annotated[
        str | None,
        typer.Option(
            help="cifar10 (unless the preset says otherwise), cifar100, svhn, fashion-mnist or digits.",
            metavar="NAME",
            rich_help_panel=_DATA,
            show_default=False,
        ),
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="A CIFAR folder, an image folder (train/CLASS/*, test/CLASS/*), or an archive of one.",
            metavar="PATH",
            rich_help_panel=_DATA,
            show_default=False,
        ),
    ] = None

    def source(self, otherwise: str | None = None) -> ImageSource:
        """Return the source that the flags name; `otherwise` is the data set if they name none."""
        from ablate.data import ImageSource

        folder = self.data_dir.expanduser().absolute() if self.data_dir else None
        return ImageSource(self.dataset or otherwise or "cifar10", folder)

    def wanted(self, usual: str | None) -> ImageSource | None:
        """Return the source that the flags or a scale's `usual` data set name, or None: the workload knows its own."""
        return self.source(usual) if usual or self.dataset or self.data_dir else None


@dataclass(frozen=True)
class WhereFlags:
    """What computes, and how."""

    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=_WHERE)] = "auto"
    precision: Annotated[
        str, typer.Option(help="auto (bf16 where the hardware is faster in it), bf16 or fp32.", rich_help_panel=_WHERE)
    ] = "auto"
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads; all cores unless given.", min=1, rich_help_panel=_WHERE, show_default=False),
    ] = None

    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile the convolutions once a network: for a GPU; on a CPU it costs more than it brings.",
            rich_help_panel=_WHERE,
        ),
    ] = False

    fused: Annotated[
        bool | None,
        typer.Option(
            "--fused/--no-fused",
            help="On a CPU: faster convolutions, and norm, pool and ReLU at once, by kernels that are compiled"
            " here once; without the flag where there is a C++ compiler.",
            rich_help_panel=_WHERE,
            show_default=False,
        ),
    ] = None

    def conditions(self, workload: Workload) -> Conditions:
        """Return the conditions that the flags stand for on this machine."""
        from ablate.studies.conditions import RequestedConditions

        requested = RequestedConditions(self.device, self.precision, self.threads, self.compiled, self.fused)
        return workload.conditions(requested)


@dataclass(frozen=True)
class ServerFlags:
    """Which MLflow store."""

    tracking_uri: Annotated[
        str | None,
        typer.Option(
            help="The MLflow store; else MLFLOW_TRACKING_URI, else the project's own.",
            metavar="URI",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class StoreFlags(ServerFlags):
    """Where runs are tracked."""

    offline: Annotated[
        bool,
        typer.Option(
            "--offline",
            help="Without MLflow: the journals are the store; `ablate sync` brings them in later.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False

    def open(self, project: Project) -> Tracker:
        """Return the project's tracker, without connecting yet."""
        from ablate.workflows.store import open_store

        return open_store(project, self.tracking_uri, offline=self.offline)

    def open_current(self, project: Project) -> Tracker:
        """Return the project's tracker after delivering what earlier commands could not."""
        from ablate.workflows.store import open_current_store

        return open_current_store(project, self.tracking_uri, offline=self.offline)


@dataclass(frozen=True)
class RunFlags:
    """What is kept and printed of a run."""

    save_weights: Annotated[
        Path | None,
        typer.Option(help="Also write the weights here.", metavar="PATH", rich_help_panel=_OUTPUT, show_default=False),
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(help="Tag the run; may be repeated.", metavar="KEY=VALUE", rich_help_panel=_OUTPUT),
    ] = None
    again: Annotated[
        bool, typer.Option("--again", help="Run although there is a result already.", rich_help_panel=_OUTPUT)
    ] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=_OUTPUT)
    ] = False

    @property
    def tags(self) -> dict[str, str]:
        """The tags by key. Raises UsageError for one without `=`."""
        pairs = [text.partition("=") for text in self.tag or []]
        for key, equals, value in pairs:
            if not key or not equals:
                raise UsageError(f"--tag takes KEY=VALUE, not {key}{equals}{value}")
        return {key: value for key, _, value in pairs}
