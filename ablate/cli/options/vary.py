"""The option --vary: values of settings and hyperparameters in question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.cli.options.recipe import NO_LIMIT, option_name
from ablate.errors import UsageError
from ablate.studies.arms import Level
from ablate.studies.settings import Value
from ablate.studies.varied_values import Names
from ablate.studies.workload import Workload

_BOOLEANS = {"true": True, "false": False, "on": True, "off": False}


def parse_vary(texts: Sequence[str] | None, workload: Workload) -> Mapping[Names, Sequence[Level]] | None:
    """Return the values of each name in texts such as `lr=0.003,0.01`, or None without texts.

    Values of several names that change together are combinations, joined by colons: `lr,epochs=0.01:4,0.003:8`. Names
    may be written as options are, `batch-size` for `batch_size`. Raises UsageError for other texts.
    """
    if not texts:
        return None
    found: dict[Names, Sequence[Level]] = {}
    for text in texts:
        given, equals, values = text.partition("=")
        if not equals or not all(map(str.strip, given.split(","))) or not values.strip():
            raise UsageError(f"--vary takes a name and its values, such as lr=0.003,0.01, not {text!r}")
        names = tuple(_known(name.strip(), workload) for name in given.split(","))
        key: Names = names if len(names) > 1 else names[0]
        if key in found:
            written = ",".join(names)
            raise UsageError(f"--vary names {written} twice. Give all of its values at once: --vary {written}=...")
        if len(names) > 1:
            found[key] = [_combination(names, text, workload) for text in values.split(",")]
        elif names[0] in workload.factors:
            found[key] = []  # the study refuses it, and explains what to do
        else:
            found[key] = [_value(names[0], value, workload) for value in values.split(",")]
    return found


def _combination(names: Sequence[str], text: str, workload: Workload) -> tuple[Value, ...]:
    values = text.split(":")
    if len(values) != len(names):
        raise UsageError(
            f"--vary {','.join(names)}=... takes combinations of {len(names)} values, joined by colons, not "
            f"{text.strip()!r}"
        )
    return tuple(_value(name, value, workload) for name, value in zip(names, values, strict=True))


def _known(given: str, workload: Workload) -> str:
    """Return the name of a setting or factor, which may be written as its option is."""
    settings = (*workload.settings, *workload.factors.hyperparameters)
    names: list[str] = [*workload.factors, *(setting.name for setting in settings)]
    return next((name for name in names if option_name(name) == option_name(given)), given)


def _value(name: str, text: str, workload: Workload) -> Value:
    text = text.strip()
    if name in workload.factors:
        return _BOOLEANS.get(text.lower(), text)
    setting = workload.setting(name)
    if setting.optional and text == NO_LIMIT:
        return None
    if setting.kind is bool:
        return _BOOLEANS.get(text.lower(), text)
    try:
        return int(text) if setting.kind is int else float(text) if setting.kind is float else text
    except ValueError:
        return text  # the study refuses it, and names the values that the setting takes
