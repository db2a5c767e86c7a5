"""The options --vary and --all-pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ablate.cli import completion
from ablate.cli.app import app
from ablate.cli.options.recipe import RecipeFlags
from ablate.cli.options.study import StudyFlags
from ablate.cli.options.vary import parse_vary
from ablate.errors import UsageError
from ablate.studies.workload import find_workload
from tests.samples import levels

RESNET9 = find_workload("resnet9")


def test_values_are_read_in_the_type_of_their_setting() -> None:
    texts = ["lr=0.003, 1e-2", "batch-size=100,400", "optimizer=adam,sgd", "dropout-p=0,0.2", "train_size=all,500"]
    assert parse_vary(texts, RESNET9) == {
        "lr": [0.003, 0.01],
        "batch_size": [100, 400],
        "optimizer": ["adam", "sgd"],
        "dropout.p": [0.0, 0.2],
        "train_size": [None, 500],
    }
    together = parse_vary(["lr, batch-size =0.01:100, 0.03:400", "mixup,train_size=off:all,on:500"], RESNET9)
    assert together == {
        ("lr", "batch_size"): [(0.01, 100), (0.03, 400)],
        ("mixup", "train_size"): [(False, None), (True, 500)],
    }
    assert parse_vary(None, RESNET9) is None
    assert parse_vary(["heat=1,2"], levels.WORKLOAD) == {"heat": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["lr"], "--vary takes a name and its values, such as lr=0.003,0.01, not 'lr'"),
        (
            ["lr,epochs=0.01:4,0.03"],
            "--vary lr,epochs=... takes combinations of 2 values, joined by colons, not '0.03'",
        ),
        (["lr,epoch=0.01:4,0.03:8"], "Unknown setting 'epoch'. Did you mean 'epochs'"),
        (["lr,mixup=0.01:off,0.03:yes"], "mixup is a factor, which is on .True. or off .False., not 'yes'"),
        (["lr,epochs=0.01:4,0.03:8", "lr,epochs=0.01:4,0.1:8"], "--vary names lr,epochs twice"),
        (["lr="], "--vary takes a name and its values"),
        (["lr,=0.01:1,0.03:2"], "--vary takes a name and its values"),
        (["leraning=1,2"], "Unknown setting 'leraning'"),
        (["lr=0.01,fast"], "lr must be a number, not 'fast'"),
        (["lr=0.01,"], "lr must be a number, not ''"),
        (["lr=0.01,0.1,1e-1"], "lr has the value 0.1 twice"),
        (["optimizer=adam,sdg"], "not 'sdg'. Did you mean 'sgd'"),
        (["lr=0.01,0.1", "lr=0.01,0.3"], "--vary names lr twice"),
        (["augment=true,false"], "augment is a factor, which is on or off. List it in .* --factors augment"),
        (["lr=0.01"], "The only value of lr is the baseline's, 0.01. List another one"),
    ],
)
def test_bad_input_is_one_line(options: list[str], message: str, project: Path) -> None:
    arguments = [part for text in options for part in ("--vary", text)]
    with pytest.raises(UsageError, match=message):
        StudyFlags(vary=options).study(None, RecipeFlags({}, {})).recipes()
    result = CliRunner().invoke(app, ["sweep", "--preset", "demo", "--offline", *arguments])
    assert result.exit_code in (1, 2)
    assert not list((project / "mlruns").rglob("*.jsonl"))


def test_options_add_to_the_study_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from ablate import Study\n"
        "study = Study(vary={'lr': [0.01, 0.1], 'width': [8, 64]}, preset='notebook', seeds=1)\n"
    )
    flags = StudyFlags(vary=["lr=0.003,0.01,0.03", "optimizer=adam,sgd"], factors="augment", all_pairs=True)
    study = flags.study(path, RecipeFlags({}, {}))
    labels = ["baseline", "no-augment", "lr=0.003", "lr=0.03", "width=8", "optimizer=sgd"]
    assert [recipe.label for recipe in study.recipes()] == labels
    assert study.comparisons()[-1].family == "lr: all pairs"
    path.write_text("from ablate import Study\nstudy = Study(on=['mixup'], off=['augment', 'dropout'])\n")
    switched = StudyFlags().study(path, RecipeFlags({"augment": True, "mixup": False}, {}))
    assert (switched.on, switched.off) == (["augment"], ["dropout", "mixup"])


@pytest.mark.parametrize(
    ("arguments", "message", "remedy"),
    [
        ("preset='tiny'", "line 3: Unknown preset 'tiny'", {"preset": "demo"}),
        ("values={'epoch': 5}", "line 3: Unknown setting 'epoch'. Did you mean 'epochs'", None),
        ("values={'epochs': 'ten'}", "line 3: epochs must be an integer, not 'ten'", {"values": {"epochs": 3}}),
    ],
)
def test_a_wrong_declaration_has_the_line_of_the_study(
    arguments: str, message: str, remedy: dict[str, Any] | None, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"from ablate import Study\n\nstudy = Study({arguments})\n")
    with pytest.raises(UsageError, match=f"^{path}, {message}"):
        StudyFlags().study(path, RecipeFlags({}, {}))
    if remedy:
        flags = StudyFlags(preset=remedy.get("preset"))
        assert flags.study(path, RecipeFlags({}, remedy.get("values", {}))).recipes()


def test_a_study_without_a_file_is_named_by_what_it_varies() -> None:
    def name(**options: object) -> str:
        return StudyFlags(preset="demo", **options).study(None, RecipeFlags({}, {})).name  # type: ignore[arg-type]

    assert name(vary=["lr=0.01,0.03", "optimizer=adam,sgd"]) == "vary-lr-optimizer-demo"
    assert name(vary=["lr=0.01,0.03"], design="factorial") == "vary-lr-factorial-demo"
    assert name(vary=["lr,epochs=0.01:12,0.03:8"]) == "vary-lr-epochs-demo"
    assert name() == "leave-one-out-demo"


def test_completion_of_names_and_words() -> None:
    assert completion._varied("dropout") == ["dropout.p="]
    assert "lr=" in completion._varied("l")
    assert completion._varied("optimizer=adam,s") == ["optimizer=adam,sgd"]
    assert completion._varied("lr=0.0") == []
    assert completion._varied("lr,dropout") == ["lr,dropout.p="]
    assert completion._varied("lr,optimizer=0.01:adam,0.03:s") == ["lr,optimizer=0.01:adam,0.03:sgd"]
    assert completion._varied("lr,optimizer=0.01:adam,0.03:adam:") == []
