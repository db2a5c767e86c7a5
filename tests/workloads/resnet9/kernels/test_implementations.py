"""The choice of implementations: measured once, stored, shared by processes, and the same after a resumption."""

from __future__ import annotations

import copy
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ablate.studies.conditions import Conditions
from ablate.studies.job import Data, Job
from ablate.workloads.resnet9 import run
from ablate.workloads.resnet9.kernels import implementations as table
from ablate.workloads.resnet9.kernels.compile import compiler
from ablate.workloads.resnet9.kernels.convolution import has_amx, has_pairs
from ablate.workloads.resnet9.kernels.implementations import (
    AMX,
    DEFAULT,
    FLOAT32,
    KERNEL,
    MARGIN,
    PAIRS,
    PYTORCH,
    ROUNDS,
    Layer,
    described,
    implementations,
    layers_of,
    preferred,
    shortest_times,
)
from ablate.workloads.resnet9.kernels.measure import implementations_for, measure
from ablate.workloads.resnet9.model import Block, build
from ablate.workloads.resnet9.plan import Net
from tests.samples.training import bare_net, differing, plan_of, recipe_of, tiny_images, weights

LAYERS = [Layer("conv", 8, 16, 8, "bf16"), Layer("norm", 16, 16, 8, "bf16", pool=2)]
NAMES = ["conv 8-16@8 bf16", "norm 16@8/2 bf16"]

needs_kernels = pytest.mark.skipif(not compiler() or sys.platform != "linux", reason="there is no C++ compiler")


class FakeClock:
    """A clock on which each call takes the next of its durations, and counts the calls."""

    def __init__(self, **durations: list[float]) -> None:
        self.now, self.order = 0.0, ""
        self.calls = {name: self._call(name, values) for name, values in durations.items()}

    def _call(self, name: str, durations: list[float]) -> Callable[[], None]:
        left = iter(durations)

        def call() -> None:
            self.now += next(left)
            self.order += name[0]

        return call

    def __call__(self) -> float:
        return self.now


class Meter:
    """Measures layers by numbers, and counts the measurements."""

    def __init__(self, kernel: float = 0.5) -> None:
        self.kernel, self.measured = kernel, list[str]()

    def __call__(self, layer: Layer) -> dict[str, float]:
        self.measured.append(layer.name)
        return {PYTORCH: 1.0, KERNEL: self.kernel}


def test_repetitions_alternate_in_both_orders_and_the_shortest_counts() -> None:
    clock = FakeClock(kernel=[9, 1.1, 7, 1.0, 8, 1.2, 1.3], pytorch=[5, 1.3, 1.2, 6, 1.1, 9, 1.4])
    assert shortest_times(clock.calls, clock) == pytest.approx({"kernel": 1.1, "pytorch": 1.2}), "two: a second is over"
    clock = FakeClock(**{name: [value / 100 for value in values] for name, values in (
        ("kernel", [900, 1.1, 1.7, 1.0, 1.8, 1.2, 1.3]), ("pytorch", [500, 1.3, 1.2, 1.6, 1.1, 1.9, 1.4])
    )})  # fmt: skip
    assert shortest_times(clock.calls, clock) == pytest.approx({"kernel": 0.01, "pytorch": 0.011})
    assert clock.order == "kp" + "kppk" * (ROUNDS // 2)


def test_clearly_slower_implementations_are_not_repeated() -> None:
    clock = FakeClock(pytorch=[0.01] * 9, kernel=[0.012] * 9, float32=[0.03, 0.03, 0.02])
    assert shortest_times(clock.calls, clock)["float32"] == pytest.approx(0.02)
    assert clock.order.count("p") == clock.order.count("k") == 1 + ROUNDS
    clock = FakeClock(pytorch=[0.01] * 3, kernel=[0.02] * 3)
    shortest_times(clock.calls, clock)
    assert clock.order == "pkpkkp", "a warm-up and two repetitions"


@given(st.lists(st.floats(0, 5), min_size=14, max_size=14), st.sampled_from([0.5, 1.9]))
def test_noise_that_spares_one_repetition_does_not_change_the_choice(noise: list[float], kernel: float) -> None:
    quiet = [0.0, 0.0]
    added = [noise[:1] + quiet + noise[2:7], noise[7:8] + quiet + noise[9:]]
    clock = FakeClock(pytorch=[1 + value for value in added[0]], kernel=[kernel + value for value in added[1]])
    assert preferred(shortest_times(clock.calls, clock)) == (KERNEL if kernel < 1 else PYTORCH)


@given(st.floats(1e-6, 10), st.floats(0.5, 2))
def test_pytorch_is_preferred_unless_another_is_clearly_faster(pytorch: float, ratio: float) -> None:
    expected = KERNEL if pytorch * ratio < MARGIN * pytorch else PYTORCH
    assert preferred({PYTORCH: pytorch, KERNEL: pytorch * ratio}) == expected
    assert preferred({PYTORCH: pytorch}) == PYTORCH


def test_a_layer_is_measured_once(tmp_path: Path) -> None:
    path, meter = tmp_path / "table.json", Meter()
    first = implementations(LAYERS[:1], path, meter)
    assert first == {NAMES[0]: KERNEL}
    later = Meter(kernel=2.0)
    assert implementations(LAYERS, path, later) == {NAMES[0]: KERNEL, NAMES[1]: PYTORCH}
    assert (meter.measured, later.measured) == (NAMES[:1], NAMES[1:])
    assert implementations(LAYERS, path, Meter()) == {NAMES[0]: KERNEL, NAMES[1]: PYTORCH}
    assert json.loads(path.read_text())[NAMES[0]]["milliseconds"] == {PYTORCH: 1000.0, KERNEL: 500.0}


@pytest.mark.parametrize("text", ["", "[1", "[]", "3", "[" * 10**5, '{"conv 8-16@8 bf16": "fast"}', '{"a": 1}', "\0"])
def test_a_damaged_table_is_measured_again(tmp_path: Path, text: str) -> None:
    path, meter = tmp_path / "table.json", Meter()
    path.write_text(text)
    assert implementations(LAYERS, path, meter) == dict.fromkeys(NAMES, KERNEL)
    assert meter.measured == NAMES
    assert implementations(LAYERS, path, Meter(2.0)) == dict.fromkeys(NAMES, KERNEL)


def test_a_damaged_entry_is_measured_again_without_the_others(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    implementations(LAYERS, path, Meter())
    path.write_text(json.dumps({**json.loads(path.read_text()), NAMES[0]: {"implementation": "fast"}}))
    meter = Meter(2.0)
    assert implementations(LAYERS, path, meter) == {NAMES[0]: PYTORCH, NAMES[1]: KERNEL}
    assert meter.measured == NAMES[:1]


def test_concurrent_first_uses_agree(tmp_path: Path) -> None:
    """The first to hold the lock measures. The others, whose measurements would differ, read its result."""
    path, meters = tmp_path / "table.json", [Meter(kernel) for kernel in (0.5, 2.0) * 4]
    barrier, found = threading.Barrier(len(meters)), []

    def use(meter: Meter) -> None:
        barrier.wait()
        found.append(implementations(LAYERS, path, meter))

    threads = [threading.Thread(target=use, args=(meter,)) for meter in meters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(meters)
    assert all(one == found[0] for one in found)
    assert [name for meter in meters for name in meter.measured] == NAMES
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["table.json"]


def test_an_interrupted_measurement_leaves_no_table_and_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "table.json"

    def interrupted(_layer: Layer) -> dict[str, float]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        implementations(LAYERS, path, interrupted)
    assert not path.exists()
    assert implementations(LAYERS, path, Meter()) == dict.fromkeys(NAMES, KERNEL)


def test_without_a_place_for_the_table_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    meter = Meter()
    for _ in range(2):
        assert implementations(LAYERS, tmp_path / "file" / "table.json", meter) == DEFAULT
    assert meter.measured == []
    assert capsys.readouterr().err.count("is not measured") == 1
    assert described({}) == "default"


@pytest.mark.parametrize("net", [
    bare_net(width=4, batch_norm=True, image_size=16), bare_net(width=6, image_size=24),
    bare_net(width=4, batch_norm=True, image_size=16, activation="gelu"),
])  # fmt: skip
def test_the_layers_are_those_of_the_network(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, None] = {}
    model = build(net, 0)

    def see(block: Block, images: torch.Tensor) -> None:
        (inputs, side), outputs = images.shape[1:3], block[0].out_channels
        seen[Layer("conv", inputs, outputs, side, "fp32").name] = None
        if net.batch_norm and net.activation == "relu":
            seen[Layer("norm", outputs, outputs, side, "fp32", block.side).name] = None

    for block in model.modules():
        if isinstance(block, Block):
            block.register_forward_pre_hook(lambda block, arguments: see(block, *arguments))
    model(torch.zeros(2, 3, net.image_size, net.image_size))
    assert {layer.name for layer in layers_of(net, "fp32")} == set(seen)


@needs_kernels
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_measurement_covers_what_is_supported_and_changes_no_random_numbers(precision: str) -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    times = {
        layer.name: set(measure(layer))
        for layer in layers_of(bare_net(width=2, batch_norm=True, image_size=16), precision)
    }
    half = {FLOAT32, *([AMX] if has_amx() else [])} if precision == "bf16" else set()
    tiled = {KERNEL, *([PAIRS] if has_pairs() and precision == "bf16" else [])}
    assert times[f"conv 2-4@16 {precision}"] == {PYTORCH} | tiled | half
    assert times[f"conv 16-16@2 {precision}"] == {PYTORCH} | half, "no whole tiles"
    assert times[f"norm 4@16/2 {precision}"] == {PYTORCH, KERNEL}
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@needs_kernels
@pytest.mark.usefixtures("one_thread")
def test_a_resumed_training_keeps_the_implementations_with_which_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if the table was lost meanwhile, and a new one has other entries."""
    plan, images, few = plan_of(["batch_norm"], width=8, epochs=2), tiny_images(), tiny_images(8, seed=1)
    made = Job(
        recipe_of(["batch_norm"], width=8, epochs=2), Data("data", "print"), Conditions("cpu", "fp32", 1, fused=True)
    )
    layers = [layer.name for layer in layers_of(plan.net, "fp32")]

    def begin(chosen: str) -> None:
        monkeypatch.setattr(run, "implementations_for", lambda _net, _precision: dict.fromkeys(layers, chosen))

    class Log:
        def __call__(self, step: int, **_metrics: float) -> None: ...
        def series(self, name: str, first: int, values: list[float]) -> None: ...
        def progress(self, done: int, total: int) -> None: ...

    begin(KERNEL)
    whole = run.start(plan, images, made)
    whole.train_epoch(Log())
    whole.epoch = 1
    state = copy.deepcopy(whole.state_dict())
    begin(PYTORCH)
    resumed = run.start(plan, images, made, state["implementations"])
    resumed.load_state_dict(state)
    assert resumed.implementations == dict.fromkeys(layers, KERNEL)
    other = run.start(plan, images, made)
    other.load_state_dict(state)
    for training in (whole, resumed, other):
        training.run(few, Log())
    assert differing(weights(whole), weights(resumed)) == []
    assert differing(weights(whole), weights(other)), "the last bits depend on the implementations"


@needs_kernels
def test_the_table_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    monkeypatch.setattr("ablate.workloads.resnet9.kernels.measure.measure", Meter())
    (tmp_path / "kernels").mkdir()
    assert set(implementations_for(bare_net(width=8), "bf16").values()) == {KERNEL}
    (found,) = (tmp_path / "kernels").glob("*.json")
    assert len(json.loads(found.read_text())) == len(layers_of(bare_net(width=8), "bf16"))
    assert table.implementations(layers_of(bare_net(width=8), "bf16"), found, Meter(2.0))["conv 3-8@32 bf16"] == KERNEL
