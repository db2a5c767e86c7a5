"""Optimizers, each compared with its formula and with PyTorch's own; every one resumes bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer

from ablate.workloads.resnet9.capturable import Capturable, make_capturable
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.model import build
from ablate.workloads.resnet9.optimizers import make_optimizer, without_compiler
from ablate.workloads.resnet9.plan import TrainingPlan
from ablate.workloads.resnet9.training import Training
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples.training import ListLog, bare_net, differing, plan_of, tiny_images, train, weights

OPTIMIZERS = WORKLOAD.setting("optimizer").domain.words

pytestmark = pytest.mark.usefixtures("one_thread")


def plan(optimizer: str, weight_decay: float, lr: float = 0.01) -> TrainingPlan:
    return replace(plan_of([], optimizer=optimizer, lr=lr), weight_decay=weight_decay)


def stepped(
    optimizer: str, weight_decay: float, start: Tensor, gradients: list[Tensor], make: Callable[..., Optimizer]
) -> Tensor:
    """Return the weights after a step with each of `gradients`."""
    parameter = nn.Parameter(start.clone())
    made = make([parameter], plan(optimizer, weight_decay))
    for gradient in gradients:
        parameter.grad = gradient.clone()
        if isinstance(made, Capturable):
            made.send()
        made.step()
    return parameter.detach()


def by_hand(optimizer: str, weight_decay: float, start: Tensor, gradients: list[Tensor], lr: float = 0.01) -> Tensor:
    """Kingma and Ba (2015), decay as L2; Loshchilov and Hutter (2019), decoupled; momentum 0.9; Nesterov's."""
    weights, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step, gradient in enumerate(gradients, start=1):
        if optimizer in ("adamw", "muon"):  # Muon leaves vectors to AdamW
            weights = weights * (1 - lr * weight_decay)
        else:
            gradient = gradient + weight_decay * weights  # noqa: PLW2901  # as in the formula
        if optimizer in ("sgd", "nesterov"):
            first = gradient if step == 1 else 0.9 * first + gradient
            weights = weights - lr * (first if optimizer == "sgd" else gradient + 0.9 * first)
            continue
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased, spread = first / (1 - 0.9**step), (second / (1 - 0.999**step)).sqrt()
        weights = weights - lr * unbiased / (spread + 1e-8)
    return weights


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("make", [make_optimizer, make_capturable])
def test_optimisers_follow_their_formulas(make, optimizer, weight_decay):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, generator=generator, dtype=torch.double)
    gradients = [torch.randn(50, generator=generator, dtype=torch.double) for _ in range(4)]
    result = stepped(optimizer, weight_decay, start, gradients, make)
    torch.testing.assert_close(result, by_hand(optimizer, weight_decay, start, gradients), rtol=1e-9, atol=1e-12)
    if weight_decay:
        without = by_hand(optimizer, 0.0, start, gradients)
        assert (result - without).abs().max() > 1e-4, "the decay shows"
    if optimizer in ("adamw", "muon") and weight_decay:
        assert (result - by_hand("adam", weight_decay, start, gradients)).abs().max() > 1e-4, "decoupled is not L2"


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_without_the_compiler_optimisers_are_torchs_bit_for_bit(kind):
    def went(kind, halfway):
        parameter = nn.Parameter(torch.linspace(-1, 1, 50))
        optimizer = kind([parameter], 0.1, weight_decay=0.01, fused=True)
        for step in range(6):
            if step == 3:
                halfway.append(copy.deepcopy(optimizer.state_dict()))
                optimizer.load_state_dict(halfway[0])
            parameter.grad = None
            (parameter**3).sum().backward()
            optimizer.step()
        return parameter

    theirs, ours = [], []
    assert torch.equal(went(kind, theirs), went(without_compiler(kind), ours))
    assert str(ours) == str(theirs)
    assert issubclass(without_compiler(kind), kind)


def test_all_parameters_decay_as_in_the_notebook():
    model = build(bare_net(width=2, batch_norm=True), seed=0)
    groups = make_optimizer(model.parameters(), plan("adam", 0.1)).param_groups
    assert [group["weight_decay"] for group in groups] == [0.1]
    assert len(groups[0]["params"]) == len(list(model.parameters()))


# --- Muon -----------------------------------------------------------------------------------------------------------


def filters_and_gradients(steps: int = 3) -> tuple[nn.Parameter, list[Tensor]]:
    """Return the filters of a layer, channels-last like those of the network, and gradients."""
    generator = torch.Generator().manual_seed(0)
    start, *gradients = (torch.randn(8, 4, 3, 3, generator=generator) for _ in range(steps + 1))
    return nn.Parameter(start.to(memory_format=torch.channels_last)), gradients


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_muon_moves_the_filters_as_torchs_does_their_matrix(layout):
    filters, gradients = filters_and_gradients()
    filters = nn.Parameter(filters.detach().contiguous(memory_format=layout))
    matrix = nn.Parameter(filters.detach().flatten(1).clone())
    ours = make_optimizer([filters], plan("muon", 0.1, lr=0.02))
    theirs = Muon([matrix], 0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        filters.grad = gradient.to(memory_format=torch.channels_last)
        matrix.grad = gradient.flatten(1).clone()
        before = matrix.detach().clone()
        ours.step()
        theirs.step()
        moved = (matrix.detach() - before).norm()
        assert (filters.detach().flatten(1) - matrix.detach()).norm() < 0.02 * moved, "bfloat16, in another order"


def test_an_update_of_muon_is_almost_orthogonal_and_as_large_as_those_of_adamw():
    filters, (gradient,) = filters_and_gradients(1)
    before = filters.detach().clone()
    optimizer = make_optimizer([filters], plan("muon", 0.0, lr=0.02))
    filters.grad = gradient.to(memory_format=torch.channels_last)
    optimizer.step()
    update = (before - filters.detach()).flatten(1) / 0.02
    left, _, right = torch.linalg.svd(gradient.flatten(1), full_matrices=False)
    turned = left.T @ update @ right.T / (0.2 * 36**0.5)  # the larger side of 8 x 36
    assert turned.diagonal().min() > 0.6
    assert turned.diagonal().max() < 1.3
    assert (turned - torch.diag(turned.diagonal())).abs().max() < 0.05
    assert update.square().mean().sqrt() == pytest.approx(0.2, rel=0.3)


def test_adamw_moves_all_that_is_not_a_filter():
    model, other = (build(bare_net(width=2, batch_norm=True), seed=0) for _ in range(2))
    ours = make_optimizer(model.parameters(), plan("muon", 0.1))
    theirs = AdamW([one for one in other.parameters() if one.ndim < 4], 0.01, weight_decay=0.1)
    for _ in range(3):
        for mine, its in zip(model.parameters(), other.parameters(), strict=True):
            mine.grad = torch.sin(torch.arange(mine.numel()).float()).view(mine.shape)
            its.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    start = dict(build(bare_net(width=2, batch_norm=True), seed=0).named_parameters())
    for (name, mine), its in zip(model.named_parameters(), other.parameters(), strict=True):
        assert not torch.equal(mine, start[name]), name
        if mine.ndim < 4:
            torch.testing.assert_close(mine, its)
    assert [len(group["params"]) for group in ours.param_groups] == [8, 26]


def test_gradients_of_muon_may_be_missing_or_zero():
    filters, _ = filters_and_gradients()
    start = filters.detach().clone()
    optimizer = make_optimizer([filters], plan("muon", 0.0))
    optimizer.step()
    filters.grad = torch.zeros_like(filters)
    optimizer.step()
    assert torch.equal(filters, start)


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_resumes_bit_for_bit(optimizer, tmp_path):
    settings = plan_of(FACTORS.baseline, optimizer=optimizer)
    whole, log = train(settings, tiny_images())
    kept, resumed = Checkpoint(tmp_path, every_seconds=0), Training(settings, tiny_images(), 0)
    Training(settings, tiny_images(), 0).run(tiny_images(20, seed=1), ListLog(), kept)  # saved last after two epochs
    resumed.load_state_dict(kept.restore())
    assert resumed.epoch == 2
    rest = ListLog()
    rest.rates = log.rates[:6]
    resumed.run(tiny_images(20, seed=1), rest)
    assert differing(weights(whole), weights(resumed)) == []
    assert (rest.rates, rest.history[-1]) == (log.rates, log.history[-1])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns(optimizer):
    _, log = train(plan_of(["batch_norm", "residual"], optimizer=optimizer, epochs=5), tiny_images())
    losses = [row["train/loss"] for row in log.history[1:]]
    assert losses[-1] < 0.9 * losses[0]
