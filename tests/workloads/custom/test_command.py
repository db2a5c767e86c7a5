"""Programs as trainings: their arguments and environment, their output, and that no process outlives them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals, load
from ablate.runs.executors import ProcessExecutor
from ablate.workloads.custom.study_file import load_study
from tests import ROOT
from tests.samples.custom import artifact, command_study, runs_of, written
from tests.samples.processes import is_alive, until

PRINTS = """
    import json, os, sys
    assert os.environ["PWD"] == os.getcwd()
    print("warming up")
    print(json.dumps({"epoch": 1, "loss": 0.5}))
    print(json.dumps({"epoch": 2, "loss": 0.25}))
    print(json.dumps({"score": 0.75 if "--fast" in sys.argv else 0.5, "arguments": sys.argv[1:], "size": 3}))
    print("accuracy: 1234/10000", file=sys.stderr)
    print(os.environ.get("WHO"), os.getcwd(), os.environ["OMP_NUM_THREADS"])
"""


COMMAND = "{python} {here}/program.py --seed {seed} {fast:--fast|--slow} --name {name}"


NAMED = {"settings": {"name": "$HOME; rm -rf *"}}


def test_the_last_json_line_is_the_result_and_steps_are_logged(tmp_path: Path) -> None:
    study = command_study(tmp_path, COMMAND, PRINTS, **NAMED)
    made = runs_of(study, tmp_path)
    assert {run.variant: run.metrics["final/score"] for run in made} == {"baseline": 0.75, "no-fast": 0.5}
    assert made[0].metrics["final/size"] == 3
    assert made[0].history == ({"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25})
    printed = artifact(tmp_path, made[0], "stdout.txt").splitlines()
    assert json.loads(printed[3])["arguments"] == ["--seed", "0", "--fast", "--name", "$HOME; rm -rf *"]
    journal = Journals(tmp_path / "mlruns" / "journal").path(made[0].name)
    assert printed[4] == f"None {journal.with_suffix('.work')}{tmp_path} 1", "a folder of the run's own"
    assert "accuracy" in artifact(tmp_path, made[0], "stderr.txt")
    assert not runs_of(study, tmp_path), "finished runs are reused"


def test_a_pattern_a_json_file_an_environment_and_a_folder(tmp_path: Path) -> None:
    by_pattern = command_study(
        tmp_path / "one", COMMAND, PRINTS, pattern=r"accuracy: (\d+)/", times=1e-4,
        environment={"WHO": "seed {seed}"}, folder="..", **NAMED,
    )  # fmt: skip
    made = runs_of(by_pattern, tmp_path)
    assert made[0].metrics["final/score"] == pytest.approx(0.1234)
    where = artifact(tmp_path, made[0], "stdout.txt").splitlines()[4]
    assert where.startswith("seed 0")
    assert where.endswith(f".work{tmp_path} 1")
    writes = (
        "import json, os, sys; json.dump({'score': 7, 'f1': 2}, open(sys.argv[1], 'w')); print(os.environ['A_TOKEN'])"
    )
    by_file = command_study(
        tmp_path / "two", "{python} {here}/program.py out.json {a:x|y}", writes, json_file="out.json", folder="{files}",
        environment={"A_TOKEN": "hunter-hunter-2"},
    )  # fmt: skip
    made = runs_of(by_file, tmp_path)
    assert (made[0].metrics["final/score"], made[0].metrics["final/f1"]) == (7, 2)
    assert json.loads(artifact(tmp_path, made[0], "out.json")) == {"score": 7, "f1": 2}
    assert artifact(tmp_path, made[0], "stdout.txt") == "***\n"


@pytest.mark.parametrize(
    ("program", "declared", "status", "error"),
    [
        ("import sys; sys.exit('no such layer')", {}, "failed", "exit code 1: no such layer"),
        ("import os; os.kill(os.getpid(), 9)", {}, "out_of_memory", "ended by SIGKILL"),
        ("print('done')", {}, "failed", 'No "score" in the standard output: no JSON line found'),
        ("print('{\"f1\": 1}')", {}, "failed", "the last JSON line has f1"),
        ("print('{\"score\": NaN}')", {}, "unstable", "the final score is not finite"),
        ('print(\'{"step": 1, "loss": NaN}\', flush=True)\nimport time; time.sleep(60)', {}, "unstable", "not finite"),
        ("print('score: high')", {"pattern": "score: (.*)"}, "failed", "matches 'high', which is not a number"),
        ("print(1)", {"pattern": "score: (.*)"}, "failed", "does not match the program's output"),
        ("print(1)", {"json_file": "{files}/x.json"}, "failed", "did not write"),
        ("import time; time.sleep(60)", {"time_limit": 0.5}, "failed", "exceeded its time limit of 0.5 seconds"),
        (
            "import sys; print('{\"score\": 1}')\n"
            "sys.stderr.write('Traceback (most recent call last):\\n  in f\\nKeyError: 3\\n')",
            {},
            "finished",
            "exit code is 0, but its standard error ends with KeyError: 3",
        ),
        ("print(1)", {"folder": "nowhere"}, "failed", "Working folder of the program not found"),
    ],
)
def test_every_outcome_is_recorded(
    tmp_path: Path, program: str, declared: dict[str, object], status: str, error: str
) -> None:
    study = command_study(tmp_path, "{python} {here}/program.py {a:x|y}", program, **declared)
    made = runs_of(study, tmp_path, most=1)
    assert {run.status for run in made} == {status}
    assert error in str(made[0].error)


def test_a_missing_program(tmp_path: Path) -> None:
    made = runs_of(command_study(tmp_path, "no-such-program-here {a:x|y}", ""), tmp_path)
    assert "Program not found or not executable: no-such-program-here" in str(made[0].error)


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
    """Return the process ids that FAMILY has written: two descendants and, last, the program."""
    path = folder / "pids"
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _family_study(folder: Path, how: str, **declared: object) -> Path:
    command_study(folder, f"{{python}} program.py {folder}/pids {how} {{a:x|y}}", FAMILY, **declared)
    return folder / "own.py"


@pytest.mark.parametrize("how", ["ends", "stays", pytest.param("stubborn", marks=pytest.mark.slow)])
def test_descendants_of_a_program_end_with_it(tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The time limit is reached when the program and its descendants have started, and not before.
    clock = SimpleNamespace(monotonic=lambda: 61.0 if len(_family(tmp_path)) == 3 else 0.0)
    monkeypatch.setattr("ablate.workloads.custom.program_runner.time", clock)
    (run,) = runs_of(load_study(_family_study(tmp_path, how, time_limit=60)), tmp_path, most=1)
    assert run.status == ("finished" if how == "ends" else "failed")
    assert how == "ends" or "exceeded its time limit" in str(run.error)
    pids = _family(tmp_path)
    assert len(pids) == (2 if how == "ends" else 3)
    assert not [pid for pid in pids if is_alive(pid)]


RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = {path!r}
from tests.samples.custom import runs_of
from ablate.runs.executors import ProcessExecutor, SerialExecutor
from ablate.interrupts import termination_raises
from ablate.workloads.custom.study_file import load_study
with termination_raises():
    runs_of(load_study(Path({study!r})), Path({folder!r}), {executor}, most=1)
"""


def _signal_the_command(process: subprocess.Popen[bytes], kind: signal.Signals) -> None:
    process.send_signal(kind)


def _kill_the_worker(process: subprocess.Popen[bytes], _kind: signal.Signals) -> None:
    import psutil

    process.send_signal(signal.SIGSTOP)  # it must not replace the worker before it gets SIGTERM
    for worker in psutil.Process(process.pid).children():
        worker.kill()
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize(
    ("executor", "stop", "kind"),
    [
        ("SerialExecutor()", _signal_the_command, signal.SIGINT),
        pytest.param("SerialExecutor()", _signal_the_command, signal.SIGTERM, marks=pytest.mark.slow),
        ("SerialExecutor()", _signal_the_command, signal.SIGKILL),
        pytest.param("ProcessExecutor(1)", _signal_the_command, signal.SIGINT, marks=pytest.mark.slow),
        ("ProcessExecutor(1)", _kill_the_worker, signal.SIGKILL),
    ],
)
def test_no_process_outlives_the_main_process_or_the_worker(
    tmp_path: Path, executor: str, stop: Callable[..., None], kind: signal.Signals
) -> None:
    study = _family_study(tmp_path, "stays")
    program = RUNNER.format(path=[str(ROOT)], study=str(study), folder=str(tmp_path), executor=executor)
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        until(lambda: len(_family(tmp_path)) == 3)
        stop(process, kind)
        process.wait(60)
        pids = _family(tmp_path)
        until(lambda: not [pid for pid in pids if is_alive(pid)])
    finally:
        process.kill()
        process.wait()
    (path,) = Journals(tmp_path / "mlruns" / "journal").paths()
    run = load(path)
    assert run is not None
    assert run.status == ("running" if kind == signal.SIGKILL else "killed")


def test_files_named_by_the_command_are_its_code(tmp_path: Path) -> None:
    keys = []
    for program in (PRINTS, PRINTS, PRINTS.replace("0.75", "0.8")):
        keys.append({recipe.key for recipe in command_study(tmp_path, COMMAND, program, **NAMED).recipes()})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    limited = command_study(tmp_path, COMMAND, PRINTS, time_limit=9, **NAMED)
    assert {recipe.key for recipe in limited.recipes()} == keys[0]
    other = command_study(tmp_path, COMMAND + " --more", PRINTS, **NAMED)
    assert not {recipe.key for recipe in other.recipes()} & keys[0]


@pytest.mark.parametrize(
    ("command", "declared", "message"),
    [
        ("run {sed} {a:x|y}", {}, "Did you mean 'seed'"),
        ("run {seed}", {}, "needs factors"),
        ("run {a:x|y}", {"json_file": "{files}/x", "pattern": "(x)"}, "not both"),
        ("run {a:x|y}", {"pattern": "("}, "Invalid regular expression"),
        ("run {a:x|y}", {"pattern": "score"}, "needs a group for the number"),
        ("run {a:x|y}", {"factors": {"b": "?"}}, "Unknown factor 'b'. Known: a. Add it to the command: {b:on|off}"),
        ("run {a:x|y}", {"metric": "3"}, "needs a metric"),
        ("run {a:x|y}", {"patern": "(x)"}, "Unknown argument of from_command 'patern'. Did you mean 'pattern'?"),
        ("run {a:x|x}", {}, "The factor a has the same text on and off: x"),
        ("run {a:|}", {}, "The factor a has the same text on and off: nothing"),
        ("run {a:--s {seed}|--s {seed}}", {}, "same text on and off: --s {seed}"),
    ],
)
def test_invalid_declarations_give_a_one_line_error(
    tmp_path: Path, command: str, declared: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        command_study(tmp_path, command, "", **declared)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_workers_run_programs_in_parallel(tmp_path: Path) -> None:
    study = command_study(tmp_path, COMMAND, PRINTS, **NAMED)
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
