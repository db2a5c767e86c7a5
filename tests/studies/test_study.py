"""Studies: files, declarations and planned runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ablate.errors import UsageError
from ablate.studies.study import Study
from ablate.workloads.custom.study_file import load_study
from tests import ROOT

EXPERIMENTS = sorted((ROOT / "experiments").glob("*.py"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_shipped_study_asks_a_question_and_plans_runs(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    assert study.question.splitlines()[0].endswith("?")
    recipes = study.recipes()
    assert (
        len({recipe.key for recipe in recipes})
        == len(recipes)
        == len(study.resolved_design.arms) * len(study.seed_list)
    )
    assert study.declared["margin"] > 0


def test_seed_major_order() -> None:
    recipes = Study(seeds=[3, 1], factors=["augment", "dropout"]).recipes()
    assert [(recipe.label, recipe.seed) for recipe in recipes] == [
        (label, seed) for seed in (3, 1) for label in ("baseline", "no-augment", "no-dropout")
    ]


def test_comparisons_name_the_change() -> None:
    rows = Study(factors=["augment", "mixup"]).comparisons()
    assert [(row.variant, row.reference, row.factor, row.change) for row in rows] == [
        ("no-augment", "baseline", "augment", "removed"),
        ("with-mixup", "baseline", "mixup", "added"),
    ]
    rows = Study(design="add-one-in").comparisons()
    assert {(row.reference, row.change, row.family) for row in rows} == {("none", "added", "add-one-in")}


def test_a_candidate_in_question_keeps_its_hyperparameters() -> None:
    study = Study(factors=["mixup"], values={"mixup.alpha": 0.4, "dropout.p": 0.3}, seeds=1)
    baseline, mixed = study.recipes()
    assert "mixup.alpha" not in baseline.params
    assert mixed.params["mixup.alpha"] == 0.4
    assert baseline.params["dropout.p"] == 0.3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"design": "latin-square"}, "Unknown design"),
        ({"factors": ["agument"]}, "Did you mean 'augment'"),
        ({"margin": 0}, "margin"),
        ({"seeds": 0}, "at least one seed"),
        ({"name": "../escape"}, "letters, digits"),
        ({"seeds": 10**11}, "at most 10,000 seeds"),
        ({"seeds": "five"}, "a number such as 5 or a list such as .*, not 'five'"),
        ({"seeds": [0, 0.5]}, "a number such as 5 or a list"),
        ({"seeds": [0, -1]}, "a number such as 5 or a list"),
        ({"seeds": True}, "a number such as 5 or a list"),
        ({"factors": "dropout"}, "factors of a study is a list of names, such as .'dropout'."),
        ({"factors": [1, 2]}, "factors of a study is a list of names, such as .'dropout'., not .1, 2."),
        ({"on": None}, "on of a study is a list of names, such as .'dropout'., not None"),
        ({"margin": "half"}, "The margin of a study is a number such as 0.5, not 'half'"),
        ({"workload": "mine"}, "is the result of from_function or from_command, not 'mine'"),
        ({"values": ["epochs"]}, "values of a study is a mapping such as {'epochs': 30}, not .'epochs'."),
        ({"values": {3: 1}}, "values of a study is a mapping such as {'epochs': 30}, not {3: 1}"),
        (
            {"vary": {3: [1, 2]}},
            "vary of a study names settings and their values, {'lr': .0.01, 0.03.}, not {3: .1, 2.}",
        ),
        ({"arms": {"a": {3: 1}}}, "The arm 'a' lists its differences from the baseline, arms=.*, not {3: 1}"),
        ({"epochs": 5}, "Unknown argument of Study 'epochs'. .* Study.values={'epochs'"),
        ({"dropout_p": 5}, "Unknown argument of Study 'dropout_p'. .* Study.values={'dropout_p'"),
        (
            {"dataset": "digits"},
            "Unknown argument of Study 'dataset'. Known: question, design, .*, all_pairs$",
        ),
        ({"preset": ["demo"]}, "preset of a study is a text such as 'demo', not .'demo'."),
        ({"design": ["pairs"]}, "design of a study is a text such as 'pairs', not .'pairs'."),
        ({"name": 3}, "name of a study is a text such as 'first', not 3"),
        ({"question": None}, "question of a study is a text such as 'Does dropout help.', not None"),
        ({"seed": 5}, "Unknown argument of Study 'seed'. Did you mean 'seeds'.$"),
    ],
)
def test_errors_name_the_mistake(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Study(**values)  # type: ignore[arg-type]  # on purpose


def test_a_design_option_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match="takes no options, not colour"):
        Study(options={"colour": 3}).recipes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "Unknown study file"),
        ("\nimport nothing_like_this", "Cannot run .*broken.py, line 2: ModuleNotFoundError"),
        ("study = 3", "defines no study. Add `study = Study"),
        ("from ablate import Study\na = Study()\nb = Study()", "defines no study. Rename a or b to `study = Study"),
        ("raise SystemExit(3)", "broken.py, line 1 exits with code 3 when the file is imported"),
        ("from ablate import Study\nstudy = Study(factors=['agument'])", "line 2: .*Did you mean 'augment'"),
        ("def double(x):\n    return x * None\n\ndouble(2)", "Cannot run .*broken.py, line 2: TypeError"),
        ("x = 1\ny = (\n", "Cannot run .*broken.py, line 2: SyntaxError: '.' was never closed"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_study(path)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_study_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder, not a study file"):
        load_study(tmp_path)


OLD_FILES = {
    "own training": (
        "from pathlib import Path\n\nfrom ablate import Study\nfrom ablate.study import load_study\n",
        'load_study(Path(__file__).parent / "own.py").workload',
    ),
    "named workload": ("from ablate import Study\nfrom ablate.workload import find\n", "find('resnet9')"),
    "after the move": ("from ablate import Study\nfrom ablate.studies.workload import find\n", "find('resnet9')"),
}
"""Imports and workload in the files that older versions of `ablate tune --save` wrote."""


@pytest.mark.parametrize("kind", OLD_FILES)
def test_a_study_saved_by_an_older_version_needs_one_other_line(tmp_path: Path, kind: str) -> None:
    imports, workload = OLD_FILES[kind]
    path = tmp_path / "tuned.py"
    (tmp_path / "own.py").write_text("from ablate import Study\nstudy = Study(seeds=1)\n")
    path.write_text(
        '"""Which components matter once the recipe is tuned?\n\nTrial 3 of 8 of the search "tuned".\n"""\n\n'
        f"{imports}\n"
        "study = Study(\n"
        '    design="leave-one-out",\n    preset="demo",\n    seeds=[5, 6],\n    margin=0.5,\n'
        f'    values={{\n        "lr": 0.02,\n    }},\n    workload={workload},\n)\n'
    )
    with pytest.raises(UsageError, match="older version of ablate") as caught:
        load_study(path)
    message = str(caught.value)
    assert "\n" not in message
    found = re.search(r"import from (\S+) with `(.+)`$", message)
    assert found
    old, new = found.groups()
    path.write_text(re.sub(rf"from {re.escape(old)} import .*", new, path.read_text()))
    study = load_study(path)
    assert (study.name, study.seeds, study.values) == ("tuned", [5, 6], {"lr": 0.02})
    assert study.workload == Study().workload


def test_the_docstring_is_the_question(tmp_path: Path) -> None:
    path = tmp_path / "why.py"
    path.write_text('"""Why?"""\nfrom ablate import Study\nstudy = Study(seeds=1)\n')
    assert (load_study(path).question, load_study(path).name) == ("Why?", "why")


def test_an_edit_within_the_same_second_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = tmp_path / "edited.py"
    for lr in (0.1, 0.2):
        path.write_text(f"from ablate import Study\nstudy = Study(values={{'lr': {lr}}})\n")
        os.utime(path, (1.7e9, 1.7e9))
        assert load_study(path).values == {"lr": lr}
    assert list(tmp_path.iterdir()) == [path]


def test_a_study_and_its_recipes_are_shown_on_one_line() -> None:
    study = Study(name="why", factors=["augment"], seeds=range(100))
    assert repr(study) == (
        "Study(name='why', design='leave-one-out', factors=['augment'], seeds=range(0, 100), preset='laptop', "
        "workload='resnet9')"
    )
    assert "factors=the baseline's" in repr(Study(seeds=list(range(100))))
    assert len(repr(Study(seeds=list(range(100))))) < 200
    baseline = study.baseline
    assert repr(baseline) == f"Recipe('baseline', workload='resnet9', seed=0, key='{baseline.key}')"
    assert repr(study.workload) == "Workload('resnet9')"
