"""The top of a report: title with the scale, question, run counts, incomplete runs and cautions."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.report.formats.markdown_text import caution, escape
from ablate.report.formats.numbers import enumerated
from ablate.report.study_data import RunCounts, StudyData
from ablate.stats.effects.seeds import Seed
from ablate.wording import count, listed

_IN_ORDER = ("finished", "unstable", "failed", "out_of_memory", "killed", "pruned", "running")
PARAGRAPH = "\n\n"
MOST_SEEDS = 20
"""Seeds that are named per variant."""

_EXCLUDED = "excluded from all estimates"
_INCOMPLETE = (
    ("failed", "Failed", _EXCLUDED),
    ("out_of_memory", "Out of memory", _EXCLUDED),
    ("killed", "Killed", _EXCLUDED),
    ("pruned", "Pruned", _EXCLUDED),
    ("unstable", "Unstable", "diverged or no better than chance; included in all estimates, as results"),
)
"""Statuses listed by name, with their heading and their role in the estimates."""


def head(study: StudyData) -> str:
    """Return the top of the report: the scale, and all that limits the results, before any result."""
    lines = [f"# {escape(study.name)} ({escape(study.scale)})"]
    if study.question:
        lines.append(f"**Question:** {escape(study.question.split(PARAGRAPH)[0])}")
    lines.append(f"**Runs:** {escape(runs_line(study.counts))}")
    lines += [f"> **{escape(text).replace(':', ':**', 1)}" for text in incomplete_lines(study)]
    lines += [caution(text) for text in study.cautions]
    return "\n\n".join(lines)


def runs_line(counts: RunCounts) -> str:
    """Return the numbers of planned, finished, unstable, failed and missing runs in one line."""
    numbers = [(counts.statuses.get(status, 0), status.replace("_", " ")) for status in _IN_ORDER]
    parts = [f"{number} {status}" for number, status in numbers if number]
    if counts.missing:
        parts.append(f"{len(counts.missing)} missing")
    if counts.spared:
        parts.append(f"{counts.spared} not needed because their comparison stopped early")
    if counts.reused:
        parts.append(f"{counts.reused} reused from other studies")
    found = ", ".join(parts) or "none started"
    if counts.planned is None:
        return f"{found}; number of planned runs unknown."
    return f"{count(counts.planned, 'run')} planned; {found}."


def incomplete_lines(study: StudyData) -> list[str]:
    """Return the running, missing, failed and unstable runs by name, one line per status."""
    lines = []
    if study.counts.running:
        lines.append(f"Running: {_named(study.counts.running)}.")
    if study.counts.missing:
        lines.append(f"Missing: {_named(study.counts.missing)}. The results below use the other runs.")
    table = study.runs
    for status, heading, meaning in _INCOMPLETE:
        rows = table[table["status"] == status]
        if len(rows):
            names = list(zip(rows["variant"].tolist(), rows["seed"].tolist(), strict=True))
            lines.append(f"{heading}: {_named(names)}, {meaning}.")
    return lines


def _named(runs: Sequence[tuple[str, Seed]]) -> str:
    """Return runs by variant, with their seeds in brackets."""
    seeds: dict[str, list[Seed]] = {}
    for variant, seed in runs:
        seeds.setdefault(str(variant), []).append(seed)
    texts = [
        f"{_quoted(variant)} (seed{'s' * (len(found) > 1)} {listed(map(str, found), MOST_SEEDS)})"
        for variant, found in seeds.items()
    ]
    return enumerated(texts, 8)


def _quoted(variant: str) -> str:
    """Return the name of a variant, with quotes around `none`, which would read as no variant at all."""
    return f'"{variant}"' if variant == "none" else variant
