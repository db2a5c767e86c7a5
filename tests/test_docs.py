"""Documentation: its commands run or are well formed, generated blocks are up to date. Links: see test_links.py."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.report.marks.check import check_document, fill_document
from ablate.report.marks.quantities import QUANTITIES
from ablate.report.marks.syntax import read_document
from ablate.studies.arms import Arm, factors_in_question
from ablate.studies.designs import DESIGNS
from ablate.workloads.resnet9.factors import FACTORS
from tests import doc_blocks
from tests.doc_blocks import PAGES, ROOT
from tests.import_graph import MODULES
from tests.samples.committed import STUDIES
from tests.samples.tracking import mlflow_project

QUICK = ("--epochs", "1", "--width", "2", "--threads", "1")
OWN = "experiments/mine.py"
OWN_QUICK = ("--epochs", "1", "--threads", "1", "--executor", "serial")
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>[^>]+?) -->\n```console\n(?P<text>.*?)```", re.DOTALL)
BLOCK = re.compile(r"^```console\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
GUIDES = [page for page in PAGES if page.name != "README.md"]  # tests/test_readme.py runs the README's


def commands(text: str) -> list[str]:
    """Return the commands in the command blocks of a text, without comments."""
    blocks = "\n".join(found["text"] for found in BLOCK.finditer(text))
    typed = re.findall(r"^\$ (.*)$", re.sub(r"\\\n +", "", blocks), re.MULTILINE)
    return [re.sub(r"\s+#.*", "", command).strip() for command in typed]


def run_commands(page: Path) -> list[str]:
    """Return the `ablate` commands of a page that the tests run."""
    return [typed for typed in commands(NOT_RUN.sub("", page.read_text())) if typed.startswith("ablate ")]


def every_command() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for command in commands(page.read_text()):
            yield page.name, command


def name(value: object) -> str:
    return value.name if isinstance(value, Path) else str(value)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a small part of the demo study, whose runs the commands of the pages reuse."""
    folder = tmp_path_factory.mktemp("docs")
    mlflow_project(folder)
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = "sweep experiments/demo.py --factors augment,dropout --seeds 2 --executor serial"
        result = CliRunner().invoke(app, [*study.split(), *QUICK])
        assert result.exit_code == 0, result.output
        (folder / "runs.csv").write_text((folder / "reports" / "demo" / "runs.csv").read_text())
    return folder


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=pytest.mark.slow if page.stem in ("cli", "levels") else ())
        for page in GUIDES
        if run_commands(page) and page.stem != "tuning"  # tests/cli/test_tune.py has slow tests of its searches
    ],
)
def test_the_commands_of_a_page_run(page: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    for command in run_commands(page):
        quick = (OWN_QUICK if OWN in command else QUICK) if re.match(r"ablate (run|sweep)", command) else ()
        result = CliRunner().invoke(app, [*shlex.split(command)[1:], *quick])
        assert result.exit_code == 0, f"{command}: {result.output}"


@pytest.mark.parametrize(("page", "command"), list(every_command()))
def test_every_command_is_well_formed(page: str, command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif words[0] == "ablate":
        group = typer.main.get_command(app)
        context = group.make_context("ablate", words[1:], resilient_parsing=True)
        rest = [*context._protected_args, *context.args]
        while rest and hasattr(group, "commands"):
            assert rest[0] in group.commands, f"{page}: {command}"
            group = group.commands[rest.pop(0)]
        known = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert used <= known | {"--help", "--debug"}, f"{page}: {command}"
    else:
        assert words[0] in {"git", "pip", "python", "docker", "export", "ray", "source", "mlflow", "mkdir", "cp"}, (
            f"{page}: {command}"
        )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_in_console_blocks(page: Path) -> None:
    text = page.read_text()
    assert not re.findall(r"^```(?:sh|bash|shell)\b", text, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.findall(r"^    \$?\s*(?:ablate|make|mlflow|pip|python|export|git|mkdir|cp) .*", prose, re.MULTILINE)


def test_commands_that_are_not_run_state_a_reason() -> None:
    for page in GUIDES:
        text = page.read_text()
        assert all(len(found["reason"].split()) > 2 for found in NOT_RUN.finditer(text)), page.name
        assert text.count("<!-- not run") == len(list(NOT_RUN.finditer(text))), f"{page.name}: a mark without its block"


@pytest.mark.parametrize(
    ("page", "block"), [(page, block) for page in PAGES for block in doc_blocks.blocks(page)], ids=name
)
def test_generated_blocks_are_up_to_date(page: Path, block: str) -> None:
    assert doc_blocks.blocks(page)[block] == doc_blocks.made(block, page), "run `make doc-blocks`"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_marked_numbers_are_those_of_the_committed_studies(page: Path) -> None:
    document = doc_blocks.marked(page.read_text())
    studies = doc_blocks.studies_of(document)
    assert {mark.study for mark in document.marks} == set(studies)
    assert [item for item in check_document(document, studies) if not item.agrees] == [], "run `make doc-blocks`"


def test_pages_with_results_mark_them() -> None:
    marks = {page: len(doc_blocks.marked(page.read_text()).marks) for page in PAGES}
    assert marks[ROOT / "README.md"] >= 2
    assert marks[ROOT / "docs" / "lessons.md"] >= 7 + 7 * 5


def test_the_page_on_marks_names_every_quantity_and_its_examples_are_right() -> None:
    text = (ROOT / "docs" / "quoting.md").read_text()
    assert [quantity for quantity in QUANTITIES if f"`{quantity}`" not in text] == []
    examples = re.findall(r"^```(markdown|latex)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert [kind for kind, _ in examples] == ["markdown", "markdown", "latex"]
    for (kind, example), agree in zip(examples, (True, False, True), strict=True):
        page = Path("page.tex" if kind == "latex" else "page.md")
        document = read_document(example, page)
        studies = doc_blocks.studies_of(document)
        assert all(item.agrees for item in check_document(document, studies)) == agree
        filled = read_document(fill_document(document, studies), page)
        assert all(item.agrees for item in check_document(filled, studies))
        assert len(filled.marks) == len(document.marks) >= 1


@pytest.mark.slow  # it imports every committed study
def test_the_command_line_checks_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlruns").mkdir()
    monkeypatch.chdir(tmp_path)
    for study in STUDIES:
        assert CliRunner().invoke(app, ["sync", str(ROOT / "reports" / study), "--offline"]).exit_code == 0
    for page in (ROOT / "README.md", ROOT / "docs" / "lessons.md"):
        result = CliRunner().invoke(app, ["report", "--offline", "--check", str(page)])
        assert result.exit_code == 0, result.output
        assert result.stdout.endswith(", 0 wrong\n")


def test_the_lessons_treat_every_component() -> None:
    lessons = ROOT / "docs" / "lessons.md"
    assert set(doc_blocks.blocks(lessons)) == {
        *(f"measured {factor}" for factor in FACTORS.baseline),
        *("figure laptop", "together"),
    }


@pytest.mark.parametrize(
    ("verdict", "delta", "words"),
    [
        ("clear and important loss", -3.0, "agrees with the usual expectation"),
        ("clear and important gain", 3.0, "contradicts the usual expectation"),
        ("no practically meaningful effect", 0.01, "contradicts the usual expectation"),
        ("real, importance unresolved", -0.6, "whether it matters is open"),
        ("preliminary: inconclusive", -9.0, "neither confirm nor contradict"),
        ("trains unreliably", -60.0, "does not train reliably"),
    ],
)
def test_an_expectation_is_contradicted_only_by_a_verdict(verdict: str, delta: float, words: str) -> None:
    row = {"factor": "dropout", "verdict": verdict, "delta": str(delta)}
    assert words in doc_blocks._compared_with_expectation(row)
    assert "contradicts" not in doc_blocks._compared_with_expectation(row | {"factor": "grad_clip"})


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in index, page.name


def test_the_architecture_lists_every_module() -> None:
    page = ROOT / "docs" / "architecture.md"
    text = "".join(doc_blocks.made(block, page) for block in ("folders", "map"))
    for path in MODULES.values():
        shown = path.parent if path.name == "__init__.py" else path
        assert f"](../{shown.relative_to(ROOT).as_posix()})" in text


def test_the_table_of_designs_counts_right() -> None:
    text = (ROOT / "docs" / "studies.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)`(?:, ([^|]*))? \| (\d+) \|", text, re.MULTILINE)
    assert {design for design, _, _ in rows} == set(DESIGNS)
    for design, option, runs in rows:
        options = {"resolution 4": {"resolution": 4}, "`runs=32`": {"runs": 32}}.get(option, {})
        arms = DESIGNS[design](Arm(frozenset("abcdefg")), factors_in_question("abcdefg"), **options).arms
        assert len(arms) == int(runs), design


def test_the_example_study_gives_the_quoted_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "statistics.md").read_text()
    table = re.search(r"```csv\n(.*?)```", text, re.DOTALL)
    assert table
    (tmp_path / "runs.csv").write_text(table[1])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["report", "example", "--runs", "runs.csv", "--margin", "0.5"])
    quoted = " ".join(re.sub(r"^>", "", "\n".join(re.findall(r"^>.*", text, re.MULTILINE)), flags=re.MULTILINE).split())
    sentences = [line.strip(" -") for line in result.stdout.splitlines() if line.startswith("  - ")]
    assert len(sentences) == 3
    for sentence in sentences:
        assert sentence in quoted
