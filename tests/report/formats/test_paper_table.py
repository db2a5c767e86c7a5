"""The table for a paper: within the text width, the best in bold with those that do not differ from it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablate.report.analysis import Analysis, analyse
from ablate.report.best_arms import best_arms
from ablate.report.formats.latex import latex_table
from ablate.report.formats.paper_table import markdown_table
from ablate.report.sources.existing_runs import TableOptions, from_table

EVIL = {"baseline": 0.9, 'a_b%&#$^~{}\\"<>|`': 0.85, "[x]": 0.899, "é" * 40: 0.9, "without" * 12: 0.91}
MANY = {"baseline": 0.9, **{f"variant_number_{place}": 0.9 + place / 1000 for place in range(40)}}
BASELINE_AND_TWO = {"baseline": 1.0, "worse": 2.0, "negative": -3.0}


def analysis(
    means: dict[str, float], *, seeds: int = 5, scale: float = 1, sd: float = 0.004, **options: object
) -> Analysis:
    random = np.random.default_rng(0)
    metric = str(options.get("metric", "test_accuracy"))
    rows = [
        {"variant": name, "seed": seed, "status": "finished", metric: repr(scale * (mean + random.normal(0, sd)))}
        for name, mean in means.items()
        for seed in range(seeds)
    ]
    return analyse(from_table("my_study", "a_b.csv", pd.DataFrame(rows).astype(str), TableOptions(**options)))  # type: ignore[arg-type]


CASES = {
    "names": analysis(EVIL),
    "many": analysis(MANY),
    "one seed": analysis({"baseline": 0.9, "no-x": 0.8}, seeds=1),
    "huge": analysis(BASELINE_AND_TWO, scale=123456.789, metric="reward", goal="max", unit="own", margin=1000.0),
    "long numbers": analysis(BASELINE_AND_TWO, scale=1e12, metric="loss", margin=1e-3),
    "tiny": analysis(BASELINE_AND_TWO, scale=1e-7, metric="loss", margin=1e-8),
}


@pytest.mark.parametrize("case", CASES)
def test_every_row_has_its_cells(case: str) -> None:
    text = latex_table(CASES[case])
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    for row in re.findall(r".*\\tabularnewline", text):
        assert len(re.findall(r"(?<!\\)&", row)) == 4
    assert not re.search(r"\\\\ *\[", text), "a bracket after the end of a line is its argument"
    assert r"\label{tab:my-study}" in text
    assert "Margin: " in text
    assert r"runs from a\_b.csv" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX here")
@pytest.mark.parametrize("case", CASES)
def test_the_table_compiles_within_the_text_width(case: str, tmp_path: Path) -> None:
    (tmp_path / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,longtable}\n\\begin{document}\n"
        f"{latex_table(CASES[case])}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Overfull \\hbox" not in log


def test_the_best_and_those_that_do_not_differ_from_it_are_bold() -> None:
    found = analysis({"baseline": 0.9, "same": 0.9005, "worse": 0.85, "better": 0.93, "as-good": 0.9302})
    assert set(best_arms(found)) == {"better", "as-good"}
    bold = re.findall(
        r"raggedright (\S+) .*textbf", latex_table(found).replace(r"\allowbreak{}", "").replace(r"\penalty900{}", "")
    )
    assert set(bold) == {"better", "as-good"}
    assert markdown_table(found).count("**") == 4


def test_names_keep_their_spaces() -> None:
    text = latex_table(analysis({"baseline": 0.9, "lr=0.1, optimizer=a bc": 0.85, "averaged αβγδεζ over 2": 0.8}))
    text = text.replace(r"\allowbreak{}", "").replace(r"\penalty900{}", "")
    assert "raggedright lr=0.1, optimizer=a bc &" in text
    assert "raggedright averaged αβγδεζ over 2 &" in text


def test_a_lower_loss_is_better() -> None:
    found = analysis({"baseline": 1.0, "worse": 2.0, "better": 0.5}, metric="loss", margin=0.1)
    assert best_arms(found) == ["better"]
    assert "lower is better" in latex_table(found)


def test_against_the_baseline_the_marks_are_the_verdicts_of_the_report() -> None:
    found = analysis({"baseline": 0.95, "same": 0.9499, "worse": 0.9})
    verdicts = {effect.variant: effect.verdict for effect in found.effects}
    assert verdicts["worse"] == "clear and important loss"
    assert set(best_arms(found)) == {"baseline", "same"}


def test_one_seed_distinguishes_nothing() -> None:
    assert set(best_arms(CASES["one seed"])) == {"baseline", "no-x"}


def test_the_verdict_is_the_second_column_in_markdown() -> None:
    lines = markdown_table(CASES["names"]).splitlines()
    assert lines[0].startswith("| variant | verdict | mean ± SD | difference | family-wise interval |")
    assert lines[2].startswith("| `baseline` | reference | ")
