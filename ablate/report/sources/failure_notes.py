"""Notes on runs that describe a failure in free text, while the runs count as finished."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ablate.report.sources.failure_columns import last_parts, plain_name
from ablate.report.study_data import StudyData
from ablate.stats.effects.seeds import spans
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_NOTES = re.compile(
    r"(?:run|my|user|wandb|mlflow)?(?:notes?|comments?|remarks?|description|memo|annotation|observations?|warnings?|"
    r"notecontent|infos?|logs?)"
)
_DESCRIPTION = "tags.mlflow.note.content"
"""The tag with what MLflow calls the description of a run."""

_FAILURE = re.compile(
    r"\b(?:crash(?:ed|es)?|diverg(?:ed?|es|ing)|out[ -]of[ -]memory|oom|nans?|killed|failed|timed out|"
    r"aborted|preempted|interrupted|exploded|unstable|corrupt(?:ed)?|broken|invalid|ignore this|do not use)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(r"\b(?:no|not|non|never|without|didn't|0)\W+(?:\w+\W+)?$", re.IGNORECASE)


def failure_notes(table: pd.DataFrame, study: StudyData) -> list[str]:
    """Return a warning for each column of notes by which some of the finished runs failed.

    Args:
        table: The runs as they were found.
        study: The study of these runs.
    """
    rows = table[table.index.isin(study.row_names)].reset_index(drop=True)
    is_finished = (study.runs["status"] == "finished").tolist()
    found = []
    for name in table.columns:
        if not any(_NOTES.fullmatch(plain_name(part)) for part in last_parts(str(name))):
            continue
        failed = [done and _names_failure(str(cell)) for cell, done in zip(rows[name], is_finished, strict=True)]
        if any(failed):
            text = " ".join(str(rows[name][failed.index(True)]).split())[:80]
            title = "The description of runs (mlflow.note.content)" if name == _DESCRIPTION else name
            found.append(
                f"{title} mentions a failure, {text!r} ({named_runs(study.runs[failed])}), and the runs count as "
                f"finished. If they are not, give them a status, or leave them out with --where"
            )
    return [f"{text}." for text in found]


def named_runs(rows: pd.DataFrame) -> str:
    """Return the variants of rows with their seeds: `base: seed 1, x: seeds 0 to 2`."""
    seeds = [
        f"{variant}: seed{'s' * (len(some) > 1)} {spans(some)}"
        for variant, some in rows.groupby("variant", sort=False)["seed"].agg(list).items()
    ]
    return listed(seeds, 5)


def _names_failure(text: str) -> bool:
    """Return whether a text has a word of a failure that it does not deny."""
    return any(not _NEGATION.search(text[: word.start()]) for word in _FAILURE.finditer(text))
