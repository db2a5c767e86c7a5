"""The overhead of a search over its trials: `ablate tune` compared with a plain Optuna study of the same trials."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.demo import train
from benchmarks.measure import Figure
from benchmarks.sweeps import project

EPOCHS, LOW, HIGH = 60, 1e-3, 3e-2


def plain_study(trials: int, storage: str) -> None:
    """Search the learning rate of the demo preset with Optuna only: no journal, no tracker, one process."""
    import optuna

    from ablate.studies.conditions import RequestedConditions
    from ablate.workloads.resnet9.devices import resolve_conditions

    conditions = resolve_conditions(RequestedConditions("cpu"))

    def objective(trial: optuna.Trial) -> float:
        return train(0, conditions, epochs=EPOCHS, lr=trial.suggest_float("lr", LOW, HIGH, log=True))[0]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage, direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), study_name="plain"
    )
    study.optimize(objective, n_trials=trials)


def search(goal: float, trials: int = 10) -> Figure:
    """Compare a search with runs, records and workers with the plain study, from the start to the end of the commands.

    The learning rate does not change the cost of a trial, so both sides do the same work for any values.
    """
    with project() as (folder, environment):

        def seconds(*command: str) -> float:
            started = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=folder, env=environment)
            return time.perf_counter() - started

        tune = ("-m", "ablate", "tune", "--preset", "demo", "--pruner", "none", "--seeds", "1", "--space")
        seconds(*tune, f"lr={LOW}:{HIGH}", "--epochs", "1", "--trials", "1", "--name", "warm")
        ours = seconds(*tune, f"lr={LOW}:{HIGH}", "--epochs", str(EPOCHS), "--trials", str(trials), "--name", "bench")
        program = "from benchmarks.searches import plain_study; plain_study({}, {!r})"
        root = str(Path(__file__).parents[1])
        path = f"import sys; sys.path.insert(0, {root!r}); "
        theirs = seconds("-c", path + program.format(trials, f"sqlite:///{folder / 'plain.db'}"))
    detail = f"{trials} trials of {EPOCHS} epochs, recorded and reported, in {ours:.0f} s, plain study {theirs:.0f} s"
    return Figure("ablate tune over plain Optuna", "study.optimize", "x", goal, (ours / theirs,), detail, False)
