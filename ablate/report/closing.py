"""The end of a report: diagnostics, limits, how to reproduce it, and a glossary."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ablate.effects import Effect, sign_flip_can_reach
from ablate.report.analysis import Analysis
from ablate.report.answer import missing_lines
from ablate.report.markup import bold, bullets, code, escape, fenced, table
from ablate.report.material import Material
from ablate.report.numbers import DASH, digits_of, interval, plain, probability, signed

MOST_ROWS = 60

GLOSSARY = (
    ("seed", "the number that fixes all chance in a run: initial weights, order of the data, random augmentation"),
    ("paired", "compared within each seed, so that what is luck in both arms cancels"),
    ("SD", "standard deviation: how much single runs differ from seed to seed"),
    ("SE", "standard error: how uncertain the average of several runs is; it shrinks with more seeds, the SD does not"),
    (
        "95 % interval",
        "the differences that are compatible with the runs; in 95 of 100 such studies it holds the truth",
    ),
    ("family-wise interval", "the same, widened so that all intervals of a family hold at once in 95 of 100 studies"),
    ("p (Holm)", "how surprising the difference would be if there were none, corrected for the number of comparisons"),
    (
        "equivalence (TOST)",
        "the test that a difference is smaller than the margin; only it can show that nothing matters",
    ),
    ("margin", "the smallest difference that matters, chosen before the runs"),
    ("MDE", "minimum detectable effect: smaller true differences are likely to be missed with so many seeds"),
    ("rho", "correlation of the two arms over seeds; the higher, the more pairing helps"),
    ("interaction, synergy", "two components together do more, or less, than the sum of each alone"),
)

SKEWED = (
    "The intervals assume that the differences between seeds are roughly normal. In simulations with known effects "
    "they hold their promise for normal and heavy-tailed noise, and for skewed noise where both arms vary alike. Where "
    "noise is skewed and one arm varies several times as much as the other, up to 19 of 100 studies without any effect "
    "report one (23 where seeds are added until it is clear; instead of 5), and up to 25 (28) call a difference as "
    "large as the margin too small to matter: read verdicts on arms with an SD far from the reference's with that in "
    "mind."
)


def diagnostics(found: Analysis) -> str:
    """Failures, sensitivity rows, and what other methods say."""
    parts = ["## Diagnostics"]
    failures = [*missing_lines(found.material), *_errors(found)]
    parts.append(bullets(map(escape, failures)) if failures else "Every run that is here ended well.")
    rows = [_sensitivity(effect, found) for effect in found.headline if effect.n > 1][:MOST_ROWS]
    if rows:
        columns = [
            "variant",
            "rho",
            "p, paired t",
            "p, Welch (unpaired)",
            "p, sign-flip (exact)",
            "P(improve), Wilson 95 %",
            "without unstable seeds",
        ]
        words = (
            "Sensitivity: the paired t test is the primary analysis, chosen beforehand. The others are shown so that a "
            "reader sees how much hangs on that choice; these p values are not corrected for the number of comparisons."
        )
        parts += [escape(words), table(columns, rows, numeric=range(1, 7))]
    unreachable = [effect for effect in found.headline if effect.n > 1 and not _reaches(effect)]
    if unreachable:
        seeds = max(effect.n for effect in unreachable)
        parts.append(
            escape(
                f"The sign-flip test cannot reach significance at this n: with {seeds} seeds its smallest p is "
                f"{2 / 2**seeds:.3g}, more than .05 divided by the size of the family."
            )
        )
    return "\n\n".join(parts)


def _errors(found: Analysis) -> list[str]:
    """Arms with results that do not enter, by reason."""
    lines = []
    for effect in found.compared:
        for reason, number in effect.evidence.paired.excluded.items():
            if reason == "without a value":
                lines.append(f"{effect.variant}: {number} finished, but without a value")
    return lines


def _reaches(effect: Effect) -> bool:
    return sign_flip_can_reach(effect.n, effect.evidence.comparisons)


def _sensitivity(effect: Effect, found: Analysis) -> list[str]:
    digits = digits_of(found.material.metric, found.material.margin)
    survivors = signed(effect.delta_survivors, digits) if effect.n_unstable else DASH
    return [
        escape(effect.variant),
        plain(effect.rho, 2),
        escape(probability(effect.p)),
        escape(probability(effect.p_welch)),
        escape(probability(effect.p_signflip)),
        f"{plain(effect.p_improve, 2)} {interval(effect.improve_low, effect.improve_high, 2)}",
        survivors,
    ]


def limits(found: Analysis) -> str:
    """What the reader must not conclude."""
    material = found.material
    lines = [
        f"These effects hold at this scale ({material.scale}) and need not hold at another.",
        *_drop_in(material),
        *_one_reference(found),
        SKEWED,
        *material.limits,
        *material.notes,
    ]
    if found.scopes:
        lines.append("Intervals in the main table speak of new seeds on this test set; see Two scopes for new images.")
    elif material.metric.in_points:
        lines.append("The intervals speak of new seeds on this test set, not of new images.")
    if any(math.isfinite(effect.delta) and effect.n < 5 for effect in found.headline):
        lines.append("Verdicts from 3 or 4 seeds are preliminary: intervals from so few seeds hang on normality.")
    if found.attribution is not None and found.attribution.source == "half-sums":
        lines.append("The Shapley values are half-sums: exact only where no three components interact.")
    return "## Limits\n\n" + bullets(map(escape, lines))


def _drop_in(material: Material) -> list[str]:
    """What drop-in effects leave open; of runs that others made nobody knows whether settings were the same."""
    if material.account.planned is None:
        return ["Whether the settings were the same in every arm, a table of runs does not tell."]
    if material.searches is not None:
        return []
    return [
        "Settings are those of the baseline in every arm (drop-in): a component may matter less once the others are "
        "tuned without it."
    ]


def _one_reference(found: Analysis) -> list[str]:
    """That differences from one reference go up and down together."""
    references = [effect.reference for effect in found.headline]
    if len(references) < 2 or len(set(references)) > 1:
        return []
    return [
        f"All differences subtract the same runs of {references[0]}: a reference that was lucky in a seed makes every "
        "component look better in it. The corrections for several comparisons hold all the same."
    ]


def reproduce(commands: Sequence[str]) -> str:
    """The commands that make the same report again."""
    if not commands:
        return ""
    return "## Reproduce\n\n" + fenced("\n".join(commands), "sh")


def glossary() -> str:
    """The terms of the report in plain words."""
    return "## Glossary\n\n" + bullets(f"{bold(term)}: {escape(words)}." for term, words in GLOSSARY)


def file_list(names: Sequence[str]) -> str:
    """What else lies in the folder."""
    return "Files beside this one: " + ", ".join(code(name) for name in names) + "."
