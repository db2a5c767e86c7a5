"""Which steps of a classical pipeline matter for the classification of handwritten digits?"""

from ablate import Metric, Study, from_function


def train(recipe, log):
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = train_test_split(*load_digits(return_X_y=True), train_size=300, random_state=recipe.seed)
    steps = [StandardScaler()] if recipe["scaling"] else []
    steps += [PCA(20, random_state=recipe.seed)] if recipe["pca"] else []
    weights = "balanced" if recipe["class_weights"] else None
    strength = recipe["C"] if recipe["regularisation"] else 1e6
    model = make_pipeline(*steps, LogisticRegression(C=strength, class_weight=weights, max_iter=2000))
    return {"accuracy": model.fit(parts[0], parts[2]).score(parts[1], parts[3])}


factors = dict(scaling="unit variance", pca="20 components", class_weights="balanced", regularisation="L2, 1/C")
study = Study(workload=from_function(train, factors=factors, settings=dict(C=0.1), metric=Metric("accuracy")), seeds=10)
