"""Interruptions: SIGTERM and Ctrl-C end a command wherever they arrive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from threading import Timer

import pytest

from ablate.interrupts import Terminated, let_interrupts_end_waits, termination_raises
from tests import ROOT

EXCEPTIONS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Interrupted:
    """An object in whose destructor a signal arrives."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


def interrupt_in_a_destructor(number: int) -> None:
    with termination_raises():
        Interrupted(number)
        time.sleep(5)


def interrupt_in_callbacks() -> None:
    """Two callbacks of weak references: SIGTERM arrives in the first, and its repetition in the second."""

    def interrupt(_reference: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def wait(_reference: object) -> None:
        time.sleep(5)

    with termination_raises():
        for callback in (interrupt, wait):
            reference = weakref.ref(type("Thing", (), {})(), callback)
            assert reference() is None
        time.sleep(5)


def test_a_handler_that_restarts_waits_does_not_keep_an_interrupt_from_ending_them() -> None:
    signal.siginterrupt(signal.SIGINT, False)  # as the handler of polars
    let_interrupts_end_waits()
    reading, writing = os.pipe()
    events = [Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)), Timer(5, os.write, (writing, b"x"))]
    for event in events:
        event.start()
    with pytest.raises(KeyboardInterrupt):
        os.read(reading, 1)
    events[1].cancel()


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*EXCEPTIONS, signal.SIGALRM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", EXCEPTIONS)
def test_an_interruption_in_a_destructor_is_repeated(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(EXCEPTIONS[number]):
        interrupt_in_a_destructor(number)
    assert capsys.readouterr() == ("", "")


def test_it_is_repeated_until_it_is_seen() -> None:
    with pytest.raises(Terminated):
        interrupt_in_callbacks()


def test_other_ignored_exceptions_are_reported() -> None:
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", lambda ignored: seen.append(ignored.exc_type))
        with termination_raises():
            reference = weakref.ref(type("Thing", (), {})(), lambda _reference: 1 / 0)
    assert reference() is None
    assert seen == [ZeroDivisionError]


START = """
import os, signal, sys, time
import ablate_study
{setup}
def import_module(name):
    {body}
ablate_study.import_module = import_module
ablate_study.main()
"""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("os.kill(os.getpid(), signal.SIGINT)", "error: Interrupted. The same command resumes the work\n"),
        ("sys.exit(130)", ""),
    ],
    ids=["at the start", "reported already"],
)
def test_ctrl_c_ends_a_command_quickly(body: str, error: str) -> None:
    setup = """
import atexit
class Slow:
    def __del__(self): time.sleep(30)
sys.modules["slow"] = Slow()
atexit.register(print, "cleaned up", end="")
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
    program = [sys.executable, "-c", START.format(setup=setup, body=body)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=25, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "cleaned up", error)
