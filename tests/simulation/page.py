"""The result of a simulation as a Markdown page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.simulation.all_pairs import PairsRates
from tests.simulation.beyond import BETWEEN_SD, BeyondRates
from tests.simulation.coarse import CoarseCell, CoarseRates
from tests.simulation.factorial import FactorialCell, FactorialRates
from tests.simulation.levels import CHECKS, LevelRates
from tests.simulation.studies import FALSE_VERDICT, FAMILY_WISE, MARGIN, OFTEN, PEEKING, SEED_SD, Cell, Rates


@dataclass(frozen=True)
class Simulation:
    """The result of a simulation: rates of every cell, and of the procedures that the shipped ones replace.

    Attributes:
        rates: Rates of single comparisons.
        factorial: Rates of factorial designs.
        peeking: False differences and false equivalences of uncorrected looks.
        half_rule: False "trains unreliably" if half of the seeds sufficed.
        repetitions: Studies per cell of single comparisons.
        factorial_repetitions: Studies per cell of factorial designs, which take longer.
        seed: Random seed.
        coarse: Rates of scores with steps above the margin, with as many studies as factorial designs.
        beyond: Rates of comparisons that are not pairs by seed, with as many studies as single comparisons.
        targets: Shares of studies with a false finding, by the number of runs and the noise, with as many studies.
        pairs: Rates of all pairs of unpaired variants, with as many studies.
        levels: Rates of factors with levels.
        level_repetitions: Studies per cell of factors with levels.
    """

    rates: Sequence[Rates]
    factorial: Sequence[FactorialRates]
    peeking: tuple[float, float]
    half_rule: float
    repetitions: int
    factorial_repetitions: int
    seed: int
    coarse: Sequence[CoarseRates] = ()
    beyond: Sequence[BeyondRates] = ()
    targets: Mapping[tuple[int, str], float] = field(default_factory=dict)
    pairs: Sequence[PairsRates] = ()
    levels: Sequence[LevelRates] = ()
    level_repetitions: int = 0

    @property
    def misses(self) -> list[str]:
        """The limits that cells break, as text, and positive controls that find nothing."""
        found = [f"{_name(row.cell)}: {miss}" for row in self.rates for miss in row.misses]
        found += [f"{_factorial_name(row.cell)}: {miss}" for row in self.factorial for miss in row.misses]
        found += [f"{_coarse_name(row.cell)}: {miss}" for row in self.coarse for miss in row.misses]
        found += [f"{row.cell.name}: {miss}" for row in self.beyond for miss in row.misses]
        found += [f"{row.cell.name}: {miss}" for row in self.levels for miss in row.misses]
        found += [miss for row in self.pairs for miss in row.misses]
        limited = {cell: share for cell, share in self.targets.items() if cell[1] != "skewed"}
        above = {cell: share for cell, share in limited.items() if share > FAMILY_WISE}
        found += [f"target, {n} runs, {noise}: {share:.3f} above {FAMILY_WISE}" for (n, noise), share in above.items()]
        controls = (("uncorrected looks", self.peeking[0]), ("the rule of half of the seeds", self.half_rule))
        return found + [f"{name}: only {rate:.3f}" for name, rate in controls if rate <= PEEKING]


def markdown(found: Simulation) -> str:
    """Return the result as Markdown: broken limits and worst cells first, then every cell."""
    rates, peeking = found.rates, found.peeking
    misses = [f"- {miss}" for miss in found.misses]
    summary = "All cells are within their limits." if not misses else "These cells are outside their limits:"
    lines = [
        "# Simulation of the statistics",
        "",
        f"{found.repetitions:,} simulated studies per cell, random seed {found.seed}: seven arms against a "
        f"shared reference with a standard deviation of {SEED_SD} points, margin {MARGIN}, judged by the shipped "
        f"verdict code. {summary}",
        *misses,
        "",
        f"Positive control: uncorrected tests after every seed from 3 to 20 find a false difference in "
        f"{peeking[0]:.3f} of the studies (must exceed {PEEKING}), three uncorrected TOST looks find a false "
        f"equivalence in {peeking[1]:.3f}. If half of the seeds sufficed, {found.half_rule:.3f} of the studies with 3 "
        f'seeds would falsely call an arm "trains unreliably", all arms diverging alike in 25 % of their runs (must '
        f"exceed {PEEKING}).",
        "",
        *_summary(rates),
        "",
        "Skewed noise with unequal standard deviations invalidates every t procedure: these cells are reported, but "
        "the limits do not apply. In the last cells all arms diverge alike, and often: coverage is not counted, and "
        f"every verdict is false (the limits do not apply at {max(OFTEN):.0%}). Coverage refers to the intervals of "
        "stable pairs, and with `--until-clear` to the interval at the look that ended the arm. `runs` is the mean "
        "number of runs per study.",
        "",
        "| seeds | noise | SD ratio | rho | effects | divergence | coverage | false difference | false equivalence "
        "| false verdict | false 'trains unreliably' | runs |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in rates),
        "",
        "## Factorial designs",
        "",
        f"{found.factorial_repetitions:,} studies per cell. All main effects and synergies are zero, except a planted "
        "synergy of two components. At resolution III it imitates the main effects of other components, which may "
        "differ, but are never established.",
        "",
        "| design | seeds | planted synergy | false difference | false equivalence | false established verdict |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.cell.design} | {row.cell.n} | {row.cell.synergy:g} | {row.false_difference:.3f} | "
            f"{row.false_equivalence:.3f} | {row.false_established:.3f} |"
            for row in found.factorial
        ),
        "",
        *coarse_lines(found),
        "",
        *beyond_lines(found),
        "",
        *level_lines(found.levels, found.level_repetitions),
        "",
        *pairs_lines(found.pairs, found.repetitions),
    ]
    return "\n".join(lines) + "\n"


def beyond_lines(found: Simulation) -> list[str]:
    """Return the section about comparisons that are not pairs by seed."""
    return [
        "## Unpaired runs, folds, data sets, targets",
        "",
        f"{found.repetitions:,} studies per cell, seven arms against a shared reference, as above. Unpaired: Welch's t "
        "test, each arm with seeds of its own; the limits do not apply to unequal numbers of runs and unequal standard "
        "deviations, for which Welch's degrees of freedom are too uncertain. Folds: the corrected resampled t test of "
        "scores with the correlation n_test / (n_test + n_train) between folds; no limits for skewed noise. "
        f"Data sets: the t test over the mean differences on n data sets, whose true differences vary by {BETWEEN_SD} "
        "points; no limits where these are skewed.",
        "",
        "| repetitions | n | n, reference | noise | SD ratio | effects | coverage | false difference | "
        "false equivalence | false verdict |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {row.cell.kind} | {row.cell.n} | {row.cell.n_reference} | {row.cell.noise} | {row.cell.sd_ratio:g} | "
            f"{row.cell.effects} | {row.coverage:.3f} | {row.false_difference:.3f} | {row.false_equivalence:.3f} | "
            f"{row.false_verdict:.3f} |"
            for row in found.beyond
        ),
        "",
        "Targets: the share of studies that call one of eight arms better than the target although it is their true "
        f"mean (limit {FAMILY_WISE}; none for skewed noise, which invalidates one-sided t tests of few runs).",
        "",
        "| runs | noise | false finding |",
        "|---|---|---|",
        *(f"| {n} | {noise} | {share:.3f} |" for (n, noise), share in found.targets.items()),
    ]


def level_lines(rates: Sequence[LevelRates], repetitions: int) -> list[str]:
    """Return the section about factors with levels."""
    return [
        "## Factors with levels",
        "",
        f"{repetitions:,} studies per cell, without any effect. Each column is the share of studies with a false "
        "finding in a family of tests: Friedman's and Page's tests of three components with three levels, one changed "
        "at a time; F tests, differences of levels and synergies of a full factorial of three, three and two levels "
        f"(limit {FAMILY_WISE}). The limits do not apply if one level has another standard deviation: the rank tests "
        "and F assume that all variants are distributed alike, the differences and synergies do not.",
        "",
        f"| seeds | noise | SD ratio | {' | '.join(CHECKS)} | coverage |",
        "|---" * (len(CHECKS) + 4) + "|",
        *(
            f"| {row.cell.n} | {row.cell.noise} | {row.cell.sd_ratio:g} | "
            f"{' | '.join(f'{share:.3f}' for share in row.false)} | {row.coverage:.3f} |"
            for row in rates
        ),
    ]


def pairs_lines(rates: Sequence[PairsRates], repetitions: int) -> list[str]:
    """Return the section about all pairs of unpaired variants."""
    return [
        "## All pairs of unpaired runs",
        "",
        f"{repetitions:,} studies per cell, without any difference: the share of studies with a false one among all "
        "pairs, by Welch's test with Holm's correction, which decides the verdicts (limit "
        f"{FAMILY_WISE} for equal standard deviations), and by the test of Games and Howell, a sensitivity analysis "
        "without limits. SD ratio: standard deviation of every second variant divided by that of the others.",
        "",
        "| variants | runs of each | noise | SD ratio | Welch and Holm | Games-Howell |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.cell.variants} | {row.cell.n} | {row.cell.noise} | {row.cell.sd_ratio:g} | {row.holm:.3f} | "
            f"{row.games_howell:.3f} |"
            for row in rates
        ),
    ]


def coarse_lines(found: Simulation) -> list[str]:
    """Return the section about coarse scores."""
    return [
        "## Coarse scores",
        "",
        f"{found.factorial_repetitions:,} studies per cell. Scores have steps above the margin, such as 0 and 1 for "
        "each image, and the seven true differences equal the margin. A difference is 0 or one step, and with the "
        "stated probability one step more or less. The t test alone would often call them equivalent, where most are "
        f"equal by chance; the rule for coarse scores does not (limit {FALSE_VERDICT}).",
        "",
        "| step / margin | seeds or rows | one step more or less | false equivalence, t test alone | as shipped |",
        "|---|---|---|---|---|",
        *(
            f"| {row.cell.step:g} | {row.cell.n} | {row.cell.noise:.0%} | {row.by_test_alone:.3f} | "
            f"{row.false_equivalence:.3f} |"
            for row in found.coarse
        ),
    ]


def _summary(rates: Sequence[Rates]) -> list[str]:
    """Return a table of the worst cell of each kind."""
    lines = [
        f"| cells | coverage, normal | worst false difference (limit {FAMILY_WISE}) | worst false equivalence "
        f"(limit {FAMILY_WISE}) | worst false verdict (limit {FALSE_VERDICT}) | worst false "
        f"'trains unreliably' (limit {FAMILY_WISE}) |",
        "|---|---|---|---|---|---|",
    ]
    for name, sequential, limited, often in (
        ("fixed seeds", False, True, False),
        ("until clear", True, True, False),
        ("fixed seeds, arms that often diverge", False, True, True),
        ("until clear, arms that often diverge", True, True, True),
        ("fixed seeds, skewed and unequal (no limits)", False, False, False),
        ("until clear, skewed and unequal (no limits)", True, False, False),
    ):
        kind = limited, sequential, often
        rows = [row for row in rates if (row.cell.has_limits, row.cell.n == 0, row.cell.diverges_often) == kind]
        if not rows:
            continue
        normal = [row.coverage for row in rows if row.cell.noise == "normal" and not often]
        coverage = f"{min(normal):.3f} to {max(normal):.3f}" if normal else ""
        worst = (max(row.false_difference for row in rows), max(row.false_equivalence for row in rows))
        verdict, unreliable = (max(row.false_verdict for row in rows), max(row.false_unreliable for row in rows))
        lines.append(f"| {name} | {coverage} | {worst[0]:.3f} | {worst[1]:.3f} | {verdict:.3f} | {unreliable:.3f} |")
    return lines


def _name(cell: Cell) -> str:
    seeds = f"{cell.n} seeds" if cell.n else "until clear"
    return f"{seeds}, {cell.noise}, SD ratio {cell.sd_ratio:g}, rho {cell.rho:g}, {cell.effects}, {cell.divergence:.0%}"


def _factorial_name(cell: FactorialCell) -> str:
    return f"{cell.design}, {cell.n} seeds, synergy {cell.synergy:g}"


def _coarse_name(cell: CoarseCell) -> str:
    return f"coarse scores, {cell.n} seeds, step {cell.step:g} margins, {cell.noise:.0%}"


def _line(row: Rates) -> str:
    cell = row.cell
    setting = (cell.n or "until clear", cell.noise, f"{cell.sd_ratio:g}", f"{cell.rho:g}", cell.effects)
    shares = (row.coverage, row.false_difference, row.false_equivalence, row.false_verdict, row.false_unreliable)
    texts = ["" if math.isnan(share) else f"{share:.3f}" for share in shares]
    parts = [*map(str, setting), f"{cell.divergence:.0%}", *texts, f"{row.runs:.1f}"]
    return f"| {' | '.join(parts)} |"
