"""Tracking: from journals into the tracking store, and back. `mlflow_backend` is the only importer of MLflow.

May import `studies`, `journal` and the leaf modules. Importing this package does not import MLflow.
"""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager

from ablate.errors import StoreError, UnreachableError
from ablate.journal.study_journal import StudyJournals
from ablate.journal.study_record import PlanEntry, StudyRecord
from ablate.tracking.background_delivery import BackgroundDelivery, DeliveryObserver
from ablate.tracking.catch_up import attach_report, catch_up, deliver_lost, deliver_study, lost_records
from ablate.tracking.contract import SINGLE_RUNS, RunTracker, StudyTracker, Tracker
from ablate.tracking.delete import Deletion, delete_run, plan_deletion
from ablate.tracking.file_store import file_store_advice
from ablate.tracking.journal_tracker import JournalTracker
from ablate.tracking.mlflow_backend.database import UNREADABLE, check_schema, find_mlflow, schema_version
from ablate.tracking.mlflow_backend.quiet import SETTINGS as MLFLOW_VARIABLES
from ablate.tracking.mlflow_backend.quiet import SILENCED as SILENCED_LOGGERS
from ablate.tracking.mlflow_backend.runs_view import RunsView
from ablate.tracking.mlflow_backend.schema import SEARCH_TAG, TRIAL_TAG
from ablate.tracking.mlflow_backend.schema import VARIANT as VARIANT_TAG
from ablate.tracking.mlflow_backend.tracker import MlflowTracker
from ablate.tracking.project import Project, is_local_host, sqlite_path
from ablate.tracking.run_names import run_title
from ablate.tracking.sync import SyncResult, sync_journals

__all__ = [
    "MLFLOW_VARIABLES",
    "SEARCH_TAG",
    "SILENCED_LOGGERS",
    "SINGLE_RUNS",
    "TRIAL_TAG",
    "UNREADABLE",
    "VARIANT_TAG",
    "BackgroundDelivery",
    "Deletion",
    "DeliveryObserver",
    "JournalTracker",
    "MlflowTracker",
    "PlanEntry",
    "Project",
    "RunTracker",
    "RunsView",
    "StoreError",
    "StudyJournals",
    "StudyRecord",
    "StudyTracker",
    "SyncResult",
    "Tracker",
    "UnreachableError",
    "attach_report",
    "catch_up",
    "check_schema",
    "delete_run",
    "deliver_lost",
    "deliver_study",
    "file_store_advice",
    "is_local_host",
    "lost_records",
    "open_tracker",
    "plan_deletion",
    "run_title",
    "schema_version",
    "serve_ui",
    "sqlite_path",
    "sync_journals",
]


def open_tracker(project: Project, tracking_uri: str | None = None, *, only_reads: bool = False) -> MlflowTracker:
    """Return the tracker of a project's store: `tracking_uri`, else MLFLOW_TRACKING_URI, else its own database.

    Raises:
        UsageError: The tracking URI cannot be used; for a command that `only_reads`, its database does not exist.
        StoreError: MLflow is not installed.
    """
    find_mlflow()
    uri = project.reading_uri(tracking_uri) if only_reads else project.tracking_uri(tracking_uri)
    return MlflowTracker(uri, project.artifacts)


def serve_ui(
    project: Project, uri: str, host: str = "127.0.0.1", port: int = 5000
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Return a context in which the MLflow UI serves the store at `uri`; its value is the server's process.

    Raises:
        UsageError: The store is a server, which has its own UI.
        UserError: The port is in use, or the server does not start.
    """
    from ablate.tracking.mlflow_backend.ui import serving

    return serving(project, uri, host, port)
