"""Options of `ablate report` for runs that were recorded elsewhere."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

from ablate.cli.options import names, panels
from ablate.cli.options.comparison import ComparisonFlags
from ablate.cli.options.metrics import by_metric, metric_names
from ablate.cli.options.run_source import SOURCES, external_option, flag_of
from ablate.redaction import mask_uri
from ablate.workloads.resnet9.workload import WORKLOAD

if TYPE_CHECKING:
    from ablate.api.arguments import ChosenColumns, ComparisonOptions
    from ablate.cli.options.common import TrackingFlags


@dataclass(frozen=True)
class ExternalRunFlags(ComparisonFlags):
    """Runs that were recorded elsewhere, and the meaning of their columns."""

    metric: Annotated[
        str | None,
        external_option(
            text="Column or MLflow metric to compare. Of several (acc,f1) the first decides; the others are secondary.",
            metavar="NAME[,NAME]",
            show_default=f"{WORKLOAD.metric.name} or a variant of it",
        ),
    ] = None
    metric_goal: Annotated[
        str | None,
        external_option(
            text="Whether higher (max) or lower (min) is better; for several metrics, acc=max,loss=min.",
            metavar="|".join(names.GOALS),
            show_default="known for accuracies, losses and other common names",
        ),
    ] = None
    unit: Annotated[
        str | None,
        external_option(
            "--unit",
            text="Unit of the values: fraction, percent, own (no conversion), or a name (ms); for several metrics, "
            "acc=percent,f1=fraction.",
            metavar="UNIT",
            show_default="known for common names",
        ),
    ] = None
    baseline: Annotated[
        str, external_option(text="Variant to compare the others with.", metavar="NAME", show_default=True)
    ] = "baseline"
    variant_param: Annotated[
        str | None,
        external_option(
            text="Column or param that contains the variant, or several ones that name it together.",
            metavar="NAME[,NAME]",
            show_default="the ones that differ between runs",
        ),
    ] = None
    factor_params: Annotated[
        str | None, external_option(text="Columns or params (true/false) that are factors.", metavar="A,B,...")
    ] = None
    seed_param: Annotated[
        str,
        external_option(
            text="Column or param that contains the seed.",
            metavar="NAME",
            show_default="seed, random_state and other known names",
        ),
    ] = "seed"
    status_param: Annotated[
        str | None,
        external_option(
            text="Column or param that contains the status. Pass none if there is no status.",
            metavar="NAME",
            show_default="status, state and other known names",
        ),
    ] = None
    step: Annotated[
        str | None,
        external_option(
            text="Step or epoch whose values count: last, a number, or the best by another metric (best:val_loss).",
            metavar="last|NUMBER|best:METRIC",
            show_default="required if runs have several values",
        ),
    ] = None
    step_param: Annotated[
        str | None,
        external_option(
            text="Column that contains the step, in files with one row per step.",
            metavar="NAME",
            panel=panels.ADVANCED,
        ),
    ] = None
    finished_word: Annotated[
        str | None,
        external_option(text="Further status words of finished runs.", metavar="A,B,...", panel=panels.ADVANCED),
    ] = None
    floor: Annotated[
        str | None,
        external_option(text="Score assigned to unstable runs without one.", metavar="FLOAT", panel=panels.ADVANCED),
    ] = None
    exploratory: Annotated[
        bool,
        external_option(
            "--exploratory",
            text="State in the report that the comparisons were not planned before the runs.",
            panel=panels.ADVANCED,
        ),
    ] = False

    def columns(self, margin: str | None) -> ChosenColumns:
        """Return what is compared. Raises UsageError for values that are not those of the options."""
        metrics = metric_names(self.metric)
        return {
            "metric": metrics,
            "variant": self.variant_param,
            "seed": self.seed_param,
            "baseline": self.baseline,
            "margin": by_metric("--margin", margin, metrics),
        }

    def options(self, store: TrackingFlags) -> ComparisonOptions:
        """Return the source of the runs and how they are read. Raises UsageError as `columns` does."""
        metrics = metric_names(self.metric)
        return {
            "folder": self.folder,
            "metrics_file": self.metrics_file,
            "tensorboard": self.tensorboard,
            "experiment": self.experiment,
            "filter": self.run_filter,
            "wandb": self.wandb,
            "optuna": self.optuna,
            "study": self.optuna_study,
            "sheet": self.sheet,
            "tracking_uri": store.tracking_uri,
            "offline": store.offline,
            "metric_goal": by_metric("--metric-goal", self.metric_goal, metrics),
            "unit": by_metric("--unit", self.unit, metrics),
            "floor": by_metric("--floor", self.floor, metrics),
            "factor_params": self.factor_params,
            "status_param": self.status_param,
            "finished_word": self.finished_word,
            "step": self.step,
            "step_param": self.step_param,
            "exploratory": self.exploratory,
            "where": self.where,
            "dataset_param": self.dataset_param,
            "target": self.target,
            "unpaired": self.unpaired,
            "all_pairs": self.all_pairs,
            "folds": self.folds,
        }

    def given(self) -> list[str]:
        """Return the flags that are given and describe runs of other programs."""
        own = (*SOURCES, "floor")
        changed = [item.name for item in fields(self) if getattr(self, item.name) != item.default]
        return [flag_of(name) for name in changed if name not in own]

    def command(self, study: str | None, margin: str | None) -> str:
        """Return the command line that writes the same report."""
        given = {item.name: (getattr(self, item.name), item.default) for item in fields(self)} | {
            "margin": (margin, None)
        }
        given.pop("dry_run")
        words = ["ablate", "report", *([study] if study else [])]
        for name, (value, default) in given.items():
            for one in value if isinstance(value, list) else [value] if value != default else []:
                words += [flag_of(name), *([] if one is True else [mask_uri(str(one))])]
        return shlex.join(words)
