"""Bring the curves of a variant's runs to common steps, without interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ablate.report.recorded_curves import RecordedCurve

MOST_STEPS = 400
"""Points of a line; of more steps, those at even ranks are drawn, with the first and the last."""

MOST_BINS, FEWEST_BINS, VALUES_PER_BIN = 100, 5, 4
LEAST_SHARED = 0.5
"""Share of the steps of the run with the fewest steps that all runs must have; otherwise steps are binned."""

MOST_RUNS = 20
"""Runs per variant that are drawn one by one where the others have no value."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """The runs of one variant on common steps.

    Attributes:
        steps: Steps at which every run has a value, finite or not.
        values: One row per run; shape (runs, steps).
        singles: Single runs where the mean of all is unknown: before and after the common steps, and where other runs
            are NaN or infinite.
        diverged: The last finite point of each run that has only NaN or infinite values from there on.
        stopped: The last point of each run that ends earlier than the longest one.
        scored: The points that are the scores of the runs.
    """

    steps: Any
    values: Any
    singles: Sequence[tuple[Any, Any]]
    diverged: Sequence[Point]
    stopped: Sequence[Point]
    scored: Sequence[Point]


@dataclass(frozen=True)
class Grids:
    """The runs of all variants on common steps, and what was done to them.

    Attributes:
        by_variant: The grid of each variant that has a finite value.
        bins: Number of bins of steps in which the values of a run are averaged; 0 without binning.
        thinned: Largest number of common steps of a variant, of which `MOST_STEPS` are drawn; 0 if all are.
        lost: Number of runs without any finite value.
        omitted: Number of runs that are not drawn one by one.
    """

    by_variant: Mapping[str, Grid]
    bins: int = 0
    thinned: int = 0
    lost: int = 0
    omitted: int = 0


def at_even_ranks(count: int, most: int) -> Any:
    """Return up to `most` indices of `count`, with the first and the last."""
    import numpy as np

    return np.linspace(0, count - 1, min(count, most)).round().astype(int)


def common_grids(by_variant: Mapping[str, Sequence[RecordedCurve]]) -> Grids:
    """Return the curves on common steps: those that all runs of a variant have, or bins if they are few."""
    import numpy as np

    curves = {
        name: [(np.asarray(run.steps, dtype=float), np.asarray(run.values, dtype=float)) for run in runs]
        for name, runs in by_variant.items()
    }
    lost = sum(not np.isfinite(values).any() for runs in curves.values() for _, values in runs)
    curves = {name: runs for name, runs in curves.items() if any(np.isfinite(values).any() for _, values in runs)}
    if not curves:
        return Grids({}, lost=lost)
    first = min(float(steps[0]) for runs in curves.values() for steps, _ in runs)
    last = max(float(steps[-1]) for runs in curves.values() for steps, _ in runs)
    bins = 0 if all(map(_share_steps, curves.values())) else _number_of_bins(curves.values())
    grids, thinned, omitted = {}, 0, 0
    for name, runs in curves.items():
        ends = _ends(runs, last - 0.02 * (last - first))
        shown = [_binned(steps, values, first, last, bins) for steps, values in runs] if bins else runs
        shared = _shared(shown)
        thinned = max(thinned, len(shared) if len(shared) > MOST_STEPS else 0)
        steps = shared[at_even_ranks(len(shared), MOST_STEPS)] if len(shared) else shared
        rows = [values[np.searchsorted(own, steps)] for own, values in shown]
        singles = _singles(shown, steps, np.array(rows))
        omitted += max(0, len(singles) - MOST_RUNS)
        singles = [singles[place] for place in at_even_ranks(len(singles), MOST_RUNS)] if singles else []
        scored = [point for run in by_variant[name] if (point := _score(run)) is not None]
        grids[name] = Grid(steps, np.array(rows), singles, *ends, scored)
    return Grids(grids, bins, thinned, lost, omitted)


Run = tuple[Any, Any]
"""Steps and values of a run as arrays."""


def _share_steps(runs: Sequence[Run]) -> bool:
    """Return whether the runs share most of the steps of the span that they have in common."""
    shared = _shared(runs)
    low, high = max(steps[0] for steps, _ in runs), min(steps[-1] for steps, _ in runs)
    inside = [int(((steps >= low) & (steps <= high)).sum()) for steps, _ in runs]
    return low > high or len(shared) >= LEAST_SHARED * min(inside)


def _shared(runs: Sequence[Run]) -> Any:
    """Return the steps that all runs have."""
    import numpy as np

    shared = runs[0][0]
    for steps, _ in runs[1:]:
        if len(shared) != len(steps) or not np.array_equal(shared, steps):
            shared = np.intersect1d(shared, steps, assume_unique=True)
    return shared


def _number_of_bins(groups: Iterable[Sequence[Run]]) -> int:
    lengths = sorted(len(steps) for runs in groups for steps, _ in runs)
    return min(MOST_BINS, max(FEWEST_BINS, lengths[len(lengths) // 2] // VALUES_PER_BIN))


def _binned(steps: Any, values: Any, first: float, last: float, bins: int) -> Run:
    """Return the mean value of each bin of equal width that has values, at the middle of the bin."""
    import numpy as np

    width = (last - first) / bins or 1.0
    place = np.minimum(((steps - first) / width).astype(int), bins - 1)
    with np.errstate(all="ignore"):  # a mean with infinities is infinite or NaN
        sums, counts = np.bincount(place, values, bins), np.bincount(place, minlength=bins)
        used = np.flatnonzero(counts)
        return first + (used + 0.5) * width, sums[used] / counts[used]


def _ends(runs: Sequence[Run], early: float) -> tuple[list[Point], list[Point]]:
    """Return where runs diverged, and where others ended before the step `early`."""
    import numpy as np

    diverged, stopped = [], []
    for steps, values in runs:
        finite = np.flatnonzero(np.isfinite(values))
        if len(finite) and finite[-1] < len(values) - 1:
            diverged.append((float(steps[finite[-1]]), float(values[finite[-1]])))
        elif len(finite) and steps[-1] < early:
            stopped.append((float(steps[-1]), float(values[-1])))
    return diverged, stopped


def _singles(runs: Sequence[Run], steps: Any, values: Any) -> list[Run]:
    """Return the parts of runs where the mean of all runs is unknown, each connected to its known part."""
    import numpy as np

    known = steps[np.isfinite(values).all(axis=0)] if len(steps) else steps
    found = []
    for own, row in runs:
        finite = np.isfinite(row)
        parts = [finite] if not len(known) else [finite & (own <= known[0]), finite & (own >= known[-1])]
        for part in parts:
            places = np.flatnonzero(part)
            if len(places) > 1 or (len(places) and not len(known)):
                places = places[at_even_ranks(len(places), MOST_STEPS // 2)]
                found.append((own[places], row[places]))
    return found


def _score(run: RecordedCurve) -> Point | None:
    import numpy as np

    if math.isnan(run.scored_step):
        return None
    place = int(np.searchsorted(run.steps, run.scored_step))
    if place == len(run.steps) or run.steps[place] != run.scored_step or not math.isfinite(run.values[place]):
        return None
    return float(run.scored_step), float(run.values[place])
