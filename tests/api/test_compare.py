"""`ablate.compare`: the numbers and messages of `ablate report --runs`, without output and without global state."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import ablate
from ablate.cli.app import main
from ablate.errors import UsageError, UserError
from tests.samples.processes import start_program

CHOICE: dict[str, Any] = {"metric": "accuracy", "variant": "method", "baseline": "full", "margin": 0.5}


def frame(seeds: int = 5, **more: Any) -> pd.DataFrame:
    noise = np.random.default_rng(1).normal(0, 0.002, (3, seeds))
    rows = [
        {"method": name, "seed": seed, "accuracy": mean + noise[place, seed], **more}
        for place, (name, mean) in enumerate({"full": 0.9, "no-augment": 0.88, "no-dropout": 0.9}.items())
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def from_command_line(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ablate", "report", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


OPTIONS = ["--metric", "accuracy", "--variant-param", "method", "--baseline", "full", "--margin", "0.5"]


def test_the_tables_are_those_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = frame(lr=0.1, seconds=np.float32(0.3))
    runs.loc[3, "accuracy"] = np.nan
    runs.to_csv(tmp_path / "runs.csv", index=False)
    monkeypatch.chdir(tmp_path)
    assert from_command_line(monkeypatch, "--runs", "runs.csv", *OPTIONS, "--output", "theirs") == 0
    capsys.readouterr()
    result = ablate.compare(runs, **CHOICE)
    report = result.save("ours")
    assert repr(report) == f"ours/report.md ({len(report.files)} files)"
    assert capsys.readouterr() == ("", "")
    for name in ("effects.csv", "runs.csv"):
        assert (tmp_path / "ours" / name).read_text() == (tmp_path / "theirs" / name).read_text()
    from_path = ablate.compare("runs.csv", **CHOICE)
    pd.testing.assert_frame_equal(from_path.effects, result.effects)
    assert list(result.effects.columns) == (tmp_path / "ours" / "effects.csv").read_text().split("\n")[0].split(",")
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["ours", "theirs"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"baseline": "nothing"}, ["--baseline", "nothing"]),
        ({"margin": -1}, ["--margin", "-1"]),
        ({"metric": "accurracy"}, ["--metric", "accurracy"]),
        ({"metric_goal": "up"}, ["--metric-goal", "up"]),
        ({"seed": "sede"}, ["--seed-param", "sede"]),
        ({"where": "method=none"}, ["--where", "method=none"]),
        ({"unpaired": True, "folds": "1/9"}, ["--unpaired", "--folds", "1/9"]),
    ],
)
def test_the_messages_are_those_of_the_command_line(
    changed: dict[str, Any],
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    frame().to_csv(tmp_path / "runs.csv", index=False)
    monkeypatch.chdir(tmp_path)
    options = [word for pair in zip(OPTIONS[::2], OPTIONS[1::2], strict=True) if pair[0] not in words for word in pair]
    code = from_command_line(monkeypatch, "--runs", "runs.csv", *options, *words)
    message = capsys.readouterr().err.splitlines()[-1]
    with pytest.raises(UserError) as raised:
        ablate.compare("runs.csv", **{**CHOICE, **changed})
    assert f"error: {raised.value}" == message
    assert raised.value.exit_code == code
    assert capsys.readouterr() == ("", "")


def test_wrong_arguments_are_explained() -> None:
    with pytest.raises(UsageError, match=r"Unknown argument 'marginn'. Did you mean 'margin'\?"):
        ablate.compare(frame(), marginn=1)  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="No runs to compare"):
        ablate.compare()
    with pytest.raises(UsageError, match="--runs and --folder exclude each other"):
        ablate.compare(frame(), folder="logs")
    with pytest.raises(UsageError, match="Runs must be a data frame or paths of files, not int"):
        ablate.compare(3)
    with pytest.raises(UsageError, match="Runs must be a data frame or paths of files, not dict"):
        ablate.compare(frame().to_dict("list"))
    result = ablate.compare(frame(), **CHOICE)
    with pytest.raises(UsageError, match=r"ax must be axes of Matplotlib, .* not ndarray"):
        result.plot(ax=np.array([1]))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="The report needs a folder, not ''"):
        result.save("")


@pytest.mark.parametrize(("values", "baseline"), [((0.1, 1.0, 10.0), np.float64(0.1)), ((True, False, False), True)])
def test_names_of_variants_and_columns_may_be_numbers(values: tuple[Any, ...], baseline: Any) -> None:
    runs = frame()
    named = dict(zip(runs["method"].unique(), values, strict=True))
    runs = runs.assign(method=runs["method"].map(named)).drop_duplicates(["method", "seed"])
    result = ablate.compare(runs.rename(columns={"method": 0}), **{**CHOICE, "variant": 0, "baseline": baseline})
    assert list(result.effects["reference"].unique()) == [str(baseline).lower()]


def test_results_do_not_touch_each_other_nor_the_frame() -> None:
    runs = frame()
    before = runs.copy()
    one = ablate.compare(runs, **CHOICE)
    text = one.to_markdown()
    runs["accuracy"] = 0.5
    effects = one.effects
    effects["delta"] = 0.0
    other = ablate.compare(before.assign(accuracy=before["accuracy"] ** 2), **CHOICE)
    assert one.to_markdown() == text != other.to_markdown()
    assert one.effects["delta"].iloc[0] < -1


def test_all_kinds_of_frames_give_the_same_effects() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    runs = frame()
    expected = ablate.compare(runs, **CHOICE).effects
    indexed = runs.set_index(["method", "seed"])
    rows = runs.to_dict("records")
    for other in (indexed, rows, pyarrow.Table.from_pandas(runs), runs.astype({"method": "category"})):
        pd.testing.assert_frame_equal(ablate.compare(other, **CHOICE).effects, expected)


def test_a_polars_frame_gives_the_same_effects() -> None:
    polars = pytest.importorskip("polars")
    found = ablate.compare(polars.DataFrame(frame().to_dict("list")), **CHOICE)
    pd.testing.assert_frame_equal(found.effects, ablate.compare(frame(), **CHOICE).effects)
    with pytest.raises(UsageError, match=r"Pass frame.collect\(\)"):
        ablate.compare(polars.DataFrame(frame().to_dict("list")).lazy(), **CHOICE)


def test_a_frame_that_is_no_table_of_runs_is_refused() -> None:
    runs = frame()
    with pytest.raises(UserError, match="No runs in a pandas DataFrame"):
        ablate.compare(runs.iloc[:0], **CHOICE)
    with pytest.raises(UserError, match="several columns named 'seed'"):
        ablate.compare(pd.concat([runs, runs[["seed"]]], axis=1), **CHOICE)
    with pytest.raises(UserError, match="row 2"):
        ablate.compare(runs.assign(accuracy=["0.9", "0.9", "high", *["0.9"] * 12]), **CHOICE)


def test_several_metrics_have_options_by_name() -> None:
    runs = frame().assign(cost=np.random.default_rng(0).normal(3, 0.1, 15))
    several = {"metric": ["accuracy", "cost"], "margin": {"accuracy": 0.5, "cost": 0.2}}
    result = ablate.compare(runs, **{**CHOICE, **several}, metric_goal={"cost": "min"}, unit={"cost": "own"})
    assert result.effects.groupby("metric")["margin"].first().to_dict() == {"accuracy": 0.5, "cost": 0.2}
    with pytest.raises(UsageError, match="Unknown metric 'loss'"):
        ablate.compare(runs, **{**CHOICE, **several}, unit={"loss": "own"})


def test_plots_are_drawn_in_axes_and_leave_matplotlib_as_it_was() -> None:
    result = ablate.compare(frame(), **CHOICE)
    before, handlers = dict(mpl.rcParams), list(logging.getLogger().handlers)
    axes = result.plot()
    assert axes._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    figure = Figure()
    ax = figure.subplots()
    assert result.plot("forest", ax=ax) is ax
    assert [label.get_text() for label in ax.get_yticklabels()] == ["no-augment", "no-dropout"]
    figure.draw_without_rendering()
    assert dict(mpl.rcParams) == before
    assert logging.getLogger().handlers == handlers
    with pytest.raises(UserError, match="No curves to plot"):
        result.plot("curves")
    with pytest.raises(UsageError, match="Unknown plot 'violin'"):
        result.plot("violin")  # type: ignore[arg-type]


def test_curves_of_runs_with_values_by_step_are_drawn() -> None:
    rows = [
        {"method": name, "seed": seed, "epoch": epoch, "accuracy": (0.9 - cost) * epoch / 3 + 0.001 * seed}
        for name, cost in {"full": 0.0, "no-augment": 0.02}.items()
        for seed in range(4)
        for epoch in range(1, 4)
    ]
    result = ablate.compare(pd.DataFrame(rows), **CHOICE, step="last")
    assert result.plot("curves")._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    ax = Figure().subplots()
    assert result.plot("curves", ax=ax) is ax
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["full", "no-augment"]


def test_a_result_is_shown_in_words_and_in_a_notebook_with_its_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    result = ablate.compare(frame(), **CHOICE, name="mine")
    text = repr(result)
    assert "Removing augment changed accuracy by" in text
    assert "no-augment  clear and important loss" in text
    page = result._repr_html_()
    assert "<td>clear and important loss</td>" in page
    assert "data:image/png;base64," in page
    assert "mine" in page
    from ablate import figures

    def fails(**_: Any) -> bytes:
        raise ValueError("no room")

    monkeypatch.setattr(figures, "forest", fails)
    assert "data:image" not in result._repr_html_(), "a picture that fails leaves the words"
    assert "tabular" in result.to_latex()


@pytest.mark.slow
def test_nothing_is_printed_and_no_global_state_changes(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "runs.csv", index=False)
    code = (
        "import logging, warnings, ablate, pandas as pd, random, numpy as np\n"
        "state = lambda: (logging.getLogger().handlers[:], logging.getLogger().level, logging.root.manager.disable,\n"
        "                 pd.get_option('display.width'), random.getstate(), np.random.get_state()[1].tobytes(),\n"
        "                 warnings.filters[:])\n"
        "before = state()\n"
        f"result = ablate.compare('runs.csv', **{CHOICE!r})\n"
        "repr(result), result.plot()\n"
        "assert state() == before\n"
        "import sys; assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    program = start_program(code=code, folder=tmp_path, without=("torch",))
    assert program.communicate() == ("", "")
    assert program.returncode == 0
