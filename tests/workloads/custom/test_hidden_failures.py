"""Failures behind an exit code of 0: tracebacks and last words in the output."""

from __future__ import annotations

import pytest

from ablate.workloads.custom.hidden_failures import final_traceback, hidden_error

TRACE = 'Traceback (most recent call last):\n  File "p.py", line 3, in boom\n    boom()\n\nValueError: no\n'


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("  File 'a.py'\nValueError: no\n\n", "ValueError: no"),
        ("  File 'a.py'\ntorch.cuda.OutOfMemoryError: no\n\tmemory\n", "torch.cuda.OutOfMemoryError: no"),
        ("  File 'a.py'\nKeyboardInterrupt", "KeyboardInterrupt"),
        ("  File 'a.py'\nValueError: handled\nepoch 2\n", ""),
        ("", ""),
    ],
)
def test_the_traceback_that_a_text_ends_with(after: str, expected: str) -> None:
    assert final_traceback(f"epoch 1\nTraceback (most recent call last):\n{after}") == expected
    assert final_traceback(after) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"accuracy: 0.5\n{TRACE}", "ends with ValueError: no"),
        (f"accuracy: 0.5\n{TRACE}Sentry is attempting to send 1 event\n", "has a Python traceback: ValueError: no"),
        (f"{TRACE}\nDuring handling of it:\n\n{TRACE.replace('no', 'last')}epoch 2\n", "traceback: ValueError: last"),
        (
            "".join(f"[rank0]: {line}\n" for line in TRACE.splitlines()) + "bye\n",
            "has a Python traceback: ValueError: no",
        ),
        (f"Exception ignored in: <function Pool.__del__>\n{TRACE}epoch 2\n", ""),
        ("make: [Makefile:2: run] Error 3 (ignored)\n", "Error 3 (ignored)"),
        (
            f"Exception in thread Thread-1 (boom):\n{TRACE}epoch 2\n",
            "has an exception that nothing caught: ValueError: no",
        ),
        (f"Process ForkProcess-1:\n{TRACE}epoch 2\n", "nothing caught: ValueError: no"),
        (f"Process SpawnPoolWorker-12:3:\n{TRACE}epoch 2\n", "nothing caught: ValueError: no"),
        (
            f"Task exception was never retrieved\nfuture: <Task finished>\n{TRACE}epoch 2\n",
            "nothing caught: ValueError: no",
        ),
        (
            "thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\nnote: run with RUST_BACKTRACE=1",
            "'main' panicked",
        ),
        (
            'Exception in thread "main" java.lang.NullPointerException\n\tat Main.main(Main.java:5)',
            "NullPointerException",
        ),
        ("panic: runtime error: index out of range\n\ngoroutine 1 [running]:\n", "panic: runtime error"),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
            "terminate called",
        ),
        ("ERROR: LoadError: BoundsError: attempt to access\nStacktrace:\n [1] top-level scope", "BoundsError"),
        ("Error in train(x) : object 'y' not found\nExecution halted\n", "object 'y' not found"),
        ("Uncaught:\nError: boom\n    at train (p.js:3:9)\nNode.js v20.1.0\n", "Error: boom"),
        ("bash: line 1: 4242 Segmentation fault      (core dumped) python p.py | tee log\n", "Segmentation fault"),
        ("bash: line 1: 4242 Killed                  python p.py\n", "Killed"),
        ("╭─ Traceback (most recent call last) ─╮\n│ p.py:3 │\n╰─────╯\nValueError: no\n", "ValueError: no"),
        (
            "ERROR:root:training failed\n\x1b[31mTraceback (most recent call last):\n  File\nKeyError: 3\x1b[0m\n",
            "KeyError: 3",
        ),
        ("WARNING: error rate 0.3\nTest error: 0.2\nError: 0.3\nno panic: all is well\n", ""),
        ("", ""),
    ],
)
def test_errors_in_the_output_of_a_program_that_succeeded(text: str, expected: str) -> None:
    found = hidden_error(text, "standard error")
    assert expected in found
    assert bool(found) == bool(expected)
