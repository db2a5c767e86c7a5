"""Names that option values can take, for the help and for completion.

The registries that check these names load heavy libraries, so the names are repeated here. A test compares both.
"""

from __future__ import annotations

from typing import Literal

from ablate.studies.designs import DESIGNS
from ablate.workloads.resnet9.workload import WORKLOAD

DATASETS = ("cifar10", "cifar100", "svhn", "fashion-mnist", "digits")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "bf16", "fp32")
EXECUTORS = ("serial", "processes", "ray", "slurm")
GOALS = ("max", "min")
FIGURE_FORMATS: tuple[Literal["pdf", "svg"], ...] = ("pdf", "svg")
FIGURE_WIDTHS: tuple[Literal["page", "column"], ...] = ("page", "column")
EXAMPLE_FACTOR = WORKLOAD.factors[WORKLOAD.factors.baseline[0]]
"""A component of the baseline, for examples."""
PRESETS = tuple(preset.name for preset in WORKLOAD.presets)
DESIGN_NAMES = tuple(DESIGNS)
