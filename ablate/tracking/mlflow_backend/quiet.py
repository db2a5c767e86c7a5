"""Silence MLflow and shorten its timeouts."""

from __future__ import annotations

import logging
import os
import warnings

from ablate.paths import provide_home

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # failures reach the user as a StoreError
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the next delivery retries
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
}
"""Environment variables that MLflow reads at import. Variables set by the user take precedence."""

SILENCED = ("urllib3.connectionpool",)
"""Loggers that print errors only."""


def silence_mlflow() -> None:
    """Keep MLflow and its libraries from printing, and, if it is not imported yet, from telemetry."""
    provide_home()
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])  # it may be imported already


def ignore_warnings() -> None:
    """Ignore warnings of MLflow and its libraries that do not concern users. Call it in the main thread.

    Warning filters belong to the process, and leaving `warnings.catch_warnings` restores the earlier ones. A filter set
    by the delivery's thread, or by a library during its import, may therefore disappear.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\.")  # about its libraries
    warnings.filterwarnings("ignore", module=r"urllib3\.contrib")  # for proxies; requests imports it
    warnings.filterwarnings("ignore", "IProgress not found")  # of tqdm, in notebooks without ipywidgets
