"""Progress: bars on a terminal; in a pipe one line per finished run of a sweep, and one per minute of a long run."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from ablate.console import DecodingBar, RunView, SweepView, info, live, messages_to, printing, sweeps

METRICS = {"train/loss": 1.23456, "val/accuracy": 0.5, "grad_norm": 3.0}


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock: the time is the list's last element."""
    times = [0.0]
    monkeypatch.setattr("ablate.console.live.time.perf_counter", lambda: times[-1])
    return times


def test_a_short_run_prints_no_line_in_a_pipe(seconds: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with RunView(12) as view:
        for epoch in range(13):
            seconds.append(epoch * 4.0)
            view.progress(1 + epoch * 3, 39)
            view.recorded(epoch, METRICS)
    assert capsys.readouterr() == ("", ""), "the result of the run is its only line"


def test_a_listener_receives_a_line_per_second(seconds: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    received: list[str] = []
    with messages_to(lambda kind, text: received.append(f"{kind}: {text}")), RunView(4) as view:
        for epoch in range(5):
            seconds.append(epoch * 0.75)
            view.recorded(epoch, {"reward": epoch})
    assert received == ["info: epoch 2/4: reward 2"]
    assert capsys.readouterr() == ("", "")


def test_a_long_run_prints_a_line_per_minute_in_a_pipe(
    seconds: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with RunView(6) as view:
        for epoch in range(7):
            seconds.append(epoch * 45.0)
            view.recorded(epoch, METRICS if epoch < 4 else {"reward": 12.3456})
    output, messages = capsys.readouterr()
    assert output == ""
    assert messages.splitlines() == ["epoch 2/6: loss 1.235 · val accuracy 0.5000", "epoch 4/6: reward 12.35"]


def test_long_decoding_prints_a_line_per_minute_in_a_pipe(
    seconds: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with DecodingBar() as bar:
        for second in range(0, 131, 10):
            seconds.append(second)
            bar("decoding cifar10.tgz", second, 200)
        seconds.append(200)
        bar("waiting for another process that prepares the data", 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "decoding cifar10.tgz: 30%",
        "decoding cifar10.tgz: 60%",
        "waiting for another process that prepares the data",
    ]


def test_forced_colours_draw_no_bar_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = Console(file=io.StringIO(), force_terminal=True, width=60, soft_wrap=True, record=True)
    for module in (live, printing, sweeps):
        monkeypatch.setattr(module, "MESSAGES", pipe)
    with RunView(2) as view:
        view.progress(1, 10)
        view.recorded(1, METRICS)
    with SweepView(1, 1, {}, 100, str) as sweep_view:
        sweep_view.show_running(["running"])
        sweep_view.run_ended("baseline/s0", "a result that is longer than a terminal of sixty columns is wide", 1.0)
    assert pipe.export_text().splitlines() == [
        "[1/1] baseline/s0: a result that is longer than a terminal of sixty columns is wide"
    ]


def test_the_time_left_is_estimated_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    times = iter(range(0, 100, 2))
    monkeypatch.setattr("ablate.console.live.time.perf_counter", lambda: float(next(times)))
    with RunView(2) as view:
        for step in range(1, 8):
            view.progress(step, 100)
    assert capsys.readouterr().err == "About 3 min 12 s left (estimated from 3 steps)\n"


def test_no_estimate_is_printed_for_the_last_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter(range(100))
    monkeypatch.setattr("ablate.console.live.time.perf_counter", lambda: float(next(times)))
    with RunView(1) as view:
        for step in range(1, 9):
            view.progress(step, 8)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("seconds", "left"), [(60.0, "about 1 min 0 s left"), (0.1, "less than 1 s left")])
def test_a_sweep_prints_a_line_per_run_with_the_time_left(
    capsys: pytest.CaptureFixture[str], seconds: float, left: str
) -> None:
    with SweepView(3, 1, {"no-x": "baseline"}, 100, "{} points".format) as view:
        view.run_ended("baseline/s0", "accuracy 0.9", None)
        view.run_ended("no-x/s0", "accuracy 0.8", seconds)
        view.run_ended("no-x/s1", "accuracy 0.8", seconds)
    assert capsys.readouterr().err.splitlines() == [
        "[1/3] baseline/s0: accuracy 0.9",
        f"[2/3] no-x/s0: accuracy 0.8; {left}",
        "[3/3] no-x/s1: accuracy 0.8",
    ]


def test_differences_are_of_paired_seeds() -> None:
    view = SweepView(4, 1, {"no-x": "baseline", "no-y": "baseline"}, 100, "{} points".format)
    for variant, seed, score in (("baseline", 0, 0.9), ("baseline", 1, 0.8), ("no-x", 1, 0.7), ("no-y", 2, 0.1)):
        view.add_score(variant, seed, score)
    view.add_score("no-x", 0, None)
    table = view._difference_table()
    assert [list(column.cells) for column in table.columns] == [["no-x - baseline"], ["-10.00 points"], ["1"]]
    assert sweeps._signed(0.0123) == "+0.0123"


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of 60 columns, whose output is recorded."""
    found = Console(file=_Screen(), force_terminal=True, width=60, soft_wrap=True, record=True)
    for module in (live, printing, sweeps):
        monkeypatch.setattr(module, "MESSAGES", found)
    return found


def test_a_narrow_terminal_keeps_epoch_bar_and_time_of_a_run(terminal: Console) -> None:
    with RunView(12) as view:
        view.progress(40, 120)
        view.recorded(3, {"train/loss": 0.3, "val/loss": 0.2, "val/accuracy": 0.95, "images_per_s": 3748.0})
    lines = [line.rstrip() for line in terminal.export_text().splitlines()]
    assert any(re.search(r"epoch 4/12 [━╸╺ ]+ --:--$", line) for line in lines), lines
    assert "loss 0.300 · val loss 0.200 · val accuracy 0.9500" in lines, "what does not fit is left out"


def test_the_bar_of_decoding_does_not_fill_a_narrow_terminal(terminal: Console) -> None:
    with DecodingBar() as bar:
        bar("decoding cifar10", 10, 100)
        bar._bar.refresh()
    assert re.search(r"decoding cifar10 ━[━╸╺ ]{23} -:--:--", terminal.export_text())


@pytest.mark.parametrize("reference", [{"no-x": "baseline"}, {}])
def test_the_bar_of_a_sweep_has_a_line_of_its_own(reference: dict[str, str], terminal: Console) -> None:
    with SweepView(3, 1, reference, 100, "{} points".format, "runs" if reference else "trials") as view:
        view.add_score("baseline", 0, 0.9)
        view.add_score("no-x", 0, 0.8)
        view.show_best("trial 1, val accuracy 0.95; lr 0.01, weight_decay.strength 0.0001, dropout.p 0.2")
        view.run_ended("baseline/s0", "accuracy 0.9", None)
        view.show_running(["  running  no-augment+no-batch-norm/s1  epoch 4/12  train/loss 0.1  val/accuracy 0.9"])
    lines = [line.rstrip() for line in terminal.export_text().splitlines()]
    last = lines[max(number for number, line in enumerate(lines) if line.startswith("1 of 3")) :]
    assert last[0].startswith("1 of 3 runs in" if reference else "1 of 3 trials in")
    assert set(last[1]) <= set("━╸╺ ")
    assert last[2:4] == [
        "  running  no-augment+no-batch-norm/s1  epoch 4/12",
        "best so far: trial 1, val accuracy 0.95; lr 0.01",
    ]
    assert any("so far" in line and "seeds" in line for line in last) == bool(reference)


def test_messages_are_broken_between_words_on_a_terminal(terminal: Console) -> None:
    path = "/a/path/that/is/longer/than/the/terminal/is/wide/and/stays/in/one/piece/report.md"
    info(f"{'words ' * 15}{path}\nnext")
    *words, last, after = terminal.export_text().splitlines()
    assert [len(line) for line in words] == [59, 29]
    assert (last, after) == (path, "next")


def test_nothing_is_shown_where_nothing_is_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    with DecodingBar():
        pass
    assert capsys.readouterr() == ("", "")
