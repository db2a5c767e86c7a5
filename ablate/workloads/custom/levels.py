"""Factors with named levels of a custom training: their declaration, as settings that studies compare by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ablate.errors import UsageError
from ablate.studies.settings import OneOf, Setting, Value
from ablate.wording import count, unknown
from ablate.workloads.custom.arguments import CommandDeclaration, FactorDescription
from ablate.workloads.custom.command_template import CommandTemplate, level_names

OnOff = str | tuple[str, str]
"""The description of a factor that is on or off."""

Requirement = tuple[str, tuple[Value, ...]]
"""The name of a setting, and the values of it with which something has an effect."""


def split_factors(
    factors: Mapping[str, FactorDescription], candidates: Mapping[str, FactorDescription]
) -> tuple[dict[str, OnOff], dict[str, tuple[str, ...]]]:
    """Return the descriptions of factors that are on or off, and the levels of the others.

    Raises UsageError for invalid levels, and for candidates with levels, whose baseline would have none of them.
    """
    if doubled := [name for name in factors if name in candidates]:
        raise UsageError(f"{doubled[0]} is declared both as a factor and as a candidate. Remove one of them")
    switches: dict[str, OnOff] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for name, description in {**factors, **candidates}.items():
        if isinstance(description, str) or (isinstance(description, tuple) and len(description) == 2):
            switches[name] = description
        elif not isinstance(description, list | tuple):
            raise UsageError(
                f"The factor {name} has a description, or a list of levels such as ['sgd', 'adam', 'muon'], "
                f"not {description!r}"
            )
        elif name in candidates:
            raise UsageError(f"The candidate {name} has levels: only factors that are on or off can be candidates")
        else:
            levels[name] = _checked(name, description)
    return switches, levels


def _checked(name: str, levels: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    if len(levels) < 2:
        raise UsageError(
            f"The factor {name} has {count(len(levels), 'level')}. List at least two, the baseline's first"
        )
    for place, level in enumerate(levels):
        if not isinstance(level, str) or not level.isprintable() or not level or level != level.strip():
            raise UsageError(f"The levels of {name} are words, not {level!r}")
        if level in levels[:place]:
            raise UsageError(f"The factor {name} has the level {level!r} twice. List each level once")
    return tuple(levels)


def level_settings(levels: Mapping[str, tuple[str, ...]], texts: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return factors with levels as settings, each with its help text if it is in `texts`."""
    return tuple(
        Setting(name, str, words[0], OneOf(words), texts.get(name, name), in_question=True)
        for name, words in levels.items()
    )


def command_factors(template: CommandTemplate, declaration: CommandDeclaration) -> dict[str, FactorDescription]:
    """Return the factors of the command that are not candidates, described by the declaration or by their texts."""
    texts = template.factor_texts
    candidates = declaration.get("candidates", {})
    descriptions = {**declaration.get("factors", {}), **candidates}
    for name in descriptions:
        if name not in texts:
            raise UsageError(f"{unknown('factor', name, texts)}. Add it to the command: {{{name}:on|off}}")
    found: dict[str, FactorDescription] = {}
    for name, options in texts.items():
        if len(options) > 2 and name in candidates:
            raise UsageError(f"The candidate {name} has levels: only factors that are on or off can be candidates")
        if len(options) > 2:
            found[name] = _level_list(name, options, descriptions.get(name, ""))
        elif name not in candidates:
            described = descriptions.get(name, (options[0], options[1]))
            if isinstance(described, list):
                raise UsageError(
                    f"The factor {name} has two texts in the command, so it is on or off, and {described} would be "
                    "levels. Describe on and off by a tuple, (on, off)"
                )
            found[name] = described if isinstance(described, str) else (described[0], described[1])  # on and off
    return found


def _level_list(name: str, texts: Sequence[str], description: FactorDescription) -> list[str]:
    """Return the names of the levels of a command's factor: the declared ones, or what distinguishes its texts."""
    if isinstance(description, str):
        return list(level_names(texts))
    if len(description) != len(texts):
        raise UsageError(
            f"The factor {name} has {len(texts)} texts in the command and {len(description)} declared levels. "
            "Give each level a name"
        )
    return list(description)


def declared_requirements(
    requires: Mapping[str, tuple[str, Sequence[Value]]], factors: Iterable[str], settings: Iterable[Setting]
) -> dict[str, Requirement]:
    """Return what factors and settings require. Raises UsageError for unknown names and for invalid values."""
    known = {setting.name: setting for setting in settings}
    found: dict[str, Requirement] = {}
    for name, needed in requires.items():
        if name not in {*factors, *known}:
            raise UsageError(unknown("factor or setting", name, (*factors, *known)))
        if isinstance(needed, str) or len(needed) != 2 or isinstance(needed[1], str):
            raise UsageError(
                f"{name} requires some values of another setting, {{{name!r}: ('optimizer', ['sgd'])}}, not {needed!r}"
            )
        other, values = needed
        if other not in known or other == name:
            raise UsageError(f"{name} requires values of another setting. {unknown('setting', other, known)}")
        found[name] = other, tuple(known[other].check(value) for value in values)
    return found
