"""The laptop's scale: bfloat16 against float32, then the study of the seven components and the candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.stats.effects.inference import paired_t
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.journals import REHEARSAL, REHEARSED_QUESTION, kernels, scores, sweep

STUDY, CANDIDATES = (Path(__file__).parents[2] / "experiments" / f"{name}.py" for name in ("laptop", "candidates"))
MARGIN = 0.5


def measure(bench: Bench) -> None:
    """Run two variants in both precisions, with paired seeds, then both studies by their sequential rule.

    The studies have a project of their own: with earlier runs they would not be preregistered.
    """
    half, single, studies = (bench.work / name for name in ("bf16", "float32", "laptop"))
    scale: tuple[str, ...] = ("--jobs", "10", "--threads", "1")
    question: tuple[str, ...] = ("--factors", "dropout", "--seeds", "10", "--name", "precision")
    if bench.is_rehearsal:
        scale, question = REHEARSAL, (*REHEARSED_QUESTION, "--name", "precision")
    pairs = (str(STUDY), *scale, *question)
    bench.record("bf16", **sweep(bench, half, *pairs, "--precision", "bf16", seconds=0.3 * bench.remaining))
    bench.record("float32", **sweep(bench, single, *pairs, "--precision", "fp32", seconds=0.5 * bench.remaining))
    bench.attempt("bf16 is fp32", 0, lambda: compare(half, single))
    if not bench.is_rehearsal:
        rule = (*scale, "--until-clear", *kernels(bench))
        bench.record("study", **sweep(bench, studies, str(STUDY), *rule, seconds=0.6 * bench.remaining))
        bench.record("candidates", **sweep(bench, studies, str(CANDIDATES), *rule, seconds=bench.remaining))


def compare(half: Path, single: Path) -> dict[str, Any]:
    """Return the differences of the paired runs in points, and the p-value of their equivalence within the margin."""
    there = {key[1:]: score for key, score in scores(single).items()}
    here = {key[1:]: score for key, score in scores(half).items()}
    differences = [here[key] - there[key] for key in here.keys() & there.keys()]
    if len(differences) < 2:
        return {"pairs": len(differences)}
    found = paired_t(differences, MARGIN)
    return {
        "pairs": len(differences),
        "p_tost": found.p_tost,
        "delta": found.delta,
        "interval": [found.low, found.high],
    }
