"""A report on a table loads what it needs: no training, tuning or tracking code, and no library that they use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.effects import BASELINE, NO_BATCH_NORM, run_table

LIBRARIES = ("torch", "mlflow", "optuna", "ray")
FROM_PYTHON = """
import sys
from pathlib import Path

from ablate.report.sources.table import TableOptions, from_table, read_csv
from ablate.report.write import write_report

if __name__ == "__main__":
    study = from_table("mine", "runs.csv", read_csv(Path("runs.csv")), TableOptions())
    write_report(study, Path("report"), as_html=True)
    print(*sys.modules, sep="\\n")
"""
FROM_THE_COMMAND_LINE = """
import sys

from ablate.cli.app import main

if __name__ == "__main__":
    sys.argv = ["ablate", "report", "--runs", "runs.csv", "--output", "report", "--json"]
    try:
        main()
    finally:
        print(*sys.modules, sep="\\n")
"""


@pytest.mark.parametrize(
    ("program", "not_needed"),
    [
        (FROM_PYTHON, ("ablate.runs", "ablate.workloads", "ablate.tuning", "ablate.tracking", "ablate.journal")),
        (FROM_THE_COMMAND_LINE, ("ablate.runs.executors", "ablate.runs.runner", "ablate.tuning")),
    ],
    ids=["python", "command line"],
)
def test_a_report_on_a_table_loads_no_training_or_tuning(
    tmp_path: Path, program: str, not_needed: tuple[str, ...]
) -> None:
    run_table({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM}).to_csv(tmp_path / "runs.csv", index=False)
    script = tmp_path / "script.py"
    script.write_text(program)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = done.stdout.split("\n")
    assert (tmp_path / "report" / "report.md").is_file()
    assert "ablate.report.sections.document" in loaded
    roots = tuple(f"{root}." for root in (*not_needed, *LIBRARIES))
    assert [name for name in loaded if f"{name}.".startswith(roots)] == []
