"""Account for every run: used in the results, or left out, with the reason."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ablate.report.analysis import Analysis, synergy_corner
from ablate.report.formats.numbers import enumerated
from ablate.report.margin_notes import goal_note, margin_note
from ablate.report.repeating_variants import repeated_scores, repeating_variants
from ablate.report.study_data import StudyData
from ablate.stats.effects.pairing import USABLE
from ablate.stats.effects.seeds import Seed, spans
from ablate.stats.effects.types import MIN_SEEDS
from ablate.stats.effects.verdicts import MOST_NAMED, unstable_variants
from ablate.wording import count, listed

MOST_VARIANTS = 5
MOST_UNSTABLE = 8

UNMATCHED = "with a seed that another compared variant lacks"
UNBALANCED = "of variants outside the balanced design"
UNCOMPARED = "of variants in no comparison"
BEYOND_LOOK = "with a seed beyond the last look"

Key = tuple[str, Seed]
"""The variant and the seed of a run."""


@dataclass(frozen=True)
class Account:
    """The runs of a report: `read` = `used` + the sum of `left_out`.

    Attributes:
        read: Number of runs that were found.
        used: Number of runs in the results.
        left_out: Number of other runs by reason.
        sentence: All of this in words; empty if every run is used.
    """

    read: int
    used: int
    left_out: Mapping[str, int]
    sentence: str


def account_for(analysis: Analysis) -> Account:
    """Return the account of the runs of a study."""
    study = analysis.study
    table, used = study.runs, _used(analysis)
    shared, reasons = _shared(study), dict[str, list[Key]]()
    averaged = _averaged(study) if analysis.factorial is not None else analysis.levels.variants
    compared = _compared(analysis)
    number = 0
    columns = (table["variant"].map(str), table["seed"], table["status"], table[study.metric.name])
    for variant, seed, status, value in zip(*(column.tolist() for column in columns), strict=True):
        if status not in USABLE:
            reason = status.replace("_", " ")
        elif status == "finished" and (value is None or math.isnan(value)):
            reason = f"without {study.metric.label}"
        elif (variant, seed) in used:
            number += 1
            continue
        elif averaged and variant not in averaged:
            reason = UNBALANCED
        elif compared and variant not in compared:
            reason = UNCOMPARED
        else:
            reason = BEYOND_LOOK if (variant, seed) in shared else UNMATCHED
        reasons.setdefault(reason, []).append((variant, seed))
    if study.counts.running:
        reasons["still running"] = [(variant, seed) for variant, seed in study.counts.running]
    counts = {reason: len(keys) for reason, keys in reasons.items()} | dict(study.counts.set_aside)
    read = number + sum(counts.values())
    named = [f"{found:,} {reason}{_where(reasons.get(reason, ()))}" for reason, found in counts.items()]
    are = "is" if number == 1 else "are"
    sentence = f"{number:,} of {count(read, 'run')} {are} used. Left out: {enumerated(named)}." if named else ""
    return Account(read, number, counts, sentence)


def scores_repeat(analysis: Analysis) -> bool:
    """Return whether every variant repeats its score over the seeds, so that they count as one."""
    return any(effect.evidence.paired.repeated > 1 for effect in analysis.headline)


def _used(analysis: Analysis) -> set[Key]:
    """Return the runs in any effect."""
    study = analysis.study
    used = _shared(study)
    if scores_repeat(analysis):
        compared = _compared(analysis)
        used |= {(name, seed) for name, seeds in _usable_seeds(study).items() if name in compared for seed in seeds}
    if study.looks is not None:
        at_look = {(row.variant, row.reference): set(row.evidence.paired.seeds) for row in analysis.compared}
        used = {(name, seed) for pair, found in at_look.items() for name in pair for seed in found}
    if analysis.factorial is not None:
        used.update(itertools.product(_averaged(study), analysis.factorial.seeds))
    if analysis.levels.factorial is not None:
        used.update(itertools.product(analysis.levels.variants, analysis.levels.factorial.seeds))
    if analysis.attribution is not None:
        used.update(itertools.product(map(str, study.design.index), analysis.attribution.seeds))
    seeds = _usable_seeds(study)
    for arms in _synergy_variants(analysis):
        used.update(itertools.product(arms, set.intersection(*(seeds.get(name, set()) for name in arms))))
    return used


def _synergy_variants(analysis: Analysis) -> list[list[str]]:
    """Return the four variants of each synergy of a pair outside factorial designs."""
    from ablate.stats.attribution import synergy_variants
    from ablate.stats.levels.groups import synergy_variants as variants_of_levels

    study = analysis.study
    of_levels = variants_of_levels(study.levels, study.baseline).values() if analysis.levels.synergies else ()
    factors = synergy_variants(study.design, synergy_corner(study)).values() if analysis.synergies else ()
    return [*factors, *of_levels]


def _compared(analysis: Analysis) -> set[str]:
    """Return the variants in any effect, with or without runs."""
    study = analysis.study
    rows = [*study.comparisons, *(study.searches.comparisons if study.searches else ())]
    designed = analysis.factorial is not None or analysis.attribution is not None
    return {
        *(name for row in rows for name in (row.variant, row.reference)),
        *(name for arms in _synergy_variants(analysis) for name in arms),
        *(map(str, study.design.index) if designed else ()),
        *analysis.levels.variants,
    }


def _averaged(study: StudyData) -> list[str]:
    """Return the variants that main effects average over: all, or all but one added to a balanced design."""
    from ablate.stats.attribution import orthogonal_part

    return [str(name) for name in orthogonal_part(study.design).index]


def _shared(study: StudyData) -> set[Key]:
    """Return the runs of both variants of each comparison at the seeds that they share; all if they are not paired."""
    seeds = _usable_seeds(study)
    used: set[Key] = set()
    if study.protocol.replicates == "runs":
        compared = {name for row in study.comparisons for name in (row.variant, row.reference)}
        return {(name, seed) for name in compared for seed in seeds.get(name, ())}
    for row in [*study.comparisons, *(study.searches.comparisons if study.searches else ())]:
        pair = (row.variant, row.reference)
        used.update(itertools.product(pair, seeds.get(row.variant, set()) & seeds.get(row.reference, set())))
    return used


def seeds_with_results(study: StudyData) -> dict[str, list[Seed]]:
    """Return the seeds of the runs with a result by variant; variants without a result are missing."""
    table = study.runs
    given = table[study.metric.name].notna().tolist()
    seeds: dict[str, list[Seed]] = {}
    columns = (table[name].tolist() for name in ("variant", "seed", "status"))
    for variant, seed, status, has_value in zip(*columns, given, strict=True):
        if status == "unstable" or (status == "finished" and has_value):
            seeds.setdefault(str(variant), []).append(seed)
    return seeds


def _usable_seeds(study: StudyData) -> dict[str, set[Seed]]:
    return {variant: set(seeds) for variant, seeds in seeds_with_results(study).items()}


def _where(keys: Collection[Key]) -> str:
    """Return runs in brackets: ` (baseline: seeds 5 to 8; no-x: seed 3)`."""
    seeds: dict[str, list[Seed]] = {}
    for variant, seed in keys:
        seeds.setdefault(variant, []).append(seed)
    texts = [
        f"{variant}: seed{'s' * (len(found) > 1)} {spans(found)}"
        for variant, found in itertools.islice(seeds.items(), MOST_VARIANTS)
    ]
    texts += [count(len(seeds) - MOST_VARIANTS, "more variant")] if len(seeds) > MOST_VARIANTS else []
    return f" ({'; '.join(texts)})" if texts else ""


def answer_notes(analysis: Analysis) -> list[str]:
    """Return what stands next to the answer: runs left out, a margin beyond the scores, how runs were read."""
    notes = [
        _one_common_seed(analysis),
        account_for(analysis).sentence,
        repeating_variants(analysis),
        repeated_scores(analysis),
        _unstable_averages(analysis),
        goal_note(analysis),
        margin_note(analysis),
        _secondary(analysis),
        analysis.study.statement,
    ]
    return [note for note in notes if note]


def _secondary(analysis: Analysis) -> str:
    """Return the names of the secondary metrics, which the answer only lists."""
    names = ", ".join(other.study.metric.name for other in analysis.secondary)
    return f"secondary: {names}" if names else ""


def compares_nothing(analysis: Analysis) -> bool:
    """Return whether there are comparisons, and no seed has a result in both arms of any."""
    compared = [*analysis.headline, *analysis.retuned]
    return bool(compared) and max(effect.n for effect in compared) == 0


def nothing_shared(analysis: Analysis) -> tuple[str, str]:
    """Return why no seed is compared, and what to do about runs of other programs."""
    seeds = _usable_seeds(analysis.study)
    names = dict.fromkeys(name for row in analysis.study.comparisons for name in (row.reference, row.variant))
    without = [name for name in names if name not in seeds]
    if without:
        named, runs = listed(without, MOST_VARIANTS), analysis.study.runs
        if not any(runs["variant"].isin(without) & runs["status"].isin(("finished", "unstable"))):
            return f"no run of {named} has finished", "Check the statuses of the runs, and --status-param"
        return f"no run of {named} has {analysis.study.metric.name}", "Check --metric, its spelling, and --step"
    return (
        "no seed has a result in both arms of any comparison",
        "Give the arms the same seeds, name the column of the seeds, if it is another one, with --seed-param, or "
        "compare all runs without pairs with --unpaired",
    )


def _one_common_seed(analysis: Analysis) -> str:
    """Return a warning if every comparison has one seed at most, and that is not because the scores repeat."""
    compared = [*analysis.headline, *analysis.retuned]
    if max((effect.n for effect in compared), default=0) != 1 or any(row.evidence.paired.repeated for row in compared):
        return ""
    if analysis.study.protocol.replicates != "seeds":
        return ""  # each sentence states it
    return (
        "No comparison has more than one seed with a result in both arms, so there are no verdicts: "
        f"a verdict needs at least {MIN_SEEDS} common seeds."
    )


def _unstable_averages(analysis: Analysis) -> str:
    """Return the combinations with unstable runs in averages, if they are too many for each sentence."""
    averages = [effect.evidence.paired.average for effect in analysis.main_effects]
    unstable = averages[0].unstable if averages and averages[0] else {}
    if len(unstable) <= MOST_NAMED:
        return ""
    return f"Unstable runs, at their recorded value in every average: {unstable_variants(unstable, MOST_UNSTABLE)}."
