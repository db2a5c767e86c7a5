"""Tracking: where runs go and come back from.

Runs are written as journals; `Tracker.deliver` brings them into a store, `Writer` does so while training goes on.
"""

from __future__ import annotations

from ablate.tracking.contract import (
    SINGLE_RUNS,
    Planned,
    RunTracker,
    StoreError,
    StudyRecord,
    StudyTracker,
    Tracker,
    title,
)
from ablate.tracking.memory import MemoryTracker
from ablate.tracking.mlflow_tracker import MlflowTracker
from ablate.tracking.project import Project, masked
from ablate.tracking.writer import Writer

__all__ = [
    "SINGLE_RUNS",
    "MemoryTracker",
    "MlflowTracker",
    "Planned",
    "Project",
    "RunTracker",
    "StoreError",
    "StudyRecord",
    "StudyTracker",
    "Tracker",
    "Writer",
    "masked",
    "open_tracker",
    "title",
]


def open_tracker(project: Project, tracking_uri: str | None = None) -> MlflowTracker:
    """Return the tracker of a project's store: `tracking_uri`, else MLFLOW_TRACKING_URI, else its own database."""
    return MlflowTracker(project.tracking_uri(tracking_uri), project.artifacts)
