"""The parts of the documentation that are generated from reports and from the code; `make docs` updates them.

A block is between `<!-- NAME -->` and `<!-- /NAME -->`. tests/test_docs.py compares every block with the text generated
here, so that no number in a page can differ from the report that it comes from.
"""

from __future__ import annotations

import ast
import csv
import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from ablate.cli.app import app
from ablate.stats.attribution import likeliest_pair
from ablate.workloads.resnet9.factors import FACTORS
from tests import ROOT
from tests.import_graph import between_folders, tree, without_shortcuts
from tests.test_layers import LAYERS

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


_BLOCK = re.compile(
    r"(?P<open><!-- (?P<name>[a-z-]+(?: [a-z_/.-]+)?) -->\n)(?P<text>.*?)(?P<close><!-- /(?P=name) -->)", re.S
)


_LEADS = {
    "demo": """\
The result of the demo, on handwritten digits: flipping and cropping, which help on photographs, *cost* accuracy on
digits, since a mirrored 2 is not a 2. With three seeds most other comparisons are inconclusive.""",
    "laptop": "The notebook's recipe on CIFAR-10, with each of its seven components switched off in turn:",
}


_READING_ORDER = (
    *("cli.md", "studies.md", "statistics.md", "lessons.md", "tuning.md", "own-training.md", "existing-runs.md"),
    *("scaling.md", "teams.md", "offline.md", "robustness.md", "tracking.md", "comparison.md", "architecture.md"),
)


_STABILITY = ("grad_clip",)
"""Factors that are expected to prevent divergence, not to improve the score."""


def blocks(page: Path) -> dict[str, str]:
    """Return the generated blocks of a page by name."""
    return {found["name"]: found["text"] for found in _BLOCK.finditer(page.read_text()) if _is_made(found["name"])}


def made(name: str, page: Path) -> str:
    """Return the text of a block."""
    kind, _, argument = name.partition(" ")
    return _MAKERS[kind](argument, os.path.relpath(ROOT, page.parent)).strip("\n") + "\n"


def refresh(page: Path) -> None:
    """Update the generated blocks of a page."""
    text = page.read_text()
    new = _BLOCK.sub(
        lambda found: (
            found["open"] + made(found["name"], page) + found["close"] if _is_made(found["name"]) else found[0]
        ),
        text,
    )
    if new != text:
        page.write_text(new)
        print(f"updated {page.relative_to(ROOT)}")  # noqa: T201  # the output of `make docs`


def effects(study: str) -> list[Mapping[str, str]]:
    """Return the rows of a committed report, largest loss first; none if the report does not exist."""
    path = ROOT / "reports" / study / "effects.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: float(row["delta"]))


def row_of(effect: Mapping[str, str]) -> str:
    """Return an effect as a row of a table."""
    delta, low, high = (float(effect[name]) for name in ("delta", "ci_low", "ci_high"))
    words = effect["factor"].replace("_", " ")
    return f"| {words} | {delta:+.2f} | [{low:.2f}, {high:.2f}] | {effect['verdict']} |"


def _front(study: str, up: str) -> str:
    """Return the figure and the table of a report; those of the demo until the study has a report."""
    study = study if effects(study) else "demo"
    folder = f"{up}/reports/{study}".removeprefix("./")
    text = (ROOT / "reports" / study / "report.md").read_text()
    head = text.split("\n", 1)[0].removeprefix("# ")
    seeds, data = (re.search(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE) for name in ("Seeds", "Data"))
    assert seeds
    assert data
    return "\n".join(
        [
            _LEADS[study],
            "",
            f"![Differences with confidence intervals, one dot per seed]({folder}/figures/forest.png)",
            "",
            "| switched off | difference, points | 95 % interval | verdict |",
            "|---|---:|---:|---|",
            *map(row_of, effects(study)),
            "",
            "Verdicts are corrected for multiple comparisons: an interval that excludes zero is not sufficient.",
            f"Scale: {head}.",
            f"Seeds {seeds[1]}; {data[1]}.",
            f"Full report with all figures: [reports/{study}]({folder}/report.md).",
        ]
    )


def _measured(factor: str, up: str) -> str:
    """Return the effect of a factor in the laptop study, compared with the usual expectation."""
    found = [row for row in effects("laptop") if row["factor"] == factor]
    if not found:
        return "*Not measured yet. To measure it: `ablate sweep experiments/laptop.py`.*"
    row = found[0]
    delta, low, high = (float(row[name]) for name in ("delta", "ci_low", "ci_high"))
    unstable = f"; {row['n_unstable']} of its runs were unstable" if int(row["n_unstable"]) else ""
    return (
        f"**What our study measured.** Without {FACTORS[factor].words}: {delta:+.2f} points [{low:.2f}, {high:.2f}] "
        f"({row['n']} paired seeds, margin {float(row['margin']):g}): {row['verdict']}{unstable}. "
        f"{_compared_with_expectation(row)} ([the report]({up}/reports/laptop/report.md))"
    )


def _compared_with_expectation(row: Mapping[str, str]) -> str:
    verdict, delta = row["verdict"], float(row["delta"])
    if "too few" in verdict or "single-run" in verdict or "inconclusive" in verdict:
        return "The runs neither confirm nor contradict the usual expectation."
    if row["factor"] in _STABILITY:
        return (
            "It is expected to improve stability, not accuracy, so the relevant result is the number of unstable runs."
        )
    if "trains unreliably" in verdict:
        return "This agrees with the usual expectation: without it the recipe does not train reliably."
    if "no practically" in verdict or "negligible" in verdict:
        return "**This contradicts the usual expectation at this scale**: the effect is too small to matter."
    direction = "agrees with the usual expectation" if delta < 0 else "contradicts the usual expectation at this scale"
    open_end = " in direction; whether it matters is open" if "unresolved" in verdict else ""
    return f"This {direction}{open_end}." if delta < 0 else f"**This {direction}**{open_end}."


def _together(_: str, up: str) -> str:
    """Return the average effects and interactions of the factorial study, next to the leave-one-out effects."""
    averaged, alone = effects("factorial"), {row["factor"]: row for row in effects("laptop")}
    if not averaged:
        return "*Not measured yet. To measure it: `ablate sweep experiments/factorial.py`.*"
    lines = ["| switched off | in the full recipe | averaged over the other components | verdict on the average |"]
    lines.append("|---|---:|---:|---|")
    for row in averaged:
        name, left_out = row["factor"], alone.get(row["factor"])
        from_full = _with_interval(left_out) if left_out else "-"
        lines.append(f"| {name.replace('_', ' ')} | {from_full} | {_with_interval(row)} | {row['verdict']} |")
    main = {row["factor"]: -float(row["delta"]) for row in averaged}
    pairs = [_pair(row, main) for row in _settled_pairs()]
    parts = [
        f"![Main effects and interactions]({up}/reports/factorial/figures/main-effects.png)",
        f"Differences in points with 95 % intervals. The averages are over 16 arms with {averaged[0]['n']} seeds each.",
        "\n".join(lines),
        "Pairs whose joint effect is larger (+) or smaller (-) than the sum of the two effects:",
        "\n".join(pairs) or "- none conclusive",
        f"[Full report]({up}/reports/factorial/report.md).",
    ]
    return "\n\n".join(parts)


def _with_interval(row: Mapping[str, str]) -> str:
    return f"{float(row['delta']):+.2f} [{float(row['ci_low']):.2f}, {float(row['ci_high']):.2f}]"


def _settled_pairs() -> list[Mapping[str, str]]:
    """Return the interactions with a verdict other than inconclusive, largest first."""
    with (ROOT / "reports" / "factorial" / "interactions.csv").open(newline="") as file:
        rows = [
            row for row in csv.DictReader(file) if re.search("clear and important|unresolved|real but", row["verdict"])
        ]
    return sorted(rows, key=lambda row: -abs(float(row["synergy"])))


def _pair(row: Mapping[str, str], main: Mapping[str, float]) -> str:
    aliases = row["aliases"].split(" = ") if row["aliases"] else []
    suspect = likeliest_pair(row["pair"], aliases, main)
    others = [name for name in (row["pair"], *aliases) if name != suspect]
    text = f"- {suspect.replace('_', ' ')}: {float(row['synergy']):+.2f} points ({row['verdict']})"
    return text + (f"; aliased with {' or '.join(others).replace('_', ' ')}" if others else "")


def _figure(study: str, up: str) -> str:
    """Return the forest plot of a report, if it exists."""
    path = f"reports/{study}/figures/forest.png"
    return (
        f"![Differences with intervals]({up}/{path})"
        if (ROOT / path).exists()
        else "*The figure is added with the study.*"
    )


def _faults(_: str, up: str) -> str:
    """Return the number of injected faults, from their table."""
    text = (ROOT / "reports" / "faults.md").read_text()
    tries = {name: int(number) for name, number in re.findall(r"^\| ([^|]+) \| \**(\d+)\** \|", text, re.MULTILINE)}
    made = tries.pop("**all**")
    kills = sum(number for name, number in tries.items() if name.startswith("SIGKILL"))
    return (
        f"This is tested by fault injection: [reports/faults.md]({up}/reports/faults.md) lists the consequences of "
        f"{kills} kills of a command and {made - kills} other faults."
    )


def _folders(_: str, up: str) -> str:
    """Return a table of the folders and leaf modules, layer by layer, with their contents."""
    lines = ["| layer | folder | contents |", "|---|---|---|"]
    for number, names in enumerate(LAYERS, start=1):
        for name in names:
            path = _path(name)
            lines.append(f"| {number} | [`{name}`]({up}/{path.relative_to(ROOT).as_posix()}) | {_summary(path)} |")
    return "\n".join(lines)


def _imports(_: str, _up: str) -> str:
    """Return the graph of the folders, with an arrow for each import that does not follow from the others."""
    leaves = {name for name in between_folders() if _path(name).suffix == ".py"}
    graph = {
        name: {"leaf modules" if imported in leaves else imported for imported in found}
        for name, found in between_folders().items()
        if name not in leaves
    }
    lines = ["```mermaid", "graph TD"]
    for name, found in without_shortcuts({**graph, "leaf modules": set()}).items():
        lines += [f"    {_node(name)} --> {_node(imported)}" for imported in sorted(found)]
    return "\n".join([*lines, "```"])


def _node(name: str) -> str:
    return "leaves[leaf modules]" if name == "leaf modules" else name


def _path(name: str) -> Path:
    """Return the folder or the module of a name in LAYERS."""
    folder = ROOT / "ablate" / name
    return folder if folder.is_dir() else folder.with_suffix(".py")


def _summary(path: Path) -> str:
    """Return the first paragraph of the docstring of a module or folder."""
    text = ast.get_docstring(tree(path if path.is_file() else path / "__init__.py")) or ""
    return " ".join(text.split("\n\n")[0].split()).replace("|", "\\|")


def _map(_: str, up: str) -> str:
    """Return tables of the modules, one for each folder of the package."""
    lines = []
    for name in (name for names in LAYERS for name in names if _path(name).is_dir()):
        lines += [f"### `{name}`", "", "| module | contents |", "|---|---|"]
        for path in sorted(_path(name).rglob("*.py"), key=lambda path: (path.parent, path)):
            shown = path if path.name != "__init__.py" else path.parent
            if shown != _path(name):
                title = shown.relative_to(_path(name)).as_posix() + "/" * shown.is_dir()
                lines.append(f"| [`{title}`]({up}/{shown.relative_to(ROOT).as_posix()}) | {_summary(shown)} |")
        lines.append("")
    return "\n".join(lines)


def _pages(_: str, up: str) -> str:
    """Return every page of `docs/` with its first paragraph: in reading order, then the others by name."""
    pages = {page.name: page for page in PAGES if page.parent.name == "docs" and page.name != "README.md"}
    ordered = [name for name in _READING_ORDER if name in pages] + [
        name for name in pages if name not in _READING_ORDER
    ]
    lines = ["| page | contents |", "|---|---|"]
    for name in ordered:
        title, _, rest = pages[name].read_text().partition("\n")
        first = " ".join(rest.strip().split("\n\n")[0].split())
        lines.append(f"| [{title.removeprefix('# ')}]({name}) | {first} |")
    return "\n".join(lines)


def _commands(_: str, up: str) -> str:
    """Return every command with the first paragraph of its help."""
    lines = ["| command | purpose |", "|---|---|"]
    for words, command in _tree(typer.main.get_command(app), ["ablate"]):
        summary = inspect.cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"| `{' '.join(words)}` | {summary} |")
    return "\n".join(lines)


def _tree(group: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _tree(command, [*words, name])
        else:
            yield [*words, name], command


_MAKERS: Mapping[str, Callable[[str, str], str]] = {
    "laptop-report": lambda _, up: _front("laptop", up),
    "measured": _measured,
    "figure": _figure,
    "together": _together,
    "faults": _faults,
    "folders": _folders,
    "imports": _imports,
    "map": _map,
    "pages": _pages,
    "commands": _commands,
}


def _is_made(name: str) -> bool:
    return name.partition(" ")[0] in _MAKERS


def main(pages: Iterable[Path] = PAGES) -> None:
    """Update every page."""
    for page in pages:
        refresh(page)


if __name__ == "__main__":
    main()
