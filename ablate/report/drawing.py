"""Drawing the figures of a report, here or by a process that loads matplotlib while the store is being read."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablate.report.pictures import Picture


@contextmanager
def draughtsmen() -> Iterator[Executor]:
    """A process that draws; it loads what it needs as soon as this is entered. A second one would not pay."""
    context = multiprocessing.get_context("spawn")  # a fork would take along threads and database connections
    pool = ProcessPoolExecutor(1, mp_context=context, initializer=_load)
    try:
        pool.submit(_nothing)
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load() -> None:
    """Import what drawing needs; an interruption is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import ablate.figures  # noqa: F401  # so that the work to come finds it loaded


def _nothing() -> None:
    """Make the pool start its process."""


def draw_all(pictures: Sequence[Picture], folder: Path, pool: Executor | None = None) -> None:
    """Draw the pictures into `folder`/figures, by `pool` if it works here."""
    tasks = [(picture.function, dict(picture.arguments), folder / picture.path) for picture in pictures]
    if pool is not None:
        try:
            for future in [pool.submit(_draw, *task) for task in tasks]:
                future.result()
        except BrokenProcessPool:  # no process to be had here: drawn below
            pass
        else:
            return
    for task in tasks:
        _draw(*task)


def _draw(function: str, arguments: Mapping[str, Any], path: Path) -> None:
    from ablate import figures

    getattr(figures, function)(**arguments, path=path)
