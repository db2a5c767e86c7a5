"""Limits on the threads of numerical libraries, and garbage collection."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ablate.cli.app import main
from ablate.cores import limit_threads, share_cores, usable_cores
from ablate.runs.executors import ProcessExecutor
from tests.samples import executors as samples


def test_libraries_respect_the_limit_within_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    np.ones((4, 4)) @ np.ones((4, 4))
    before = [library["num_threads"] for library in threadpool_info()]
    with limit_threads(1):
        assert {library["num_threads"] for library in threadpool_info()} == {1}
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "1")
    assert [library["num_threads"] for library in threadpool_info()] == before
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    ("set_by_user", "spins"),
    [({}, "20000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_waiting_threads_release_their_core_unless_the_user_decides(
    monkeypatch: pytest.MonkeyPatch, set_by_user: dict[str, str], spins: str | None
) -> None:
    monkeypatch.setattr(os, "environ", dict(set_by_user))
    share_cores()
    assert os.environ.get("GOMP_SPINCOUNT") == spins


@pytest.fixture
def _usual_threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_usual_threshold")
def test_commands_and_workers_reduce_garbage_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ablate", "--help"])
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # otherwise the command would set a variable
    with pytest.raises(SystemExit):
        main()
    assert gc.get_threshold()[0] == 10_000
    assert list(ProcessExecutor(1).results(samples.garbage_threshold, [0])) == [(0, 10_000)]
