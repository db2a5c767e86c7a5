"""Usage errors of the command line in one line, with the nearest existing option or command."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import typer

from ablate.wording import nearest, unknown_name

UsageMistake = cast("type[typer.BadParameter]", typer.BadParameter.__base__)
"""Click's UsageError, of whichever click Typer uses."""

_SYNONYMS = {
    **dict.fromkeys(("--reference", "--control"), "--baseline"),
    **dict.fromkeys(("--n-seeds", "--repeats"), "--seeds"),
    **dict.fromkeys(("--workers", "--parallel"), "--jobs"),
    **dict.fromkeys(("--rerun", "--force", "--overwrite"), "--again"),
    "--learning-rate": "--lr",
    "--batch": "--batch-size",
}
"""Names of our options in other tools."""

_VALUES = {
    "int_parsing": "{input!r} is not an integer",
    "int_from_float": "{input!r} is not an integer",
    "float_parsing": "{input!r} is not a number",
    "greater_than_equal": "{input} is below {ge}",
    "less_than_equal": "{input} is above {le}",
}
"""Wrong values by the types of pydantic's errors, with which Typer converts values."""


def _value_of_a_flag(ctx: Any, message: str) -> str | None:
    """Return the mistake if a flag got a value (`--dropout 0.3`, `--dropout=0.3`), with the options that take one."""
    extra = re.match(r"Got unexpected extra argument\S* \((.*)\)", message)
    first = next(iter(extra[1].split(maxsplit=1)), "") if extra else ""
    assigned = re.match(r"Option '(.*?)' does not take a value", message)
    flag = assigned[1] if assigned else {value: flag for flag, value in pairwise(sys.argv)}.get(first, "")
    names = [name for parameter in ctx.command.get_params(ctx) for name in parameter.opts] if ctx else []
    if not flag.startswith("--") or flag not in names:
        return None
    near = [name for name in names if name.startswith(f"{flag}-")]
    return f"The option {flag} takes no value." + f" Did you mean {' or '.join(near)}?" * bool(near)


def _setting_of_a_study(option: str, parameters: list[Any]) -> str:
    """Return how to change a setting of a study's own training, if the command line has a study file."""
    file = next((word for word in sys.argv[1:] if word.endswith(".py")), None)
    if file is None or all(parameter.metavar != "STUDY.py" for parameter in parameters):
        return ""
    name = option.removeprefix("--").replace("-", "_")
    return f" Change settings of a study's own training in {file}: Study(values={{{name!r}: ...}})."


def _wrong_value(error: Any, message: str) -> str:
    """Return the message of an invalid value with the value itself, where pydantic only describes what it should be."""
    errors: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    words = _VALUES.get(errors[0]["type"]) if errors else None
    if words is None:
        return message
    return message.replace(str(errors[0]["msg"]), words.format(input=errors[0]["input"], **errors[0].get("ctx", {})))


def check_repeated(given: Sequence[Any], ctx: Any) -> None:
    """Raise UsageMistake for an option of a single value that is given several times."""
    for parameter, number in Counter(given).items():
        takes_one = parameter.param_type_name == "option" and not (parameter.multiple or parameter.is_flag)
        if number > 1 and takes_one:
            raise UsageMistake(
                f"{max(parameter.opts, key=len)} is given {number} times. Give it once; several values, where it takes "
                "them, are separated by commas",
                ctx,
            )


def explain_mistake(error: Any) -> str:
    """Return a usage error in one line: the problem, the nearest existing name, and the help that lists all names."""
    ctx = error.ctx
    command = ctx.command_path if ctx else "ablate"
    option = getattr(error, "option_name", None)
    if option and hasattr(error, "possibilities"):
        parameters = ctx.command.get_params(ctx)
        names = [name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)]
        synonym = _SYNONYMS.get(option)
        near = nearest(synonym, names, 0.9) if synonym else nearest(option, names)  # --seed is near --seeds
        flag = "--help-all" if "--help-all" in names else "--help"
        hint = "" if synonym or nearest(option, names, 0.8) else _setting_of_a_study(option, parameters)
        return f"{unknown_name('option', option, None if hint else near)}{hint} See `{command} {flag}`"
    name = re.match(r"No such command '(.*?)'\.", error.format_message())
    if name:
        near = nearest(name[1], ctx.command.commands)
        return f"{unknown_name('command', name[1], near)} See `{command} --help`"
    if mistake := _value_of_a_flag(ctx, error.format_message()):
        return f"{mistake} See `{command} --help`"
    message = _wrong_value(error, " ".join(error.format_message().split()).rstrip("."))
    return f"{message[:1].upper()}{message[1:]}. See `{command} --help`"
