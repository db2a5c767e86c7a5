"""A run's identity covers training code and data content, but not formatting and dates."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.journal.run_journal import Journals
from ablate.runs.forecast import code_cautions
from ablate.runs.sweep import plan_runs
from ablate.studies.conditions import Conditions
from ablate.workloads.custom.fingerprint import content_digest, training_code
from ablate.workloads.custom.study_file import load_study
from ablate.workloads.dispatch import open_data
from tests.samples.custom import LATENCY, runs_of, written

SAME = {
    "a comment": ("def train", "# faster\n\ndef train"),
    "a docstring": ("Answer a few requests.", "Answer some."),
    "the question": ("Which caches", "Do the caches"),
    "more seeds": ("seeds=5", "seeds=30"),
    "another margin": ("margin=5", "margin=1.5"),
    "layout": ("return {", "return     {"),
    "an import of ours": ("import Metric,", "import Metric, Range,"),
}


OTHER = {
    "the function": ("30 * (not", "31 * (not"),
    "a global": ("def train", "SIZE = 3\ndef train"),
    "an import": ("def train", "import json\ndef train"),
}


def keys(folder: Path, text: str) -> set[str]:
    return {recipe.key for recipe in load_study(written(folder, text)).recipes()}


@pytest.mark.parametrize("change", SAME)
def test_changes_that_do_not_affect_training_keep_the_keys(tmp_path: Path, change: str) -> None:
    assert SAME[change][0] in LATENCY
    assert keys(tmp_path, LATENCY) <= keys(tmp_path, LATENCY.replace(*SAME[change]))


@pytest.mark.parametrize("change", OTHER)
def test_changed_code_changes_the_keys_unless_a_version_is_declared(tmp_path: Path, change: str) -> None:
    before, after = LATENCY, LATENCY.replace(*OTHER[change])
    assert before != after
    assert not keys(tmp_path, before) & keys(tmp_path, after)
    versioned = [text.replace("settings=", 'version="2", settings=') for text in (before, after)]
    assert keys(tmp_path, versioned[0]) == keys(tmp_path, versioned[1])
    assert not keys(tmp_path, versioned[0]) & keys(tmp_path, before)


def test_the_module_of_an_imported_function_is_part_of_the_code(tmp_path: Path) -> None:
    text = "from ablate import Metric, Study, from_function\nfrom own_model import train\n"
    text += "study = Study(workload=from_function(train, factors={'a': 'b'}, metric=Metric('score'), code=['lib']))\n"
    written(tmp_path, "x = 1", "lib/layers.py")
    found = []
    for program in ("def train(recipe, log): return 0.5", "def train(recipe, log): return 0.6"):
        written(tmp_path, program, "own_model.py")
        found.append(training_digest(tmp_path, text))
    written(tmp_path, "x = 2", "lib/layers.py")
    found.append(training_digest(tmp_path, text))
    assert len(set(found)) == 3


def training_digest(folder: Path, text: str) -> str:
    study_file = load_study(written(folder, text)).workload.study_file
    assert study_file is not None
    return study_file.code_digest


def test_lambdas_in_the_study_statement_are_part_of_the_code() -> None:
    one, other = (f"study = Study(workload=from_function(lambda recipe, log: {number}))" for number in (1, 2))
    assert training_code(one) != training_code(other)
    assert training_code("def f():\n    'docstring'") == training_code("def f():\n    pass")


def test_data_is_identified_by_names_and_content(tmp_path: Path) -> None:
    written(tmp_path, "1,2", "data/train.csv")
    before = content_digest(["data"], tmp_path)
    (tmp_path / "data" / "train.csv").touch()
    assert content_digest([str(tmp_path / "data")], Path("elsewhere")) == before
    (tmp_path / "data" / "train.csv").rename(tmp_path / "data" / "test.csv")
    renamed = content_digest(["data"], tmp_path)
    written(tmp_path, "1,3", "data/test.csv")
    assert len({before, renamed, content_digest(["data"], tmp_path)}) == 3
    with pytest.raises(UsageError, match="File or folder not found"):
        content_digest(["dta"], tmp_path)


def linked(folder: Path) -> Path:
    """A folder with a linked folder, a linked file, and links that lead back or nowhere."""
    written(folder, "1", "elsewhere/deep/a.csv")
    written(folder, "1", "elsewhere/b.csv")
    data = folder / "data"
    data.mkdir()
    for name, target in {
        "whole": "../elsewhere", "file.csv": "../elsewhere/b.csv", "loop": ".", "gone": "../nowhere", "up": "../data",
    }.items():  # fmt: skip
        (data / name).symlink_to(target)
    return data


@pytest.mark.parametrize("changed", ["elsewhere/deep/a.csv", "elsewhere/b.csv"])
def test_linked_folders_are_read(tmp_path: Path, changed: str) -> None:
    linked(tmp_path)
    before = content_digest(["data"], tmp_path)
    assert content_digest(["data"], tmp_path) == before
    (tmp_path / changed).write_text("2")
    assert content_digest(["data"], tmp_path) != before


def test_links_that_change_change_the_digest(tmp_path: Path) -> None:
    data = linked(tmp_path)
    found = [content_digest(["data"], tmp_path)]
    (data / "gone").unlink()
    (data / "gone").symlink_to("../missing")
    found.append(content_digest(["data"], tmp_path))
    written(tmp_path, "3", "missing")
    found.append(content_digest(["data"], tmp_path))
    (data / "more").mkdir()
    found.append(content_digest(["data"], tmp_path))
    (data / "more" / "back").symlink_to("../../elsewhere")
    found.append(content_digest(["data"], tmp_path))
    assert len(set(found)) == 4, "an empty folder has no content"
    assert content_digest([str(tmp_path / "data" / "whole")], tmp_path) == content_digest(["elsewhere"], tmp_path)


def test_the_digest_of_a_folder_without_links_stays(tmp_path: Path) -> None:
    for name in ("b.csv", "a/z.csv", "a/c/d.csv", "C/e.csv", "f.csv", "__pycache__/x.pyc"):
        written(tmp_path, name, f"data/{name}")
    assert content_digest(["data"], tmp_path) == "0e566a3c8919"


def test_results_next_to_the_code_are_not_code(tmp_path: Path) -> None:
    written(tmp_path, "x = 1", "model.py")
    written(tmp_path, "kept", "reports/kept.txt")
    before = content_digest(["."], tmp_path)
    written(tmp_path, "{}", "mlruns/journal/x.jsonl")
    after = content_digest(["."], tmp_path)
    written(tmp_path, "report", "reports/own/report.md")
    written(tmp_path, "ref", ".git/HEAD")
    assert content_digest(["."], tmp_path) == after != before, "reports are results where runs are"
    written(tmp_path, "x = 2", "model.py")
    assert content_digest(["."], tmp_path) != after


COMMANDS = {
    "an argument": "sh {here}/used.sh {a:x|y}",
    "a relative argument": "sh used.sh {a:x|y}",
    "a word of a shell command": "sh -c 'sh used.sh && echo {a:x|y}'",
    "an option": "sh other.sh --run=used.sh {a:x|y}",
    "a factor": "sh {a:used.sh|other.sh}",
    "a setting": "sh {script} {a:x|y}",
    "the environment": "sh other.sh {a:x|y}",
    "a module": "python -m package.used {a:x|y}",
}


@pytest.mark.parametrize("where", COMMANDS)
def test_files_that_a_command_names_are_its_code(tmp_path: Path, where: str) -> None:
    written(tmp_path, "echo 1", "other.sh")
    text = f"""
        from ablate import Metric, Study, from_command
        settings, metric = {{"script": "used.sh"}} if {where == "a setting"} else {{}}, Metric("score")
        environment = {{"SCRIPT": "{{here}}/used.sh"}} if {where == "the environment"} else {{}}
        given = dict(metric=metric, settings=settings, environment=environment)
        study = Study(workload=from_command({COMMANDS[where]!r}, **given))
    """
    name = "package/used.py" if where == "a module" else "used.sh"
    digests = []
    for content in ("echo 1", "echo 1", "echo 2"):
        written(tmp_path, content, name)
        digests.append(training_digest(tmp_path, text))
    assert digests[0] == digests[1] != digests[2]


def test_warnings_about_runs_of_other_code(tmp_path: Path) -> None:
    journals, conditions = Journals(tmp_path / "mlruns" / "journal"), Conditions("cpu", "own", 1)
    texts = [LATENCY, LATENCY.replace("30 *", "40 *")]
    versioned = [text.replace("settings=", 'version="1", settings=') for text in texts]

    def cautions(text: str) -> str:
        found = load_study(written(tmp_path, text)).change(seeds=1)
        planned = plan_runs(found.recipes(), open_data(found.baseline, None), conditions, journals)
        return " ".join(code_cautions(found, planned, journals))

    assert cautions(texts[0]) == "", "there are no runs"
    runs_of(load_study(written(tmp_path, texts[0])), tmp_path, most=3)
    assert cautions(texts[0]) == ""
    assert "differs from that of 3 runs of own" in cautions(texts[1])
    runs_of(load_study(written(tmp_path, versioned[0])), tmp_path, most=3)
    assert cautions(versioned[0]) == ""
    assert "differs from that of 3 reused runs" in cautions(versioned[1])
