"""Which runs are finished: the columns and words of other software."""

from __future__ import annotations

import pandas as pd
import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.status_words import COLUMNS, FLAGS, WORDS
from ablate.report.sources.statuses import read_statuses, status_columns


def words_in(column: str, *words: str) -> pd.DataFrame:
    table = pd.DataFrame({column: words})
    return table.assign(variant="x", seed=range(len(words)))


def read(column: str, *words: str, asked: str | None = None, finished: tuple[str, ...] = ()) -> list[str]:
    table = words_in(column, *words)
    return read_statuses(table, status_columns(table, asked, ["variant", "seed"]), finished, "line")[0]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("State", {"finished": "finished", "crashed": "failed", "failed": "failed", "killed": "killed",
                   "running": "running", "preempted": "killed", "pending": "running"}),  # W&B
        ("status", {"FINISHED": "finished", "FAILED": "failed", "KILLED": "killed", "RUNNING": "running",
                    "SCHEDULED": "running"}),  # MLflow
        ("state", {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running",
                   "WAITING": "running", "TrialState.COMPLETE": "finished", "TrialState.PRUNED": "pruned"}),  # Optuna
        ("State", {"COMPLETED": "finished", "CANCELLED by 1000": "killed", "CANCELLED+": "killed", "TIMEOUT": "killed",
                   "OUT_OF_MEMORY": "out_of_memory", "OUT_OF_ME+": "out_of_memory", "NODE_FAIL": "failed",
                   "BOOT_FAIL": "failed", "PREEMPTED": "killed", "PENDING": "running", "FAILED": "failed",
                   "DEADLINE": "killed", "SUSPENDED": "running", "REVOKED": "killed"}),  # Slurm
        ("trainer_state", {"TrainerStatus.FINISHED": "finished", "interrupted": "killed", "initializing": "running"}),
        ("run.status", {"done": "finished", "OK": "finished", "oom": "out_of_memory", "out of memory": "out_of_memory",
                        "Diverged": "unstable", "canceled": "killed", "timed out": "killed", "error": "failed"}),
        ("ExitCode", {"0:0": "finished", "0": "finished", "0.0": "finished", "1:0": "failed", "0:9": "failed",
                      "137": "failed", "-9": "failed"}),
        ("lifecycle_stage", {"active": "finished", "deleted": "killed"}),  # MLflow
    ],
)  # fmt: skip
def test_the_words_of_other_software_are_known(column: str, words: dict[str, str]) -> None:
    assert read(column, *words) == list(words.values())


@pytest.mark.parametrize("name", [*COLUMNS.split(), "Job State", "job-status", "params.state", "tags.Trial_State"])
def test_a_run_that_did_not_finish_never_counts_as_finished(name: str) -> None:
    for status, words in WORDS.items():
        for word in words.split():
            assert read(name, word.upper(), "finished") == [status, "finished"], word


def test_deleted_runs_are_left_out_whatever_their_status() -> None:
    table = words_in("status", "FINISHED", "FINISHED", "FAILED").assign(lifecycle_stage=["active", "deleted", "active"])
    columns = status_columns(table, None, ["variant", "seed"])
    assert read_statuses(table, columns, (), "line")[0] == ["finished", "killed", "failed"]
    with pytest.raises(UserError, match=r"Unknown status in line 1 .* with --finished-word \("):
        read("status", "finished", "active")


@pytest.mark.parametrize("word", ["terminated", "dnf", "?", "", "nan", "ok2", "best", "true", "0"])
def test_an_unknown_word_is_asked_for(word: str) -> None:
    with pytest.raises(UserError, match=rf"Unknown status in line 1 \(x, seed 1: '{word if word != '?' else '.'}'\)"):
        read("state", "finished", word)
    assert read("state", "finished", word, finished=(word,)) == ["finished", "finished"]


def test_with_finished_words_every_other_unknown_word_is_left_out() -> None:
    assert read("state", "done", "good", "bad", "", "crashed", finished=("Good",)) == [
        "finished", "finished", "failed", "failed", "failed"
    ]  # fmt: skip


def test_a_known_word_can_be_given_another_meaning() -> None:
    assert read("state", "stopped", "killed", finished=("stopped",)) == ["finished", "killed"]


def test_without_a_status_every_run_is_finished() -> None:
    table = words_in("note", "good", "bad")
    columns = status_columns(table, None, [])
    assert columns == []
    statuses, statement = read_statuses(table, columns, (), "line")
    assert statuses == ["finished", "finished"]
    assert "no column is the status" in statement


@pytest.mark.parametrize(
    "name",
    [
        "error",
        "Exception",
        "failure",
        "traceback",
        "error_message",
        "failure_reason",
        "tags.error_type",
        "run.errors",
        "err",
    ],
)
def test_a_run_with_a_text_in_a_column_of_errors_did_not_finish(name: str) -> None:
    words = ("", "CUDA out of memory", "None", "nan", "KeyError: 'x'", "0", "-", "OOM", "False", "True")
    assert read(name, *words) == [
        "finished", "failed", "finished", "finished", "failed", "finished", "finished", "out_of_memory", "finished",
        "failed",
    ]  # fmt: skip
    assert read(name, *words, asked="none") == ["finished"] * len(words)


def test_errors_count_next_to_a_status() -> None:
    table = words_in("status", "finished", "finished", "killed").assign(error=["", "ValueError: bad", ""])
    columns = status_columns(table, None, ["variant", "seed"])
    statuses, statement = read_statuses(table, columns, (), "line")
    assert statuses == ["finished", "failed", "killed"]
    assert statement == "status: column status and error (any text = failed)"


@pytest.mark.parametrize("code", ["exit_code", "returncode", "ExitCode", "tags.exit_code"])
@pytest.mark.parametrize("status", ["status", "State", "job_state"])
def test_exit_codes_count_next_to_a_status(status: str, code: str) -> None:
    words = ["COMPLETED", "COMPLETED", "TIMEOUT", "RUNNING", "COMPLETED", "COMPLETED"]
    table = words_in(code, "0", "137", "0:0", "", "nan", "0:9").assign(**{status: words})
    columns = status_columns(table, None, ["variant", "seed"])
    assert columns == [status, code]
    assert read_statuses(table, columns, (), "line")[0] == [
        "finished", "failed", "killed", "running", "finished", "failed",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["error", "errors", "failure"])
def test_numbers_in_a_column_of_errors_are_scores_or_counts(name: str) -> None:
    assert status_columns(words_in(name, "0.07", "1e-3", "", "3"), None, ["variant", "seed"]) == []


@pytest.mark.parametrize("name", ["error_rate", "top1_error", "error_bars", "terror", "failures_in_test"])
def test_other_names_hold_no_errors(name: str) -> None:
    assert status_columns(words_in(name, "low", "high"), None, ["variant", "seed"]) == []


def test_all_columns_of_statuses_must_say_finished() -> None:
    table = pd.DataFrame({"status": ["FINISHED", "FINISHED", "FAILED"], "tags.state": ["COMPLETE", "PRUNED", ""]})
    with pytest.raises(UserError, match="Unknown status"):
        read_statuses(table, status_columns(table, None, []), (), "run")
    table.loc[2, "tags.state"] = "COMPLETE"
    statuses, statement = read_statuses(table, status_columns(table, None, []), (), "run")
    assert statuses == ["finished", "pruned", "failed"]
    assert statement == "status: column status and tags.state (COMPLETE = finished)"


def test_the_column_that_is_asked_for_is_the_only_one() -> None:
    table = words_in("status", "failed", "failed").assign(verdict=["ok", "crashed"])
    assert read_statuses(table, status_columns(table, "verdict", []), (), "line")[0] == ["finished", "failed"]
    assert read_statuses(table, status_columns(table, "none", []), (), "line")[0] == ["finished", "finished"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("outcome", ["ok", "crashed"]),
        ("notes", ["", "failed"]),
        ("result", ["done", "OOM"]),
        ("phase", ["running", ""]),
        ("outcome", ["ok", "boom"]),
        ("Exit_Status", ["done", "halted"]),
        ("remark", ["good", "crashed"]),
        ("note", ["OOM", "rerun with seed 3", ""]),
    ],
)
def test_a_column_of_such_words_under_another_name_is_asked_about(name: str, words: list[str]) -> None:
    table = words_in(name, *words)
    with pytest.raises(UsageError, match=f"The column {name} may be the status.*--status-param {name}.*none"):
        status_columns(table, None, [])
    assert status_columns(table, None, [name]) == []


@pytest.mark.parametrize("name", FLAGS)
def test_a_true_or_false_column_of_that_name_is_asked_about(name: str) -> None:
    good = name.removeprefix("is").removeprefix("has") in (*WORDS["finished"].split(), "converged", "valid", "ended")
    table = words_in(name, *map(str, (good, not good)))
    with pytest.raises(UsageError, match=f"--status-param {name}"):
        status_columns(table, None, [])
    assert status_columns(words_in(name, *map(str, (good, good))), None, []) == []
    first, second = read_statuses(table, [name], (), "line")[0]
    assert first == "finished"
    assert second != "finished"


@pytest.mark.parametrize(
    "words",
    [
        ["low", "high"],
        ["finished", "bench"],
        ["complete", "single"],
        ["pruned", "dense"],
        ["0.1", "0.2"],
        ["ok", "done"],
        ["", ""],
    ],
)
def test_other_columns_are_not_asked_about(words: list[str]) -> None:
    assert status_columns(words_in("note", *words), None, []) == []


@pytest.mark.parametrize(
    ("column", "words", "statuses"),
    [
        ("is_finished", ["true", "false"], ["finished", "failed"]),
        ("done", ["1", "0"], ["finished", "failed"]),
        ("valid?", ["y", "n"], ["finished", "failed"]),
        ("Converged", ["TRUE", "FALSE"], ["finished", "unstable"]),
        ("has_nan", ["0", "1"], ["finished", "unstable"]),
        ("params.isCompleted", ["t", "f"], ["finished", "failed"]),
    ],
)
def test_other_spellings_of_flags_are_asked_about(column: str, words: list[str], statuses: list[str]) -> None:
    with pytest.raises(UsageError, match=r"may be the status of the runs.*--status-param"):
        read(column, *words)
    assert read(column, *words, asked=column) == statuses
    assert read(column, *words, asked="none") == ["finished", "finished"]
    assert read(column, words[0], words[0]) == ["finished", "finished"]
    with pytest.raises(UsageError, match=r"may be the status of the runs \(partly\).*--status-param"):
        read(column, words[0], "partly")
    with pytest.raises(UserError, match="Unknown status in line 1"):
        read(column, words[0], "partly", asked=column)


@pytest.mark.parametrize(("column", "words"), [("valid", ["0.93", "1"]), ("failed", ["0", "3"]), ("done", ["10", "1"])])
def test_scores_and_counts_of_these_names_are_not_asked_about(column: str, words: list[str]) -> None:
    assert status_columns(words_in(column, *words), None, []) == []


def test_a_run_with_a_step_at_which_it_diverged_is_unstable() -> None:
    words = ("", "1200", "nan", "-1", "None", "3.0", "inf")
    expected = ["finished", "unstable", "finished", "finished", "finished", "unstable", "finished"]
    assert read("diverged_at", *words) == expected
    assert status_columns(words_in("diverged_at", "", "nan"), None, []) == []
    for word in ("0", "late"):
        with pytest.raises(UserError, match=f"Unknown status in line 1 .*'{word}'"):
            read("tags.diverged_at_step", "1200", word)


@pytest.mark.parametrize("word", ["nan", "NaN loss", "loss is nan", "diverged", "time-out", "CUDA error", "OOM"])
def test_reasons_why_a_run_stopped_are_asked_about(word: str) -> None:
    with pytest.raises(UsageError, match="The column stop_reason may be the status"):
        read("stop_reason", "max_epochs", word)
    assert read("stop_reason", "max_epochs", word, asked="stop_reason", finished=("max_epochs",))[1] != "finished"
    assert read("stop_reason", "max_epochs", "early stopping, no information gain") == ["finished", "finished"]
