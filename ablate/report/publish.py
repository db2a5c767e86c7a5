"""Reports on the studies of a store: written to a folder and attached to the study."""

from __future__ import annotations

from pathlib import Path

from ablate.report.plots.render import Drawing
from ablate.report.sources.study import from_study
from ablate.report.tuning_report import TuningReport, is_tuning, write_tuning
from ablate.report.write import Report, write_report
from ablate.tracking import Tracker

_DRAWING = Drawing()


def publish_report(
    name: str,
    tracker: Tracker,
    folder: Path,
    *,
    as_html: bool = False,
    margin: float | None = None,
    floor: float | None = None,
    drawing: Drawing = _DRAWING,
) -> Report | TuningReport:
    """Write the report of the study or search `name` into `folder` and attach it to the study in the store.

    `margin` and `floor` replace the declared ones. Raises UserError for a
    study that the store does not have, StoreError if the store fails.
    """
    record = tracker.study(name)
    report: Report | TuningReport
    if is_tuning(record):
        report = write_tuning(record, folder, as_html=as_html, drawing=drawing)
    else:
        report = write_report(from_study(name, tracker, margin, floor), folder, as_html=as_html, drawing=drawing)
    tracker.attach_report(name, report.folder, report.note, report.metrics)
    return report
