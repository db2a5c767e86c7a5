"""Optuna studies that Optuna wrote: objectives, states, user attributes, intermediate values and their storages."""

from __future__ import annotations

import json
import math
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ablate.errors import UsageError, UserError
from ablate.report.accounting import account_for
from ablate.report.analysis import analyse
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.external_study import study_of
from ablate.report.sources.readers.optuna_runs import INTERMEDIATE, UNPLACED, read_optuna
from ablate.report.sources.readers.run_table import RunTable
from ablate.report.study_data import StudyData

SHARE = TableOptions(unit="fraction", margin=0.5)


def objective(trial: optuna.Trial) -> float:
    """Train two optimizers with three seeds each, of which some trials are pruned or fail."""
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adam"])
    seed = trial.suggest_int("seed", 0, 2)
    trial.set_user_attr("size", {"width": 8, "layers": [4, 4]})
    for epoch in range(3):
        trial.report(0.5 + 0.1 * epoch, epoch)
    if (optimizer, seed) == ("adam", 1):
        raise optuna.TrialPruned
    if (optimizer, seed) == ("adam", 2):
        return math.nan
    return 0.9 - 0.1 * (optimizer == "adam") + 0.01 * seed


def tuned(storage: Any, name: str = "search", direction: str = "maximize", trials: int = 6) -> None:
    """Make a study over a grid."""
    sampler = optuna.samplers.GridSampler({"optimizer": ["sgd", "adam"], "seed": [0, 1, 2]}, seed=0)
    study = optuna.create_study(storage=storage, study_name=name, direction=direction, sampler=sampler)
    study.optimize(objective, n_trials=trials)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("optuna") / "tuning.db"
    tuned(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(made: Path, tmp_path: Path) -> Path:
    """An SQLite database with a study of six trials."""
    return Path(shutil.copy(made, tmp_path))


def read(storage: Path | str, options: TableOptions = SHARE, study: str | None = None) -> RunTable:
    return read_optuna(str(storage), study, options)


def report(storage: Path | str, **options: Any) -> StudyData:
    given = TableOptions(**{"unit": "fraction", "margin": 0.5, "variant": "optimizer", "baseline": "sgd", **options})
    return study_of("theirs", read_optuna(str(storage), None, given), given)


def journal(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


@pytest.mark.parametrize("in_journal", [False, True])
def test_a_study(database: Path, tmp_path: Path, in_journal: bool) -> None:
    if in_journal:
        database = tmp_path / "tuning.log"
        tuned(journal(database))
    runs = read(database)
    by_params = {(row["params.optimizer"], row["params.seed"]): row for row in runs.table.to_dict("records")}
    assert by_params["sgd", "2"] == {
        "status": "complete", "params.optimizer": "sgd", "params.seed": "2", "tags.size.width": "8",
        "tags.size.layers": "[4, 4]", "metrics.value": "0.92",
    }  # fmt: skip
    assert {key: row["status"] for key, row in by_params.items() if row["status"] != "complete"} == {
        ("adam", "1"): "pruned", ("adam", "2"): "fail",
    }  # fmt: skip
    assert by_params["adam", "1"]["metrics.value"] == "", "a pruned trial has no result"
    assert runs.source == f"the Optuna study search in {database}"
    assert runs.metric == "value"


def test_the_study_declares_the_goal(tmp_path: Path) -> None:
    path = tmp_path / "tuning.log"
    tuned(journal(path), direction="minimize")
    found = report(path)
    assert found.metric.goal == "min"
    assert "value, lower is better (by the study)" in found.statement
    assert report(path, goal="min").metric.goal == "min"
    with pytest.raises(UsageError, match=r"--metric-goal max contradicts the Optuna study .* lower values of value"):
        report(path, goal="max")
    account = account_for(analyse(found))
    assert (account.read, account.used) == (6, 2)
    assert account.left_out["pruned"] == account.left_out["failed"] == 1


def test_intermediate_values_need_a_step(database: Path) -> None:
    with pytest.raises(UsageError, match="intermediate_value has up to 3 values per run"):
        report(database, metric=INTERMEDIATE)
    found = report(database, metric=INTERMEDIATE, step="1")
    finished = found.runs[found.runs["status"] == "finished"]
    assert set(finished[INTERMEDIATE]) == {0.6}
    assert found.metric.goal == "max"
    for metric in ("value", None):
        with pytest.raises(UsageError, match=r"value has one value per trial. Omit --step, or compare the reported"):
            report(database, metric=metric, step="last")


def test_several_objectives(tmp_path: Path) -> None:
    storage = tmp_path / "two.log"
    study = optuna.create_study(storage=journal(storage), study_name="two", directions=["maximize", "minimize"])
    study.optimize(lambda trial: (trial.suggest_int("seed", 0, 9) / 10, 2.0), n_trials=2)
    with pytest.raises(UsageError, match=r"The study two has 2 objectives: value_0, value_1. Choose one with --metric"):
        read(storage)
    runs = read(storage, TableOptions(metric="value_1"))
    assert runs.goals == {"value_0": "max", "value_1": "min"}
    assert set(runs.table["metrics.value_1"]) == {"2.0"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.set_metric_names(["val/acc", "latency"])
    assert list(read(storage, TableOptions(metric="latency")).goals) == ["val/acc", "latency"]


def test_unfinished_trials_without_parameters_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "tuning.log"
    tuned(journal(path))
    study = optuna.load_study(study_name=None, storage=journal(path))
    study.enqueue_trial({"optimizer": "adam", "seed": 5})
    study.ask()
    study.enqueue_trial({"optimizer": "adam", "seed": 6})
    study.ask({})
    study.enqueue_trial({})
    runs = read(path, TableOptions(variant="optimizer"))
    assert runs.set_aside == {UNPLACED: ["trial 8 (waiting)"]}
    assert list(runs.table.loc[["trial 6", "trial 7"], "status"]) == ["running", "running"]
    assert list(runs.table["params.seed"])[6:] == ["5", "6"]


def test_one_of_several_studies(tmp_path: Path) -> None:
    path = tmp_path / "tuning.log"
    tuned(journal(path))
    tuned(journal(path), "other", trials=1)
    with pytest.raises(UsageError, match=r"has 2 studies: search, other. Choose one with --study NAME"):
        read(path)
    assert len(read(path, study="other").table) == 1
    with pytest.raises(UserError, match=r"Unknown study 'serch'. Did you mean 'search'\? Known: search, other"):
        read(path, study="serch")


def test_a_choice_of_none_is_a_variant(tmp_path: Path) -> None:
    study = optuna.create_study(storage=journal(tmp_path / "a.log"), study_name="a")
    study.optimize(lambda trial: float(trial.suggest_categorical("schedule", [None]) is None), n_trials=1)
    assert list(read(tmp_path / "a.log").table["params.schedule"]) == ["none"]


def test_reading_creates_no_database(tmp_path: Path) -> None:
    for storage in (tmp_path / "no.db", f"sqlite:///{tmp_path / 'no.db'}", f"sqlite+pysqlite:///{tmp_path / 'no.db'}"):
        with pytest.raises(UserError, match=f"File not found: {tmp_path / 'no.db'}"):
            read(storage)
    with pytest.raises(UsageError, match=r"sqlite://no.db has no path of a database. Write sqlite:///no.db"):
        read("sqlite://no.db")
    assert list(tmp_path.iterdir()) == []


def test_files_of_other_programs(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.execute("create table alembic_version (version_num varchar(32))")
    before = (tmp_path / "mlflow.db").read_bytes()
    with pytest.raises(UserError, match=r"mlflow.db is not a storage of Optuna: it has no table studies"):
        read(tmp_path / "mlflow.db")
    assert (tmp_path / "mlflow.db").read_bytes() == before
    (tmp_path / "runs.jsonl").write_text(json.dumps({"seed": 1}) + "\n")
    with pytest.raises(UserError, match=r"runs.jsonl is neither an SQLite database nor a journal file of Optuna"):
        read(tmp_path / "runs.jsonl")
    with pytest.raises(UserError, match="File not found"):
        read(tmp_path)


@pytest.mark.parametrize(("change", "words"), [
    ("update alembic_version set version_num = 'v2.4.0.a'", "another version of Optuna created it. Back it up"),
    ("update alembic_version set version_num = 'v99.0.0'", "pip install -U optuna"),
    ("delete from alembic_version", "was created by an old version of Optuna. Run `optuna storage upgrade"),
    ("drop table alembic_version", "was created by an old version of Optuna"),
])  # fmt: skip
def test_another_schema_is_not_migrated(database: Path, change: str, words: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(change)
    before = database.read_bytes()
    with pytest.raises(UserError, match=words) as caught:
        read(database)
    assert "\n" not in str(caught.value)
    assert database.read_bytes() == before


def test_a_damaged_database_is_one_line(database: Path) -> None:
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    with pytest.raises(UserError, match=r"Cannot use the Optuna storage .*tuning.db: ") as caught:
        read(database)
    assert "\n" not in str(caught.value)


def test_a_journal_whose_last_line_is_incomplete(tmp_path: Path) -> None:
    path = tmp_path / "tuning.log"
    tuned(journal(path), trials=3)
    complete = read(path)
    assert len(complete.table) == 3
    content = path.read_bytes()
    path.write_bytes(content + content.splitlines()[-1][:20])
    assert read(path).table.equals(complete.table)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["tuning.log"]


def test_passwords_are_masked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"postgresql://ann:\*\*\*@127.0.0.1:1/db") as caught:
        read("postgresql://ann:hunter2pw@127.0.0.1:1/db")
    assert "hunter2pw" not in str(caught.value)


def test_a_path_with_characters_that_urls_reserve(database: Path) -> None:
    copy = database.parent / "copy of #1?%20.db"
    shutil.copy(database, copy)
    assert read(copy).table.equals(read(database).table)
