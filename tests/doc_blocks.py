"""The parts of the documentation that are made from reports and from the tree; `make docs` refreshes them.

A block stands between `<!-- NAME -->` and `<!-- /NAME -->`. tests/test_docs.py holds every block against what is made
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

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


_BLOCK = re.compile(
    r"(?P<open><!-- (?P<name>[a-z-]+(?: [a-z_/.-]+)?) -->\n)(?P<text>.*?)(?P<close><!-- /(?P=name) -->)", re.S
)


_LEADS = {
    "demo": """\
The demo's answer, on handwritten digits: flipping and cropping, which help on photographs of things, *cost* accuracy
where a mirrored 2 is no 2. With three seeds most of the rest cannot be settled, and the report says so, with the
number of seeds that would settle it.""",
    "laptop": "The notebook's recipe on CIFAR-10, each of its seven components switched off in turn:",
}


_READING_ORDER = (
    *("cli.md", "studies.md", "statistics.md", "lessons.md", "tuning.md", "own-training.md", "scaling.md", "teams.md"),
    *("offline.md", "robustness.md", "tracking.md", "comparison.md", "architecture.md"),
)


_STABILITY = ("grad_clip",)
"""Factors that are expected to prevent divergence, not to improve the score."""


def blocks(page: Path) -> dict[str, str]:
    """Return the blocks of a page by name, those that are made here."""
    return {found["name"]: found["text"] for found in _BLOCK.finditer(page.read_text()) if _is_made(found["name"])}


def made(name: str, page: Path) -> str:
    """Return what the block of that name must hold."""
    kind, _, argument = name.partition(" ")
    return _MAKERS[kind](argument, os.path.relpath(ROOT, page.parent)).strip("\n") + "\n"


def refresh(page: Path) -> None:
    """Write the blocks of a page anew."""
    text = page.read_text()
    new = _BLOCK.sub(
        lambda found: (
            found["open"] + made(found["name"], page) + found["close"] if _is_made(found["name"]) else found[0]
        ),
        text,
    )
    if new != text:
        page.write_text(new)
        print(f"refreshed {page.relative_to(ROOT)}")  # noqa: T201  # what `make docs` says


def effects(study: str) -> list[Mapping[str, str]]:
    """Return the rows of a committed report, worst first; none if there is no such report."""
    path = ROOT / "reports" / study / "effects.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return sorted(csv.DictReader(file), key=lambda row: float(row["delta"]))


def row_of(effect: Mapping[str, str]) -> str:
    """Return the line of a table that states an effect."""
    delta, low, high = (float(effect[name]) for name in ("delta", "ci_low", "ci_high"))
    words = effect["factor"].replace("_", " ")
    return f"| {words} | {delta:+.2f} | [{low:.2f}, {high:.2f}] | {effect['verdict']} |"


def _front(study: str, up: str) -> str:
    """The figure and the table of a report; of the demo's as long as the study has none."""
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
            f"![Differences with intervals, every seed a dot]({folder}/figures/forest.png)",
            "",
            "| switched off | difference, points | 95 % interval | verdict |",
            "|---|---:|---:|---|",
            *map(row_of, effects(study)),
            "",
            "Verdicts allow for looking at all rows at once, so they ask more than that one interval leaves out zero.",
            f"The scale: {head}.",
            f"Seeds {seeds[1]}; {data[1]}.",
            f"The whole report, with every figure: [reports/{study}]({folder}/report.md).",
        ]
    )


def _measured(factor: str, up: str) -> str:
    """Return the effect of a factor in the laptop study, compared with the usual expectation."""
    found = [row for row in effects("laptop") if row["factor"] == factor]
    if not found:
        return "*Not measured yet: the study is `ablate sweep experiments/laptop.py`.*"
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
        return "*Not measured yet: the study is `ablate sweep experiments/factorial.py`.*"
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
        else "*The figure comes with the study.*"
    )


def _faults(_: str, up: str) -> str:
    """How many faults the fault suite made, by its table."""
    text = (ROOT / "reports" / "faults.md").read_text()
    tries = {name: int(number) for name, number in re.findall(r"^\| ([^|]+) \| \**(\d+)\** \|", text, re.MULTILINE)}
    made = tries.pop("**all**")
    kills = sum(number for name, number in tries.items() if name.startswith("SIGKILL"))
    return (
        f"How this is checked: [reports/faults.md]({up}/reports/faults.md) counts what {kills} kills of a command and "
        f"{made - kills} other faults,\nmade for real, left behind."
    )


def _map(_: str, up: str) -> str:
    """Every module of the package with the first line of its docstring."""
    lines = ["| module | what |", "|---|---|"]
    for path in sorted((ROOT / "ablate").rglob("*.py")):
        summary = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].replace("\n", " ")
        name = path.relative_to(ROOT).as_posix()
        shown = summary.replace("|", "\\|")
        lines.append(f"| [`{name}`]({up}/{name}) | {shown} |")
    return "\n".join(lines)


def _pages(_: str, up: str) -> str:
    """Every page of `docs/` with its first paragraph: those of the reading order first, then the others by name."""
    pages = {page.name: page for page in PAGES if page.parent.name == "docs" and page.name != "README.md"}
    ordered = [name for name in _READING_ORDER if name in pages] + [
        name for name in pages if name not in _READING_ORDER
    ]
    lines = ["| page | what |", "|---|---|"]
    for name in ordered:
        title, _, rest = pages[name].read_text().partition("\n")
        first = " ".join(rest.strip().split("\n\n")[0].split())
        lines.append(f"| [{title.removeprefix('# ')}]({name}) | {first} |")
    return "\n".join(lines)


def _commands(_: str, up: str) -> str:
    """Every command with the first sentence of its help."""
    lines = ["| command | does |", "|---|---|"]
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
    "map": _map,
    "pages": _pages,
    "commands": _commands,
}


def _is_made(name: str) -> bool:
    return name.partition(" ")[0] in _MAKERS


def main(pages: Iterable[Path] = PAGES) -> None:
    """Refresh every page."""
    for page in pages:
        refresh(page)


if __name__ == "__main__":
    main()
