"""Putting the files of a new report in the place of an older one's."""

from __future__ import annotations

from pathlib import Path

_OURS = ("report.md", "report.html", "runs.csv", "effects.csv", "interactions.csv", "table.tex", "trials.csv")


def take_over(made: Path, folder: Path) -> None:
    """Replace what an older report wrote, file by file; what else lies in the folder stays."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    new = {path.relative_to(made) for path in made.rglob("*") if path.is_file()}
    for path in sorted(new):
        (made / path).replace(folder / path)
    old = [*(folder / name for name in _OURS), *(folder / "figures").glob("*.png")]
    for path in old:
        if path.relative_to(folder) not in new:
            path.unlink(missing_ok=True)
