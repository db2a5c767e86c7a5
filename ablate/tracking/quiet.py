"""How MLflow is told to keep still and to be quick."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

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
    warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"mlflow\.")  # its own, of its libraries
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause garbage collection: it runs through a hundred thousand fresh rows again and again, half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
