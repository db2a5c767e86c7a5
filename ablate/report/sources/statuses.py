"""Which runs of a table are finished: the columns and words of other software, and the words that the user gives.

A run counts as finished only if its word is known or given as such; for every other word the user is asked.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ablate.errors import UsageError, UserError
from ablate.report.sources.failure_columns import (
    FALSE,
    NO_FAILURE,
    TRUE,
    failure_at,
    failure_words,
    flag_meanings,
    is_exit_code,
    last_parts,
    plain_name,
    read_exit_code,
)
from ablate.report.sources.row_checks import is_number, named_rows
from ablate.report.sources.status_words import (
    BAD_REASON,
    COLUMNS,
    DIVERGED_AT,
    ERRORS,
    EXIT_CODES,
    FAILURES,
    FLAGS,
    LIFECYCLES,
    OUTCOMES,
    REASONS,
    STATUS_OF,
)
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

_NAMES = frozenset(
    [
        *COLUMNS.split(),
        *LIFECYCLES.split(),
        *EXIT_CODES.split(),
        *FLAGS,
        *OUTCOMES.split(),
        *REASONS.split(),
        *DIVERGED_AT.split(),
    ]
)
_PARAMS = ("params.", "config.", "hparams.", "hyperparameters.")
_CLASS = re.compile(r"^(?:trialstate|trainerstatus|runstatus|jobstatus)\.")


def status_columns(table: pd.DataFrame, asked: str | None, others: Collection[str]) -> list[str]:
    """Return the columns of the status: the one `asked` for (`none` for no column), or all known ones.

    `others` are the columns of variants, seeds, the metric and factors. Raises UsageError for a column that looks like
    a status and is not known by its name.
    """
    if asked is not None:
        return [] if asked == "none" and "none" not in table.columns else [asked]
    names = [name for name in table.columns if name not in others and not _is_setting(table[name])]
    known = [name for name in names if plain_name(name) in COLUMNS.split()]
    known = known or [name for name in names if known_name(name) in COLUMNS.split()]
    known += [name for name in names if known_name(name) in (*LIFECYCLES.split(), *EXIT_CODES.split())]
    known += [name for name in names if name not in known and _holds_errors(table[name])]
    known += [
        name
        for name in names
        if name not in known and known_name(name) in DIVERGED_AT.split() and _any_word(table[name])
    ]
    for name in names:
        words = [] if name in known else _unfinished_words(table[name])
        if words:
            raise UsageError(
                f"The column {name} may be the status of the runs ({listed(words, 3)}). If it is, add "
                f"--status-param {shlex.quote(name)}, otherwise --status-param {known[0] if known else 'none'}"
            )
    return known


def known_name(column: str) -> str:
    """Return the plain name of a column; of a dotted one, that of its last parts if it is a known name of a status."""
    names = [plain_name(part) for part in last_parts(column)]
    return next((name for name in names if name in _NAMES or ERRORS.fullmatch(name)), names[0])


def _is_setting(column: pd.Series) -> bool:
    """Return whether a column is a constant param or text whose dotted name only ends like that of a status."""
    name = str(column.name)
    if len(last_parts(name)) == 1 or plain_name(name) in _NAMES or ERRORS.fullmatch(plain_name(name)):
        return False
    is_param = name.startswith(_PARAMS) or ERRORS.fullmatch(known_name(name)) is not None
    return is_param and column.nunique(dropna=False) == 1


def _holds_errors(column: pd.Series) -> bool:
    """Return whether a column holds errors: it has such a name, and at least one cell is a text."""
    if not ERRORS.fullmatch(known_name(str(column.name))):
        return False
    return any(_is_error(_plain(cell)) and not is_number(str(cell)) for cell in column.unique())


def _any_word(column: pd.Series) -> bool:
    return any(_is_error(_plain(cell)) for cell in column.unique())


def _diverged(step: str) -> str | None:
    """Return the status of a run that diverged at a step; 0 may mean the first step or none, so it is unknown."""
    if not is_number(step):
        return None if _is_error(_plain(step)) else "finished"
    return "unstable" if 0 < float(step) < math.inf else None if float(step) == 0 else "finished"


def _is_error(word: str) -> bool:
    return word not in NO_FAILURE


def _is_score(word: str) -> bool:
    """Return whether a word is a number other than 0 and 1, which a true/false column does not have."""
    return is_number(word) and math.isfinite(float(word)) and float(word) not in (0, 1)


def _unfinished_words(column: pd.Series) -> list[str]:
    """Return the words of runs that did not finish, if a column may be a status.

    Every cell is a status, or true or false; or one is, and the name means an outcome; or one can only be a failure.
    """
    all_cells = {_plain(cell) for cell in column.unique()}
    cells = all_cells - {""}
    name = known_name(str(column.name))
    if name in FLAGS and _may_be_flag(name, all_cells):
        return sorted(cells.difference(TRUE if FLAGS[name][0] == "finished" else FALSE))
    if name in REASONS.split() and any(map(BAD_REASON.search, cells)):
        return sorted(filter(BAD_REASON.search, cells))
    unfinished = sorted(word for word in cells if STATUS_OF.get(word) != "finished")
    if cells <= STATUS_OF.keys() or (name in OUTCOMES.split() and cells & STATUS_OF.keys()):
        return unfinished
    clear = [word for word in unfinished if word in FAILURES.split()]
    parts = last_parts(str(column.name))
    return clear or next(filter(None, (failure_words(part, all_cells) for part in parts)), [])


def _may_be_flag(name: str, cells: Collection[str]) -> bool:
    """Return whether a column holds true and false, or, as `diverged`, the step of a failure or nothing."""
    if not any(map(_is_score, cells)):
        return any(word in (*TRUE, *FALSE) for word in cells)
    is_step = all(word in NO_FAILURE or is_number(word) for word in cells)
    return FLAGS[name] == ("unstable", "finished") and is_step and not {*NO_FAILURE}.isdisjoint(cells)


def _plain(cell: object) -> str:
    """Return a word in lower case, with underscores, without class and agent: `TrialState.FAIL`, `CANCELLED by 7`."""
    word = re.sub(r"[\s\-]+", "_", str(cell).strip().lower())
    return re.sub(r"^cancell?ed_by_.*", "cancelled", _CLASS.sub("", word))


def read_statuses(
    table: pd.DataFrame, columns: Sequence[str], finished: Collection[str], row_word: str
) -> tuple[list[str], str]:
    """Return the status of each row, and a statement of how it was read.

    Args:
        table: One row per run, with the columns `variant` and `seed` for messages.
        columns: The columns of the status. The first one by which a run is not finished decides; an empty exit code
            leaves it to the others.
        finished: Words of finished runs, in addition to the known ones. If there are any, other unknown words mean
            failed runs.
        row_word: Names a row in messages.

    Raises:
        UserError: For words that are not known, naming the rows.
    """
    statuses = ["finished"] * len(table)
    translated: dict[str, str] = {}
    for column in columns:
        meanings = {cell: _meaning(cell, column, finished) for cell in table[column].unique()}
        if len(columns) > 1 and known_name(column) in EXIT_CODES.split():
            meanings |= {cell: "finished" for cell in meanings if _plain(cell) in ("", "nan", "none", "null")}
        unknown = [cell for cell, status in meanings.items() if status is None]
        if unknown:
            where = named_rows(table[table[column].isin(unknown)], row_word, column)
            raise UserError(
                f"Unknown status in {where}. Give the words that mean a finished run with --finished-word (runs with "
                "other unknown words then count as failed), or the column of the status with --status-param NAME "
                "(none if there is none)"
            )
        found = [str(meanings[cell]) for cell in table[column]]
        statuses = [new if old == "finished" else old for old, new in zip(statuses, found, strict=True)]
        if ERRORS.fullmatch(known_name(column)):
            meanings = {"any text": "failed"}
        translated |= {str(cell): str(status) for cell, status in meanings.items() if _plain(cell) != status}
    if not columns:
        return statuses, "no column is the status, so every run with a score counts as finished"
    words = ", ".join(f"{cell or 'empty'} = {status.replace('_', ' ')}" for cell, status in translated.items())
    return statuses, f"status: column {' and '.join(columns)}" + (f" ({words})" if words else "")


def _meaning(cell: object, column: str, finished: Collection[str]) -> str | None:
    """Return the status in a cell, or None if its word is unknown."""
    word, name = _plain(cell), known_name(column)
    if word in map(_plain, finished) or (name in LIFECYCLES.split() and word == "active"):
        return "finished"
    if ERRORS.fullmatch(name):
        return STATUS_OF.get(word, "failed") if _is_error(word) else "finished"
    if name in DIVERGED_AT.split():
        return _diverged(str(cell).strip())
    parts = last_parts(column)
    if any(map(is_exit_code, parts)) and (status := read_exit_code(str(cell))):
        return status
    flag = FLAGS.get(name) or next(filter(None, map(flag_meanings, parts)), None)
    if flag and word in (*TRUE, *FALSE):
        return flag[0 if word in TRUE else 1]
    if flag and flag[1] == "finished" and word in NO_FAILURE:
        return "finished"
    if flag == ("unstable", "finished") and is_number(word):
        return _diverged(word)
    if word.endswith("+"):  # Slurm shortens: `OUT_OF_ME+`
        found = {status for known, status in STATUS_OF.items() if known.startswith(word[:-1])}
        return found.pop() if len(found) == 1 else None
    if finished:
        return STATUS_OF.get(word, "failed")
    return STATUS_OF.get(word) or next(filter(None, (failure_at(part, word) for part in parts)), None)
