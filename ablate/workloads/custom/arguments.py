"""The keyword arguments of `from_function` and `from_command`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ablate.errors import UsageError
from ablate.stats.metric import Metric
from ablate.studies.settings import OneOf, Range, Value
from ablate.wording import unknown

FactorDescription = str | tuple[str, str] | list[str]
"""Description of a factor when it is on, a pair of descriptions, for on and off, or a list of names of levels."""


class WorkloadDeclaration(TypedDict, total=False):
    """Keyword arguments of `from_function` and `from_command`; only `metric` is required.

    Attributes:
        factors: Factors that are on in the baseline, with their descriptions. A factor with several levels has a list
            of their names instead, the baseline's first: `{"optimizer": ["sgd", "adam", "muon"]}`.
        candidates: Factors that are off in the baseline.
        requires: Factors and settings that have an effect with some values of another setting or factor with levels
            only, with its name and these values: `{"momentum": ("optimizer", ["sgd"])}`. Designs leave out the others.
        settings: Values that all arms share, by name.
        ranges: Ranges of settings, which tuning searches.
        presets: Other scales, as values of settings by name.
        metric: The metric that the study compares.
        validation: The metric that tuning may use: logged at every step or returned by the training, and never computed
            on the test data.
        floor: The score of guessing: runs that do not exceed it are unstable.
        data: Files or folders, relative to the study file, whose content is part of a run's identity.
        code: Further files of training code, part of a run's identity as well.
        version: Replaces the digest of the code, so that edits do not change the identity of runs.
        name: The name of the workload; by default the stem of the study file.
        shared_folder: Whether runs work in the same folder, one after the other, and see each other's files.
    """

    factors: Mapping[str, FactorDescription]
    candidates: Mapping[str, FactorDescription]
    requires: Mapping[str, tuple[str, Sequence[Value]]]
    settings: Mapping[str, Value]
    ranges: Mapping[str, Range | OneOf]
    presets: Mapping[str, Mapping[str, Value]]
    metric: Metric
    validation: Metric
    floor: float
    data: Sequence[str]
    code: Sequence[str]
    version: str
    name: str
    shared_folder: bool


class CommandDeclaration(WorkloadDeclaration, total=False):
    """Keyword arguments of `from_command`, as well as those of every declaration.

    The metric is read from the last JSON line on standard output that contains it, unless `json_file` or `pattern` is
    given. `folder`, `json_file` and the values of `environment` may contain placeholders.

    Attributes:
        json_file: A file that the program writes and that contains the metric.
        pattern: A regular expression whose first group is the metric's value in the output.
        times: Factor of the value: 0.01 for percentages.
        folder: The working folder, relative to the study file. Each run has its own view of it (see `mirror`); with
            `shared_folder`, runs work in the folder itself, one at a time.
        environment: Environment variables of the program.
        time_limit: A run that exceeds this number of seconds fails.
        mlflow: Whether the program finds its own run in the tracking store (`MLFLOW_RUN_ID`) and can log to it.
    """

    json_file: str
    pattern: str
    times: float
    folder: str
    environment: Mapping[str, str]
    time_limit: float
    mlflow: bool


def check_arguments(function: str, given: Mapping[str, Any], declaration: type) -> None:
    """Raise UsageError for an argument of `function` that is not a key of the TypedDict `declaration`."""
    known = declaration.__annotations__
    for name in given:
        if name not in known:
            raise UsageError(unknown(f"argument of {function}", name, known))
