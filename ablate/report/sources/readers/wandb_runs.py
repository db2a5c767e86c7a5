"""The table of W&B runs: configuration, summary, state, names and histories, from folders or from the server."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ablate.errors import UsageError
from ablate.report.sources.columns import DEFAULT_METRICS, plain
from ablate.report.sources.existing_runs import TableOptions
from ablate.report.sources.readers.recorded_texts import number_in
from ablate.report.sources.readers.run_table import Curve, DrawnCurves, RunTable, cell, flat, table_of_rows
from ablate.report.sources.row_checks import STEP_CHOICES
from ablate.wording import count, listed

PROJECT = "project"
NO_LOG = "no log"
"""The status of a run without a log, next to runs with one."""

_OWN = ("_wandb", "_step", "_timestamp")
"""Keys of W&B in configurations and summaries. `_runtime`, the duration, may be a metric."""

_MEDIA = "._type"
_MOST_CHARACTERS = 200


class History:
    """The logged numbers of a run by metric.

    Args:
        step_param: The logged number that is the step; None for W&B's own step.
    """

    def __init__(self, step_param: str | None = None) -> None:
        self._step_param = step_param
        self.points: dict[str, tuple[array[float], array[float]]] = {}
        self.texts: dict[str, dict[float, str]] = {}

    def add(self, step: float, values: Mapping[str, float], texts: Mapping[str, str] | None = None) -> None:
        """Add the numbers, and the texts, true and false, that were logged at one of W&B's steps."""
        if self._step_param is not None:
            if self._step_param not in values:
                return
            step = values[self._step_param]
        for name, text in (texts or {}).items():
            self.texts.setdefault(name, {})[step] = text
        for name, value in values.items():
            if name in _OWN:
                continue
            if name not in self.points:
                self.points[name] = (array("d"), array("d"))
            steps, amounts = self.points[name]
            steps.append(step)
            amounts.append(value)

    def continued(self, later: History) -> History:
        """Return this history until the first step of a later one, and the later one."""
        restart = min((min(steps) for steps, _ in later.points.values()), default=math.inf)
        found = History(self._step_param)
        for name in {**self.texts, **later.texts}:
            kept = {step: text for step, text in self.texts.get(name, {}).items() if step < restart}
            found.texts[name] = {**kept, **later.texts.get(name, {})}
        for name in {**self.points, **later.points}:
            found.points[name] = (array("d"), array("d"))
            for history, end in ((self, restart), (later, math.inf)):
                for step, value in zip(*history.points.get(name, ((), ())), strict=True):
                    if step < end:
                        found.points[name][0].append(step)
                        found.points[name][1].append(value)
        return found

    def curve(self, name: str) -> Curve:
        """Return the numbers of a metric; the last one counts where there are several at a step."""
        values, texts = dict(zip(*self.points[name], strict=True)), self.texts.get(name, {})
        steps = sorted({**values, **texts})
        texts = {step: text for step, text in texts.items() if step not in values}
        numbers = array("d", (values[step] if step in values else number_in(texts[step]) for step in steps))
        return Curve(array("d", steps), numbers, texts=texts)


@dataclass(frozen=True)
class WandbRun:
    """A run of W&B.

    Attributes:
        id: Identifier within the project.
        name: Displayed name; several runs may have the same.
        state: State in W&B's words; empty if it is unknown.
        labels: Project, group, job type, sweep and tags.
        config: Values by name, nested or with points between nested names.
        summary: The same of the summary. Numbers are metrics.
        history: The logged numbers, if they were read.
        last_step: The last step; None if it is unknown.
        media: Names of histograms, images and the like.
    """

    id: str
    name: str
    state: str
    labels: Mapping[str, str]
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    history: History = field(default_factory=History)
    last_step: float | None = None
    media: frozenset[str] = frozenset()

    @property
    def logged(self) -> list[str]:
        """The names of the logged metrics."""
        return [name for name in self.history.points if not _is_own(name, self.media)]

    def metrics(self) -> dict[str, float]:
        """Return the numbers of the summary; without one the last logged ones."""
        summary = dict(flat(self.summary))
        media = self.media | {name.removesuffix(_MEDIA) for name in summary if name.endswith(_MEDIA)}
        values = summary or {name: self.history.points[name][1][-1] for name in self.logged}
        found = {name: number(value) for name, value in values.items() if not _is_own(name, media)}
        return {name: value for name, value in found.items() if value is not None}

    def results(self) -> dict[str, str]:
        """Return the cells of the metrics, and those of texts, true and false of the summary."""
        summary = dict(flat(self.summary))
        media = self.media | {name.removesuffix(_MEDIA) for name in summary if name.endswith(_MEDIA)}
        found = {name: text_of(value) for name, value in summary.items() if not _is_own(name, media)}
        numbers = {name: cell(value) for name, value in self.metrics().items()}
        return {name: text for name, text in found.items() if text} | numbers

    def last_steps(self) -> dict[str, float]:
        """Return the last step by metric; without a history that of the run for all of them."""
        if self.history.points:
            return {name: self.history.points[name][0][-1] for name in self.logged}
        return {} if self.last_step is None else dict.fromkeys(self.metrics(), self.last_step)


def table_of_runs(
    source: str, runs: Sequence[WandbRun], aside: Mapping[str, Sequence[str]], options: TableOptions
) -> RunTable:
    """Return runs as a table: `status`, `tags.NAME`, `params.NAME`, and `metrics.NAME` or histories.

    Without a step in the `options`, the metrics are those of the summaries.
    """
    twice = {name for name, times in Counter(run.name for run in runs).items() if times > 1}
    by_name = {f"{run.name} ({run.id})" if run.name in twice else run.name: run for run in runs}
    if len(by_name) < len(runs):
        by_name = {f"{run.name} ({run.labels.get(PROJECT, '')}/{run.id})": run for run in runs}
    has_states = any(run.state for run in runs)
    curves: dict[str, dict[str, Curve]] = {}
    if options.step:
        curves = {name: {one: run.history.curve(one) for one in run.logged} for name, run in by_name.items()}
    if options.step and options.step_param and not any(run.history.points for run in runs):
        raise UsageError(f"No run logged a number {options.step_param!r} that --step-param can name")
    repeated = {metric for found in curves.values() for metric in found}
    _check_steps(runs, options, repeated)
    rows = {
        name: {
            **({"status": run.state or NO_LOG} if has_states else {}),
            **{f"tags.{label}": text for label, text in {"name": run.name, "id": run.id, **run.labels}.items()},
            **{f"params.{key}": cell(value) for key, value in flat(run.config) if not _is_own(key)},
            **{f"metrics.{key}": text for key, text in run.results().items() if key not in repeated},
        }
        for name, run in by_name.items()
    }
    return RunTable(
        source,
        table_of_rows(rows),
        "run",
        aside,
        curves,
        last_steps=None if options.step else {name: run.last_steps() for name, run in by_name.items()},
        are_summaries=not options.step,
        drawn=DrawnCurves(axis=options.step_param or "step"),
        statement=f"steps: {options.step_param}" if options.step and options.step_param else "",
        are_names=True,
        names=[run.name for run in runs],
        cautions=[*([] if any(PROJECT in text for text in options.where) else _mixed(runs)), *_not_last(runs, options)],
    )


def _spelled(name: str) -> list[str]:
    return [name, name.replace("_", "/", 1), name.replace("/", "_")]


def _check_steps(runs: Sequence[WandbRun], options: TableOptions, logged: Container[str]) -> None:
    """Raise UsageError if the compared metric is only in the summaries and a step is chosen, or only in histories."""
    if not options.metric:
        return
    asked = plain(options.metric)
    spelled = _spelled(asked)
    is_logged = any(name in run.history.points for run in runs for name in spelled)
    if not options.step and is_logged and not any(name in run.results() for run in runs for name in spelled):
        raise UsageError(f"{asked} is not in the summaries of the runs, only in their histories. Choose {STEP_CHOICES}")
    if not options.step:
        return
    if not any(name in logged for name in spelled) and any(name in run.metrics() for run in runs for name in spelled):
        raise UsageError(f"{asked} is in the summaries of the runs only, which have no steps. Omit --step")


def _not_last(runs: Sequence[WandbRun], options: TableOptions) -> list[str]:
    """Return a caution for each compared metric whose value in summaries is another than the last logged one."""
    asked = [options.metric, *(metric.name for metric in options.secondary)] if options.metric else DEFAULT_METRICS
    cautions = []
    for word in [] if options.step else map(plain, filter(None, asked)):
        name = next((one for one in _spelled(word) if any(one in run.history.points for run in runs)), "")
        ended = [run for run in runs if name in run.history.points and run.state == "finished"]
        pairs = [(run, run.metrics().get(name), run.history.points[name][1][-1]) for run in ended]
        other = [f"{run.name}: {value:g}, logged {last:g}" for run, value, last in pairs
                 if value is not None and value != last and math.isfinite(value)]  # fmt: skip
        if other:
            cautions.append(
                f"{name} in the summary is not the last logged value in {count(len(other), 'run')} ({listed(other, 3)})"
                ", and may be the best one. For the last one, use --step last."
            )
    return cautions


def _mixed(runs: Sequence[WandbRun]) -> list[str]:
    """Return a caution if the runs belong to several projects."""
    projects = Counter(run.labels.get(PROJECT, "") for run in runs)
    if len(projects) < 2:
        return []
    texts = [f"{name or 'without a name'} ({count(times, 'run')})" for name, times in projects.most_common()]
    return [f"The runs belong to {len(projects)} projects: {listed(texts, 5)}. Choose one with --where project=NAME."]


def _is_own(name: str, media: Container[str] = ()) -> bool:
    """Return whether a name is one of W&B's own, or part of a histogram, an image or the like."""
    parts = name.split(".")
    return parts[0] in _OWN or any(".".join(parts[:end]) in media for end in range(1, len(parts)))


def number(value: Any) -> float | None:
    """Return a value as a number; None for texts except those of NaN and infinity, and for true and false."""
    if isinstance(value, str):
        return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def text_of(value: Any) -> str:
    """Return a text, true or false as the text of a cell, with up to 200 characters; empty for other values."""
    is_text = isinstance(value, str | bool) and number(value) is None
    return cell(value)[:_MOST_CHARACTERS] if is_text else ""
