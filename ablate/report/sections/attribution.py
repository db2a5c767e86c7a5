"""The middle of a report: figures with what to look for, attribution, interactions and noise."""

from __future__ import annotations

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import code, escape, table
from ablate.report.formats.numbers import DASH, digits_of, interval, probability, signed
from ablate.report.sections.plots import MOST_ROWS, Plots, shown
from ablate.stats.attribution import AliasGroup, FactorialContrast, likeliest_pair
from ablate.wording import count

_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", *map(str, range(11, 64)))


def attribution_section(analysis: Analysis, plots: Plots) -> str:
    """Main effects, Shapley values beside leave-one-out and add-one-in, interactions, and what is aliased with what."""
    parts = []
    if analysis.factorial is not None:
        parts += [_factorial(analysis), *shown(plots, "main_effects")]
    if analysis.attribution is not None:
        parts += [_shapley(analysis), *shown(plots, "shapley")]
    if analysis.interactions:
        parts += [_interactions(analysis), *shown(plots, "interactions")]
    if analysis.factorial is not None:
        parts += shown(plots, "half_normal")
    parts.append(_aliases(analysis))
    parts = [part for part in parts if part]
    return "\n\n".join(["## How the components work together", *parts]) if parts else ""


def _factorial(analysis: Analysis) -> str:
    assert analysis.factorial is not None
    factorial = analysis.factorial
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [_contrast(row, digits) for row in analysis.main_contrasts]
    seeds = count(len(factorial.seeds), "complete seed")
    words = (
        f"What having each component adds, averaged over all settings of the others ({factorial.runs} arms, {seeds}; "
        f"{factorial.method}). The results above state the same numbers, signs turned: what switching it off does."
    )
    if factorial.incomplete_seeds:
        words += f" Left out, since some run is missing: seeds {', '.join(map(str, factorial.incomplete_seeds))}."
    unstable = int((analysis.study.runs["status"] == "unstable").sum())
    if unstable:
        words += f" {unstable} unstable runs count at their recorded value."
    columns = ["component", "adds", "95 % interval", "family-wise interval", "p (Holm)", "verdict on having it"]
    return "\n\n".join(["### Main effects", escape(words), table(columns, rows, numeric=range(1, 5))])


def _contrast(row: FactorialContrast, digits: int) -> list[str]:
    return [
        escape(row.term),
        signed(row.estimate, digits),
        interval(row.low, row.high, digits),
        interval(row.fw_low, row.fw_high, digits),
        escape(probability(row.p_holm)),
        escape(row.verdict),
    ]


def _shapley(analysis: Analysis) -> str:
    assert analysis.attribution is not None
    shares, digits = analysis.attribution, digits_of(analysis.study.metric, analysis.study.margin)
    rows = [
        [
            escape(share.factor),
            _with_interval(share.leave_one_out, share.leave_one_out_low, share.leave_one_out_high, digits),
            _with_interval(share.shapley, share.shapley_low, share.shapley_high, digits),
            _with_interval(share.add_one_in, share.add_one_in_low, share.add_one_in_high, digits),
        ]
        for share in sorted(shares.shares, key=lambda share: -share.shapley)
    ]
    left = shares.residual
    source = "from all combinations" if shares.source == "full factorial" else "half the sum of the other two columns"
    words = (
        "What each component adds: on top of all others (leave-one-out), alone (add-one-in), and the Shapley value, "
        f"its fair share of the whole difference of {signed(shares.total, digits)}, {source}. Where the columns "
        "differ, the component works with or against others. No order of removal gives the one true contribution."
    )
    check = (
        f"Check: the half-sums miss the whole difference by {signed(left.estimate, digits)} "
        f"{interval(left.low, left.high, digits)} ({left.n} seeds). {left.description}"
    )
    value = "Shapley value" if shares.source == "full factorial" else "Shapley value (half-sum)"
    columns = ["component", "leave-one-out", value, "add-one-in"]
    parts = ["### Credit for the whole", escape(words), table(columns, rows, numeric=range(1, 4)), escape(check)]
    return "\n\n".join(parts)


def _with_interval(value: float, low: float, high: float, digits: int) -> str:
    return f"{signed(value, digits)} {interval(low, high, digits)}"


def _interactions(analysis: Analysis) -> str:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    shown_rows = analysis.interactions[:MOST_ROWS]
    columns = ["pair", "synergy", "effect", "95 % interval", "family-wise interval", "p (Holm)", "verdict"]
    rows = [
        [escape(row.term), signed(row.synergy, digits), *_contrast(row, digits)[1:5], escape(row.verdict)]
        for row in shown_rows
    ]
    if any(row.aliases for row in shown_rows):
        columns += ["aliased with", "likeliest"]
        rows = [[*cells, *_aliased(row, analysis)] for cells, row in zip(rows, shown_rows, strict=True)]
    more = len(analysis.interactions) - MOST_ROWS
    tail = [f"{more} more are in `interactions.csv`."] if more > 0 else []
    return "\n\n".join(["### Interactions", _synergy_words(analysis), table(columns, rows, numeric=range(1, 6)), *tail])


def _synergy_words(analysis: Analysis) -> str:
    if analysis.factorial is None:
        return "Synergy at the full recipe: v(both) - v(one) - v(other) + v(neither), all other components on."
    words = (
        "Synergy: how much more the two add together than the sum of what each adds alone, twice the interaction "
        "effect, which the other columns describe."
    )
    if any(row.aliases for row in analysis.interactions):
        words += (
            " An aliased pair cannot be told from its aliases; the likeliest of them is the one whose own main effects "
            "are the largest (effect heredity; Hamada and Wu, 1992): a hint, not a finding."
        )
    return escape(words)


def _aliased(row: FactorialContrast, analysis: Analysis) -> tuple[str, str]:
    """What a pair cannot be told from, and which of them all to suspect."""
    effects = {main.term: main.estimate for main in analysis.main_contrasts}
    return escape(" = ".join(row.aliases)) or DASH, escape(likeliest_pair(row.term, row.aliases, effects))


def _aliases(analysis: Analysis) -> str:
    """The alias table of a fraction, or in words what a one-at-a-time design cannot tell apart."""
    study = analysis.study
    if not analysis.aliases:
        known = {
            "leave-one-out": "each effect is that of removing one component from the full recipe",
            "add-one-in": "each effect is that of adding one component to the bare recipe",
            "both-ways": "each effect is that of one component at its own corner, the full or the bare recipe",
            "path": "each arm lacks everything that was removed before it, so the steps depend on the order",
            "pairs": "each effect is that of removing one component, or two, from the full recipe",
        }
        words = known.get(study.design_name)
        if words is None:
            return ""
        return (
            f"### What is confounded\n\nIn the design {code(study.design_name)} {words}: it includes every "
            "interaction with what else is on or off there, and says nothing of other combinations."
        )
    rows = [[escape(group.label), _with(group)] for group in analysis.aliases if len(group.terms) > 1 or group.partial]
    resolution = (
        "full factorial: nothing is aliased"
        if analysis.resolution is None
        else f"resolution {_ROMAN[analysis.resolution]}"
    )
    head = f"### What is aliased\n\nThe design has {len(analysis.aliases)} columns up to pairs; {resolution}."
    if not rows:
        return head
    return "\n\n".join([head, table(["estimated together", "cannot be told from"], rows[:MOST_ROWS])])


def _with(group: AliasGroup) -> str:
    words = list(group.aliases)
    words += [f"in part ({value:+.2f}): {' x '.join(term)}" for term, value in group.partial[:12]]
    if len(group.partial) > 12:
        words.append(f"and {len(group.partial) - 12} more in part")
    return escape(" = ".join(words[: len(group.aliases)]) + ("; " if group.aliases and group.partial else "")
                  + "; ".join(words[len(group.aliases) :]))  # fmt: skip
