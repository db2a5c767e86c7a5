"""Help of the command line: its layout at any width, the start screen, and `--help-all`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from ablate import console
from ablate.cli.options import names, panels
from ablate.cli.usage_errors import UsageMistake, check_repeated, explain_mistake

START = f"""\
Ablation studies of training recipes: which components matter, by how much,
and how certain that is.

Start with handwritten digits; nothing has to be downloaded.

  ablate run --preset demo
      Train once (seconds).
  ablate run --preset demo --no-{names.EXAMPLE_FACTOR.flag}
      Train with one component off.
  ablate sweep --preset demo --seeds 3 --name first
      Switch each component off in turn, under three seeds (minutes), and
      write a report to reports/first.

  ablate --help           List all commands.
  ablate run --help       List all components and settings."""

EXIT_CODES = """\
Exit codes: 0 success (an unstable run is a result), 1 failure, 2 usage error, 130 interrupted. Of gate also 3: clearly
worse, 4: the seeds do not decide."""

_HELP_ALL = "--help-all"
_TYPES = {"bool": "", "int": "INT", "int range": "INT", "float": "FLOAT", "float range": "FLOAT", "str": "TEXT"}
"""Placeholders of option values in the help, by Typer's names of types. Other types keep their name, in capitals."""

_LAST = ("Options", panels.TRACKING, panels.ADVANCED)


class HelpfulCommand(TyperCommand):
    """A command with a short help: only `--help-all` lists the options under the headings in `only_in_full`."""

    only_in_full: ClassVar[frozenset[str]] = frozenset({panels.ADVANCED})

    def folded(self) -> list[str]:
        """Return the headings that only `--help-all` lists."""
        headings = dict.fromkeys(getattr(parameter, "rich_help_panel", None) for parameter in self.params)
        return _ordered([heading for heading in headings if heading in self.only_in_full])

    def get_help_option_names(self, ctx: Any) -> list[str]:  # Any: click's own types have no public name
        """Return the names of the help option."""
        return [*super().get_help_option_names(ctx), *([_HELP_ALL] if self.folded() else [])]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note whether the full help is asked for, then parse the arguments. Mistakes name the command."""
        ctx.meta[_HELP_ALL] = _HELP_ALL in args
        try:
            return super().parse_args(ctx, args)
        except UsageMistake as error:
            error.ctx = error.ctx or ctx
            raise

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description of the command, then its examples."""
        _write_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of arguments and options."""
        folded, is_full = self.folded(), ctx.meta.get(_HELP_ALL, False)
        rows = [row for row in _parameter_rows(ctx, is_full=is_full) if is_full or row[0] not in folded]
        if folded:
            names = ", ".join(heading.partition(",")[0].lower() for heading in folded)
            rows.append(("Options", (_HELP_ALL, f"Show all options, including: {names}.")))
        _write_sections(rows, formatter)


class LongCommand(HelpfulCommand):
    """A command with many options: its short help also leaves out hyperparameters and tracking."""

    only_in_full = HelpfulCommand.only_in_full | {panels.HYPERPARAMETERS, panels.TRACKING}


class ComparisonCommand(LongCommand):
    """A command whose options decide a verdict: none is dropped because it is repeated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; raise UsageMistake for a repeated option of a single value."""
        if not ctx.resilient_parsing:
            _, _, given = self.make_parser(ctx).parse_args(list(args))
            check_repeated(given, ctx)
        return super().parse_args(ctx, args)


class StudyCommand(LongCommand):
    """A command on a study: its short help leaves out all options of the baseline recipe."""

    only_in_full = LongCommand.only_in_full | {panels.FACTORS, panels.CANDIDATES, panels.SETTINGS}


class HelpfulGroup(TyperGroup):
    """A group of commands. Its help has a section for each group of commands, and usage errors take one line."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description of the commands, then examples."""
        _write_text(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of commands, then the options."""
        _write_sections([*_command_rows(ctx), *_parameter_rows(ctx, is_full=False)], formatter)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line; exit 2 on a usage error."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except UsageMistake as error:
            console.error(explain_mistake(error))
            sys.exit(2)
        except typer.Abort:
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


def _write_text(ctx: Any, formatter: Any) -> None:
    """Write a docstring: its paragraphs wrapped, its examples unchanged."""
    text, _, examples = cleandoc(ctx.command.help or "").partition("Examples:")
    formatter.write_paragraph()
    formatter.write_text(text.strip())
    if examples:
        with _section(formatter, "Examples"):
            for line in filter(None, map(str.strip, examples.splitlines())):
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def _write_sections(rows: Sequence[tuple[str, tuple[str, str]]], formatter: Any) -> None:
    """Write names and their texts under their headings. Names are never wrapped."""
    for heading in _ordered([heading for heading, _ in rows]):
        with _section(formatter, heading):
            lines = [row for other, row in rows if other == heading]
            formatter.write_dl(lines, col_max=min(36, formatter.width // 3))


def _ordered(headings: Sequence[str]) -> list[str]:
    """Return headings in the order of their first appearance, except that general and rare options come last."""
    return sorted(dict.fromkeys(headings), key=lambda heading: _LAST.index(heading) + 1 if heading in _LAST else 0)


def _parameter_rows(ctx: Any, *, is_full: bool) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the heading, the name and the text of each argument and option."""
    for parameter in sorted(ctx.command.get_params(ctx), key=lambda parameter: parameter.param_type_name != "argument"):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            yield "Arguments", (record[0].split()[0], _option_text(record[1], is_full=is_full))
        else:
            heading = getattr(parameter, "rich_help_panel", None) or "Options"
            yield heading, (_option_name(record[0]), _option_text(record[1], is_full=is_full))


def _command_rows(ctx: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the heading, the name and the summary of each command."""
    for name, command in ctx.command.commands.items():
        summary = cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")
        yield getattr(command, "rich_help_panel", None) or "Commands", (name, summary)


def _option_name(text: str) -> str:
    """Return `--jobs INT` for Typer's `--jobs <int range>`, and `--[no-]x` for `--x / --no-x`."""
    text = re.sub(r"<([a-z ]+)>", lambda found: _TYPES.get(found[1], found[1].upper()), text)
    return re.sub(rf", {_HELP_ALL}\b", "", re.sub(r"--(\S+) / --no-\1", r"--[no-]\1", text)).strip()


def _option_text(text: str, *, is_full: bool) -> str:
    """Return a text without Typer's parentheses around defaults. Ranges and citations are in the full help only."""
    found = re.fullmatch(r"(.*?)  \[([^\[\]]*)\]", text)
    summary, facts = (found[1], found[2].split("; ")) if found else (text, [])
    if not is_full:
        summary = re.sub(r" \([A-Z][^()]* \d{4}\)", "", summary)
        facts = [fact for fact in facts if fact.startswith("default: ")]
    shown = re.sub(r"default: \((.*)\)", r"default: \1", "; ".join(facts))
    return f"{summary}  [{shown}]" if shown else summary


def _section(formatter: Any, heading: str) -> Any:
    is_plain = "NO_COLOR" in os.environ  # without a terminal, click removes the style itself
    return formatter.section(heading if is_plain else typer.style(heading, bold=True))
