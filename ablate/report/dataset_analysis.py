"""Effects over several data sets: the pooled effects, the table of means, the average ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ablate.report.study_data import DatasetArm, StudyData
from ablate.stats.effects import Comparison, Effect
from ablate.stats.effects.datasets import AverageRanks, PooledEffect, average_ranks, pooled_effects
from ablate.stats.effects.pairing import read_arms
from ablate.stats.effects.sensitivity import mean_of, sd_of


def dataset_names(study: StudyData) -> list[str]:
    """Return the data sets in the order of the runs."""
    return list(dict.fromkeys(arm.dataset for arm in study.datasets.values()))


def variant_names(study: StudyData) -> list[str]:
    """Return the variants in the order of the runs, the baseline first; with several data sets, without these."""
    known = study.runs["variant"].map(str).tolist()
    names = dict.fromkeys(study.datasets[name].variant if study.datasets else name for name in known)
    return [study.baseline, *(name for name in names if name != study.baseline)]


def pooled_over_datasets(study: StudyData, compared: Sequence[Effect]) -> list[PooledEffect]:
    """Return the effect of each variant over the data sets, variants in the order of the runs."""
    by_arm = {study.datasets[effect.variant]: effect for effect in compared}
    names = dataset_names(study)
    rows = [
        (
            Comparison(variant, study.baseline, "", "changed", n_planned=len(names), planned=study.protocol.planned),
            [(dataset, by_arm.get(DatasetArm(variant, dataset))) for dataset in names],
        )
        for variant in variant_names(study)[1:]
    ]
    return pooled_effects(rows, study.metric, study.margin, study.protocol)


@dataclass(frozen=True)
class Means:
    """Mean and standard deviation of the scores of a variant, the number of its runs with a score, and their name."""

    mean: float
    sd: float
    n: int
    label: str


def means_of(study: StudyData) -> dict[str, dict[str, Means]]:
    """Return the means by variant and data set; the data set is empty where there is only one."""
    arms, found = read_arms(study.runs, study.metric), dict[str, dict[str, Means]]()
    datasets = dataset_names(study) or [""]
    labels = {arm: label for label, arm in study.datasets.items()}
    for variant in variant_names(study):
        found[variant] = {}
        for dataset in datasets:
            label = labels.get(DatasetArm(variant, dataset), "") if dataset else variant
            scores = list(arms.get(label).values.values())
            found[variant][dataset] = Means(mean_of(scores), sd_of(scores), len(scores), label)
    return found


def ranks_of(study: StudyData) -> AverageRanks | None:
    """Return the average ranks of the variants over at least ten data sets, if every variant has a score on each."""
    if not study.datasets:
        return None
    means = {name: [cell.mean for cell in row.values()] for name, row in means_of(study).items()}
    if any(math.isnan(mean) for row in means.values() for mean in row):
        return None
    return average_ranks(means, study.metric.better)
