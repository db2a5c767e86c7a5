"""A workload out of a function `train(recipe, log)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, Unpack

from ablate.cores import limited
from ablate.errors import UserError
from ablate.stats.metric import Metric
from ablate.studies.job import Job, Log, Outcome
from ablate.studies.workload import Workload
from ablate.workloads.custom.declarations import Declarations, metric_of, outcome, workload
from ablate.workloads.custom.fingerprint import content_digest, digest, training_code

OUTPUT = "output.txt"
"""The artifact that holds what a training printed."""


def from_function(train: Callable[..., Any], **declared: Unpack[Declarations]) -> Workload:
    """Return the workload that trains by `train(recipe, log)`, or `train(recipe, log, conditions)`.

    `recipe["pca"]` says whether a factor is on, `recipe["epochs"]` the value of a setting, `recipe.seed` the seed.
    `log(step, loss=...)` records numbers as it goes, `log.checkpoint` is a folder that is kept until the run is done,
    `log.file("model.bin")` the path of an artifact. `conditions` holds device, precision and threads. It returns the
    metrics by name, or the headline metric alone. Raises UsageError for declarations that do not fit together.
    """
    return workload(Function(train, metric_of(declared), tuple(declared.get("code", ()))), declared)


@dataclass(frozen=True)
class Function:
    """A trainer that calls a function of the study's file, or one that the file imports."""

    train: Callable[..., Any]
    metric: Metric
    more_code: tuple[str, ...] = ()
    file: Path | None = None

    def placed(self, file: Path) -> Self:
        """Return this trainer as the study's file brings it."""
        return replace(self, file=file)

    @cached_property
    def code(self) -> str:
        """Digits that name the code of the study's file, of the file that defines the function, and of `more_code`."""
        assert self.file is not None
        files = dict.fromkeys([self.file, *_sources(self.train)])
        further = [content_digest(self.more_code, self.file.parent)] if self.more_code else []
        return digest([*(training_code(path.read_text()) for path in files), *further])

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Call the function; what it prints is kept as an artifact."""
        arguments = (job.recipe, log, job.conditions)[: _taken(self.train)]
        path = log.file(OUTPUT)
        log.checkpoint.mkdir(parents=True, exist_ok=True)
        try:
            with limited(job.conditions.threads), path.open("a", buffering=1) as output, redirect_stdout(output):
                returned = self.train(*arguments)
        except SystemExit as error:
            raise UserError(f"{_name(self.train)} ended itself with exit code {error.code}") from error
        finally:
            if path.exists() and not path.stat().st_size:
                path.unlink()
        return outcome(returned, self.metric, _name(self.train), {"code": self.code})


def _sources(train: Callable[..., Any]) -> list[Path]:
    """Return the file that defines a function, if there is one."""
    innermost = train.func if isinstance(train, partial) else inspect.unwrap(train)
    try:
        found = inspect.getsourcefile(innermost)
    except TypeError:
        return []
    return [Path(found).resolve()] if found else []


def _taken(train: Callable[..., Any]) -> int:
    """Return how many of recipe, log and conditions a function takes."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        parameter
        for parameter in inspect.signature(train).parameters.values()
        if parameter.kind in kinds and parameter.default is parameter.empty
    ]
    return 3 if len(needed) > 2 else 2


def _name(train: Callable[..., Any]) -> str:
    return str(getattr(train, "__name__", "the training"))
