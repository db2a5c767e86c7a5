"""Programs that nobody may change: what they are told, what is read of them, and that nothing of them is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, load
from ablate.runs.executors import ProcessExecutor
from ablate.workloads.custom.study_file import load_study
from tests import ROOT
from tests.samples.custom import artifact, command_study, eventually, is_alive, runs_of, written

SAYS = """
    import json, os, sys
    print("warming up")
    print(json.dumps({"epoch": 1, "loss": 0.5}))
    print(json.dumps({"epoch": 2, "loss": 0.25}))
    print(json.dumps({"score": 0.75 if "--fast" in sys.argv else 0.5, "arguments": sys.argv[1:], "size": 3}))
    print("accuracy: 1,234/10000", file=sys.stderr)
    print(os.environ.get("WHO"), os.getcwd(), os.environ["OMP_NUM_THREADS"])
"""


COMMAND = "{python} {here}/program.py --seed {seed} {fast:--fast|--slow} --name {name}"


NAMED = {"settings": {"name": "$HOME; rm -rf *"}}


def test_the_last_json_line_is_the_result_and_steps_are_recorded(tmp_path: Path) -> None:
    study = command_study(tmp_path, COMMAND, SAYS, **NAMED)
    made = runs_of(study, tmp_path)
    assert {run.variant: run.metrics["final/score"] for run in made} == {"baseline": 0.75, "none": 0.5}
    assert made[0].metrics["final/size"] == 3
    assert made[0].history == ({"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25})
    printed = artifact(tmp_path, made[0], "stdout.txt").splitlines()
    assert json.loads(printed[3])["arguments"] == ["--seed", "0", "--fast", "--name", "$HOME; rm -rf *"]
    assert printed[4] == f"None {tmp_path} 1"
    assert "accuracy" in artifact(tmp_path, made[0], "stderr.txt")
    assert not runs_of(study, tmp_path), "nothing finished is repeated"


def test_a_pattern_a_json_file_an_environment_and_a_folder(tmp_path: Path) -> None:
    by_pattern = command_study(
        tmp_path / "one", COMMAND, SAYS, pattern=r"accuracy: ([\d,]+)/", times=1e-4,
        environment={"WHO": "seed {seed}"}, folder="..", **NAMED,
    )  # fmt: skip
    made = runs_of(by_pattern, tmp_path)
    assert made[0].metrics["final/score"] == pytest.approx(0.1234)
    assert artifact(tmp_path, made[0], "stdout.txt").splitlines()[4] == f"seed 0 {tmp_path} 1"
    writes = "import json, sys; json.dump({'score': 7, 'f1': 2}, open(sys.argv[1], 'w'))"
    by_file = command_study(
        tmp_path / "two", "{python} {here}/program.py out.json {a:x|y}", writes, json_file="out.json", folder="{files}"
    )
    made = runs_of(by_file, tmp_path)
    assert (made[0].metrics["final/score"], made[0].metrics["final/f1"]) == (7, 2)
    assert json.loads(artifact(tmp_path, made[0], "out.json")) == {"score": 7, "f1": 2}


@pytest.mark.parametrize(
    ("program", "declared", "status", "error"),
    [
        ("import sys; sys.exit('no such layer')", {}, "failed", "exit code 1: no such layer"),
        ("import os; os.kill(os.getpid(), 9)", {}, "out_of_memory", "ended by SIGKILL"),
        ("print('done')", {}, "failed", 'no line like {"score": 0.93} on standard output (it printed no JSON line)'),
        ("print('{\"f1\": 1}')", {}, "failed", "(the last JSON line has: f1)"),
        ("print('{\"score\": NaN}')", {}, "unstable", "no better than guessing"),
        ('print(\'{"step": 1, "loss": NaN}\', flush=True)\nimport time; time.sleep(60)', {}, "unstable", "not finite"),
        ("print('score: high')", {"pattern": "score: (.*)"}, "failed", "found 'high', which is no number"),
        ("print(1)", {"pattern": "score: (.*)"}, "failed", "is not in what the program printed"),
        ("print(1)", {"json_file": "{files}/x.json"}, "failed", "did not write"),
        ("import time; time.sleep(60)", {"time_limit": 0.5}, "failed", "longer than its 0.5 seconds"),
        ("print(1)", {"folder": "nowhere"}, "failed", "no folder"),
    ],
)
def test_every_end_is_recorded(
    tmp_path: Path, program: str, declared: dict[str, object], status: str, error: str
) -> None:
    study = command_study(tmp_path, "{python} {here}/program.py {a:x|y}", program, **declared)
    made = runs_of(study, tmp_path, most=1)
    assert {run.status for run in made} == {status}
    assert error in str(made[0].error)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    made = runs_of(command_study(tmp_path, "no-such-program-here {a:x|y}", ""), tmp_path)
    assert "there is no program no-such-program-here" in str(made[0].error)


FAMILY = """
    import os, subprocess, sys, time
    sleeper = "import os, signal, sys, time; "
    sleeper += "signal.signal(signal.SIGTERM, signal.SIG_IGN); " * (sys.argv[2] == "stubborn")
    sleeper += "print(os.getpid(), file=open(sys.argv[1], 'a')); time.sleep(600)"
    for apart in (False, True):
        subprocess.Popen([sys.executable, "-c", sleeper, sys.argv[1]], start_new_session=apart)
    open(sys.argv[1], "a").close()
    while len(open(sys.argv[1]).read().split()) < 2:
        time.sleep(0.01)
    if sys.argv[2] == "ends":
        print('{"score": 1}')
    else:
        print(os.getpid(), file=open(sys.argv[1], "a"))
        time.sleep(600)
"""


def _family(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _family_study(folder: Path, how: str, **declared: object) -> Path:
    command_study(folder, f"{{python}} {{here}}/program.py {{here}}/pids {how} {{a:x|y}}", FAMILY, **declared)
    return folder / "own.py"


@pytest.mark.parametrize(
    ("how", "declared"),
    [
        ("ends", {}),
        ("stays", {"time_limit": 1}),
        pytest.param("stubborn", {"time_limit": 1}, marks=pytest.mark.slow, id="stubborn"),
    ],
)
def test_what_a_program_started_ends_with_it(tmp_path: Path, how: str, declared: dict[str, object]) -> None:
    study = load_study(_family_study(tmp_path, how, **declared))
    runs_of(study, tmp_path, most=1)
    pids = _family(tmp_path)
    assert len(pids) >= 2
    assert not [pid for pid in pids if is_alive(pid)]


RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests.samples.custom import runs_of
from ablate.runs.executors import ProcessExecutor, SerialExecutor
from ablate.runs.interrupts import termination_raises
from ablate.workloads.custom.study_file import load_study
with termination_raises():
    runs_of(load_study(Path({study!r})), Path({folder!r}), {executor}, most=1)
"""


def _signal_the_command(process: subprocess.Popen[bytes], kind: signal.Signals) -> None:
    process.send_signal(kind)


def _kill_the_worker(process: subprocess.Popen[bytes], _kind: signal.Signals) -> None:
    import psutil

    for worker in psutil.Process(process.pid).children():
        worker.kill()
    process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("executor", "strike", "kind"),
    [
        ("SerialExecutor()", _signal_the_command, signal.SIGINT),
        ("SerialExecutor()", _signal_the_command, signal.SIGTERM),
        ("SerialExecutor()", _signal_the_command, signal.SIGKILL),
        ("ProcessExecutor(1)", _signal_the_command, signal.SIGINT),
        ("ProcessExecutor(1)", _kill_the_worker, signal.SIGKILL),
    ],
)
def test_nothing_outlives_whoever_asked_for_it(
    tmp_path: Path, executor: str, strike: Callable[..., None], kind: signal.Signals
) -> None:
    study = _family_study(tmp_path, "stays")
    program = RUNNER.format(path=[str(ROOT)], study=str(study), folder=str(tmp_path), executor=executor)
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: len(_family(tmp_path)) == 3)
        strike(process, kind)
        process.wait(30)
        pids = _family(tmp_path)
        assert eventually(lambda: not [pid for pid in pids if is_alive(pid)])
    finally:
        process.kill()
        process.wait()
    (path,) = Journals(tmp_path / "mlruns" / "journal").paths()
    run = load(path)
    assert run is not None
    assert run.status == ("running" if kind == signal.SIGKILL else "killed")


def test_files_of_the_command_are_its_code(tmp_path: Path) -> None:
    keys = []
    for program in (SAYS, SAYS, SAYS.replace("0.75", "0.8")):
        keys.append({recipe.key for recipe in command_study(tmp_path, COMMAND, program, **NAMED).recipes()})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    limited = command_study(tmp_path, COMMAND, SAYS, time_limit=9, **NAMED)
    assert {recipe.key for recipe in limited.recipes()} == keys[0]
    other = command_study(tmp_path, COMMAND + " --more", SAYS, **NAMED)
    assert not {recipe.key for recipe in other.recipes()} & keys[0]


@pytest.mark.parametrize(
    ("command", "declared", "message"),
    [
        ("run {sed} {a:x|y}", {}, "Did you mean 'seed'"),
        ("run {seed}", {}, "needs factors"),
        ("run {a:x|y}", {"json_file": "out.json"}, "runs at the same time would all write out.json"),
        ("run {a:x|y}", {"json_file": "{files}/x", "pattern": "(x)"}, "not both"),
        ("run {a:x|y}", {"pattern": "("}, "no regular expression"),
        ("run {a:x|y}", {"pattern": "score"}, "needs a group"),
        ("run {a:x|y}", {"factors": {"b": "?"}}, "no {b:on|off} for the factor b"),
        ("run {a:x|y}", {"metric": "3"}, "needs a metric"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, command: str, declared: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        command_study(tmp_path, command, "", **declared)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_workers_run_programs_side_by_side(tmp_path: Path) -> None:
    study = command_study(tmp_path, COMMAND, SAYS, **NAMED)
    made = runs_of(study.change(seeds=2), tmp_path, ProcessExecutor(2))
    assert [run.status for run in made] == ["finished"] * 4


def test_a_candidate_is_off_in_the_baseline(tmp_path: Path) -> None:
    text = """
        from ablate import Metric, Study, from_command
        study = Study(workload=from_command("run {a:x|} {b:y|}", candidates={"b": "why"}, metric=Metric("score")))
    """
    study = load_study(written(tmp_path, text))
    assert study.workload.factors.baseline == ("a",)
    assert study.workload.factors["a"].help == "x; off: nothing"
    assert study.workload.factors["b"].help == "why"
