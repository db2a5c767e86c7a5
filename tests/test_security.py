"""Nothing leaks and nothing is executed: secrets, weights, checkpoints, formulas, the UI's address, shells."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import pickle
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import ablate
from ablate.cli.app import app
from ablate.errors import UserError
from ablate.journal.journal_lines import records
from ablate.journal.line_format import format_line
from ablate.journal.run_journal import Journals
from ablate.redaction import mask_secrets, mask_values
from ablate.report.formats.csv_writer import plain_cells
from ablate.tracking import PlanEntry, Project, StudyRecord, open_tracker
from ablate.workloads.resnet9.checkpoint import Checkpoint
from ablate.workloads.resnet9.weights import load_classifier
from tests.samples.tracking import mlflow_project, write_run

TINY = ("--preset", "demo", "--epochs", "1", "--width", "1", "--threads", "1")
SECRETS = {
    name: f"hush-{name}-3f9c" for name in ("address", "environment", "tag", "remote", "diff", "flag", "question")
}


def git(folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)


@pytest.fixture
def leaky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project in a repository, with secrets in the usual places."""
    project = mlflow_project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    (project.root / ".gitignore").write_text("mlruns\n")
    (project.root / "settings.py").write_text("ADDRESS = None\n")
    git(project.root, "init", "-q")
    git(project.root, "remote", "add", "origin", f"https://me:{SECRETS['remote']}@git.example/x.git")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "first")
    changed = f'ADDRESS = "postgresql://me:{SECRETS["diff"]}@db.example/runs?x=1"\nKEY = "{SECRETS["environment"]}"\n'
    (project.root / "settings.py").write_text(changed)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRETS["environment"])
    monkeypatch.setattr("ablate.runs.provenance.commit", ablate_commit_uncached())
    return project


def ablate_commit_uncached() -> object:
    from ablate.runs import provenance

    return provenance.commit.__wrapped__


def leaks(project: Project, output: str) -> list[str]:
    """Return the secrets in written files and in the output."""
    mine = {project.root / "settings.py"}
    files = [
        path for path in project.root.rglob("*") if path.is_file() and ".git" not in path.parts and path not in mine
    ]
    found = {name for path in files for name, word in SECRETS.items() if word.encode() in path.read_bytes()}
    return sorted(found | {name for name, word in SECRETS.items() if word in output})


def test_no_secret_is_written_or_printed(leaky: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*arguments: str) -> str:
        return CliRunner().invoke(app, list(arguments)).output

    tag = f"from=https://me:{SECRETS['tag']}@host.example/x?token={SECRETS['tag']}"
    output = call("run", *TINY, "--tag", tag)
    output += call("show", "baseline/s0") + call("list", "--json") + call("doctor")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://me:{SECRETS['address']}@127.0.0.1:9/runs")
    output += call("run", *TINY, "--seed", "1") + call("doctor", "--json") + call("list")
    output += call("run", *TINY, "--seed", "2", "--tracking-uri", f"mysql://me:{SECRETS['flag']}@127.0.0.1:9/runs")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    question = f"Is https://me:{SECRETS['question']}@host.example any good?"
    open_tracker(leaky).open_study(StudyRecord("asked", question, {"from": question}, []))
    output += call("run", *TINY, "--seed", "3")
    assert leaks(leaky, output) == []
    paths = Journals(leaky.journals).paths()
    assert len(paths) == 4
    assert records(paths[0])[0]["environment"]["dirty"] is True
    diffs = list(leaky.mlruns.rglob("diff.patch"))
    assert diffs
    assert all("me:***@db.example/runs?x=1" in path.read_text() for path in diffs)


WORD = st.text("abcdefgh0123456789_~!$^*()+,;=%/:.-", min_size=8)


@given(password=WORD, before=st.sampled_from(["", "see ", '"', "remote: "]), after=st.sampled_from(["", '"', " x"]))
def test_a_password_in_a_uri_is_masked_anywhere(password: str, before: str, after: str) -> None:
    text = mask_secrets(f"{before}https://anna:{password}@host.example:80/x{after}")
    assert text == f"{before}https://anna:***@host.example:80/x{after}"


@pytest.mark.parametrize(
    "text",
    [
        "https://host.example/a?b=c",
        "mail a@b.example",
        "sqlite:////home/a@b/mlflow.db",
        "import x  # see https://host.example/a:b",
        "2026-01-01T10:00:00 a@b",
    ],
)
def test_text_without_secrets_stays(text: str) -> None:
    assert mask_secrets(text) == text


def test_tokens_and_secret_variables_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc/def+ghi")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    assert mask_secrets("https://ghp_123@git.example/x") == "https://***@git.example/x"
    assert mask_secrets("https://h.example/x?a=1&api_key=123#y") == "https://h.example/x?a=1&api_key=***#y"
    assert mask_values({"x": ["abc/def+ghi", 3, None, "abc"]}) == {"x": ["***", 3, None, "abc"]}


def test_settings_and_declarations_are_recorded_without_secrets_and_levels_stay() -> None:
    settings = {"db_password": "hush-9", "url": "https://me:hush@h/x", "mask_token": "cls", "max_tokens": 512}
    plan = [PlanEntry("0" * 12, "d", "mask_token=cls", 0)]
    declared = {**settings, "vary.token": ["hush-level", "cls"], "arms": {"one": {"password": "level"}}}
    record = StudyRecord("x", "Is https://me:hush@h good?", declared, plan).without_secrets()
    assert record.declared == {**declared, "db_password": "***", "url": "https://me:***@h/x"}
    assert record.question == "Is https://me:***@h good?"
    assert record.without_secrets() == record
    line = format_line("note", 0.0, {"params": settings, "recipe": {"settings": settings}, "variant": "mask_token=cls"})
    masked = {**settings, "db_password": "***", "url": "https://me:***@h/x"}
    assert json.loads(line) == {
        "record": "note", "time": 0.0, "params": masked, "recipe": {"settings": masked}, "variant": "mask_token=cls"
    }  # fmt: skip


STUDIES = {
    "own": '''"""Is https://me:hush-question@host.example any good?"""
import os
from ablate import Metric, Study, from_function
def train(recipe, log):
    print("export API_KEY=Zq06printed9xK7pW3vB", os.environ["MY_API_TOKEN"])
    if recipe.seed == 1 and not recipe["a"]:
        raise ValueError("login failed: password='hush-error' token=Zq06errtok9xK7pW3vBQ")
    return 0.5 + 0.1 * recipe["a"] + 0.01 * recipe.seed
settings = {"db_password": "hush-param", "hub_token": "Zq06paramk9xK7pW3vBQ", "url": "https://me:hush-url@h/x"}
study = Study(
    workload=from_function(train, factors={"a": "A"}, settings=settings, metric=Metric("accuracy")), seeds=2, margin=1.0
)
''',
    "cmd": """from ablate import Metric, Study, from_command
workload = from_command(
    "{python} prog.py {b:--b|} --password {db_password} --seed {seed}",
    settings={"db_password": "hush-option"},
    metric=Metric("accuracy"),
)
study = Study(workload=workload, seeds=2, margin=1.0)
""",
    "prog": """import json, sys
print("hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh", file=sys.stderr)
print("Authorization: Bearer Zq06bearer9xK7pW3vBQ", sys.argv)
if sys.argv[-1] == "1" and "--b" in sys.argv:
    sys.exit("cannot open postgresql://me:hush-exit@h/x")
print(json.dumps({"accuracy": 0.5 + 0.1 * ("--b" in sys.argv)}))
""",
}


@pytest.mark.slow
def test_no_secret_of_an_own_training_is_written_or_printed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings, printed output, errors, the command line and the diff, in every file that two sweeps write."""
    monkeypatch.setenv("MY_API_TOKEN", "hush-variable")
    (project / ".gitignore").write_text("mlruns\nreports\n")
    for name, text in STUDIES.items():
        (project / f"{name}.py").write_text(text)
    git(project, "init", "-q")
    git(project, "add", ".gitignore")
    git(project, "commit", "-qm", "first")
    output = ""
    for line in [
        ("sweep", "own.py"),
        ("sweep", "cmd.py"),
        ("report", "own", "--html"),
        ("list", "--json"),
        ("doctor",),
    ]:
        output += CliRunner().invoke(app, [*line, *(("--jobs", "1") if line[0] == "sweep" else ())]).output
    files = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
    written = [path for path in files if path.suffix != ".py"]  # programs and their copies for a run
    assert {path.name for path in written} >= {"stdout.txt", "stderr.txt", "output.txt", "diff.patch", "recipe.json"}
    assert [path for path in written if re.search(rb"hush-|Zq06|AbCdEfGh", path.read_bytes())] == []
    assert not re.search("hush-|Zq06|AbCdEfGh", output)
    assert "login failed: password='***' token=***" in output


def test_a_secret_that_is_an_ordinary_word_does_not_change_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "no-augment")
    project = mlflow_project(tmp_path)
    path = write_run(project)
    assert records(path)[0]["variant"] == "no-augment"


class Code:
    """An object that executes code when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


def test_weights_and_checkpoints_are_read_and_never_executed(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    for name, write in (("a.pth", torch.save), ("b.pth", lambda value, path: path.write_bytes(pickle.dumps(value)))):
        path = tmp_path / name
        write(Code(harm), path)
        with pytest.raises(UserError, match="refused"):
            load_classifier(path)
    checkpoint = Checkpoint(tmp_path)
    torch.save(Code(harm), checkpoint.path)
    assert checkpoint.restore() is None
    assert not checkpoint.path.exists(), "the training starts from the beginning"
    assert not harm.exists()


def test_an_unwritable_checkpoint_does_not_stop_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checkpoint = Checkpoint(tmp_path / "file" / "folder", every_seconds=0)
    checkpoint.save({"epoch": 1})
    assert not checkpoint.path.exists()


@given(st.text() | st.sampled_from(["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "-0.5", "+7", "no-augment"]))
def test_no_cell_of_a_csv_file_is_a_formula(text: str) -> None:
    (cell,) = plain_cells(pd.DataFrame({"variant": [text]}))["variant"]
    assert cell in (text, f"'{text}")
    if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        float(cell)


def test_the_ui_listens_on_localhost_by_default() -> None:
    from ablate.cli.runs import ui

    assert inspect.signature(ui).parameters["host"].default == "127.0.0.1"


TRUSTED = ("worker.py", "cifar_batches.py")
"""Modules that may unpickle: workers (from their own parent), and the CIFAR reader (files with the known checksum)."""


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Yield every call in the package, with its file and the dotted name of the function."""
    for path in Path(ablate.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield path, dotted(node.func), node


def dotted(function: ast.expr) -> str:
    """Return the dotted name of a function, for instance `torch.load`."""
    if isinstance(function, ast.Attribute):
        return f"{dotted(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def test_no_shell_no_eval_no_untrusted_pickle() -> None:
    for path, name, call in calls():
        words = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert words.get("shell", "False") == "False", path
        assert name not in ("eval", "exec", "os.system", "os.popen", "subprocess.getoutput"), path
        assert not name.startswith(("pickle.load", "marshal.", "shelve.", "joblib.")) or path.name in TRUSTED, path
        assert name != "torch.load" or words.get("weights_only") == "True", path
        assert name != "np.load" or words.get("allow_pickle", "False") == "False", path
        assert not name.endswith(("extractall", ".unpack_archive")), path


@pytest.mark.parametrize("command", [["list"], ["sweep", "study.py"], ["init", "study.py"], ["data", "info"]])
def test_a_removed_working_folder_is_named(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PWD", str(folder))
    folder.rmdir()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: The working folder {folder} does not exist any more")


def test_an_error_of_the_operating_system_is_one_line(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = RuntimeError("can't start new thread")
    mapped = ImportError("x.so: failed to map segment from shared object")
    panic = BaseException('failed to spawn a thread: Os { code: 11, message: "Resource temporarily unavailable" }')
    full = OSError(28, "No space left on device", "x.jsonl")
    for error in (
        full,
        PermissionError(13, "no", "y"),
        MemoryError(),
        BlockingIOError(11, "try again"),
        thread,
        panic,
        mapped,
    ):

        def fail(error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(Project, "find", classmethod(lambda cls, fail=fail: fail()))
        result = CliRunner().invoke(app, ["list"])
        assert result.exit_code == 1
        assert len(result.stderr.strip().splitlines()) == 1
        with contextlib.suppress(AttributeError):
            assert str(error.filename or "") in result.stderr  # type: ignore[attr-defined]  # not every error has one
