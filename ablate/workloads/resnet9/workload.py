"""The built-in workload: the notebook's ResNet9, with its settings and presets."""

from __future__ import annotations

from ablate.errors import UsageError
from ablate.stats.metric import Metric
from ablate.studies.recipe import Recipe
from ablate.studies.settings import OneOf, Range, Setting
from ablate.studies.workload import Preset, Workload
from ablate.workloads.resnet9.factors import FACTORS
from ablate.workloads.resnet9.plan import Net, TrainingPlan

SETTINGS = (
    Setting(
        "width",
        int,
        64,
        Range(1, 1024),
        "network width: channels after the first convolution",
        scale_text="width {0}",
    ),
    Setting("epochs", int, 16, Range(1, 10_000), "training epochs", scale_text="{0} epochs"),
    Setting("batch_size", int, 400, Range(2, 100_000, log=True, tune=(64, 1024)), "batch size", tunable=True),
    Setting(
        "lr",
        float,
        0.01,
        Range(1e-7, 100, log=True, tune=(1e-4, 1e-1)),
        "learning rate, or the peak of the schedule",
        tunable=True,
    ),
    Setting(
        "optimizer",
        str,
        "adam",
        OneOf(("adam", "adamw", "sgd", "nesterov", "muon")),
        "optimizer (SGD has momentum 0.9, with Nesterov's or without; Muon: Jordan et al., 2024)",
        purposes={
            "adam": "Steps are divided by the recent magnitude of each gradient element, so that all weights move at a "
            "similar speed and one learning rate suits many layers.",
            "adamw": "Adam with weight decay apart from the gradient, so that all weights shrink at the same rate.",
            "sgd": "Steps follow the gradient, averaged over batches by momentum. It needs a learning rate of its own.",
            "nesterov": "SGD whose momentum looks one step ahead, so that it corrects itself earlier.",
            "muon": "The momentum of each matrix of weights is orthogonalised, so that it changes in all directions "
            "alike. Norms, biases and the classifier are trained by AdamW.",
        },
    ),
    Setting(
        "activation",
        str,
        "relu",
        OneOf(("relu", "gelu", "silu")),
        "activation function",
        legacy_value="relu",
        purposes={
            "relu": "Negative inputs become zero: quick, and gradients of active units pass unchanged.",
            "gelu": "A smooth ReLU, which lets small negative inputs pass in part.",
            "silu": "The input times its sigmoid: a smooth ReLU, which lets small negative inputs pass in part.",
        },
    ),
    Setting(
        "train_size",
        int,
        None,
        Range(2, 10**9),
        "number of training images, default all",
        optional=True,
        scale_text="{0} training images",
    ),
    Setting("val_size", float, 0.1, Range(0.001, 0.9), "fraction of the training images held out for validation"),
    Setting(
        "validate_on",
        str,
        "val",
        OneOf(("val", "test")),
        "validate on held-out training images or, like the notebook, on test images",
    ),
    Setting(
        "image_size",
        int,
        32,
        Range(16, 256),
        "image height and width, a multiple of 8",
        scale_text="of {0} x {0} pixels",
    ),
)

PRESETS = (
    Preset("notebook", "the scale of the notebook: width 64, all images, 16 epochs", {}),
    Preset("laptop", "minutes per run on two cores: width 16, 10,000 images", {"width": 16, "train_size": 10_000}),
    Preset(
        "demo",
        "seconds per run: scikit-learn's digits, width 8",
        {"width": 8, "image_size": 16, "epochs": 12, "batch_size": 100},
        dataset="digits",
    ),
)

WORKLOAD = Workload(
    name="resnet9",
    factors=FACTORS,
    settings=SETTINGS,
    presets=PRESETS,
    metric=Metric("test_accuracy", tracked="test/accuracy"),
    train_function="ablate.workloads.resnet9.run:train",
    data_function="ablate.workloads.resnet9.data:open_data",
    pilot_function="ablate.workloads.resnet9.run:pilot",
    conditions_function="ablate.workloads.resnet9.devices:resolve_conditions",
    device_function="ablate.workloads.resnet9.devices:device_name",
    default_preset="laptop",
    validation=Metric("val_accuracy", tracked="val/accuracy"),
)


SMALL_STEP = 2**20
"""Values of the largest feature maps of a step, below which one thread is as fast as several."""


def useful_threads(recipe: Recipe, most: int) -> int:
    """Return the number of CPU threads, at most `most`, for a run: one if its steps are small.

    The threads of a small step wait for each other longer than they compute, most of all on a busy machine.
    """
    settings = recipe.settings
    values = settings["batch_size"] * settings["width"] * settings["image_size"] ** 2
    return 1 if values < SMALL_STEP else most


def training_plan(recipe: Recipe, classes: int) -> TrainingPlan:
    """Return the training plan of a recipe: a bare plan with its settings, to which every factor that is on is added.

    Raises UsageError for values that do not fit together.
    """
    settings = recipe.settings
    if settings["image_size"] % 8:
        below = max(16, settings["image_size"] // 8 * 8)
        raise UsageError(
            f"image_size must be a multiple of 8 such as {below} or {below + 8}, not {settings['image_size']}"
        )
    plan = TrainingPlan(
        net=Net(
            width=settings["width"],
            classes=classes,
            image_size=settings["image_size"],
            activation=settings["activation"],
        ),
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        lr=settings["lr"],
        optimizer=settings["optimizer"],
    )
    for name in recipe.factors:
        factor = FACTORS[name]
        values = {item.name.split(".")[1]: recipe.hyperparameters[item.name] for item in factor.hyperparameters}
        plan = factor.add(plan, **values)
    return plan
