"""How MLflow is told to keep still and to be quick."""

from __future__ import annotations

import logging
import os
import warnings

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what fails reaches the user as a StoreError
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the next delivery is the retry
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
}
"""How MLflow is told to keep still, unless the user's environment says otherwise; read when it is imported."""


def keep_quiet() -> None:
    """Keep MLflow and its libraries from printing and reporting; to be called before MLflow is imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def ignore_warnings() -> None:
    """Ignore what MLflow and its libraries warn of that is no user's concern; to be called by the main thread.

    Filters are the process's, and whoever leaves `warnings.catch_warnings` puts back those of before: what the writer's
    thread filters while it imports MLflow, or its libraries do, may be gone a moment later.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\.")  # its own, of its libraries
    warnings.filterwarnings("ignore", module=r"urllib3\.contrib")  # what proxies would need; requests tries it
