"""Which parts of a training recipe matter, by how much, and how sure can we be.

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)

A study of a training of one's own names it: `workload=from_function(train, factors=..., metric=Metric("accuracy"))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.stats.metric import Metric
    from ablate.studies.recipe import Recipe
    from ablate.studies.settings import OneOf, Range
    from ablate.studies.study import Study
    from ablate.studies.workload import Workload
    from ablate.workloads.custom import from_command, from_function

DISTRIBUTION = "ablate-study"
"""Name of this project on the package index, where `ablate` is another project."""

__version__ = "0.1.0"
__all__ = ["Metric", "OneOf", "Range", "Recipe", "Study", "Workload", "from_command", "from_function"]

_HOMES = {
    "Metric": "ablate.stats.metric",
    "OneOf": "ablate.studies.settings",
    "Range": "ablate.studies.settings",
    "Recipe": "ablate.studies.recipe",
    "Study": "ablate.studies.study",
    "Workload": "ablate.studies.workload",
    "from_command": "ablate.workloads.custom",
    "from_function": "ablate.workloads.custom",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for, so that `import ablate` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ablate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
