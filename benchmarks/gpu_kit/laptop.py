"""The laptop's scale: the study of the seven components, then the candidates by their sequential rule."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.journals import REHEARSAL, REHEARSED_QUESTION, kernels, sweep

STUDY, CANDIDATES = (Path(__file__).parents[2] / "experiments" / f"{name}.py" for name in ("laptop", "candidates"))
SCALE = ("--jobs", "10", "--threads", "1")


def measure(bench: Bench) -> None:
    """Run both studies, as far as the time goes, each in a project of its own: earlier runs would not be planned."""
    study, candidates = bench.work / "laptop", bench.work / "candidates"
    scale = (*REHEARSAL, *REHEARSED_QUESTION) if bench.is_rehearsal else (*SCALE, *kernels(bench))
    bench.record("study", **sweep(bench, study, str(STUDY), *scale, seconds=bench.remaining))
    if not bench.is_rehearsal:
        rule = (*scale, "--until-clear")
        bench.record("candidates", **sweep(bench, candidates, str(CANDIDATES), *rule, seconds=bench.remaining))
