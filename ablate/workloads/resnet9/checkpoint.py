"""What a training needs to go on after a crash, in one file."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from ablate.workloads.resnet9.training import Training


class Checkpoint:
    """What a training needs to go on after a crash: one file, replaced whole, at most every `every_seconds`."""

    def __init__(self, folder: Path, *, every_seconds: float = 10.0) -> None:
        self.path = folder / "training.pt"
        self.every_seconds = every_seconds
        self._saved_at = time.monotonic()

    def save(self, training: Training) -> None:
        """Write the state of `training`, unless the last one is young enough."""
        if time.monotonic() - self._saved_at < self.every_seconds:
            return
        state: dict[str, Any] = {
            "epoch": training.epoch,
            "model": training.model.state_dict(),
            "optimizer": training.optimizer.state_dict(),
            "schedule": training.schedule.state_dict() if training.schedule else None,
            "average": training.average.model.state_dict() if training.average else None,
        }
        unfinished = self.path.with_suffix(".unfinished")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            torch.save(state, unfinished)
            unfinished.replace(self.path)
        except (OSError, RuntimeError):  # a full disk, which torch tells as either: the training can do without
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
        self._saved_at = time.monotonic()

    def restore(self, training: Training) -> None:
        """Bring `training` to where the checkpoint is, if there is one that can be read; nothing in it is executed."""
        if not self.path.exists():
            return
        try:
            state = torch.load(self.path, map_location=training.device, weights_only=True)
        except Exception:  # a damaged file makes the unpickler raise anything; the training then begins anew
            self.path.unlink()
            return
        training.model.load_state_dict(state["model"])
        training.optimizer.load_state_dict(state["optimizer"])
        if training.schedule:
            training.schedule.load_state_dict(state["schedule"])
        if training.average:
            training.average.model.load_state_dict(state["average"])
        training.epoch = state["epoch"]
