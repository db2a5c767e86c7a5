"""The report that a command writes on the study whose runs it has just made."""

from __future__ import annotations

from concurrent.futures import Executor
from pathlib import Path

from ablate import console
from ablate.phrases import not_delivered
from ablate.recording import Recording
from ablate.report import Report, TuningReport, write_report
from ablate.tracking import JournalTracker, Project, StoreError


def write_recorded(recording: Recording, folder: Path, pool: Executor) -> Report | TuningReport:
    """Write the report of a study; what the store does not give comes from the journals."""
    journals = JournalTracker(Project(recording.journals.folder.parent.parent))
    try:
        return write_report(
            recording.name, journals if recording.store_failed else recording.tracker, folder, pool=pool
        )
    except StoreError as error:
        console.warn(not_delivered(error))
        return write_report(recording.name, journals, folder, pool=pool)
