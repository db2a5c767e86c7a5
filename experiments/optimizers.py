"""Which optimizer, which learning-rate schedule, and does the best schedule depend on the optimizer?

All combinations at the laptop scale, at the recipe's learning rate of 0.01, which was chosen for Adam: nothing is tuned
again for the others. Ten seeds that no earlier run has used. `--seeds 80-84` repeats it with five others on a CPU,
in about 50 minutes of two cores.
"""

from ablate import Study

study = Study(
    design="factorial",
    preset="laptop",
    vary={
        "optimizer": ["adam", "adamw", "nesterov", "muon"],
        "lr_schedule.shape": ["one-cycle", "cosine", "step", "linear"],
    },
    seeds=range(70, 80),
)
