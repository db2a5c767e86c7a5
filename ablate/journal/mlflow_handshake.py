"""The handshake by which a training program that logs to MLflow itself receives its run.

The training appends the record `wanted` to its journal and waits. The process that delivers the journal creates the run
and writes the environment variables that the program needs to a file next to the journal, readable by its owner only,
because a tracking URI may contain a password. The training reads the file and deletes it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from ablate.errors import UserError

WANTED = b'{"record": "wanted"'
"""The start of the journal line that requests a run."""

TIMEOUT = 120.0


def await_run_environment(journal: Path, timeout: float = TIMEOUT) -> Mapping[str, str]:
    """Wait for the environment variables by which a program logs to its run, and return them.

    Raises:
        UserError: The store did not create the run within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            found: Mapping[str, str] = json.loads(_path(journal).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # missing or incomplete
            time.sleep(0.05)
            continue
        discard_run_environment(journal)
        return found
    raise UserError(f"The tracking store created no run within {timeout:.0f} s, and the program logs to it directly")


def provide_run_environment(journal: Path, environment: Mapping[str, str]) -> None:
    """Write the environment variables for the training that waits."""
    file = os.open(_path(journal), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as opened:
        opened.write(json.dumps(dict(environment)))


def discard_run_environment(journal: Path) -> None:
    """Delete the environment variables provided for a training, if any."""
    _path(journal).unlink(missing_ok=True)


def _path(journal: Path) -> Path:
    return journal.with_suffix(".address")
