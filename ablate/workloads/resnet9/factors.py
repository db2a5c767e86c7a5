"""THE MENU: each component of the recipe, declared once.

A factor is a function `Plan -> Plan` that adds its component. Its name is the flag (`--no-batch-norm`), the tracked
param (`batch_norm`) and the row in reports; the first line of its docstring is the help; its keyword arguments are its
knobs (`--dropout-p 0.3`), each with the range that it may take. To add one, write one; nothing else changes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from ablate.errors import UsageError
from ablate.studies.menu import MenuWriter, Range
from ablate.workloads.resnet9.plan import Plan

_menu = MenuWriter()


@_menu.factor
def augment(
    plan: Plan, *, pad: Annotated[int, Range(1, 16, tune=(1, 8))] = 4, flip: Annotated[float, Range(0, 1)] = 0.5
) -> Plan:
    """Crop at random out of a reflected border, flip left to right at random."""
    from ablate.workloads.resnet9.augment import crop_and_flip

    if pad >= plan.net.image_size:
        raise UsageError(f"augment.pad must be less than the image size, {plan.net.image_size}, not {pad}")
    return plan.change_images("augment", partial(crop_and_flip, pad=pad, flip=flip))


@_menu.factor
def batch_norm(plan: Plan) -> Plan:
    """Normalise every convolution's output over the batch (Ioffe and Szegedy, 2015)."""
    return plan.change_net(batch_norm=True)


@_menu.factor
def residual(plan: Plan) -> Plan:
    """Add a skip connection around each of the two residual blocks (He et al., 2016)."""
    return plan.change_net(residual=True)


@_menu.factor
def dropout(plan: Plan, *, p: Annotated[float, Range(0, 0.95, tune=(0, 0.6))] = 0.2) -> Plan:
    """Zero features at random before the linear layer (Srivastava et al., 2014)."""
    return plan.change_net(dropout=p)


@_menu.factor
def weight_decay(plan: Plan, *, strength: Annotated[float, Range(0, 1, log=True, tune=(1e-6, 1e-2))] = 1e-4) -> Plan:
    """Shrink the weights towards zero: L2 in Adam and SGD, decoupled in AdamW."""
    return replace(plan, weight_decay=strength)


@_menu.factor
def grad_clip(plan: Plan, *, value: Annotated[float, Range(1e-6, 1e6, log=True, tune=(1e-2, 10))] = 0.1) -> Plan:
    """Clip every element of the gradient to [-value, value]."""
    return replace(plan, clip_value=value)


@_menu.factor
def lr_schedule(plan: Plan, *, warmup: Annotated[float, Range(0.01, 0.99, tune=(0.05, 0.6))] = 0.3) -> Plan:
    """Raise and lower the learning rate in one cycle, and Adam's beta1 against it (Smith and Topin, 2017)."""
    from ablate.workloads.resnet9.optim import one_cycle

    return replace(plan, schedule=partial(one_cycle, peak=plan.lr, warmup=warmup))


@_menu.candidate
def color_jitter(
    plan: Plan,
    *,
    brightness: Annotated[float, Range(0, 1)] = 0.1,
    contrast: Annotated[float, Range(0, 1)] = 0.1,
    saturation: Annotated[float, Range(0, 1)] = 0.1,
) -> Plan:
    """Vary brightness, contrast and saturation of each image."""
    from ablate.workloads.resnet9.augment import color_jitter

    jitter = partial(color_jitter, brightness=brightness, contrast=contrast, saturation=saturation)
    return plan.change_images("color_jitter", jitter)


@_menu.candidate
def rotation(plan: Plan, *, degrees: Annotated[float, Range(0, 180, tune=(0, 45))] = 15.0) -> Plan:
    """Rotate each image by a random angle."""
    from ablate.workloads.resnet9.augment import rotate

    return plan.change_images("rotation", partial(rotate, degrees=degrees))


@_menu.candidate
def resized_crop(plan: Plan, *, smallest: Annotated[float, Range(0.05, 1)] = 0.6) -> Plan:
    """Cut a random part of each image and stretch it back (Szegedy et al., 2015)."""
    from ablate.workloads.resnet9.augment import resized_crop

    return plan.change_images("resized_crop", partial(resized_crop, smallest=smallest))


@_menu.candidate
def label_smoothing(plan: Plan, *, amount: Annotated[float, Range(0, 0.9, tune=(0, 0.3))] = 0.1) -> Plan:
    """Train towards softened labels (Szegedy et al., 2016)."""
    return replace(plan, label_smoothing=amount)


@_menu.candidate
def mixup(plan: Plan, *, alpha: Annotated[float, Range(0.01, 10, log=True, tune=(0.05, 1))] = 0.2) -> Plan:
    """Train on blends of pairs of images and of their labels (Zhang et al., 2018)."""
    from ablate.workloads.resnet9.augment import mixup

    return plan.change_batch("mixup", partial(mixup, alpha=alpha))


@_menu.candidate
def cutout(plan: Plan, *, size: Annotated[int, Range(1, 64, tune=(2, 16))] = 8) -> Plan:
    """Blank a random square of each image (DeVries and Taylor, 2017)."""
    from ablate.workloads.resnet9.augment import cutout

    return plan.change_batch("cutout", partial(cutout, size=size))


@_menu.candidate
def ema(plan: Plan, *, decay: Annotated[float, Range(0, 0.99999, tune=(0.9, 0.9999))] = 0.99) -> Plan:
    """Score a moving average of the weights instead of the last ones (Polyak and Juditsky, 1992)."""
    return replace(plan, averaging=decay)


MENU = _menu.menu()
