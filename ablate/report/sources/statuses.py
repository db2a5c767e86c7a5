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
    plain_name,
    read_exit_code,
)
from ablate.report.sources.row_checks import is_number, named_rows
from ablate.wording import listed

if TYPE_CHECKING:
    import pandas as pd

WORDS = {
    "finished": "finished complete completed success succeeded successful done ok",
    "unstable": "unstable diverged",
    "failed": "failed fail failure error errored crashed crash exception boot_fail node_fail special_exit",
    "out_of_memory": "out_of_memory outofmemory oom oom_killed",
    "killed": """
        killed cancelled canceled interrupted aborted timeout timed_out preempted preempting deadline revoked stopped
    """,
    "pruned": "pruned",
    "running": """
        running scheduled pending waiting queued initializing configuring completing resizing requeued requeue_fed
        requeue_hold resv_del_hold signaling stage_out suspended paused in_progress inprogress starting started
    """,
}
"""Our statuses, and the words for them in W&B, MLflow, Optuna, Slurm, Lightning and here, in lower case."""

COLUMNS = """
status state runstatus runstate jobstatus jobstate trialstatus trialstate trainerstatus trainerstate slurmstatus
slurmstate
"""
"""Names of status columns, without case and separators."""

EXIT_CODES = "exitcode returncode"
"""Names of columns of exit codes: 0 (in Slurm `0:0`) is finished, every other number is failed."""

_FLAGS = {
    ("finished", "failed"): """
        finished isfinished completed iscompleted complete iscomplete succeeded success issuccess done isdone valid
        isvalid
    """,
    ("finished", "unstable"): "converged isconverged hasconverged",
    ("unstable", "finished"): "diverged isdiverged hasdiverged unstable isunstable hasnan hasnans",
    ("failed", "finished"): "failed isfailed crashed iscrashed",
    ("pruned", "finished"): "pruned ispruned",
    ("killed", "finished"): "killed iskilled",
    ("out_of_memory", "finished"): "oom isoom",
}
FLAGS = {name: meaning for meaning, names in _FLAGS.items() for name in names.split()}
"""Names of true/false columns that show how a run ended, without case and separators, and the statuses that true and
false mean. The user is asked, because they may be factors."""

OUTCOMES = "outcome result runresult jobresult runoutcome termination terminationreason exitstatus exitstate endstate"
"""Names of columns that may be a status, although they hold words that are not known."""

REASONS = "stopreason stoppingreason stoppedreason stopcause terminationreason endreason"
"""Names of columns with the reason why a run ended."""

_BAD_REASON = re.compile(
    r"(?:^|_)(?:(?:nans?|inf|oom)(?:_|$)|diverg|unstable|fail|err|exception|crash|out_of_mem|kill|timed?_?out|abort|"
    r"interrupt|cancel|preempt)"
)

DIVERGED_AT = "divergedat divergedatstep divergedatepoch divergedstep divergedepoch nanat nanatstep nanatepoch"
"""Names of columns with the step at which a run diverged. A run with a number above 0 there is unstable."""

FAILURES = "failed crashed killed oom out_of_memory cancelled canceled aborted timed_out diverged"
"""Words of runs that did not finish, which hardly mean anything else."""

ERRORS = re.compile(
    r"(?:run|job|trial|task|train|training|eval)?(?:errors?|err|exceptions?|failures?|fail|crash|traceback|stacktrace)"
    r"(?:message|msg|type|text|reason|class|name|info|details?|string|str|trace|log)?"
)
"""Names of columns with the error of a run, without case and separators. A run with a text there did not finish."""

_STATUS_OF = {word: status for status, words in WORDS.items() for word in words.split()}
_CLASS = re.compile(r"^(?:trialstate|trainerstatus|runstatus|jobstatus)\.")


def status_columns(table: pd.DataFrame, asked: str | None, others: Collection[str]) -> list[str]:
    """Return the columns of the status: the one `asked` for (`none` for no column), or all known ones.

    `others` are the columns of variants, seeds, the metric and factors. Raises UsageError for a column that looks like
    a status and is not known by its name.
    """
    if asked is not None:
        return [] if asked == "none" and "none" not in table.columns else [asked]
    names = [name for name in table.columns if name not in others]
    known = [name for name in names if plain_name(name) in COLUMNS.split()]
    known += [name for name in names if plain_name(name) in EXIT_CODES.split()]
    known += [name for name in names if name not in known and _holds_errors(table[name])]
    known += [
        name
        for name in names
        if name not in known and plain_name(name) in DIVERGED_AT.split() and _any_word(table[name])
    ]
    for name in names:
        words = [] if name in known or plain_name(name) in EXIT_CODES.split() else _unfinished_words(table[name])
        if words:
            raise UsageError(
                f"The column {name} may be the status of the runs ({listed(words, 3)}). If it is, add "
                f"--status-param {shlex.quote(name)}, otherwise --status-param {known[0] if known else 'none'}"
            )
    return known


def _holds_errors(column: pd.Series) -> bool:
    """Return whether a column holds errors: it has such a name, and at least one cell is a text."""
    if not ERRORS.fullmatch(plain_name(str(column.name))):
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
    name = plain_name(str(column.name))
    if name in FLAGS and any(word in (*TRUE, *FALSE) for word in cells) and not any(map(_is_score, cells)):
        return sorted(cells.difference(TRUE if FLAGS[name][0] == "finished" else FALSE))
    if name in REASONS.split() and any(map(_BAD_REASON.search, cells)):
        return sorted(filter(_BAD_REASON.search, cells))
    unfinished = sorted(word for word in cells if _STATUS_OF.get(word) != "finished")
    if cells <= _STATUS_OF.keys() or (name in OUTCOMES.split() and cells & _STATUS_OF.keys()):
        return unfinished
    return [word for word in unfinished if word in FAILURES.split()] or failure_words(str(column.name), all_cells)


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
        if len(columns) > 1 and plain_name(column) in EXIT_CODES.split():
            meanings |= {cell: "finished" for cell in meanings if _plain(cell) in ("", "nan", "none", "null")}
        unknown = [cell for cell, status in meanings.items() if status is None]
        if unknown:
            where = named_rows(table[table[column].isin(unknown)], row_word, column)
            word = str(unknown[0]).strip() or "''"
            raise UserError(
                f"Unknown status in {where}. Give the words of finished runs with --finished-word, for example "
                f"{word}, or the column of the status with --status-param NAME (none if there is none)"
            )
        found = [str(meanings[cell]) for cell in table[column]]
        statuses = [new if old == "finished" else old for old, new in zip(statuses, found, strict=True)]
        if ERRORS.fullmatch(plain_name(column)):
            meanings = {"any text": "failed"}
        translated |= {str(cell): str(status) for cell, status in meanings.items() if _plain(cell) != status}
    if not columns:
        return statuses, "no column is the status, so every run with a score counts as finished"
    words = ", ".join(f"{cell or 'empty'} = {status.replace('_', ' ')}" for cell, status in translated.items())
    return statuses, f"status: column {' and '.join(columns)}" + (f" ({words})" if words else "")


def _meaning(cell: object, column: str, finished: Collection[str]) -> str | None:
    """Return the status in a cell, or None if its word is unknown."""
    word, name = _plain(cell), plain_name(column)
    if word in map(_plain, finished):
        return "finished"
    if ERRORS.fullmatch(name):
        return _STATUS_OF.get(word, "failed") if _is_error(word) else "finished"
    if name in DIVERGED_AT.split():
        return _diverged(str(cell).strip())
    if is_exit_code(column) and (status := read_exit_code(str(cell))):
        return status
    flag = FLAGS.get(name) or flag_meanings(column)
    if flag and word in (*TRUE, *FALSE):
        return flag[0 if word in TRUE else 1]
    if flag and flag[1] == "finished" and word in NO_FAILURE:
        return "finished"
    if word.endswith("+"):  # Slurm shortens: `OUT_OF_ME+`
        found = {status for known, status in _STATUS_OF.items() if known.startswith(word[:-1])}
        return found.pop() if len(found) == 1 else None
    return _STATUS_OF.get(word) or ("failed" if finished else failure_at(column, word))
