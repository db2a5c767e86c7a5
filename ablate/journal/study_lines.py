"""Read the lines of a study's journal, which may have been written by anything: check every field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablate.journal.field_checks import (
    Check,
    are_numbers,
    has,
    is_file_name,
    is_integer,
    is_mapping,
    is_name,
    is_number,
    is_text,
    is_time,
    list_of,
    names_of,
    optional,
)
from ablate.journal.journal_lines import DamagedJournalError, complete_lines

_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "study": {
        "name": is_file_name,
        "question": is_text,
        "declared": has(
            margin=optional(is_number), seeds=optional(list_of(is_integer)), factors=optional(list_of(is_name))
        ),
        "earlier": list_of(is_mapping),
        "plan": list_of(
            has(key=is_file_name, data=is_file_name, variant=is_name, seed=is_integer, run=optional(is_file_name))
        ),
        "layout": optional(
            has(
                metric=optional(has(name=is_name)),
                factors=optional(list_of(is_name)),
                arms=optional(names_of(is_mapping)),
                comparisons=optional(list_of(has(variant=is_name))),
                data=optional(is_mapping),
            )
        ),
        "recorded": optional(is_time),
        "since": optional(is_time),
    },
    "status": {"status": is_name},
    "report": {"folder": is_text, "note": is_text, "metrics": are_numbers},
}


def study_lines(path: Path) -> tuple[list[dict[str, Any]], str | None]:
    """Return the records of a study's journal in order of time, and the reason why others are ignored, if any.

    An incomplete last line is not an error. A missing file has no records.
    """
    try:
        texts = dict.fromkeys(line for line in complete_lines(path) if line.strip())
    except FileNotFoundError:
        return [], None
    except DamagedJournalError as error:
        return [], error.reason
    found, reason = [], None
    for text in texts:
        try:
            found.append(_parsed(text))
        except ValueError as error:
            reason = reason or str(error)
    return sorted(found, key=lambda line: line["time"]), reason


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(line, dict) or not is_text(line.get("record")) or not is_time(line.get("time")):
        raise ValueError("a line is not a record")
    return check_fields(line["record"], line)


def check_fields(kind: str, line: Any) -> dict[str, Any]:
    """Return a record of this kind; those of unknown kinds are not checked.

    Raises ValueError if a field is missing or invalid.
    """
    if not isinstance(line, dict):
        raise ValueError("not a record")
    for name, fits in _FIELDS.get(kind, {}).items():
        if not fits(line.get(name)):
            raise ValueError(f"field {name!r} is missing or invalid")
    return line
