"""The top of a report: what was asked, what the answer is, what it rests on, and what it does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ablate.report.analysis import Analysis
from ablate.report.formats.markdown_text import bold, bullets, code, escape
from ablate.report.formats.numbers import in_words, listed
from ablate.report.main_effects import off
from ablate.report.study_data import RunCounts, StudyData
from ablate.stats.effects import Effect, Verdict, sentence
from ablate.stats.metric import Metric
from ablate.wording import count

MOST_SENTENCES = 40
_OUT = "left out of every estimate"
_UNUSUAL = (
    ("failed", "Failed", _OUT),
    ("out_of_memory", "Out of memory", _OUT),
    ("killed", "Killed", _OUT),
    ("pruned", "Stopped early by a tuner", _OUT),
    ("unstable", "Unstable", "diverged or no better than guessing, which is a finding and counts in every estimate"),
)
_CHANGES = ("removed", "added", "changed")
_GROUPS = (
    ((Verdict.LOSS,), {"removed": "clearly helps", "added": "clearly hurts when added", "changed": "is clearly worse"}),
    (
        (Verdict.GAIN,),
        {"removed": "clearly hurts", "added": "clearly helps when added", "changed": "is clearly better"},
    ),
    ((Verdict.UNRESOLVED,), dict.fromkeys(_CHANGES, "makes a real difference of unresolved importance")),
    ((Verdict.NEGLIGIBLE,), dict.fromkeys(_CHANGES, "makes a real but negligible difference")),
    ((Verdict.NO_EFFECT,), dict.fromkeys(_CHANGES, "makes no practical difference")),
    (
        (Verdict.UNRELIABLE,),
        {
            "removed": "is needed to train reliably",
            "added": "makes training unreliable",
            "changed": "trains unreliably",
        },
    ),
)


RETUNED = "With both arms tuned alike (re-tuned)"


def head(study: StudyData) -> str:
    """Title with the scale, and how many runs stand behind it; what went wrong or is missing, before any result."""
    lines = [f"# {escape(study.name)} ({escape(study.scale)})"]
    if study.question:
        lines.append(f"**Question:** {escape(study.question)}")
    lines.append(f"**Runs:** {escape(runs_line(study.counts))}")
    lines += [f"> **{escape(text).replace(':', ':**', 1)}" for text in missing_lines(study)]
    lines += [f"> **Caution:** {escape(text)}" for text in study.cautions]
    return "\n\n".join(lines)


def runs_line(counts: RunCounts) -> str:
    """Planned, finished, unstable, failed and missing runs in one line."""
    words = {"out_of_memory": "out of memory"}
    known = ("finished", "unstable", "failed", "out_of_memory", "killed", "pruned", "running")
    parts = [
        f"{counts.statuses[status]} {words.get(status, status)}" for status in known if counts.statuses.get(status)
    ]
    if counts.missing:
        parts.append(f"{len(counts.missing)} not there yet")
    if counts.spared:
        parts.append(f"{counts.spared} not needed, since it was clear without them")
    if counts.reused:
        parts.append(f"{counts.reused} of them reused from other studies")
    planned = count(counts.planned, "run") + " planned" if counts.planned is not None else "number planned unknown"
    return f"{planned}; {', '.join(parts) or 'none made yet'}."


def missing_lines(study: StudyData) -> list[str]:
    """What has no result, by status, with the runs' names."""
    lines = []
    counts = study.counts
    if counts.running:
        lines.append(f"Still running: {_named(counts.running)}.")
    if counts.missing:
        lines.append(f"No run yet: {_named(counts.missing)}. What follows rests on the others.")
    table = study.runs
    for status, word, words in _UNUSUAL:
        rows = table[table["status"] == status]
        if len(rows):
            names = list(zip(rows["variant"].tolist(), rows["seed"].tolist(), strict=True))
            lines.append(f"{word}: {_named(names)}, {words}.")
    return lines


def _named(pairs: Sequence[tuple[str, int]]) -> str:
    seeds: dict[str, list[int]] = {}
    for variant, seed in pairs:
        seeds.setdefault(str(variant), []).append(int(seed))
    texts = [
        f"{variant} (seed{'s' * (len(found) > 1)} {', '.join(map(str, found))})" for variant, found in seeds.items()
    ]
    return listed(texts, 8)


def answer(analysis: Analysis) -> str:
    """A sentence for each component, those that settle something first, then those that do not."""
    effects, metric = analysis.headline, analysis.study.metric
    if not effects:
        return f"## Answer\n\n{nothing_yet(analysis.study)}"
    parts = ["## Answer", summary(analysis)]
    for title, chosen in groups_of(effects).items():
        if chosen:
            parts += [bold(title), _sentences(chosen, metric)]
    if analysis.retuned:
        parts += [bold(RETUNED), bullets(escape(retuned_sentence(row, metric)) for row in analysis.retuned)]
    parts.append(_reading(analysis))
    return "\n\n".join(parts)


def retuned_sentence(effect: Effect, metric: Metric) -> str:
    """The verdict sentence of a re-tuned comparison, its estimand first."""
    text = sentence(effect, metric)
    before, colon, rest = text.partition("Removing") if "Removing" in text else text.partition("Adding")
    return f"{before}Re-tuned: {colon[:1].lower()}{colon[1:]}{rest}" if colon else f"Re-tuned: {text}"


def groups_of(effects: Sequence[Effect]) -> dict[str, list[Effect]]:
    """The effects by how much is known of them; the last group is what the runs leave open."""
    unresolved = [effect for effect in effects if effect.evidence.rule is Verdict.UNRESOLVED]
    return {
        "What these runs establish": [effect for effect in effects if effect.is_settled],
        "Real, but whether it matters is open": unresolved,
        "What these runs do not establish": [
            effect for effect in effects if not effect.is_settled and effect not in unresolved
        ],
    }


def summary(analysis: Analysis) -> str:
    """The answer in one sentence or two, as Markdown."""
    effects, groups = analysis.headline, []
    for rules, words in _GROUPS:
        for change, verb in words.items():
            names = [_name(row) for row in effects if row.evidence.rule in rules and row.change == change]
            if names:
                groups.append(f"{len(names)} {verb if len(names) == 1 else _plural(verb)} ({listed(names)})")
    *_, left = groups_of(effects).values()
    if left:
        groups.append(f"{len(left)} could not be settled ({listed([_name(effect) for effect in left])})")
    which = "components" if all(effect.change == "removed" for effect in effects) else "comparisons"
    which = which if len(effects) > 1 else which[:-1]
    return f"Of {len(effects)} {which}, {'; '.join(groups)}. {_tentative(effects)}".strip()


def _plural(verb: str) -> str:
    """The words of a group for several: "clearly helps" becomes "clearly help"."""
    irregular = {"is": "are"}
    words = verb.split(" ")
    place = 1 if words[0] == "clearly" else 0
    words[place] = irregular.get(words[place], words[place].removesuffix("s"))
    return " ".join(words)


def _tentative(effects: Sequence[Effect]) -> str:
    if all(effect.evidence.paired.n in (3, 4) for effect in effects):
        return "With 3 or 4 seeds each verdict is preliminary."
    if all(effect.evidence.paired.n < 3 for effect in effects):
        return "With fewer than 3 seeds nothing can be settled: these are observations, not results."
    return ""


def _name(effect: Effect) -> str:
    """A component, with what was done to it where that is not switching it off."""
    if effect.change == "removed" and effect.factor != effect.variant:
        return escape(in_words(effect.factor))
    if effect.change == "added" and effect.factor != effect.variant:
        return f"adding {escape(in_words(effect.factor))}"
    return code(effect.variant)


def _sentences(effects: Sequence[Effect], metric: Metric) -> str:
    lines = [said(effect, metric) for effect in effects[:MOST_SENTENCES]]
    if len(effects) > MOST_SENTENCES:
        lines.append(f"{len(effects) - MOST_SENTENCES} more: see effects.csv.")
    return bullets(lines)


def said(effect: Effect, metric: Metric) -> str:
    """The verdict sentence as Markdown; a main effect says that it is an average, an addition to what it was."""
    text = sentence(effect, metric)
    start = {"removed": "Removing", "added": "Adding"}.get(effect.change, "")
    name = f"{start} {in_words(effect.factor)}"
    if effect.variant == off(effect.factor):
        text = text.replace(f"{name}:", f"{name}, averaged over the other components:", 1)
        text = text.replace(f"{name} ", f"{name}, averaged over the other components, ", 1)
    elif effect.change == "added" and effect.reference != "baseline":
        base = "the bare recipe" if effect.reference == "none" else effect.reference
        text = text.replace(name, f"{name} to {base}", 1)
    return escape(text)


def _reading(analysis: Analysis) -> str:
    """One paragraph that lets a newcomer read the sentences above."""
    study = analysis.study
    words, fixed = study.metric.words, study.counts.fixed
    metric = study.metric
    own = f"differences are of {words}{f', in {metric.own_unit}' if metric.own_unit else ''}"
    first = f"a point is one percentage point of {words}" if metric.in_points else own
    return escape(
        f"How to read this: {first}. The brackets hold the 95 % interval: differences that the runs are compatible "
        "with. "
        f"A difference within the margin of {metric.with_own_unit(f'{study.margin:g}')}{fixed} is too small to "
        "matter. "
        '"Could not be settled" means that the seeds are too few to tell, not that there is no effect.'
    )


def box(analysis: Analysis) -> Mapping[str, list[str]]:
    """The answer as plain lines, for the terminal and for machines."""
    metric = analysis.study.metric
    groups = zip(("established", "unresolved", "open"), groups_of(analysis.headline).values(), strict=True)
    return {name: [sentence(effect, metric) for effect in effects] for name, effects in groups}


def plain_answer(analysis: Analysis) -> list[str]:
    """The answer as lines for a terminal."""
    lines = []
    for title, effects in groups_of(analysis.headline).items():
        if effects:
            texts = [sentence(effect, analysis.study.metric) for effect in effects]
            lines += ["", f"{title}:", *(f"  - {text}" for text in texts[:MOST_SENTENCES])]
        if len(effects) > MOST_SENTENCES:
            lines.append(f"  - and {len(effects) - MOST_SENTENCES} more: see effects.csv")
    if analysis.retuned:
        texts = [retuned_sentence(effect, analysis.study.metric) for effect in analysis.retuned]
        lines += ["", f"{RETUNED}:", *(f"  - {text}" for text in texts[:MOST_SENTENCES])]
    return lines or [nothing_yet(analysis.study)]


def nothing_yet(study: StudyData) -> str:
    """Why there is no answer."""
    if study.looks is not None:
        return f"The first look reads {study.looks.seeds[0]} seeds of every arm, and they are not all there yet."
    if study.design.shape[1] > 1 and not study.comparisons:
        return (
            "A factorial design is read as a whole: as long as no seed has a result for every arm, or where the arms "
            "are not balanced over the components, there is nothing to state."
        )
    return "There is nothing to compare yet."
