"""The result of a simulation as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.studies import FALSE_VERDICT, FAMILY_WISE, MARGIN, PEEKING, SEED_SD, Cell, Rates


def markdown(rates: Sequence[Rates], peeking: tuple[float, float], repetitions: int, seed: int) -> str:
    """Return the result as Markdown: broken limits and worst cells first, then every cell."""
    misses = [f"- {_name(row.cell)}: {miss}" for row in rates for miss in row.misses]
    summary = "All cells are within their limits." if not misses else "These cells are outside their limits:"
    lines = [
        "# Simulation of the statistics",
        "",
        f"{repetitions:,} simulated studies per cell, random seed {seed}: seven arms against a shared reference with a "
        f"standard deviation of {SEED_SD} points, margin {MARGIN}, judged by the shipped verdict code. {summary}",
        *misses,
        "",
        f"Positive control: uncorrected tests after every seed from 3 to 20 find a false difference in "
        f"{peeking[0]:.3f} of the studies (must exceed {PEEKING}), three uncorrected TOST looks find a false "
        f"equivalence in {peeking[1]:.3f}.",
        "",
        *_summary(rates),
        "",
        "Skewed noise with unequal standard deviations invalidates every t procedure: these cells are reported, but "
        "the limits do not apply. Coverage refers to the intervals of stable pairs, and with `--until-clear` to the "
        "interval at the look that ended the arm. `runs` is the mean number of runs per study.",
        "",
        "| seeds | noise | SD ratio | rho | effects | divergence | coverage | false difference | false equivalence "
        "| false verdict | runs |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in rates),
    ]
    return "\n".join(lines) + "\n"


def _summary(rates: Sequence[Rates]) -> list[str]:
    """Return a table of the worst cell of each kind."""
    lines = [
        f"| cells | coverage, normal | worst false difference (limit {FAMILY_WISE}) | worst false equivalence "
        f"(limit {FAMILY_WISE}) | worst false verdict (limit {FALSE_VERDICT}) |",
        "|---|---|---|---|---|",
    ]
    for name, sequential, limited in (
        ("fixed seeds", False, True),
        ("until clear", True, True),
        ("fixed seeds, skewed and unequal (no limits)", False, False),
        ("until clear, skewed and unequal (no limits)", True, False),
    ):
        rows = [row for row in rates if row.cell.has_limits == limited and (row.cell.n == 0) == sequential]
        if not rows:
            continue
        normal = [row.coverage for row in rows if row.cell.noise == "normal"]
        coverage = f"{min(normal):.3f} to {max(normal):.3f}" if normal else ""
        worst = (max(row.false_difference for row in rows), max(row.false_equivalence for row in rows))
        verdict = max(row.false_verdict for row in rows)
        lines.append(f"| {name} | {coverage} | {worst[0]:.3f} | {worst[1]:.3f} | {verdict:.3f} |")
    return lines


def _name(cell: Cell) -> str:
    seeds = f"{cell.n} seeds" if cell.n else "until clear"
    return f"{seeds}, {cell.noise}, SD ratio {cell.sd_ratio:g}, rho {cell.rho:g}, {cell.effects}, {cell.divergence:.0%}"


def _line(row: Rates) -> str:
    cell = row.cell
    setting = (cell.n or "until clear", cell.noise, f"{cell.sd_ratio:g}", f"{cell.rho:g}", cell.effects)
    shares = (row.coverage, row.false_difference, row.false_equivalence, row.false_verdict)
    parts = [*map(str, setting), f"{cell.divergence:.0%}", *(f"{share:.3f}" for share in shares), f"{row.runs:.1f}"]
    return f"| {' | '.join(parts)} |"
