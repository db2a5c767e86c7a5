"""Where no further thread or process can be started, the helper processes end with one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

REFUSE = """
import os, subprocess, threading
from ablate.runs.executors.worker import serve
from ablate.workloads.custom.process_guard import main
def refuse(*_, **__): raise RuntimeError("can't start new thread")
def again(*_, **__): raise BlockingIOError(11, "Resource temporarily unavailable")
"""
STARTS = {
    "worker": "threading.Thread.start = refuse; serve(os.pipe()[0])",
    "guard": "threading.Thread.start = refuse; main(0, ['true'])",
    "program": "subprocess.Popen = again; main(0, ['true'])",
}


@pytest.mark.parametrize("process", STARTS)
def test_a_refused_thread_or_process_is_one_line(process: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", REFUSE + STARTS[process]], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: ")
