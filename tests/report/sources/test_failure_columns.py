"""Columns whose names mean a failure are asked about if their values can mean one, and never guessed."""

from __future__ import annotations

import shlex

import pandas as pd
import pytest

from ablate.errors import UsageError, UserError
from ablate.report.sources.statuses import read_statuses, status_columns

FLAGS = """
timed_out:killed aborted:killed oom_killed:out_of_memory has_crashed:failed interrupted:killed is_timeout:killed
preempted:killed cancelled:killed incomplete:failed broken:failed is_nan:unstable nan:unstable timedOut:killed
OOMKilled:out_of_memory isOOM:out_of_memory wasKilled:killed run_failed:failed tags.job.failed:failed
not_finished:failed unfinished:failed has_inf:unstable
did_fail:failed evicted:killed skipped:failed loss_is_nan:unstable gpu_error:failed
not_converged:unstable infinite:unstable unsuccessful:failed error_code:failed exit_status:failed errno:failed rc:failed
corrupt:failed out_of_memory:out_of_memory was_pruned:pruned training_diverged:unstable
"""
GOOD_FLAGS = """
has_finished:failed all_finite:unstable training_done:failed run_completed:failed ok:failed passed:failed
no_error:failed not_failed:failed never_crashed:failed error_free:failed successful:failed noTimeout:killed
"""


def asked(name: str, *words: str) -> bool:
    try:
        status_columns(pd.DataFrame({name: words}), None, [])
    except UsageError as error:
        return f"{name} may be the status" in str(error) and f"--status-param {shlex.quote(name)}, " in str(error)
    return False


def read(name: str, *words: str) -> list[str]:
    table = pd.DataFrame({name: words}).assign(variant="x", seed=range(len(words)))
    return read_statuses(table, [name], (), "line")[0]


@pytest.mark.parametrize("flag", FLAGS.split())
@pytest.mark.parametrize(("no", "yes"), [("False", "True"), ("0", "1"), ("0.0", "1.0"), ("no", "yes")])
def test_a_flag_of_a_failure_is_asked_about(flag: str, no: str, yes: str) -> None:
    name, status = flag.split(":")
    is_code = status == "failed" and name in ("error_code", "exit_status", "errno", "rc")
    if is_code and no == "no":
        return
    assert asked(name, no, no, yes)
    assert read(name, no, yes) == ["finished", status]
    assert not asked(name, no, no, no)


@pytest.mark.parametrize("flag", GOOD_FLAGS.split())
def test_a_flag_of_a_success_is_asked_about(flag: str) -> None:
    name, status = flag.split(":")
    assert asked(name, "True", "False", "True")
    assert read(name, "True", "False") == ["finished", status]
    assert not asked(name, "True", "True")


@pytest.mark.parametrize(
    ("name", "words", "statuses"),
    [
        ("timed_out", ["", "True"], ["finished", "killed"]),
        ("has_crashed", ["True", "True"], ["failed", "failed"]),
        ("exit status", ["0", "137"], ["finished", "failed"]),
        ("ExitStatus", ["0:0", "0:9"], ["finished", "failed"]),
        ("status_code", ["1", "0"], ["failed", "finished"]),
        ("error_code", ["2", "3"], ["failed", "failed"]),
        ("errno", ["0", "-9"], ["finished", "failed"]),
        ("signal", ["", "SIGKILL"], ["finished", "killed"]),
        ("signal", ["0", "9"], ["finished", "failed"]),
        ("killed_at", ["", "1200"], ["finished", "killed"]),
        ("killed_at", ["nan", "2026-01-01 10:00"], ["finished", "killed"]),
        ("crash_epoch", ["nan", "3"], ["finished", "failed"]),
        ("nan_at_iter", ["-1", "3"], ["finished", "unstable"]),
        ("killed_by", ["", "SIGKILL"], ["finished", "killed"]),
        ("abort_reason", ["none", "wall time"], ["finished", "killed"]),
    ],
)
def test_codes_places_and_reasons_are_asked_about(name: str, words: list[str], statuses: list[str]) -> None:
    assert asked(name, *words)
    assert read(name, *words) == statuses


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("error_rate", ["0.1", "0", "1"]), ("val_error", ["0.1", "0.2", "1"]), ("top1_error", ["1", "0", "0.5"]),
        ("nan_policy", ["omit", "raise"]), ("timeout", ["30", "30"]), ("signal_length", ["100", "0"]),
        ("kill_switch", ["True", "True"]), ("kill_switch", ["False", "False"]), ("fail_fast", ["1", "1"]),
        ("error", ["0.1", "0.0"]), ("failures", ["0", "3"]), ("num_errors", ["0", "3"]), ("exit_layer", ["3", "0"]),
        ("early_exit", ["0.5", "0"]), ("terror", ["1", "0"]), ("inference", ["1", "0"]), ("information", ["1", "0"]),
        ("return", ["0", "120"]), ("return_value", ["0", "120"]), ("number", ["0", "1"]), ("job", ["0", "1"]),
        ("training_time", ["12", "0"]), ("step", ["0", "1"]), ("mirror", ["True", "False"]), ("cancer", ["1", "0"]),
        ("message", ["", "hi"]), ("run_type", ["", "b"]), ("signal", ["0.87", "0.2", "0"]), ("signal", ["5", "7"]),
        ("killed", ["10", "1"]), ("killed_by", ["x", "y"]), ("use_nan_guard", ["True", "True"]), ("timeout", ["", ""]),
        ("train_error", ["0.0", "0.2"]), ("nanosec", ["1", "0"]), ("final", ["True", "False"]),
    ],
)  # fmt: skip
def test_scores_settings_and_other_words_are_not_asked_about(name: str, words: list[str]) -> None:
    assert not asked(name, *words)


def test_a_step_0_or_an_unknown_word_has_no_meaning() -> None:
    for name, word in (("killed_at", "0"), ("timed_out", "partly"), ("signal", "late")):
        with pytest.raises(UserError, match="Unknown status in line 1"):
            read(name, "", word) if name != "timed_out" else read(name, "0", word)


@pytest.mark.parametrize("prefix", ["meta.", "slurm.", "params.job.", "info/", "a.b."])
@pytest.mark.parametrize(
    ("name", "words", "statuses"),
    [
        ("exit_code", ["0", "1"], ["finished", "failed"]),
        ("exitcode", ["0:0", "0:9"], ["finished", "failed"]),
        ("returncode", ["0.0", "-9"], ["finished", "failed"]),
        ("status", ["finished", "crashed"], ["finished", "failed"]),
        ("error", ["", "CUDA OOM"], ["finished", "failed"]),
        ("error.message", ["nan", "boom"], ["finished", "failed"]),
        ("traceback", ["", "Traceback ..."], ["finished", "failed"]),
        ("diverged_at", ["", "5"], ["finished", "unstable"]),
    ],
)
def test_the_last_part_of_a_dotted_name_is_read(prefix: str, name: str, words: list[str], statuses: list[str]) -> None:
    table = pd.DataFrame({prefix + name: words}).assign(variant="x", seed=range(len(words)))
    columns = status_columns(table, None, ["variant", "seed"])
    assert columns == [prefix + name]
    assert read_statuses(table, columns, (), "line")[0] == statuses
    with_status = table.assign(status="finished")
    columns = status_columns(with_status, None, ["variant", "seed"]) if name != "status" else ["status", prefix + name]
    assert columns == ["status", prefix + name]
    assert read_statuses(with_status, columns, (), "line")[0] == statuses


@pytest.mark.parametrize("prefix", ["meta.", "slurm.", "result/"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("failed", ["0", "1"]), ("finished", ["True", "False"]), ("timed_out", ["no", "yes"]), ("rc", ["0", "1"]),
        ("stop_reason", ["max_steps", "nan"]), ("killed_at", ["", "1200"]), ("exit_status", ["0", "137"]),
        ("outcome", ["ok", "broken"]), ("signal", ["", "SIGKILL"]),
    ],
)  # fmt: skip
def test_the_last_part_of_a_dotted_name_is_asked_about(prefix: str, name: str, words: list[str]) -> None:
    assert asked(prefix + name, *words)
    assert not asked("meta.lr", *words) or name in ("outcome", "stop_reason")


def test_a_constant_param_and_the_metric_are_no_status() -> None:
    table = pd.DataFrame(
        {"params.loss.error": ["huber", "huber"], "test.error": ["0.1", "0.2"], "config.state": "CA"}
    ).assign(**{"head.error": "huber"})
    assert status_columns(table, None, []) == []
    errors = pd.DataFrame({"test.error": ["0.1", "n/c"]})
    assert status_columns(errors, None, ["test.error"]) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("exit_reason", ["max_steps", "nan"]), ("abort_reason", ["max_steps", "nan"]),
        ("finish_reason", ["max_steps", "killed"]), ("diverged", ["0", "12"]), ("diverged", ["", "12"]),
        ("has_nan", ["0", "3"]),
    ],
)  # fmt: skip
def test_reasons_and_steps_under_other_names_are_asked_about(name: str, words: list[str]) -> None:
    assert asked(name, *words)
    if name in ("diverged", "has_nan"):
        assert read(name, *words) == ["finished", "unstable"]


@pytest.mark.parametrize("name", ["last_error", "fatal_error", "last_exception", "exc_info", "final_error_message"])
def test_errors_under_other_names_are_read(name: str) -> None:
    table = pd.DataFrame({name: ["", "boom"], "variant": "x", "seed": [0, 1]})
    assert status_columns(table, None, ["variant", "seed"]) == [name]
    assert read(name, "", "boom") == ["finished", "failed"]
    assert status_columns(pd.DataFrame({name: ["0.1", "0.2"]}), None, []) == []


@pytest.mark.parametrize("name", ["final_status", "exp_status", "experiment_state", "task_status"])
def test_unknown_words_of_a_status_are_asked_about(name: str) -> None:
    assert status_columns(pd.DataFrame({name: ["ok", "broken"]}), None, []) == [name]
    with pytest.raises(UserError, match=r"Unknown status in line 1 .*broken"):
        read(name, "ok", "broken")
