"""Interruptions: SIGTERM and Ctrl-C end a command wherever they arrive."""

from __future__ import annotations

import os
import signal
import sys
import time
import weakref
from collections.abc import Iterator

import pytest

import ablate_study
from ablate.interrupts import Terminated, termination_raises

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


def test_ctrl_c_at_the_start_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ablate_study, "import_module", interrupted)
    with pytest.raises(SystemExit) as ended:
        ablate_study.main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "error: Interrupted. The same command resumes the work\n")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
