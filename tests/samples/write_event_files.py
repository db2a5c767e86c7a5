"""Write the logs in `event_files/` with the libraries that are installed: PyTorch, tensorboardX, TensorFlow, Keras."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "event_files"
ARGUMENTS = {"exp_name": "ppo", "seed": 3, "learning_rate": 0.00025}


def write_torch(folder: Path) -> None:
    """Write a run with everything that PyTorch's writer can add to it, and one as CleanRL's programs do."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "everything")) as log:  # type: ignore[no-untyped-call]
        for step in range(4):
            log.add_scalar("val/acc", 0.1 * step, step)  # type: ignore[no-untyped-call]
        log.add_scalars("loss/parts", {"kl": 1.5, "nll": 0.25}, 3)  # type: ignore[no-untyped-call]
        log.add_text("note", "no table")  # type: ignore[no-untyped-call]
        params = {"seed": 1, "lr": 0.1, "opt": "sgd"}
        log.add_hparams(params, {"hparam/acc": 0.93})  # type: ignore[no-untyped-call]
    with SummaryWriter(str(folder / "CartPole-v1__ppo__3__1700000000")) as log:  # type: ignore[no-untyped-call]
        rows = "\n".join(f"|{name}|{value}|" for name, value in ARGUMENTS.items())
        log.add_text("hyperparameters", f"|param|value|\n|-|-|\n{rows}")  # type: ignore[no-untyped-call]
        for step in (100, 200):
            log.add_scalar("charts/episodic_return", float(step), step)  # type: ignore[no-untyped-call]


def write_tensorboardx(folder: Path) -> None:
    """Write a run that was stopped after step 7 and continued at step 2."""
    from tensorboardX import SummaryWriter

    for purge, steps in ((None, range(8)), (2, range(2, 6))):
        with SummaryWriter(str(folder / "resumed"), purge_step=purge, filename_suffix=f".{purge or 0}") as log:
            for step in steps:
                log.add_scalar("val/acc", 0.5 if purge else 0.25, step)


def write_keras(folder: Path) -> None:
    """Write the metrics of a Keras training, one folder per data set, and scalars as tensors of other types."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    inputs = np.random.default_rng(0).random((32, 2))
    log: Any = keras.callbacks.TensorBoard(str(folder / "fit"), write_graph=False)
    model.fit(inputs, inputs.sum(1), epochs=3, validation_split=0.25, verbose=0, callbacks=[log])
    with tf.summary.create_file_writer(str(folder / "scalars")).as_default():
        for step in range(3):
            tf.summary.scalar("acc", tf.constant(0.1 * step, tf.float64), step=step)
            tf.summary.scalar("correct", tf.constant(100 * step, tf.int64), step=step)
        tf.summary.text("note", "text", step=0)


WRITERS = {"tensorboard": ("torch", write_torch), "tensorboardX": ("tensorboardx", write_tensorboardx),
           "keras": ("keras", write_keras)}  # fmt: skip

if __name__ == "__main__":
    for library, (name, write) in WRITERS.items():
        if importlib.util.find_spec(library):
            shutil.rmtree(FOLDER / name, ignore_errors=True)
            write(FOLDER / name)
