"""Verdict sentences: one sentence per effect, by template, in terms that its verdict allows."""

from __future__ import annotations

import math

from ablate.stats.effects.coarse_scores import is_enough, seeds_for_coarse
from ablate.stats.effects.effect import Effect
from ablate.stats.effects.inference import quantile
from ablate.stats.effects.number_text import amount, decimals_for, interval, p_value, signed_amount
from ablate.stats.effects.power import MAX_EFFECT_SIZE, MOST_SEEDS, at_least_words
from ablate.stats.effects.types import Average, Verdict
from ablate.stats.effects.verdicts import EQUIVALENCE, PREFIXES, seed_list, unstable_of_average, unstable_text
from ablate.stats.metric import Metric
from ablate.wording import count, fixed


def sentence(effect: Effect, metric: Metric, qualifier: str = "") -> str:
    """Return the verdict sentence of an effect, with the prefixes of its verdict before it and notes after it.

    `qualifier` follows the subject between commas: "Removing batch norm, averaged over the other components, cost ...".

    Differences are variant minus reference, and their interval is the one that is corrected for the family.

    Examples: "Removing batch norm changed test accuracy by -3.02 points [-3.38, -2.67] (5 paired seeds, drop-in, p_Holm
    < .001): a clear and important loss."; "Adding ema changed perplexity by -1.2 [-1.5, -0.9] (...): a clear and
    important gain."
    """
    return " ".join([*_before(effect), _core(effect, metric, qualifier), *_after(effect, metric)])


def subject(effect: Effect) -> str:
    """Return the change: "Removing batch norm", "Adding mixup to the bare recipe", or the arm's name."""
    if effect.change == "changed" or effect.factor == effect.variant:
        return f"Variant {effect.variant}"
    name = effect.factor.replace("_", " ")
    if effect.change == "removed":
        return f"Removing {name}"
    if effect.reference == "baseline" or effect.evidence.estimand == "re-tuned" or effect.evidence.paired.average:
        return f"Adding {name}"
    return f"Adding {name} to {'the bare recipe' if effect.reference == 'none' else effect.reference}"


def _basis(effect: Effect) -> str:
    """Return the parenthesis: seeds, estimand, level of the interval if not 95 %, adjusted p."""
    parts = [f"{effect.n:,} paired seeds", effect.evidence.estimand]
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
    half = quantile(1 - effect.evidence.alpha, effect.n - 1) * effect.evidence.sd_difference / math.sqrt(effect.n)
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
    text = f"the usual step between paired scores, {amount(evidence.coarse, effect, metric)}, is above the margin"
    rule = evidence.coarse, effect.margin, evidence.comparisons, evidence.alpha
    if is_enough(effect.n, *rule):
        return f"{text}, and this difference is too near the margin for scores with such steps"
    words = at_least_words(seeds_for_coarse(*rule), effect.n)
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
        detect = f"{effect.n:,} seeds detect only differences above {least} (10 SD)"
    else:
        detect = f"{effect.n:,} seeds detect {metric.with_own_unit(fixed(effect.mde, digits))} or more"
    if effect.evidence.coarse:
        return f"{detect}. No equivalence, because {_too_coarse(effect, metric)}"
    needed, margin = effect.evidence.seeds_needed, f"the margin of {_margin(effect, metric)}"
    if needed is None:
        return f"{detect}; the number of seeds for {margin} cannot be estimated from fewer than 5"
    if effect.mde <= effect.margin and effect.n >= (needed.high or MOST_SEEDS):
        return f"{detect}, but this difference is between 0 and {margin}"
    words = needed.words if effect.n < MOST_SEEDS else at_least_words(None, effect.n)
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
            f"trains unreliably, unstable in {effect.n_unstable:,} of {effect.n:,} seeds (95 % Wilson interval "
            f"{low:.0f} to {high:.0f} %), the reference in {reference} (Boschloo's exact test, "
            f"p_Holm {p_value(evidence.p_unreliable)})."
        )
    if effect.n == 0:
        return f"no seed has a result for both {effect.variant} and {effect.reference}; too few seeds."
    if not paired.is_scored:
        return f"no difference, because unstable runs have no finite {metric.label} and there is no floor (--floor)."
    if paired.repeated > 1:
        return (
            f"{_difference(effect, metric)} at each of {paired.repeated} seeds. Every arm repeats its score "
            "exactly over the seeds: the seed does not reach the training, or the score is too coarse to show it. n is "
            f"1, no verdict.{_no_op(effect)}"
        )
    found = f"{_difference(effect, metric)} in {count(effect.n, 'seed')}"
    if rule is Verdict.SINGLE:
        known = "with Lenth's (1989) exploratory interval" if math.isfinite(effect.ci_low) else "without an interval"
        return f"{found}, a single-run observation {known}.{_no_op(effect)}"
    if rule is Verdict.IDENTICAL:
        return f"{found}, identical differences; no verdict without variation.{_no_op(effect)}"
    return f"{found}; too few seeds for a verdict.{_no_op(effect)}"


def _no_op(effect: Effect) -> str:
    """Return the warning about a variant that equals its reference at every seed; empty for other variants."""
    if not effect.evidence.paired.is_equal or effect.evidence.paired.average is not None:
        return ""
    where = f"all {effect.n:,} seeds" if effect.n > 1 else "every seed"
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


def _after(effect: Effect, metric: Metric) -> list[str]:
    """Return notes after the sentence: aliases, survivors, early stops, seeds added later."""
    evidence, notes = effect.evidence, []
    average = evidence.paired.average
    if average is not None and average.screening:
        notes.append(f"Its likeliest alias is {average.alias} (resolution III).")
    if average is not None:
        notes += _without_unstable_runs(effect, average, metric)
    elif evidence.paired.reference_unstable or (effect.n_unstable and evidence.rule is not Verdict.UNRELIABLE):
        if math.isnan(effect.delta_survivors):
            notes.append("No seed was stable in both arms.")
        else:
            left = sum(evidence.paired.survivors)
            value = signed_amount(effect.delta_survivors, effect, metric)
            where = "In the only seed" if left == 1 else f"Among the {left:,} seeds"
            notes.append(f"{where} stable in both arms the difference is {value}.")
    if evidence.stopped_early:
        bias = "be too near zero" if evidence.rule in EQUIVALENCE else "exaggerate"
        notes.append(f"Stopped early at {effect.n:,} seeds: such an estimate tends to {bias}.")
    if evidence.extended and effect.n > 1:
        notes.append("Seeds were added after a report, which the interval allows for.")
    return notes


def _without_unstable_runs(effect: Effect, average: Average, metric: Metric) -> list[str]:
    """Return the variants of an average that have unstable runs, and the difference without them."""
    if not average.n_unstable:
        return []
    named = unstable_of_average(average.unstable)
    if math.isnan(effect.delta_survivors):
        return [f"Unstable: {named}. The other variants alone cannot show the effect."]
    value = signed_amount(effect.delta_survivors, effect, metric)
    return [f"Unstable: {named}. Estimated from the other variants alone, the effect is {value}."]
