"""The command line: every command, and what happens to errors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

import ablate
from ablate import console
from ablate.cli import compare, delete, doctor, init, predict, report, run, runs, sweep, sync, tune
from ablate.cli import data as data_commands
from ablate.cli.completion import complete
from ablate.cli.help import EXIT_CODES, START, HelpfulCommand, HelpfulGroup
from ablate.cli.options.common import shows_tracebacks
from ablate.cores import collect_garbage_seldom, share_cores
from ablate.errors import UserError, explain

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
app = typer.Typer(
    name="ablate",
    cls=HelpfulGroup,
    rich_markup_mode=None,
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


_NO_MEMORY = "out of memory: fewer --jobs, a smaller --batch-size or --width need less"


def _exiting(command: Callable[..., None]) -> Callable[..., None]:
    """Turn a user's mistake into one line and an exit code, without a traceback unless --debug asks for it."""

    @wraps(command)
    def guarded(**arguments: Any) -> None:
        from ablate.runs.interrupts import Terminated, termination_raises

        try:
            with termination_raises():
                command(**arguments)
        except UserError as error:
            if shows_tracebacks():
                raise
            console.complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except (OSError, MemoryError) as error:
            if shows_tracebacks():
                raise
            console.complain(explain(error) if isinstance(error, OSError) else _NO_MEMORY)
            raise typer.Exit(1) from None
        except (KeyboardInterrupt, Terminated):
            console.complain("interrupted; the same command goes on from where it was")
            raise typer.Exit(130) from None

    return guarded


for _panel, _name, _command in (
    ("Make runs", "run", run.run),
    ("Make runs", "sweep", sweep.sweep),
    ("Make runs", "tune", tune.tune),
    ("Make runs", "init", init.init),
    ("Look at runs", "list", runs.list_runs),
    ("Look at runs", "show", runs.show),
    ("Look at runs", "report", report.report),
    ("Look at runs", "compare", compare.compare),
    ("Look at runs", "ui", runs.ui),
    ("Look at runs", "predict", predict.predict),
    ("Keep runs", "sync", sync.sync),
    ("Keep runs", "doctor", doctor.doctor),
    ("Keep runs", "delete", delete.delete),
):
    app.command(_name, cls=HelpfulCommand, rich_help_panel=_panel)(_exiting(_command))
data = typer.Typer(cls=HelpfulGroup, rich_markup_mode=None)
for _name, _command in (("info", data_commands.info), ("show", data_commands.show), ("fetch", data_commands.fetch)):
    data.command(_name, cls=HelpfulCommand)(_exiting(_command))
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
        console.result(START)


def main() -> None:
    """Run the command line."""
    share_cores()
    collect_garbage_seldom()
    app([argument for argument in sys.argv[1:] if argument != "--debug"])
