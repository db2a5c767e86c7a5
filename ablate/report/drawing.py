"""Drawing all figures of a report, here or by two processes that load matplotlib while the store is being read."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ablate.report.analysis import Analysis
from ablate.report.material import Histories
from ablate.report.pictures import PAINTERS, Picture

PROCESSES = 2


@dataclass(frozen=True)
class Loaded:
    """Training curves that were read already; a value that can be sent to another process."""

    histories: Histories

    def __call__(self) -> Histories:
        """The curves."""
        return self.histories


@contextmanager
def draughtsmen() -> Iterator[Executor]:
    """Processes to draw with; they load what drawing needs as soon as this is entered."""
    context = multiprocessing.get_context("spawn")  # a fork would take along threads and database connections
    pool = ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=_load)
    try:
        for _ in range(PROCESSES):
            pool.submit(_nothing)
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _load() -> None:
    """Import what drawing needs; an interruption is the parent's affair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import ablate.attribution
    import ablate.figures
    import ablate.report.pictures  # noqa: F401  # so that the work to come finds it loaded


def _nothing() -> None:
    """Occupy a process, so that the next one is started."""


def draw_all(found: Analysis, folder: Path, pool: Executor | None = None) -> dict[str, Picture]:
    """Draw every figure that the study supports into `folder`/figures; by the name that the sections know."""
    curves = Loaded(found.material.curves())
    parts = {name: _only_needed(found, curves if name.startswith("curves") else Loaded({})) for name in PAINTERS}
    drawn: Mapping[str, dict[str, Picture]] | None = None
    if pool is not None:
        futures = {name: pool.submit(_draw, name, part, folder) for name, part in parts.items()}
        try:
            drawn = {name: future.result() for name, future in futures.items()}
        except BrokenProcessPool:  # no processes to be had here
            drawn = None
    if drawn is None:
        drawn = {name: _draw(name, part, folder) for name, part in parts.items()}
    return {key: picture for found in drawn.values() for key, picture in found.items()}


def _only_needed(found: Analysis, curves: Loaded) -> Analysis:
    """The analysis as it travels: figures need no per-image results."""
    return replace(found, material=replace(found.material, curves=curves, correct=dict))


def _draw(name: str, found: Analysis, folder: Path) -> dict[str, Picture]:
    return {f"{name}{key}": picture for key, picture in PAINTERS[name](found, folder / "figures").items()}
