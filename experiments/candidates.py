"""Which augmentation, in addition to crop and flip, improves the recipe?

The three that the notebook has commented out, and three newer ones, each added to the full recipe. On a GPU, planned
before its runs: `ablate sweep experiments/candidates.py --until-clear`, with analyses at 5, 10 and 20 seeds.
"""

from ablate import Study

study = Study(
    design="leave-one-out",
    factors=["color_jitter", "rotation", "resized_crop", "mixup", "cutout", "label_smoothing"],
    preset="laptop",
    seeds=5,
    margin=0.5,
)
