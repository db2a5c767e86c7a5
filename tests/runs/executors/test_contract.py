"""The executor protocol, tested for each executor with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest

from ablate.errors import UsageError, UserError
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor, WorkerLost, make_executor
from ablate.runs.executors.slurm.executor import SlurmExecutor
from ablate.runs.executors.worker import GRACE
from ablate.workloads.resnet9 import devices
from tests import ROOT
from tests.samples import executors as samples
from tests.samples.local_cluster import LocalCluster
from tests.samples.processes import PATIENCE, is_alive, until

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from tests.samples import executors as samples
from ablate.runs.executors import make_executor
executor = make_executor("processes", 2)
try:
    for item, result in executor.results(samples.{call}, {items!r}):
        print(result, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster of one node with two CPUs."""
    if find_spec("ray") is None:
        pytest.skip("needs the extra `ray`")
    from ablate.runs.executors.ray_cluster import quiet_ray

    quiet_ray()
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))  # so that its workers find the samples
        running = Cluster(True, head_node_args={"num_cpus": 2, "object_store_memory": 100 << 20})
        yield running
        running.shutdown()


SLOW_RAY = pytest.param("ray", marks=pytest.mark.slow)
"""Ray's workers take seconds to start: only `test_each_item_has_one_result` uses Ray by default."""

SLOW_SLURM = pytest.param("slurm", marks=pytest.mark.slow)
"""Slurm's executor with jobs of submitit's local one, which take seconds to start."""


@pytest.fixture
def jobs() -> Iterator[LocalCluster]:
    """The jobs of submitit's local executor."""
    cluster = LocalCluster()
    yield cluster
    cluster.wait()


def make(request: pytest.FixtureRequest) -> Executor:
    if request.param == "slurm":
        pytest.importorskip("submitit")
        return SlurmExecutor(2, request.getfixturevalue("jobs"), request.getfixturevalue("tmp_path") / "queues")
    address = request.getfixturevalue("cluster").address if request.param == "ray" else None
    return make_executor(request.param, 2, address)


@pytest.fixture(params=["serial", "processes", SLOW_RAY, SLOW_SLURM])
def executor(request: pytest.FixtureRequest) -> Executor:
    return make(request)


@pytest.fixture(params=["processes", SLOW_RAY, SLOW_SLURM])
def pool(request: pytest.FixtureRequest) -> Executor:
    """An executor with worker processes."""
    return make(request)


def marks(folder: Path, kind: str) -> list[int]:
    """Return the process ids of calls that began or recorded their end."""
    return [int(path.name.partition("-")[0]) for path in folder.glob(f"*.{kind}")]


def begun(folder: Path) -> int:
    """Return the number of calls of `linger` that began."""
    return len(list(folder.glob("*.begun")))


def script(call: str, items: Sequence[Any]) -> subprocess.Popen[str]:
    """A program that prints results, in its own process group as in a terminal."""
    text = SCRIPT.format(tests=str(ROOT), call=call, items=list(items))
    return subprocess.Popen(
        [sys.executable, "-c", text],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("executor", ["serial", "processes", SLOW_RAY, SLOW_SLURM], indirect=True)
def test_each_item_has_one_result(executor: Executor) -> None:
    assert sorted(executor.results(samples.double, range(20))) == [(number, 2 * number) for number in range(20)]


def test_no_items_no_results(executor: Executor) -> None:
    assert list(executor.results(samples.double, [])) == []


def test_items_may_be_larger_than_a_pipe_buffer(executor: Executor) -> None:
    items = [bytes([number]) * 2_000_000 + b"end" for number in range(5)]
    assert dict(executor.results(samples.mirror, items)) == {item: item[::-1] for item in items}


def test_items_start_in_order_on_no_more_workers_than_slots(executor: Executor, tmp_path: Path) -> None:
    items = [(str(tmp_path), number, executor.slots) for number in range(12)]
    calls = [call for _, call in executor.results(samples.clock, items)]
    started = [int(line) for line in (tmp_path / "started").read_text().split()]
    assert sorted(started) == list(range(12))
    assert all(number - place < executor.slots for place, number in enumerate(started)), "items start in order"
    busy = [sum(other[0] <= call[0] < other[1] for other in calls) for call in calls]
    assert max(busy) == executor.slots
    assert len({call[2] for call in calls}) <= executor.slots
    assert len({call[3] for call in calls}) <= executor.slots, "a worker imported the module again"


def test_an_exception_is_raised_in_the_caller(executor: Executor) -> None:
    items = [("", 0), ("", 1), ("user", 2), *(("", number) for number in range(3, 50))]
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(UserError) as caught:
        list(executor.results(samples.end_badly, items))
    assert (type(caught.value), str(caught.value)) == (UserError, "item 2 is wrong")
    until(lambda: not any(is_alive(child.pid) for child in set(psutil.Process().children(recursive=True)) - before))


def test_an_exception_that_cannot_be_pickled_is_described(pool: Executor) -> None:
    with pytest.raises(RuntimeError, match=r"^AwkwardError: first"):
        list(pool.results(samples.end_badly, [("", 0), ("awkward", 1)]))


def test_a_result_that_cannot_be_pickled_raises(pool: Executor) -> None:
    with pytest.raises(Exception, match=r"^Can't (pickle|get) local object"):
        list(pool.results(samples.end_badly, [("", 0), ("unpicklable", 1)]))


def test_a_dead_worker_loses_its_item_only(pool: Executor) -> None:
    items = [("", 0), ("kill", 1), ("", 2), ("exit", 3), ("kill", 4), ("", 5), ("", 6)]
    results = dict(pool.results(samples.end_badly, items))
    assert set(results) == set(items)
    assert {item for item, result in results.items() if isinstance(result, WorkerLost)} == {
        item for item in items if item[0]
    }
    assert all(results[item] == item[1] for item in items if not item[0])


def test_closing_early_ends_running_calls_and_starts_no_others(pool: Executor, tmp_path: Path) -> None:
    items = [("", 0.0), *[(str(tmp_path), 1.0)] * 6]
    results = pool.results(samples.wait_to_be_ended, items)
    assert next(results)[1] == "done"
    until(lambda: len(marks(tmp_path, "began")) == 2)
    results.close()  # type: ignore[attr-defined]  # the iterators of the executors are generators
    assert len(marks(tmp_path, "began")) == 2
    assert sorted(marks(tmp_path, "recorded")) == sorted(marks(tmp_path, "began"))
    until(lambda: not any(is_alive(pid) for pid in marks(tmp_path, "began")))
    assert len(marks(tmp_path, "began")) == 2


@pytest.mark.slow
def test_items_of_a_lost_node_move_to_another(cluster: Any, tmp_path: Path) -> None:
    node = cluster.add_node(num_cpus=2, object_store_memory=100 << 20)
    items = [(str(tmp_path), number) for number in range(8)]
    results = make_executor("ray", 4, cluster.address).results(samples.linger, items)
    killer = threading.Thread(target=lambda: (until(lambda: begun(tmp_path) == 4), cluster.remove_node(node, False)))
    killer.start()
    assert dict(results) == {item: item[1] for item in items}
    killer.join()
    assert begun(tmp_path) > len(items), "items of the lost node ran again"


def test_many_small_items(pool: Executor) -> None:
    assert sorted(pool.results(samples.double, range(500))) == [(number, 2 * number) for number in range(500)]


@pytest.mark.parametrize("call", ["wait_to_be_ended", "wait_in_a_destructor"])
def test_an_interrupt_ends_the_workers_quietly_and_cleanly(call: str, tmp_path: Path) -> None:
    with script(call, [(str(tmp_path), 0.5)] * 4) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
    assert (out, err) == ("interrupted\n", "")
    assert len(marks(tmp_path, "recorded")) == len(marks(tmp_path, "began")) == 2
    assert not any(is_alive(pid) for pid in marks(tmp_path, "began"))


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    with script("wait_to_be_ended", [(str(tmp_path), 60)] * 4) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        os.killpg(program.pid, signal.SIGINT)
        until(lambda: len(marks(tmp_path, "asked")) == 2)
        began = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)
        program.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < GRACE / 2
    until(lambda: not any(is_alive(pid) for pid in marks(tmp_path, "began")))


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with script("wait_to_be_ended", [(str(tmp_path), 0.2)] * 4) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        program.kill()
        until(lambda: not any(is_alive(pid) for pid in marks(tmp_path, "began")))
    assert len(marks(tmp_path, "recorded")) == len(marks(tmp_path, "began")) == 2


def test_processes_need_no_main_guard() -> None:
    with script("double", [1, 2, 3]) as program:
        out, err = program.communicate(timeout=PATIENCE)
    assert (sorted(out.split()), err) == (["2", "4", "6"], "")


def test_processes_need_no_main_guard_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(SCRIPT.format(tests=str(ROOT), call="double", items=[1, 2, 3]))
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (sorted(done.stdout.split()), done.stderr, done.returncode) == (["2", "4", "6"], "", 0)


def test_a_worker_that_dies_at_its_start_loses_its_item_only() -> None:
    """Also if its death is the first event."""
    results = ProcessExecutor(2).results(samples.double, range(6))
    others = set(psutil.Process().children())

    def kill_one() -> None:
        until(lambda: bool(set(psutil.Process().children()) - others))
        (set(psutil.Process().children()) - others).pop().kill()

    killer = threading.Thread(target=kill_one)
    killer.start()
    outcomes = dict(results)
    killer.join()
    assert set(outcomes) == set(range(6))
    assert sum(isinstance(outcome, WorkerLost) for outcome in outcomes.values()) <= 1


def test_a_lost_item_has_the_reason() -> None:
    outcomes = dict(ProcessExecutor(1).results(samples.end_badly, [("kill", 0), ("exit", 1)]))
    assert outcomes == {
        ("kill", 0): WorkerLost("its worker was killed by SIGKILL (out of memory?)"),
        ("exit", 1): WorkerLost("its worker exited with code 7"),
    }


def test_gpus_are_assigned_in_turn():
    """Three workers with one item each share two GPUs."""
    outcomes = ProcessExecutor(3, ("5", "GPU-a1")).results(samples.visible_gpu, ["look"] * 3)
    assert sorted(result for _, result in outcomes) == ["5", "5", "GPU-a1"]


def test_a_replaced_worker_keeps_its_gpu():
    lost, seen = dict(ProcessExecutor(1, ("7",)).results(samples.visible_gpu, ["kill", "look"])).values()
    assert isinstance(lost, WorkerLost)
    assert seen == "7"


def test_without_gpus_a_worker_inherits_the_environment(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert dict(ProcessExecutor(1).results(samples.visible_gpu, ["look"])) == {"look": "2,3"}


@pytest.mark.parametrize(("given", "found"), [(None, ("0", "1")), ("3,GPU-b", ("3", "GPU-b"))])
def test_gpus_have_the_names_of_the_environment(given, found, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert devices.gpus() == found


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(UsageError, match="Unknown executor 'threads'"):
        make_executor("threads", 2)
    assert isinstance(make_executor("serial", 2), SerialExecutor)
