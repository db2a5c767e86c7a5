"""What came of a fault, and the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD = """# Faults

Each fault is made for real, many times, at moments drawn from a seed, and what is left behind is looked through after
every one. **lost**: finished runs that are no longer there, in the journals or, after the next command, in MLflow.
**doubled**: runs that are there twice, or values of a metric that are. **corrupt**: files that cannot be read whole
(journals, database, artifacts, data cache, report), and commands that could not go on or showed a traceback.

Made by `make faults`; what is tried is in `tests/faults/`.

"""


@dataclass
class Tally:
    """The counts of one fault: `tries` of it, and what they left; `wrong` says in words what did not hold."""

    fault: str
    tries: int = 0
    lost: int = 0
    doubled: int = 0
    corrupt: int = 0
    seconds: float = 0.0
    skipped: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not (self.lost or self.doubled or self.corrupt)

    def lose(self, what: str) -> None:
        self.lost += 1
        self.wrong.append(f"lost: {what}")

    def double(self, what: str) -> None:
        self.doubled += 1
        self.wrong.append(f"doubled: {what}")

    def spoil(self, what: str) -> None:
        self.corrupt += 1
        self.wrong.append(f"corrupt: {what}")


def table(tallies: Sequence[Tally], words: str) -> str:
    """Return the page: a row a fault."""
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
    wrong = [f"- {tally.fault}: {what}" for tally in done for what in tally.wrong]
    return HEAD + "\n".join(lines) + f"\n\n{words}\n" + ("\n" + "\n".join(wrong) + "\n" if wrong else "")
