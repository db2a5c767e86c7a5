"""The study that study files and notebooks declare: planned, run, reported and tuned by its own methods."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any, Unpack

from ablate.studies import study as declared

if TYPE_CHECKING:
    from ablate.api.study_results import SearchResult, StudyReport
    from ablate.api.sweeps import SweepResult
    from ablate.api.training_options import SweepOptions
    from ablate.workflows.sweep_plan import SweepPlan


class Study(declared.Study):  # noqa: D101  # the declaration describes it
    __doc__ = declared.Study.__doc__

    def plan(self, *, jobs: int | None = None, **options: Unpack[SweepOptions]) -> SweepPlan:
        """Return the planned runs, which of them exist, the expected duration and the detectable difference.

        Args:
            jobs: Parallel runs; by default by number of cores or GPUs.
            options: Data, hardware, executor and store.

        Raises:
            UsageError: Arguments are wrong.
        """
        from ablate.api.study_runs import plan_study

        return plan_study(self, {"jobs": jobs, **options})

    def run(self, *, jobs: int | None = None, **options: Unpack[SweepOptions]) -> SweepResult:
        """Train every variant under the same seeds, as `ablate sweep` does. Finished runs are reused.

        Args:
            jobs: Parallel runs; by default by number of cores or GPUs.
            options: Data, hardware, executor and store.

        Raises:
            UsageError: Arguments are wrong.
            UserError: Runs failed. The others are recorded, and the next call continues.
        """
        from ablate.api.study_runs import run_study

        return run_study(self, {"jobs": jobs, **options})

    def report(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        html: bool = False,
        margin: float | None = None,
        tracking_uri: str | None = None,
        offline: bool = False,
    ) -> StudyReport:
        """Write the report of the study, as `ablate report NAME` does, and return its results.

        Args:
            folder: The folder; by default `reports/NAME`.
            html: Whether to write also one HTML file.
            margin: Another margin than that of the study.
            tracking_uri: MLflow tracking URI.
            offline: Whether to read the local journals instead of MLflow.

        Raises:
            UserError: The study was not run in this project, or its scores cannot be compared.
        """
        from ablate.api.study_results import report_study

        return report_study(self, folder, html=html, margin=margin, tracking_uri=tracking_uri, offline=offline)

    def tune(self, *, trials: int = 20, jobs: int | None = None, **options: Any) -> SearchResult:
        """Tune the settings and hyperparameters of the baseline by its validation score, as `ablate tune` does.

        Args:
            trials: Total number of trials, including those of earlier calls.
            jobs: Parallel trials; by default by number of cores or GPUs.
            options: `space` (names, or `name=low:high`), `seeds` (a number or a list), `objectives`, `pruner`,
                `sampler_seed`, `name`; data, hardware, executor and store.

        Raises:
            UsageError: Arguments are wrong, or nothing can be tuned.
        """
        from ablate.api.study_results import tune_study

        return tune_study(self, {"trials": trials, "jobs": jobs, **options})
