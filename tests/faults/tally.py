"""The counts of a fault, and the table of all faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

SKIPPED = "skipped: "
HEAD = """# Faults

Each fault is injected into a real command, many times, at random moments, and the project is checked after every one.

- **lost**: finished runs that are missing in the journals or, after the next command, in MLflow.
- **doubled**: duplicate runs, or duplicate values of a metric.
- **corrupt**: incomplete files (journals, database, artifacts, data cache, report), and commands that failed afterwards
  or showed a traceback.

`make faults` writes this page; the faults are defined in `tests/faults/`. `python -m tests.faults --only PATTERN
--output reports/faults.md` injects some of them and replaces their rows. The last columns are the date of a row and
the commit of the code under test (`+`: with uncommitted changes); for rows of before 2026-11-28, they are those of
the commit that added their numbers.

"""
COUNTS = ("tries", "lost", "doubled", "corrupt")
COLUMNS = ("fault", *COUNTS, "seconds", "date", "commit")


@dataclass
class Tally:
    """The counts of one fault: its tries and their consequences, with a description of each problem."""

    fault: str
    tries: int = 0
    lost: int = 0
    doubled: int = 0
    corrupt: int = 0
    seconds: float = 0.0
    skipped: str = ""
    date: str = ""
    commit: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not (self.lost or self.doubled or self.corrupt)

    def add_loss(self, what: str) -> None:
        self.lost += 1
        self.problems.append(f"lost: {what}")

    def add_duplicate(self, what: str) -> None:
        self.doubled += 1
        self.problems.append(f"doubled: {what}")

    def add_corruption(self, what: str) -> None:
        self.corrupt += 1
        self.problems.append(f"corrupt: {what}")


def table(tallies: Sequence[Tally], words: str) -> str:
    """Return the page, with one row per fault."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---:|---:|---:|---|---|"]
    for tally in tallies:
        if tally.skipped:
            lines.append(f"| {tally.fault} | {SKIPPED}{tally.skipped} | | | | | {tally.date} | {tally.commit} |")
            continue
        counts = [*(getattr(tally, name) for name in COUNTS), f"{tally.seconds:.0f}", tally.date, tally.commit]
        lines.append(f"| {tally.fault} | {' | '.join(map(str, counts))} |")
    done = [tally for tally in tallies if not tally.skipped]
    total = [sum(getattr(tally, name) for tally in done) for name in COUNTS]
    seconds = sum(tally.seconds for tally in done)
    lines.append(f"| **all** | {' | '.join(f'**{count}**' for count in total)} | **{seconds:.0f}** | | |")
    wrong = [f"- {tally.fault}: {what}" for tally in done for what in tally.problems]
    return HEAD + "\n".join(lines) + f"\n\n{words}\n" + ("\n" + "\n".join(wrong) + "\n" if wrong else "")


def read_table(page: str) -> list[Tally]:
    """Return the rows of a page that `table` wrote, with their problems."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    found = [_read_row(cells) for cells in rows if len(cells) == len(COLUMNS) and cells[0] not in ("fault", "**all**")]
    for tally in found:
        start = f"- {tally.fault}: "
        tally.problems = [line.removeprefix(start) for line in page.splitlines() if line.startswith(start)]
    return found


def _read_row(cells: Sequence[str]) -> Tally:
    fault, tries, *others, seconds, date, commit = cells
    if tries.startswith(SKIPPED):
        return Tally(fault, skipped=tries.removeprefix(SKIPPED), date=date, commit=commit)
    counts = dict(zip(COUNTS, map(int, [tries, *others]), strict=True))
    return Tally(fault, **counts, seconds=float(seconds), date=date, commit=commit)


def merged(before: Sequence[Tally], new: Sequence[Tally], order: Sequence[str]) -> list[Tally]:
    """Return the newest row of each fault, in the given order of the faults; others follow."""
    rows = {tally.fault: tally for tally in (*before, *new)}
    names = [*(name for name in order if name in rows), *(name for name in rows if name not in order)]
    return [rows[name] for name in names]
