"""How many cores there are, keeping to some of them, sharing them with others; and what Python itself takes of them."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


_SPINS = "20000"
"""How often a waiting thread of GNU's OpenMP looks before it sleeps: tens of microseconds, not its own milliseconds."""


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_limits(threads: int) -> Mapping[str, str]:
    """Return the environment variables by which numerical libraries keep to so many threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


def share_cores() -> None:
    """Let threads that wait for others give their core away soon; it counts for a torch that is imported later.

    On idle cores a step takes as long as before, on busy ones a run of two threads is nearly twice as fast: there the
    thread that is waited for needs the very core. What the user has set in the environment stands.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def collect_garbage_seldom() -> None:
    """Let Python look for garbage once in 10,000 new objects, not in 700 (2,000 from Python 3.13 on).

    Torch and MLflow make 900,000 while they are imported, all of which stay: looking through them took 2.3 s of the
    twelve of a short run, and takes 1.0 s so.
    """
    gc.set_threshold(10_000)


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Keep numerical libraries to so many threads meanwhile, those that are loaded and those that will be."""
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
    """Pause garbage collection: it runs through a hundred thousand fresh rows again and again, half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
