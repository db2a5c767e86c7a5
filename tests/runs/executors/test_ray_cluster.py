"""A local Ray instance, started by a program."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from ablate.errors import UsageError, UserError
from ablate.runs.executors import make_executor, ray_cluster
from tests import ROOT
from tests.runs.executors.test_contract import marks
from tests.samples.processes import PATIENCE, is_alive, until

pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`")


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from tests.samples import executors as samples
from ablate.runs.executors import make_executor, ray_cluster
try:
    for item, result in make_executor("ray", 2).results(samples.{call}, {items!r}):
        print(result, flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def script(call: str, items: list[tuple[str, float]]) -> subprocess.Popen[str]:
    tests = str(ROOT)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(tests=tests, call=call, items=items)],
        env=environment | {"PYTHONPATH": tests},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_an_interrupt_ends_the_workers_quietly_and_cleanly(tmp_path: Path) -> None:
    with script("wait_to_be_ended", [("", 0.0), *[(str(tmp_path), 0.5)] * 4]) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        processes = psutil.Process(program.pid).children(recursive=True)
        os.killpg(program.pid, signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
    assert (out, err) == ("done\ninterrupted\n", "")
    assert len(marks(tmp_path, "recorded")) == len(marks(tmp_path, "began")) == 2
    until(lambda: not any(is_alive(process.pid) for process in processes))


@pytest.mark.slow
def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    with script("wait_to_be_ended", [(str(tmp_path), 60.0)] * 4) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        os.killpg(program.pid, signal.SIGINT)
        until(lambda: len(marks(tmp_path, "asked")) == 2)
        began = time.monotonic()
        os.killpg(program.pid, signal.SIGINT)
        program.communicate(timeout=PATIENCE)
        assert time.monotonic() - began < 5
    until(lambda: not any(is_alive(pid) for pid in marks(tmp_path, "began")))


@pytest.mark.slow
def test_no_worker_survives_when_the_program_is_killed(tmp_path: Path) -> None:
    with script("wait_to_be_ended", [(str(tmp_path), 60.0)] * 4) as program:
        until(lambda: len(marks(tmp_path, "began")) == 2)
        processes = psutil.Process(program.pid).children(recursive=True)
        program.kill()
        until(lambda: not any(is_alive(pid) for pid in marks(tmp_path, "began")))
    for process in processes:  # Ray's own processes check their node from time to time only
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.mark.slow
def test_dead_workers_leave_standard_output_alone() -> None:
    with script("end_badly", [("kill", 1), ("exit", 2), ("", 3)]) as program:
        out, err = program.communicate(timeout=PATIENCE)
    results = sorted(out.splitlines())
    assert results[0] == "3"
    assert [line.partition(":")[0] for line in results[1:]] == ["WorkerLost(reason='WorkerCrashedError"] * 2
    assert err == ""


def test_an_unreachable_cluster_is_reported() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UserError, match=f"No Ray cluster at {address}"):
        list(make_executor("ray", 1, address).results(abs, [1]))


def test_a_client_address_needs_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"ray://head:10001 needs Ray's client: pip install 'ray\[client\]'"):
        list(make_executor("ray", 1, "ray://head:10001").results(abs, [1]))


@pytest.mark.slow
def test_items_too_large_for_every_node_are_refused() -> None:
    from ablate.runs.executors.ray_cluster import RayExecutor

    with pytest.raises(UserError, match="No node of the Ray cluster has 1 CPUs and 64 GPUs for a run"):
        list(RayExecutor(1, "local", gpus=64).results(abs, [1]))


def test_a_missing_ray_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'ablate-study\[ray\]'"):
        list(make_executor("ray", 1).results(abs, [1]))
