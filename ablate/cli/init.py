"""The command that writes a study to start from."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ablate import console
from ablate.errors import UsageError, UserError


class Kind(StrEnum):
    """What a study trains by: a function, a function with PyTorch, a program's command line."""

    FUNCTION = "function"
    TORCH = "torch"
    COMMAND = "command"


def init(
    path: Annotated[Path, typer.Argument(help="Where to write the study.")] = Path("experiments/own.py"),
    kind: Annotated[
        Kind, typer.Option(help="A Python function, one with PyTorch, or the command line of any program.")
    ] = Kind.FUNCTION,
) -> None:
    """Write a commented study of a training of your own, which runs as it is.

    Examples:
      ablate init

      ablate init experiments/pipeline.py --kind command
    """
    if path.suffix != ".py":
        raise UsageError(f"a study is a Python file: ablate init {path.with_suffix('.py')}")
    program = path.with_suffix(".sh")
    texts = {path: _template(f"{kind}.py").replace("@PROGRAM@", program.name)}
    if kind is Kind.COMMAND:
        texts[program] = _template("command.sh")
    for place in texts:
        if place.exists():
            raise UserError(f"{place} is there already: give another path, or move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for place, text in texts.items():
            place.write_text(text)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from None
    console.result(f"wrote {' and '.join(str(place) for place in texts)}")
    console.say(f"next: ablate sweep {path} --dry-run, then without --dry-run; comments in the file explain it")


def _template(name: str) -> str:
    return (files("ablate") / "cli" / "templates" / f"{name}.txt").read_text()
