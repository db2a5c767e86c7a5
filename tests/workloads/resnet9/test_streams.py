"""The meaning of "same seed" for all factors: switching a factor changes no random draw of another component."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.data import split_members
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.images import Images
from ablate.workloads.resnet9.model import StreamDropout
from ablate.workloads.resnet9.plan import BatchStep, ImageStep, TrainingPlan
from ablate.workloads.resnet9.run import digest
from ablate.workloads.resnet9.training import Training
from tests.samples.training import CLASSES, TINY, ListLog, differing, plan_of, recipe_of, tiny_images, train, weights

EVERYTHING = tuple(FACTORS)
EPOCHS = 2


pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass
class Recording:
    """Everything random in a training: initial weights, the order of the images, and each stream's draws.

    A draw is recorded as the output of the step for fixed images and the generator's current state.
    """

    initial: dict[str, Tensor] = field(default_factory=dict)
    order: list[Tensor] = field(default_factory=list)
    draws: dict[str, list[Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class ObservedImages(Images):
    """Images that record the order in which they are read."""

    seen: list[Tensor] = field(default_factory=list)

    def scaled(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(positions.clone())
        return super().scaled(positions)


def record(plan: TrainingPlan, seed: int = 0) -> Recording:
    """Train and return all random values."""
    made = Recording()
    images = tiny_images(40)
    observed = ObservedImages(images.pixels, images.labels, images.members, images.mean, images.std, made.order)
    plan = replace(
        plan,
        image_steps=tuple(_observed_image_step(step, made) for step in plan.image_steps),
        batch_steps=tuple(_observed_batch_step(step, made) for step in plan.batch_steps),
    )
    training = Training(plan, observed, seed)
    made.initial = {name: value.detach().clone() for name, value in training.model.named_parameters()}
    for module in training.model.modules():
        if isinstance(module, StreamDropout) and module.p:
            module.register_forward_pre_hook(lambda module, inputs: _record_dropout(module, inputs[0], made))
    training.run(tiny_images(8, seed=1), ListLog())
    return made


def _observed_image_step(step: ImageStep, made: Recording) -> ImageStep:
    def apply(images: Tensor, generator: Generator) -> Tensor:
        fixed = torch.linspace(0, 1, images.numel()).view(images.shape)
        made.draws.setdefault(step.stream, []).append(step.apply(fixed, copy.deepcopy(generator)))
        return step.apply(images, generator)

    return ImageStep(step.stream, apply)


def _observed_batch_step(step: BatchStep, made: Recording) -> BatchStep:
    def apply(images: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        fixed = torch.linspace(0.1, 1, images.numel()).view(images.shape)
        hot = torch.eye(CLASSES)[torch.arange(len(images)) % CLASSES]
        changed = step.apply(fixed, hot, copy.deepcopy(generator))
        made.draws.setdefault(step.stream, []).append(torch.cat([part.flatten() for part in changed]))
        return step.apply(images, targets, generator)

    return BatchStep(step.stream, apply)


def _record_dropout(module: StreamDropout, features: Tensor, made: Recording) -> None:
    if module.training:
        twin = StreamDropout(module.p, module.stream)
        twin.generator = copy.deepcopy(module.generator)
        made.draws.setdefault(module.stream, []).append(twin(torch.ones_like(features)).detach().float())


def recorded(factors: Iterable[str], seed: int = 0) -> Recording:
    return record(plan_of(factors, epochs=EPOCHS), seed)


@pytest.fixture(scope="module")
def reference() -> dict[tuple[str, ...], Recording]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = {factors: recorded(factors) for factors in ((), FACTORS.baseline, EVERYTHING)}
    torch.set_num_threads(threads)
    return made


def test_the_recording_sees_every_factor_that_draws(reference):
    everything = reference[EVERYTHING]
    assert set(everything.draws) == set(plan_of(EVERYTHING).streams)
    assert {
        "augment",
        "dropout",
        "color_jitter",
        "rotation",
        "resized_crop",
        "mixup",
        "cutout",
    } <= everything.draws.keys()
    for name, draws in everything.draws.items():
        assert len(draws) == 3 * EPOCHS, name
        for number, draw in enumerate(draws):
            assert not any(torch.equal(draw, other) for other in draws[number + 1 :]), f"{name} repeats itself"


@pytest.mark.parametrize("start", [(), FACTORS.baseline, EVERYTHING], ids=["none", "baseline", "everything"])
@pytest.mark.parametrize("factor", FACTORS)
def test_switching_a_factor_changes_no_other_draw(reference, factor, start):
    before, after = reference[start], recorded(set(start) ^ {factor})
    shared = before.initial.keys() & after.initial.keys()
    assert {"conv1.0.weight", "res2.1.0.bias", "classifier.3.weight"} <= shared
    assert [name for name in shared if not torch.equal(before.initial[name], after.initial[name])] == []
    assert len(before.order) == len(after.order)
    assert all(torch.equal(one, other) for one, other in zip(before.order, after.order, strict=True))
    assert before.draws.keys() ^ after.draws.keys() == set(plan_of([factor]).streams)
    for name in before.draws.keys() & after.draws.keys():
        pairs = zip(before.draws[name], after.draws[name], strict=True)
        assert all(torch.equal(one, other) for one, other in pairs), f"{factor} changed the draws of {name}"


def test_two_components_cannot_share_a_stream():
    with pytest.raises(ValueError, match="same random stream: mixup, mixup"):
        plan_of(["mixup"]).add_image_step("mixup", lambda images, generator: images)


def test_another_seed_changes_everything(reference):
    before, after = reference[EVERYTHING], recorded(EVERYTHING, seed=1)
    assert not any(
        torch.equal(one, other) for one, other in zip(before.order, after.order, strict=True) if len(one) > 3
    )
    for name, draws in before.draws.items():
        assert not any(torch.equal(one, other) for one, other in zip(draws, after.draws[name], strict=True)), name


def test_every_epoch_sees_every_image_once_in_a_new_order(reference):
    order = reference[()].order
    assert [len(positions) for positions in order] == [16, 16, 8] * EPOCHS
    epochs = [torch.cat(order[first : first + 3]) for first in (0, 3)]
    assert not torch.equal(*epochs)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(40))
        assert epoch.tolist() != list(range(40))


@pytest.mark.parametrize("factor", FACTORS)
def test_the_split_depends_on_the_seed_only(factor, digits):
    for start in ((), EVERYTHING):
        one, other = recipe_of(start), recipe_of(set(start) ^ {factor})
        for first, second in zip(*(split_members(digits, r) for r in (one, other)), strict=True):
            assert np.array_equal(first, second)
    train_part, _ = split_members(digits, recipe_of(()))
    reseeded, _ = split_members(digits, recipe_of((), seed=1))
    assert not np.array_equal(train_part, reseeded)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    from ablate.data import ImageSource, open_dataset

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABLATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield open_dataset(ImageSource("digits"), TINY["image_size"])


PRECISIONS = ["fp32", "bf16"]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("factors", [FACTORS.baseline, EVERYTHING], ids=["baseline", "everything"])
def test_the_same_recipe_gives_the_same_bits(factors, precision):
    runs = [train(plan_of(factors), tiny_images(40), seed=2, precision=precision) for _ in range(2)]
    (first, first_log), (second, second_log) = runs
    assert first_log.history == second_log.history
    assert len(first_log.history) == TINY["epochs"] + 1
    assert first_log.rates == second_log.rates
    assert differing(weights(first), weights(second)) == []


class CrashError(Exception):
    pass


class CrashingLog(ListLog):
    """A log that raises in the middle of epoch `last` + 1."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def progress(self, done: int, total: int) -> None:
        super().progress(done, total)
        if done > self.last * total // TINY["epochs"] + 1:
            raise CrashError


def train_with_a_crash(plan: TrainingPlan, folder, after: int, precision: str = "fp32") -> tuple[Training, ListLog]:
    """Train, crash in the epoch after `after`, and resume from the checkpoint in a new training."""
    images, validation = tiny_images(40), tiny_images(20, seed=1)
    log = CrashingLog(after)
    with pytest.raises(CrashError):
        Training(plan, images, 2, precision=precision).run(validation, log, Checkpoint(folder, every_seconds=0))
    resumed = Training(plan, images, 2, precision=precision)
    state = Checkpoint(folder).restore()
    assert state is not None
    resumed.load_state_dict(state)
    assert resumed.epoch == after
    rest = ListLog()
    rest.rates = log.rates
    resumed.run(validation, rest)
    rest.history = log.history[: after + 1] + rest.history
    return resumed, rest


STARTS = {"none": (), "baseline": FACTORS.baseline, "everything": EVERYTHING}
OPTIMIZERS = ["adam", "adamw", "sgd"]


def resumed_cases():
    """Yield all combinations; a quarter of them has every pair of values, and the others are slow."""
    for (i, start), (j, optimizer) in itertools.product(enumerate(STARTS), enumerate(OPTIMIZERS)):
        for (k, after), (m, precision) in itertools.product(enumerate([1, 2]), enumerate(PRECISIONS)):
            is_quick = k == (i + j) % 2 and m == (i - j) % 3 % 2
            yield pytest.param(start, optimizer, after, precision, marks=() if is_quick else pytest.mark.slow)


@pytest.mark.parametrize(("start", "optimizer", "after", "precision"), list(resumed_cases()))
def test_a_resumed_training_ends_with_the_same_bits(start, optimizer, after, precision, tmp_path):
    plan = plan_of(STARTS[start], optimizer=optimizer)
    straight, straight_log = train(plan, tiny_images(40), seed=2, precision=precision)
    resumed, resumed_log = train_with_a_crash(plan, tmp_path, after, precision)
    assert resumed_log.history == straight_log.history
    assert resumed_log.rates == straight_log.rates
    assert differing(weights(resumed), weights(straight)) == []


@pytest.mark.parametrize("factor", FACTORS)
def test_a_training_with_one_factor_resumes_with_the_same_bits(factor, tmp_path):
    plan = plan_of([factor])
    straight, straight_log = train(plan, tiny_images(40), seed=2)
    resumed, resumed_log = train_with_a_crash(plan, tmp_path, 1)
    assert resumed_log.history == straight_log.history
    assert differing(weights(resumed), weights(straight)) == []


@pytest.mark.parametrize("factor", FACTORS)
def test_every_factor_does_something(factor):
    """No factor is a no-op by mistake: the final weights (with ema: the averaged ones) differ."""
    bare, _ = train(plan_of([]), tiny_images(40), seed=2)
    changed, _ = train(plan_of([factor]), tiny_images(40), seed=2)
    one, other = (digest(training.scored_model) for training in (bare, changed))
    assert one != other


def test_no_training_draws_from_a_global_generator():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002  # must not change
    train(plan_of(EVERYTHING), tiny_images(40))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002  # must not change
