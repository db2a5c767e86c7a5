"""Check the marks of a file against the runs of its studies, and fill them in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import UsageError, UserError
from ablate.report.marks.check import CheckedValue, check_document, check_unmarked_tables, fill_document
from ablate.report.marks.study_values import StudyValues
from ablate.report.marks.syntax import LATEX_FORM, MARKDOWN_FORM, Document, read_document
from ablate.wording import listed
from ablate.workflows.report_source import ReportSource, UnknownStudyError


@dataclass(frozen=True)
class MarkedFile:
    """A file with marks, and the values of the studies that they name.

    Attributes:
        file: The path of the file.
        document: Its text and marks.
        studies: The values of the studies that the marks name.
        study: The study of tables without a mark; empty if none was named.
        skipped: Names of marked reports on runs of other programs, whose runs were not given.
    """

    file: Path
    document: Document
    studies: dict[str, StudyValues]
    study: str
    skipped: Sequence[str]

    def check(self) -> list[CheckedValue]:
        """Compare everything that is marked with the runs. Raises UserError if nothing is."""
        checked = check_document(self.document, self.studies, self.study)
        if not any(item.study == self.study or not self.study for item in checked):
            raise UserError(self._nothing())
        return checked

    def fill(self) -> list[CheckedValue]:
        """Write the values into the marks that do not agree, and return all marks as they were before.

        The file is replaced as a whole, and only if it changes. Raises UserError if nothing is marked.
        """
        checked = check_document(self.document, self.studies)
        if not any(item.study == self.study or not self.study for item in checked):
            raise UserError(self._nothing())
        text = fill_document(self.document, self.studies)
        if text != self.document.text:
            _replace_text(self.file, text)
        return checked

    def unfilled_tables(self) -> list[int]:
        """Return the lines of wrong cells of tables without a mark, which are checked, but not filled in."""
        if not self.study or self.document.is_latex:
            return []
        cells = check_unmarked_tables(self.document, self.study, self.studies[self.study])
        return [cell.line for cell in cells if not cell.agrees]

    def _nothing(self) -> str:
        form = LATEX_FORM if self.document.is_latex else MARKDOWN_FORM
        about = f" of {self.study}" if self.study else ""
        if self.skipped:
            return f"Nothing can be checked in {self.file}. Marks of {listed(self.skipped)} need --runs or --experiment"
        return f"Nothing{about} is marked in {self.file}. Mark numbers as {form}"


def read_marks(file: Path, source: ReportSource) -> MarkedFile:
    """Return a file with the values of its studies: the one of `source`, and others of the project that it names.

    Raises:
        UsageError: The file does not exist.
        UserError: The file is not UTF-8 text, a mark is malformed, or its study is unknown.
    """
    if not file.is_file():
        raise UsageError(f"File not found: {file}")
    try:
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a UTF-8 text file") from None
    document = read_document(text, file)
    studies = {source.name: source.values_of(source.name)} if source.name else {}
    skipped: dict[str, None] = {}
    for mark in document.marks:
        if mark.study in studies or mark.study in skipped:
            continue
        try:
            studies[mark.study] = source.values_of(mark.study)
        except UnknownStudyError as error:
            if not source.has_report(mark.study):
                raise UserError(f"Line {mark.line}: {error}") from None
            skipped[mark.study] = None
    return MarkedFile(file, document, studies, source.name, list(skipped))


def _replace_text(file: Path, text: str) -> None:
    """Replace a file at once, with its permissions; a link stays, and its target is replaced."""
    target = file.resolve()
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        written = Path(folder) / target.name
        written.write_bytes(text.encode("utf-8"))
        shutil.copymode(target, written)
        written.replace(target)
