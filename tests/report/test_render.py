"""Plots that cannot be drawn are left out of a report, with a warning."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablate import figures
from ablate.report.plots.render import Plot, draw_all


@pytest.mark.usefixtures("pictures")
def test_a_plot_that_fails_is_left_out_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> None:
        raise ValueError(f"no font for {path.name}\nand more")

    monkeypatch.setattr(figures, "forest", broken)
    monkeypatch.setattr(figures, "slopes", lambda path: None)
    plots = [Plot("", f"{name}.png", "", "", name, {}) for name in ("forest", "slopes")]
    assert draw_all(plots, tmp_path) == plots[1:]
    shown = " ".join(capsys.readouterr().err.split())
    assert "The plot forest.png could not be drawn and is left out (ValueError: no font for forest.png)" in shown


@pytest.mark.usefixtures("pictures")
def test_a_full_disk_still_ends_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(figures, "forest", full)
    with pytest.raises(OSError, match="No space"):
        draw_all([Plot("", "forest.png", "", "", "forest", {})], tmp_path)


def test_the_process_that_draws_ends_when_its_parent_is_killed() -> None:
    script = (
        "import os, signal\n"
        "from ablate.report.plots.render import figure_pool\n"
        "with figure_pool() as pool:\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.strip().isdigit()  # it has ended, although the other process had it open, too
