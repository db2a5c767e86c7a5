"""The format of a journal line: formatting, parsing, and the fields that each kind of record must have."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ablate.redaction import mask_values

END_STATUSES = ("finished", "unstable", "failed", "out_of_memory", "killed", "pruned")
"""The final statuses of a run."""

_FREE_TEXT = ("tags", "error", "trace", "environment", "data_name")
_PROCESS = ("host", "boot", "pid", "started")


def format_line(record: str, time: float, fields: Mapping[str, Any]) -> bytes:
    """Return a record as a line; non-finite numbers become null, secrets `***`.

    Raises ValueError for a record that `parse_line` would refuse, so that no journal is invalid.
    """
    free = {name: mask_values(value) for name, value in fields.items() if name in _FREE_TEXT}
    text = json.dumps({"record": record, "time": time, **_finite({**fields, **free})}, allow_nan=False)
    line = text.encode() + b"\n"
    try:
        parse_line(line)
    except ValueError as error:
        raise ValueError(f"Invalid {record} record: {error}") from None
    return line


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


def parse_line(line: bytes) -> dict[str, Any]:
    """Return the record of a line; the fields of unknown kinds of records are not checked.

    Raises:
        ValueError: The line is not a record, or a field is missing.
    """
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(record, dict) or not isinstance(record.get("record"), str) or not _is_time(record.get("time")):
        raise ValueError("not a record")
    wrong = [name for name, fits in _FIELDS.get(record["record"], {}).items() if not fits(record.get(name))]
    if wrong:
        raise ValueError(f"field {wrong[0]!r} is missing or invalid")
    return record


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, float) or _is_integer(value)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 2**33  # a date before 2242


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_recipe(value: object) -> bool:
    return isinstance(value, Mapping) and _is_integer(value.get("seed"))


def _is_process(value: object) -> bool:
    return isinstance(value, Mapping) and all(name in value for name in _PROCESS) and _is_integer(value["pid"])


_FIELDS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "start": {
        **dict.fromkeys(("variant", "key", "data", "study"), _is_text),
        **dict.fromkeys(("params", "conditions", "environment"), _is_mapping),
        "tags": lambda value: value is None or (_is_mapping(value) and all(map(_is_text, value.values()))),
        "floor": _is_number,
        "recipe": _is_recipe,
        "process": _is_process,
    },
    "resume": {"process": _is_process},
    "metrics": {"step": _is_integer, "values": _are_numbers},
    "series": {
        "name": _is_text,
        "first": _is_integer,
        "values": lambda value: isinstance(value, list) and all(map(_is_number, value)),
    },
    "end": {
        "status": lambda value: value in END_STATUSES,
        "metrics": lambda value: value is None or _are_numbers(value),
        "params": lambda value: value is None or _is_mapping(value),
    },
}
