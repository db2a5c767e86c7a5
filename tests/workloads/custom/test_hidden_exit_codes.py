"""Shell commands and scripts that hide the exit code of their program."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.workloads.custom.command_template import CommandTemplate
from ablate.workloads.custom.hidden_exit_codes import hidden_exit_code


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
        ("bash -c 'trap \"exit 0\" EXIT; python a.py'", 'is hidden by trap "exit 0" EXIT. Leave it out'),
        ("bash -c 'trap \"rm -rf t; exit 0\" INT EXIT; python a.py'", "EXIT. Leave it out"),
        ("bash -c 'trap \"rm -rf t\" EXIT; python a.py'", ""),
        ("bash -c 'trap \"exit 0\" INT TERM; python a.py'", ""),
        ("bash -c 'python a.py && echo ok || echo failed'", "hidden by || echo"),
        ("bash -c 'python a.py && echo ok'", ""),
        ("bash -c 'python a.py && echo ok | tee log'", ""),
        ("bash -c 'echo \"score: $(LR=1 python3 a.py)\"'", "python3 in the command is hidden in the arguments of echo"),
        ("bash -c 'export X=$(python a.py); echo $X'", "hidden in the arguments of export"),
        ("bash -c 'echo \"$(date)\" && python a.py'", ""),
        ("bash -c 'python a.py || { echo failed; exit 1; }'", ""),
        ("bash -c 'python a.py || (echo failed; exit 1)'", ""),
        ("bash -c 'python a.py || { echo failed; exit 0; }'", "hidden by || echo"),
        ("bash -c 'python a.py | tee log; exit ${PIPESTATUS[0]}'", ""),
        ("bash -c 'python a.py; exit'", ""),
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
    found = hidden_exit_code(CommandTemplate.parse(command).arguments, Path(), Path())
    assert expected in found
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("python p.py | tee log", "A failure of python in run.sh is hidden, because it is piped to tee"),
        ("set -e\npython p.py 2>&1 |\n  tee log", "piped to tee"),
        ("python p.py || true", "hidden by || true"),
        ("python p.py\necho done", "followed by echo"),
        ("out=$(python p.py)\necho $out", "python in run.sh is hidden, because it is followed by echo"),
        ("if python p.py; then echo ok; else echo no; fi", "python in run.sh is hidden"),
        ("python p.py &\nwait\ncat log", "followed by cat"),
        ("python p.py \\\n  --lr 1\nexit 0", "followed by exit"),
        ("for s in 1 2\ndo\n  ./train $s | tee log\ndone", "train in run.sh is hidden"),
        ("#!/bin/bash -x\nbash inner.sh", "A failure of python in inner.sh is hidden"),
        ("set -e\ntrap 'exit 0' EXIT\npython p.py", "A failure in run.sh is hidden by trap 'exit 0' EXIT"),
        ("set -eo pipefail\npython p.py | tee log\necho done", ""),
        ("set -euo pipefail  # stop\npython p.py | tee log", ""),
        ("#!/bin/bash -e\npython p.py\necho done", "followed by echo"),
        ("# python p.py | tee log\npython p.py", ""),
        ("lscpu | grep Model\ncat p.py | head -1\npython p.py", ""),
        ("python p.py\nexit $?", ""),
        ("python p.py & pid=$!\nwait $pid", ""),
        ("if ! python p.py; then exit 3; fi", ""),
        ("if [ -e a ]; then python p.py; fi", ""),
        ("python p.py || exit 1\necho done", ""),
        ("cat > config <<EOF\npython p.py | tee\nEOF\npython p.py", ""),
        ("python p.py --name 'a | b", ""),
    ],
)
def test_scripts_that_hide_the_exit_code(tmp_path: Path, script: str, expected: str) -> None:
    (tmp_path / "run.sh").write_text(script, encoding="utf-8")
    (tmp_path / "inner.sh").write_text("python p.py | tee log\n", encoding="utf-8")
    for command in ("bash run.sh {seed}", "env A=1 sh {here}/run.sh"):
        found = hidden_exit_code(CommandTemplate.parse(command).arguments, tmp_path, tmp_path)
        assert expected in found.replace(f"{tmp_path}/", "")
        assert bool(found) == bool(expected)


def test_an_executable_script_is_read_and_others_are_not(tmp_path: Path) -> None:
    for name, first in (("go", "#!/usr/bin/env bash"), ("stop", "#!/bin/sh -e"), ("p.py", "#!/usr/bin/env python")):
        (tmp_path / name).write_text(f"{first}\npython p.py\necho done\n", encoding="utf-8")
    for command in (["./go", "1"], ["bash", "stop"], ["nohup", "sh", "-x", "stop"]):
        assert "A failure of python in" in hidden_exit_code(command, tmp_path, tmp_path)
    for command in (
        ["./p.py"],
        ["./stop"],
        ["sh", "-e", "go"],
        ["go"],
        ["python", "p.py", "sh", "go"],
        ["bash", "missing.sh"],
        ["bash"],
    ):
        assert hidden_exit_code(command, tmp_path, tmp_path) == ""
