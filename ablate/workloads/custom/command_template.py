"""Command lines with placeholders: the factors that they declare, and their arguments for a recipe.

`{name}` is a value, `{name:on|off}` the text of a factor when it is on and when it is off, `{name:a|b|c}` the texts of
the levels of a factor, `{{name}}` the literal text {name}; other braces are literal too. The command is split into
arguments, by the rules of a shell, before placeholders are replaced, so a value is always part of one argument. A
factor that is an argument of its own may become several arguments, or none.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ablate.errors import UsageError
from ablate.wording import unknown
from ablate.workloads.custom.recipe_use import SEED_IGNORED

_PART = r"(?:[^{}|]|\{\w+\})*"
_SWITCH = re.compile(rf"\{{(\w+):({_PART}(?:\|{_PART})+)\}}")
_LITERAL = re.compile(r"\{\{(\w+)\}\}")
_VALUE = re.compile(r"\{(\w+)\}|\x01(\w+)\x02")  # a placeholder, or a literal as marked by `read`
_MARK = "\x00"
_MARKED = re.compile(rf"{_MARK}(\d+){_MARK}")


@dataclass(frozen=True)
class FactorSwitch:
    """A factor in a command: the texts for on and off, or those of its levels."""

    factor: str
    texts: tuple[str, ...]


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
            switches.append(FactorSwitch(found[1], tuple(found[2].split("|"))))
            return f"{_MARK}{len(switches) - 1}{_MARK}"

        arguments = _split(_SWITCH.sub(marked, text))
        if not arguments:
            raise UsageError("The command is empty")
        return cls(tuple(arguments), tuple(switches))

    @property
    def factor_texts(self) -> dict[str, tuple[str, ...]]:
        """The texts of each factor for on and off, or for its levels, from all of its switches.

        Raises UsageError for equal texts, and for switches with different numbers of texts.
        """
        found: dict[str, tuple[str, ...]] = {}
        for switch in self.switches:
            before = found.get(switch.factor, ("",) * len(switch.texts))
            if len(before) != len(switch.texts):
                raise UsageError(
                    f"The factor {switch.factor} has {len(before)} texts in one place of the command and "
                    f"{len(switch.texts)} in another. Give each of its levels a text in both"
                )
            found[switch.factor] = tuple(
                f"{one} {other}".strip() for one, other in zip(before, switch.texts, strict=True)
            )
        for name, texts in found.items():
            written = [self._written(name, place) for place in range(len(texts))]
            equal = [place for place, words in enumerate(written) if words in written[:place]]
            if equal or len(set(texts)) < len(texts):
                of = "on and off" if len(texts) == 2 else "for two levels"
                twice = texts[equal[0]] if equal else next(text for text in texts if texts.count(text) > 1)
                raise UsageError(f"The factor {name} has the same text {of}: {twice or 'nothing'}")
        return found

    def _written(self, factor: str, place: int) -> list[list[str]]:
        """Return what each switch of a factor adds to the arguments, for its text at a place."""
        own = [(f"{_MARK}{number}{_MARK}", one) for number, one in enumerate(self.switches) if one.factor == factor]
        return [_split(one.texts[place]) if mark in self.arguments else [one.texts[place]] for mark, one in own]

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """The names of the levels of each factor with three texts or more."""
        return {name: level_names(texts) for name, texts in self.factor_texts.items() if len(texts) > 2}

    def check(self, known: Mapping[str, object]) -> None:
        """Raise UsageError for a placeholder that is not in `known`."""
        texts = [*self.arguments, *(text for switch in self.switches for text in switch.texts)]
        for text in texts:
            for name in placeholders_in(text) - {*known}:
                raise UsageError(f"{unknown('placeholder', name, known)}. For the literal text, write {{{{{name}}}}}")

    def unread_names(self, settings: Iterable[str], other_texts: Iterable[str]) -> dict[str, str]:
        """Return a warning for each setting, and for the seed, that is not in the command nor in `other_texts`."""
        used = placeholders_in(*self.arguments, *other_texts)
        for switch in self.switches:
            used |= set.intersection(*map(placeholders_in, switch.texts))
        partly = {name: switch.factor for switch in self.switches for name in placeholders_in(*switch.texts)}
        found = {}
        for name in ("seed", *settings):
            where = f"has {{{name}}} only in the text of {partly[name]}" if name in partly else f"has no {{{name}}}"
            if name == "seed":
                found[name] = f"The command {where}. {SEED_IGNORED}. Pass the seed to the program: --seed {{seed}}"
            else:
                found[name] = f"The command {where}, so the setting {name} has no effect there"
        return {name: text for name, text in found.items() if name not in used}

    def fill(
        self, state: Callable[[str], bool | str], values: Mapping[str, object], levels: Mapping[str, Sequence[str]]
    ) -> list[str]:
        """Return the arguments for the factors and values of a recipe.

        Args:
            state: Whether a factor is on, or its level.
            values: The values of placeholders.
            levels: The names of the levels of factors that have them.
        """
        chosen = []
        for switch in self.switches:
            found = state(switch.factor)
            place = levels[switch.factor].index(found) if isinstance(found, str) else int(not found)
            chosen.append(switch.texts[place])
        filled: list[str] = []
        for argument in self.arguments:
            alone = _MARKED.fullmatch(argument)
            parts = _split(chosen[int(alone[1])]) if alone else [_MARKED.sub(lambda at: chosen[int(at[1])], argument)]
            filled += [fill_values(part, values) for part in parts]
        return filled


def level_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return names of levels: what distinguishes their texts, or else the whole texts; `none` for no text.

    >>> level_names(["--opt sgd --fast", "--opt adam --fast", "--opt muon --fast"])
    ('sgd', 'adam', 'muon')
    >>> level_names(["--opt=sgd", "--opt=adam", ""])
    ('sgd', 'adam', 'none')
    >>> level_names(["--sgd", "--adam", "--adam --amsgrad"])
    ('--sgd', '--adam', '--adam --amsgrad')
    """
    words = [text.split() for text in texts if text.strip()]
    for end in (0, -1):
        while all(words) and len({one[end] for one in words}) == 1:
            words = [one[1:] if end == 0 else one[:-1] for one in words]
    rest = [" ".join(one) for one in words]
    equal = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*rest, strict=False))
    shared = "".join(letters[0] for letters in equal)
    cut = max(
        shared.rfind("=") + 1, len(shared) - len(shared.lstrip("-")) if all(len(one) == 1 for one in words) else 0
    )
    short = iter(one[cut:] for one in rest)
    names = tuple(next(short) if text.strip() else "none" for text in texts)
    whole = tuple(" ".join(text.split()) or "none" for text in texts)
    return names if all(names) and len(set(names)) == len(names) else whole


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
