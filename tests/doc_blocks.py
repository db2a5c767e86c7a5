"""The parts of the documentation that are generated from reports and from the code; `make doc-blocks` updates them.

A block is between `<!-- NAME -->` and `<!-- /NAME -->`. Numbers from studies are marked, in blocks and outside, as
docs/quoting.md describes. tests/test_docs.py compares every block with the text generated here, and every mark with the
committed runs, so that no number in a page can differ from the report that it comes from.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from ablate.cli.app import app
from ablate.report.marks.check import fill_document
from ablate.report.marks.study_values import StudyValues
from ablate.report.marks.syntax import Document, quoted, read_document
from ablate.stats.attribution import FactorialContrast, likeliest_pair
from tests import ROOT
from tests.import_graph import between_folders, tree, without_shortcuts
from tests.samples.committed import STUDIES, committed_values
from tests.test_layers import LAYERS

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))


_BLOCK = re.compile(
    r"(?P<open><!-- (?P<name>[a-z-]+(?: [a-z_/.-]+)?) -->\n)(?P<text>.*?)(?P<close><!-- /(?P=name) -->)", re.S
)


INDEX = {
    "Guide": (
        "cli.md",
        "python.md",
        "studies.md",
        "levels.md",
        "recipe.md",
        "statistics.md",
        "lessons.md",
        "data.md",
        "paper.md",
        "quoting.md",
    ),
    "Your own training and runs": ("own-training.md", "existing-runs.md", "gate.md"),
    "Tuning, scale and teams": ("tuning.md", "scaling.md", "teams.md", "offline.md"),
    "Reference": ("api.md", "tracking.md", "robustness.md", "architecture.md", "comparison.md"),
}
"""The pages of `docs/` in reading order, by section: the order of the site's navigation too."""


INTERFACE = {
    "Existing runs": (
        "ablate.compare",
        "ablate.gate",
        "ablate.api.arguments.ComparisonOptions",
        "ablate.api.arguments.SourceOptions",
        "ablate.api.results.ComparisonResult",
        "ablate.api.gate.GateResult",
    ),
    "Studies": (
        *("ablate.Study", "ablate.load_study"),
        "ablate.workflows.sweep_plan.SweepPlan",
        "ablate.api.sweeps.SweepResult",
        "ablate.api.study_results.StudyReport",
        "ablate.api.study_results.SearchResult",
        *("ablate.api.training_options.SweepOptions", "ablate.api.training_options.TrainingOptions"),
    ),
    "Single runs": ("ablate.run", "ablate.api.training.TrainedRun"),
    "Workloads and recipes": ("ablate.Recipe", "ablate.Workload", "ablate.find_workload", "ablate.Metric"),
    "Your own training": (
        *("ablate.from_function", "ablate.from_command", "ablate.Range", "ablate.OneOf"),
        "ablate.workloads.custom.arguments.WorkloadDeclaration",
        "ablate.workloads.custom.arguments.CommandDeclaration",
    ),
    "Arguments of a training function": ("ablate.studies.job.Log", "ablate.studies.conditions.Conditions"),
}
"""The documented names by section."""


_STABILITY = ("grad_clip",)
"""Factors that are expected to prevent divergence, not to improve the score."""


def blocks(page: Path) -> dict[str, str]:
    """Return the generated blocks of a page by name."""
    return {found["name"]: found["text"] for found in _BLOCK.finditer(page.read_text()) if _is_made(found["name"])}


def made(name: str, page: Path) -> str:
    """Return the text of a block."""
    kind, _, argument = name.partition(" ")
    return filled(_MAKERS[kind](argument, os.path.relpath(ROOT, page.parent))).strip("\n") + "\n"


def filled(text: str) -> str:
    """Return a text with the values of the committed studies in its marks."""
    document = marked(text)
    return fill_document(document, studies_of(document))


def marked(text: str) -> Document:
    """Return a text with its marks."""
    return read_document(text, Path("page.md"))


def studies_of(document: Document) -> dict[str, StudyValues]:
    """Return the values of the committed studies that a text names in its marks."""
    return {study: committed_values(study) for study in {mark.study for mark in document.marks} & {*STUDIES}}


def refresh(page: Path) -> None:
    """Update the generated blocks of a page, and the marked numbers."""
    text = page.read_text()
    new = _BLOCK.sub(
        lambda found: (
            found["open"] + made(found["name"], page) + found["close"] if _is_made(found["name"]) else found[0]
        ),
        text,
    )
    new = filled(new)
    if new != text:
        page.write_text(new)
        print(f"updated {page.relative_to(ROOT)}")  # noqa: T201  # the output of `make doc-blocks`


def effects(study: str) -> list[Mapping[str, Any]]:
    """Return the columns of effects.csv of a committed study, largest loss first."""
    return [effect.row() for effect in committed_values(study).analysis.headline]


def _mark(study: str, variant: str, quantity: str) -> str:
    """Return an empty mark; `made` fills it in."""
    return f"<!-- ablate: {study} {f'{quoted(variant)} ' if variant else ''}{quantity} --><!-- /ablate -->"


def _front(_: str, up: str) -> str:
    """Return the table of the laptop study, and its scale, seeds and data."""
    folder = f"{up}/reports/laptop".removeprefix("./")
    text = (ROOT / "reports" / "laptop" / "report.md").read_text()
    seeds, data = (re.search(rf"^\| {name} \| (.*) \|$", text, re.MULTILINE) for name in ("Seeds", "Data"))
    assert seeds
    assert data
    return "\n".join(
        [
            "<!-- ablate: laptop results -->",
            "| variant | verdict | difference | family-wise interval |",
            "|---|---|---:|---:|",
            "<!-- /ablate -->",
            "",
            "Differences are in percentage points. The family-wise intervals hold for all comparisons together, at",
            "95 %, and decide the verdicts.",
            f"Scale: {_mark('laptop', '', 'scale')}.",
            f"Seeds {seeds[1]}; {data[1]}.",
            f"Full report with all figures: [reports/laptop]({folder}/report.md).",
        ]
    )


def _measured(factor: str, up: str) -> str:
    """Return the effects of a factor at the laptop scale and at the notebook's, compared with the usual expectation."""
    return "\n\n".join(
        f"**{title}.** {_mark(study, row['variant'], 'sentence')} "
        f"{_compared_with_expectation(row)} ([the report]({up}/reports/{study}/report.md))"
        for study, title in (("laptop", "What our study measured"), ("notebook", "At the notebook's own scale"))
        for row in effects(study)
        if row["factor"] == factor
    )


def _compared_with_expectation(row: Mapping[str, Any]) -> str:
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
    averaged, alone = effects("factorial"), {row["factor"]: row["variant"] for row in effects("laptop")}
    lines = ["| switched off | in the full recipe | averaged over the other components | verdict on the average |"]
    lines.append("|---|---:|---:|---|")
    for row in averaged:
        name, average = row["factor"], row["variant"]
        cells = [name.replace("_", " "), _with_interval("laptop", alone[name]), _with_interval("factorial", average)]
        lines.append(f"| {' | '.join(cells)} | {_mark('factorial', average, 'verdict')} |")
    arms = committed_values("factorial").analysis.factorial
    assert arms
    parts = [
        _picture("factorial", "main-effects", up),
        "The figure shows the effect of having a component, and the table that of switching it off: the same "
        "differences with opposite signs. Differences are in points, with family-wise intervals, which decide the "
        f"verdicts. The averages are over {arms.variants} arms with {_mark('factorial', averaged[0]['variant'], 'n')} "
        "seeds each.",
        "\n".join(lines),
        "Pairs whose joint effect is larger (+) or smaller (-) than the sum of the two effects:",
        "\n".join(map(_pair, _settled_pairs())) or "- none conclusive",
        f"[Full report]({up}/reports/factorial/report.md).",
    ]
    return "\n\n".join(parts)


def _with_interval(study: str, variant: str) -> str:
    return f"{_mark(study, variant, 'delta')} {_mark(study, variant, 'fw_interval')}"


def _settled_pairs() -> list[FactorialContrast]:
    """Return the interactions with a verdict other than inconclusive, largest first."""
    pairs = committed_values("factorial").analysis.interactions
    return [pair for pair in pairs if re.search("clear and important|unresolved|real but", pair.verdict)]


def _pair(pair: FactorialContrast) -> str:
    main = {row.term: row.estimate for row in committed_values("factorial").analysis.main_contrasts}
    suspect = likeliest_pair(pair.term, pair.aliases, main)
    others = [name for name in (pair.term, *pair.aliases) if name != suspect]
    mark = partial(_mark, "factorial", pair.term)
    text = f"- {suspect.replace('_', ' ')}: {mark('synergy')} points ({mark('verdict')})"
    return text + (f"; aliased with {' or '.join(others).replace('_', ' ')}" if others else "")


def _figure(study: str, up: str) -> str:
    """Return the forest plot of a report."""
    return _picture(study, "forest", up)


def _picture(study: str, figure: str, up: str) -> str:
    """Return a figure of a report, and its variant for narrow screens, as the report shows them."""
    folder = f"{up}/reports/{study}/figures/".removeprefix("./")
    pictures = re.findall(
        r"^<picture>\n.*\n.*\n</picture>$", (ROOT / "reports" / study / "report.md").read_text(), re.MULTILINE
    )
    (found,) = (picture for picture in pictures if f'"figures/{figure}.png"' in picture)
    return str(found).replace("figures/", folder)


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


def _gpu(_: str, _up: str) -> str:
    """Return the duration of the notebook's recipe on a GPU, from the committed results of the GPU kit."""
    path = ROOT / "benchmarks" / "results" / "reference-nvidia-h200.json"
    figures = {figure["name"].strip(): figure["values"] for figure in json.loads(path.read_text())["figures"]}
    lines = [
        "| gradients | recipe, width 64 | share of the bf16 matrix rate | the same at width 16 |",
        "|---|---:|---:|---:|",
    ]
    ways = {
        "operation by operation": "eager",
        "captured": "captured",
        "captured, `--compile`": "captured, compiled",
        "captured, Triton (default)": "captured, Triton",
    }
    for title, way in ways.items():
        seconds, narrow = (
            _span(figures[f"{what}, {way}"]) for what in ("the notebook's recipe", "the recipe at width 16")
        )
        share = _span(figures[f"its share of the bf16 rate, {way}"], decimals=0)
        lines.append(f"| {title} | {seconds} s | {share} % | {narrow} s |")
    rate = _span(figures["bf16 matrix rate"], decimals=0)
    lines += [
        "",
        f"The matrix rate is that of square products on the same GPU, {rate} TFLOP/s. A range is over separate calls.",
    ]
    return "\n".join(lines)


def _span(values: Sequence[float], decimals: int = 1) -> str:
    """Return the range of some values, or the value if they are equal as shown."""
    ends = dict.fromkeys(f"{value:.{decimals}f}" for value in (min(values), max(values)))
    return " to ".join(ends)


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
    """Return every page of `docs/` with its first paragraph: in reading order, by section."""
    lines = []
    for section, names in INDEX.items():
        lines += [f"## {section}", "", "| page | contents |", "|---|---|"]
        for name in names:
            title, _, rest = (ROOT / "docs" / name).read_text().partition("\n")
            first = " ".join(rest.strip().split("\n\n")[0].split())
            lines.append(f"| [{title.removeprefix('# ')}]({name}) | {first} |")
        lines.append("")
    return "\n".join(lines)


def _api(_: str, up: str) -> str:
    """Return the documented names with the summaries of their docstrings; the site shows the whole docstrings."""
    lines = []
    for section, names in INTERFACE.items():
        lines += [f"## {section}", "", "| name | purpose |", "|---|---|"]
        for path in names:
            module, _, name = path.rpartition(".")
            value = getattr(import_module(module), name)
            summary = " ".join(inspect.cleandoc(value.__doc__).split("\n\n")[0].split()).replace("|", "\\|")
            file = Path(inspect.getfile(value)).relative_to(ROOT).as_posix()
            lines.append(f"| [`{name}`]({up}/{file}) | {summary} |")
        lines.append("")
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
    "laptop-report": _front,
    "measured": _measured,
    "figure": _figure,
    "together": _together,
    "faults": _faults,
    "folders": _folders,
    "gpu": _gpu,
    "imports": _imports,
    "map": _map,
    "pages": _pages,
    "api": _api,
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
