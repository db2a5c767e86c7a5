"""What a call from Python leaves unchanged: variables of MLflow, loggers, warning filters, threads of torch."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ablate.cores import usable_cores
from ablate.tracking import MLFLOW_VARIABLES, SILENCED_LOGGERS

_LIBRARIES = ("mlflow", "optuna")
"""Libraries that commands silence. Their loggers have the level INFO after an import."""


@contextmanager
def surroundings_kept() -> Iterator[None]:
    """Restore after the block what commands change for the rest of their process, since a caller continues.

    Libraries that are imported in the block get the levels and threads that they have by default.
    """
    variables = {name: os.environ.get(name) for name in MLFLOW_VARIABLES}
    levels = {name: logging.getLogger(name).level for name in (*SILENCED_LOGGERS, *_LIBRARIES)}
    threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else usable_cores()
    absent = [name for name in _LIBRARIES if name not in sys.modules]
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
        for name, level in levels.items():
            is_new = name in absent and name in sys.modules
            logging.getLogger(name).setLevel(logging.INFO if is_new else level)
        if "torch" in sys.modules and sys.modules["torch"].get_num_threads() != threads:
            sys.modules["torch"].set_num_threads(threads)
