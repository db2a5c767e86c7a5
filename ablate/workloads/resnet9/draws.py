"""Random numbers on a device that are drawn on the CPU, so that they are the same on every device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor


class Draws:
    """The draws of one random stream for a CUDA graph, which reads them from the same memory at every replay.

    The first pass through a step's functions makes the tensors. Later passes, after `rewind`, get the same tensors in
    the same order, and `refill` draws the numbers of the next batch into them, in the same order from `generator`.
    """

    generator: Generator

    def __init__(self) -> None:
        self._made: list[tuple[Callable[[Generator], Tensor], Tensor]] = []
        self._next = 0

    def take(self, draw: Callable[[Generator], Tensor], device: torch.device) -> Tensor:
        """Return the next tensor. The first pass makes it by `draw`."""
        if self._next == len(self._made):
            self._made.append((draw, draw(self.generator).to(device)))
        self._next += 1
        return self._made[self._next - 1][1]

    def rewind(self) -> None:
        """Begin another pass."""
        self._next = 0

    def refill(self) -> None:
        """Draw again, without waiting for the device."""
        for draw, values in self._made:
            values.copy_(draw(self.generator), non_blocking=True)


Stream = Generator | Draws
"""The source of a component's random numbers."""


def drawn(draw: Callable[[Generator], Tensor], stream: Stream, device: torch.device) -> Tensor:
    """Return what `draw` draws from a stream, on a device, without waiting for it."""
    if isinstance(stream, Draws):
        return stream.take(draw, device)
    return draw(stream).to(device, non_blocking=True)
