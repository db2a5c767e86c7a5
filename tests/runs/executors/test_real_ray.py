"""The demo study on a Ray cluster of two nodes, which are killed in every way, has the table of a serial sweep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.runs.executors import ray_cluster
from ablate.runs.executors.ray_cluster import RayExecutor
from tests.faults.kills import STUDY
from tests.samples import executors as samples
from tests.samples import ray_nodes as nodes_module
from tests.samples.demo_sweep import PATIENCE, SWEEP, Table, assert_complete, is_training, serial_table
from tests.samples.processes import Program, start_program, until
from tests.samples.ray_nodes import HEAD, OTHER, RayNodes, has_client, ray_nodes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")]

needs_client = pytest.mark.skipif(not has_client(), reason="needs Ray's client: pip install 'ray[client]'")


@pytest.fixture
def nodes() -> Iterator[RayNodes]:
    with ray_nodes() as running:
        yield running


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return serial_table(tmp_path_factory.mktemp("serial"))


def start(folder: Path, address: str) -> Program:
    arguments = (*SWEEP, "--executor", "ray", "--address", address, "--jobs", "2", "--json")
    return start_program(*arguments, folder=folder, fresh=True)


def await_training(nodes: RayNodes, folder: Path, program: Program) -> None:
    """Wait until both nodes train."""

    def is_there() -> bool:
        assert program.poll() is None, program.communicate()
        return is_training(folder) and all(nodes.busy_workers(name) for name in (HEAD, OTHER))

    until(is_there, PATIENCE, 0.1)


def test_a_node_is_killed(nodes: RayNodes, serial: Table, tmp_path: Path) -> None:
    program = start(tmp_path, nodes.address)
    await_training(nodes, tmp_path, program)
    nodes.kill(OTHER)
    assert_complete(program, tmp_path, serial)


@pytest.mark.parametrize("kind", ["address", pytest.param("client_address", marks=needs_client)])
def test_the_command_is_killed(kind: str, nodes: RayNodes, serial: Table, tmp_path: Path) -> None:
    program = start(tmp_path, getattr(nodes, kind))
    await_training(nodes, tmp_path, program)
    program.kill_all()
    assert_complete(start(tmp_path, getattr(nodes, kind)), tmp_path, serial)


def test_two_sweeps_share_a_cluster(nodes: RayNodes, serial: Table, tmp_path: Path) -> None:
    programs = [start(tmp_path, nodes.address) for _ in range(2)]
    for program in programs:
        assert_complete(program, tmp_path, serial)


@needs_client
def test_a_client_address(nodes: RayNodes, serial: Table, tmp_path: Path) -> None:
    assert_complete(start(tmp_path, nodes.client_address), tmp_path, serial)


@pytest.mark.parametrize(
    ("kind", "pause"),
    [
        ("address", 0),
        ("address", 75),
        pytest.param("client_address", 0, marks=needs_client),
        pytest.param("client_address", 75, marks=needs_client),
    ],
)
def test_the_head_is_restarted(kind: str, pause: float, nodes: RayNodes, serial: Table, tmp_path: Path) -> None:
    """Also after the time in which Ray ends a program that cannot reach its head."""
    program = start(tmp_path, getattr(nodes, kind))
    await_training(nodes, tmp_path, program)
    nodes.kill(HEAD)
    time.sleep(pause)
    nodes.start(HEAD)
    assert_complete(program, tmp_path, serial)


def test_a_cluster_that_does_not_come_back_is_one_line(
    nodes: RayNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "RESTART", 5.0)
    results = RayExecutor(2, nodes.address).results(samples.linger, [(str(tmp_path), number) for number in range(20)])
    next(results)
    nodes.stop()
    with pytest.raises(UserError, match=f"^No Ray cluster at {nodes.address} .*Connection refused"):
        list(results)


def test_a_cluster_with_a_token_refuses_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a process of its own, since Ray reads its variables once."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 32}
    monkeypatch.setattr(nodes_module, "AUTHENTICATION", token)
    study = tmp_path / "kitchen.py"
    study.write_text(STUDY)
    with ray_nodes() as nodes:
        command = ("sweep", "kitchen.py", "--executor", "ray", "--jobs", "2", "--offline", "--address", nodes.address)
        _, errors = start_program(*command, folder=tmp_path, fresh=True).communicate(PATIENCE)
        assert errors.splitlines()[-1].startswith(f"error: The Ray cluster at {nodes.address} requires a token: set")
        program = start_program(*command, folder=tmp_path, fresh=True, environment=token)
        _, errors = program.communicate(PATIENCE)
        assert program.returncode == 0, errors


def test_each_call_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    """Ray counts the GPUs; none is needed."""
    with ray_nodes(cpus=4, gpus=2) as nodes:
        items = list(range(12))
        results = [result for _, result in RayExecutor(8, nodes.address, gpus=1).results(samples.occupy_gpu, items)]
    calls = [result for result in results if isinstance(result, samples.GpuUse)]
    assert len(calls) == 12
    assert len({(call.node, call.gpu) for call in calls}) == 4
    for one in calls:
        assert one.gpu in ("0", "1")
        others = [other for other in calls if other is not one and (other.node, other.gpu) == (one.node, one.gpu)]
        assert not any(other.began < one.ended and one.began < other.ended for other in others)
