"""A report on a table loads what it needs: no training, tuning or tracking code, and no library that they use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.samples.effects import BASELINE, NO_BATCH_NORM, run_table

NOT_NEEDED = ("ablate.runs", "ablate.workloads", "ablate.tuning", "ablate.tracking", "ablate.journal",
              "torch", "mlflow", "optuna", "ray")  # fmt: skip
PROGRAM = """
import sys
from pathlib import Path

from ablate.report.sources.table import TableOptions, from_table, read_csv
from ablate.report.write import write_report

write_report(from_table("mine", "runs.csv", read_csv(Path("runs.csv")), TableOptions()), Path("report"), as_html=True)
print(*sys.modules, sep="\\n")
"""


def test_a_report_on_a_table_loads_no_training_tuning_or_tracking(tmp_path: Path) -> None:
    run_table({"baseline": BASELINE, "no-batch-norm": NO_BATCH_NORM}).to_csv(tmp_path / "runs.csv", index=False)
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "ablate.report.sections.document" in loaded
    assert [name for name in loaded if f"{name}.".startswith(tuple(f"{root}." for root in NOT_NEEDED))] == []
    assert len([name for name in loaded if name.startswith("ablate")]) < 90
