"""Help, usage errors and the start screen of the command line."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from inspect import cleandoc
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from ablate import console

START = """\
Which parts of a training recipe matter, by how much, and how sure can you be?

Start here: handwritten digits, nothing to download.

  ablate run --preset demo
      trains once; seconds
  ablate run --preset demo --no-batch-norm
      the same with one component off
  ablate sweep --preset demo --seeds 3 --name first
      the study: each component off, three seeds; minutes.
      Its report lies in reports/first when it is done.

  ablate --help           every command
  ablate run --help       every component, knob and setting"""

EXIT_CODES = """\
Exit codes: 0 done (an unstable run is a result), 1 something failed, 2 wrong usage, 130 interrupted."""

_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)  # click's, whichever click Typer brings
_TYPES = {"bool": "", "int": "N", "int range": "N", "float": "X", "float range": "X", "str": "TEXT", "path": "PATH"}
"""What stands for a value in the help where the option names nothing better."""

_SYNONYMS = {
    **dict.fromkeys(("--reference", "--control"), "--baseline"),
    **dict.fromkeys(("--n-seeds", "--repeats"), "--seeds"),
    **dict.fromkeys(("--workers", "--parallel"), "--jobs"),
    "--learning-rate": "--lr",
    "--batch": "--batch-size",
}
"""What other tools call our options."""


class HelpfulCommand(TyperCommand):
    """A command with our help."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # Any: click's own types have no public name
        """Write what the command does, then its examples."""
        _write_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of arguments and options."""
        _write_rows(ctx, formatter)


class HelpfulGroup(TyperGroup):
    """A group of commands with our help; a mistake in what was typed is told in one line."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the commands are for, then examples."""
        _write_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of options and commands."""
        _write_rows(ctx, formatter)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; exit 2 if it asks for what does not exist."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except _UsageError as error:
            console.complain(_explained(error))
            sys.exit(2)
        except typer.Abort:
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


def _write_text(ctx: Any, formatter: Any) -> None:
    """Write a docstring: its paragraphs wrapped, its examples as they are typed."""
    text, _, examples = cleandoc(ctx.command.help or "").partition("Examples:")
    formatter.write_paragraph()
    formatter.write_text(text.strip())
    if examples:
        with _section(formatter, "Examples"):
            for line in filter(None, map(str.strip, examples.splitlines())):
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def _write_rows(ctx: Any, formatter: Any) -> None:
    """Write names and their texts, group by group; names stay whole at every width."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for heading, row in _rows(ctx):
        rows.setdefault(heading, []).append(row)
    for heading, lines in rows.items():
        with _section(formatter, heading):
            formatter.write_dl(lines, col_max=min(36, formatter.width // 3))


def _rows(ctx: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield what the help lists: the heading of a group, and a name with its text."""
    for parameter in ctx.command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            usual = "Options" if parameter.param_type_name == "option" else "Arguments"
            yield getattr(parameter, "rich_help_panel", None) or usual, (_name(record[0]), record[1])
    if isinstance(ctx.command, TyperGroup):
        for name, command in ctx.command.commands.items():
            first = cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")
            yield getattr(command, "rich_help_panel", None) or "Commands", (name, first)


def _name(text: str) -> str:
    """Return an option's name with `N` or `TEXT` where Typer writes `<int range>` or `<str>`."""
    return re.sub(r"<([a-z ]+)>", lambda found: _TYPES.get(found[1], found[1].upper()), text).strip()


def _section(formatter: Any, heading: str) -> Any:
    is_plain = "NO_COLOR" in os.environ  # no terminal: click takes the style away itself
    return formatter.section(heading if is_plain else typer.style(heading, bold=True))


def _explained(error: Any) -> str:
    """Return a usage error in one line: what is wrong, the nearest thing that exists, where to look."""
    ctx = error.ctx
    where = f"`{ctx.command_path} --help`" if ctx else "`ablate --help`"
    wrong = getattr(error, "option_name", None)
    if wrong and hasattr(error, "possibilities"):
        names = [name for parameter in ctx.command.params for name in (*parameter.opts, *parameter.secondary_opts)]
        meant = _SYNONYMS.get(wrong)
        near = _nearest(meant, names, likeness=0.9) if meant else _nearest(wrong, names)  # --seed will do for --seeds
        return f"there is no option {wrong}{near}; {where} lists them"
    unknown = re.match(r"No such command '(.*?)'\.", error.format_message())
    if unknown:
        near = _nearest(unknown[1], list(ctx.command.commands))
        return f"there is no command {unknown[1]!r}{near}; {where} lists them"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; {where} tells more"


def _nearest(wrong: str, known: Sequence[str], likeness: float = 0.6) -> str:
    near = get_close_matches(wrong, known, n=1, cutoff=likeness)
    return f"; did you mean {near[0]}?" if near else ""
