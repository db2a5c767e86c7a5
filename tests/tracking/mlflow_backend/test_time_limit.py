"""A server that never finishes its answer does not stop a command."""

from __future__ import annotations

import threading

import pytest
from requests.exceptions import Timeout

from ablate.tracking.mlflow_backend.errors import explain_error
from ablate.tracking.mlflow_backend.time_limit import LimitedClient


class Slow:
    """A client whose server answers when it is `released`."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def get_run(self, run: str) -> str:
        assert self.released.wait(60)
        return run

    def create_run(self) -> None:
        raise ValueError("refused")


def test_an_answer_that_takes_too_long_is_a_timeout() -> None:
    slow = Slow()
    with pytest.raises(Timeout) as failure:
        LimitedClient(slow, 0.01).get_run("one")
    assert "does not answer in time" in str(explain_error(failure.value, "http://127.0.0.1:5000"))
    slow.released.set()
    assert LimitedClient(slow, 60).get_run("one") == "one"


def test_errors_reach_the_caller() -> None:
    with pytest.raises(ValueError, match="refused"):
        LimitedClient(Slow(), 60).create_run()
