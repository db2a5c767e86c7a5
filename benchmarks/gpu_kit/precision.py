"""bfloat16 against float32 at the laptop's scale: the same runs in both precisions, paired by variant and seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.stats.effects.inference import paired_t
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.journals import REHEARSAL, REHEARSED_QUESTION, scores, sweep
from benchmarks.gpu_kit.laptop import SCALE, STUDY

MARGIN = 0.5


def measure(bench: Bench) -> None:
    """Run two variants with 20 seeds in each precision, as far as the time goes, and compare the pairs."""
    project = bench.work / "precision"
    question: tuple[str, ...] = (*SCALE, "--factors", "dropout", "--seeds", "20")
    if bench.is_rehearsal:
        question = (*REHEARSAL, *REHEARSED_QUESTION)
    for precision, share in (("bf16", 0.5), ("fp32", 1.0)):
        words = (str(STUDY), *question, "--name", precision, "--precision", precision)
        bench.record(precision, **sweep(bench, project, *words, seconds=share * bench.remaining))
    bench.attempt("bf16 is fp32", 0, lambda: compare(project))


def compare(project: Path) -> dict[str, Any]:
    """Return the differences of the paired runs in points, and the p-value of their equivalence within the margin."""
    found = scores(project)
    half, single = ({key[1:]: score for key, score in found.items() if key[0] == name} for name in ("bf16", "fp32"))
    differences = [half[key] - single[key] for key in half.keys() & single.keys()]
    if len(differences) < 2:
        return {"pairs": len(differences)}
    test = paired_t(differences, MARGIN)
    return {"pairs": len(differences), "p_tost": test.p_tost, "delta": test.delta, "interval": [test.low, test.high]}
