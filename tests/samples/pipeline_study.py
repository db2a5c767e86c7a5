"""Which of eight steps of a pipeline matter for the classification of handwritten digits?"""

from __future__ import annotations

from typing import Any

from ablate import Metric, Study, from_function

FACTORS = {
    "scaling": "unit variance",
    "pca": "20 components",
    "class_weights": "balanced",
    "regularisation": "L2",
    "intercept": "one bias per class",
    "root": "square roots of the pixels",
    "crop": "outer columns removed",
    "sums": "row sums as additional inputs",
}


def train(recipe: Any, log: Any) -> float:
    """Fit and score; `recipe` maps factors to whether they are on, and has a `seed`."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pixels, labels = load_digits(return_X_y=True)
    pixels = np.sqrt(pixels) if recipe["root"] else pixels
    sums = pixels.reshape(-1, 8, 8).sum(axis=2)
    pixels = pixels.reshape(-1, 8, 8)[:, :, 1:7].reshape(-1, 48) if recipe["crop"] else pixels
    pixels = np.hstack([pixels, sums]) if recipe["sums"] else pixels
    train_x, test_x, train_y, test_y = train_test_split(pixels, labels, train_size=200, random_state=recipe.seed)
    steps = [StandardScaler()] if recipe["scaling"] else []
    steps += [PCA(20, random_state=recipe.seed)] if recipe["pca"] else []
    model = make_pipeline(
        *steps,
        RidgeClassifier(
            alpha=10.0 if recipe["regularisation"] else 1e-6,
            class_weight="balanced" if recipe["class_weights"] else None,
            fit_intercept=recipe["intercept"],
        ),
    )
    return float(model.fit(train_x, train_y).score(test_x, test_y))


study = Study(workload=from_function(train, factors=FACTORS, metric=Metric("accuracy")), seeds=10, margin=0.5)
