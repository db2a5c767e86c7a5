"""The first import of Matplotlib, which fails if MPLBACKEND names a backend that is not installed here.

Jupyter exports `MPLBACKEND=module://matplotlib_inline.backend_inline` to every command started from a notebook, also to
those of other environments. The figures of this package use the Agg canvas directly and need no backend.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def without_backend() -> Iterator[str | None]:
    """Unset MPLBACKEND in the block, and yield its value. The variable stays as the user set it."""
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        yield backend
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


__all__ = ["Axes", "without_backend"]

_is_first = "matplotlib" not in sys.modules
with without_backend() as _backend:
    import matplotlib as mpl
    from matplotlib.axes import Axes

    if _backend and _is_first:  # for the user's own figures in this process, as Matplotlib itself does
        with suppress(ValueError):
            mpl.rcParams["backend"] = _backend
