"""The arguments that choose and read the runs of a comparison, as types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TypedDict

SOURCES = ("runs", "folder", "tensorboard", "experiment", "optuna", "wandb")
"""Names of the sources of runs: options of the command line and arguments of `compare`."""

AnyPath = str | PathLike[str]
Number = float | str
"""A number, or its text on the command line."""


Name = str | float | bool
"""A name in a table: a text, or the number or the boolean that a data frame has instead."""


class SourceOptions(TypedDict, total=False):
    """Sources of runs, of which one is given, and how they are opened.

    Attributes:
        folder: Folder of runs: metrics and configuration of Lightning, Hugging Face, Keras, Hydra and others.
        metrics_file: Name of the files of metrics in `folder`.
        tensorboard: Folder of TensorBoard logs.
        experiment: MLflow experiment, or several.
        filter: Filter of the runs of experiments, in MLflow's syntax.
        wandb: W&B project (`ENTITY/PROJECT`), or folder of W&B runs.
        optuna: Optuna storage.
        study: Optuna study in `optuna`, whose trials are the runs.
        sheet: Sheet of an Excel workbook.
        tracking_uri: MLflow tracking URI of `experiment`.
        offline: Use the local journals instead of MLflow.
    """

    folder: AnyPath | None
    metrics_file: str | None
    tensorboard: AnyPath | None
    experiment: str | Sequence[str] | None
    filter: str | None
    wandb: AnyPath | None
    optuna: str | None
    study: str | None
    sheet: str | None
    tracking_uri: str | None
    offline: bool


class ComparisonOptions(SourceOptions, total=False):
    """Sources of runs, and how the runs are read. The names are those of the options of `ablate report`.

    Attributes:
        metric_goal: `max` or `min`; several metrics: by name.
        unit: Unit of the values: `fraction`, `percent`, `own`, or a name such as `ms`; several metrics: by name.
        floor: Score of unstable runs without one; several metrics: by name.
        factor_params: Columns (true/false) that are factors.
        status_param: Column of the status; `none` without one.
        finished_word: Further status words of finished runs.
        step: Step whose values count: `last`, a number, or `best:METRIC`.
        step_param: Column of the step.
        exploratory: Whether the comparisons were not planned before the runs.
        where: Conditions on the runs: `KEY=VALUE`, `KEY!=VALUE`, several of them, or a mapping of keys to values.
        dataset_param: Column of the data set, of runs on several.
        target: Score to compare the mean of each variant with.
        unpaired: Whether all runs of two variants are compared by Welch's t-test, without pairs by seed.
        all_pairs: Whether levels, and other variants, are compared with each other as well.
        folds: If the seeds are folds of one data set, the number of test rows per training row: `1/9` for ten folds.
        name: Name of the comparison, for its title.
    """

    metric_goal: str | Mapping[str, str] | None
    unit: str | Mapping[str, str] | None
    floor: Number | Mapping[str, Number] | None
    factor_params: str | Sequence[str] | None
    status_param: str | None
    finished_word: str | Sequence[str] | None
    step: str | int | None
    step_param: str | None
    exploratory: bool
    where: str | Sequence[str] | Mapping[str, object] | None
    dataset_param: str | None
    target: float | None
    unpaired: bool
    all_pairs: bool
    folds: str | float | None
    name: str


class ChosenColumns(TypedDict, total=False):
    """What is compared: the arguments of `compare` that most calls have.

    Attributes:
        metric: Column to compare. Of several the first decides; the others are secondary.
        variant: Column that contains the variant, or several ones that name it together.
        seed: Column that contains the seed.
        baseline: Variant to compare the others with.
        margin: Smallest difference that matters, in percentage points or the metric's unit; several metrics: by name.
    """

    metric: Name | Sequence[Name] | None
    variant: Name | Sequence[Name] | None
    seed: Name
    baseline: Name
    margin: Number | Mapping[str, Number] | None
