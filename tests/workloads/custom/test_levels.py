"""Factors with several levels in functions and commands: no level is dropped or passed on literally."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ablate import Metric, Study, from_command, from_function
from ablate.errors import UsageError
from ablate.journal.run_journal import Run
from ablate.workloads.custom.command_template import level_names
from ablate.workloads.custom.study_file import load_study
from tests.samples.custom import artifact, command_study, runs_of, written

OPTIMIZERS = ["sgd", "adam", "muon"]
FUNCTION = '''
"""Which optimizer?"""

from ablate import Metric, Study, from_function

GAINS = {"sgd": 0.0, "adam": 0.1, "muon": 0.2}

def train(recipe, log):
    return 0.5 + GAINS[recipe["optimizer"]] + 0.05 * recipe["augment"] + recipe.seed / 1000

study = Study(
    workload=from_function(
        train, factors={"optimizer": ["sgd", "adam", "muon"], "augment": "flips"}, metric=Metric("score")
    ),
    seeds=2,
)
'''
PRINTS = """
    import json, sys
    print(json.dumps({"score": 0.5, "arguments": sys.argv[1:]}))
"""


def labels(study: Study) -> list[str]:
    return [recipe.label for recipe in study.change(seeds=1).recipes()]


def train(recipe: Any, _log: Any) -> float:
    return 0.5 + len(recipe["optimizer"]) + recipe["augment"] + recipe.seed


def declared(**factors: Any) -> Study:
    return Study(workload=from_function(train, factors=factors, metric=Metric("score")), seeds=1)


def test_a_function_gets_the_level_and_every_level_is_trained(tmp_path: Path) -> None:
    study = load_study(written(tmp_path, FUNCTION))
    made = {(run.variant, run.seed): run.metrics["final/score"] for run in runs_of(study, tmp_path)}
    wanted = {"baseline": 0.55, "no-augment": 0.5, "optimizer=adam": 0.65, "optimizer=muon": 0.75}
    assert made == pytest.approx(
        {(variant, seed): score + seed / 1000 for variant, score in wanted.items() for seed in (0, 1)}
    )
    assert {run.params["optimizer"] for run in runs_of(study.change(seeds=3), tmp_path)} == set(OPTIMIZERS)


def test_levels_are_in_question_by_default_and_by_name() -> None:
    study = declared(augment="flips", optimizer=OPTIMIZERS)
    assert labels(study) == ["baseline", "no-augment", "optimizer=adam", "optimizer=muon"]
    assert labels(study.change(factors=["optimizer"])) == ["baseline", "optimizer=adam", "optimizer=muon"]
    assert labels(study.change(factors=["augment"])) == ["baseline", "no-augment"]
    assert labels(study.change(vary={"optimizer": ["muon", "sgd"]})) == ["baseline", "optimizer=muon"]
    on_adam = study.change(values={"optimizer": "adam"}, factors=["optimizer"])
    assert labels(on_adam) == ["baseline", "optimizer=sgd", "optimizer=muon"]
    assert len(labels(study.change(design="factorial"))) == 6
    assert labels(declared(optimizer=OPTIMIZERS)) == ["baseline", "optimizer=adam", "optimizer=muon"]


def test_factors_that_are_on_or_off_keep_their_keys() -> None:
    """The keys are those of the version before levels."""
    function = from_function(
        train,
        factors={"augment": ("flips", "none"), "cache": "it"},
        candidates={"warm": "up"},
        settings={"lr": 0.1},
        metric=Metric("score"),
        name="own",
        version="1",
    )
    command = from_command(
        "run --seed {seed} {opt:--opt sgd|--opt adam} {fast:--fast|}", metric=Metric("score"), name="own", version="1"
    )
    keys = [recipe.key for one in (function, command) for recipe in Study(workload=one, seeds=1).recipes()]
    old = ["836891714ad1", "d06306a0db1b", "dd757259802e", "c4304ded7a3a", "66236db823e8", "301ec03bc0b1"]
    assert keys == old


def _arguments(folder: Path, run: Run) -> list[str]:
    """Return the arguments that a program has printed."""
    printed: list[str] = json.loads(artifact(folder, run, "stdout.txt").splitlines()[-1])["arguments"]
    return printed


def test_a_command_gets_the_text_of_each_level(tmp_path: Path) -> None:
    command = (
        "{python} {here}/program.py --seed {seed} {optimizer:--opt sgd|--opt adam|--opt muon -m 0.9} {fast:--fast|}"
    )
    study = command_study(tmp_path, command, PRINTS)
    arguments = {}
    for run in runs_of(study, tmp_path):
        arguments[run.variant] = _arguments(tmp_path, run)[2:]
    assert arguments == {
        "baseline": ["--opt", "sgd", "--fast"],
        "no-fast": ["--opt", "sgd"],
        "optimizer=adam": ["--opt", "adam", "--fast"],
        "optimizer=muon -m 0.9": ["--opt", "muon", "-m", "0.9", "--fast"],
    }


def test_other_names_of_the_texts_are_other_code(tmp_path: Path) -> None:
    """A run of the text "--opt sgd" is not one of "--opt adam" because both were called A."""
    command = "{python} program.py {opt:--opt sgd|--opt adam|--opt muon}"
    for names in (["A", "B", "C"], ["B", "A", "C"]):
        study = command_study(tmp_path, command, PRINTS, factors={"opt": names})
        made = runs_of(study.change(seeds=1), tmp_path)
        texts = {run.params["opt"]: _arguments(tmp_path, run)[1] for run in made}
        assert texts == dict(zip(names, ("sgd", "adam", "muon"), strict=True))
    assert len({run.key for run in made} | {run.key for run in runs_of(study.change(seeds=1), tmp_path)}) == 3


def test_names_of_the_levels_of_a_command() -> None:
    def words(command: str, **factors: Any) -> tuple[str, ...]:
        workload = from_command(f"run {{seed}} {command}", metric=Metric("score"), factors=factors)
        return workload.level_factors["opt"]

    assert words("{opt:--opt sgd|--opt adam|--opt muon}") == tuple(OPTIMIZERS)
    assert words("--opt={opt:sgd|adam|muon}") == tuple(OPTIMIZERS)
    assert words("{opt:sgd|adam|muon}.log {opt:x|y|z}") == ("sgd x", "adam y", "muon z")
    assert words("{opt:-a|-b|-c}", opt=OPTIMIZERS) == tuple(OPTIMIZERS)
    assert words("{opt:-a|-b|-c}", opt="the optimizer") == ("a", "b", "c")
    assert level_names(["", "--opt adam", "--opt muon"]) == ("none", "adam", "muon")


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"opt": ["sgd"]}, "The factor opt has 1 level. List at least two"),
        ({"opt": []}, "The factor opt has 0 levels"),
        ({"opt": ["sgd", "adam", "sgd"]}, "The factor opt has the level 'sgd' twice"),
        ({"opt": ["sgd", 3]}, "The levels of opt are words, not 3"),
        ({"opt": {"sgd", "adam"}}, "The factor opt has a description, or a list of levels such as"),
        ({"opt": ("sgd", "")}, None),
        ({"seed": ["a", "b"]}, "The name seed is reserved"),
    ],
)
def test_invalid_levels_of_a_function(factors: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert labels(declared(**factors)) == ["baseline", "no-opt"]
        return
    with pytest.raises(UsageError, match=message):
        declared(**factors)


def test_arms_with_the_same_command_line_are_not_compared() -> None:
    common: dict[str, Any] = {"settings": {"lr": 0.1, "p": 0.5}, "metric": Metric("score")}
    rates = from_command("run {seed} {p} {opt:--lr {lr}|--lr 0.1|--lr 0.2}", **common)
    with pytest.raises(UsageError, match=r"baseline and opt=0\.1 have the same command line.* leave opt out"):
        Study(workload=rates).recipes()
    assert len(Study(workload=rates, values={"lr": 0.3}, seeds=1).recipes()) == 3
    partly = from_command("run {seed} {lr} {a:-a {p}|}", candidates={"a": "it"}, **common)
    with pytest.raises(UsageError, match=r"baseline and p=0\.2 have the same command line.* or leave p out"):
        Study(workload=partly, vary={"p": [0.5, 0.2]}).recipes()
    crossed = Study(workload=partly, vary={"p": [0.5, 0.2]}, factors=["a"], design="factorial", seeds=1)
    assert "with-a+p=0.2" in labels(crossed)


def test_a_factor_with_levels_is_no_candidate_as_well() -> None:
    with pytest.raises(UsageError, match="opt is declared both as a factor and as a candidate"):
        from_function(train, factors={"opt": ["a", "b", "c"]}, candidates={"opt": "x"}, metric=Metric("accuracy"))


@pytest.mark.parametrize(
    ("command", "more", "message"),
    [
        ("{opt:-a|-b|-a}", {}, "The factor opt has the same text for two levels: -a"),
        ("{opt:-a 'b c'|-x|-a \"b c\"}", {}, "The factor opt has the same text for two levels: -a"),
        ("{opt:-a  b|-a 'b'}", {}, "The factor opt has the same text on and off: -a 'b'"),
        ("{opt:-a 'b|-b|-c}", {}, "Cannot split the command"),
        ("{opt:-a|-b|-c} {opt:x|y}", {}, "opt has 3 texts in one place of the command and 2 in another"),
        ("{opt:-a|-b|-c}", {"factors": {"opt": ["a", "b"]}}, "has 3 texts in the command and 2 declared levels"),
        ("{opt:-a|-b|-c}", {"candidates": {"opt": "it"}}, "The candidate opt has levels"),
        ("{opt:-a {p}|-b|-c}", {}, "Unknown placeholder 'p'"),
        ("{opt:-a|-b}", {"factors": {"opt": ["a", "b"]}}, "has two texts in the command, so it is on or off"),
    ],
)
def test_invalid_levels_of_a_command(command: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_command(f"run {{seed}} {command}", metric=Metric("score"), **more)


def test_nan_is_not_a_value() -> None:
    workload = from_command("run {seed} {lr} {fast:-f|}", metric=Metric("score"), settings={"lr": 0.1})
    with pytest.raises(UsageError, match="lr must be a number, not nan"):
        Study(workload=workload, vary={"lr": [0.1, float("nan")]}).recipes()


def test_unknown_levels_and_settings_that_are_no_factors() -> None:
    study = declared(augment="flips", optimizer=OPTIMIZERS)
    with pytest.raises(UsageError, match=r"must be one of sgd, adam, muon, not 'adan'\. Did you mean 'adam'"):
        study.change(vary={"optimizer": ["sgd", "adan"]})
    with pytest.raises(UsageError, match=r"Unknown factor 'optimiser'\. Did you mean 'optimizer'"):
        study.change(factors=["optimiser"])
    with pytest.raises(UsageError, match=r"lr is a setting, not a factor\. Compare its values with --vary lr="):
        Study(factors=["lr"])


def test_values_that_the_training_never_reads_are_refused() -> None:
    def unread(recipe: Any, _log: Any) -> float:
        return 0.5 + recipe["augment"] + recipe.seed

    common: dict[str, Any] = {"settings": {"lr": 0.1}, "metric": Metric("score")}
    function = from_function(unread, factors={"augment": "flips", "optimizer": OPTIMIZERS}, **common)
    with pytest.raises(UsageError, match=r"unread never reads recipe.'lr'.: lr has no effect. All of its values"):
        Study(workload=function, vary={"lr": [0.1, 0.2]}).recipes()
    with pytest.raises(UsageError, match=r"unread never reads recipe.'optimizer'."):
        Study(workload=function).recipes()
    command = from_command("run {seed} {a:-a {lr}|} {opt:x|y|z}", settings={"lr": 0.1, "p": 1}, metric=Metric("score"))
    assert labels(Study(workload=command, vary={"lr": [0.1, 0.2]})) == ["baseline", "lr=0.2"]
    with pytest.raises(UsageError, match=r"The command has no {p}, so the setting p has no effect there. All of its"):
        Study(workload=command, vary={"p": [1, 2]}).recipes()


def conditional(requires: Any, **values: Any) -> Study:
    def momentum(recipe: Any, _log: Any) -> float:
        return 0.5 + recipe["momentum"] + recipe["beta"] + len(recipe["optimizer"]) + recipe.seed

    factors: dict[str, Any] = {"optimizer": ["sgd", "adam", "muon"], "momentum": "of SGD"}
    where = {name: values.pop(name) for name in ("candidates",) if name in values}
    if where:
        factors.pop("momentum")
    workload = from_function(
        momentum, factors=factors, settings={"beta": 0.9}, requires=requires, metric=Metric("score"), **where
    )
    return Study(workload=workload, seeds=1, **values)


NEEDS_SGD = {"momentum": ("optimizer", ["sgd"])}


def test_a_factor_that_needs_a_level_is_off_without_it() -> None:
    study = conditional(NEEDS_SGD)
    off = ["no-momentum+optimizer=adam", "no-momentum+optimizer=muon"]
    assert labels(study) == ["baseline", "no-momentum", *off]
    assert study.resolved_design.left_out == (
        "momentum is off while optimizer is adam: 1 combination without it",
        "momentum is off while optimizer is muon: 1 combination without it",
    )
    everything = conditional(NEEDS_SGD, design="factorial")
    assert labels(everything) == ["baseline", *off, "no-momentum"]
    assert len({recipe.key for recipe in everything.recipes()}) == 4
    candidate = conditional({"momentum": ("optimizer", ["adam"])}, candidates={"momentum": "it"}, design="factorial")
    assert "with-momentum+optimizer=adam" in labels(candidate.change(factors=["momentum", "optimizer"]))


def test_a_setting_that_needs_a_level_is_varied_with_it_only() -> None:
    study = conditional({"beta": ("optimizer", ["sgd"])}, vary={"beta": [0.9, 0.5], "optimizer": ["sgd", "adam"]})
    assert labels(study.change(design="factorial")) == ["baseline", "optimizer=adam", "beta=0.5"]


@pytest.mark.parametrize(
    ("requires", "values", "message"),
    [
        ({"momentun": ("optimizer", ["sgd"])}, {}, "Unknown factor or setting 'momentun'. Did you mean 'momentum'"),
        ({"momentum": ("optimiser", ["sgd"])}, {}, "Unknown setting 'optimiser'. Did you mean 'optimizer'"),
        ({"momentum": ("optimizer", ["sgdd"])}, {}, "optimizer must be one of sgd, adam, muon, not 'sgdd'"),
        ({"momentum": "optimizer"}, {}, "momentum requires some values of another setting"),
        ({"momentum": ("optimizer", "sgd")}, {}, "momentum requires some values of another setting"),
        (
            NEEDS_SGD,
            {"values": {"optimizer": "adam"}},
            "momentum is on in the baseline, but has no effect while optimi",
        ),
        (
            NEEDS_SGD,
            {"arms": {"a": {"optimizer": "adam"}}},
            "The arm 'a': momentum has no effect while optimizer is adam",
        ),
        (
            {"momentum": ("optimizer", ["adam"])},
            {"candidates": {"momentum": "it"}, "factors": ["momentum"]},
            "leave-one-out cannot switch momentum on, which needs another optimizer: use the design factorial",
        ),
    ],
)
def test_invalid_requirements(requires: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        conditional(requires, **values).recipes()
