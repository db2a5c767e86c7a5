"""The study of the seven components at the notebook's own scale."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.journals import REHEARSAL, REHEARSED_QUESTION, kernels, sweep

STUDY = Path(__file__).parents[2] / "experiments" / "notebook.py"
SHARE = 0.8
"""The share of the remaining time that the study may take."""


def measure(bench: Bench) -> None:
    """Run the study, as far as the time goes, and pack its journals."""
    scale = ("--jobs", "3", "--threads", "4", *kernels(bench))
    if bench.is_rehearsal:
        scale = (*REHEARSAL, *REHEARSED_QUESTION)
    project = bench.work / "notebook"
    bench.record("study", **sweep(bench, project, str(STUDY), *scale, seconds=SHARE * bench.remaining))
