"""Progress of a call from Python: one line in a notebook that is updated, the command line's view if asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ablate import console
from ablate.api.messages import log
from ablate.api.surroundings import surroundings_kept


@contextmanager
def shown_progress(progress: bool | None) -> Iterator[None]:
    """Show the progress of the block.

    Args:
        progress: True shows it as a command does, on standard error. False only logs it. None shows one line in a
            notebook, and logs elsewhere.
    """
    if progress:
        with surroundings_kept():
            yield
        return
    line = _NotebookLine() if progress is None and is_notebook() else None
    began = time.perf_counter()

    def listen(kind: console.MessageKind, text: str) -> None:
        log(kind, text)
        if line is not None and kind == "info":
            line.show(text)

    with surroundings_kept(), console.messages_to(listen):
        yield
    if line is not None and line.is_shown:
        line.show(f"Finished in {console.duration(time.perf_counter() - began)}")


def is_notebook() -> bool:
    """Return whether this program is a notebook's kernel, which shows what is displayed."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class _NotebookLine:
    """One line of a cell's output that is replaced. It needs no widgets."""

    def __init__(self) -> None:
        self._handle: Any = None

    @property
    def is_shown(self) -> bool:
        """Whether the cell has the line, which it gets with the first text."""
        return self._handle is not None

    def show(self, text: str) -> None:
        """Show the last line of a text instead of the line before."""
        from IPython.display import display

        line = {"text/plain": text.strip().rpartition("\n")[2]}
        if self._handle is None:
            self._handle = display(line, raw=True, display_id=True)
        else:
            self._handle.update(line, raw=True)
