"""Commands with placeholders: their arguments, and that values are never parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.errors import UsageError
from ablate.workloads.custom.command_template import CommandTemplate

COMMAND = "python train.py --seed {seed} {augment:--augment|--no-augment} {dropout:--dropout 0.2|} --lr={lr}"


def filled(text: str, on: set[str], **values: object) -> list[str]:
    return CommandTemplate.parse(text).fill(on.__contains__, values, {})


def test_factors_become_arguments_and_values_stay_one_argument() -> None:
    start = ["python", "train.py", "--seed", "3"]
    assert filled(COMMAND, {"augment", "dropout"}, seed=3, lr=0.1) == [
        *start, "--augment", "--dropout", "0.2", "--lr=0.1",
    ]  # fmt: skip
    assert filled(COMMAND, set(), seed=3, lr=0.1) == [*start, "--no-augment", "--lr=0.1"]


def test_a_command_declares_factors_with_their_texts() -> None:
    assert CommandTemplate.parse(COMMAND).factor_texts == {
        "augment": ("--augment", "--no-augment"),
        "dropout": ("--dropout 0.2", ""),
    }
    twice = CommandTemplate.parse("run {fast:-O3|-O0} {fast:--lto|}")
    assert twice.factor_texts == {"fast": ("-O3 --lto", "-O0")}


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
def test_quotes_braces_and_shell_syntax(text: str, expected: list[str]) -> None:
    assert filled(text, {"a"}, p=0.5) == expected


@given(value=st.text().filter(lambda text: "\x00" not in text), other=st.text())
def test_any_value_is_one_argument(value: str, other: str) -> None:
    made = filled("run {value} --other={other} {a:{value}|}", {"a"}, value=value, other=other)
    assert len(made) == 4
    assert made[1] == made[3] == value


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("run 'open", "Cannot split"), ("  ", "is empty")])
def test_invalid_commands(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CommandTemplate.parse(text)


def test_unknown_placeholders_are_named() -> None:
    with pytest.raises(UsageError, match=r"Unknown placeholder 'sed'\. Did you mean 'seed'"):
        CommandTemplate.parse("run {sed}").check({"seed": 0, "epochs": 0})
    with pytest.raises(UsageError, match="Unknown placeholder 'p'"):
        CommandTemplate.parse("run {a:--p {p}|}").check({"seed": 0})


SEED, EPOCHS = "The command has no {seed}. Runs that ignore the seed repeat each other", "The command has no {epochs}"


@pytest.mark.parametrize(
    ("text", "others", "expected"),
    [
        ("run {seed} {epochs} {a:x|y}", [], {}),
        ("run {a:x|y}", [], {"seed": SEED, "epochs": EPOCHS}),
        ("run {a:x|y}", ["{seed}", "out/{epochs}"], {}),
        ("run --seed={seed} '{{epochs}}' {a:x|y}", [], {"epochs": EPOCHS}),
        ("run {{seed}} {epochs}", [], {"seed": SEED}),
        ("run {a:{seed}|{seed} x} {epochs}", [], {}),
        ("run {a:{seed}|x} {epochs}", [], {"seed": "The command has {seed} only in the text of a. Runs"}),
        ("run {seed} {a:x|{epochs}}", [], {"epochs": "has {epochs} only in the text of a, so the setting epochs has"}),
    ],
)
def test_a_seed_or_setting_that_the_command_ignores(text: str, others: list[str], expected: dict[str, str]) -> None:
    found = CommandTemplate.parse(text).unread_names(["epochs"], others)
    assert found.keys() == expected.keys()
    assert all(part in found[name] for name, part in expected.items())
