"""Read the lines of a study's journal, which may have been written by anything: check every field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.journal.field_checks import is_text, is_time
from ablate.journal.journal_lines import DamagedJournalError, complete_lines
from ablate.journal.line_format import read_json
from ablate.journal.study_fields import FIELDS


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
    line = read_json(text)
    if not isinstance(line, dict) or not is_text(line.get("record")) or not is_time(line.get("time")):
        raise ValueError("a line is not a record")
    return check_fields(line["record"], line)


def check_fields(kind: str, line: Any) -> dict[str, Any]:
    """Return a record of this kind; those of unknown kinds are not checked.

    Raises ValueError if a field is missing or invalid.
    """
    if not isinstance(line, dict):
        raise ValueError("not a record")
    for name, fits in FIELDS.get(kind, {}).items():
        if not fits(line.get(name)):
            raise ValueError(f"field {name!r} is missing or invalid")
    return line
