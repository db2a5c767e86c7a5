"""A whole training step as a CUDA graph: preparing the batch, gradients, and the optimizer. An experiment.

What changes from step to step is copied to the device before each replay: the positions of the images, random numbers
(drawn on the CPU from the same streams, in the same order, as without the graph) and the optimizer's numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from ablate.workloads.resnet9.batches import prepare_batch
from ablate.workloads.resnet9.capturable import Capturable
from ablate.workloads.resnet9.draws import Draws, Stream
from ablate.workloads.resnet9.gradients import EagerGradients, capture
from ablate.workloads.resnet9.images import Images


class CapturedStep:
    """Replay the step of a batch of the plan's size, captured at the first of them. Smaller batches are not captured.

    The result, that of the gradients, is overwritten by the next call.
    """

    def __init__(self, gradients: EagerGradients, optimizer: Capturable, images: Images) -> None:
        self.gradients, self.optimizer, self.images = gradients, optimizer, images
        self.draws: dict[str, Draws] = {}
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, positions: Tensor, streams: Mapping[str, Generator]) -> Tensor:
        """Take a step with the images at `positions`."""
        self.optimizer.send()
        if len(positions) != self.gradients.plan.batch_size:
            return self.compute(positions, streams)
        for name, stream in streams.items():
            self.draws.setdefault(name, Draws()).generator = stream
        if self.graph is None:
            self._capture(positions)
        else:
            self.positions.copy_(positions, non_blocking=True)
            for draws in self.draws.values():
                draws.refill()
        assert self.graph
        self.graph.replay()
        return self.result

    def compute(self, positions: Tensor, streams: Mapping[str, Stream]) -> Tensor:
        """Take a step operation by operation."""
        result = self.gradients(*prepare_batch(self.gradients.plan, self.images, positions, streams))
        self.optimizer.step()
        return result

    def _capture(self, positions: Tensor) -> None:
        self.positions = positions.clone()
        prepare_batch(self.gradients.plan, self.images, self.positions, self.draws)  # draws the first numbers
        changed = [*self.gradients.parameters, *self.optimizer.states()]
        self.graph, self.result = capture(self._recompute, self.gradients.model, changed)

    def _recompute(self) -> Tensor:
        for draws in self.draws.values():
            draws.rewind()
        return self.compute(self.positions, self.draws)
