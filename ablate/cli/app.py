"""The command line: all commands, and the handling of errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

import ablate
from ablate import console
from ablate.cli import compare, delete, doctor, gate, init, predict, report, run, runs, sweep, sync, tune
from ablate.cli import data as data_commands
from ablate.cli.completion import complete
from ablate.cli.help import (
    EXIT_CODES,
    START,
    ComparisonCommand,
    HelpfulCommand,
    HelpfulGroup,
    LongCommand,
    StudyCommand,
)
from ablate.cli.options.common import shows_tracebacks
from ablate.cores import reduce_garbage_collection, share_cores
from ablate.errors import UserError, explain, shortage
from ablate.paths import provide_home

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_REASONS = {
    MemoryError: "Out of memory. Use fewer --jobs, or a smaller --batch-size or --width",
    RecursionError: "A value in the input is nested too deeply. --debug shows the traceback",
}
_COMMANDS: tuple[tuple[str, str, Callable[..., None], type[HelpfulCommand]], ...] = (
    ("Run", "run", run.run, LongCommand),
    ("Run", "sweep", sweep.sweep, StudyCommand),
    ("Run", "tune", tune.tune, StudyCommand),
    ("Run", "init", init.init, HelpfulCommand),
    ("Inspect", "list", runs.list_runs, HelpfulCommand),
    ("Inspect", "show", runs.show, HelpfulCommand),
    ("Inspect", "compare", compare.compare, HelpfulCommand),
    ("Inspect", "report", report.report, ComparisonCommand),
    ("Inspect", "gate", gate.gate, ComparisonCommand),
    ("Inspect", "ui", runs.ui, HelpfulCommand),
    ("Inspect", "predict", predict.predict, HelpfulCommand),
    ("Maintain", "sync", sync.sync, HelpfulCommand),
    ("Maintain", "doctor", doctor.doctor, HelpfulCommand),
    ("Maintain", "delete", delete.delete, HelpfulCommand),
)
_DATA_COMMANDS: tuple[tuple[str, Callable[..., None], type[HelpfulCommand]], ...] = (
    ("info", data_commands.info, HelpfulCommand),
    ("show", data_commands.show, StudyCommand),
    ("fetch", data_commands.fetch, HelpfulCommand),
)


def _with_exit_code(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a user's error into one line and an exit code. With --debug its traceback is kept."""

    @wraps(command)
    def guarded(**arguments: Any) -> None:
        from ablate.interrupts import Terminated, termination_raises

        try:
            with termination_raises():
                _check_folder()
                command(**arguments)
        except UserError as error:
            if shows_tracebacks():
                raise
            console.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:  # of the program that read the output, as `head`
            raise typer.Exit(1) from None
        except (OSError, MemoryError, RecursionError) as error:
            if shows_tracebacks():
                raise
            console.error(explain(error) if isinstance(error, OSError) else _REASONS[type(error)])
            raise typer.Exit(1) from None
        except (KeyboardInterrupt, Terminated):
            console.error("Interrupted. The same command resumes the work")
            raise typer.Exit(130) from None
        except BaseException as error:  # a panic of polars is not an Exception
            reason = shortage(error)
            if shows_tracebacks() or not reason:
                raise
            console.error(reason)
            raise typer.Exit(1) from None

    return guarded


def _check_folder() -> None:
    """Raise UserError if the working folder was removed: no path can be found then."""
    try:
        Path.cwd()
    except FileNotFoundError:
        folder = os.environ.get("PWD", "")
        raise UserError(f"The working folder {folder} does not exist any more. Change to another folder") from None


app = typer.Typer(
    name="ablate",
    cls=HelpfulGroup,
    rich_markup_mode=None,
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)
for _panel, _name, _command, _kind in _COMMANDS:
    app.command(_name, cls=_kind, rich_help_panel=_panel)(_with_exit_code(_command))
data = typer.Typer(cls=HelpfulGroup, rich_markup_mode=None)
for _name, _command, _kind in _DATA_COMMANDS:
    data.command(_name, cls=_kind)(_with_exit_code(_command))
app.add_typer(complete(data), name="data", rich_help_panel="Maintain")
complete(app)


@data.callback(invoke_without_command=True)
def show_data_help(ctx: typer.Context) -> None:
    """Inspect or download data sets.

    Examples:
      ablate data info --dataset digits

      ablate data fetch cifar10
    """
    if not ctx.invoked_subcommand:
        typer.echo(ctx.get_help())


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    debug: Annotated[  # noqa: ARG001  # read from sys.argv, since it may also follow the command
        bool, typer.Option("--debug", help="Show tracebacks of errors, with any command.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Ablation studies of training recipes: which components matter, by how much, and how certain that is.

    Examples:
      ablate run --preset demo --no-augment

      ablate sweep experiments/demo.py

      ablate report demo --html
    """
    if version:
        console.result(f"ablate {ablate.__version__}")
        raise typer.Exit
    if not ctx.invoked_subcommand:
        console.result(START)


def _escape_unprintable() -> None:
    """Print characters that the locale's encoding lacks as escapes, for instance in an ASCII locale."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line."""
    _escape_unprintable()
    provide_home()
    share_cores()
    reduce_garbage_collection()
    app([argument for argument in sys.argv[1:] if argument != "--debug"])
