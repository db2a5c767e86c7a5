"""A workload from a Python function `train(recipe, log)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, Unpack

from ablate.errors import UserError
from ablate.stats.metric import Metric
from ablate.studies.job import Job, Log, Outcome
from ablate.studies.workload import Workload
from ablate.workloads.custom.arguments import WorkloadDeclaration, check_arguments
from ablate.workloads.custom.declarations import declared_metric, declared_workload, make_outcome
from ablate.workloads.custom.fingerprint import content_digest, content_files, digest, training_code
from ablate.workloads.custom.forked_children import forked_children_end
from ablate.workloads.custom.recipe_use import unread_names
from ablate.workloads.custom.unnoticed_failures import recorded_failures


def from_function(train: Callable[..., Any], **declaration: Unpack[WorkloadDeclaration]) -> Workload:
    """Return the workload that trains by calling a function.

    Args:
        train: The function, called as `train(recipe, log)` or `train(recipe, log, conditions)`. It returns its metrics
            by name, or the headline metric alone. `recipe["pca"]` is True if the factor is on, `recipe["epochs"]` is
            the value of a setting, `recipe.seed` the seed. `log(step, loss=...)` records metrics, `log.checkpoint` is a
            folder that is kept until the run has finished, and `log.file("model.bin")` is the path of an artifact.
            `conditions` has the device, precision and number of threads.
        **declaration: The factors, settings, metric and data of the training: see `WorkloadDeclaration`.

    Raises:
        UsageError: For an invalid declaration.

    Example:
        >>> from ablate import Metric, Study, from_function
        >>> def train(recipe, log):
        ...     return 0.9 if recipe["pca"] else 0.8
        >>> workload = from_function(train, factors={"pca": "32 components"}, metric=Metric("accuracy"))
        >>> [recipe.label for recipe in Study(workload=workload, seeds=1).recipes()]
        ['baseline', 'no-pca']
    """
    check_arguments("from_function", declaration, WorkloadDeclaration)
    trainer = FunctionTrainer(
        train,
        declared_metric(declaration),
        tuple(declaration.get("code", ())),
        shared_folder=declaration.get("shared_folder", False),
    )
    given: Mapping[str, Any] = declaration
    names = [name for kind in ("factors", "candidates", "settings") for name in given.get(kind, ())]
    return declared_workload(trainer, declaration, unread_names(train, names))


@dataclass(frozen=True)
class FunctionTrainer:
    """A trainer that calls a function that the study file defines or imports."""

    train: Callable[..., Any]
    metric: Metric
    more_code: tuple[str, ...] = ()
    shared_folder: bool = False
    file: Path | None = None

    def bound_to(self, file: Path) -> Self:
        """Return this trainer with paths relative to the study file `file`."""
        return replace(self, file=file)

    @cached_property
    def code_digest(self) -> str:
        """The digest of the study file, of the file that defines the function, and of `more_code`."""
        assert self.file is not None
        files = self._own_files
        more = [content_digest(self.more_code, self.file.parent)] if self.more_code else []
        sharing = ["shared folder"] * self.shared_folder
        return digest([*(training_code(path.read_text(encoding="utf-8")) for path in files), *more, *sharing])

    @property
    def _own_files(self) -> list[Path]:
        assert self.file is not None
        return list(dict.fromkeys([self.file, *_source_files(self.train)]))

    @property
    def code_files(self) -> list[Path]:
        """The study file, the file that defines the function, and the files of `more_code`."""
        assert self.file is not None
        return [*self._own_files, *content_files(self.more_code, self.file.parent)]

    @property
    def unread(self) -> Mapping[str, str]:
        """No further warnings than those of the declaration."""
        return {}

    @property
    def train_function(self) -> str:
        """Where workloads find what calls this trainer in a process of its own."""
        return "ablate.workloads.custom.study_process:train"

    def __call__(self, job: Job, log: Log) -> Outcome:
        """Call the function in this process."""
        arguments = (job.recipe, log, job.conditions)[: _argument_count(self.train)]
        log.checkpoint.mkdir(parents=True, exist_ok=True)
        try:
            with forked_children_end(), recorded_failures() as failures:
                returned = self.train(*arguments)
        except SystemExit as error:
            raise UserError(f"{_name(self.train)} exited with code {error.code}") from error
        outcome = make_outcome(returned, self.metric, _name(self.train), {"code": self.code_digest})
        return replace(outcome, warning=failures.warning)


def _source_files(train: Callable[..., Any]) -> list[Path]:
    """Return a list of the file that defines a function, empty if there is none."""
    innermost = train.func if isinstance(train, partial) else inspect.unwrap(train)
    try:
        found = inspect.getsourcefile(innermost)
    except TypeError:
        return []
    return [Path(found).resolve()] if found else []


def _argument_count(train: Callable[..., Any]) -> int:
    """Return how many of the arguments recipe, log and conditions a function takes."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [
        parameter
        for parameter in inspect.signature(train).parameters.values()
        if parameter.kind in kinds and parameter.default is parameter.empty
    ]
    return 3 if len(required) > 2 else 2


def _name(train: Callable[..., Any]) -> str:
    return str(getattr(train, "__name__", "The training function"))
