"""Reports: from a study's runs, or anyone's, to Markdown, tables and figures. Reads the tracker; never trains."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from ablate.report.analysis import Analysis, analyse
from ablate.report.check_claims import Claim, check_text
from ablate.report.plots.render import draughtsmen
from ablate.report.sources.mlflow_experiment import from_experiment
from ablate.report.sources.study import from_study
from ablate.report.sources.table import Reading, from_table, read_csv
from ablate.report.study_data import Account, Material
from ablate.report.tuning_report import TuningReport, is_tuning, write_tuning
from ablate.report.write import Report, folder_name, write
from ablate.tracking import Tracker

__all__ = [
    "Account",
    "Analysis",
    "Claim",
    "Material",
    "Reading",
    "Report",
    "TuningReport",
    "analyse",
    "check_material",
    "check_text",
    "draughtsmen",
    "folder_name",
    "from_experiment",
    "from_study",
    "from_table",
    "read_csv",
    "write",
    "write_report",
]


def write_report(
    name: str,
    tracker: Tracker,
    folder: Path,
    *,
    as_html: bool = False,
    margin: float | None = None,
    pool: Executor | None = None,
) -> Report | TuningReport:
    """Write the report of a study of ours into `folder` and attach it to the study.

    `pool` draws the figures (see `draughtsmen`). Raises UserError for a study that the store does not
    know, StoreError if the store fails.
    """
    record = tracker.study(name)
    report: Report | TuningReport
    if is_tuning(record):
        report = write_tuning(record, folder, as_html=as_html, pool=pool)
    else:
        report = write(from_study(name, tracker, margin), folder, as_html=as_html, pool=pool)
    tracker.attach_report(name, report.folder, report.note, report.metrics)
    return report


def check_material(material: Material, text: str) -> list[Claim]:
    """Every number in a text that states a difference of this study, and whether it is right."""
    found = analyse(material)
    return check_text(text, found.effects, material.metric)
