"""The option --vary: values of settings and hyperparameters in question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.cli.options.recipe import NO_LIMIT, option_name
from ablate.errors import UsageError
from ablate.studies.settings import Setting, Value
from ablate.studies.workload import Workload

_BOOLEANS = {"true": True, "false": False, "on": True, "off": False}


def parse_vary(texts: Sequence[str] | None, workload: Workload) -> Mapping[str, Sequence[Value]] | None:
    """Return the values of each name in texts such as `lr=0.003,0.01`, or None without texts.

    Names may be written as options are, `batch-size` for `batch_size`. Raises UsageError for other texts.
    """
    if not texts:
        return None
    found: dict[str, Sequence[Value]] = {}
    for text in texts:
        given, equals, values = text.partition("=")
        if not equals or not given.strip() or not values.strip():
            raise UsageError(f"--vary takes a name and its values, such as lr=0.003,0.01, not {text!r}")
        name = _known(given.strip(), workload)
        if name in found:
            raise UsageError(f"--vary names {name} twice. Give all of its values at once: --vary {name}=...")
        if name in workload.factors:
            found[name] = []  # the study refuses it, and explains what to do
            continue
        setting = workload.setting(name)
        found[name] = [_value(setting, value.strip()) for value in values.split(",")]
    return found


def _known(given: str, workload: Workload) -> str:
    """Return the name of a setting or factor, which may be written as its option is."""
    settings = (*workload.settings, *workload.factors.hyperparameters)
    names: list[str] = [*workload.factors, *(setting.name for setting in settings)]
    return next((name for name in names if option_name(name) == option_name(given)), given)


def _value(setting: Setting, text: str) -> Value:
    if setting.optional and text == NO_LIMIT:
        return None
    if setting.kind is bool:
        return _BOOLEANS.get(text.lower(), text)
    try:
        return int(text) if setting.kind is int else float(text) if setting.kind is float else text
    except ValueError:
        return text  # the study refuses it, and says what the setting takes
