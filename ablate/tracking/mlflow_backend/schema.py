"""The MLflow schema: every tag, status, artifact and limit. docs/tracking.md describes them, with params and metrics.

Params are the recipe's factors and settings, conditions and versions of libraries, under the names of the journal's
start record. Metrics have the names that the training logs; those of a study, `delta/VARIANT` and its interval, come
from its report.
"""

from __future__ import annotations

KIND = "ablate.kind"  # RUN or STUDY
RUN, STUDY = "run", "study"

NAME = "ablate.run"  # of the run: that of its journal
STUDY_NAME = "ablate.study"
VARIANT = "ablate.variant"
SEED = "ablate.seed"
KEY = "ablate.key"  # of the recipe
DATA = "ablate.data"  # fingerprint of the data

STATUS = "ablate.status"
ERROR = "ablate.error"
METRIC = "ablate.metric"
FLOOR = "ablate.floor"

DELIVERED = "ablate.delivered"  # bytes of the journal of the run or study
HOST, BOOT, PID, PROCESS_STARTED = "ablate.host", "ablate.boot", "ablate.pid", "ablate.process_started"
HEARTBEAT = "ablate.heartbeat"

SCHEMA_VERSION = "ablate.schema"
CONDITIONS = "ablate.conditions"  # JSON
ENVIRONMENT = "ablate.environment"  # JSON
LOGGED_PARAMS = "ablate.params"  # JSON; the params of a run whose program logs params itself
FINAL_METRICS = "ablate.final"  # JSON list of the metrics with one value per run
STEP_METRICS = "ablate.series"  # JSON list of the metrics with one value per training step

PLANNED_RUNS = "ablate.planned"  # number of runs in the plan of a study
FINISHED_RUNS = "ablate.answered"  # number of these runs that exist

SEARCH_TAG, TRIAL_TAG = "ablate.tuning", "ablate.trial"  # of the runs of a search

PARENT_RUN = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
SHARED_VIEW = "mlflow.sharedViewState."  # start of a tag of experiments
COMMIT = "mlflow.source.git.commit"
SOURCE = {"mlflow.source.name": "ablate", "mlflow.source.type": "LOCAL"}
DATASET_CONTEXT = "mlflow.data.context"  # tag of a dataset
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
"""Makes the UI show runs and charts first, instead of traces of language models."""

PROCESS_TAGS = {"host": HOST, "boot": BOOT, "pid": PID, "started": PROCESS_STARTED}

STATUSES = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "unstable": "FINISHED",
    "failed": "FAILED",
    "out_of_memory": "FAILED",
    "killed": "KILLED",
    "pruned": "KILLED",
}
"""MLflow's status for each status of a run."""

PLAN = "plan.json"
REPORT = "report"
"""Artifacts of a study: its plan, and the folder of its report."""

LONGEST_TAG = 8000
LONGEST_PARAM = 6000
LONGEST_DESCRIPTION = 20_000  # of an experiment
MOST_NAMES = 100
MOST_POINTS = 800
"""MLflow accepts 100 params, 100 tags and 1000 values of all kinds per call."""


def where_tag(name: str, value: str) -> str:
    """Return the search condition that a tag has a value."""
    return f"tags.`{name}` = '{value}'"
