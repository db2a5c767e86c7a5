"""A line of a journal: how a record is written, and what it must hold to be read again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ablate.redaction import mask_values

ENDS = ("finished", "unstable", "failed", "out_of_memory", "killed", "pruned")
"""The statuses that a run can end with."""

_FREE_TEXT = ("tags", "error", "trace", "environment", "data_name")
_PROCESS = ("host", "boot", "pid", "started")


def line(record: str, time: float, fields: Mapping[str, Any]) -> bytes:
    """Return a record as a whole line; numbers that are not finite are written as null, secrets as `***`."""
    free = {name: mask_values(value) for name, value in fields.items() if name in _FREE_TEXT}
    text = json.dumps({"record": record, "time": time, **_finite({**fields, **free})}, allow_nan=False)
    return text.encode() + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(item) for item in value]
    return value


def parse(line: bytes) -> dict[str, Any]:
    """Return the record of a line. Raises ValueError for a line that is none; unknown kinds of record may pass."""
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(record, dict) or not isinstance(record.get("record"), str) or not _is_time(record.get("time")):
        raise ValueError("no record")
    wrong = [name for name, fits in _FIELDS.get(record["record"], {}).items() if not fits(record.get(name))]
    if wrong:
        raise ValueError(f"no {wrong[0]}")
    return record


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, float) or _is_whole(value)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value < 2**33  # a date before 2242


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _are_numbers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_number, value.values()))


def _is_recipe(value: object) -> bool:
    return isinstance(value, Mapping) and _is_whole(value.get("seed"))


def _is_process(value: object) -> bool:
    return isinstance(value, Mapping) and all(name in value for name in _PROCESS) and _is_whole(value["pid"])


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
    "metrics": {"step": _is_whole, "values": _are_numbers},
    "series": {
        "name": _is_text,
        "first": _is_whole,
        "values": lambda value: isinstance(value, list) and all(map(_is_number, value)),
    },
    "end": {
        "status": lambda value: value in ENDS,
        "metrics": lambda value: value is None or _are_numbers(value),
        "params": lambda value: value is None or _is_mapping(value),
    },
}
