"""Attribution and interactions: main effects, Shapley values, synergies of pairs, aliasing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.report.analysis import Analysis, synergy_corner
from ablate.report.formats.markdown_text import MOST_ROWS, escape, table
from ablate.report.formats.numbers import DASH, digits_of, interval, probability, signed
from ablate.report.main_effects import AVERAGED
from ablate.report.plots.render import Plot
from ablate.report.sections.plots import plots_in
from ablate.report.sections.results_table import added_seeds
from ablate.stats.attribution import AliasGroup, FactorialContrast, likeliest_pair
from ablate.stats.effects.pairing import USABLE
from ablate.stats.effects.seeds import Seed
from ablate.stats.effects.verdicts import seed_list, unstable_variants
from ablate.wording import count

_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", *map(str, range(11, 64)))
_MOST_PARTIAL = 6
_MOST_UNSTABLE = 8


def attribution_section(analysis: Analysis, plots: Sequence[Plot]) -> str:
    """Return the section: the parts that the design supports."""
    parts = []
    if analysis.factorial is not None:
        parts += [_main_effects(analysis), *plots_in(plots, "main_effects")]
    if analysis.attribution is not None:
        parts += [_shapley(analysis), *plots_in(plots, "shapley")]
    if analysis.interactions:
        parts += [_interactions(analysis), *plots_in(plots, "interactions")]
    if analysis.factorial is not None:
        parts += plots_in(plots, "half_normal")
    parts += [_aliasing(analysis)] if analysis.aliases else []
    return "\n\n".join(["## Attribution and interactions", *parts]) if parts else ""


def _main_effects(analysis: Analysis) -> str:
    assert analysis.factorial is not None
    factorial = analysis.factorial
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    rows = [[*_contrast(row, digits), *_likeliest(row, factorial.is_screening)] for row in analysis.main_contrasts]
    seeds = count(len(factorial.seeds), "complete seed")
    words = (
        f"The effect of having each component, {AVERAGED} ({factorial.variants} variants, {seeds}; "
        f"{factorial.method}). The results above contain the same numbers, with the opposite sign where the change is "
        "the removal of the component."
    )
    if factorial.incomplete_seeds:
        seeds = ", ".join(map(str, factorial.incomplete_seeds))
        words += f" Excluded because some of their runs are missing: seeds {seeds}."
    words += _unstable(factorial.unstable, factorial.runs)
    words += f" {added_seeds(analysis)}".rstrip()
    columns = [
        "component",
        "effect of having it",
        "95 % interval",
        "family-wise interval",
        "p (Holm)",
        "verdict on having it",
        *(["likeliest alias"] if factorial.is_screening else []),
    ]
    if factorial.is_screening:
        words += (
            " The design has resolution III: the effect of a component cannot be distinguished from the synergy of a "
            "pair of others. The likeliest is the pair with the largest main effects, which is a hint and not a result."
        )
    return "\n\n".join(["### Main effects", escape(words), table(columns, rows, numeric=range(1, 5))])


def _unstable(unstable: Mapping[str, tuple[Seed, ...]], runs: int) -> str:
    """Return the unstable runs among those of averages, by variant; empty if there are none."""
    if not unstable:
        return ""
    number = sum(map(len, unstable.values()))
    named = unstable_variants(unstable, _MOST_UNSTABLE)
    return f" {number} of {count(runs, 'run')} unstable, included at the recorded value: {named}."


def _unstable_shares(analysis: Analysis) -> str:
    """Return the unstable runs of a study whose design gives Shapley values; empty if there are none."""
    assert analysis.attribution is not None
    table = analysis.study.runs
    table = table[table["status"].isin(USABLE) & table["variant"].isin(analysis.study.design.index)]
    counted = table["seed"].isin(analysis.attribution.seeds)
    lost = table[counted & (table["status"] == "unstable")]
    unstable: dict[str, tuple[int, ...]] = {}
    for variant, seed in zip(lost["variant"].map(str).tolist(), lost["seed"].map(int).tolist(), strict=True):
        unstable[variant] = (*unstable.get(variant, ()), seed)
    others = sorted(set(table.loc[~counted, "seed"].map(int)))
    left_out = f" Left out because a run has no score: {seed_list(tuple(others))}." if others else ""
    return _unstable(unstable, int(counted.sum())) + left_out


def _likeliest(row: FactorialContrast, is_screening: bool) -> list[str]:
    return [escape(row.likeliest) or DASH] if is_screening else []


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
    is_exact, left = shares.source == "full factorial", shares.residual
    words = (
        "What each component adds: to all others (leave-one-out), alone (add-one-in), and on average over all orders "
        f"(Shapley value, {'from all combinations' if is_exact else 'half the sum of the other two columns'}). Shapley "
        f"values divide the total difference of {signed(shares.total, digits)} among the components. A component whose "
        "columns differ interacts with others. No single order of removal gives the true contribution."
        f"{_unstable_shares(analysis)}"
    )
    check = (
        f"Check: the half-sums differ from the total difference by {signed(left.estimate, digits)} "
        f"{interval(left.low, left.high, digits)} ({count(left.n, 'seed')}). {left.description}"
    )
    columns = ["component", "leave-one-out", "Shapley value" + ("" if is_exact else " (half-sum)"), "add-one-in"]
    parts = ["### Shapley values", escape(words), table(columns, rows, numeric=range(1, 4)), escape(check)]
    return "\n\n".join(parts)


def _with_interval(value: float, low: float, high: float, digits: int) -> str:
    return f"{signed(value, digits)} {interval(low, high, digits)}"


def _interactions(analysis: Analysis) -> str:
    digits = digits_of(analysis.study.metric, analysis.study.margin)
    pairs = analysis.interactions[:MOST_ROWS]
    columns = ["pair", "synergy", "95 % interval", "family-wise interval", "p (Holm)", "verdict"]
    rows = [_contrast(row, digits) for row in pairs]
    if any(row.aliases for row in pairs) and analysis.factorial is not None:
        columns += ["aliased with", "likeliest"]
        rows = [[*cells, *_aliased(row, analysis)] for cells, row in zip(rows, pairs, strict=True)]
    more = len(analysis.interactions) - len(pairs)
    tail = [escape(added_seeds(analysis).strip()), f"{more} more in `interactions.csv`." if more else ""]
    tail = [text for text in tail if text]
    return "\n\n".join(["### Interactions", _synergy_words(analysis), table(columns, rows, numeric=range(1, 5)), *tail])


def _synergy_words(analysis: Analysis) -> str:
    if analysis.levels.factorial is not None:
        words = (
            "Synergy of two levels: v(both) - v(one) - v(other) + v(the baseline's levels of both components), "
            f"{AVERAGED}."
        )
        return escape(words) + _unstable(analysis.levels.factorial.unstable, analysis.levels.factorial.runs)
    if analysis.factorial is None:
        lost = sum(row.n_unstable > 0 for row in analysis.interactions)
        unstable = f" {count(lost, 'pair')} with unstable runs, included at the recorded value." if lost else ""
        is_full = synergy_corner(analysis.study) == set(analysis.study.design.columns) and not analysis.levels.synergies
        where, others = ("in the full recipe", "on") if is_full else ("at the baseline", "as in the baseline")
        return f"Synergy {where}: v(both) - v(one) - v(other) + v(neither), all others {others}.{unstable}"
    words = (
        f"Synergy: what two components add together minus the sum of what each adds alone, {AVERAGED}. It is twice the "
        "interaction effect of a factorial analysis. Intervals, margin and verdicts are those of the synergy."
    )
    if any(row.aliases for row in analysis.interactions):
        words += (
            " The data cannot distinguish a pair from its aliases. The likeliest is the pair with the largest main "
            "effects (effect heredity; Hamada and Wu, 1992), which is a hint and not a result."
        )
    return escape(words)


def _aliased(row: FactorialContrast, analysis: Analysis) -> tuple[str, str]:
    """Return the aliases of a pair, and the likeliest of all these pairs."""
    effects = {main.term: main.estimate for main in analysis.main_contrasts}
    return escape(" = ".join(row.aliases)) or DASH, escape(likeliest_pair(row.term, row.aliases, effects))


def _aliasing(analysis: Analysis) -> str:
    """Return the alias table of a factorial design."""
    resolution = "full factorial: nothing is aliased"
    if analysis.resolution is not None:
        resolution = f"resolution {_ROMAN[analysis.resolution]}"
    parts = [f"### Aliasing\n\nThe design has {len(analysis.aliases)} columns up to pairs; {resolution}."]
    rows = [
        [escape(group.label), escape(_aliased_with(group))]
        for group in analysis.aliases
        if len(group.terms) > 1 or (group.partial and group.order == 1)
    ]
    if rows:
        parts.append(table(["term", "aliased with"], rows[:MOST_ROWS]))
    in_part = sum(group.order > 1 and len(group.terms) == 1 and bool(group.partial) for group in analysis.aliases)
    if in_part:
        parts.append(f"{count(in_part, 'pair')} are aliased in part with components or other pairs and not estimated.")
    return "\n\n".join(parts)


def _aliased_with(group: AliasGroup) -> str:
    words = [" = ".join(group.aliases)] if group.aliases else []
    partial = sorted(group.partial, key=lambda item: -abs(item[1]))
    words += [f"in part ({value:+z.2f}): {' x '.join(term)}" for term, value in partial[:_MOST_PARTIAL]]
    if len(group.partial) > _MOST_PARTIAL:
        words.append(f"and {len(group.partial) - _MOST_PARTIAL} more in part")
    return "; ".join(words)
