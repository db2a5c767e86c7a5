"""Commands with placeholders: what becomes of them, and that nothing in a value is ever read as more than a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UsageError
from ablate.workloads.custom.command_template import Template

COMMAND = "python train.py --seed {seed} {augment:--augment|--no-augment} {dropout:--dropout 0.2|} --lr={lr}"


def filled(text: str, on: set[str], **values: object) -> list[str]:
    return Template.read(text).fill(on.__contains__, values)


def test_factors_become_their_arguments_and_values_stay_one() -> None:
    start = ["python", "train.py", "--seed", "3"]
    assert filled(COMMAND, {"augment", "dropout"}, seed=3, lr=0.1) == [
        *start, "--augment", "--dropout", "0.2", "--lr=0.1",
    ]  # fmt: skip
    assert filled(COMMAND, set(), seed=3, lr=0.1) == [*start, "--no-augment", "--lr=0.1"]


def test_what_a_command_says_of_its_factors() -> None:
    assert Template.read(COMMAND).meanings == {
        "augment": ("--augment", "--no-augment"),
        "dropout": ("--dropout 0.2", ""),
    }
    twice = Template.read("run {fast:-O3|-O0} {fast:--lto|}")
    assert twice.meanings == {"fast": ("-O3 --lto", "-O0")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run {a:--name 'two words'|} end", ["run", "--name", "two words", "end"]),
        ("run --flags={a:x y|z}", ["run", "--flags=x y"]),
        ("run {a:--p {p}|--no-p}", ["run", "--p", "0.5"]),
        ("run '{\"lr\": {p}}' {{p}}", ["run", '{"lr": 0.5}', "{p}"]),
        ("run '{a: 1}'", ["run", "{a: 1}"]),
        ('run "$HOME" ; rm `x` > y', ["run", "$HOME", ";", "rm", "`x`", ">", "y"]),
    ],
)
def test_quotes_braces_and_what_a_shell_would_do(text: str, expected: list[str]) -> None:
    assert filled(text, {"a"}, p=0.5) == expected


@given(value=st.text().filter(lambda text: "\x00" not in text), other=st.text())
def test_a_value_is_one_argument_whatever_it_holds(value: str, other: str) -> None:
    made = filled("run {value} --other={other} {a:{value}|}", {"a"}, value=value, other=other)
    assert len(made) == 4
    assert made[1] == made[3] == value


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("run 'open", "cannot be split"), ("  ", "is empty")])
def test_commands_that_are_none(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Template.read(text)


def test_a_placeholder_that_stands_for_nothing_is_named() -> None:
    with pytest.raises(UsageError, match=r"Unknown placeholder 'sed'\. Did you mean 'seed'"):
        Template.read("run {sed}").check({"seed": 0, "epochs": 0})
    with pytest.raises(UsageError, match="Unknown placeholder 'p'"):
        Template.read("run {a:--p {p}|}").check({"seed": 0})
