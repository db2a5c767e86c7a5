"""The laptop's scale: the study of the seven components, bfloat16 against float32, and the candidates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ablate.stats.effects.inference import paired_t
from benchmarks.gpu_kit.bench import Bench
from benchmarks.gpu_kit.journals import kernels, pack, scores, sweep

STUDY, CANDIDATES = (Path(__file__).parents[2] / "experiments" / f"{name}.py" for name in ("laptop", "candidates"))
MARGIN = 0.5


def measure(bench: Bench) -> None:
    """Run the study by its sequential rule, two of its arms again in float32, and the candidates."""
    half, single = bench.folder / "laptop", bench.folder / "float32"
    scale = ("--jobs", "10", "--threads", "1")
    fewer = ("--factors", "dropout", "--seeds", "20")
    rule: tuple[str, ...] = ("--until-clear", *kernels(bench))
    if bench.is_rehearsal:
        scale = ("--preset", "demo", "--epochs", "1", "--threads", "1")
        rule = fewer = ("--seeds", "2", "--factors", "dropout")
    bench.record("study", **sweep(bench, half, str(STUDY), *scale, *rule, seconds=0.6 * bench.remaining))
    pack(half, bench.folder / "laptop.tar.gz")
    again = (str(STUDY), *scale, *fewer)
    bench.record("float32", **sweep(bench, single, *again, "--precision", "fp32", seconds=bench.remaining))
    bench.attempt("bf16 is fp32", 0, lambda: compare(half, single))
    if not bench.is_rehearsal:
        more = (str(CANDIDATES), *scale, *rule)
        bench.record("candidates", **sweep(bench, half, *more, seconds=bench.remaining))
        pack(half, bench.folder / "laptop.tar.gz")


def compare(half: Path, single: Path) -> dict[str, Any]:
    """Return the differences of the paired runs in points, and the p-value of their equivalence within the margin."""
    there = {key[1:]: score for key, score in scores(single).items()}
    pairs = [(score, there[key[1:]]) for key, score in scores(half).items() if key[1:] in there]
    found = paired_t([a - b for a, b in pairs], MARGIN)
    return {"pairs": len(pairs), "p_tost": found.p_tost, "delta": found.delta, "interval": [found.low, found.high]}
