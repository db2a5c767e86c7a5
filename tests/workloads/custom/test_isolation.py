"""Runs of a study never see each other: no file, process state, argument or random state passes to the next run."""

from __future__ import annotations

import os
import signal
import statistics
from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.runs.executors import Executor, ProcessExecutor, SerialExecutor
from ablate.studies.study import Study
from ablate.workloads.custom import mirror
from ablate.workloads.custom.study_file import load_study
from tests.samples.custom import artifact, command_study, runs_of, written

EXECUTORS = pytest.mark.parametrize(
    "executor",
    [
        pytest.param(SerialExecutor(), id="one job", marks=pytest.mark.slow),
        pytest.param(ProcessExecutor(2), id="two jobs"),
    ],
)


def scores(runs: list[Run]) -> dict[tuple[str, int], float | None]:
    assert {run.error for run in runs} == {None}
    return {(run.variant, run.seed): run.metrics.get("final/score") for run in runs}


SAVES = """
    import json, os, sys, time
    from pathlib import Path
    value, where = float(sys.argv[1]), Path(__file__).parent
    assert Path("best.txt").read_text() == "7", "what was there, and nothing of another run"
    assert Path("../shared/table.txt").read_text() == "1,2"
    for path in (Path("best.txt"), Path("../shared/best.txt"), where / "own.txt", Path("new/deep.txt")):
        path.parent.mkdir(exist_ok=True)
        assert not path.exists() or path.name == "best.txt", path
        path.write_text(str(value))
    time.sleep(0.3)
    for path in (Path("best.txt"), Path("../shared/best.txt"), where / "own.txt", Path("new/deep.txt")):
        assert float(path.read_text()) == value, path
    os.remove("best.txt")
    print(json.dumps({"score": value}))
"""


@EXECUTORS
def test_the_files_of_a_program_are_its_own(tmp_path: Path, executor: Executor) -> None:
    study_folder = tmp_path / "studies"
    written(tmp_path, "7", "studies/best.txt")
    written(tmp_path, "1,2", "shared/table.txt")
    study = command_study(study_folder, "{python} {here}/program.py {x:1|2}", SAVES)
    runs = runs_of(study.change(seeds=2), tmp_path, executor)
    assert scores(runs) == {("baseline", 0): 1, ("no-x", 0): 2, ("baseline", 1): 1, ("no-x", 1): 2}
    assert sorted(path.name for path in study_folder.iterdir()) == ["best.txt", "own.py", "program.py"]
    assert (study_folder / "best.txt").read_text() == "7"
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["table.txt"]


@pytest.mark.slow
def test_the_command_of_a_shell_from_the_issue(tmp_path: Path) -> None:
    command = "sh -c 'echo {x:1|2} > best.txt; sleep 0.3; echo score: $(cat best.txt)'"
    study = command_study(tmp_path, command, "", pattern=r"score: (\S+)", metric='Metric("score", unit="")')
    runs = runs_of(study.change(seeds=2), tmp_path, ProcessExecutor(2))
    assert {(run.variant, run.metrics["final/score"]) for run in runs} == {("baseline", 1), ("no-x", 2)}


RESUMES = """
    import json, os, signal
    from pathlib import Path
    steps = Path("steps.txt")
    done = len(steps.read_text()) if steps.exists() else 0
    steps.write_text("x" * (done + 1))
    print(json.dumps({"score": done}))
"""


def test_no_run_resumes_from_the_checkpoint_of_another(tmp_path: Path) -> None:
    runs = runs_of(command_study(tmp_path, "{python} program.py {x:1|2}", RESUMES).change(seeds=3), tmp_path)
    assert set(scores(runs).values()) == {0}


OUTSIDE = """
    import json, sys, time
    path, value = sys.argv[1:3]
    open(path, "w").write(value)
    time.sleep(0.3)
    print(json.dumps({"score": float(open(path).read())}))
"""


def test_the_files_next_to_the_project_are_its_own(tmp_path: Path) -> None:
    project = tmp_path / "around" / "project"
    written(tmp_path, "7", "around/results/best.txt")
    study = command_study(project, "{python} program.py ../results/best.txt {x:1|2}", OUTSIDE).change(seeds=2)
    assert set(scores(runs_of(study, project, ProcessExecutor(2))).items()) == {
        *((("baseline", seed), 1.0) for seed in (0, 1)),
        *((("no-x", seed), 2.0) for seed in (0, 1)),
    }
    assert (tmp_path / "around" / "results" / "best.txt").read_text() == "7"


@pytest.mark.parametrize("path", ["../../far/best.txt", "../.hidden", "../large.bin"])
def test_a_run_that_changes_files_farther_away_fails(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "NEAR_BYTES", 2)
    project = tmp_path / "around" / "project"
    original = (project / path).resolve()
    written(tmp_path, "old", str(original.relative_to(tmp_path)))
    (run,) = runs_of(command_study(project, f"{{python}} program.py {path} {{x:1|2}}", OUTSIDE), project, most=1)
    assert str(run.error).startswith(
        f"The run changed {original}, which the other runs read, too: it is not in the pro"
    )


def test_changes_by_other_programs_outside_the_project_are_ignored(tmp_path: Path) -> None:
    project = tmp_path / "around" / "project"
    written(tmp_path, "old", "far/best.txt")
    written(tmp_path, "old", "other/best.txt")
    program = f"""
        from pathlib import Path
        assert Path("../../far/best.txt").read_text() == "old"
        Path({str(tmp_path / "other" / "best.txt")!r}).write_text("by another program")
        print('{{"score": 1}}')
    """
    (run,) = runs_of(command_study(project, "{python} program.py {x:1|2}", program), project, most=1)
    assert run.error is None


CACHES = """
    import json, os, pathlib, sys
    value = sys.argv[1]
    module, features = pathlib.Path("generated.py"), pathlib.Path(".cache/features.txt")
    module.write_text(f"value = {value}")
    os.utime(module, (1, 1))  # as two runs that write it in the same second
    import generated
    if not features.exists():
        features.write_text(value)
    print(json.dumps({"score": generated.value + float(features.read_text())}))
"""


def test_no_run_reads_what_another_has_compiled_or_cached(tmp_path: Path) -> None:
    written(tmp_path, "", "__pycache__/other.pyc")
    written(tmp_path, "", ".cache/other.txt")
    runs = runs_of(command_study(tmp_path, "{python} program.py {x:1|2}", CACHES).change(seeds=1), tmp_path)
    assert scores(runs) == {("baseline", 0): 2, ("no-x", 0): 4}


def test_a_shared_folder_is_asked_for(tmp_path: Path) -> None:
    study = command_study(tmp_path, "{python} program.py {x:1|2}", RESUMES, shared_folder=True)
    assert study.workload.shared_folder
    runs = runs_of(study.change(seeds=2), tmp_path, ProcessExecutor(2))
    assert sorted(run.metrics["final/score"] for run in runs) == [0, 1, 2, 3], "one at a time, in the same folder"
    assert (tmp_path / "steps.txt").exists()


def test_a_run_that_changes_what_others_read_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import sys; open(sys.argv[1], 'a').write('more'); print('{\"score\": 1}')"
    written(tmp_path, "1,2", "table.csv")
    study = command_study(tmp_path, "{python} program.py table.csv {x:1|2}", program, data=["table.csv"])
    (run,) = runs_of(study, tmp_path, most=1)
    assert (run.status, str(run.error)) == (
        "failed",
        f"The run changed {tmp_path}/table.csv, which the other runs read, too: it is declared as data or too large to "
        "be copied for each run. Write to another path, or declare shared_folder=True",
    )
    monkeypatch.setattr(mirror, "COPIED_BYTES", 2)
    study = command_study(tmp_path, "{python} program.py table.csv {x:1|2}", program)
    assert "table.csv, which the other runs read" in str(runs_of(study, tmp_path, most=1)[0].error)


def test_an_interrupted_run_keeps_its_folder(tmp_path: Path) -> None:
    program = RESUMES + f"    if not done:\n        os.kill({os.getpid()}, signal.SIGINT)\n        signal.pause()\n"
    study = command_study(tmp_path, "{python} program.py {x:1|2}", program)
    with pytest.raises(KeyboardInterrupt):
        runs_of(study, tmp_path, most=1)
    (folder,) = (tmp_path / "mlruns" / "journal").glob("*.work")
    assert Path(f"{folder}{tmp_path}", "steps.txt").read_text() == "x"
    assert scores(runs_of(study, tmp_path, most=1)) == {("baseline", 0): 1}
    assert not list((tmp_path / "mlruns" / "journal").glob("*.work"))


def function_study(folder: Path, text: str, factor: str = "x", **declared: object) -> Study:
    """Return a study of the function `train` in `text`."""
    more = "".join(f", {name}={value!r}" for name, value in declared.items())
    written(folder, text)
    study = (
        "\n\nfrom ablate import Metric, Study, from_function\n"
        f'study = Study(workload=from_function(train, factors={{"{factor}": "?"}}, metric=Metric("score", unit="")'
        f"{more}), seeds=2)\n"
    )
    with (folder / "own.py").open("a") as file:
        file.write(study)
    return load_study(folder / "own.py")


ABSOLUTE = """
    import os, time
    from pathlib import Path
    PATH = Path(__file__).parent / "model.pt"

    def train(recipe, log):
        {write}
        time.sleep(0.1)
        return {{"score": {read}}}
"""


@pytest.mark.parametrize(
    ("write", "read"),
    [
        ("PATH.write_text(str(recipe.seed))", "float(PATH.read_text())"),
        pytest.param(
            "import torch; torch.save(recipe.seed, str(PATH))", "float(torch.load(str(PATH)))", marks=pytest.mark.slow
        ),
        ("Path('new').write_text('1'); os.replace('new', PATH)", "float(PATH.read_text())"),
    ],
)
def test_a_run_that_changes_the_same_file_as_others_by_its_absolute_path_fails(
    tmp_path: Path, write: str, read: str
) -> None:
    study = function_study(tmp_path, ABSOLUTE.format(write=write, read=read))
    last = runs_of(study, tmp_path, most=2)[-1]
    assert str(last.error) == (
        f"The run changed {tmp_path}/model.pt, which the other runs read, too: an absolute path is the same file for "
        "all of them. Write to a relative path or to log.file(...), or declare shared_folder=True"
    )


@pytest.mark.parametrize(
    ("write", "read"),
    [
        ("PATH.exists() or PATH.write_text('7')", "float(PATH.read_text())"),  # as a data set is downloaded
        ("log.file('model.pt').write_text('7')", "float(log.file('model.pt').read_text())"),
        ("Path('model.pt').absolute().write_text('7')", "float(Path('model.pt').read_text())"),
        (f"Path({__file__!r}).with_suffix('.none').exists()", "7.0"),
    ],
)
def test_other_absolute_paths_are_allowed(tmp_path: Path, write: str, read: str) -> None:
    study = function_study(tmp_path, ABSOLUTE.format(write=write, read=read))
    assert set(scores(runs_of(study, tmp_path)).values()) == {7}


POOL = """
    import atexit, sys
    from multiprocessing import Pool
    from pathlib import Path

    def identity(x):
        return x

    def train(recipe, log):
        atexit.register(lambda: print("at the end", flush=True))
        with Pool(2) as pool:
            return {"score": sum(pool.map(identity, [1, 2]))}
"""


def test_pools_end_as_in_a_script(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (run,) = runs_of(function_study(tmp_path, POOL), tmp_path, most=1)
    assert run.metrics["final/score"] == 3
    assert "Traceback" not in capfd.readouterr().err, "SIGTERM ends the processes of a pool without a word"
    assert artifact(tmp_path, run, "output.txt") == "at the end\n"


TERMINATES_AT_ONCE = """
    from multiprocessing import get_context
    from time import sleep

    def train(recipe, log):
        survivors = 0
        for _ in range(100):
            process = get_context("fork").Process(target=sleep, args=(20,))
            process.start()
            process.terminate()
            process.join(5)
            if process.exitcode is None:
                survivors += 1
                process.kill()
                break
        return {"score": float(survivors)}
"""


def test_a_child_that_is_terminated_while_it_starts_ends(tmp_path: Path) -> None:
    """A pool terminates its workers, and waits for them: one that missed the signal would keep the run forever."""
    (run,) = runs_of(function_study(tmp_path, TERMINATES_AT_ONCE), tmp_path, most=1)
    assert (run.error, run.metrics["final/score"]) == (None, 0)


STATEFUL = """
    import decimal, os, sys
    import numpy as np
    import torch

    MODEL = np.zeros(3)
    CALLS = []

    def train(recipe, log):
        found = [
            MODEL.sum(), len(CALLS), "LEFT" in os.environ, os.path.exists("left.txt"), "left" in sys.path,
            len(sys.argv) - 1, decimal.getcontext().prec != 28, np.geterr()["divide"] != "warn",
            sys.getrecursionlimit() == 54321, hasattr(os, "left"), torch.get_default_dtype() != torch.float32,
            torch.initial_seed() == 5, os.environ["PWD"] != os.getcwd(),
        ]
        torch.set_default_dtype(torch.float64)
        torch.manual_seed(5)
        MODEL[:] += 1
        CALLS.append(recipe)
        os.environ["LEFT"] = "yes"
        open("left.txt", "w").write("yes")
        os.makedirs("deep")
        os.chdir("deep")
        sys.path.insert(0, "left")
        sys.argv.append("left")
        sys.setrecursionlimit(54321)
        os.left = True
        np.seterr(all="ignore")
        decimal.getcontext().prec = 3
        return {"score": float(sum(found)), "argument": float(sys.argv[0] == __file__)}
"""


@EXECUTORS
def test_a_function_leaves_no_state(tmp_path: Path, executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = runs_of(function_study(tmp_path, STATEFUL).change(seeds=2), tmp_path, executor)
    assert set(scores(runs).values()) == {0}
    assert {run.metrics["final/argument"] for run in runs} == {1}
    assert "LEFT" not in os.environ
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlruns", "own.py"]


RANDOM = """
    import random
    import numpy as np
    {seeding}
    def train(recipe, log):
        import torch
        return {{"score": 0, "python": random.random(), "numpy": np.random.rand(), "torch": torch.rand(1).item()}}
"""
GENERATORS = ("python", "numpy", "torch")


@pytest.mark.slow
@pytest.mark.parametrize(
    "seeding",
    [
        "",
        "random.seed(5); np.random.seed(5); import torch; torch.manual_seed(5)",
    ],
)
def test_random_state_is_as_in_new_processes(tmp_path: Path, seeding: str) -> None:
    runs = runs_of(function_study(tmp_path, RANDOM.format(seeding=seeding)), tmp_path)
    drawn = {name: [run.metrics[f"final/{name}"] for run in runs] for name in GENERATORS}
    if not seeding:
        assert {len(set(values)) for values in drawn.values()} == {len(runs)}, "unseeded: never the same"
        return
    import random

    import numpy as np

    assert set(drawn["python"]) == {random.Random(5).random()}
    assert set(drawn["numpy"]) == {np.random.RandomState(5).rand()}
    assert len(set(drawn["torch"])) == 1


UNSAFE = {
    "a thread": "import threading, time\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "an open file": "lines = os.open(__file__, os.O_RDONLY)",
    "shared memory": "import mmap\n    memory = mmap.mmap(-1, 10)",
    "nothing": "",
}


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=() if what in ("a thread", "nothing") else pytest.mark.slow) for what in UNSAFE]
)
def test_what_forks_would_share_is_not_shared(tmp_path: Path, what: str) -> None:
    text = f"""
    import os
    {UNSAFE[what]}
    IMPORTED_BY = os.getpid()
    def train(recipe, log):
        seen = float("memory" in globals() and memory[0] != 0) + float("lines" in globals() and not os.read(lines, 99))
        if "memory" in globals(): memory[0] = 1
        if "lines" in globals(): os.read(lines, 9999)
        return {{"score": seen, "forked": float(os.getpid() != IMPORTED_BY)}}
    """
    runs = runs_of(function_study(tmp_path, text), tmp_path)
    assert set(scores(runs).values()) == {0}
    assert {run.metrics["final/forked"] for run in runs} == {float(what == "nothing")}


@pytest.mark.slow
def test_a_library_that_a_run_imports_is_imported_once(tmp_path: Path) -> None:
    text = """
    import os, sys
    def train(recipe, log):
        was = "networkx" in sys.modules
        if recipe.seed == 1:
            os.environ["CHANGED"] = "by the run"
        import networkx
        return {"score": float(was)}
    """
    runs = sorted(runs_of(function_study(tmp_path, text), tmp_path), key=lambda run: run.started)
    assert [run.metrics["final/score"] for run in runs][-1] == 1
    text = text.replace("if recipe.seed == 1:", "if True:")
    runs = runs_of(function_study(tmp_path / "b", text), tmp_path / "b")
    assert set(scores(runs).values()) == {0}, "an import after a change of the environment may depend on it"


def test_killed_and_exiting_processes_lose_their_run_only(tmp_path: Path) -> None:
    text = f"""
    import os
    def train(recipe, log):
        place = log.checkpoint / "tried"
        if not place.exists():
            place.touch()
            os.kill(os.getpid(), {int(signal.SIGKILL)}) if recipe["x"] else os._exit(3)
        return 1
    """
    assert set(scores(runs_of(function_study(tmp_path, text), tmp_path)).values()) == {1}
    always = text.replace("if not place.exists():", "if recipe['x']:")
    runs = runs_of(function_study(tmp_path / "b", always), tmp_path / "b")
    assert {(run.variant, run.status) for run in runs} == {("baseline", "failed"), ("no-x", "finished")}
    assert {run.error for run in runs} == {None, "its process was killed by SIGKILL (out of memory?)"}


def test_processes_of_a_run_end_with_it(tmp_path: Path) -> None:
    text = """
    import subprocess, sys, time
    def train(recipe, log):
        code = "import time; print('child', flush=True); time.sleep(600)"
        apart = [subprocess.Popen([sys.executable, "-c", code], start_new_session=new) for new in (True, False)]
        while log.file("output.txt").read_text().count("child") < 2:
            time.sleep(0.01)
        for process in apart:
            print(process.pid)
        return 1
    """
    (run,) = runs_of(function_study(tmp_path, text), tmp_path, most=1)
    from tests.samples.processes import is_alive

    printed = artifact(tmp_path, run, "output.txt").split()
    assert not [pid for pid in printed[2:] if is_alive(int(pid))]


CHILDREN = """
    import multiprocessing
    from dataclasses import dataclass

    @dataclass
    class Item:
        value: int

    def double(item):
        return Item(2 * item.value)

    def train(recipe, log):
        with multiprocessing.get_context({method!r}).Pool(1) as pool:
            return pool.map(double, [Item(21)])[0].value
"""


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("spawn", "unique_name.py"),
        ("forkserver", "my-study.py"),
        ("fork", "another_name.py"),
        ("spawn", "v1.2.py"),
        pytest.param("spawn", "statistics.py", id="the name of a module of Python"),
        pytest.param("spawn", "torch.py", id="the name of a library"),
    ],
)
def test_child_processes_find_the_classes_of_a_study(tmp_path: Path, method: str, name: str) -> None:
    function_study(tmp_path, CHILDREN.format(method=method))
    (tmp_path / "own.py").rename(tmp_path / name)
    runs = runs_of(load_study(tmp_path / name), tmp_path, most=1)
    assert set(scores(runs).values()) == {42}


def test_arguments_are_the_study_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ablate", "sweep", "own.py", "--jobs", "2"])
    text = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.5)
    args = parser.parse_args()
    def train(recipe, log):
        return args.lr
    """
    assert set(scores(runs_of(function_study(tmp_path, text), tmp_path)).values()) == {0.5}
    with pytest.raises(UsageError) as caught:
        function_study(tmp_path, text.replace('"--lr"', '"lr"').replace(", default=0.5", ""))
    assert str(caught.value).startswith(
        f"{tmp_path / 'own.py'} parses command-line arguments, but a study has none (the following arguments are"
    )
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="line 1 exits with code 3 when the file is imported"):
        function_study(tmp_path, "raise SystemExit(3)\ndef train(recipe, log): return 1")


def test_a_study_file_does_not_change_the_command_that_loads_it(tmp_path: Path) -> None:
    before = Path.cwd()
    function_study(tmp_path, "import os, sys\nos.chdir('/')\nsys.argv.append('x')\ndef train(recipe, log): return 1")
    assert Path.cwd() == before
    assert "x" not in os.sys.argv  # type: ignore[attr-defined]


def test_effects_of_a_function_with_state_are_those_of_separate_processes(tmp_path: Path) -> None:
    text = """
    import numpy as np
    WEIGHTS = np.zeros(2)
    def train(recipe, log):
        WEIGHTS[:] += 1 + recipe["x"]
        return float(WEIGHTS.sum()) + recipe.seed
    """
    found = scores(runs_of(function_study(tmp_path, text).change(seeds=3), tmp_path))
    assert statistics.mean(found["no-x", seed] - found["baseline", seed] for seed in range(3)) == -2
