"""Verdict sentences: one sentence per effect, by template, in terms that its verdict allows."""

from __future__ import annotations

import math

from ablate.stats.effects.coarse_scores import is_enough, seeds_for_coarse
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.inference import quantile
from ablate.stats.effects.number_text import amount, decimals_for, interval, p_value, signed_amount
from ablate.stats.effects.power import MAX_EFFECT_SIZE, MOST_SEEDS, at_least_words
from ablate.stats.effects.repetition_text import basis, nothing, numbers, unit_needed, unit_of
from ablate.stats.effects.sentence_notes import notes_after
from ablate.stats.effects.types import ALL_PAIRS, Verdict
from ablate.stats.effects.verdicts import PREFIXES, seed_list, unstable_text
from ablate.stats.metric import Metric
from ablate.wording import count, fixed, in_words, level_name, with_level


def sentence(effect: Effect, metric: Metric, qualifier: str = "") -> str:
    """Return the verdict sentence of an effect, with the prefixes of its verdict before it and notes after it.

    `qualifier` follows the subject between commas: "Removing batch norm, averaged over the other components, cost ...".

    Differences are variant minus reference, and their interval is the one that is corrected for the family.

    Examples: "Removing batch norm changed test accuracy by -3.02 points [-3.38, -2.67] (5 paired seeds, drop-in, p_Holm
    < .001): a clear and important loss."; "Adding ema changed perplexity by -1.2 [-1.5, -0.9] (...): a clear and
    important gain."
    """
    return " ".join([*_before(effect), _core(effect, metric, qualifier), *notes_after(effect, metric)])


def subject(effect: Effect) -> str:
    """Return the change: "Removing batch norm", "Using optimizer muon instead of adam", or the arm's name."""
    if effect.evidence.factor_level:
        return f"Using {change_of_level(effect)}{_where(effect)}"
    if effect.change == "changed" or effect.factor == effect.variant:
        other = f" instead of {effect.reference}" if ALL_PAIRS in effect.family else ""
        return f"Variant {effect.variant}{other}"
    name = in_words(effect.factor)
    if effect.change == "removed":
        return f"Removing {name}"
    if effect.reference == "baseline" or effect.evidence.estimand == "re-tuned" or effect.evidence.paired.average:
        return f"Adding {name}"
    return f"Adding {name} to {'the bare recipe' if effect.reference == 'none' else effect.reference}"


def change_of_level(effect: Effect) -> str:
    """Return both levels of a factor that has several: "optimizer muon instead of adam"."""
    return f"{with_level(effect.factor, effect.evidence.factor_level)} instead of {effect.evidence.reference_level}"


def _where(effect: Effect) -> str:
    """Return the recipe in which a level was changed, if it is not the baseline: " in the bare recipe"."""
    is_named_by_level = effect.reference == effect.evidence.reference_level  # even by "none"
    if is_named_by_level or effect.evidence.estimand == "re-tuned" or effect.evidence.paired.average:
        return ""
    if effect.reference == "none":
        return " in the bare recipe"
    if effect.reference == "baseline":  # the variant may also lack a factor that needs another level
        own = level_name(effect.factor, effect.evidence.factor_level)
        return f" (variant {effect.variant})" if effect.variant.endswith(f"+{own}") else ""
    return "" if "=" in effect.reference else f" in {effect.reference}"


def _basis(effect: Effect) -> str:
    """Return the parenthesis: seeds, estimand, level of the interval if not 95 %, adjusted p."""
    parts = [basis(effect), effect.evidence.estimand]
    if effect.evidence.extended:
        return f"({', '.join(parts)}, interval for added seeds)"
    if not math.isclose(effect.level, 0.95):
        parts.append(f"family-wise {100 * effect.level:g} % interval")
    return f"({', '.join(parts)}, p_Holm {p_value(effect.p_holm)})"


def _changed(effect: Effect, metric: Metric) -> str:
    """Return the difference with its sign: "changed accuracy by -0.02 points [-0.09, 0.05]"."""
    return f"changed {metric.label} by {_difference(effect, metric)} {_bounds(effect, metric)}"


def _difference(effect: Effect, metric: Metric) -> str:
    """Return variant minus reference, with its sign and unit."""
    return signed_amount(effect.delta, effect, metric)


def _bounds(effect: Effect, metric: Metric) -> str:
    """Return the interval that the verdict is based on."""
    return interval(*effect.verdict_interval, effect, metric)


def _core(effect: Effect, metric: Metric, qualifier: str) -> str:
    """Return the sentence for the verdict's rule."""
    start, name = (_name(effect, qualifier, in_clause=in_clause) for in_clause in (False, True))
    rule = effect.evidence.rule
    if rule in (Verdict.LOSS, Verdict.GAIN):
        return f"{name} {_changed(effect, metric)} {_basis(effect)}: a {rule}."
    if rule is Verdict.UNRESOLVED:
        return f"{name} {_changed(effect, metric)} {_basis(effect)}: {_unresolved(effect, metric)}."
    if rule is Verdict.NEGLIGIBLE:
        return f"{name} {_changed(effect, metric)} {_basis(effect)}; {_ruled_out(effect, metric)}: {rule}."
    if rule is Verdict.NO_EFFECT:
        return f"{name} {_changed(effect, metric)}; {_ruled_out(effect, metric)}: {rule}."
    if rule is Verdict.INCONCLUSIVE:
        return f"{start}: {_difference(effect, metric)} {_inconclusive(effect, metric)}."
    return f"{start}: {_no_verdict(effect, metric)}"


def _ruled_out(effect: Effect, metric: Metric) -> str:
    """Return the differences that are ruled out, with p of the equivalence test if the interval does not show this.

    The two one-sided tests at level alpha are those of the interval of level 1 - 2 alpha, which is narrower.
    """
    text, margin = f"a difference beyond {_margin(effect, metric)} is ruled out", effect.margin
    low, high = effect.verdict_interval
    if -margin <= low and high <= margin:
        return text
    return f"{text} (equivalence test, p_Holm {p_value(effect.p_tost_holm)}{_earlier_look(effect)})"


def _earlier_look(effect: Effect) -> str:
    half = (
        quantile(1 - effect.evidence.alpha, effect.evidence.freedom)
        * effect.evidence.sd_difference
        / math.sqrt(effect.n)
    )
    return ", by an earlier look" if abs(effect.delta) + half > effect.margin else ""


def _unresolved(effect: Effect, metric: Metric) -> str:
    """Return the open question about a real difference."""
    if effect.evidence.is_screening:
        return "a real difference, but possibly that of an alias"
    exceeds = f"real, but whether it exceeds the margin of {_margin(effect, metric)} is unresolved"
    return f"{exceeds}, because {_too_coarse(effect, metric)}" if effect.evidence.coarse else exceeds


def _too_coarse(effect: Effect, metric: Metric) -> str:
    """Return why the scores do not show equivalence, and the seeds that scores with such steps need."""
    evidence = effect.evidence
    scores = "scores" if evidence.paired.is_unpaired else "paired scores"
    text = f"the usual step between {scores}, {amount(evidence.coarse, effect, metric)}, is above the margin"
    rule = evidence.coarse, effect.margin, evidence.comparisons, evidence.alpha
    if is_enough(effect.n, *rule):
        return f"{text}, and this difference is too near the margin for scores with such steps"
    words = at_least_words(seeds_for_coarse(*rule), effect.n, unit_needed(effect))
    return f"{text}: {words} are needed to show that a difference is within it"


def _inconclusive(effect: Effect, metric: Metric) -> str:
    """Return the interval, and why it does not settle the question."""
    (low, high), bounds = effect.verdict_interval, _bounds(effect, metric)
    if effect.evidence.extended:
        allows = "the interval that allows for the added seeds"
        bounds = f"{bounds}, {allows}" if math.isfinite(low) else f"(at {effect.n:,} seeds, {allows} is infinite)"
    elif low > 0 or high < 0:  # p may come from an earlier look
        bounds = f"{bounds} (p_Holm {p_value(effect.p_holm)} among {count(effect.evidence.comparisons, 'comparison')})"
    return f"{bounds}. Inconclusive: {_power(effect, metric)}"


def _power(effect: Effect, metric: Metric) -> str:
    """Return the detectable difference, and the number of seeds that the margin needs."""
    digits = max(1 if metric.in_points else 0, decimals_for(effect.margin, metric) - 1)
    if math.isinf(effect.mde):
        least = metric.with_own_unit(fixed(MAX_EFFECT_SIZE * effect.evidence.sd_difference, digits))
        detect = f"{numbers(effect)} detect only differences above {least} (10 SD)"
    else:
        detect = f"{numbers(effect)} detect {metric.with_own_unit(fixed(effect.mde, digits))} or more"
    if effect.evidence.coarse:
        return f"{detect}. No equivalence, because {_too_coarse(effect, metric)}"
    needed, margin = effect.evidence.seeds_needed, f"the margin of {_margin(effect, metric)}"
    if effect.evidence.replicates == "folds":
        return f"{detect}; {margin} needs other data, since more folds of the same data add little"
    if needed is None:
        return f"{detect}; the number of {unit_needed(effect)} for {margin} cannot be estimated from fewer than 5"
    if effect.mde <= effect.margin and effect.n >= (needed.high or MOST_SEEDS):
        return f"{detect}, but this difference is between 0 and {margin}"
    unit = unit_needed(effect)
    words = needed.words_for(unit) if effect.n < MOST_SEEDS else at_least_words(None, effect.n, unit)
    return f"{detect}; {words} are needed for {margin}"


def _margin(effect: Effect, metric: Metric) -> str:
    return metric.with_own_unit(f"{effect.margin:g}")


def _no_verdict(effect: Effect, metric: Metric) -> str:
    """Return the rest of the sentence after the subject for verdicts that override the rules."""
    rule, evidence = effect.evidence.rule, effect.evidence
    paired = evidence.paired
    if rule is Verdict.UNRELIABLE:
        low, high = 100 * evidence.unstable_low, 100 * evidence.unstable_high
        lost = paired.reference_unstable
        reference = seed_list(lost) if lost else "none"
        return (
            f"trains unreliably, unstable in {effect.n_unstable:,} of {count(len(paired.seeds), unit_of(effect))} "
            f"(95 % Wilson interval {low:.0f} to {high:.0f} %), the reference in {reference} (Boschloo's exact test, "
            f"p_Holm {p_value(evidence.p_unreliable)})."
        )
    if effect.n == 0:
        return nothing(effect)
    if not paired.is_scored:
        return f"no difference, because unstable runs have no finite {metric.label} and there is no floor (--floor)."
    if paired.repeated > 1:
        return (
            f"{_difference(effect, metric)} at each of {paired.repeated} seeds. Every arm repeats its score "
            "exactly over the seeds: the seed does not reach the training, or the score is too coarse to show it. n is "
            f"1, no verdict.{_no_op(effect)}"
        )
    found = f"{_difference(effect, metric)} in {numbers(effect)}"
    if paired.repeating:
        other = effect.variant if paired.repeating == effect.reference else effect.reference
        return (
            f"{found}, but {paired.repeating} repeats its score exactly over them and {other} does not: it is one "
            "observation, and its seed may not reach the training; no verdict."
        )
    if rule is Verdict.SINGLE:
        known = "with Lenth's (1989) exploratory interval" if math.isfinite(effect.ci_low) else "without an interval"
        return f"{found}, a single-run observation {known}.{_no_op(effect)}"
    if rule is Verdict.IDENTICAL:
        return f"{found}, identical differences; no verdict without variation.{_no_op(effect)}"
    return f"{found}; too few {unit_of(effect)}s for a verdict.{_no_op(effect)}"


def _no_op(effect: Effect) -> str:
    """Return the warning about a variant that equals its reference at every seed; empty for other variants."""
    if not effect.evidence.paired.is_equal or effect.evidence.paired.average is not None:
        return ""
    where = f"all {numbers(effect)}" if effect.n > 1 else f"every {unit_of(effect)}"
    return f" {effect.variant} equals {effect.reference} at {where}: this switch does nothing here, or is broken."


def _before(effect: Effect) -> list[str]:
    """Return the verdict's prefixes as text before the sentence, "Preliminary, exploratory:"."""
    words = [word for word in effect.verdict.split(": ") if word in PREFIXES]
    first, rest = words[: words.count("screening")], words[words.count("screening") :]
    return [f"{text[0].upper()}{text[1:]}:" for text in (*first, ", ".join(rest)) if text]


def _name(effect: Effect, qualifier: str, *, in_clause: bool) -> str:
    """Return the subject with the qualifier and the unstable runs.

    For example "Removing batch norm, averaged over the other components (unstable in 2 of 80 runs),". The last comma
    is there `in_clause`, before a verb.
    """
    unstable = (
        "" if effect.evidence.rule is Verdict.UNRELIABLE else unstable_text(effect.evidence.paired, naming_seeds=True)
    )
    name = subject(effect) + (f", {qualifier}" if qualifier else "") + (f" ({unstable})" if unstable else "")
    return f"{name}," if qualifier and in_clause else name
