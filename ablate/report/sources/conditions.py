"""The conditions of runs: facts for the study card, and warnings about variants that differ in more than the recipe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ablate.journal.run_journal import Run
from ablate.report.formats.numbers import enumerated
from ablate.studies.conditions import IMPLEMENTATIONS
from ablate.tracking import PlanEntry, run_title
from ablate.wording import count as counted

_NAMES = {
    "device": "device",
    "precision": "precision",
    "threads": "number of threads",
    "compiled": "compiled",
    "fused": "fused kernels",
}
_EARLIER = {"compiled": False, "fused": False}
"""Values of the runs that are older than these conditions."""


def conditions_facts(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return data, device, precision, commit and versions, each with all the values that occur."""
    devices = _joined(
        " ".join(str(run.conditions.get(name, "")) for name in ("device", "precision"))
        + "".join(f" {name}" for name in _EARLIER if run.conditions.get(name))
        for run in runs
    )
    threads = _joined(str(run.conditions["threads"]) for run in runs if "threads" in run.conditions)
    facts = [
        ("Data fingerprint", _joined(run.data for run in runs)),
        ("Device and precision", devices + (f", threads {threads}" if threads else "")),
        ("Processor", _joined(str(run.environment.get("processor") or "") for run in runs)),
        ("GPU", _joined(str(run.environment.get("gpu") or "") for run in runs)),
        ("Commit", _joined(_commit(run) for run in runs if run.environment.get("commit"))),
        ("Versions", _joined(_versions(run) for run in runs if run.environment.get("versions"))),
    ]
    return [(name, text) for name, text in facts if text.strip()]


def condition_cautions(runs: Iterable[Run]) -> list[str]:
    """Return a warning for each condition in which the compared runs differ, and one about uncommitted changes."""
    runs = list(runs)
    lines = mixed_conditions(runs)
    if any(run.environment.get("dirty") for run in runs):
        lines.append("Some runs used uncommitted changes to the code (stored with each run as diff.patch).")
    warned = {run_title(run): run.error for run in runs if run.status == "finished" and run.error}
    if warned:
        lines.append(
            f"Finished with a warning: {enumerated([f'{title} ({text})' for title, text in warned.items()], 3)}."
        )
    return lines


def mixed_conditions(runs: Sequence[Run]) -> list[str]:
    """Return a warning for each condition in which runs differ: device, precision, data, version of the code."""
    lines = []
    for name, words in _NAMES.items():
        values = sorted({str(used[name]) for run in runs if name in (used := {**_EARLIER, **run.conditions})})
        if len(values) > 1:
            lines.append(f"Mixed conditions: {words} {enumerated(values)}. Differences may be due to this.")
    lines += _mixed_implementations(runs)
    data = sorted({run.data for run in runs})
    if len(data) > 1:
        lines.append(f"The runs used {len(data)} different data sets ({enumerated(data)}) and cannot be compared.")
    commits = sorted({str(run.environment.get("commit") or "unknown")[:10] for run in runs})
    if len(commits) > 1:
        lines.append(f"The runs used {len(commits)} versions of the code ({enumerated(commits)}).")
    return [*lines, *_edited_imports(runs)]


def _edited_imports(runs: Sequence[Run]) -> list[str]:
    """Return a warning if the trainings of the runs imported different versions of a local file."""
    newest: dict[str, str] = {}
    for run in sorted(runs, key=lambda run: run.started):
        newest |= run.environment.get("imports", {})
    older = {
        run_title(run): [name for name, digest in run.environment.get("imports", {}).items() if digest != newest[name]]
        for run in runs
    }
    titles = [title for title, names in older.items() if names]
    files = list(dict.fromkeys(name for names in older.values() for name in names))
    return [
        f"The trainings imported different versions of {enumerated(files)}: {counted(len(titles), 'run')} of "
        f"{len(runs)} ({enumerated(titles)}) an older one. Differences may be due to this. "
        "`ablate sweep --again` repeats all runs."
    ] * bool(files)


def _mixed_implementations(runs: Sequence[Run]) -> list[str]:
    """Return a warning if the runs computed a layer by different implementations.

    Runs without a table of measured implementations have recorded `default`, which does not name the layers.
    """
    every = {str(run.params.get(IMPLEMENTATIONS) or "") for run in runs} - {""}
    if "default" in every and len(every) > 1:
        return ["Mixed conditions: implementations of layers (default and measured). Differences may be due to this."]
    by_layer: defaultdict[str, set[str]] = defaultdict(set)
    for run in runs:
        recorded = str(run.params.get(IMPLEMENTATIONS, ""))
        for layer, implementation in (part.rsplit(" ", 1) for part in recorded.split(", ") if " " in part):
            by_layer[layer].add(implementation)
    mixed = [layer for layer, names in by_layer.items() if len(names) > 1]
    if not mixed:
        return []
    first = f"{mixed[0]} ({enumerated(sorted(by_layer[mixed[0]]))})"
    others = f" and {counted(len(mixed) - 1, 'other layer')}" if len(mixed) > 1 else ""
    return [f"Mixed conditions: implementation of {first}{others}. Differences may be due to this."]


def no_op_cautions(comparisons: Sequence[Mapping[str, Any]], runs: Mapping[PlanEntry, Run], tracked: str) -> list[str]:
    """Return a warning for each variant with the final weights and score of its reference at every shared seed."""
    by_variant: dict[str, dict[int, Run]] = {}
    for entry, run in runs.items():
        by_variant.setdefault(entry.variant, {})[entry.seed] = run
    lines = []
    for row in comparisons:
        variant, reference = by_variant.get(row["variant"], {}), by_variant.get(row["reference"], {})
        shared = [(variant[seed], reference[seed]) for seed in variant if seed in reference]
        if shared and all(_same(*pair, tracked) for pair in shared):
            lines.append(
                f"{row['variant']} is identical to {row['reference']}: the same final weights and score at all "
                f"{len(shared)} shared seeds. The component has no effect in this recipe, or its switch is broken."
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


def _joined(values: Iterable[str]) -> str:
    """Return the different values, in the order of the runs."""
    return "; ".join(dict.fromkeys(value for value in values if value))
