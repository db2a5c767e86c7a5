"""Libraries that runs import while they train: later runs start with them, as if the study file had imported them.

This applies to known libraries whose import changes no other module. The random state that it creates is renewed in
every run (`random_state`). A library that a run imports after changing its environment variables, working folder or
module path is not preloaded, because they may affect the import.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.machinery import ModuleSpec
from types import ModuleType

_LIBRARIES = frozenset(
    {
        "PIL", "accelerate", "cv2", "datasets", "einops", "gymnasium", "joblib", "lightgbm", "lightning",
        "matplotlib", "networkx", "numba", "numpy", "pandas", "polars", "pyarrow", "pytorch_lightning", "requests",
        "scipy", "seaborn", "skimage", "sklearn", "statsmodels", "sympy", "timm", "tokenizers", "torch", "torchaudio",
        "torchvision", "tqdm", "transformers", "xgboost",
    }
)  # fmt: skip


class ImportRecorder:
    """A finder that records the modules of known libraries, and leaves finding them to others."""

    def __init__(self) -> None:
        self._before = self._surroundings()
        self._names: list[str] = []

    def _surroundings(self) -> tuple[object, ...]:
        return dict(os.environ), os.getcwd(), tuple(sys.path)  # noqa: PTH109  # called for each import

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Record an import and return None."""
        if name.partition(".")[0] in _LIBRARIES and self._surroundings() == self._before:
            self._names.append(name)
        return None

    @property
    def found(self) -> list[str]:
        """The recorded modules that have been imported."""
        return [name for name in self._names if name in sys.modules]


@contextmanager
def recorded_imports() -> Iterator[ImportRecorder]:
    """Record the imports within this context."""
    recorder = ImportRecorder()
    sys.meta_path.insert(0, recorder)
    try:
        yield recorder
    finally:
        with suppress(ValueError):
            sys.meta_path.remove(recorder)


def preload(names: Sequence[str]) -> bool:
    """Import modules, and return whether one was new. A module that cannot be imported is left to the runs."""
    new = [name for name in names if name not in sys.modules]
    for name in new:
        with suppress(Exception):
            importlib.import_module(name)
    return bool(new)
