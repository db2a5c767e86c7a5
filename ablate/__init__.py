"""Ablation studies of training recipes: which components matter, by how much, and how certain that is.

A study in a file of its own, run by `ablate sweep FILE.py`:

    from ablate import Study

    study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)

A study of your own training:

    from ablate import Metric, Study, from_function

    workload = from_function(train, factors={"dropout": "p = 0.2"}, metric=Metric("accuracy"))
    study = Study(workload=workload)

Public names:

- `Study`: a question, a design, seeds and a margin; `plan`, `run`, `report` and `tune` are its methods.
- `run`: train one recipe of the built-in network.
- `Recipe`: one variant: factors that are on, hyperparameters, settings and a seed.
- `Workload`: the subject of a study: factors, settings, a metric and a training function.
- `Metric`: the score of a run: name, goal and unit.
- `OneOf`, `Range`: the values that a setting can take.
- `compare`: the differences between the variants of runs that exist, from a data frame, files, MLflow or W&B.
- `gate`: whether new runs are no worse than old ones, for pipelines.
- `from_function`, `from_command`: make a workload of a Python function, or of a command line.
- `load_study`, `find_workload`: read the study of a file, or find a workload by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.api.comparison import compare
    from ablate.api.gate import gate
    from ablate.api.study import Study
    from ablate.api.training import run
    from ablate.stats.metric import Metric
    from ablate.studies.recipe import Recipe
    from ablate.studies.settings import OneOf, Range
    from ablate.studies.workload import Workload, find_workload
    from ablate.workloads.custom import from_command, from_function
    from ablate.workloads.custom.study_file import load_study

DISTRIBUTION = "ablate-study"
"""Name of this project on the package index, where `ablate` is another project."""

__version__ = "0.1.0"
__all__ = [
    "Metric",
    "OneOf",
    "Range",
    "Recipe",
    "Study",
    "Workload",
    "compare",
    "find_workload",
    "from_command",
    "from_function",
    "gate",
    "load_study",
    "run",
]

_MODULES = {
    "Metric": "ablate.stats.metric",
    "OneOf": "ablate.studies.settings",
    "Range": "ablate.studies.settings",
    "Recipe": "ablate.studies.recipe",
    "Study": "ablate.api.study",
    "Workload": "ablate.studies.workload",
    "compare": "ablate.api.comparison",
    "find_workload": "ablate.studies.workload",
    "from_command": "ablate.workloads.custom",
    "from_function": "ablate.workloads.custom",
    "gate": "ablate.api.gate",
    "load_study": "ablate.workloads.custom.study_file",
    "run": "ablate.api.training",
}
"""Public names by the modules that define them. They are imported on first use, so that `import ablate` is quick."""


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module 'ablate' has no attribute {name!r}")
    import random
    from importlib import import_module

    state = random.getstate()  # libraries that are imported draw from it
    try:
        return getattr(import_module(_MODULES[name]), name)
    finally:
        random.setstate(state)


def __dir__() -> list[str]:
    """Return the names of the module, public ones that are not imported yet included."""
    return sorted({*globals(), *__all__})
