"""Studies whose journals are committed with their reports."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from ablate.report.analysis import analyse
from ablate.report.marks.study_values import StudyValues
from ablate.report.sources.study import from_study
from ablate.tracking import JournalTracker, Project
from tests import ROOT

STUDIES = ("candidates", "example", "factorial", "laptop", "notebook")


def committed_project(root: Path, report: str) -> Project:
    """Return a project whose only runs are those of the journals that are committed with a report."""
    project = Project(root)
    project.journals.mkdir(parents=True)
    project.studies.mkdir(parents=True)
    for path in (ROOT / "reports" / report / "journal").iterdir():
        shutil.copy(path, project.studies if path.name.endswith(".study.jsonl") else project.journals)
    return project


@cache
def committed_values(study: str) -> StudyValues:
    """Return the values of a committed study."""
    with tempfile.TemporaryDirectory() as folder:
        project = committed_project(Path(folder), study)
        return StudyValues(analyse(from_study(study, JournalTracker(project))))
