"""The laws of marks: filled in they agree, a changed digit is found, and nothing else changes."""

from __future__ import annotations

import re
from pathlib import Path

from ablate.errors import UserError
from ablate.report.marks.check import CheckedValue, check_document, fill_document
from ablate.report.marks.quantities import QUANTITIES
from ablate.report.marks.study_values import StudyValues
from ablate.report.marks.syntax import quoted, read_document


def check(text: str, values: StudyValues, *, tables_of: str = "", file: str = "page.md") -> list[CheckedValue]:
    name = values.analysis.study.name
    return check_document(read_document(text, Path(file)), {name: values}, tables_of)


def fill(text: str, values: StudyValues, file: str = "page.md") -> str:
    return fill_document(read_document(text, Path(file)), {values.analysis.study.name: values})


def every_mark(values: StudyValues) -> list[str]:
    """Return an empty mark of everything that a study has, `vs` its reference if there is one."""
    study = quoted(values.analysis.study.name)
    names = [f"{study} {name}" for name, one in QUANTITIES.items() if one.is_in(values.study_row.columns)]
    names += [f"{study} {name}" for name in values.tables]
    for name, rows in values.rows.items():
        for row in rows:
            versus = f" vs {quoted(row.reference)}" if row.reference else ""
            names += [
                f"{study} {quoted(name)}{versus} {quantity}"
                for quantity, one in QUANTITIES.items()
                if one.is_in(row.columns) and not row.invalid & set(one.columns)
            ]
    return [f"<!-- ablate: {name} --><!-- /ablate -->" for name in dict.fromkeys(names)]


def altered_digits(text: str) -> list[str]:
    """Return the text once for each mark, with another digit in its content."""
    contents = [range(*found.span(1)) for found in re.finditer(r"-->((?:(?!<!--).)*)<!-- /ablate -->", text, re.DOTALL)]
    places = [place for content in contents for place in content if text[place] in "0123456789"]
    return [text[:place] + str((int(text[place]) + place % 9 + 1) % 10) + text[place + 1 :] for place in places]


def assert_filled_marks_agree(values: StudyValues, most_altered: int = 200) -> str:
    """Assert the laws of checking and filling in for everything that a study has."""
    marks = every_mark(values)
    empty = "# Text\r\n\r\n" + " and 5 of 7,\n".join(marks) + "\nthe end 3.02"
    filled = fill(empty, values)
    checked = check(filled, values)
    assert [item for item in checked if not item.agrees] == []
    assert len(checked) >= len(marks)
    assert fill(filled, values) == filled
    outside = re.compile(r"-->(?:(?!<!--).)*<!-- /ablate -->", re.DOTALL)
    assert outside.sub("--><!-- /ablate -->", filled) == empty
    changed = altered_digits(filled)
    for text in changed[:: max(1, len(changed) // most_altered)]:
        assert not _agrees(text, values), text
    return filled


def _agrees(text: str, values: StudyValues) -> bool:
    try:
        return all(item.agrees for item in check(text, values))
    except UserError:  # a digit in the name of a table's row
        return False
