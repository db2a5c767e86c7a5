"""The training loop. It reads a training plan and nothing else, and writes metrics to a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.workloads.resnet9.batches import Batch, epoch_order, epoch_stream, epoch_streams, prepare_batch
from ablate.workloads.resnet9.capturable import make_capturable
from ablate.workloads.resnet9.captured_step import CapturedStep
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.gradients import CapturedGradients, EagerGradients, Gradients
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.model import ResNet9, StreamDropout, build
from ablate.workloads.resnet9.optim import WeightAverage
from ablate.workloads.resnet9.optimizers import make_optimizer
from ablate.workloads.resnet9.plan import TrainingPlan

EVALUATION_BATCH_SIZE = {"cpu": 800, "cuda": 2500, "mps": 800}


class TrainingLog(Protocol):
    """The log that the loop writes to."""

    def __call__(self, step: int, **metrics: float) -> None:
        """Record metrics at the end of epoch `step`."""

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Record values at consecutive optimizer steps, starting at `first`."""

    def progress(self, done: int, total: int) -> None:
        """Report that `done` of `total` optimizer steps are done."""


@dataclass(frozen=True)
class Scores:
    """Mean loss, accuracy and predicted classes over a set of images."""

    loss: float
    accuracy: float
    predicted: Tensor


class Training:
    """One training: the network, the optimizer and the number of completed epochs.

    `fused` is whether the kernels are used, or the implementation of each layer by name. `captured` is whether the
    gradients are replayed as a CUDA graph, or "step" for the whole step, which is an experiment.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        train: Images,
        seed: int,
        *,
        precision: str = "fp32",
        compiled: bool = False,
        fused: bool | Mapping[str, str] = False,
        captured: bool | Literal["step"] = False,
    ) -> None:
        self.plan, self.train, self.seed = plan, train, seed
        self.device = train.pixels.device.type
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=precision == "bf16")
        self.model = build(plan.net, seed, self.device)
        self.implementations = fused if isinstance(fused, Mapping) else {}
        if fused is not False:
            self.model.fuse(self.implementations)
        features = compiled_features(self.model) if compiled else self.model.features
        eager = EagerGradients(self.model, plan, self.autocast, features)
        self.gradients: Gradients = CapturedGradients(eager) if captured is True else eager
        self.parameters = list(self.model.parameters())
        self.captured_step: CapturedStep | None = None
        if captured == "step":
            optimizer = make_capturable(self.parameters, plan)
            self.captured_step = CapturedStep(eager, optimizer, train)
        self.optimizer = self.captured_step.optimizer if self.captured_step else make_optimizer(self.parameters, plan)
        self.steps_per_epoch = -(-len(train) // plan.batch_size)
        self.total_steps = plan.epochs * self.steps_per_epoch
        self.schedule = plan.schedule(self.optimizer, self.total_steps) if plan.schedule else None
        self.average = WeightAverage(self.model, plan.averaging) if plan.averaging else None
        self.epoch = 0

    @property
    def scored_model(self) -> ResNet9:
        """The network to evaluate: the moving average of the weights if the plan has one."""
        return self.average.model if self.average else self.model

    def run(self, validation: Images, log: TrainingLog, checkpoint: Checkpoint | None = None) -> None:
        """Train to the last epoch. Validate before the first epoch and after each."""
        if self.epoch == 0:
            log(0, **self._validate(validation))
        while self.epoch < self.plan.epochs:
            started = time.perf_counter()
            metrics = self.train_epoch(log)
            seconds = time.perf_counter() - started
            self.epoch += 1
            metrics |= {"time/epoch_s": seconds, "images_per_s": len(self.train) / seconds}
            log(self.epoch, **metrics, **self._validate(validation))
            if checkpoint and self.epoch < self.plan.epochs:
                checkpoint.save(self.state_dict())

    def train_epoch(self, log: TrainingLog) -> dict[str, float]:
        """Train for one epoch and return its metrics. The device is not waited for before the last step."""
        first_step = self.epoch * self.steps_per_epoch
        sums = torch.zeros(3, device=self.device)  # loss, correct predictions, gradient norm
        rates: list[float] = []
        self.model.train()
        self._reseed_dropout()
        for step, result in enumerate(self._steps(), start=first_step):
            sums += result
            rates.append(self.optimizer.param_groups[0]["lr"])
            if self.schedule:
                self.schedule.step()
            if self.average:
                self.average.update(self.model, step)
            log.progress(step + 1, self.total_steps)
        log.series("lr_step", first_step + 1, rates)
        loss_sum, correct_sum, norm_sum = sums.tolist()
        return {
            "train/loss": loss_sum / len(self.train),
            "train/accuracy": correct_sum / len(self.train),
            "grad_norm": norm_sum / self.steps_per_epoch,
            "lr": rates[-1],
        }

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of the current epoch."""
        streams = epoch_streams(self.plan, self.seed, self.epoch)
        for positions in self._positions():
            yield prepare_batch(self.plan, self.train, positions, streams)

    def _positions(self) -> Iterable[Tensor]:
        """Return the positions of the images of each batch of the current epoch."""
        order = epoch_order(len(self.train), self.seed, self.epoch)
        return torch.split(order.to(self.device), self.plan.batch_size)

    def _steps(self) -> Iterator[Tensor]:
        """Take the steps of the current epoch. Yield the sums of each."""
        if self.captured_step:
            streams = epoch_streams(self.plan, self.seed, self.epoch)
            for positions in self._positions():
                yield self.captured_step(positions, streams)
            return
        for batch in self.batches():
            result = self.gradients(*batch)
            self.optimizer.step()
            yield result

    def state_dict(self) -> dict[str, Any]:
        """Return everything that `load_state_dict` needs to resume the training after this epoch."""
        return {
            "epoch": self.epoch,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "average": self.average.model.state_dict() if self.average else None,
            "implementations": dict(self.implementations),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned for a training of the same plan."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.model.load_state_dict(state["average"])
        self.epoch = state["epoch"]

    def _reseed_dropout(self) -> None:
        for module in self.model.modules():
            if isinstance(module, StreamDropout):
                stream = epoch_stream(self.seed, module.stream, self.epoch, self.device)
                if module.generator is None:
                    module.generator = stream
                else:  # a captured graph refers to the generator
                    module.generator.manual_seed(stream.initial_seed())

    def _validate(self, validation: Images) -> dict[str, float]:
        with self.autocast:
            scores = evaluate(self.scored_model, validation)
        return {"val/loss": scores.loss, "val/accuracy": scores.accuracy}


def compiled_features(model: ResNet9) -> Callable[[Tensor], Tensor]:
    """Return the compiled convolutions of a network. The first call compiles.

    Code is compiled once per process and architecture, for networks with any weights: the seeds of a sweep, and all
    arms with the same architecture, share it.
    """
    return torch.compile(model.features, dynamic=False)


@torch.no_grad()
def evaluate(model: nn.Module, images: Images) -> Scores:
    """Evaluate `model` on all images, in evaluation mode."""
    model.eval()
    loss = torch.zeros((), device=images.pixels.device)
    predicted = []
    for positions in torch.split(
        torch.arange(len(images), device=images.pixels.device), EVALUATION_BATCH_SIZE[images.pixels.device.type]
    ):
        batch, labels = images.scaled(positions)
        logits = model(images.normalised(batch)).float()
        loss += F.cross_entropy(logits, labels, reduction="sum")
        predicted.append(logits.argmax(1))
    answers = torch.cat(predicted)
    correct = (answers == images.labels[images.members]).sum()
    return Scores(loss.item() / len(images), correct.item() / len(images), answers.cpu())
