"""The command line: every command, and what happens to errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

import ablate
from ablate import (
    cli_compare,
    cli_data,
    cli_delete,
    cli_doctor,
    cli_init,
    cli_report,
    cli_runs,
    cli_sweep,
    cli_sync,
    cli_train,
    cli_tune,
    console,
    shell,
)
from ablate.completion import complete
from ablate.errors import UserError, explain
from ablate.machine import collect_garbage_seldom, share_cores

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
app = typer.Typer(
    name="ablate",
    cls=shell.Commands,
    rich_markup_mode=None,
    epilog=shell.EXIT_CODES,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


_NO_MEMORY = "out of memory: fewer --jobs, a smaller --batch-size or --width need less"


def _exiting(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a user's mistake into one line and an exit code, without a traceback unless --debug asks for it."""

    @wraps(command)
    def guarded(**arguments: Any) -> None:
        from ablate.runner import Terminated, termination_raises

        try:
            with termination_raises():
                command(**arguments)
        except UserError as error:
            if "--debug" in sys.argv:
                raise
            console.complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except (OSError, MemoryError) as error:
            if "--debug" in sys.argv:
                raise
            console.complain(explain(error) if isinstance(error, OSError) else _NO_MEMORY)
            raise typer.Exit(1) from None
        except (KeyboardInterrupt, Terminated):
            console.complain("interrupted; the same command goes on from where it was")
            raise typer.Exit(130) from None

    return guarded


for _panel, _name, _command in (
    ("Make runs", "run", cli_train.run),
    ("Make runs", "sweep", cli_sweep.sweep),
    ("Make runs", "tune", cli_tune.tune),
    ("Make runs", "init", cli_init.init),
    ("Look at runs", "list", cli_runs.list_runs),
    ("Look at runs", "show", cli_runs.show),
    ("Look at runs", "report", cli_report.report),
    ("Look at runs", "compare", cli_compare.compare),
    ("Look at runs", "ui", cli_runs.ui),
    ("Look at runs", "predict", cli_train.predict),
    ("Keep runs", "sync", cli_sync.sync),
    ("Keep runs", "doctor", cli_doctor.doctor),
    ("Keep runs", "delete", cli_delete.delete),
):
    app.command(_name, cls=shell.Command, rich_help_panel=_panel)(_exiting(_command))
data = typer.Typer(cls=shell.Commands, rich_markup_mode=None)
for _name, _command in (("info", cli_data.info), ("show", cli_data.show), ("fetch", cli_data.fetch)):
    data.command(_name, cls=shell.Command)(_exiting(_command))
app.add_typer(complete(data), name="data", rich_help_panel="Look at data")
complete(app)


@data.callback(invoke_without_command=True)
def about_data(ctx: typer.Context) -> None:
    """Look at the images, or fetch them.

    Examples:
      ablate data info --dataset digits

      ablate data fetch cifar10
    """
    if not ctx.invoked_subcommand:
        typer.echo(ctx.get_help())


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    debug: Annotated[  # noqa: ARG001  # read off the arguments, so that it may stand after the command, too
        bool, typer.Option("--debug", help="Show the traceback of an error; goes with every command.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Which parts of a training recipe matter, by how much, and how sure can we be.

    Examples:
      ablate run --preset demo --no-augment

      ablate sweep experiments/demo.py

      ablate report demo --html
    """
    if version:
        console.result(f"ablate {ablate.__version__}")
        raise typer.Exit
    if not ctx.invoked_subcommand:
        console.result(shell.START)


def main() -> None:
    """Run the command line."""
    share_cores()
    collect_garbage_seldom()
    app([argument for argument in sys.argv[1:] if argument != "--debug"])
