"""The results table as LaTeX with booktabs."""

from __future__ import annotations

import re

from ablate.report.accounting import account_for
from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import one_line
from ablate.report.formats.numbers import digits_of, interval, probability, signed, spread
from ablate.report.main_effects import AVERAGED

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "±": r"$\pm$", "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
}  # fmt: skip
_ANY = re.compile("|".join(map(re.escape, _SPECIAL)))


def tex(text: object) -> str:
    """Return LaTeX that prints as exactly this text. Letters that are not ASCII stay, so that names stay different."""
    return _ANY.sub(lambda found: _SPECIAL[found[0]], one_line(text))


def _engine(table: str) -> str:
    """Return a comment on the engine that the letters of a table need; none for those that pdfLaTeX has."""
    foreign = sorted({char for char in table if not char.isascii() and not "\u00c0" <= char <= "\u017e"})
    return f"% needs XeLaTeX or LuaLaTeX and a font with {' '.join(foreign)}\n" if foreign else ""


def _left_out(analysis: Analysis) -> str:
    sentence = account_for(analysis).sentence
    return f" {tex(sentence)}" if sentence else ""


def _averages(analysis: Analysis) -> str:
    return f", {tex(AVERAGED)} where averaged" if analysis.main_effects else ""


def latex_table(analysis: Analysis) -> str:
    """Return a table of all effects, sorted by difference; it needs the package booktabs."""
    study = analysis.study
    digits = digits_of(study.metric, study.margin)
    unit = "points" if study.metric.in_points else tex(study.metric.own_unit) or "the metric's unit"
    rows = [
        [
            tex(effect.variant),
            str(effect.n),
            tex(spread(effect.baseline_mean, effect.baseline_sd, digits)),
            tex(spread(effect.variant_mean, effect.variant_sd, digits)),
            f"${signed(effect.delta, digits)}$" if effect.n else "--",
            tex(interval(*effect.verdict_interval, digits)).replace("-", "$-$"),
            tex(probability(effect.p_holm)),
            tex(effect.verdict),
        ]
        for effect in sorted(analysis.effects, key=lambda row: (row.delta != row.delta, row.delta))
    ]
    head = [
        "Variant",
        "$n$",
        "Reference",
        "Variant",
        "Difference",
        analysis.interval_name.capitalize(),
        r"$p_\mathrm{Holm}$",
        "Verdict",
    ]
    body = "\n".join(" & ".join(row).replace("--$-$", "--") + r" \\" for row in rows)
    made = (
        "\\begin{table}\n  \\centering\n  \\small\n"
        f"  \\caption{{{tex(study.name)}: differences in {tex(study.metric.label)} ({unit}), mean $\\pm$ SD over "
        f"seeds, margin {study.margin:g}{_averages(analysis)}. {tex(study.scale)}.{_left_out(analysis)}}}\n"
        "  \\begin{tabular}{lrrrrrrl}\n    \\toprule\n"
        f"    {' & '.join(head)} \\\\\n    \\midrule\n{body}\n    \\bottomrule\n  \\end{{tabular}}\n\\end{{table}}\n"
    )
    return "% needs \\usepackage{booktabs}\n" + _engine(made) + made
