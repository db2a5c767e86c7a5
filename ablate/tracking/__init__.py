"""Tracking: where runs go and come back from.

Runs are written as journals; `Tracker.deliver` brings them into a store, `Writer` does so while training goes on.
"""

from __future__ import annotations

from ablate.errors import StoreError, UnreachableError
from ablate.journal.study_journal import StudyJournals
from ablate.journal.study_record import PlanEntry, StudyRecord
from ablate.tracking.background_delivery import BackgroundDelivery, DeliveryObserver
from ablate.tracking.catch_up import catch_up, deliver_study
from ablate.tracking.contract import SINGLE_RUNS, RunTracker, StudyTracker, Tracker
from ablate.tracking.journal_tracker import JournalTracker
from ablate.tracking.mlflow_backend.database import mlflow_package
from ablate.tracking.mlflow_backend.tracker import MlflowTracker
from ablate.tracking.project import Project
from ablate.tracking.run_names import run_title

__all__ = [
    "SINGLE_RUNS",
    "BackgroundDelivery",
    "DeliveryObserver",
    "JournalTracker",
    "MlflowTracker",
    "PlanEntry",
    "Project",
    "RunTracker",
    "StoreError",
    "StudyJournals",
    "StudyRecord",
    "StudyTracker",
    "Tracker",
    "UnreachableError",
    "catch_up",
    "deliver_study",
    "open_tracker",
    "run_title",
]


def open_tracker(project: Project, tracking_uri: str | None = None) -> MlflowTracker:
    """Return the tracker of a project's store: `tracking_uri`, else MLFLOW_TRACKING_URI, else its own database.

    Raises StoreError where MLflow is not installed.
    """
    mlflow_package()
    return MlflowTracker(project.tracking_uri(tracking_uri), project.artifacts)
