"""Accept or reject a change: compare new runs with old ones, and decide whether the new ones are no worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Unpack

from ablate.api.arguments import ChosenColumns, ComparisonOptions, Name, Number
from ablate.api.gate_runs import gated_runs
from ablate.api.messages import logged_messages
from ablate.api.results import ComparisonResult
from ablate.errors import UserError
from ablate.report.accounting import (
    account_for,
    answer_notes,
    compares_nothing,
    nothing_shared,
    seeds_with_results,
)
from ablate.report.analysis import analyse
from ablate.report.formats.html import fragment
from ablate.report.formats.markdown_text import bold, bullets, escape
from ablate.report.sections.answer import effect_sentence
from ablate.stats.effects import Effect
from ablate.stats.effects.power import MIN_SEEDS_FOR_RANGE, MOST_SEEDS, SeedsRange
from ablate.stats.effects.seeds import Seed, spans
from ablate.stats.effects.types import MIN_SEEDS, Verdict

Decision = Literal["pass", "fail", "undecided"]
EXIT_CODES: dict[Decision, int] = {"pass": 0, "fail": 3, "undecided": 4}
_WORDS: dict[Decision, str] = {"pass": "no worse", "fail": "clearly worse", "undecided": "not decided by these seeds"}
_WITHIN_MARGIN = (Verdict.NO_EFFECT, Verdict.NEGLIGIBLE)


class GateOptions(ComparisonOptions, total=False):
    """The options of a comparison, and the column of the seed.

    Attributes:
        seed: Column that contains the seed.
    """

    seed: Name


@dataclass(frozen=True, repr=False, eq=False)
class GateResult(ComparisonResult):
    """Whether new runs are no worse than old ones.

    Attributes:
        new: The new variant.
        against: The old one.
    """

    new: str
    against: str

    @cached_property
    def effect(self) -> Effect:
        """The difference, new minus old."""
        return self.analysis.effects[0]

    @cached_property
    def failed(self) -> list[Seed]:
        """The seeds of new runs that ended without a score, although the old run of the seed has one."""
        study = self.analysis.study
        results = seeds_with_results(study)
        ended = study.runs.loc[study.runs["variant"].map(str) == self.new, "seed"].tolist()
        lost = [seed for seed in ended if seed not in set(results.get(self.new, ()))]
        is_paired = study.protocol.replicates != "runs"
        return [seed for seed in lost if not is_paired or seed in set(results.get(self.against, ()))]

    @property
    def decision(self) -> Decision:
        """Whether the new runs `pass`, `fail`, or the seeds do not decide (`undecided`).

        They pass if they are better, equivalent, or if the interval excludes a loss as large as the margin; they fail
        if the loss is clear and important, or if they diverge more often. A comparison with failed
        new runs does not pass.
        """
        found = self._decision_of_scores
        return "undecided" if found == "pass" and self.failed else found

    @property
    def _decision_of_scores(self) -> Decision:
        rule, is_better = self.effect.evidence.rule, self._better * self.effect.delta > 0
        if rule in (Verdict.LOSS, Verdict.UNRELIABLE):
            return "fail"
        is_equal = rule is Verdict.IDENTICAL and self.effect.evidence.paired.is_equal
        if rule is Verdict.GAIN or rule in _WITHIN_MARGIN or is_equal or (rule is Verdict.UNRESOLVED and is_better):
            return "pass"
        is_judged = rule in (Verdict.UNRESOLVED, Verdict.INCONCLUSIVE) and not self.effect.evidence.coarse
        return "pass" if is_judged and self._worst > -self.effect.margin else "undecided"

    @property
    def exit_code(self) -> int:
        """The exit code of `ablate gate`: 0 pass, 3 fail, 4 undecided."""
        return EXIT_CODES[self.decision]

    @property
    def more_seeds(self) -> SeedsRange | None:
        """The number of further seeds of both variants that a decision probably needs.

        None with a decision, without an estimate, and if the scores would pass but for failed runs. An end that is None
        is more than 200.
        """
        if self._decision_of_scores != "undecided" or self._obstacle:
            return None
        if self.effect.n < MIN_SEEDS:
            return SeedsRange(MIN_SEEDS - self.effect.n, None)
        needed = self.effect.evidence.seeds_needed
        if needed is None or self.effect.n >= MOST_SEEDS:
            return None
        low, high = (None if end is None else max(1, end - self.effect.n) for end in needed)
        return SeedsRange(low, high)

    @property
    def summary(self) -> list[str]:
        """The decision in words, the evidence, what to do if the seeds do not decide, and the notes of a report."""
        lines = [f"{self.decision}: {self.new} against {self.against}: {_WORDS[self.decision]}"]
        lines.append(effect_sentence(self.effect, self.analysis.study.metric))
        if self.decision == "undecided" and self.failed:
            seeds = f"seed{'s' * (len(self.failed) > 1)} {spans(self.failed)}"
            lines.append(
                f"New runs have no score at {seeds}, where old ones have one: repeat them, or reject the change"
            )
        if self._decision_of_scores == "undecided":
            lines.append(self._obstacle or self._advice)
        return [*lines, *answer_notes(self.analysis)]

    @property
    def _obstacle(self) -> str:
        """Why more seeds alone do not decide; empty if they may."""
        evidence = self.effect.evidence
        if evidence.rule is Verdict.UNSTABLE:
            return "More seeds alone do not decide: set the score that unstable runs count as with --floor"
        if evidence.paired.repeated > 1 or evidence.paired.repeating:
            return (
                "More seeds do not decide while a variant repeats its score: check that the seed reaches its training"
            )
        if evidence.rule is Verdict.IDENTICAL:
            return "More seeds do not decide while the difference is the same at every seed"
        return ""

    @property
    def _advice(self) -> str:
        more = self.more_seeds
        unit = "more seed" if more in ((1, 1), (1, None)) else "more seeds"
        words = more.words_for(unit) if more else f"more seeds, at least {MIN_SEEDS_FOR_RANGE} in all,"
        return f"To decide, run {words} of both variants"

    @property
    def facts(self) -> dict[str, Any]:
        """The decision and the evidence as plain data."""
        effect, study, more = self.effect, self.analysis.study, self.more_seeds
        return {
            "decision": self.decision,
            "exit_code": self.exit_code,
            "new": self.new,
            "against": self.against,
            "metric": study.metric.name,
            "goal": study.metric.goal,
            "margin": effect.margin,
            "difference": effect.delta,
            "interval": list(effect.verdict_interval),
            "verdict": effect.verdict,
            "seeds": effect.n,
            "more_seeds": list(more) if more else None,
            "failed": self.failed,
            "summary": self.summary,
            "cautions": self.cautions,
        }

    @property
    def _better(self) -> int:
        return -1 if self.analysis.study.metric.goal == "min" else 1

    @property
    def _worst(self) -> float:
        """The worst difference that the interval contains, negative for a loss; NaN without an interval."""
        low, high = self.effect.verdict_interval
        worst = low if self._better > 0 else -high
        return worst if math.isfinite(worst) else math.nan

    def _repr_html_(self) -> str:
        first, *rest = (*self.summary, *(f"warning: {text}" for text in self.cautions))
        return fragment("\n\n".join([bold(escape(first)), bullets(map(escape, rest))]))

    def __repr__(self) -> str:
        return "\n".join([*self.summary, *(f"warning: {text}" for text in self.cautions)])


def gate(
    new: Any,
    against: Any,
    *,
    runs: Any = None,
    metric: Name | Sequence[Name] | None = None,
    variant: Name | Sequence[Name] | None = None,
    margin: Number | None = None,
    **options: Unpack[GateOptions],
) -> GateResult:
    """Decide whether new runs are no worse than old ones, by the seeds that both have.

    Args:
        new: The new runs: a data frame, the path of a file, a variant among `runs` or in another source, or without one
            a variant of this project's runs.
        against: The old runs, given in the same way.
        runs: A data frame, or paths of files, that contain both variants.
        metric: Column to compare; of several the first.
        variant: Column that contains the variant.
        margin: Smallest loss that matters, in percentage points or the metric's unit.
        options: Other sources, and how they are read, as for `compare`.

    Raises:
        UsageError: Arguments are missing or wrong.
        UserError: The runs cannot be read or compared.

    Example:
        >>> import ablate
        >>> old = [{"seed": seed, "accuracy": 90 + 0.1 * seed} for seed in range(5)]
        >>> new = [{"seed": seed, "accuracy": 90.2 + 0.1 * seed + 0.02 * (seed % 2)} for seed in range(5)]
        >>> ablate.gate(new, against=old, metric="accuracy", margin=0.5).decision
        'pass'
    """
    with logged_messages():
        seed = options.pop("seed", "seed")
        columns: ChosenColumns = {"metric": metric, "variant": variant, "seed": seed, "margin": margin}
        pair = gated_runs(new, against, runs, columns, options)
        analysis = analyse(pair.study)
        if compares_nothing(analysis):
            reason, advice = nothing_shared(analysis)
            raise UserError(f"Nothing to compare: {reason}. {account_for(analysis).sentence} {advice}")
        return GateResult(analysis, pair.new, pair.against)
