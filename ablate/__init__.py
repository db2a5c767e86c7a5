"""Which parts of a training recipe matter, by how much, and how sure can we be.

from ablate import Study

study = Study(design="leave-one-out", preset="laptop", seeds=5, margin=0.5)

A study of a training of one's own names it: `workload=from_function(train, factors=..., metric=Metric("accuracy"))`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.custom import from_command, from_function
    from ablate.menu import OneOf, Range
    from ablate.metric import Metric
    from ablate.recipe import Recipe
    from ablate.study import Study
    from ablate.workload import Workload

__version__ = "0.1.0"
__all__ = ["Metric", "OneOf", "Range", "Recipe", "Study", "Workload", "from_command", "from_function"]

_HOMES = {
    "Metric": "ablate.metric",
    "OneOf": "ablate.menu",
    "Range": "ablate.menu",
    "Recipe": "ablate.recipe",
    "Study": "ablate.study",
    "Workload": "ablate.workload",
    "from_command": "ablate.custom",
    "from_function": "ablate.custom",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first asked for, so that `import ablate` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ablate' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
