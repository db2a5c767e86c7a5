"""Commands whose standard output or error cannot be written, or is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


def _python(arguments: Sequence[str], folder: Path, *, full: str = "", closed: Sequence[int] = ()) -> tuple[int, str]:
    """Run Python with a standard file on a full device, and others closed. Return exit code and standard error."""

    def close() -> None:
        for number in closed:
            os.close(number)

    with Path("/dev/full").open("wb") as device:
        files = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | ({full: device} if full else {})
        done = subprocess.run(
            [sys.executable, *arguments], cwd=folder, text=True, check=False, preexec_fn=close, **files
        )
    return done.returncode, done.stderr or ""


def test_output_to_a_full_device_is_one_error_line(tmp_path: Path) -> None:
    code, errors = _python(["-m", "ablate", "list", "--json"], tmp_path, full="stdout")
    assert code == 1
    assert errors.startswith("error: No space left on device")
    assert errors.count("\n") == 1


def test_messages_to_a_full_device_do_not_stop_a_command(tmp_path: Path) -> None:
    script = "from ablate import console; import sys; console.info('one'); console.info('two'); sys.stderr.flush()"
    assert _python(["-c", script], tmp_path, full="stderr") == (0, "")


def test_output_into_a_closed_pipe_ends_a_command_quietly(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "ablate", "list", "--json"],
        cwd=tmp_path,
        text=True,
        check=False,
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [(0,), (0, 1), (0, 1, 2)])
def test_files_do_not_replace_closed_standard_files(closed: Sequence[int], tmp_path: Path) -> None:
    script = (
        "import ablate_study, sys; ablate_study._open_standard_files(); file = open('x', 'w'); "
        "print('dropped'); print('dropped', file=sys.stderr); sys.exit(file.fileno() < 3)"
    )
    assert _python(["-c", script], tmp_path, closed=closed)[0] == 0
    assert (tmp_path / "x").read_text() == ""
