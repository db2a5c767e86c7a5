"""Options that choose the runs of other programs: files, folders, logs and stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ablate.cli.options import panels

SOURCES = ("runs", "folder", "tensorboard", "experiment", "optuna", "wandb")
SOURCE_FLAGS = [f"--{name}" for name in SOURCES]


_FLAGS = {"optuna_study": "--study", "run_filter": "--filter"}
"""Flags whose fields have another name."""


def flag_of(name: str) -> str:
    """Return the flag of a field."""
    return _FLAGS.get(name) or f"--{name.replace('_', '-')}"


def external_option(*flags: str, text: str, panel: str = panels.EXTERNAL_RUNS, **more: Any) -> Any:
    """Return an option for runs of other programs."""
    return typer.Option(*flags, help=text, rich_help_panel=panel, **{"show_default": False, **more})


@dataclass(frozen=True)
class RunSourceFlags:
    """The source of runs that were recorded elsewhere."""

    runs: Annotated[
        list[Path] | None,
        external_option(
            text="File (CSV, TSV, JSONL, JSON, Parquet, Excel) with one row per run: variant, seed, status, metric, "
            "factors (true/false). Repeat the option for several files.",
            metavar="FILE",
        ),
    ] = None
    sheet: Annotated[
        str | None, external_option(text="Sheet of an Excel workbook.", metavar="NAME", panel=panels.ADVANCED)
    ] = None
    folder: Annotated[
        Path | None,
        external_option(
            text="Folder of runs: metrics and configuration of Lightning, Hugging Face, Keras, Hydra and others.",
            metavar="DIR",
        ),
    ] = None
    metrics_file: Annotated[
        str | None,
        external_option(text="Name of the files of metrics in the folder.", metavar="NAME", panel=panels.ADVANCED),
    ] = None
    tensorboard: Annotated[
        Path | None,
        external_option(text="Folder of TensorBoard logs; each folder with event files is a run.", metavar="DIR"),
    ] = None
    experiment: Annotated[
        list[str] | None,
        external_option(text="MLflow experiment. Repeat the option for several experiments.", metavar="NAME"),
    ] = None
    run_filter: Annotated[
        str | None,
        external_option("--filter", text="Filter of the runs of experiments, in MLflow's syntax.", metavar="FILTER"),
    ] = None
    wandb: Annotated[
        str | None,
        external_option(text="W&B project (ENTITY/PROJECT), or folder of W&B runs, online or offline.", metavar="RUNS"),
    ] = None
    optuna: Annotated[
        str | None,
        external_option(
            text="Optuna storage: URL of a database, or path of an SQLite database or a journal file.",
            metavar="STORAGE",
        ),
    ] = None
    optuna_study: Annotated[
        str | None,
        external_option("--study", text="Optuna study; its trials are the runs.", metavar="NAME"),
    ] = None

    where: Annotated[
        list[str] | None,
        external_option(
            text="Use only runs in which a param, tag or column has (KEY=VALUE) or does not have (KEY!=VALUE) a value. "
            "Repeat the option for several conditions.",
            metavar="KEY=VALUE",
        ),
    ] = None
    dry_run: Annotated[
        bool,
        external_option("--dry-run", text="Print the variants that were found, and write no report."),
    ] = False

    @property
    def sources(self) -> list[str]:
        """The flags of the sources that are given."""
        return [f"--{name}" for name in SOURCES if getattr(self, name)]

    @property
    def paths(self) -> list[Path]:
        """The files and the folder that are given."""
        return [*(self.runs or []), *(path for path in (self.folder, self.tensorboard) if path)]
