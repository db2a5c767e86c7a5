"""The training loop. It reads a plan and nothing else; what is recorded goes to `log`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ablate.seeding import torch_stream
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.model import ResNet9, StreamDropout, build
from ablate.workloads.resnet9.optim import WeightAverage, clip_and_measure, make_optimizer
from ablate.workloads.resnet9.plan import TrainingPlan

EVALUATION_BATCH = 800


class TrainingLog(Protocol):
    """What the loop writes to."""

    def __call__(self, step: int, **metrics: float) -> None:
        """Record one value a metric at the end of epoch `step`."""

    def series(self, name: str, first: int, values: list[float]) -> None:
        """Record one value an optimiser step."""

    def progress(self, done: int, total: int) -> None:
        """Say that `done` of `total` optimiser steps are made."""


@dataclass(frozen=True)
class Images:
    """A part of a data set on its device: pixels (uint8, N x C x H x W), labels (N), and which of them are members."""

    pixels: Tensor
    labels: Tensor
    members: Tensor
    mean: Tensor
    std: Tensor

    def __len__(self) -> int:
        return len(self.members)

    def scaled(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images at `positions`, floats in [0, 1], and their labels."""
        chosen = self.members[positions]
        return self.pixels.index_select(0, chosen).to(torch.float32).div_(255), self.labels[chosen]

    def normalised(self, images: Tensor) -> Tensor:
        """Return images in [0, 1] less the mean over the standard deviation, channels last in memory."""
        return (images - self.mean).div_(self.std).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Scores:
    """Mean loss and accuracy over the images of a part, exact, and which images were right."""

    loss: float
    accuracy: float
    predicted: Tensor


class Training:
    """One training: the network, the optimiser and how far they are."""

    def __init__(
        self,
        plan: TrainingPlan,
        train: Images,
        seed: int,
        *,
        precision: str = "fp32",
        compiled: bool = False,
        fused: bool = False,
    ) -> None:
        self.plan, self.train, self.seed = plan, train, seed
        self.device = train.pixels.device.type
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=precision == "bf16")
        self.model = build(plan.net, seed, self.device)
        if fused:
            self.model.fuse()
        self._features = compiled_features(self.model, self.device) if compiled else None
        self.parameters = list(self.model.parameters())
        self.optimizer = make_optimizer(self.parameters, plan)
        self.steps_an_epoch = -(-len(train) // plan.batch_size)
        self.total_steps = plan.epochs * self.steps_an_epoch
        self.schedule = plan.schedule(self.optimizer, self.total_steps) if plan.schedule else None
        self.average = WeightAverage(self.model, plan.averaging) if plan.averaging else None
        self.epoch = 0

    @property
    def scored_model(self) -> ResNet9:
        """The network whose accuracy counts: the moving average where there is one."""
        return self.average.model if self.average else self.model

    def run(self, validation: Images, log: TrainingLog, checkpoint: Checkpoint | None = None) -> None:
        """Train to the last epoch; score the validation part before the first and after each."""
        if self.epoch == 0:
            log(0, **self._validate(validation))
        while self.epoch < self.plan.epochs:
            started = time.perf_counter()
            metrics = self._train_epoch(log)
            seconds = time.perf_counter() - started
            self.epoch += 1
            metrics |= {"time/epoch_s": seconds, "images_per_s": len(self.train) / seconds}
            log(self.epoch, **metrics, **self._validate(validation))
            if checkpoint and self.epoch < self.plan.epochs:
                checkpoint.save(self)

    def _train_epoch(self, log: TrainingLog) -> dict[str, float]:
        first = self.epoch * self.steps_an_epoch
        sums = torch.zeros(3, device=self.device)  # loss, correct, gradient norm
        rates: list[float] = []
        self.model.train()
        for step, (images, labels, targets) in enumerate(self._batches()):
            with self.autocast:
                logits = self._logits(images)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.plan.label_smoothing)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch left it untyped
            norm = clip_and_measure(self.parameters, self.plan.clip_value)
            rates.append(self.optimizer.param_groups[0]["lr"])
            self.optimizer.step()
            if self.schedule:
                self.schedule.step()
            if self.average:
                self.average.update(self.model, first + step)
            correct = (logits.argmax(1) == labels).sum()
            sums += torch.stack([loss.detach() * len(labels), correct, norm])
            log.progress(first + step + 1, self.total_steps)
        log.series("lr_step", first + 1, rates)
        loss_sum, correct_sum, norm_sum = sums.tolist()
        return {
            "train/loss": loss_sum / len(self.train),
            "train/accuracy": correct_sum / len(self.train),
            "grad_norm": norm_sum / self.steps_an_epoch,
            "lr": rates[-1],
        }

    def _logits(self, images: Tensor) -> Tensor:
        """The network's output; a last batch of its own size is not worth a compilation."""
        if self._features is None or len(images) != self.plan.batch_size:
            return self.model(images)  # type: ignore[no-any-return]  # torch types a call as Any
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # torch left it untyped
        return self.model.classifier(self._features(images))  # type: ignore[no-any-return]  # likewise

    def _batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the epoch's batches: normalised images, labels, and targets (labels, or probabilities after a mix)."""
        order = torch.randperm(len(self.train), generator=self._stream("order")).to(self.device)
        change = image_changer(self.plan, self.seed, self.epoch)
        batch_streams = [self._stream(step.name) for step in self.plan.batch_steps]
        for module in self.model.modules():
            if isinstance(module, StreamDropout):
                module.generator = self._stream("dropout", self.device)
        for positions in torch.split(order, self.plan.batch_size):
            images, labels = self.train.scaled(positions)
            images, targets = self.train.normalised(change(images)), labels
            if self.plan.batch_steps:
                targets = F.one_hot(labels, self.plan.net.classes).float()
            for batch_step, stream in zip(self.plan.batch_steps, batch_streams, strict=True):
                images, targets = batch_step.apply(images, targets, stream)
            yield images, labels, targets

    def _stream(self, purpose: str, device: str = "cpu") -> torch.Generator:
        return epoch_stream(self.seed, purpose, self.epoch, device)

    def _validate(self, validation: Images) -> dict[str, float]:
        with self.autocast:
            scores = evaluate(self.scored_model, validation)
        return {"val/loss": scores.loss, "val/accuracy": scores.accuracy}


def compiled_features(model: ResNet9, device: str) -> Callable[[Tensor], Tensor]:
    """Return a network's convolutions compiled, on a GPU captured as a graph, too; the code is made at the first call.

    It is made once a process and architecture: networks of one architecture take it over from each other, whatever
    their weights, so a sweep's seeds and all arms that share an architecture wait for it once.
    """
    mode = "reduce-overhead" if device == "cuda" else None
    return torch.compile(model.features, dynamic=False, mode=mode)


def epoch_stream(seed: int, purpose: str, epoch: int, device: str = "cpu") -> torch.Generator:
    """Return the stream of `purpose` in one epoch; named by the epoch, it needs no saving in a checkpoint."""
    return torch_stream(seed, f"{purpose}/epoch {epoch}", device)


def image_changer(plan: TrainingPlan, seed: int, epoch: int) -> Callable[[Tensor], Tensor]:
    """Return what the plan's image steps make of one batch after the other in an epoch."""
    streams = [epoch_stream(seed, step.name, epoch) for step in plan.image_steps]

    def change(images: Tensor) -> Tensor:
        for step, stream in zip(plan.image_steps, streams, strict=True):
            images = step.apply(images, stream)
        return images

    return change


@torch.no_grad()
def evaluate(model: nn.Module, images: Images) -> Scores:
    """Score `model` on every image once, dropout off and batch statistics fixed."""
    model.eval()
    loss = torch.zeros((), device=images.pixels.device)
    predicted = []
    for positions in torch.split(torch.arange(len(images), device=images.pixels.device), EVALUATION_BATCH):
        batch, labels = images.scaled(positions)
        logits = model(images.normalised(batch)).float()
        loss += F.cross_entropy(logits, labels, reduction="sum")
        predicted.append(logits.argmax(1))
    answers = torch.cat(predicted)
    correct = (answers == images.labels[images.members]).sum()
    return Scores(loss.item() / len(images), correct.item() / len(images), answers.cpu())
