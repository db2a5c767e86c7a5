"""CPU cores: their number, limits on threads, sharing with other processes, and the cost of garbage collection."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_SPIN_COUNT = "20000"
"""Spins of a waiting thread of GNU OpenMP before it sleeps: tens of microseconds instead of milliseconds."""


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def idle_cores(seconds: float = 0.2) -> int:
    """Return how many of the usable cores other processes left idle for a moment, rounded, at least 1.

    On busy cores, each thread of a run waits for the slowest one in every operation: with two threads and ten others on
    two cores, runs took 1.1 to 1.6 times as long as with one thread (laptop preset).
    """
    import psutil

    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(usable_cores())
    shares = psutil.cpu_times_percent(interval=seconds, percpu=True)
    idle = sum(share.idle + getattr(share, "iowait", 0) for core, share in enumerate(shares) if core in usable)
    return max(1, round(idle / 100))


def thread_limits(threads: int) -> Mapping[str, str]:
    """Return the environment variables that limit numerical libraries to a number of threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def share_cores() -> None:
    """Make waiting OpenMP threads release their core soon. Call it before torch is imported.

    On idle cores a step takes the same time. On busy cores a run with two threads is nearly twice as fast, because the
    thread that the others wait for gets a core. Variables set by the user take precedence.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)


def reduce_garbage_collection() -> None:
    """Collect garbage after 10,000 new objects instead of 700 (2,000 since Python 3.13).

    Importing torch and MLflow creates 900,000 objects that stay alive. Collections among them took 2.3 s of a 12 s run,
    and take 1.0 s with this setting.
    """
    gc.set_threshold(10_000)


@contextmanager
def limit_threads(threads: int) -> Iterator[None]:
    """Limit numerical libraries, loaded now or later, to a number of threads within the context."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(thread_limits(threads))
    try:
        with threadpool_limits(threads):
            yield
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in [name for name, value in before.items() if value is None]:
            del os.environ[name]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause garbage collection, which takes half of the time where 100,000 rows are created."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
