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
