"""Failures in a run that nothing notices: threads, tasks of pools, child processes, logged exceptions."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool

import pytest

from ablate.workloads.custom.unnoticed_failures import recorded_failures

MISSING = [sys.executable, "-S", "-c", "raise SystemExit(3)"]


def boom(_number: int = 0) -> None:
    raise ValueError("no")


def thread(target: Callable[[], None] = boom) -> None:
    started = threading.Thread(target=target)
    started.start()
    started.join()


def pool(is_read: bool = False) -> None:
    with ThreadPoolExecutor(1) as executor:
        tasks = [executor.submit(boom)]
    if is_read:
        with pytest.raises(ValueError, match="no"):
            tasks[0].result()


def pool_of_multiprocessing(is_read: bool = False) -> None:
    with ThreadPool(1) as threads:
        task, tasks = threads.apply_async(boom), threads.map_async(boom, [1])
        for one in (task, tasks):
            one.wait()
            assert not is_read or not one.successful()


def child(signal_number: int = 0) -> None:
    started = multiprocessing.get_context("fork").Process(target=os._exit, args=(0 if signal_number else 3,))
    if signal_number:
        started = multiprocessing.get_context("fork").Process(target=signal.pause)
    started.start()
    if signal_number:
        started.kill()
    started.join()


def exits_when_terminated() -> None:
    started = multiprocessing.get_context("fork").Event()

    def wait() -> None:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(1))
        started.set()
        signal.pause()

    child = multiprocessing.get_context("fork").Process(target=wait)
    child.start()
    started.wait()
    child.terminate()
    child.join()


def forked(code: int) -> None:
    if not (process := os.fork()):
        os._exit(code)
    os.waitpid(process, 0)


def not_waited_for() -> None:
    reading, writing = os.pipe()
    subprocess.Popen(MISSING, pass_fds=[writing])
    os.close(writing)
    os.read(reading, 1)  # returns when the program has ended
    os.close(reading)
    time.sleep(0.1)


def logged(level: int) -> None:
    try:
        boom()
    except ValueError:
        logging.getLogger("of a test").log(level, "stopped", exc_info=True)


def logged_with_wrong_arguments() -> None:
    logging.getLogger("of a test").makeRecord("", logging.ERROR, "", 0, "at %d: stopped", ("three",), None)


def printed() -> None:
    try:
        boom()
    except ValueError:
        traceback.print_exc()


def killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as program:
        program.kill()


def crashed() -> None:
    subprocess.run(["sh", "-c", "kill -SEGV $$"], check=False)


@pytest.mark.parametrize(
    ("happen", "expected"),
    [
        (thread, "a thread of the run ended with ValueError: no"),
        (lambda: thread(sys.exit), ""),
        (pool, "a task of a pool ended with ValueError: no, and its result was not read"),
        (lambda: pool(is_read=True), ""),
        (pool_of_multiprocessing, "a task of a pool ended with ValueError: no, and its result was not read"),
        (lambda: pool_of_multiprocessing(is_read=True), ""),
        (child, "a child process ended with exit code 3"),
        (lambda: child(signal.SIGKILL), ""),
        (lambda: logged(logging.ERROR), "the run logged ValueError: no and continued"),
        (lambda: logged(logging.INFO), ""),
        (lambda: logging.error("at %s: stopped\nmore", 3), "the run logged an error: at 3: stopped"),
        (logged_with_wrong_arguments, "the run logged an error: at %d: stopped"),
        (lambda: logging.warning("stopped"), ""),
        (lambda: forked(3), "a child process ended with exit code 3"),
        (lambda: forked(0), ""),
        (exits_when_terminated, ""),
        (lambda: os.spawnv(os.P_WAIT, MISSING[0], MISSING), "a child process ended with exit code 3"),
        (printed, "the run logged ValueError: no and continued"),
        (
            lambda: subprocess.run(MISSING, check=False),
            " ended with exit code 3",
        ),
        (not_waited_for, " ended with exit code 3"),
        (lambda: subprocess.run(f"cd . && {shlex.join(MISSING)}", shell=True, check=False), " ended with exit code 3"),
        (lambda: subprocess.run(["sh", "-c", shlex.join(MISSING)], check=False), " ended with exit code 3"),
        (lambda: subprocess.run(["sh", "-c", "exit 3; which python"], check=False), ""),
        (lambda: subprocess.run(["false"], check=False), ""),
        (crashed, "the program sh ended by SIGSEGV"),
        (killed, ""),
        (lambda: os.system("A=1 python3-missing; false"), ""),
        (lambda: os.system(f"{sys.executable} -S -c 'raise SystemExit(3)'"), "ended with exit code 3"),
        (lambda: None, ""),
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning", "ignore::ResourceWarning")
def test_failures_are_recorded_unless_something_reads_them(happen: Callable[[], object], expected: str) -> None:
    with recorded_failures() as failures:
        happen()
    assert expected in failures.warning
    assert bool(failures.warning) == bool(expected)


def test_nothing_remains_replaced() -> None:
    replaced = [
        (Future, "result"),
        (Future, "set_exception"),
        (subprocess.Popen, "send_signal"),
        (os, "system"),
        (os, "fork"),
    ]
    before = [vars(owner)[name] for owner, name in replaced]
    factory, hook = logging.getLogRecordFactory(), threading.excepthook
    with recorded_failures() as failures:
        failures.add("cancelled", is_task=True)
        for text in ("first", "second", "first"):
            failures.add(text)
    assert failures.warning == "first (2 more)"
    assert [vars(owner)[name] for owner, name in replaced] == before
    assert (logging.getLogRecordFactory(), threading.excepthook) == (factory, hook)
    assert "returncode" not in vars(subprocess.Popen)
