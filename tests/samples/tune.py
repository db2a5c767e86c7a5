"""The tune command on the toy workload."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ablate.runs.executors import SerialExecutor
from ablate.studies.conditions import Conditions
from ablate.studies.study import Study
from ablate.tracking import Project
from ablate.tuning.types import SearchSettings, SearchStorage
from ablate.workflows.tune_request import TuneContext, TuneRequest, TuneResources
from tests.samples import tuning_toy as toy
from tests.samples.memory_tracker import MemoryTracker

TRIALS = 16


def fair_study(**changes: object) -> Study:
    """Return a study whose optimal learning rate depends on sugar."""
    fields = {"workload": toy.WORKLOAD, "seeds": 6, "margin": 1.0, "factors": ["sugar", "salt"], "name": "fair"}
    return Study(**{**fields, **changes})  # type: ignore[arg-type]


def tune_context(
    folder: Path, study: Study, tracker: MemoryTracker, save: Path | None = None, **asked: Any
) -> TuneContext:
    """Return the context of a tune command in `folder`."""
    project = Project(folder)
    project.mlruns.mkdir(exist_ok=True)
    settings = SearchSettings(**{"trials": TRIALS, "seeds": (0,), "space": ("lr",), **asked})
    command = "ablate tune --per-variant fair.py"
    optuna = project.mlruns / "optuna"
    return TuneContext(
        TuneRequest(study, settings, command, max_failures=5, deadline=math.inf, save=save),
        TuneResources(
            toy.open_data(None, None), Conditions("cpu", "fp32", 1), SerialExecutor(), project, tracker,
            SearchStorage(str(optuna / f"{study.name}.log"), optuna),
        ),
    )  # fmt: skip
