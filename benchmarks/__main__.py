"""Measure all figures, print them, store them in `benchmarks/results/` and compare them with the previous ones.

python -m benchmarks                 all groups: forty minutes on two idle cores, seventy on slow ones
python -m benchmarks --only help     the given groups of figures
python -m benchmarks --rounds 2      fewer rounds, and a wider range
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import accuracy, command, growth, processor, searches, step, sweeps, training, verdict, widths
from benchmarks.measure import Figure

RESULTS = Path(__file__).parent / "results"
THREADS = 2

GROUPS: dict[str, Callable[[int], list[Figure]]] = {
    "help": lambda rounds: [command.help_time(0.3, rounds)],
    "run": lambda rounds: [
        command.first_step(6.0, rounds),
        *command.run_overhead(5.0, rounds),
        command.tracking_in_the_loop(1.0, rounds),
    ],
    "training": lambda rounds: [
        training.throughput(16, 6.0, rounds, THREADS),
        training.throughput(64, 5.0, rounds, THREADS),
    ],
    "rate": lambda rounds: [
        training.share_of_rate(64, 150.0, rounds, THREADS, precision) for precision in processor.precisions()
    ],
    "fused": lambda rounds: [training.fusing(width, 1.0, rounds) for width in (8, 16, 64)],
    "widths": lambda rounds: [
        widths.against_pytorch(width, precision, 0.97, rounds)
        for width in widths.WIDTHS
        for precision in ("fp32", "bf16")
    ],
    "precision": lambda rounds: [training.choice_of_precision(width, 1.0, rounds, THREADS) for width in (16, 64)],
    "sweep": lambda rounds: [*sweeps.overhead(1.05, 2.0), sweeps.planning(5.0, rounds)],
    "step": lambda rounds: [step.augmentation_share(width, 3.0, rounds) for width in (8, 16, 32, 64)],
    "references": lambda rounds: [sweeps.shell_loop(1.0), command.recording(0.1, rounds), searches.search(1.0)],
    "growth": lambda rounds: [
        growth.training_by("epochs", (5, 10, 20, 40)),
        growth.training_by("train-size", (300, 600, 900, 1200), "--epochs", "100"),
        growth.training_by("width", (8, 16, 24, 32)),
        growth.planning_by_runs((1, 20, 200, 1000, 2000), rounds),
        growth.report_by("arms", (2, 8, 16, 32)),
        growth.report_by("seeds", (5, 20, 80, 320)),
        growth.memory_over_a_sweep(1.1),
    ],
    "accuracy": lambda rounds: accuracy.on_cpu(10 * rounds),
    "verdict": lambda rounds: [verdict.cost("laptop", 16, 1 / 8, rounds), verdict.cost("notebook", 64, 1 / 8, rounds)],
    "workers": lambda rounds: [training.two_workers(16, 1.1, rounds), training.two_workers(64, 1.0, rounds)],
}

ALIKE = ("processor", "vectors")
"""The facts that two machines must share for their figures to be compared."""


def machine() -> dict[str, Any]:
    """Return the facts that the figures depend on."""
    from ablate.runs.provenance import environment

    facts = environment(Path.cwd())
    return {
        "commit": (facts["commit"] or "none")[:7] + ("-dirty" if facts["dirty"] else ""),
        "processor": facts["processor"],
        "vectors": processor.own_vectors(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        **{name: installed(name) for name in ("torch", "torchvision", "mlflow")},
    }


def installed(package: str) -> str:
    """Return the version of a package, or "none"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def last(facts: dict[str, Any]) -> dict[str, float]:
    """Return the latest median of each figure on this processor, from local and committed results."""
    every = [json.loads(path.read_text()) for path in RESULTS.glob("*.json")]
    alike = [one for one in every if all(one["machine"].get(name) == facts[name] for name in ALIKE)]
    ordered = sorted(alike, key=lambda one: one["time"])
    return {line["name"]: line["value"] for one in ordered for line in one["figures"]}


def show(figures: list[Figure], before: dict[str, float]) -> Table:
    """Return the figures as a table."""
    table = Table("figure", "median", "range", "goal", "previous", "reference", "details")
    for figure in figures:
        goal = f"{'>=' if figure.at_least else '<='} {figure.goal:g} {figure.unit} {'yes' if figure.is_met else 'NO'}"
        table.add_row(
            figure.name,
            f"{figure.value:.3g} {figure.unit}",
            f"{min(figure.values):.3g} to {max(figure.values):.3g}, n {len(figure.values)}",
            goal,
            f"{before[figure.name]:.3g}" if figure.name in before else "-",
            figure.against,
            figure.detail,
        )
    return table


def main() -> None:
    """Measure the figures, store and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed against references.")
    parser.add_argument("--only", nargs="+", choices=tuple(GROUPS), default=tuple(GROUPS), metavar="GROUP")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements per figure")
    arguments = parser.parse_args()
    console, facts = Console(width=None if os.isatty(1) else 180), machine()
    before = last(facts)
    console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
    if facts["load_before"] > 0.5:
        console.print(f"load {facts['load_before']:.1f} before the start: other processes widen the ranges")
    figures: list[Figure] = []
    try:
        for name in arguments.only:
            console.print(f"measuring {name}", style="dim")
            figures += GROUPS[name](arguments.rounds)
    finally:  # figures measured before a failure are stored and printed too
        store(figures, facts, console)
        console.print(show(figures, before), highlight=False)


def store(figures: list[Figure], facts: dict[str, Any], console: Console) -> None:
    """Write the figures to a new file in `results/`."""
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    lines = [{**asdict(figure), "value": figure.value, "met": figure.is_met} for figure in figures]
    path = RESULTS / f"{now:%Y%m%d-%H%M%S}-{facts['commit']}.json"
    path.write_text(json.dumps({"time": now.isoformat(), "machine": facts, "figures": lines}, indent=2) + "\n")
    console.print(f"stored in {path.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
