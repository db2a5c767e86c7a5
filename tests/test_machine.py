"""Keeping numerical libraries to some cores."""

from __future__ import annotations

import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from ablate.machine import limited, usable_cores


def test_libraries_keep_to_the_limit_and_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    np.ones((4, 4)) @ np.ones((4, 4))
    before = [library["num_threads"] for library in threadpool_info()]
    with limited(1):
        assert {library["num_threads"] for library in threadpool_info()} == {1}
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("1", "1")
    assert [library["num_threads"] for library in threadpool_info()] == before
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ
    assert usable_cores() >= 1
