"""A report on a table loads what it needs: no training, tuning or tracking code, and no library that they use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.effects import BASELINE, NO_BATCH_NORM, run_table
from tests.samples.processes import start_program

LIBRARIES = ("torch", "mlflow", "optuna", "ray")
FROM_PYTHON = """
import sys
from pathlib import Path

from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.write import write_report

if __name__ == "__main__":
    study = from_table("mine", "runs.csv", read_csv(Path("runs.csv")), TableOptions())
    write_report(study, Path("report"), as_html=True)
    print(*sys.modules, sep="\\n")
"""
WITHOUT_FIGURES = """
import sys
from pathlib import Path

from ablate.report.analysis import analyse
from ablate.report.sections.document import markdown
from ablate.report.sources.readers.csv_runs import read_csv
from ablate.report.sources.existing_runs import TableOptions, from_table

markdown(analyse(from_table("mine", "runs.csv", read_csv(Path("runs.csv")), TableOptions(unpaired=True))), [], [])
markdown(analyse(from_table("mine", "runs.csv", read_csv(Path("runs.csv")), TableOptions())), [], [])
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
    started = start_program(code=program, folder=tmp_path, without=LIBRARIES)
    output, errors = started.communicate()
    assert started.returncode == 0, errors
    loaded = output.split("\n")
    assert (tmp_path / "report" / "report.md").is_file()
    assert "ablate.report.sections.document" in loaded
    roots = tuple(f"{root}." for root in (*not_needed, *LIBRARIES))
    assert [name for name in loaded if f"{name}.".startswith(roots)] == []


def test_a_report_does_not_load_the_modules_of_scipy_that_take_long_to_import(tmp_path: Path) -> None:
    table = run_table({"baseline": [*BASELINE, 93.3], "no-batch-norm": [*NO_BATCH_NORM, 90.2]})
    table.to_csv(tmp_path / "runs.csv", index=False)
    command = [sys.executable, "-c", WITHOUT_FIGURES]  # not a fork, which has imported them
    loaded = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split("\n")
    assert "scipy.special" in loaded
    assert {"scipy.stats", "scipy.optimize"} & set(loaded) == set()
