"""A time limit for the answers of a server. MLflow's own limit applies to each byte, and to no `Retry-After`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

_UNLIMITED = frozenset({"log_artifacts", "download_artifacts", "log_dict"})
"""Methods that transfer files, for which every time is plausible."""

_LIMITS = 4
"""Limit of a call in multiples of MLFLOW_HTTP_REQUEST_TIMEOUT: it may be several requests, which are repeated."""


class LimitedClient:
    """An MLflow client whose methods raise `requests.exceptions.Timeout` if a server does not finish its answer.

    The request continues in the background, and is abandoned at the end of the process.
    """

    def __init__(self, client: Any, seconds: float | None = None) -> None:
        self._client = client
        self._seconds = seconds or _LIMITS * float(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"])

    def __getattr__(self, name: str) -> Any:
        """Return a method of the client, with the time limit."""
        method = getattr(self._client, name)
        return method if name in _UNLIMITED else lambda *args, **kwargs: self._call(lambda: method(*args, **kwargs))

    def _call(self, request: Callable[[], Any]) -> Any:
        from requests.exceptions import Timeout

        answers: list[Any] = []
        failures: list[BaseException] = []

        def work() -> None:
            try:
                answers.append(request())
            except BaseException as error:  # raised below, in the thread of the caller
                failures.append(error)

        thread = threading.Thread(target=copy_context().run, args=(work,), name="request", daemon=True)
        thread.start()
        thread.join(self._seconds)
        if failures:
            raise failures[0]
        if not answers:
            raise Timeout
        return answers[0]
