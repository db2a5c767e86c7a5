"""Write the report on a study or search in a store."""

from __future__ import annotations

from pathlib import Path

from ablate.report.plots.render import Drawing
from ablate.report.sources.study import from_study
from ablate.report.tuning_report import TuningReport, is_tuning, write_tuning
from ablate.report.write import Report, write_report
from ablate.tracking import Tracker

_DRAWING = Drawing()


def write_study_report(
    name: str,
    tracker: Tracker,
    folder: Path,
    *,
    as_html: bool = False,
    margin: float | None = None,
    floor: float | None = None,
    drawing: Drawing = _DRAWING,
) -> Report | TuningReport:
    """Write the report on the study or search `name` into `folder`. `margin` and `floor` replace the declared ones.

    Raises:
        UserError: The store does not have the study.
        StoreError: The store failed.
    """
    record = tracker.study(name)
    if is_tuning(record):
        return write_tuning(record, folder, as_html=as_html, drawing=drawing)
    return write_report(from_study(name, tracker, margin, floor), folder, as_html=as_html, drawing=drawing)
