"""What a sweep will cost and what it can see, before it runs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.journal.run_journal import Journals, Run, load
from ablate.runs.runner import comparable
from ablate.runs.sweep import Planned
from ablate.studies.job import Job, estimate
from ablate.studies.study import Study
from ablate.wording import count

GUESSED_SD = 0.5
"""Standard deviation of the metric over seeds where nothing is known yet, in the unit as shown."""


@dataclass(frozen=True)
class Forecast:
    """What so many runs take: seconds a run and where that comes from, with so many runs at a time on so many units."""

    missing: int
    seconds_each: float
    basis: str
    slots: int
    units_each: int = 1
    what: str = "core"

    @property
    def seconds(self) -> float:
        """Wall time of the sweep."""
        return math.ceil(self.missing / self.slots) * self.seconds_each

    @property
    def hours(self) -> float:
        """Core-hours, or GPU-hours."""
        return self.missing * self.seconds_each * self.units_each / 3600


@dataclass(frozen=True)
class Sensitivity:
    """The smallest difference that the planned seeds detect, and the seeds that the margin needs."""

    detectable: float
    seeds_needed: int | None
    sd: float
    basis: str


def forecast(planned: Sequence[Planned], journals: Journals, slots: int) -> Forecast | None:
    """Return what the missing runs take, from earlier runs at this scale on this device or a timed pilot."""
    missing = [entry.job for entry in planned if not entry.is_done]
    if not missing:
        return Forecast(0, 0.0, "nothing is missing", slots)
    earlier = [
        run.metrics["time/total_s"]
        for run in similar(missing[0], journals)
        if run.conditions["threads"] == missing[0].conditions.threads and run.status == "finished"
    ]
    if earlier:
        seconds, basis = statistics.median(earlier), f"the median of {len(earlier)} earlier runs"
    else:
        timed = estimate(missing[0])
        if timed is None:
            return None
        seconds, basis = timed, "a timed pilot of a few steps"
    on_gpu = missing[0].conditions.device == "cuda"
    units, what = (1, "GPU") if on_gpu else (missing[0].conditions.threads, "core")
    return Forecast(len(missing), seconds, basis, slots, units, what)


def sensitivity(study: Study, planned: Sequence[Planned], journals: Journals) -> Sensitivity | None:
    """Return what the planned seeds can tell, or None where the design plans no comparisons.

    None, too, where nothing is known of the metric: of fractions a seed SD can be guessed, of milliseconds none.

    The SD of a paired difference is taken as sqrt(2) times that of the baseline over seeds: pairing can only help.
    """
    from ablate.stats.effects import minimum_detectable_effect, seeds_needed

    comparisons, metric = len(study.comparisons()), study.workload.metric
    if not comparisons:
        return None
    baseline = study.baseline.factors
    runs = [run for run in similar(planned[0].job, journals) if _factors_on(run.params, study) == set(baseline)]
    scores = {run.seed: metric.scale * run.metrics.get(metric.tracked, math.nan) for run in runs}
    known = len(scores) >= 3
    if not known and not metric.in_points:
        return None
    spread = statistics.stdev(scores.values()) if known else GUESSED_SD
    sd = math.sqrt(2) * spread
    seeds = len(study.seed_list)
    return Sensitivity(
        minimum_detectable_effect(sd, seeds, comparisons),
        seeds_needed(study.margin, sd, comparisons),
        spread,
        f"{len(scores)} earlier runs of the baseline"
        if known
        else "a guess: there are no earlier runs of the baseline",
    )


def code_cautions(study: Study, planned: Sequence[Planned], journals: Journals) -> list[str]:
    """Return what to say of runs that other code made than the study brings now; nothing for built-in workloads."""
    study_file = study.workload.study_file
    if study_file is None:
        return []
    digest, name = study_file.code_digest, study_file.path.name
    known = [entry.run for entry in planned if entry.run]
    if known:
        reused = [run for run in known if run.is_result and run.params.get("code") != digest]
        return [
            f"{len(reused)} of the runs that are reused were made by other code than that of {name} now: "
            f"version {study.workload.version!r} says that it makes no difference; another version makes them anew"
        ] * bool(reused)
    runs = (load(path) for path in journals.paths())
    earlier = [run for run in runs if run and run.study == study.name and run.params.get("code", digest) != digest]
    return [
        f"the code that trains has changed since {count(len(earlier), 'run')} of {study.name}: they stay recorded, and "
        "this study makes its runs anew, so that no table mixes the two"
    ] * bool(earlier)


def similar(job: Job, journals: Journals) -> list[Run]:
    """Return the results at the same scale, on the same data, device and precision."""
    wanted = job.recipe.settings
    runs = (load(path) for path in journals.paths() if path.stem.split("-")[1] == job.data.fingerprint)
    return [
        run
        for run in runs
        if run
        and run.is_result
        and comparable(run.conditions, job.conditions)
        and all(run.params.get(name) == value for name, value in wanted.items())
    ]


def _factors_on(params: Mapping[str, Any], study: Study) -> set[str]:
    return {name for name in study.workload.factors if params.get(name)}
