"""ResNet9: the notebook's names, all combinations of components, and initial weights."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy.stats import kstest
from torch import nn

from ablate.seeding import torch_stream
from ablate.workloads.resnet9.model import ACTIVATIONS, Block, StreamDropout, build, net_of, normalisation
from tests.samples.notebook import ResNet9 as NotebookResNet9
from tests.samples.training import bare_net

BASELINE = bare_net(batch_norm=True, residual=True, dropout=0.2)
SWITCHES = [
    {"batch_norm": batch_norm, "residual": residual, "dropout": dropout}
    for batch_norm, residual, dropout in itertools.product([False, True], [False, True], [0.0, 0.3])
]

OTHERS = [
    {"group_size": 16, "residual": True},
    {"group_size": 2, "activation": "silu"},
    {"batch_norm": True, "activation": "gelu", "dropout": 0.3},
    {"activation": "silu", "residual": True},
]
"""Other normalisations and activations."""

pytestmark = pytest.mark.usefixtures("one_thread", "global_seed")


@pytest.fixture(scope="module")
def baseline():
    return build(BASELINE, seed=0)


def test_the_baseline_has_the_notebooks_parameters(baseline):
    assert sum(parameter.numel() for parameter in baseline.parameters()) == 6_575_370


def test_state_dicts_have_the_same_names_shapes_and_types(baseline):
    ours, theirs = baseline.state_dict(), NotebookResNet9().state_dict()
    assert [(name, v.shape, v.dtype) for name, v in ours.items()] == [(n, v.shape, v.dtype) for n, v in theirs.items()]


def test_checkpoints_load_strictly_both_ways_with_the_same_logits(baseline):
    images = torch.randn(3, 3, 32, 32, generator=torch_stream(0, "images"))
    notebook = NotebookResNet9().eval()
    notebook.load_state_dict(baseline.state_dict(), strict=True)
    torch.testing.assert_close(notebook(images), baseline.eval()(images), rtol=1e-4, atol=1e-5)

    fresh = _with_lively_statistics(NotebookResNet9()).eval()
    ours = build(BASELINE, seed=5).eval()
    assert not torch.allclose(fresh(images), ours(images), rtol=1e-4, atol=1e-5)
    ours.load_state_dict(fresh.state_dict(), strict=True)
    torch.testing.assert_close(fresh(images), ours(images), rtol=1e-4, atol=1e-5)


def _with_lively_statistics(network: nn.Module) -> nn.Module:
    """Fill the running statistics with values as after a training."""
    generator = torch_stream(1, "statistics")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=generator)
            module.running_var.uniform_(0.1, 0.5, generator=generator)
    return network


@pytest.mark.parametrize("switches", [*SWITCHES, *OTHERS])
@pytest.mark.parametrize(("width", "image_size", "count"), [(1, 32, 1), (3, 16, 1), (3, 16, 5), (7, 64, 2)])
def test_every_combination_trains_one_step(switches, width, image_size, count):
    model = build(bare_net(width=width, classes=5, image_size=image_size, **switches), seed=1)
    images = torch.randn(count, 3, image_size, image_size, generator=torch_stream(0, "images"))
    logits = model.train()(images)
    assert logits.shape == (count, 5)
    nn.functional.cross_entropy(logits, torch.arange(count) % 5).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.stride() == parameter.stride(), f"{name}: the fused optimiser needs one layout"


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_pool_before_the_relu_changes_no_bit(precision, batch_norm):
    block = Block(3, 8, bare_net(batch_norm=batch_norm), pool=True)
    usual = nn.Sequential(block[0], block[1], nn.ReLU(), nn.MaxPool2d(2))
    images = torch.randint(0, 4, (6, 3, 16, 16), generator=torch_stream(0, "images")).float()  # coarse: with ties
    results = []
    for order in (block, usual):
        order.zero_grad()
        given = images.clone().requires_grad_()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            out = order(given)
        (out.float() * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
        results.append([out, given.grad, *(parameter.grad for parameter in order.parameters())])
    assert (results[0][0] == 0).any()
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


PLAIN = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_a_block_is_norm_then_activation_then_pool(activation, norm):
    net = bare_net(batch_norm=norm == "batch", group_size=4 * (norm == "group"), activation=activation)
    block = Block(3, 8, net, pool=True)
    norms = {"batch": nn.BatchNorm2d(8), "group": nn.GroupNorm(2, 8), "none": nn.Identity()}
    plain = nn.Sequential(block[0], norms[norm], PLAIN[activation](), nn.MaxPool2d(2))
    images = torch.randn(6, 3, 16, 16, generator=torch_stream(0, "images"))
    results = []
    for order in (block, plain):
        order.zero_grad()
        given = images.clone().requires_grad_()
        out = order(given)
        (out * torch.arange(out.numel()).view(out.shape).cos()).sum().backward()
        results.append([out, given.grad, *(parameter.grad.clone() for parameter in order.parameters())])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize(
    ("channels", "size", "groups"),
    [(64, 16, 4), (8, 16, 1), (16, 16, 1), (24, 16, 2), (40, 16, 4), (7, 3, 7)],
)
def test_groups_have_the_largest_size_that_divides_the_channels(channels, size, groups):
    norm = normalisation(channels, bare_net(group_size=size))
    assert isinstance(norm, nn.GroupNorm)
    assert (norm.num_groups, norm.num_channels) == (groups, channels)
    images = torch.randn(2, channels, 4, 4, generator=torch_stream(0, "images"))
    within = images.view(2, groups, -1)
    by_hand = (within - within.mean(2, keepdim=True)) / (within.var(2, keepdim=True, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(norm(images), by_hand.view(images.shape))


@pytest.mark.parametrize("switches", [*SWITCHES, *OTHERS])
def test_all_variants_share_initial_weights(switches):
    model, full = (
        build(bare_net(width=4, **switches), seed=3),
        build(bare_net(width=4, batch_norm=True, residual=True), seed=3),
    )
    reference = dict(full.named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, reference[name]), name
    missing = reference.keys() - dict(model.named_parameters()).keys()
    assert all(isinstance(full.get_submodule(name.rpartition(".")[0]), nn.BatchNorm2d) for name in missing)
    assert bool(missing) == (not switches.get("batch_norm") and not switches.get("group_size"))


def test_the_initial_weights_are_torchs_default_distribution():
    model = build(bare_net(width=16, batch_norm=True), seed=0)
    scaled_biases = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = 1 / module.weight[0].numel() ** 0.5  # kaiming_uniform with a = sqrt(5), biases alike
            assert _is_uniform(module.weight.detach() / bound)
            scaled_biases.append(module.bias.detach() / bound)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
            assert (module.running_var == 1).all()
            assert (module.running_mean == 0).all()
            assert module.num_batches_tracked == 0
    assert _is_uniform(torch.cat(scaled_biases))


def _is_uniform(values: torch.Tensor) -> bool:
    """Return whether a Kolmogorov-Smirnov test accepts a uniform distribution within [-1, 1]."""
    return kstest(values.flatten().numpy(), "uniform", args=(-1, 2)).pvalue > 1e-4


def test_seeds_differ_and_no_global_generator_is_drawn_from():
    before = torch.get_rng_state()
    first, second = build(bare_net(width=4), seed=0), build(bare_net(width=4), seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_dropout_keeps_the_mean_and_draws_from_its_stream_only():
    dropout = StreamDropout(0.3, "dropout")
    dropout.generator = torch_stream(0, "dropout")
    before, features = torch.get_rng_state(), torch.full((200, 500), 2.0)
    out = dropout.train()(features)
    assert torch.equal(torch.get_rng_state(), before)
    kept = out != 0
    assert kept.float().mean() == pytest.approx(0.7, abs=4 * (0.21 / kept.numel()) ** 0.5)
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 2 / 0.7))
    dropout.generator = torch_stream(0, "dropout")
    assert torch.equal(out, dropout(features))
    assert dropout.eval()(features) is features


@pytest.mark.parametrize("switches", [*SWITCHES, *OTHERS])
def test_the_net_of_a_state_dict_is_found(switches):
    net = bare_net(width=3, classes=7, image_size=16, **switches)
    state = build(net, seed=0).state_dict()
    others = {"activation": net.activation, "group_size": net.group_size}
    assert net_of(state, image_size=16, residual=net.residual, dropout=net.dropout, **others) == net


def test_the_weights_are_channels_last(baseline):
    assert baseline.res2[0][0].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_notebook_of_another_width_agrees_with_ours():
    images = torch.randn(4, 3, 32, 32, generator=torch_stream(0, "images"))
    ours, notebook = build(bare_net(width=8, batch_norm=True, residual=True), 0), NotebookResNet9(width=8)
    notebook.load_state_dict(ours.state_dict())
    notebook.classifier[2].p = 0.0
    torch.testing.assert_close(ours.train()(images), notebook.train()(images), rtol=1e-4, atol=1e-5)
    for name, buffer in ours.named_buffers():  # the statistics changed alike in training mode
        torch.testing.assert_close(buffer, dict(notebook.named_buffers())[name], rtol=1e-4, atol=1e-6)
