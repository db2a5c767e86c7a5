"""The plan of a sweep: its runs and which of them exist, the expected duration, and the detectable difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablate import console
from ablate.runs.executors.slurm.executor import SlurmExecutor
from ablate.runs.forecast import Forecast, Sensitivity, forecast, sensitivity
from ablate.runs.sweep import PlannedRun
from ablate.stats.effects.types import MIN_SEEDS
from ablate.studies.study import Study
from ablate.wording import aligned, count, ranges
from ablate.workflows.aliases import describe_aliases
from ablate.workflows.sweep import SweepSession
from ablate.workloads.resnet9.devices import available_devices

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False, eq=False)
class SweepPlan:
    """The planned runs of a study.

    Attributes:
        study: The study.
        planned: The planned runs, with the existing run of each.
        time_left: The expected duration of the missing runs; None if unknown.
        power: The differences that the planned seeds detect; None if unknown.
        cautions: Warnings before the first run.
    """

    study: Study
    planned: Sequence[PlannedRun]
    time_left: Forecast | None
    power: Sensitivity | None
    cautions: Sequence[str]

    @property
    def runs(self) -> pd.DataFrame:
        """The planned runs: variant, seed, key and status, which is `missing` for runs that do not exist."""
        import pandas as pd

        return pd.DataFrame(self.facts["runs"])

    @property
    def seconds(self) -> float | None:
        """The expected duration of the missing runs; None if unknown."""
        return self.time_left.seconds if self.time_left else None

    @property
    def detectable(self) -> float | None:
        """The smallest difference that the planned seeds detect; None if unknown."""
        return self.power.detectable if self.power else None

    @property
    def table(self) -> tuple[list[str], list[list[str]]]:
        """Columns and rows: the seeds of each variant that are done, missing and failed."""
        return ["variant", "done", "to run", "failed"], _rows(self.study, self.planned)

    @property
    def lines(self) -> list[str]:
        """The expected duration and the detectable difference in words."""
        return _describe(self.time_left, self.power, self.study)

    @property
    def facts(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {**_facts(self.study, self.planned, self.time_left, self.power), "cautions": list(self.cautions)}

    def __repr__(self) -> str:
        columns, rows = self.table
        warnings = [f"warning: {text}" for text in self.cautions]
        head = f"{self.study.name}: {count(len(self.planned), 'run')}"
        return "\n".join([head, *warnings, *aligned(columns, rows), *self.lines])


def plan_of(session: SweepSession) -> SweepPlan:
    """Return the plan of a sweep that has not started."""
    study, planned = session.study, session.planned
    device = planned[0].job.conditions.device if planned else "cpu"
    is_remote = isinstance(session.executor, SlurmExecutor) or device not in ("cpu", *available_devices())
    time_left = forecast(planned, session.journals, session.executor.slots, pilot=not is_remote)
    return SweepPlan(study, planned, time_left, sensitivity(study, planned, session.journals), session.cautions)


def _rows(study: Study, planned: Sequence[PlannedRun]) -> list[list[str]]:
    rows = []
    for arm in study.resolved_design.arms:
        label = study.label(arm)
        entries = [entry for entry in planned if entry.job.recipe.label == label]
        done = [entry.job.recipe.seed for entry in entries if entry.is_done]
        failed = [entry.job.recipe.seed for entry in entries if entry.has_failed]
        missing = [entry.job.recipe.seed for entry in entries if not entry.is_done and not entry.has_failed]
        rows.append([label, *(" ".join(ranges(seeds)) or "-" for seeds in (done, missing, failed))])
    return rows


def _describe(time_left: Forecast | None, power: Sensitivity | None, study: Study) -> list[str]:
    lines = []
    if time_left and time_left.missing:
        without = f", without {time_left.left_out}" if time_left.left_out else ""
        lines.append(
            f"{count(time_left.missing, 'missing run')}: about {console.duration(time_left.seconds)}"
            f"{' of training' if without else ''}, {time_left.hours:.2g} {time_left.unit}-hours "
            f"({console.duration(time_left.seconds_each)} per run, {time_left.basis}{without})"
        )
    elif time_left:
        lines.append("All runs are finished")
    return [*lines, describe_power(power, study)] if power else lines


def describe_power(power: Sensitivity, study: Study) -> str:
    """Return the differences that the planned seeds detect, and the number of seeds that the margin needs."""
    metric = study.workload.metric
    margin, seeds = metric.with_unit(f"{study.margin:g}"), count(len(study.seed_list), "seed")
    if len(study.seed_list) < MIN_SEEDS:
        detected = f"{seeds}: too few for a verdict, which needs at least {MIN_SEEDS}"
    elif math.isinf(power.detectable):
        detected = f"{seeds} detect only differences above {metric.with_unit(f'{power.undetectable:.2g}')}"
    else:
        detected = f"{seeds} detect {metric.with_unit(f'{power.detectable:.2g}')} or more"
    if power.seeds_needed:
        needed = f"The margin of {margin} needs {power.seeds_needed.words}"
    else:
        needed = f"Estimating the seeds for the margin of {margin} takes at least 5 earlier runs"
    return f"{detected}. {needed} (SD over seeds {power.sd:.2g}: {power.basis})"


def _facts(
    study: Study, planned: Sequence[PlannedRun], time_left: Forecast | None, power: Sensitivity | None
) -> dict[str, Any]:
    return {
        "study": study.name,
        "planned": len(planned),
        "reused": sum(entry.is_done for entry in planned),
        "aliases": describe_aliases(study.resolved_design),
        "left_out": list(study.resolved_design.left_out),
        "seconds": time_left.seconds if time_left else None,
        "seconds_basis": time_left.basis if time_left else None,
        "seconds_without": (time_left.left_out or None) if time_left else None,
        "hours": time_left.hours if time_left else None,
        "detectable": power.detectable if power else None,
        "seeds_needed": list(power.seeds_needed) if power and power.seeds_needed else None,
        "runs": [
            {
                "variant": entry.job.recipe.label,
                "seed": entry.job.recipe.seed,
                "key": entry.job.recipe.key,
                "status": entry.run.status if entry.run else "missing",
            }
            for entry in planned
        ],
    }
