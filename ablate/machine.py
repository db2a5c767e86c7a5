"""How many cores there are, and keeping to some of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_limits(threads: int) -> Mapping[str, str]:
    """Return the environment variables by which numerical libraries keep to so many threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(threads))


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
