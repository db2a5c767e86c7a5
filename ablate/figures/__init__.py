"""Figures, drawn by Matplotlib from arrays, tables and plain mappings. The only folder that imports Matplotlib.

Each function returns the figure as bytes and writes it to `path` if given: as PNG, or as PDF or SVG by the suffix.
Import this package inside the function that needs a figure, since it loads Matplotlib. May import `errors` and
`wording` only.
"""

from ablate.figures.backend import Axes
from ablate.figures.dose_response import dose_response
from ablate.figures.factorial import half_normal, interaction_grid, main_effects
from ablate.figures.forest import forest, forest_axes, forest_figure, slopes
from ablate.figures.images import before_after, existing, image_grid
from ablate.figures.level_interactions import level_interactions
from ablate.figures.media import drawn_for
from ablate.figures.noise import noise_budget
from ablate.figures.ranks import critical_difference
from ablate.figures.retuned import budget_curves, estimands
from ablate.figures.run_curves import run_curves, run_curves_figure
from ablate.figures.run_panels import run_curves_axes
from ablate.figures.shapley import shapley_bars
from ablate.figures.single_run import confusion, learning_curves
from ablate.figures.training_curves import training_curves
from ablate.figures.tuning import (
    importance_bars,
    parallel_coordinates,
    pareto_front,
    search_history,
    search_slices,
)

__all__ = [
    "Axes",
    "before_after",
    "budget_curves",
    "confusion",
    "critical_difference",
    "dose_response",
    "drawn_for",
    "estimands",
    "existing",
    "forest",
    "forest_axes",
    "forest_figure",
    "half_normal",
    "image_grid",
    "importance_bars",
    "interaction_grid",
    "learning_curves",
    "level_interactions",
    "main_effects",
    "noise_budget",
    "parallel_coordinates",
    "pareto_front",
    "run_curves",
    "run_curves_axes",
    "run_curves_figure",
    "search_history",
    "search_slices",
    "shapley_bars",
    "slopes",
    "training_curves",
]
