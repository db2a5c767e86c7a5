"""The checkpoint of a training: one file from which it is resumed after a crash."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


class Checkpoint:
    """The file `training.pt` in `folder`. It is replaced atomically, at most once in `every_seconds`."""

    def __init__(self, folder: Path, *, every_seconds: float = 10.0) -> None:
        self.path = folder / "training.pt"
        self.every_seconds = every_seconds
        self._saved_at = time.monotonic()

    def save(self, state: Mapping[str, Any]) -> None:
        """Write `state`, unless the last checkpoint is recent. A full disk is ignored."""
        if time.monotonic() - self._saved_at < self.every_seconds:
            return
        unfinished = self.path.with_suffix(".unfinished")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, unfinished)
            unfinished.replace(self.path)
        except (OSError, RuntimeError):  # torch raises either on a full disk; a training can do without a checkpoint
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._saved_at = time.monotonic()

    def restore(self) -> dict[str, Any] | None:
        """Return the saved state, on the CPU, or None if there is none. Code in the file is not executed.

        A file that cannot be read is deleted.
        """
        if not self.path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception:  # the unpickler raises exceptions of any type on a damaged file
            self.path.unlink()
            return None
        return state
