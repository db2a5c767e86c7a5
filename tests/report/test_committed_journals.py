"""Committed journals still give the tables that the code before the move into folders made of them.

The digests below were made by commit bb35f32, in which all modules lay flat, except two of the factorial study. Its
`effects.csv` differs in three columns: `n_unstable` counts the two diverged runs of `none`, which every average
contains, `delta_survivors` leaves this combination out, and `verdict` begins with "unstable in 2 of 80 runs". Its
`interactions.csv` states the synergy of each pair, twice the interaction effect, in all columns (`estimate`, intervals,
`p_tost`), and has the columns `n_unstable` and `delta_survivors`. The digests of the studies on a GPU (laptop,
candidates, notebook, notebook-pilot) were made when their reports were committed. The runs of the example are newer
than the move; commit 10607a8 made the same tables when it recorded them.

`runs.csv` holds recorded values and is compared as it is, byte for byte. Computed tables are compared with every number
rounded to nine significant digits, because the last bits of a sum depend on the processor; all their text, verdicts
included, is compared as it is.
"""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest

from ablate.report.sources.study import from_study
from ablate.report.write import write_report
from ablate.tracking import JournalTracker
from tests.samples.committed import committed_project

STUDIES = {"laptop-pilot": "laptop", "notebook-pilot": "notebook"}
"""Studies whose name is not that of their report."""

DIGESTS = {
    "example": {
        "effects.csv": "fd109432eebb017b9bca8fb448fa50f68997c1db5781c6c51d9a4fdd4c4b9183",
        "runs.csv": "b01214cafaf93ec68210306279f78b804474a095f5bc244b6ca258122caeb903",
    },
    "factorial": {
        "effects.csv": "dbd7fa8db5ff92986132c4fb936ec534aed0303e37bd8492f91d5d123082f8df",
        "interactions.csv": "e71eaed72fe04a8d5b87f9009e91093cb7075c88b239f70379fc8878cc42fb6d",
        "runs.csv": "13257222ee2622908188316a42b3f15f25c16456c6c2d0f64772ca4990fc0500",
    },
    "laptop-pilot": {
        "effects.csv": "34d69a783a5cc2ce0e34781cfcb31ca330f48eee6deaf46a40191f28e8af1f06",
        "runs.csv": "3d3e3af9ddffca62310dea1abb1f5a1f726c3d01ad1741a97601367b4df150af",
    },
    "laptop": {
        "effects.csv": "a89784a1646176ff89478be2d733e441bfcbabdfc01f28ccc66724cd96e0fbfd",
        "runs.csv": "40fd281dad5d10a5c7f030e390a0c15c6a05f27ae4708b4671a702d62da14879",
    },
    "candidates": {
        "effects.csv": "8568449b2e2c4b25dddbfca8246e0835cc9d1dab2ef0233dc9c22925163051ae",
        "runs.csv": "23649685ca3b606133973742b393e086f406adf6ffd44d6421a23e3cefb00d07",
    },
    "notebook": {
        "effects.csv": "c0d84357aadfc0e7791b8db0b0eb6ae3790c0ee526e6fd13cbd7a259d445f793",
        "runs.csv": "4b06e86970c6a824ddb88d5883d749d16b5316b820a949824e6495ee0f8facfe",
    },
    "notebook-pilot": {
        "effects.csv": "8583dff90154ff90777efbee7a4cbd3f3325ded3d4b7f84ed7b68bbf4bdb528a",
        "runs.csv": "88e1177f20dea007fe4b88e3155f25e8f85225697592bc4a47217ceefa271db7",
    },
}


def rounded(cell: str) -> str:
    """Return a number to nine significant digits, where what is left of a sum that cancels is 0, and text as it is."""
    try:
        number = float(cell)
    except ValueError:
        return cell
    return f"{0.0 if abs(number) < 1e-12 else number:.9g}"


def digest(path: Path) -> str:
    content = path.read_text(encoding="utf-8")
    if path.name != "runs.csv":
        rows = csv.reader(io.StringIO(content))
        content = "\n".join(",".join(map(rounded, row)) for row in rows)
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("report", DIGESTS)
def test_tables_have_not_changed(report: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.report.write.draw_all", lambda plots, *_: plots)
    study = STUDIES.get(report, report)
    project = committed_project(tmp_path, report)
    folder = write_report(from_study(study, JournalTracker(project)), tmp_path / "report").folder
    assert {path.name: digest(path) for path in folder.glob("*.csv")} == DIGESTS[report]
