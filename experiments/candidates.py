"""Which augmentation beyond crop and flip would improve the recipe?

The three that the notebook leaves commented out, and three later ones, each added to the full recipe.
"""

from ablate import Study

study = Study(
    design="leave-one-out",
    factors=["color_jitter", "rotation", "resized_crop", "mixup", "cutout", "label_smoothing"],
    preset="laptop",
    seeds=5,
    margin=0.5,
)
