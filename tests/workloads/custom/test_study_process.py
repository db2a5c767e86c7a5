"""The process of a function: what it logs arrives, interrupts end it, and nothing of it remains."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from ablate.journal.run_journal import Journals, load
from ablate.runs.executors import ProcessExecutor
from ablate.workloads.custom import study_server
from tests import ROOT
from tests.samples.custom import artifact, runs_of
from tests.samples.processes import is_alive, until
from tests.workloads.custom.test_isolation import function_study

WAITS = """
    import os, subprocess, sys, time
    from pathlib import Path
    def train(recipe, log):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        log(1, score=1)
        try:
            Path({place!r}).write_text(f"{{os.getpid()}} {{child.pid}}")
            time.sleep(600)
        finally:
            Path({place!r} + ".ended").touch()
"""

RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests.samples.custom import runs_of
from ablate.runs.executors import ProcessExecutor, SerialExecutor
from ablate.interrupts import termination_raises
from ablate.workloads.custom.study_file import load_study
with termination_raises():
    runs_of(load_study(Path({study!r})), Path({folder!r}), {executor}, most=1)
"""


@pytest.mark.parametrize(
    ("executor", "kind", "status"),
    [
        ("SerialExecutor()", signal.SIGINT, "killed"),
        pytest.param("SerialExecutor()", signal.SIGTERM, "killed", marks=pytest.mark.slow),
        ("SerialExecutor()", signal.SIGKILL, "running"),
        pytest.param("ProcessExecutor(1)", signal.SIGINT, "killed", marks=pytest.mark.slow),
        ("ProcessExecutor(1)", signal.SIGKILL, "killed"),
    ],
)
def test_an_interrupt_ends_the_process_of_a_run(
    tmp_path: Path, executor: str, kind: signal.Signals, status: str
) -> None:
    place = tmp_path / "pids"
    function_study(tmp_path, WAITS.format(place=str(place)))
    program = RUNNER.format(path=[str(ROOT)], study=str(tmp_path / "own.py"), folder=str(tmp_path), executor=executor)
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        until(lambda: place.exists() and place.read_text().count(" ") == 1)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(kind)
        process.wait(60)
        pids = [int(pid) for pid in place.read_text().split()]
        until(lambda: not any(is_alive(pid) for pid in (*pids, *(member.pid for member in family))))
    finally:
        process.kill()
        process.wait()
    assert Path(f"{place}.ended").exists(), "the training could tidy up"
    (path,) = Journals(tmp_path / "mlruns" / "journal").paths()
    run = load(path)
    assert run is not None
    assert (run.status, run.history) == (status, ({"step": 1, "score": 1},))


def test_a_function_can_read_its_log_and_write_artifacts(tmp_path: Path) -> None:
    text = """
    import os
    def train(recipe, log):
        log(1, loss=2)
        log.series("lr", 1, [0.5, 0.25])
        log.progress(1, 2)
        log.file("deep/model.txt").write_text("weights")
        assert log.history == [{"step": 1, "loss": 2.0}], log.history
        assert list(log.recorded("lr")) == [0.5, 0.25]
        assert log.checkpoint.is_dir() and log.working_folder.samefile(os.getcwd())
        os.system("echo from a child process")
        return 1
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, most=1)
    assert run.error is None
    assert artifact(tmp_path, run, "deep/model.txt") == "weights"
    assert artifact(tmp_path, run, "output.txt") == "from a child process\n"


@pytest.mark.parametrize(
    "start",
    [
        "threading.Thread",
        "multiprocessing.get_context('fork').Process",
        pytest.param("multiprocessing.get_context('spawn').Process", marks=pytest.mark.slow),
    ],
)
def test_threads_and_child_processes_share_the_log(tmp_path: Path, start: str) -> None:
    text = f"""
    import multiprocessing, threading
    def child(log, number):
        for step in range(10):
            log(10 * number + step, loss=float("nan") if (number, step) == (2, 9) else number)
    def train(recipe, log):
        children = [{start}(target=child, args=(log, number)) for number in range(3)]
        for child_ in children:
            child_.start()
        for step in range(30, 60):
            log(step, loss=0)
        for child_ in children:
            child_.join()
        return 1
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, most=1)
    assert (run.status, run.error) == ("unstable", "loss is not finite after epoch 29")
    assert sorted(row["step"] for row in run.history) == [*range(60)]
    assert run.metrics["final/score"] == 1


def test_calls_of_the_log_after_the_end_of_a_run_do_not_reach_the_next_one(tmp_path: Path) -> None:
    text = """
    import threading, time
    def monitor(log, seed):
        for step in range(10**6):
            log(step, seed=seed)
    def train(recipe, log):
        threading.Thread(target=monitor, args=(log, recipe.seed), daemon=True).start()
        time.sleep(0.02)
        return recipe.seed
    """
    runs = runs_of(function_study(tmp_path, text).change(seeds=5), tmp_path, most=3)
    assert {(run.error, run.metrics["final/score"] == run.seed) for run in runs} == {(None, True)}
    assert {row["seed"] == run.seed for run in runs for row in run.history} == {True}


def test_an_exception_keeps_its_message_and_traceback(tmp_path: Path) -> None:
    text = """
    class OwnError(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} and {second}")
    def train(recipe, log):
        raise OwnError("cause", "effect")
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, ProcessExecutor(1), most=1)
    assert (run.status, run.error) == ("failed", "OwnError: cause and effect")
    journal = Journals(tmp_path / "mlruns" / "journal").path(run.name).read_text()
    assert "in train" in journal


def test_a_study_file_that_cannot_be_imported_again(tmp_path: Path) -> None:
    text = f"""
    import os
    if os.getpid() != {os.getpid()}:
        os._exit(7)
    def train(recipe, log):
        return 1
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, most=1)
    assert str(run.error) == (
        f"Cannot import {tmp_path / 'own.py'} in a process of its own: its process exited with code 7"
    )


def test_a_child_that_the_training_forks_has_no_result(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = """
        import os, sys
        def train(recipe, log):
            codes = []
            for number in range(5):
                if (child := os.fork()) == 0:
                    if number == 2:
                        raise ValueError("child")
                    if number > 2:
                        sys.exit({3: 7, 4: None}[number])
                    return [0.1, None][number]
                codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            return {"score": 0.7, **{f"code{number}": code for number, code in enumerate(codes)}}
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, most=1)
    assert (run.status, run.metrics["final/score"]) == ("finished", 0.7)
    assert [run.metrics[f"final/code{number}"] for number in range(5)] == [0, 0, 1, 7, 0]
    errors = capfd.readouterr().err
    assert errors.count("ValueError: child") == 1
    assert "study_server" not in errors


def test_a_result_of_another_process_is_not_that_of_the_run(tmp_path: Path) -> None:
    text = """
        import os
        def train(recipe, log):
            if os.fork():
                os._exit(0)
            return 0.7
    """
    runs_of(function_study(tmp_path, text), tmp_path, most=1)
    (path,) = Journals(tmp_path / "mlruns" / "journal").paths()
    run = load(path)
    assert run is not None
    assert (run.status, run.error) == ("failed", "its process exited with code 0")


def test_a_run_whose_command_was_killed_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"RunRequest": str, "RemoteLog": lambda *_: None, "_result": lambda *_: (None, [])}.items():
        monkeypatch.setattr(study_server, name, value)
    ours, its = multiprocessing.Pipe()
    ours.send("request")
    ours.close()
    process = multiprocessing.get_context("fork").Process(target=study_server._run, args=(its, None))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    assert capfd.readouterr().err == ""


def test_a_command_that_ends_without_reading_the_answer_has_no_request() -> None:
    ours, its = socket.socketpair()
    its.send(b"answer")
    ours.close()
    with its:
        assert study_server._has_request(its.fileno()) is False
