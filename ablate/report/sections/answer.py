"""The answer: in short, and as verdict sentences, established results first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.report.accounting import answer_notes
from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bold, bullets, code, escape
from ablate.report.formats.numbers import enumerated
from ablate.report.main_effects import AVERAGED, FAMILY
from ablate.report.sections.datasets import TITLE, pooled_sentences
from ablate.report.sections.levels import TITLE as ALL_LEVELS
from ablate.report.sections.levels import level_sentences, levels_in_short
from ablate.report.sections.target import target_sentences, target_title
from ablate.report.study_data import StudyData
from ablate.stats.effects import Effect, Verdict, sentence
from ablate.stats.effects.sentences import change_of_level
from ablate.stats.effects.types import Replicates
from ablate.stats.metric import Metric
from ablate.wording import count, in_words

MOST_SENTENCES = 40
RETUNED = "Re-tuned"
_HELPFUL, _HARMFUL = "Clearly helpful", "Clearly harmful"
_OUTCOMES: Sequence[tuple[Verdict, Mapping[str, str]]] = (
    (Verdict.LOSS, {"removed": _HELPFUL, "added": _HARMFUL, "changed": "Clearly worse"}),
    (Verdict.GAIN, {"removed": _HARMFUL, "added": _HELPFUL, "changed": "Clearly better"}),
    (Verdict.UNRESOLVED, {"": "Real effect of unresolved importance"}),
    (Verdict.NEGLIGIBLE, {"": "Real but negligible effect"}),
    (Verdict.NO_EFFECT, {"": "No practically meaningful effect"}),
    (
        Verdict.UNRELIABLE,
        {
            "removed": "Needed for reliable training",
            "added": "Makes training unreliable",
            "changed": "Trains unreliably",
        },
    ),
    (Verdict.INCONCLUSIVE, {"": "Inconclusive"}),
)
"""Labels of a verdict by the change of the component; the empty key fits all changes."""


def answer_in_short(analysis: Analysis) -> str:
    """Return the section: the components by outcome, and how to read the report."""
    notes = [escape(note) for note in answer_notes(analysis)]
    if not analysis.headline:
        return "\n\n".join(["## Answer", no_answer(analysis.study), *notes])
    pooled = pooled_sentences(analysis)
    over = [bold(TITLE), bullets(map(escape, pooled))] if pooled else []
    levels = levels_in_short(analysis)
    over += [bold(ALL_LEVELS), bullets(map(escape, levels))] if levels else []
    targets = target_sentences(analysis)
    over += [bold(target_title(analysis)), bullets(map(escape, targets))] if targets else []
    return "\n\n".join(["## Answer", summary(analysis.headline), *over, *notes, how_to_read(analysis)])


def verdict_sentences(analysis: Analysis) -> str:
    """Return the section: one sentence per comparison, established results first; empty without comparisons."""
    parts = _groups_of_sentences(analysis)
    return "\n\n".join(["## Verdicts in sentences", *parts]) if parts else ""


def answer(analysis: Analysis) -> str:
    """Return the whole answer, for a page without the other sections."""
    parts = answer_in_short(analysis).split("\n\n")
    return "\n\n".join([*parts[:2], *_groups_of_sentences(analysis), *parts[2:]])


def _groups_of_sentences(analysis: Analysis) -> list[str]:
    parts = []
    for title, chosen in [*groups_of(analysis.headline).items(), (RETUNED, analysis.retuned)]:
        if chosen:
            parts += [bold(title), bullets(map(escape, _sentences(chosen, analysis.study.metric)))]
    return parts


def plain_answer(analysis: Analysis) -> list[str]:
    """Return the answer as lines for a terminal."""
    pooled = [f"  - {text}" for text in pooled_sentences(analysis)]
    lines = ["", f"{TITLE}:", *pooled] if pooled else []
    levels = [f"  - {text}" for text in levels_in_short(analysis)]
    lines += ["", f"{ALL_LEVELS}:", *levels] if levels else []
    targets = [f"  - {text}" for text in target_sentences(analysis)]
    lines += ["", f"{target_title(analysis)}:", *targets] if targets else []
    for title, chosen in [*groups_of(analysis.headline).items(), (RETUNED, analysis.retuned)]:
        if chosen:
            lines += ["", f"{title}:", *(f"  - {text}" for text in _sentences(chosen, analysis.study.metric))]
    notes = answer_notes(analysis)
    return [*(lines or [no_answer(analysis.study)]), *([""] if notes else []), *notes]


def answer_facts(analysis: Analysis) -> dict[str, list[str]]:
    """Return the answer as plain data: all sentences by `established`, `exploratory` etc., and `notes`."""
    metric = analysis.study.metric
    names, groups = ("established", "exploratory", "unresolved", "open"), groups_of(analysis.headline).values()
    sentences = {
        name: [effect_sentence(effect, metric) for effect in effects]
        for name, effects in zip(names, groups, strict=True)
    }
    over = {"over_datasets": pooled_sentences(analysis)} if analysis.pooled else {}
    over |= {"levels": level_sentences(analysis)} if analysis.levels.every else {}
    over |= {"target": target_sentences(analysis)} if analysis.targets else {}
    return {**sentences, **over, "notes": answer_notes(analysis)}


def groups_of(effects: Sequence[Effect]) -> dict[str, list[Effect]]:
    """Return the effects in four groups: established, the same but exploratory, unresolved, not established."""
    unresolved = [
        effect
        for effect in effects
        if effect.evidence.rule is Verdict.UNRESOLVED and not effect.evidence.is_screening  # may be that of an alias
    ]
    named = {id(effect) for effect in unresolved}
    return {
        "Established": [effect for effect in effects if effect.is_settled and not _is_exploratory(effect)],
        "Exploratory results": [effect for effect in effects if effect.is_settled and _is_exploratory(effect)],
        "Real effects of unresolved importance": unresolved,
        "Not established": [effect for effect in effects if not effect.is_settled and id(effect) not in named],
    }


def _is_exploratory(effect: Effect) -> bool:
    return "exploratory" in effect.verdict.split(": ")


def effect_sentence(effect: Effect, metric: Metric) -> str:
    """Return the verdict sentence of an effect, qualified if it is an average or re-tuned."""
    if effect.family == FAMILY:
        return sentence(effect, metric, AVERAGED)
    return sentence(effect, metric, "both variants re-tuned" if effect.evidence.estimand == "re-tuned" else "")


def summary(effects: Sequence[Effect]) -> str:
    """Return the answer in short, as Markdown: the components by outcome."""
    which = "component" if all(effect.change == "removed" for effect in effects) else "comparison"
    averaged = f", each {AVERAGED}" if effects[0].family == FAMILY else ""
    parts = [f"{count(len(effects), which)}{averaged}"]
    outcomes: dict[str, list[str]] = {label: [] for _, labels in _OUTCOMES for label in labels.values()}
    for effect in sorted(effects, key=lambda effect: effect.change == "added"):  # "augment and adding cutout"
        outcomes.setdefault(_outcome(effect), []).append(_name(effect))
    parts += [f"{label}: {enumerated(names)}" for label, names in outcomes.items() if names]
    parts += _qualifications(effects)
    return ". ".join(parts) + "."


def _qualifications(effects: Sequence[Effect]) -> list[str]:
    """Return what qualifies all verdicts: no plan before the runs, unstable runs in averages, few seeds."""
    parts = []
    average = effects[0].evidence.paired.average
    if average is not None and average.n_unstable:
        parts.append(f"{average.n_unstable} of {count(average.runs, 'run')} are unstable and in every average")
    if average is not None and average.screening:
        parts.append("The design has resolution III: these are candidates for a study, not results")
    if all(effect.evidence.paired.repeated > 1 for effect in effects):
        parts.append("Every arm repeats its score exactly over the seeds, so n is 1")
    elif all(effect.evidence.paired.n in (3, 4) for effect in effects):
        parts.append(f"All verdicts are preliminary (3 or 4 {effects[0].evidence.replicates})")
    elif all(effect.evidence.paired.n < 3 for effect in effects):
        parts.append(f"With fewer than 3 {effects[0].evidence.replicates} these are observations, not results")
    if all(map(_is_exploratory, effects)):
        parts.append("All verdicts are exploratory")
    return parts


def _outcome(effect: Effect) -> str:
    if effect.evidence.paired.is_equal:
        return "Equal to the reference at every seed"
    if effect.evidence.is_screening:
        differs = effect.evidence.rule is Verdict.UNRESOLVED
        return "Real difference, its own or an alias's" if differs else "Inconclusive"
    labels = dict(_OUTCOMES).get(effect.evidence.rule, {"": "No verdict"})
    return labels.get(effect.change) or labels[""]


def _name(effect: Effect) -> str:
    """Return a component, with the change where that is not its removal, as Markdown."""
    if effect.evidence.factor_level:
        return escape(change_of_level(effect))
    if effect.change == "changed" or effect.factor == effect.variant:
        return code(effect.variant)
    name = escape(in_words(effect.factor))
    return f"adding {name}" if effect.change == "added" else name


def _sentences(effects: Sequence[Effect], metric: Metric) -> list[str]:
    lines = [effect_sentence(effect, metric) for effect in effects[:MOST_SENTENCES]]
    if len(effects) > MOST_SENTENCES:
        lines.append(f"{len(effects) - MOST_SENTENCES} more in effects.csv")
    return lines


def how_to_read(analysis: Analysis) -> str:
    """Return one paragraph with the sign convention, the margin and the words that a newcomer needs."""
    study, metric = analysis.study, analysis.study.metric
    if metric.in_points:
        unit = f"one point is one percentage point of {metric.label}"
    else:
        unit = f"differences are in {metric.label}{f' ({metric.own_unit})' if metric.own_unit else ''}"
    replicates = study.protocol.replicates
    better = "positive" if metric.goal == "max" else "negative"
    return escape(
        f"How to read this: {unit}. Every difference is variant minus reference, so {better} means that the variant is "
        f"better. Differences within the margin of {metric.with_unit(f'{study.margin:g}')}{study.counts.fixed} are too "
        f'small to matter. {_ABOUT_SEEDS.get(replicates, "")}"Inconclusive" means that there are too '
        f"few {replicates} to decide, not that there is no effect."
    )


_ABOUT_SEEDS: dict[Replicates, str] = {"seeds": "The seed of a run determines all its randomness. "}


def no_answer(study: StudyData) -> str:
    """Return the reason why there are no effects yet."""
    if study.looks is not None:
        return f"The first look needs {study.looks.seeds[0]} seeds of every arm, and some are missing."
    if (study.design.shape[1] > 1 or study.levels.shape[1]) and not study.comparisons:
        return (
            "No effects yet: a factorial design needs at least one seed with a result for every arm, and arms that are "
            "balanced over the components."
        )
    return "No effects yet: no variant can be compared with its reference."
