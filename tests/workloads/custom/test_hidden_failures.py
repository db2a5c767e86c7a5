"""Failures behind an exit code of 0: last words in the output, shell commands that hide the code, dead threads."""

from __future__ import annotations

import threading

import pytest

from ablate.workloads.custom.command_template import CommandTemplate
from ablate.workloads.custom.hidden_failures import (
    final_traceback,
    hidden_error,
    hidden_exit_code,
    recorded_thread_errors,
)

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
        (f"accuracy: 0.5\n{TRACE}epoch 2\n", ""),
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


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "bash -c 'python train.py {x:--x|} 2>&1 | tee log'",
            "python in the command is hidden, because it is piped to tee",
        ),
        ("sh -c 'cd sub && LR=1 nohup ./train --seed {seed} |& tee log'", "train in the command is hidden"),
        ("bash -c '{python} train.py | grep acc'", "python in the command is hidden, because it is piped to grep"),
        ("env A=1 /bin/bash -xc 'python a.py; echo done'", "followed by echo"),
        ("bash -c 'python a.py > out.txt\ncat out.txt'", "followed by cat"),
        ("bash -c 'python a.py & wait'", "followed by wait"),
        ("bash -c 'python a.py || true'", "hidden by || true. Leave it out"),
        ("bash -c 'python a.py || exit 3'", ""),
        ("bash -c 'set -o pipefail; python a.py | tee log'", ""),
        ("bash -eo pipefail -c 'python a.py | tee log; echo done'", ""),
        ("bash -c 'set -e; python a.py; echo done'", ""),
        ("bash -c 'cat data | python a.py'", ""),
        ("bash -c 'mkdir -p out && cd out; python a.py 2>&1'", ""),
        ("bash -c 'python a.py --name \"a | b; c\"'", ""),
        ("bash train.sh {x:|}", ""),
        ("python train.py --command 'a | b'", ""),
        ("bash -c 'python \"a.py'", ""),
    ],
)
def test_shell_commands_that_hide_the_exit_code(command: str, expected: str) -> None:
    found = hidden_exit_code(CommandTemplate.parse(command).arguments)
    assert expected in found
    assert bool(found) == bool(expected)


def test_exceptions_of_threads_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ValueError("no")

    def exits() -> None:
        raise SystemExit(1)

    reported: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda ended: reported.append(ended.exc_type.__name__))
    with recorded_thread_errors() as errors:
        for target in (fails, exits):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert (errors, reported) == (["ValueError: no"], ["ValueError", "SystemExit"])
