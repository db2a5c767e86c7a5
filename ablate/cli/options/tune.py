"""Groups of options of `ablate tune`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ablate.cli.options import names, panels
from ablate.cli.options.recipe import RecipeFlags
from ablate.cli.options.study import ExecutionFlags, StudyFlags, execution_option, parse_seeds
from ablate.errors import UsageError
from ablate.studies.study import Study
from ablate.wording import alternatives

if TYPE_CHECKING:
    from ablate.tracking import Project
    from ablate.tuning.types import SearchSettings, SearchStorage


def _search(*flags: str, text: str, panel: str = panels.SEARCH, **more: Any) -> Any:
    return typer.Option(*flags, help=text, rich_help_panel=panel, **more)


@dataclass(frozen=True)
class SearchFlags:
    """The search space, the objectives and the budget."""

    trials: Annotated[int, _search(text="Total number of trials, including earlier ones.", min=1)] = 20
    seeds: Annotated[
        str, _search(text="Seeds per trial: a number, or a list. The score is their mean.", metavar="N|A,B,...")
    ] = "1"
    space: Annotated[
        str | None,
        _search(
            text="Hyperparameters and settings to search, with or without a range.",
            metavar="A,B=LOW:HIGH",
            show_default="all tunable ones",
        ),
    ] = None
    multi: Annotated[
        str | None,
        _search(text="Objectives of a Pareto front: accuracy, time, parameters.", metavar="A,B", show_default=False),
    ] = None
    pruner: Annotated[
        str | None,
        _search(
            text="median or hyperband (one seed), wilcoxon (5 seeds or more) or none.",
            metavar="NAME",
            show_default="by number of seeds",
        ),
    ] = None
    preset: Annotated[
        str | None,
        _search(
            text=f"Scale: {alternatives(names.PRESETS)}.",
            metavar="NAME",
            show_default=names.WORKLOAD.default_preset,
        ),
    ] = None
    name: Annotated[
        str | None,
        _search(
            "--name",
            text="Name of the search; the same name resumes it.",
            metavar="NAME",
            show_default="STUDY-tuning",
        ),
    ] = None
    per_variant: Annotated[
        bool,
        _search(
            "--per-variant",
            text="Tune each variant of a study with --trials trials, then compare them on fresh seeds.",
            panel=panels.PER_VARIANT,
        ),
    ] = False
    design: Annotated[
        str | None,
        _search(text="Design of the study.", metavar="NAME", panel=panels.PER_VARIANT, show_default=Study.design),
    ] = None
    factors: Annotated[
        str | None,
        _search(
            text="Factors to ablate.",
            metavar="A,B,...",
            panel=panels.PER_VARIANT,
            show_default="those of the baseline",
        ),
    ] = None
    vary: Annotated[
        list[str] | None,
        _search(
            "--vary",
            text="Setting or hyperparameter that the variants compare, with its values. Repeatable.",
            metavar="NAME=A,B,...",
            panel=panels.PER_VARIANT,
            show_default=False,
        ),
    ] = None
    final_seeds: Annotated[
        int | None,
        _search(text="Number of fresh seeds.", metavar="INT", panel=panels.PER_VARIANT, show_default="the study's"),
    ] = None
    sampler_seed: Annotated[int, _search(text="Random seed of the TPE sampler.", panel=panels.ADVANCED, min=0)] = 0

    @property
    def settings(self) -> SearchSettings:
        """The settings that the searches of the command share."""
        from ablate.tuning.types import SearchSettings

        space, objectives = (
            tuple(part.strip() for part in (text or "").split(",") if part.strip()) for text in (self.space, self.multi)
        )
        return SearchSettings(self.trials, self.seed_list, space, objectives, self.pruner, self.sampler_seed)

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds of a trial."""
        seeds = parse_seeds(self.seeds)
        assert seeds is not None
        return tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))

    def study(self, file: Path | None, recipe: RecipeFlags) -> Study:
        """Return the study whose baseline, or variants, are tuned, under the name of the search."""
        base = StudyFlags(design=self.design, factors=self.factors, vary=self.vary, preset=self.preset).study(
            file, recipe
        )
        ending = "retuned" if self.per_variant else "tuning"
        stem = base.name if self.per_variant or file else base.preset
        return base.change(name=self.name or f"{stem}-{ending}", seeds=self.final_seeds)


@dataclass(frozen=True)
class TrialFlags(ExecutionFlags):
    """The execution of the trials, and the file for the result."""

    timeout: Annotated[
        float | None, execution_option(text="Start no trial after this many seconds.", min=0, show_default=False)
    ] = None
    save: Annotated[
        Path | None,
        execution_option(text="Write the best values as a study file.", metavar="FILE.py", show_default=False),
    ] = None
    storage: Annotated[
        str | None,
        execution_option(
            text="URL of an Optuna database.",
            metavar="URL",
            panel=panels.ADVANCED,
            show_default="a file in mlruns/optuna/",
        ),
    ] = None

    def search_storage(self, project: Project, name: str) -> SearchStorage:
        """Return the storage of the search. Raises UsageError for a storage that is not a URL."""
        from ablate.redaction import mask_uri
        from ablate.tuning.types import SearchStorage

        if self.storage and "://" not in self.storage:
            raise UsageError(
                f"--storage takes the URL of a database, such as sqlite:///tuning.db, not {mask_uri(self.storage)}"
            )
        folder = project.mlruns / "optuna"
        return SearchStorage(self.storage or str(folder / f"{name}.log"), folder)
