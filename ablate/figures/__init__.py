"""Every figure, drawn by matplotlib: arrays, tables and plain mappings in, PNG files and bytes out.

Each function returns the PNG as bytes and also writes it where it is given a path. Import this inside the function
that wants a picture: it loads matplotlib.
"""

from ablate.figures.attribution import half_normal, interaction_grid, main_effects, shapley_bars
from ablate.figures.forest import forest, slopes
from ablate.figures.images import before_after, image_grid
from ablate.figures.noise import noise_budget
from ablate.figures.retuned import budget_curves, estimands
from ablate.figures.single_run import confusion, curves
from ablate.figures.training import training_curves
from ablate.figures.tuning import (
    importance_bars,
    parallel_coordinates,
    pareto_front,
    search_history,
    search_slices,
)

__all__ = [
    "before_after",
    "budget_curves",
    "confusion",
    "curves",
    "estimands",
    "forest",
    "half_normal",
    "image_grid",
    "importance_bars",
    "interaction_grid",
    "main_effects",
    "noise_budget",
    "parallel_coordinates",
    "pareto_front",
    "search_history",
    "search_slices",
    "shapley_bars",
    "slopes",
    "training_curves",
]
