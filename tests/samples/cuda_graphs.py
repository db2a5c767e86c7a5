"""A CUDA graph on the CPU: what the capture needs of torch.cuda."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class FakeStream:
    def wait_stream(self, other: FakeStream) -> None:
        """Streams of the CPU have nothing to wait for."""


class FakeGraph:
    """A CUDA graph on the CPU.

    As on a GPU, the capture changes nothing, and a replay runs the captured operations, not Python: each with the same
    memory and the same numbers, whatever the code would do now. Operations whose result the host reads cannot be
    captured.
    """

    def __init__(self) -> None:
        self.generators: list[Generator] = []
        self.states: list[Tensor] = []
        self.operations: list[tuple[Callable[[], Any], list[Tensor]]] = []
        self.replays = 0

    def register_generator_state(self, generator: Generator) -> None:
        self.generators.append(generator)
        self.states.append(generator.get_state())

    @contextmanager
    def capture(self) -> Iterator[None]:
        states = [generator.get_state() for generator in self.generators]
        with Recorder(self) as recorder:
            yield
        recorder.undo()
        for generator, state in zip(self.generators, states, strict=True):
            generator.set_state(state)

    @torch.no_grad()
    def replay(self) -> None:
        for operation, results in self.operations:
            found = [one for one in tree_leaves(operation()) if isinstance(one, Tensor)]
            for mine, new in zip(results, found, strict=True):
                if mine.data_ptr() != new.data_ptr():
                    mine.copy_(new)
        self.replays += 1


class Recorder(TorchDispatchMode):
    """Records the operations of a capture, and the memory that was there before it."""

    def __init__(self, graph: FakeGraph) -> None:
        super().__init__()
        self.graph = graph
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.made: dict[int, Tensor] = {}

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        if torch.Tag.data_dependent_output in operator.tags:
            raise RuntimeError(f"the host waits for {operator}")
        for tensor in tensors((arguments, options)):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self.made and storage.data_ptr() not in self.before:
                self.before[storage.data_ptr()] = (storage, storage.clone())
        result = operator(*arguments, **options)
        results = tensors(result)
        for tensor in results:
            if tensor.untyped_storage().data_ptr() not in self.before:
                self.made[tensor.untyped_storage().data_ptr()] = tensor
        self.graph.operations.append((lambda: operator(*arguments, **options), results))
        return result

    def undo(self) -> None:
        """Restore the memory that was there, and make results useless until they are computed by a replay."""
        for storage, values in self.before.values():
            storage.copy_(values)
        for tensor in self.made.values():
            if tensor.is_floating_point():
                tensor.detach().fill_(torch.nan)


def tensors(values: Any) -> list[Tensor]:
    return [one for one in tree_leaves(values) if isinstance(one, Tensor)]


def fake_graphs(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    """Replace torch.cuda's graphs and streams; return the list of the graphs that will be made."""
    graphs: list[FakeGraph] = []

    def graph() -> FakeGraph:
        graphs.append(FakeGraph())
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
