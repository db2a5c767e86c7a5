"""The identity of a process: alive, gone, a zombie, another start, another boot, another host."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from ablate.journal import process_identity
from ablate.journal.process_identity import is_alive, this_process

CHILD = """
import json, sys
from pathlib import Path
from ablate.journal import process_identity
process_identity._BOOT_ID = Path(sys.argv[1])
print(json.dumps(process_identity.this_process()), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["proc", "psutil"])
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read processes from `/proc`, and with psutil as on systems without it."""
    if request.param == "psutil":
        monkeypatch.setattr(process_identity, "_BOOT_ID", Path("/nowhere"))


@pytest.mark.usefixtures("_source")
def test_a_process_is_known_by_host_boot_and_start() -> None:
    me = this_process()
    assert is_alive(me) is True
    assert is_alive({**me, "started": "1"}) is False
    assert is_alive({**me, "boot": "another"}) is False
    assert is_alive({**me, "host": "another"}) is None


@pytest.mark.usefixtures("_source")
def test_a_process_that_ended_is_not_alive() -> None:
    command = [sys.executable, "-c", CHILD, str(process_identity._BOOT_ID)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        child: dict[str, Any] = json.loads(process.stdout.readline())
        assert is_alive(child) is True
        process.stdin.close()
        process.stdout.read()
        until_zombie(process.pid)
        assert is_alive(child) is False, "a zombie"
    assert is_alive(child) is False
    assert is_alive({**child, "started": None}) is False, "recorded after its end"


def until_zombie(pid: int) -> None:

    while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        pass


def test_control_characters_of_a_host_name_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_identity.socket, "gethostname", lambda: "\x1b[31mhost\n")
    me = this_process()
    assert me["host"].isprintable()
    assert is_alive(me) is True
