"""A CUDA graph on the CPU: what `CapturedGradients` needs of torch.cuda."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from ablate.workloads.resnet9.gradients import CapturedGradients


class FakeStream:
    def wait_stream(self, other: FakeStream) -> None:
        """Streams of the CPU have nothing to wait for."""


class FakeGraph:
    """A CUDA graph on the CPU: its capture changes nothing, a replay computes and overwrites the captured results."""

    def __init__(self, captured: CapturedGradients) -> None:
        self.captured = captured
        self.generators: list[Generator] = []
        self.states: list[Tensor] = []
        self.replays = 0

    def register_generator_state(self, generator: Generator) -> None:
        self.generators.append(generator)
        self.states.append(generator.get_state())

    @contextmanager
    def capture(self) -> Iterator[None]:
        buffers = [buffer.clone() for buffer in self.captured.eager.model.buffers()]
        states = [generator.get_state() for generator in self.generators]
        yield
        for buffer, before in zip(self.captured.eager.model.buffers(), buffers, strict=True):
            buffer.copy_(before)
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state)
        for value in (self.captured.result, *self._gradients()):
            value.fill_(torch.nan)

    def replay(self) -> None:
        gradients = self.captured.gradients
        result = self.captured.eager(*self.captured.inputs)
        for mine, found in zip(gradients, self._gradients(), strict=True):
            assert mine is not None
            mine.copy_(found)
        self.captured.result.copy_(result)
        self.replays += 1

    def _gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.captured.eager.parameters if parameter.grad is not None]


def fake_graphs(monkeypatch: pytest.MonkeyPatch, captured: Callable[[], CapturedGradients]) -> list[FakeGraph]:
    """Replace torch.cuda's graphs and streams; return the list of the graphs that will be made for `captured()`."""
    graphs: list[FakeGraph] = []

    def graph() -> FakeGraph:
        graphs.append(FakeGraph(captured()))
        return graphs[-1]

    fakes: dict[str, Any] = {
        "CUDAGraph": graph,
        "graph": lambda graph: graph.capture(),
        "Stream": FakeStream,
        "stream": lambda stream: nullcontext(),
        "current_stream": FakeStream,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return graphs
