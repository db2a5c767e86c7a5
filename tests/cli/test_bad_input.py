"""Whatever is typed, written or given: a result, or one clear line and exit code 1 or 2; never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner, Result

from ablate.cli.app import app
from ablate.data import ImageSource, open_dataset
from ablate.errors import UserError
from ablate.journal.run_journal import Journals, load
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.studies.job import Outcome
from ablate.studies.recipe import Recipe
from ablate.tracking import Project, open_tracker
from ablate.workloads.resnet9.workload import WORKLOAD
from tests.samples.tracking import empty_database, mlflow_project, write_run

OFTEN = settings(max_examples=5, suppress_health_check=list(HealthCheck))


SELDOM = settings(max_examples=4, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a run, in which a training costs nothing."""
    folder = tmp_path_factory.mktemp("kitchen")
    project = mlflow_project(folder)
    open_tracker(project).deliver(write_run(project))
    (folder / "text.txt").write_text("hello")
    (folder / "runs.csv").write_text("variant,seed,test_accuracy\nbaseline,0,0.5\nno-x,0,0.4\n")
    (folder / "study.py").write_text("from ablate import Study\nstudy = Study(preset='demo', seeds=2)\n")
    (folder / "wrong.py").write_text("1 / 0\n")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "black.png")

    def train(job: Any, log: Any) -> Outcome:
        log(0, **{"val/loss": 1.0})
        return Outcome({"test/accuracy": 0.5})

    patch = pytest.MonkeyPatch()
    patch.setattr("ablate.workloads.resnet9.run.train", train)
    patch.setattr("ablate.workloads.resnet9.run.pilot", lambda job: 1.0)
    patch.setattr("ablate.data.named_datasets.locate_named", _no_network)
    patch.setattr("ablate.data.loading.locate_named", _no_network)
    patch.chdir(folder)
    yield folder
    patch.undo()


def _no_network(name: str, *rest: Any) -> Any:
    if name == "digits":
        return _LOCATE_NAMED(name, *rest)
    raise UserError(f"{name} cannot be downloaded here")


from ablate.data.named_datasets import locate_named as _LOCATE_NAMED  # noqa: E402  # what is patched above

WORDS = st.sampled_from(
    ["", " ", "-1", "0", "1", "3", "1e9", "nan", "inf", "-inf", "all", "auto", "digits", "demo", "a/b", "../x", "/",
     ".", "=", "a=b", "a=", "=b", "a,b", "augment", "augment,residual", "no-augment", "baseline", "baseline/s0", "%s",
     "'", '"', "no-augment/s3", "text.txt", "runs.csv", "study.py", "wrong.py", "black.png", "nowhere.png", "[red]",
     "\n", "\x00", "é\u202e", "x" * 300, "0,1", "2.5", "max", "cpu", "fp32", "serial", "processes", "leave-one-out",
     "path", "pairs", "sqlite:///", "sqlite://", "./mlruns", "file:x", "gopher://x", "postgresql://a:b@127.0.0.1:1/x"]
) | st.integers().map(str) | st.floats().map(str) | st.text(max_size=8)  # fmt: skip


NOTHING: list[str] = []


DIGITS = ["--dataset", "digits"]


CHEAP = {
    "run": [*DIGITS, "--threads", "1"],
    "sweep": ["--dry-run", *DIGITS, "--threads", "1"],
    **dict.fromkeys(("list", "show", "compare", "report", "gate", "predict", "doctor", "delete"), NOTHING),
    **dict.fromkeys(("data info", "data show"), DIGITS),
}


UNTRIED = {"ui", "data fetch"}  # a server; the network


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Let pass what works and what is refused in one line."""
    message = ""
    try:
        yield
    except UserError as error:
        message = str(error)
    assert message.isprintable()


def command_of(name: str) -> Any:
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    return command


def test_every_command_is_tried() -> None:
    top: Any = typer.main.get_command(app)
    names = {
        f"{name} {inner}".strip()
        for name, command in top.commands.items()
        for inner in getattr(command, "commands", {"": None})
    }
    assert names - UNTRIED >= set(CHEAP)
    assert names - UNTRIED - set(CHEAP) <= {"sync", "tune", "init"}


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """Draw a command with any of its flags, given any values."""
    name = draw(st.sampled_from(sorted(CHEAP)))
    options = [parameter for parameter in command_of(name).params if parameter.param_type_name == "option"]
    arguments = [parameter for parameter in command_of(name).params if parameter.param_type_name == "argument"]
    line = name.split()
    for _ in arguments:
        line += draw(st.lists(WORDS.filter(lambda word: not word.startswith("-")), max_size=2))
    for option in draw(st.lists(st.sampled_from(options), max_size=4, unique_by=lambda one: one.name)):
        flag = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if flag in ("--help", "-h", "--output", "--to", "--save-weights", "--address"):
            continue  # these write where they are told
        line += [flag] if option.is_flag else [flag, draw(WORDS)]
    return [*line, *CHEAP[name]]


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def check(result: Result) -> None:
    """Check that this is a result, or one clear line."""
    unexpected = None if isinstance(result.exception, SystemExit | None) else result.exception
    assert unexpected is None, repr(unexpected)
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.output
    if result.exit_code:
        lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1 or "Usage: " in result.stderr, result.stderr


@OFTEN
@given(command_lines())
@example(["run", "--dataset", "digits", "--preset", "demo", "--tag", "a=\x00"])
@example(["sweep", "--name", "a/b", "--dry-run", "--dataset", "digits"])
@example(["sweep", "study.py", "--seeds", "99999999999", "--dry-run", "--dataset", "digits"])
def test_any_combination_of_flags_gives_a_result_or_one_line(kitchen: Path, line: list[str]) -> None:
    check(call(*line))


@pytest.mark.slow
@settings(max_examples=3000, suppress_health_check=list(HealthCheck))
@given(command_lines())
def test_any_combination_of_flags_for_long(kitchen: Path, line: list[str]) -> None:
    check(call(*line))


VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2)
    | st.sampled_from(["adam", "sgd", 16, 1, 0.5, "all"])
)


NAMES = [setting.name for setting in WORKLOAD.settings]


NAMES += [setting.name for setting in WORKLOAD.factors.hyperparameters]


@settings(max_examples=300)
@given(
    factors=st.lists(st.sampled_from(list(WORKLOAD.factors)) | st.text(max_size=3), max_size=4),
    values=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), VALUES, max_size=3),
    seed=VALUES,
)
def test_any_recipe_is_one_or_is_refused_in_one_line(factors: list[str], values: dict[str, Any], seed: Any) -> None:
    with one_line():
        recipe = Recipe.of(WORKLOAD, factors, values, seed)
        assert recipe.key
        assert recipe.label
        json.dumps(recipe.as_dict(), allow_nan=False)


CELLS = st.sampled_from(
    ["baseline", "no-x", "no-y", "0", "1", "2", "0.5", "0.91", "91", "nan", "inf", "-inf", "1e400", "true", "false", "",
     "finished", "unstable", "failed", "running", "x,y", '"', "\n", "=1+1", "<b>", "1e99", "-0"]
) | st.text(max_size=4)  # fmt: skip


COLUMNS = ["variant", "seed", "status", "test_accuracy", "x", "y", "augment", "val/loss", "", "seed "]


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Draw the text of a CSV file of runs, mostly with the columns that one has."""
    columns = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=6))
    if draw(st.booleans()):
        columns = ["variant", "seed", "test_accuracy", *columns]
    rows = draw(st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), max_size=12))
    return "\n".join(",".join(cells) for cells in [columns, *rows])


@st.composite
def plausible_tables(draw: st.DrawFn) -> str:
    """Draw a table in which only a few cells are odd."""
    rows = [
        [name, str(seed), f"{draw(st.floats(0, 1)):.3f}"] for name in ("baseline", "no-x", "no-y") for seed in range(3)
    ]
    for _ in range(draw(st.integers(0, 3))):
        draw(st.sampled_from(rows))[draw(st.integers(0, 2))] = draw(CELLS)
    return "\n".join(",".join(cells) for cells in [["variant", "seed", "test_accuracy"], *rows])


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(text=st.text() | st.binary() | tables() | plausible_tables())
@example("\n0")
@example("\n,")
@example("variant,seed,test_accuracy\nbaseline,1e300,0.5\n")
@example(b"BZh")
@example(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
def test_any_file_of_runs_is_read_or_refused_in_one_line(tmp_path_factory: Any, text: str | bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    with one_line():
        from_table("any", "any.csv", read_csv(path), TableOptions())


@SELDOM
@given(text=plausible_tables() | tables())
@example("variant,seed,test_accuracy\nbaseline,0,0.5\nbaseline,1,0.5\n=1+1,0,0.5\n=1+1,1,0.5\n")
def test_any_file_of_runs_gives_a_report_or_one_line(kitchen: Path, text: str) -> None:
    (kitchen / "any.csv").write_text(text, encoding="utf-8", newline="")
    check(call("report", "--runs", "any.csv", "--html"))


@st.composite
def folders(draw: st.DrawFn) -> dict[str, bytes]:
    """Draw the files of something like an image folder."""
    picture = io.BytesIO()
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(picture, "PNG")
    parts = st.sampled_from(["train", "test", "val", "cat", "dog", ".git", "a b", "é", "x\ny"])
    names = st.lists(parts, min_size=1, max_size=4).map("/".join)
    leaves = st.sampled_from(["0.png", "1.jpg", "notes.txt", ".DS_Store", "Thumbs.db", "x"])
    content = st.sampled_from([picture.getvalue(), b"", b"text", picture.getvalue()[:50]])
    sound = {f"{split}/{label}/0.png": picture.getvalue() for split in ("train", "test") for label in ("cat", "dog")}
    some = draw(st.dictionaries(st.tuples(names, leaves).map("/".join), content, max_size=4))
    return {**(sound if draw(st.booleans()) else {}), **some}


@OFTEN
@given(files=folders())
def test_any_folder_of_images_gives_a_data_set_or_one_line(tmp_path_factory: Any, files: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, content in files.items():
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
    with one_line():
        assert open_dataset(ImageSource(folder=folder), 8).classes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def journals(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """Draw a journal that is damaged: fields replaced or removed, lines lost, doubled, swapped or overwritten."""
    lines = list(whole)
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["field", "inner", "remove", "double", "text", "bytes"]))
        if kind in ("field", "inner"):
            lines[number] = _changed(draw, lines[number], inner=kind == "inner")
        elif kind == "remove" and len(lines) > 1:
            del lines[number]
        elif kind == "double":
            lines.insert(draw(st.integers(0, len(lines))), lines[number])
        else:
            lines[number] = draw(st.text().map(str.encode) if kind == "text" else st.binary())
    return b"\n".join(lines) + draw(st.sampled_from([b"\n", b"", b"\n\n", b"\n{"]))


def _changed(draw: st.DrawFn, line: bytes, *, inner: bool) -> bytes:
    try:
        record = json.loads(line)
        target = record
        if inner:
            target = draw(st.sampled_from([value for value in record.values() if isinstance(value, dict) and value]))
        name = draw(st.sampled_from(sorted(target)))
    except (ValueError, TypeError, AttributeError, IndexError):
        return line
    if draw(st.booleans()):
        target[name] = draw(JSON)
    else:
        del target[name]
    return json.dumps(record).encode()


@pytest.fixture(scope="module")
def sound_lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    project = Project(tmp_path_factory.mktemp("sound"))
    return write_run(project, epochs=1).read_bytes().split(b"\n")[:-1]


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_text_of_a_journal_is_a_run_or_one_line(tmp_path_factory: Any, sound_lines: list[bytes], data: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "0123456789ab-feed-0.jsonl"
    path.write_bytes(data.draw(journals(sound_lines) | st.binary() | st.text().map(lambda text: text.encode())))
    with one_line():
        load(path)


@SELDOM
@given(data=st.data())
def test_any_text_of_a_journal_lets_the_commands_go_on(
    tmp_path_factory: Any, sound_lines: list[bytes], data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty_database()
    project = mlflow_project(tmp_path_factory.mktemp("project"))
    path = Journals(project.journals).path("0123456789ab-feed-0")
    path.parent.mkdir()
    path.write_bytes(data.draw(journals(sound_lines)))
    tracker = open_tracker(project)
    with one_line():
        tracker.deliver(path)
    with contextlib.chdir(project.root):
        for line in (["list"], ["doctor"], ["doctor", "--repair"], ["doctor"]):
            check(call(*line))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("report --runs runs.csv --metric acc,loss --margin 5 --margin loss=0.5", "--margin is given 2 times"),
        ("report --runs runs.csv --metric acc --margin 5 --metric=f1", "--metric is given 2 times"),
        ("report --folder . --folder logs", "--folder is given 2 times"),
        ("gate --runs runs.csv --margin 1 --margin 2", "--margin is given 2 times"),
        ("report --wandb a/b --step last --step 3 --step 4", "--step is given 3 times"),
    ],
)
def test_no_option_of_a_report_is_dropped_in_silence(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ablate", *words.split()])
    with pytest.raises(SystemExit) as stop:
        app()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {message}. Give ")
