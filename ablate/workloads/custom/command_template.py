"""Command lines with placeholders: the factors that they declare, and their arguments for a recipe.

`{name}` is a value, `{name:on|off}` the text of a factor when it is on and when it is off, `{{name}}` the literal text
{name}; other braces are literal too. The command is split into arguments, by the rules of a shell, before placeholders
are replaced, so a value is always part of one argument. A factor that is an argument of its own may become several
arguments, or none.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from ablate.errors import UsageError
from ablate.wording import unknown
from ablate.workloads.custom.recipe_use import SEED_IGNORED

_PART = r"(?:[^{}|]|\{\w+\})*"
_SWITCH = re.compile(rf"\{{(\w+):({_PART})\|({_PART})\}}")
_LITERAL = re.compile(r"\{\{(\w+)\}\}")
_VALUE = re.compile(r"\{(\w+)\}|\x01(\w+)\x02")  # a placeholder, or a literal as marked by `read`
_MARK = "\x00"
_MARKED = re.compile(rf"{_MARK}(\d+){_MARK}")


@dataclass(frozen=True)
class FactorSwitch:
    """A factor in a command: the texts for on and off."""

    factor: str
    on: str
    off: str


@dataclass(frozen=True)
class CommandTemplate:
    """A parsed command: its arguments, in which marks replace the switches."""

    arguments: tuple[str, ...]
    switches: tuple[FactorSwitch, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the template of a command. Raises UsageError if it cannot be split into arguments."""
        text = _LITERAL.sub("\x01\\1\x02", text)
        switches: list[FactorSwitch] = []

        def marked(found: re.Match[str]) -> str:
            switches.append(FactorSwitch(*found.groups()))
            return f"{_MARK}{len(switches) - 1}{_MARK}"

        arguments = _split(_SWITCH.sub(marked, text))
        if not arguments:
            raise UsageError("The command is empty")
        return cls(tuple(arguments), tuple(switches))

    @property
    def factor_texts(self) -> dict[str, tuple[str, str]]:
        """The texts of each factor for on and off, from all of its switches. Raises UsageError for equal texts."""
        found: dict[str, tuple[str, str]] = {}
        for switch in self.switches:
            on, off = found.get(switch.factor, ("", ""))
            found[switch.factor] = f"{on} {switch.on}".strip(), f"{off} {switch.off}".strip()
        for name, (on, off) in found.items():
            if on == off:
                raise UsageError(f"The factor {name} has the same text on and off: {on or 'nothing'}")
        return found

    def check(self, known: Mapping[str, object]) -> None:
        """Raise UsageError for a placeholder that is not in `known`."""
        texts = [*self.arguments, *(text for switch in self.switches for text in (switch.on, switch.off))]
        for text in texts:
            for name in placeholders_in(text) - {*known}:
                raise UsageError(f"{unknown('placeholder', name, known)}. For the literal text, write {{{{{name}}}}}")

    def unread_names(self, settings: Iterable[str], other_texts: Iterable[str]) -> dict[str, str]:
        """Return a warning for each setting, and for the seed, that is not in the command nor in `other_texts`."""
        used = placeholders_in(*self.arguments, *other_texts)
        for switch in self.switches:
            used |= placeholders_in(switch.on) & placeholders_in(switch.off)
        partly = {name: switch.factor for switch in self.switches for name in placeholders_in(switch.on, switch.off)}
        found = {}
        for name in ("seed", *settings):
            where = f"has {{{name}}} only in the text of {partly[name]}" if name in partly else f"has no {{{name}}}"
            if name == "seed":
                found[name] = f"The command {where}. {SEED_IGNORED}. Pass the seed to the program: --seed {{seed}}"
            else:
                found[name] = f"The command {where}, so the setting {name} has no effect there"
        return {name: text for name, text in found.items() if name not in used}

    def fill(self, is_on: Callable[[str], bool], values: Mapping[str, object]) -> list[str]:
        """Return the arguments for the factors and values of a recipe."""
        chosen = [switch.on if is_on(switch.factor) else switch.off for switch in self.switches]
        filled: list[str] = []
        for argument in self.arguments:
            alone = _MARKED.fullmatch(argument)
            parts = _split(chosen[int(alone[1])]) if alone else [_MARKED.sub(lambda at: chosen[int(at[1])], argument)]
            filled += [fill_values(part, values) for part in parts]
        return filled


def placeholders_in(*texts: str) -> set[str]:
    """Return the names of the placeholders for values in texts."""
    return {name for text in texts for name, _literal in _VALUE.findall(text) if name}


def fill_values(text: str, values: Mapping[str, object]) -> str:
    """Return `text` with placeholders replaced by values; unknown ones, and braces in values, are kept."""
    return _VALUE.sub(lambda at: f"{{{at[2]}}}" if at[2] else str(values.get(at[1], at[0])), text)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"Cannot split the command {text!r} into arguments: {error}") from None
