"""A command with placeholders: which factors it has, and the list of arguments that a recipe makes of it. Pure.

`{name}` is a value, `{name:on|off}` what a factor is when it is on and when it is off, `{{name}}` the text {name};
other braces stand for themselves. The text is split into arguments as a shell would, before anything is filled in, so a
value stays one argument whatever it holds; a factor that is an argument of its own may become several, or none.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from ablate.errors import UsageError
from ablate.wording import unknown

_PART = r"(?:[^{}|]|\{\w+\})*"
_SWITCH = re.compile(rf"\{{(\w+):({_PART})\|({_PART})\}}")
_LITERAL = re.compile(r"\{\{(\w+)\}\}")
_VALUE = re.compile(r"\{(\w+)\}|\x01(\w+)\x02")
_MARK = "\x00"
_MARKED = re.compile(rf"{_MARK}(\d+){_MARK}")


@dataclass(frozen=True)
class Switch:
    """A factor in a command: the texts for on and off."""

    factor: str
    on: str
    off: str


@dataclass(frozen=True)
class Template:
    """A command that was read: its arguments, in which marks stand for the switches."""

    arguments: tuple[str, ...]
    switches: tuple[Switch, ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the template that `text` says. Raises UsageError for what cannot be split into arguments."""
        text = _LITERAL.sub("\x01\\1\x02", text)
        switches: list[Switch] = []

        def marked(found: re.Match[str]) -> str:
            switches.append(Switch(*found.groups()))
            return f"{_MARK}{len(switches) - 1}{_MARK}"

        arguments = _split(_SWITCH.sub(marked, text))
        if not arguments:
            raise UsageError("the command of a study is empty")
        return cls(tuple(arguments), tuple(switches))

    @property
    def meanings(self) -> dict[str, tuple[str, str]]:
        """What each factor is when it is on and when it is off, in all of its places."""
        found: dict[str, tuple[str, str]] = {}
        for switch in self.switches:
            on, off = found.get(switch.factor, ("", ""))
            found[switch.factor] = f"{on} {switch.on}".strip(), f"{off} {switch.off}".strip()
        return found

    def check(self, known: Mapping[str, object]) -> None:
        """Raise UsageError for a placeholder that stands for nothing."""
        texts = [*self.arguments, *(text for switch in self.switches for text in (switch.on, switch.off))]
        for text in texts:
            for name, _literal in _VALUE.findall(text):
                if name and name not in known:
                    raise UsageError(
                        f"{unknown('placeholder', name, known)}. For the literal text, write {{{{{name}}}}}"
                    )

    def fill(self, is_on: Callable[[str], bool], values: Mapping[str, object]) -> list[str]:
        """Return the arguments under the switches and values of a recipe."""
        chosen = [switch.on if is_on(switch.factor) else switch.off for switch in self.switches]
        filled: list[str] = []
        for argument in self.arguments:
            alone = _MARKED.fullmatch(argument)
            parts = _split(chosen[int(alone[1])]) if alone else [_MARKED.sub(lambda at: chosen[int(at[1])], argument)]
            filled += [fill_values(part, values) for part in parts]
        return filled


def fill_values(text: str, values: Mapping[str, object]) -> str:
    """Return `text` with `{name}` replaced by values; braces of a value stay as they are."""
    return _VALUE.sub(lambda at: f"{{{at[2]}}}" if at[2] else str(values.get(at[1], at[0])), text)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the command {text!r} cannot be split into arguments: {error}") from None
