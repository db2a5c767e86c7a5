"""The counts of a fault, and the table of all faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD = """# Faults

Each fault is injected into a real command, many times, at random moments, and the project is checked after every one.

- **lost**: finished runs that are missing in the journals or, after the next command, in MLflow.
- **doubled**: duplicate runs, or duplicate values of a metric.
- **corrupt**: incomplete files (journals, database, artifacts, data cache, report), and commands that failed afterwards
  or showed a traceback.

`make faults` writes this page; the faults are defined in `tests/faults/`.

"""


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
    lines = ["| fault | tries | lost | doubled | corrupt | seconds |", "|---|---:|---:|---:|---:|---:|"]
    for tally in tallies:
        if tally.skipped:
            lines.append(f"| {tally.fault} | skipped: {tally.skipped} | | | | |")
            continue
        counts = [tally.tries, tally.lost, tally.doubled, tally.corrupt, f"{tally.seconds:.0f}"]
        lines.append(f"| {tally.fault} | {' | '.join(map(str, counts))} |")
    done = [tally for tally in tallies if not tally.skipped]
    total = [sum(getattr(tally, name) for tally in done) for name in ("tries", "lost", "doubled", "corrupt")]
    seconds = sum(tally.seconds for tally in done)
    lines.append(f"| **all** | {' | '.join(f'**{count}**' for count in total)} | **{seconds:.0f}** |")
    wrong = [f"- {tally.fault}: {what}" for tally in done for what in tally.problems]
    return HEAD + "\n".join(lines) + f"\n\n{words}\n" + ("\n" + "\n".join(wrong) + "\n" if wrong else "")
