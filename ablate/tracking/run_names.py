"""Names of runs: the title that users see, and the run that a name refers to."""

from __future__ import annotations

from collections.abc import Sequence

from ablate.errors import UserError
from ablate.journal.run_journal import Run
from ablate.wording import listed, nearest, unknown_name

_CANDIDATES_LISTED = 8


def run_title(run: Run) -> str:
    """Return the title of a run: `no-augment/s3`, or its own name if another program made it."""
    return f"{run.variant}/s{run.seed}" if run.key else run.variant


def find_run(text: str, runs: Sequence[tuple[str, Run]]) -> tuple[str, Run] | None:
    """Return the run that `text` names and its identifier, or None; see `RunTracker.find`.

    A complete name takes precedence over the start of one.

    Args:
        text: A title, or the start of an identifier or of a run's name.
        runs: Identifiers and runs to search.

    Raises:
        UserError: Several runs have that name.
    """
    runs = runs if text else ()
    by_title = [pair for pair in runs if run_title(pair[1]) == text]
    if by_title and (
        len(by_title) == 1 or all(run.key for _, run in by_title)
    ):  # names of other programs are not titles
        return max(by_title, key=lambda pair: pair[1].started)
    complete = by_title or [pair for pair in runs if text in (pair[0], pair[1].name)]
    matching = complete or [pair for pair in runs if pair[0].startswith(text) or pair[1].name.startswith(text)]
    if len(matching) > 1:
        candidates = [f"{identifier[:12]} ({run_title(run)})" for identifier, run in matching]
        raise UserError(
            f"{text!r} matches {len(matching)} runs: {listed(candidates, _CANDIDATES_LISTED)}. Give a longer name or id"
        )
    return matching[0] if matching else None


def unknown_run(text: str, newest: Sequence[str]) -> UserError:
    """Return the error for an unknown run, with titles of recent runs as examples."""
    examples = f"Newest runs: {listed(newest, 5)}" if newest else "No runs yet"
    message = unknown_name("run", text, nearest(text, newest))
    return UserError(f"{message} Give VARIANT/sSEED, or the start of its key or MLflow id. {examples}")
