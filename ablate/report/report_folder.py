"""The folder of a report: its name, its files, and their replacement as a whole."""

from __future__ import annotations

import hashlib
import itertools
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ablate.errors import UserError
from ablate.redaction import mask_tokens
from ablate.report.formats.html import html, with_pictures

_FILES = (
    "report.md",
    "report.html",
    "runs.csv",
    "effects.csv",
    "interactions.csv",
    "table.md",
    "means.tex",
    "datasets.csv",
    "target.csv",
    "table.tex",
    "trials.csv",
)
_ORIGIN = "<!-- runs "


def folder_name(name: str) -> str:
    """Return the folder name of a study's report: letters, digits, dots, dashes and underscores of its name."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-") or "report"


def files_in(folder: Path) -> list[str]:
    """Return the files of a report, relative to its folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def free_folder(reports: Path, names: Sequence[str], origin: str) -> Path:
    """Return the first folder in `reports` without a report of other runs: of `names`, then with a number."""
    numbered = (f"{names[-1]}-{number}" for number in itertools.count(2))
    folders = (reports / folder_name(name) for name in itertools.chain(names, numbered))
    return next(folder for folder in folders if _is_free(folder / "report.md", _origin_line(origin)))


def study_folder(reports: Path, name: str) -> Path:
    """Return the folder of a study's report: `reports/NAME`, or `reports/study-NAME` if runs of others have that."""
    folder = reports / folder_name(name)
    return reports / folder_name(f"study-{name}") if _has_origin(folder / "report.md") else folder


def note_origin(folder: Path, origin: str) -> None:
    """Add an invisible line to `report.md` by which `free_folder` recognises the runs."""
    with (folder / "report.md").open("a", encoding="utf-8") as file:
        file.write(_origin_line(origin))


def _is_free(report: Path, line: str) -> bool:
    return not report.exists() or line in report.read_text(encoding="utf-8", errors="replace")


def _has_origin(report: Path) -> bool:
    return report.exists() and f"\n{_ORIGIN}" in report.read_text(encoding="utf-8", errors="replace")


def _origin_line(origin: str) -> str:
    return f"\n{_ORIGIN}{hashlib.sha256(origin.encode()).hexdigest()[:12]} -->\n"


@contextmanager
def replaced_report(folder: Path) -> Iterator[Path]:
    """Yield an empty folder whose files replace the older report in `folder` at the end, unless an error occurs.

    Other files in `folder` stay. Raises UserError if it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            yield Path(temporary)
            _replace_files(Path(temporary), folder)
    except OSError as error:
        raise UserError(f"Cannot write the report to {folder}: {error.strerror or error}") from error


def _replace_files(made: Path, folder: Path) -> None:
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    new = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for path in sorted(new):
        (made / path).replace(folder / path)
    pictures = list((folder / "figures").glob("*.png"))  # of this report and of the older one
    papers = [path.with_suffix(suffix) for path in pictures for suffix in (".pdf", ".svg")]
    for path in [*(folder / name for name in _FILES), *pictures, *papers]:
        if path.relative_to(folder) not in new:
            path.unlink(missing_ok=True)


def write_document(text: str, title: str, folder: Path, *, as_html: bool) -> None:
    """Write `report.md` and, if `as_html`, `report.html` with the images in `folder`."""
    text = mask_tokens(text)  # of settings and errors of runs of others
    (folder / "report.md").write_text(with_pictures(text, folder), encoding="utf-8")
    if as_html:
        (folder / "report.html").write_text(html(text, title, folder), encoding="utf-8")
