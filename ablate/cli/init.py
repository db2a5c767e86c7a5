"""`ablate init`: write a study file to start from."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from ablate import console
from ablate.errors import UsageError, UserError


class Kind(StrEnum):
    """The training of a study: a Python function, one that uses PyTorch, or a program's command line."""

    FUNCTION = "function"
    TORCH = "torch"
    COMMAND = "command"


def init(
    path: Annotated[Path, typer.Argument(metavar="STUDY.py", help="Study file to write.")] = Path("experiments/own.py"),
    kind: Annotated[
        Kind,
        typer.Option(help="function, torch (a function with PyTorch) or command (any program).", metavar="NAME"),
    ] = Kind.FUNCTION,
) -> None:
    """Write a commented study file for your own training.

    The file runs unchanged; replace its training step by step.

    Examples:
      ablate init

      ablate init experiments/pipeline.py --kind command
    """
    if path.suffix != ".py":
        raise UsageError(f"A study is a Python file: ablate init {path.with_suffix('.py')}")
    program = path.with_suffix(".sh")
    texts = {path: _template(f"{kind}.py").replace("@PROGRAM@", program.name)}
    if kind is Kind.COMMAND:
        texts[program] = _template("command.sh")
    for place in texts:
        if place.exists():
            raise UserError(f"{place} already exists. Give another path, or move the file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for place, text in texts.items():
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}") from None
    console.result(f"Wrote {' and '.join(str(place) for place in texts)}")
    console.info(f"Next: ablate sweep {path} --dry-run, then without --dry-run. Comments in the file explain it")


def _template(name: str) -> str:
    return (files("ablate") / "cli" / "templates" / f"{name}.txt").read_text(encoding="utf-8")
