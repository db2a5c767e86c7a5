"""Under what the runs were made: facts for the card, and warnings where arms differ in more than their recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablate.journal.run_journal import Run
from ablate.tracking import PlanEntry

_NAMED = {
    "device": "device",
    "precision": "precision",
    "threads": "number of threads",
    "compiled": "compiled",
    "fused": "fused kernels",
}
_BEFORE = {"compiled": False, "fused": False}
"""What runs have that were made before there was such a condition."""


def conditions_facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Data, device, precision, commit and versions, each with all the values that occur."""
    data = _listed(run.data for run in runs)
    where = _listed(
        " ".join(str(run.conditions.get(name, "")) for name in ("device", "precision"))
        + "".join(f" {name}" for name in _BEFORE if run.conditions.get(name))
        for run in runs
    )
    threads = _listed(str(run.conditions["threads"]) for run in runs if "threads" in run.conditions)
    commits = _listed(_commit(run) for run in runs if run.environment.get("commit"))
    versions = _listed(_versions(run) for run in runs if run.environment.get("versions"))
    processors = _listed(str(run.environment["processor"]) for run in runs if run.environment.get("processor"))
    facts = [
        ("Data fingerprint", data),
        ("Device and precision", where + (f", threads {threads}" if threads else "")),
        ("Processor", processors),
        ("Commit", commits),
        ("Versions", versions),
    ]
    return [(name, text) for name, text in facts if text.strip()]


def condition_cautions(runs: Iterable[Run]) -> list[str]:
    """A warning for everything but the recipe in which runs that are compared differ."""
    runs = list(runs)
    lines = []
    for name, words in _NAMED.items():
        values = sorted({str(made[name]) for run in runs if name in (made := {**_BEFORE, **run.conditions})})
        if len(values) > 1:
            lines.append(f"The runs mix conditions: {words} {_and(values)}; a difference may be due to that.")
    data = sorted({run.data for run in runs})
    if len(data) > 1:
        lines.append(f"The runs were made on {len(data)} different data sets ({_and(data)}): they do not compare.")
    commits = sorted({str(run.environment.get("commit") or "unknown")[:10] for run in runs})
    if len(commits) > 1:
        lines.append(f"The runs were made by {len(commits)} versions of the code ({_and(commits)}).")
    if any(run.environment.get("dirty") for run in runs):
        lines.append("Some runs were made with uncommitted changes to the code (kept with each run as diff.patch).")
    return lines


def no_op_cautions(comparisons: Sequence[Mapping[str, Any]], runs: Mapping[PlanEntry, Run], tracked: str) -> list[str]:
    """A warning for every arm that ended with the very weights and score of its reference at each shared seed."""
    found: dict[str, dict[int, Run]] = {}
    for planned, run in runs.items():
        found.setdefault(planned.variant, {})[planned.seed] = run
    lines = []
    for row in comparisons:
        one, other = found.get(row["variant"], {}), found.get(row["reference"], {})
        shared = [(one[seed], other[seed]) for seed in one if seed in other]
        if shared and all(_same(*pair, tracked) for pair in shared):
            lines.append(
                f"{row['variant']} is identical to {row['reference']}: the same final weights and score at every "
                f"seed ({len(shared)}). Switching it changed nothing that was computed; the factor may have no "
                "effect in this recipe, or its switch may be broken."
            )
    return lines


def _same(one: Run, other: Run, tracked: str) -> bool:
    digest = one.params.get("weights_digest")
    return digest is not None and (digest, one.metrics.get(tracked)) == (
        other.params.get("weights_digest"),
        other.metrics.get(tracked),
    )


def _commit(run: Run) -> str:
    changed = " with uncommitted changes" if run.environment.get("dirty") else ""
    return f"{str(run.environment['commit'])[:10]}{changed}"


def _versions(run: Run) -> str:
    return ", ".join(f"{name} {number}" for name, number in run.environment["versions"].items())


def _listed(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(value for value in values if value))


def _and(values: Sequence[str]) -> str:
    return ", ".join(values[:-1]) + f" and {values[-1]}"
