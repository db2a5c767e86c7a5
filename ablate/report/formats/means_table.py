"""The table of means: variants against data sets and metrics, mean ± SD, as Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from ablate.report.analysis import Analysis
from ablate.report.best_arms import best_of
from ablate.report.dataset_analysis import Means, dataset_names, means_of, variant_names
from ablate.report.formats.latex import DIGIT, GAP, TEXT_WIDTH, breaking, engine, label, tex
from ablate.report.formats.latex import MOST_ROWS as LONG_TABLE
from ablate.report.formats.markdown_text import MOST_ROWS, bold, code, escape, table
from ablate.report.formats.numbers import DASH, digits_of, spread
from ablate.stats.metric import Metric


@dataclass(frozen=True)
class Cell:
    """A text without markup. `is_best` marks the best mean of a column and those not distinguishable from it."""

    text: str
    is_best: bool = False


Cells = list[list[Cell]]

_NAMES = 110.0
"""The largest width of the names of variants, in points."""


def has_means_table(analysis: Analysis) -> bool:
    """Return whether there are several data sets or metrics."""
    return bool(analysis.pooled or analysis.secondary)


def _unit(metric: Metric) -> str:
    return "%" if metric.in_points else metric.own_unit


def _columns(analysis: Analysis) -> tuple[list[tuple[str, str]], Cells, bool]:
    """Return data set and metric of each column, a row of cells per variant, and whether the numbers of runs differ.

    A cell is marked if its mean is the best of its column, or cannot be distinguished from it.
    """
    analyses = [analysis, *analysis.secondary]
    variants, datasets = variant_names(analysis.study), dataset_names(analysis.study) or [""]
    means = [means_of(one.study) for one in analyses]
    every = [cell.n for found in means for row in found.values() for cell in row.values()]
    differ = len(set(every)) > 1
    heads, columns = [], []
    for dataset in datasets:
        for one, found in zip(analyses, means, strict=True):
            unit = _unit(one.study.metric)
            heads.append((dataset, f"{one.study.metric.name} ({unit})" if unit else one.study.metric.name))
            digits = digits_of(one.study.metric, one.study.margin)
            column = [found[variant][dataset] for variant in variants]
            best = best_of(one.study, {means.label: means.mean for means in column})
            columns.append([Cell(_text(means, digits, differ), means.label in best) for means in column])
    rows = [[Cell(variant), *(column[place] for column in columns)] for place, variant in enumerate(variants)]
    return heads, rows, differ


def _text(means: Means, digits: int, differ: bool) -> str:
    if not means.n:
        return DASH
    return spread(means.mean, means.sd, digits) + (f" ({means.n})" if differ else "")


def _words(analysis: Analysis, differ: bool) -> str:
    number = "; in brackets the number of runs" if differ else ""
    role = f" {analysis.study.metric.name} decides, the other metrics are secondary." if analysis.secondary else ""
    return (
        f"Mean ± SD of all runs of a variant{number}. Verdicts compare means: overlapping ranges do not contradict "
        f"them. Bold: the best mean of a column, and the variants that do not differ from it by the tests of the "
        f"verdicts.{role}"
    )


def means_section(analysis: Analysis) -> str:
    """Return the section; empty for one data set and one metric."""
    if not has_means_table(analysis):
        return ""
    heads, rows, differ = _columns(analysis)
    columns = ["variant, mean ± SD", *(escape(" ".join(filter(None, head))) for head in heads)]
    cells = [
        [code(row[0].text), *(bold(escape(cell.text)) if cell.is_best else escape(cell.text) for cell in row[1:])]
        for row in rows[:MOST_ROWS]
    ]
    parts = ["## Means", table(columns, cells, numeric=range(1, len(columns))), escape(_words(analysis, differ))]
    if len(rows) > MOST_ROWS:
        parts.append(f"The first {MOST_ROWS} of {len(rows)} variants; `means.tex` has all.")
    return "\n\n".join(parts)


def means_latex(analysis: Analysis) -> str:
    """Return the table with booktabs: the data sets span the columns of their metrics.

    A table that is wider than the text continues below, with the variants again; a long one needs longtable.
    """
    heads, rows, differ = _columns(analysis)
    caption = f"  \\caption{{{tex(analysis.study.name)}. {tex(_words(analysis, differ))}}}\n"
    caption += f"  \\label{{{label(analysis)}-means}}"
    names = max(len(row[0].text) for row in rows) * DIGIT
    first = "l" if names <= _NAMES else f"p{{{_NAMES / TEXT_WIDTH:.3f}\\textwidth}}"
    parts = panels(heads, rows, TEXT_WIDTH - min(names, _NAMES))
    is_long = len(rows) > LONG_TABLE
    tables: list[str] = []
    for places in parts:
        top = "\n".join(_head([heads[place] for place in places]))
        body = "\n".join(_line(row, places, breaks=first != "l") for row in rows)
        columns = f"@{{}}{first}{'r' * len(places)}@{{}}"
        if is_long:
            begin = f"  \\begin{{longtable}}{{{columns}}}\n" + ("" if tables else f"{caption} \\\\\n")
            tables.append(f"{begin}    \\toprule\n{top}\n    \\midrule\n    \\endhead\n{body}\n"
                          "    \\bottomrule\n  \\end{longtable}\n")  # fmt: skip
        else:
            tables.append(f"  \\begin{{tabular}}{{{columns}}}\n    \\toprule\n{top}\n    \\midrule\n{body}\n"
                          "    \\bottomrule\n  \\end{tabular}\n")  # fmt: skip
    font = "  \\footnotesize\n  \\setlength{\\tabcolsep}{4pt}\n"
    if is_long:
        made = f"{{\n{font}{''.join(tables)}}}\n"
    else:
        joined = "\n  \\medskip\n".join(tables)
        made = f"\\begin{{table}}\n  \\centering\n{caption}\n  \\smallskip\n{font}{joined}\\end{{table}}\n"
    packages = "booktabs,longtable" if is_long else "booktabs"
    return f"% needs \\usepackage{{{packages}}}\n{engine(made)}{made}"


def panels(heads: Sequence[tuple[str, str]], rows: Cells, room: float) -> list[list[int]]:
    """Return the places of the columns side by side: whole data sets, unless one alone is too wide."""
    cells = [max(len(text) for text in [head, *(row[place + 1].text for row in rows)]) * DIGIT + GAP
             for place, (_, head) in enumerate(heads)]  # fmt: skip
    groups: list[list[int]] = []
    for _, found in groupby(range(len(heads)), key=lambda place: heads[place][0]):
        group = list(found)
        groups += [group] if sum(cells[place] for place in group) <= room else [[place] for place in group]
    panels: list[list[int]] = [[]]
    used = 0.0
    for group in groups:
        width = max(sum(cells[place] for place in group), len(heads[group[0]][0]) * DIGIT + GAP)
        if panels[-1] and used + width > room:
            panels.append([])
            used = 0.0
        panels[-1] += group
        used += width
    return panels


def _head(heads: Sequence[tuple[str, str]]) -> list[str]:
    lines, place, spans, rules = [], 2, [], []
    for dataset, found in groupby(dataset for dataset, _ in heads):
        number = len(list(found))
        spans.append(rf"\multicolumn{{{number}}}{{c}}{{{tex(dataset)}}}")
        rules.append(rf"\cmidrule(lr){{{place}-{place + number - 1}}}")
        place += number
    if any(dataset for dataset, _ in heads):
        lines += [f"    & {' & '.join(spans)} \\\\", f"    {' '.join(rules)}"]
    return [*lines, f"    Variant & {' & '.join(tex(metric) for _, metric in heads)} \\\\"]


def _line(row: Sequence[Cell], places: Sequence[int], *, breaks: bool) -> str:
    name = f"\\raggedright {breaking(row[0].text)}" if breaks else tex(row[0].text)
    cells = [row[place + 1] for place in places]
    texts = [f"\\textbf{{{tex(cell.text)}}}" if cell.is_best else tex(cell.text) for cell in cells]
    return f"    {' & '.join([name, *texts])} \\\\"
