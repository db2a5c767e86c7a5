"""Forecast the duration and the statistical power of a sweep."""

from __future__ import annotations

import math
import shlex
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.journal.run_journal import Journals, Run
from ablate.runs import provenance
from ablate.runs.runner import is_comparable
from ablate.runs.sweep import PlannedRun
from ablate.studies.job import Job
from ablate.studies.study import Study
from ablate.studies.workload import EXIT_CODE
from ablate.tracking import run_title
from ablate.wording import count, listed
from ablate.workloads.custom.local_imports import changed_files
from ablate.workloads.dispatch import estimate

if TYPE_CHECKING:
    from ablate.stats.effects import SeedsRange

GUESSED_SD = 0.5
"""Assumed standard deviation of the metric over seeds, in displayed units, if there are no earlier runs."""

PILOT, NOT_IN_PILOT = "a timed pilot of a few steps", "the start of its process and its figures"


@dataclass(frozen=True)
class Forecast:
    """The expected duration of the missing runs.

    Attributes:
        missing: Number of missing runs.
        seconds_each: Duration of a run.
        basis: Source of the estimate.
        slots: Number of runs at a time.
        units_each: Cores or GPUs per run.
        unit: `core` or `GPU`.
        left_out: What the duration does not contain, so that it is a lower bound; empty if it contains everything.
    """

    missing: int
    seconds_each: float
    basis: str
    slots: int
    units_each: int = 1
    unit: str = "core"
    left_out: str = ""

    @property
    def seconds(self) -> float:
        """Duration of the sweep."""
        return math.ceil(self.missing / self.slots) * self.seconds_each

    @property
    def hours(self) -> float:
        """Core-hours or GPU-hours."""
        return self.missing * self.seconds_each * self.units_each / 3600


@dataclass(frozen=True)
class Sensitivity:
    """The minimum detectable difference of the planned seeds, and the number of seeds that the margin needs.

    Attributes:
        detectable: The difference; infinite if it is above `undetectable`.
        undetectable: The difference of 10 SD, above which powers are not computed.
        seeds_needed: The range of the number of seeds; None if there is no estimate.
        sd: Standard deviation of the metric over seeds.
        basis: Source of the standard deviation.
    """

    detectable: float
    undetectable: float
    seeds_needed: SeedsRange | None
    sd: float
    basis: str


def forecast(planned: Sequence[PlannedRun], journals: Journals, slots: int, *, pilot: bool = True) -> Forecast | None:
    """Return the expected duration of the missing runs.

    It is estimated from earlier runs at this scale on this device, else from a timed pilot on this machine. Without
    both it is None.
    """
    missing = [entry.job for entry in planned if not entry.is_done]
    if not missing:
        return Forecast(0, 0.0, "no missing runs", slots)
    runs = _results(missing[0], journals)
    estimates = [(len(jobs), *_duration(jobs[0], runs, pilot=pilot)) for jobs in _by_scale(missing)]
    known = [(jobs, seconds) for jobs, seconds, _ in estimates if seconds is not None]
    if not known:
        return None
    seconds_each = sum(jobs * seconds for jobs, seconds in known) / sum(jobs for jobs, _ in known)
    earlier = sum(runs for *_, runs in estimates)
    is_piloted = any(seconds is not None and not runs for _, seconds, runs in estimates)
    parts = [f"median of {count(earlier, 'earlier run')}"] * bool(earlier) + [PILOT] * is_piloted
    on_gpu = missing[0].conditions.device == "cuda"
    units, unit = (1, "GPU") if on_gpu else (missing[0].conditions.threads, "core")
    left_out = NOT_IN_PILOT if is_piloted else ""
    return Forecast(len(missing), seconds_each, " and ".join(parts), slots, units, unit, left_out)


def _by_scale(jobs: Sequence[Job]) -> list[list[Job]]:
    """Return jobs in groups with the same settings of the scale, such as epochs, which determine how long they take."""
    scale = [setting.name for setting in jobs[0].recipe.workload.settings if setting.scale_text]
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(tuple(job.recipe.settings[name] for name in scale), []).append(job)
    return list(groups.values())


def _duration(job: Job, runs: Sequence[Run], *, pilot: bool) -> tuple[float | None, int]:
    """Return the expected seconds of a run, None if unknown, and the number of earlier runs that show it."""
    earlier = [
        run.metrics["time/total_s"]
        for run in _similar(job, runs)
        if run.conditions["threads"] == job.conditions.threads and run.status == "finished"
    ]
    return (statistics.median(earlier), len(earlier)) if earlier else (estimate(job) if pilot else None, 0)


def sensitivity(study: Study, planned: Sequence[PlannedRun], journals: Journals) -> Sensitivity | None:
    """Return the sensitivity of a study, or None for a design without planned comparisons.

    The standard deviation over seeds comes from earlier runs of the baseline, by the same version of the training code,
    that did not diverge. Without them, or if
    they all have the same score, it is GUESSED_SD for a fraction, and the sensitivity of other metrics is None. The
    standard deviation of a paired difference is taken as sqrt(2) times that of the baseline, an upper bound if pairing
    helps.
    """
    from ablate.stats.effects import MAX_EFFECT_SIZE, SeedsRange, minimum_detectable_effect, seeds_needed, seeds_range

    comparisons, metric = len(study.comparisons()), study.workload.metric
    if not comparisons:
        return None
    runs = [run for run in similar(planned[0].job, journals) if run.key == study.baseline.reseed(run.seed).key]
    stable = {run.seed: run.metrics.get(metric.tracked, math.nan) for run in runs if run.status == "finished"}
    scores = [metric.scale * score for score in stable.values() if math.isfinite(score)]
    known = len(scores) >= 3 and max(scores) > min(scores)
    if not known and not metric.in_points:
        return None
    spread = statistics.stdev(scores) if known else GUESSED_SD
    sd, seeds = math.sqrt(2) * spread, len(study.seed_list)
    detectable, most = minimum_detectable_effect(sd, seeds, comparisons), MAX_EFFECT_SIZE * sd
    if known:
        basis = f"{len(scores)} earlier runs of the baseline"
        return Sensitivity(detectable, most, seeds_range(study.margin, sd, len(scores), comparisons), spread, basis)
    needed = seeds_needed(study.margin, sd, comparisons)
    basis = "an assumption, without earlier runs of the baseline"
    return Sensitivity(detectable, most, SeedsRange(needed, needed), spread, basis)


def cautions(study: Study, planned: Sequence[PlannedRun], journals: Journals) -> list[str]:
    """Return warnings before a sweep: names that are never read, a hidden exit code, other code, an unknown commit."""
    seed = ["seed"] if len(study.seed_list) > 1 else []
    settings = [setting.name for setting in study.workload.settings]
    unread, known = study.workload.unread, {*study.resolved_design.names, *settings, *seed, EXIT_CODE}
    ignored = [text for name, text in unread.items() if name in known]
    return [*ignored, *code_cautions(study, planned, journals), *_commit_cautions(study)]


def _commit_cautions(study: Study) -> list[str]:
    own = study.workload.study_file
    refused = provenance.refused_repository(own.path.parent) if own else None
    if refused is None:
        return []
    return [
        f"Runs record no commit: git does not read {refused}, which another user owns. "
        f"`git config --global --add safe.directory {shlex.quote(refused)}` allows it"
    ]


def code_cautions(study: Study, planned: Sequence[PlannedRun], journals: Journals) -> list[str]:
    """Return warnings about runs made by another version of the study's code; none for built-in workloads."""
    study_file = study.workload.study_file
    if study_file is None:
        return []
    digest, name = study_file.code_digest, study_file.path.name
    known = [entry.run for entry in planned if entry.run]
    if known:
        results = [run for run in known if run.is_result]
        reused = [run for run in results if run.params.get("code", digest) != digest]
        return [
            f"The code of {name} differs from that of {count(len(reused), 'reused run')}. They are reused because the "
            f"version is still {study.workload.version!r}. Change the version to repeat them"
        ] * bool(reused) + _import_cautions(results, study_file.path.parent)
    runs = (journals.read(path) for path in journals.paths())
    earlier = [run for run in runs if run and run.study == study.name and run.params.get("code", digest) != digest]
    return [
        f"The training code differs from that of {count(len(earlier), 'run')} of {study.name}. They stay recorded but "
        "are not reused, so that no table mixes two versions of the code"
    ] * bool(earlier)


def _import_cautions(results: Sequence[Run], folder: Path) -> list[str]:
    """Return a warning about reused runs that imported other versions of local files."""
    changed = {run_title(run): changed_files(run.environment.get("imports", {}), folder) for run in results}
    runs = [title for title, files in changed.items() if files]
    files = list(dict.fromkeys(name for names in changed.values() for name in names))
    code = ", ".join(f'"{name}"' for name in files)
    return [
        f"{listed(files)} changed since {count(len(runs), 'reused run')} ({listed(runs)}), and edits of imported "
        f"files do not repeat runs. Repeat them with --again, or declare code=[{code}] in the study file"
    ] * bool(files)


def similar(job: Job, journals: Journals) -> list[Run]:
    """Return the results with the same settings, data, device and precision."""
    return _similar(job, _results(job, journals))


def _results(job: Job, journals: Journals) -> list[Run]:
    """Return the results on the data of a job."""
    runs = (journals.read(path) for path in journals.paths() if path.stem.split("-")[1] == job.data.fingerprint)
    return [run for run in runs if run and run.is_result]


def _similar(job: Job, runs: Iterable[Run]) -> list[Run]:
    settings, completed = job.recipe.settings, job.recipe.workload.completed
    return [
        run
        for run in runs
        if is_comparable(run.conditions, job.conditions) and settings.items() <= completed(run.params).items()
    ]
