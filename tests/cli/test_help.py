"""Help of the command line: start screen, help at every width, usage errors with suggestions, no colour."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import typer
from typer.models import OptionInfo
from typer.testing import CliRunner

from ablate.api.resources import DEFAULT_DATASET, FULL_PRESET
from ablate.cli.app import app
from ablate.cli.help import START, HelpfulCommand
from ablate.cli.options import names
from ablate.cli.options.report import ExternalRunFlags
from ablate.data import ImageSource
from ablate.report.sources.existing_runs import TableOptions
from ablate.runs.until_clear import planned_looks
from ablate.studies.settings import Range
from ablate.workloads.resnet9.workload import WORKLOAD

WIDTHS = (60, 80, 120)


def tree(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, group
    for name, command in getattr(group, "commands", {}).items():
        yield from tree(command, (*words, name))


COMMANDS = dict(tree(typer.main.get_command(app)))


def invoke(*arguments: str, color: bool = False) -> Any:
    return CliRunner().invoke(app, arguments, color=color)


def test_alone_it_shows_where_to_start() -> None:
    result = invoke()
    assert result.exit_code == 0
    assert result.stdout.strip() == START
    assert all(len(line) < 80 for line in START.splitlines())
    typed = re.findall(r"^  (ablate .*?)(?:   .*)?$", result.stdout, re.MULTILINE)
    assert len([command for command in typed if "--help" not in command]) == 3
    for command in typed:
        _, name, *rest = command.split()
        words = () if name == "--help" else (name,)
        used = {word for word in rest if word.startswith("--") and word != "--help"}
        assert used <= {option for p in COMMANDS[words].params for option in (*p.opts, *p.secondary_opts)}
    assert invoke("data").exit_code == 0


def test_the_version_is_all_that_version_says() -> None:
    assert re.fullmatch(r"ablate \d+\.\d+\.\d+\n", invoke("--version").stdout)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words) or "ablate")
def test_help_fits_and_names_stay_whole(words: Sequence[str], width: int) -> None:
    command = COMMANDS[tuple(words)]
    flag = "--help-all" if folded(command) else "--help"
    text = CliRunner().invoke(app, [*words, flag], terminal_width=width).stdout
    head, _, rest = text.partition("\nExamples:\n")
    examples, _, tail = rest.partition("\n\n")
    assert examples, "every command's help has examples"
    for example in examples.splitlines():
        program, *typed = example.split()
        assert program == "ablate"
        command_words = max((known for known in COMMANDS if tuple(typed[: len(known)]) == known), key=len)
        options = {word for word in typed if word.startswith("--") and word != "--help"}
        known = {name for p in COMMANDS[command_words].params for name in (*p.opts, *p.secondary_opts)}
        assert options <= known, example
    for line in (*head.splitlines(), *tail.splitlines()):
        assert len(line) <= width, line
    assert "…" not in text
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            assert listed(option, text) or not option.startswith("--")


def folded(command: Any) -> list[str]:
    return command.folded() if isinstance(command, HelpfulCommand) else []


def listed(option: str, text: str) -> bool:
    """Whether a help lists an option; a pair of switches is listed as `--[no-]x`."""
    return option in text or f"--[no-]{option.removeprefix('--').removeprefix('no-')}" in text


RARE = {
    *("--compile", "--no-fused", "--mix", "--address", "--max-failures", "--sampler-seed", "--storage", "--resolution"),
    *("--tracking-uri", "--dropout-p"),
}


@pytest.mark.parametrize("name", ["run", "sweep", "tune"])
def test_the_short_help_leaves_rare_options_to_the_full_help(name: str) -> None:
    command = COMMANDS[(name,)]
    short = CliRunner().invoke(app, [name, "--help"], terminal_width=80).stdout
    full = CliRunner().invoke(app, [name, "--help-all"], terminal_width=80).stdout
    rare = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} & RARE
    assert len(rare) >= 4
    for option in rare:
        assert not listed(option, short)
        assert listed(option, full)
    assert f"--help-all  Show all options, including: {folded(command)[0].partition(',')[0].lower()}" in short
    assert len(short.splitlines()) <= SCREEN[name] < len(full.splitlines())
    for option in ("--preset", "--device", "--dataset", "--json"):
        assert option in short


SCREEN = {"run": 80, "sweep": 60, "tune": 70}
"""Lines of the short help at 80 columns, at most."""


def callbacks(group: Any) -> Iterator[Any]:
    yield from (command.callback for command in group.registered_commands)
    for one in group.registered_groups:
        yield from callbacks(one.typer_instance)


def test_no_option_takes_its_spelling_from_a_placeholder() -> None:
    """Typer 0.27 names the option of `name` with the placeholder NAME `--NAME`, unless its flag is declared."""
    declared = [(found.name, info) for one in callbacks(app) for found in options_of(one) for info in infos_of(found)]
    assert len(declared) > 100
    for name, info in declared:
        has_flag = info.default is not ...  # the first of the flags: typer.Option("--name", ...) in an annotation
        assert has_flag or (info.metavar or "").replace("_", "-").lower() != name.replace("_", "-"), name
    flags = {flag for command in COMMANDS.values() for item in command.params for flag in item.opts if "-" in flag}
    assert {"--name", "--unit", "--margin"} <= flags
    assert {flag for flag in flags if flag != flag.lower()} == set()


def options_of(callback: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(callback, eval_str=True).parameters.values())


def infos_of(parameter: inspect.Parameter) -> list[OptionInfo]:
    return [item for item in getattr(parameter.annotation, "__metadata__", ()) if isinstance(item, OptionInfo)]


def test_defaults_are_shown_as_they_are_and_ranges_in_the_full_help() -> None:
    short = CliRunner().invoke(app, ["run", "--help"], terminal_width=120).stdout
    full = CliRunner().invoke(app, ["run", "--help-all"], terminal_width=120).stdout
    assert "Random seed.  [default: 0]\n" in short
    assert "Random seed.  [default: 0; x>=0]\n" in full
    assert "[default: cifar10, or the preset's]" in short
    lr = WORKLOAD.setting("lr")
    assert isinstance(lr.domain, Range)
    assert f"[{lr.domain.low:g} to {lr.domain.high:g}]" in full
    for hyperparameter in WORKLOAD.factors.hyperparameters:
        default = hyperparameter.default
        assert f"[default: {default if isinstance(default, str) else format(default, 'g')}]" in full
    assert "et al." in full
    assert "et al." not in short


def test_a_look_of_the_sequential_test_is_named_in_the_help() -> None:
    first, second, last = map(str, planned_looks()[0])
    assert f"at {first}, {second} and {last} seeds" in CliRunner().invoke(app, ["sweep", "--help"]).stdout


def test_defaults_of_options_are_those_of_the_code_that_reads_them() -> None:
    external, options = ExternalRunFlags(), TableOptions()
    assert (external.baseline, external.seed_param) == (options.baseline, options.seed)
    assert ImageSource().dataset == DEFAULT_DATASET
    assert FULL_PRESET in names.PRESETS


def test_exit_codes_are_told() -> None:
    text = " ".join(invoke("--help").stdout.split())
    assert "0 success" in text
    assert "130 interrupted" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["run", "--no-agument"],
            "Unknown option '--no-agument'. Did you mean '--no-augment'? See `ablate",
        ),
        (["sweep", "--dry-rum"], "Did you mean '--dry-run'?"),
        (
            ["report", "--runs", "x.csv", "--reference", "no-dropout"],
            "Unknown option '--reference'. Did you mean '--baseline'?",
        ),
        (["report", "--control=full"], "Did you mean '--baseline'?"),
        (["sweep", "--n-seeds", "3"], "Did you mean '--seeds'?"),
        (["sweep", "--repeats", "3"], "Did you mean '--seeds'?"),
        (["sweep", "--workers", "2"], "Did you mean '--jobs'?"),
        (["tune", "--parallel", "2"], "Did you mean '--jobs'?"),
        (["run", "--learning-rate", "1"], "Did you mean '--lr'?"),
        (["run", "--batch", "64"], "Did you mean '--batch-size'?"),
        (["run", "--repeats", "3"], "Unknown option '--repeats'. Did you mean '--seed'?"),
        (["run", "--workers", "2"], "Unknown option '--workers'. See `ablate run --help-all`"),
        (["swep"], "Unknown command 'swep'. Did you mean 'sweep'? See `ablate --help`"),
        (["list", "--limt", "3"], "Unknown option '--limt'. Did you mean '--limit'? See `ablate list --help`"),
        (["list", "--limit", "0"], "Invalid value for '--limit': 0 is below 1. See `ablate list --help`"),
        (["run", "--seed", "five"], "Invalid value for '--seed': 'five' is not an integer. See `ablate run --help`"),
        (["ui", "--port", "70000"], "Invalid value for '--port': 70000 is above 65535. See `ablate ui --help`"),
        (
            ["run", "--dropout=0.3"],
            "The option --dropout takes no value. Did you mean --dropout-p? See `ablate run --help`",
        ),
        (["run", "--json=yes"], "The option --json takes no value. See `ablate run --help`"),
        (["run", "--augment-pad"], "Option '--augment-pad' requires an argument. See `ablate run --help`"),
        (["data", "ifno"], "Did you mean 'info'? See `ablate data --help`"),
        (["frobnicate"], "Unknown command 'frobnicate'. See `ablate --help`"),
        (["show"], "Missing argument 'RUN'. See `ablate show --help`"),
        (["sweep", "--preset", "dmeo"], "Did you mean 'demo'?"),
        (["sweep", "--design", "leave-one-in"], "Did you mean 'leave-one-out'?"),
        (["sweep", "--factors", "batchnorm"], "Did you mean 'batch_norm'?"),
        (["data", "info", "--dataset", "cifar-10"], "Did you mean 'cifar10'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_with_the_nearest_name(arguments: Sequence[str], message: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--hidden",
            "Change settings of a study's own training in mine.py: Study(values={'hidden': ...}). See `ablate",
        ),
        ("--dry-rum", "Did you mean '--dry-run'? See `ablate"),
        ("--workers", "Did you mean '--jobs'? See `ablate"),
    ],
)
def test_an_option_for_a_setting_of_a_study_is_answered_with_its_file(
    option: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["ablate", "sweep", "mine.py", option, "3"])
    result = invoke("sweep", "mine.py", option, "3")
    assert result.exit_code == 2
    assert f"error: Unknown option '{option}'. {message}" in " ".join(result.stderr.split())


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in invoke("run", "--help", color=True).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in invoke("run", "--help", color=True).stdout


def test_help_loads_neither_tracking_nor_journals() -> None:
    code = (
        "import sys; from ablate.cli.app import app\n"
        "try: app(['run', '--help-all'])\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.startswith(('ablate.tracking', 'ablate.journal', 'ablate.runs'))])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--augment", "4"], "takes no value. Did you mean --augment-pad or --augment-flip?"),
        (["sweep", "--json", "x.json", "y"], "Got unexpected extra argument"),
        (["sweep", "study.py", "other.py"], "Got unexpected extra argument"),
        (["report", "", ""], "Got unexpected extra argument"),
    ],
)
def test_a_value_of_a_flag_names_the_option_that_takes_it(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ablate", *arguments])
    with pytest.raises(SystemExit) as caught:
        app(arguments)
    assert caught.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
