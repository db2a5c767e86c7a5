"""Storages of searches: the studies and databases of other programs are refused, and passwords are masked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
import pytest

from ablate.errors import UsageError, UserError
from ablate.tuning.search import Search
from ablate.tuning.types import SearchStorage
from tests.samples.searches import search_spec


def storage(folder: Path) -> SearchStorage:
    return SearchStorage(f"sqlite:///{folder / 'tuning.db'}", folder)


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("trials", [pytest.param(0, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("attribute", [None, True, {"lr": 0.1}])
def test_the_study_of_another_program_is_refused_and_unchanged(
    tmp_path: Path, direction: str, trials: int, attribute: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.tuning.optuna_study._CREATION_SECONDS", 0.0)
    study = optuna.create_study(storage=storage(tmp_path).url, study_name="kitchen", direction=direction)
    study.optimize(lambda trial: trial.suggest_float("lr", 0, 1), n_trials=trials)
    if attribute is not None:
        study.set_user_attr("tuning", attribute)
    with pytest.raises(UsageError, match=r"not created by `ablate tune`. Choose another --name"):
        Search(search_spec(), storage(tmp_path))
    assert len(study.get_trials()) == trials


def test_a_search_with_trials_of_another_program_is_refused(tmp_path: Path) -> None:
    search = Search(search_spec(), storage(tmp_path))
    assert Search(search_spec(), storage(tmp_path)).missing == search.missing, "ours is resumed"
    search.study.add_trial(optuna.trial.create_trial(value=99.0))
    with pytest.raises(UsageError, match="1 of 1 trials that `ablate tune` did not make"):
        Search(search_spec(), storage(tmp_path))


def test_other_studies_of_a_storage_stay(tmp_path: Path) -> None:
    optuna.create_study(storage=storage(tmp_path).url, study_name="other")
    Search(search_spec(), storage(tmp_path))
    assert sorted(optuna.get_all_study_names(storage(tmp_path).url)) == ["kitchen", "other"]


def test_a_storage_of_another_version_is_explained_in_one_line(tmp_path: Path) -> None:
    Search(search_spec(), storage(tmp_path))
    for revision in ("v2.4.0.a", "v99.0.0"):
        with sqlite3.connect(tmp_path / "tuning.db") as database:
            database.execute("update alembic_version set version_num = ?", (revision,))
        with pytest.raises(UserError, match=r"Cannot use the search storage .*(optuna storage upgrade|pip install)"):
            Search(search_spec(), storage(tmp_path))


def test_the_database_of_another_program_is_refused_and_unchanged(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "tuning.db") as database:
        database.execute("create table alembic_version (version_num varchar(32))")
        database.execute("insert into alembic_version values ('of MLflow')")
    with pytest.raises(UsageError, match="another program"):
        Search(search_spec(), storage(tmp_path))
    with sqlite3.connect(tmp_path / "tuning.db") as database:
        assert database.execute("select * from alembic_version").fetchall() == [("of MLflow",)]
        assert database.execute("select count(*) from sqlite_master where type = 'table'").fetchone() == (1,)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense://ann:hunter2pw@host/db",
        "sqlite+pysqlcipher://:hunter2pw@/no/such.db",
        "postgresql://ann:hunter2pw@127.0.0.1:1/db",
        "postgresql+nodriver://ann:hunter2pw@127.0.0.1:1/db",
        "mysql://host/db?user=ann&password=hunter2pw",
        "redis://:hunter2pw@127.0.0.1:1/0",
        "postgresql://ann:hunter2pw@127.0.0.1:noport/db",
    ],
)
def test_passwords_of_storages_are_masked(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="Cannot use the search storage") as caught:
        Search(search_spec(), SearchStorage(url, tmp_path))
    assert "hunter2pw" not in str(caught.value)
    assert "***" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["not json\n", '{"op_code": 99}\n', "\x00\x01\n"])
def test_a_damaged_file_is_explained_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "kitchen.log").write_text(content)
    with pytest.raises(UserError, match="Cannot use the search storage"):
        Search(search_spec(), SearchStorage(str(tmp_path / "kitchen.log"), tmp_path))
