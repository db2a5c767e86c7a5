"""How a program that logs to the tracking store itself gets to know its run: the one place where a training waits.

The training writes the record `wanted` to its journal; the process that writes to the store makes the run, and leaves
what the program needs to know in a file beside the journal, for its owner's eyes only, since an address may hold a
password. The training takes the file away.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from ablate.errors import UserError

WANTED = b'{"record": "wanted"'
"""How the line begins by which a training asks for its run."""

PATIENCE = 120.0


def await_address(journal: Path, patience: float = PATIENCE) -> Mapping[str, str]:
    """Return the environment variables that lead a program to its run, once they are there.

    Raises UserError when the store has not made the run in `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            found: Mapping[str, str] = json.loads(_path(journal).read_text())
        except (FileNotFoundError, ValueError):  # not there, or not whole yet
            time.sleep(0.05)
            continue
        withdraw(journal)
        return found
    raise UserError(f"the tracking store made no run in {patience:.0f} s, and the program logs to it itself")


def hand_over(journal: Path, address: Mapping[str, str]) -> None:
    """Leave the environment variables for the training that waits."""
    file = os.open(_path(journal), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w") as opened:
        opened.write(json.dumps(dict(address)))


def withdraw(journal: Path) -> None:
    """Take away what was left for a training."""
    _path(journal).unlink(missing_ok=True)


def _path(journal: Path) -> Path:
    return journal.with_suffix(".address")
