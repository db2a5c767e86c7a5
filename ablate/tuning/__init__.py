"""Hyperparameter tuning with Optuna: searches whose trials are ordinary runs.

The only folder that imports optuna. May import `runs` and everything below it. `types` and `space` are plain data and
import no executor.
"""
