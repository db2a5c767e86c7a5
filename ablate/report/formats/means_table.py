"""The table of means: variants against data sets and metrics, mean ± SD, as Markdown and LaTeX."""

from __future__ import annotations

from ablate.report.analysis import Analysis
from ablate.report.dataset_analysis import Means, dataset_names, means_of, variant_names
from ablate.report.formats.latex import engine, label, tex
from ablate.report.formats.markdown_text import MOST_ROWS, code, escape, table
from ablate.report.formats.numbers import DASH, digits_of, spread
from ablate.stats.metric import Metric

Cells = list[list[str]]


def has_means_table(analysis: Analysis) -> bool:
    """Return whether there are several data sets or metrics."""
    return bool(analysis.pooled or analysis.secondary)


def _unit(metric: Metric) -> str:
    return "%" if metric.in_points else metric.own_unit


def _columns(analysis: Analysis) -> tuple[list[tuple[str, str]], Cells, bool]:
    """Return data set and metric of each column, a row of cells per variant, and whether the numbers of runs differ."""
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
            columns.append([_cell(found[variant][dataset], digits, differ) for variant in variants])
    rows = [[variant, *(column[place] for column in columns)] for place, variant in enumerate(variants)]
    return heads, rows, differ


def _cell(means: Means, digits: int, differ: bool) -> str:
    if not means.n:
        return DASH
    return spread(means.mean, means.sd, digits) + (f" ({means.n})" if differ else "")


def _words(analysis: Analysis, differ: bool) -> str:
    number = "; in brackets the number of runs" if differ else ""
    role = f" {analysis.study.metric.name} decides, the other metrics are secondary." if analysis.secondary else ""
    return (
        f"Mean ± SD of all runs of a variant{number}. Verdicts compare means: overlapping ranges do not contradict "
        f"them.{role}"
    )


def means_section(analysis: Analysis) -> str:
    """Return the section; empty for one data set and one metric."""
    if not has_means_table(analysis):
        return ""
    heads, rows, differ = _columns(analysis)
    columns = ["variant, mean ± SD", *(escape(" ".join(filter(None, head))) for head in heads)]
    cells = [[code(row[0]), *map(escape, row[1:])] for row in rows[:MOST_ROWS]]
    parts = ["## Means", table(columns, cells, numeric=range(1, len(columns))), escape(_words(analysis, differ))]
    if len(rows) > MOST_ROWS:
        parts.append(f"The first {MOST_ROWS} of {len(rows)} variants; `means.tex` has all.")
    return "\n\n".join(parts)


def means_latex(analysis: Analysis) -> str:
    """Return the table with booktabs: the data sets span the columns of their metrics."""
    heads, rows, differ = _columns(analysis)
    datasets = list(dict.fromkeys(dataset for dataset, _ in heads))
    per_dataset = len(heads) // len(datasets)
    lines = []
    if datasets != [""]:
        spans = [rf"\multicolumn{{{per_dataset}}}{{c}}{{{tex(dataset)}}}" for dataset in datasets]
        firsts = range(2, 2 + len(heads), per_dataset)
        rules = [rf"\cmidrule(lr){{{first}-{first + per_dataset - 1}}}" for first in firsts]
        lines += [f"    & {' & '.join(spans)} \\\\", f"    {' '.join(rules)}"]
    lines.append(f"    Variant & {' & '.join(tex(metric) for _, metric in heads)} \\\\")
    body = [f"    {' & '.join(map(tex, row))} \\\\" for row in rows]
    caption = f"{tex(analysis.study.name)}. {tex(_words(analysis, differ))}"
    made = "\n".join(
        [
            "\\begin{table}",
            "  \\centering",
            "  \\small",
            f"  \\caption{{{caption}}}",
            f"  \\label{{{label(analysis)}-means}}",
            f"  \\begin{{tabular}}{{l{'r' * len(heads)}}}",
            "    \\toprule",
            *lines,
            "    \\midrule",
            *body,
            "    \\bottomrule",
            "  \\end{tabular}",
            "\\end{table}",
            "",
        ]
    )
    return f"% needs \\usepackage{{booktabs}}\n{engine(made)}{made}"
