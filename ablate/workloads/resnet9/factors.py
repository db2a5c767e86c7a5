"""The registry of factors: every component of the recipe, declared once.

A factor is a function `TrainingPlan -> TrainingPlan` that adds its component to a plan. Its name is the flag
(`--no-batch-norm`), the MLflow param (`batch_norm`) and the row in reports. The first line of its docstring is the help
text. Its keyword arguments are its hyperparameters (`--dropout-p 0.3`), each with its range. Steps that draw random
numbers name their random stream. A `caveat` is printed in reports on studies of the factor. To add a factor, add one
function here, and one kernel module if it needs a new ingredient.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from ablate.errors import UsageError
from ablate.studies.registry import RegistryBuilder
from ablate.studies.settings import Range
from ablate.workloads.resnet9.plan import TrainingPlan

_register = RegistryBuilder()


@_register.factor()
def augment(
    plan: TrainingPlan,
    *,
    pad: Annotated[int, Range(1, 16, tune=(1, 8))] = 4,
    flip: Annotated[float, Range(0, 1)] = 0.5,
) -> TrainingPlan:
    """Random crop with reflection padding, and random horizontal flip."""
    from ablate.workloads.resnet9.augment import crop_and_flip

    if pad >= plan.net.image_size:
        raise UsageError(f"augment.pad must be less than the image size, {plan.net.image_size}, not {pad}")
    return plan.add_image_step("augment", partial(crop_and_flip, pad=pad, flip=flip))


@_register.factor()
def batch_norm(plan: TrainingPlan) -> TrainingPlan:
    """Batch normalisation after every convolution (Ioffe and Szegedy, 2015)."""
    return plan.change_net(batch_norm=True)


@_register.factor()
def residual(plan: TrainingPlan) -> TrainingPlan:
    """Skip connection around each of the two residual blocks (He et al., 2016)."""
    return plan.change_net(residual=True)


@_register.factor()
def dropout(plan: TrainingPlan, *, p: Annotated[float, Range(0, 0.95, tune=(0, 0.6))] = 0.2) -> TrainingPlan:
    """Dropout before the linear layer (Srivastava et al., 2014)."""
    return plan.change_net(dropout=p, dropout_stream="dropout")


@_register.factor()
def weight_decay(
    plan: TrainingPlan, *, strength: Annotated[float, Range(0, 1, log=True, tune=(1e-6, 1e-2))] = 1e-4
) -> TrainingPlan:
    """Weight decay: L2 penalty in Adam and SGD, decoupled in AdamW."""
    return replace(plan, weight_decay=strength)


@_register.factor()
def grad_clip(
    plan: TrainingPlan, *, value: Annotated[float, Range(1e-6, 1e6, log=True, tune=(1e-2, 10))] = 0.1
) -> TrainingPlan:
    """Gradient clipping by value: every element to [-value, value]."""
    return replace(plan, clip_value=value)


@_register.factor(
    caveat="Without lr_schedule, both the learning rate and Adam's beta1 are constant. The schedule changes both, so "
    "its effect is their joint effect."
)
def lr_schedule(
    plan: TrainingPlan, *, warmup: Annotated[float, Range(0.01, 0.99, tune=(0.05, 0.6))] = 0.3
) -> TrainingPlan:
    """One-cycle schedule of the learning rate and, inversely, of Adam's beta1 (Smith and Topin, 2017)."""
    from ablate.workloads.resnet9.optim import one_cycle

    return replace(plan, schedule=partial(one_cycle, peak=plan.lr, warmup=warmup))


@_register.candidate()
def color_jitter(
    plan: TrainingPlan,
    *,
    brightness: Annotated[float, Range(0, 1)] = 0.1,
    contrast: Annotated[float, Range(0, 1)] = 0.1,
    saturation: Annotated[float, Range(0, 1)] = 0.1,
) -> TrainingPlan:
    """Random brightness, contrast and saturation."""
    from ablate.workloads.resnet9.augment import color_jitter

    jitter = partial(color_jitter, brightness=brightness, contrast=contrast, saturation=saturation)
    return plan.add_image_step("color_jitter", jitter)


@_register.candidate()
def rotation(plan: TrainingPlan, *, degrees: Annotated[float, Range(0, 180, tune=(0, 45))] = 15.0) -> TrainingPlan:
    """Random rotation."""
    from ablate.workloads.resnet9.augment import rotate

    return plan.add_image_step("rotation", partial(rotate, degrees=degrees))


@_register.candidate()
def resized_crop(plan: TrainingPlan, *, smallest: Annotated[float, Range(0.05, 1)] = 0.6) -> TrainingPlan:
    """Random crop, resized to the full image size (Szegedy et al., 2015)."""
    from ablate.workloads.resnet9.augment import resized_crop

    return plan.add_image_step("resized_crop", partial(resized_crop, smallest=smallest))


@_register.candidate()
def label_smoothing(
    plan: TrainingPlan, *, amount: Annotated[float, Range(0, 0.9, tune=(0, 0.3))] = 0.1
) -> TrainingPlan:
    """Label smoothing (Szegedy et al., 2016)."""
    return replace(plan, label_smoothing=amount)


@_register.candidate()
def mixup(
    plan: TrainingPlan, *, alpha: Annotated[float, Range(0.01, 10, log=True, tune=(0.05, 1))] = 0.2
) -> TrainingPlan:
    """Mixup: convex combinations of pairs of images and of their labels (Zhang et al., 2018)."""
    from ablate.workloads.resnet9.augment import mixup

    return plan.add_batch_step("mixup", partial(mixup, alpha=alpha))


@_register.candidate()
def cutout(plan: TrainingPlan, *, size: Annotated[int, Range(1, 64, tune=(2, 16))] = 8) -> TrainingPlan:
    """Cutout: a random square of each image set to the mean (DeVries and Taylor, 2017)."""
    from ablate.workloads.resnet9.augment import cutout

    return plan.add_batch_step("cutout", partial(cutout, size=size))


@_register.candidate()
def ema(plan: TrainingPlan, *, decay: Annotated[float, Range(0, 0.99999, tune=(0.9, 0.9999))] = 0.99) -> TrainingPlan:
    """Exponential moving average of the weights for evaluation (Polyak and Juditsky, 1992)."""
    return replace(plan, averaging=decay)


FACTORS = _register.registry()
