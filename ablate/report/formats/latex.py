r"""The table of results as LaTeX with booktabs, within the text width of a standard article (345 pt)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import one_line
from ablate.report.formats.paper_table import PaperRow, PaperTable, paper_table

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "±": r"$\pm$", "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
}  # fmt: skip
_ANY = re.compile("|".join(map(re.escape, _SPECIAL)))

TEXT_WIDTH = 345.0  # points, of \documentclass{article} at 10 points
DIGIT, BOLD, GAP = 4.4, 4.9, 8.0  # points, in \footnotesize: widths of characters, and space between columns
LEAST_TEXT = 130.0  # points for names and verdicts
MOST_ROWS = 30
"""Rows of a table on one page; a longer one is a `longtable`."""

_SEPARATORS, _LONGEST_PART = r"_\-+/.,=: ", 9
_BREAK, _RELUCTANT_BREAK = r"\allowbreak{}", r"\penalty900{}"


def tex(text: object) -> str:
    """Return LaTeX that prints as exactly this text. Letters that are not ASCII stay, so that names stay different."""
    return _escaped(one_line(text))


def _escaped(text: str) -> str:
    """Return LaTeX of a text in one line; spaces at its ends stay."""
    return _ANY.sub(lambda found: _SPECIAL[found[0]], text)


def breaking(text: str) -> str:
    """Return a name that may break after its separators, and within long parts without any."""
    parts = re.findall(rf"[^{_SEPARATORS}]+[{_SEPARATORS}]?|[{_SEPARATORS}]", one_line(text))
    pieces = (re.findall(f".{{1,{_LONGEST_PART}}}", part) for part in parts)
    return _BREAK.join(_RELUCTANT_BREAK.join(map(_escaped, piece)) for piece in pieces)


def engine(table: str) -> str:
    """Return a comment on the engine that the letters of a table need; none for those that pdfLaTeX has."""
    foreign = sorted({char for char in table if not char.isascii() and not "\u00c0" <= char <= "\u017e"})
    return f"% needs XeLaTeX or LuaLaTeX and a font with {' '.join(foreign)}\n" if foreign else ""


def latex_table(analysis: Analysis) -> str:
    """Return the table of all effects, sorted by difference; it needs booktabs, a long one also longtable."""
    found = paper_table(analysis)
    rows = [row for _, rows in found.groups for row in rows]
    is_long = len(rows) > MOST_ROWS
    caption = f"  \\caption{{{tex(found.caption)} {tex(found.scale)}.}}\n  \\label{{{label(analysis)}}}\n"
    layout = _layout(rows)
    head = " & ".join(["Variant", "$n$", "Mean $\\pm$ SD", _difference_head(found, layout.interval_below), "Verdict"])
    body = "\n".join(_lines(found, layout))
    font = "\\footnotesize\n  \\setlength{\\tabcolsep}{4pt}\n"
    if is_long:
        made = (
            f"{{\n  {font}  \\begin{{longtable}}{{{layout.columns}}}\n{caption.rstrip()} \\\\\n"
            f"    \\toprule\n    {head} \\\\\n"
            f"    \\midrule\n    \\endfirsthead\n    \\toprule\n    {head} \\\\\n    \\midrule\n    \\endhead\n{body}\n"
            "    \\bottomrule\n  \\end{longtable}\n}\n"
        )
    else:
        made = (
            f"\\begin{{table}}\n  \\centering\n{caption}  \\smallskip\n  {font}"
            f"  \\begin{{tabular}}{{{layout.columns}}}\n    \\toprule\n"
            f"    {head} \\\\\n    \\midrule\n{body}\n    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n"
        )
    packages = "booktabs,longtable" if is_long else "booktabs"
    return f"% needs \\usepackage{{{packages}}}\n" + engine(made) + made


def label(analysis: Analysis) -> str:
    """Return the label of the table."""
    return "tab:" + (re.sub(r"[^a-z0-9]+", "-", analysis.study.name.lower()).strip("-") or "results")


def _difference_head(table: PaperTable, stacked: bool) -> str:
    name = f"[{table.interval_name}]".replace("family-wise interval", "family-wise")
    return _stack(["Difference", name], "b") if stacked else f"Difference {name}"


@dataclass(frozen=True)
class _Layout:
    """The columns of the table, and whether the interval and the SD are in a second line because a line has no room."""

    columns: str
    interval_below: bool
    sd_below: bool


def _layout(rows: Sequence[PaperRow]) -> _Layout:
    beside = max([22, *(len(row.difference) + len(row.interval) + 1 for row in rows)]) * DIGIT
    below = max([11, *(max(len(row.difference), len(row.interval)) for row in rows)]) * DIGIT
    means = max([11, *(len(row.mean) for row in rows)]) * BOLD + 6
    stacked = max([9, *(max(len(line) for line in _with_sd_below(row.mean)) for row in rows)]) * BOLD + 6
    room = TEXT_WIDTH - 4 * GAP - max([2, *(len(row.n) for row in rows)]) * DIGIT
    interval_below = room - means - beside < LEAST_TEXT
    sd_below = interval_below and room - means - below < LEAST_TEXT
    left = max(room - (stacked if sd_below else means) - (below if interval_below else beside), 80.0)
    names = max([30.0, *(len(row.name) * BOLD for row in rows)])
    first = min(max(names, 0.35 * left), 0.5 * left)
    widths = [f"p{{{width / TEXT_WIDTH:.3f}\\textwidth}}" for width in (first, left - first)]
    return _Layout(f"@{{}}{widths[0]}rrr{widths[1]}@{{}}", interval_below, sd_below)


def _with_sd_below(mean: str) -> list[str]:
    value, sign, sd = mean.partition(" ± ")
    return [value, f"± {sd}"] if sign else [value]


def _stack(lines: Sequence[str], place: str = "t") -> str:
    braced = (f"{{{line}}}" for line in lines)  # a bracket after the end of a line would be its argument
    return f"\\begin{{tabular}}[{place}]{{@{{}}r@{{}}}}" + r" \\ ".join(braced) + "\\end{tabular}"


def _lines(table: PaperTable, layout: _Layout) -> Iterator[str]:
    """Yield the rows, with a heading before each group."""
    for heading, rows in table.groups:
        if heading:
            yield f"    \\multicolumn{{5}}{{@{{}}l@{{}}}}{{\\emph{{{tex(heading)}}}}} \\\\"
        for row in rows:
            parts = [_number(text) for text in (row.difference, row.interval) if text]
            difference = _stack(parts) if layout.interval_below and len(parts) > 1 else " ".join(parts)
            means = [_number(line) for line in (_with_sd_below(row.mean) if layout.sd_below else [row.mean])]
            means = [f"\\textbf{{{line}}}" for line in means] if row.is_best else means
            mean = _stack(means) if len(means) > 1 else means[0]
            cells = [
                f"\\raggedright {breaking(row.name)}", row.n, mean, difference,
                f"\\raggedright {tex(row.verdict)}",
            ]  # fmt: skip
            yield f"    {' & '.join(cells)} \\tabularnewline"  # \\\\ would end a line within the last cell


def _number(text: str) -> str:
    """Return numbers with minus signs."""
    return re.sub(r"(?<![\w.])-(?=[\d.])", lambda _: "$-$", tex(text))
