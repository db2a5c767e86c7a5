"""Names of runs: how a run is shown, and which run a name refers to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ablate.errors import UserError
from ablate.journal.run_journal import Run


def find_run(text: str, found: Sequence[tuple[str, Run]], known: Callable[[], Sequence[str]]) -> tuple[str, Run]:
    """Return the one of `found` (identifier and run) that `text` names; see `RunTracker.find`.

    A name that is whole wins over beginnings. Raises UserError with the candidates, or with what `known` returns.
    """
    found = found if text else ()
    by_title = [pair for pair in found if run_title(pair[1]) == text]
    if by_title:
        return max(by_title, key=lambda pair: pair[1].started)
    whole = [pair for pair in found if text in (pair[0], pair[1].name)]
    matching = whole or [pair for pair in found if pair[0].startswith(text) or pair[1].name.startswith(text)]
    if not matching:
        examples = f"; there is {', '.join(known()[:5])}" if known() else "; there are no runs yet"
        raise UserError(f"no run is named {text!r}: give the start of its identifier or key, or variant/s0{examples}")
    if len(matching) > 1:
        candidates = ", ".join(f"{pair[0][:12]} ({run_title(pair[1])})" for pair in matching[:8])
        raise UserError(f"{text!r} names {len(matching)} runs: {candidates}; give more of the name")
    return matching[0]


def run_title(run: Run) -> str:
    """Return how a run is shown: `no-augment/s3`."""
    return f"{run.variant}/s{run.seed}"
