"""Names of results: {"performance": {"f1": 0.9}} has `performance.f1`, or `f1` for short; as MLflow accepts them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ablate.errors import UserError
from ablate.wording import listed

_LARGEST = 2**1023  # integers up to it are floats, too
_NOT_ALLOWED = re.compile(r"[^\w\-. :/]")
_LONGEST = 200


class JsonObject(dict[str, Any]):
    """A JSON object; `repeated` is a name that has several values in it, or in an object within it, or empty."""

    repeated = ""


def object_of_pairs(pairs: list[tuple[str, Any]]) -> JsonObject:
    """Return a JSON object from its names and values, as a hook of the JSON decoder, which keeps the last of a name."""
    found = JsonObject(pairs)
    values = [item for _, value in pairs for item in (value if isinstance(value, list) else [value])]
    names = [name for name, value in pairs if repr(found[name]) != repr(value)]
    names += [value.repeated for value in values if isinstance(value, JsonObject) and value.repeated]
    found.repeated = next(iter(names), "")
    return found


def flatten(found: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of an object by their names; those of objects within it, and in lists, by dotted names."""
    values: dict[str, Any] = {}
    for key, value in found.items():
        name = f"{prefix}{key}"
        is_list = isinstance(value, list) and any(isinstance(entry, Mapping | list) for entry in value)
        inner = dict(enumerate(value)) if is_list else value
        if isinstance(inner, Mapping):
            values |= flatten(inner, f"{name}.")
        else:
            values[name] = value
    return values


def find_result(found: Mapping[Any, Any], metric: str, where: str) -> str | None:
    """Return the name of a metric's value in an object: its own name, or a dotted name that ends with it.

    Raises UserError if several dotted names do, or if the metric is in the object in another form.
    """
    values = flatten(found)
    if metric in values:
        return metric
    names = [name for name in values if name.endswith(f".{metric}")]
    if len(names) > 1:
        is_list = len(set(map(without_positions, names))) == 1
        last = f'Metric("{names[-1]}"), or print it as a value of its own: {{"{metric}": 0.93}}'
        advice = f", the last for example: {last}" if is_list else f': Metric("{names[0]}")'
        raise UserError(f'"{metric}" is ambiguous in {where}: {listed(names)}. Declare one of them{advice}')
    if not names and (in_lists := [name for name in values if f".{without_positions(name)}".endswith(f".{metric}")]):
        raise UserError(
            f'"{metric}" is in a list in {where}: {listed(in_lists)}. Print it as a value of its own: '
            f'{{"{metric}": 0.93}}, or declare Metric("{in_lists[-1]}")'
        )
    if not names and (form := _other_form(found, metric)):
        raise UserError(f'"{metric}" in {where} is {form}')
    return names[0] if names else None


def part_without_values(found: Mapping[Any, Any], name: str) -> str:
    """Return the part of a dotted name that has no values in an object: `test` of `test.f1` in {"test": null}.

    Empty for an object that has values there, or lacks all parts of the name.
    """
    for key, value in found.items():
        if not name.startswith(f"{key}."):
            continue
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(inner, Mapping) or not inner:
            return str(key)
        if part := part_without_values(inner, name[len(f"{key}.") :]):
            return f"{key}.{part}"
    return ""


def without_positions(name: str) -> str:
    """Return a dotted name without the positions in lists: `folds.0.f1` is `folds.f1`."""
    return ".".join(part for part in name.split(".") if not part.isdecimal())


def _other_form(found: Mapping[Any, Any], metric: str, prefix: str = "") -> str:
    """Return what a metric is in an object that has no value of its name; empty if it is not in the object."""
    for key, value in found.items():
        name = f"{prefix}{key}"
        if isinstance(value, str) and re.search(rf"""["']{re.escape(metric)}["']\s*:""", value):
            return f'in the text of "{name}". Print it as a number of its own: {{"{metric}": 0.93}}'
        if value == metric and _is_number(found.get("value")):
            return f'the text of "{name}". Print it as the name of its value: {{"{metric}": 0.93}}'
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(inner, Mapping):
            continue
        if name == metric or name.endswith(f".{metric}"):
            parts = list(flatten(inner, f"{name}."))
            way_out = f'Declare one of its values: Metric("{parts[0]}")' if parts else "Print a number"
            return f"an object with {listed(parts) or 'no values'}. {way_out}"
        if form := _other_form(inner, metric, f"{name}."):
            return form
    return ""


def numbers(found: Mapping[Any, Any]) -> dict[str, float]:
    """Return the numbers of an object by name."""
    return {name: float(value) for name, value in flatten(found).items() if _is_number(value)}


def recordable(name: str) -> str:
    """Return the name under which a metric is recorded. MLflow allows letters, digits, spaces, _ - . : and paths."""
    parts = [part.lstrip(".") for part in _NOT_ALLOWED.sub("_", name)[:_LONGEST].split("/")]
    return "/".join(part for part in parts if part) or "_"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) < _LARGEST
