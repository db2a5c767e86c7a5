"""The registry of factors: every component of the recipe, declared once.

A factor is a function `TrainingPlan -> TrainingPlan` that adds its component to a plan. Its name is the flag
(`--no-batch-norm`), the MLflow param (`batch_norm`) and the row in reports. The first line of its docstring is the help
text. Its keyword arguments are its hyperparameters (`--dropout-p 0.3`), each with its range. Steps that draw random
numbers name their random stream. The second paragraph of the docstring explains the component (for those of the
baseline in the words of docs/lessons.md); reports print it, and a `caveat` too. To add a factor, add one function here,
and one kernel module if it needs a new ingredient.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from ablate.errors import UsageError
from ablate.studies.registry import RegistryBuilder
from ablate.studies.settings import Details, OneOf, Range
from ablate.workloads.resnet9.plan import TrainingPlan, deferred

_AUGMENT = "ablate.workloads.resnet9.augment"
_SCHEDULES = "ablate.workloads.resnet9.schedules"
_register = RegistryBuilder()


@_register.factor()
def augment(
    plan: TrainingPlan,
    *,
    pad: Annotated[int, Range(1, 16, tune=(1, 8))] = 4,
    flip: Annotated[float, Range(0, 1)] = 0.5,
) -> TrainingPlan:
    """Random crop with reflection padding, and random horizontal flip.

    Crops and mirror images of a photograph show the same object, so they are free training data that teach the
    network invariance to these changes. Augmentation reduces overfitting, so it helps if the training is long enough
    and the data set small enough to overfit; otherwise it only makes the task harder. It must also suit the data: a
    mirrored digit is a different symbol.
    """
    if pad >= plan.net.image_size:
        raise UsageError(f"augment.pad must be less than the image size, {plan.net.image_size}, not {pad}")
    return plan.add_image_step("augment", deferred(f"{_AUGMENT}:crop_and_flip", pad=pad, flip=flip))


@_register.factor()
def batch_norm(
    plan: TrainingPlan,
    *,
    kind: Annotated[
        str,
        OneOf(("batch", "group")),
        Details(
            "normalisation over the batch, or over groups of channels (Wu and He, 2018)",
            legacy_value="batch",
            purposes={
                "group": "Groups of channels are normalised within each image, then scaled and shifted by learned "
                "parameters. The result does not depend on the rest of the batch, so that it suits small batches."
            },
        ),
    ] = "batch",
    group_size: Annotated[
        int,
        Range(1, 1024, log=True, tune=(1, 64)),
        Details("largest number of channels in a group", requires=("batch_norm.kind", ("group",))),
    ] = 16,
) -> TrainingPlan:
    """Batch normalisation after every convolution (Ioffe and Szegedy, 2015), or group normalisation.

    Each channel is normalised over the batch, then scaled and shifted by learned parameters. It makes deep networks
    trainable at high learning rates and regularises slightly through the noise of the batch statistics. Its benefit
    is undisputed, but the explanation is still debated.
    """
    return plan.change_net(batch_norm=True) if kind == "batch" else plan.change_net(group_size=group_size)


@_register.factor()
def residual(plan: TrainingPlan) -> TrainingPlan:
    """Skip connection around each of the two residual blocks (He et al., 2016).

    A block learns a residual that is added to its input, and gradients can bypass it. Residual connections made
    networks of a hundred layers trainable, while plain networks became worse with depth. A ResNet9 has only two
    such blocks and is not deep, so a smaller effect is expected here.
    """
    return plan.change_net(residual=True)


@_register.factor()
def dropout(plan: TrainingPlan, *, p: Annotated[float, Range(0, 0.95, tune=(0, 0.6))] = 0.2) -> TrainingPlan:
    """Dropout before the linear layer (Srivastava et al., 2014).

    Features are set to zero at random during training, so that they do not depend on each other. It was designed
    for large fully connected layers. Here it precedes a single linear layer in a network that batch norm and
    augmentation already regularise.
    """
    return plan.change_net(dropout=p, dropout_stream="dropout")


@_register.factor()
def weight_decay(
    plan: TrainingPlan, *, strength: Annotated[float, Range(0, 1, log=True, tune=(1e-6, 1e-2))] = 1e-4
) -> TrainingPlan:
    """Weight decay: L2 penalty in Adam and SGD, decoupled in AdamW and Muon.

    Weights are pulled towards zero, which favours simpler functions (Krogh and Hertz, 1991). As an L2 term in the
    loss, it is scaled by Adam's adaptive step sizes like any gradient and so acts unevenly; AdamW decouples it.
    With batch norm after every convolution, the scale of the weights does not change the output, and weight decay
    acts mainly through the effective learning rate (van Laarhoven, 2017).
    """
    return replace(plan, weight_decay=strength)


@_register.factor()
def grad_clip(
    plan: TrainingPlan, *, value: Annotated[float, Range(1e-6, 1e6, log=True, tune=(1e-2, 10))] = 0.1
) -> TrainingPlan:
    """Gradient clipping by value: every element to [-value, value].

    Gradients above a threshold are clipped, so that a single bad batch cannot move the weights far. Clipping is a
    safeguard: it should have no effect on a training run that is stable without it. Since Adam divides by the
    magnitude of recent gradients, even frequent clipping often changes its steps little.
    """
    return replace(plan, clip_value=value)


@_register.factor(
    caveat="Without lr_schedule, both the learning rate and Adam's beta1 are constant. The one-cycle schedule changes "
    "both, so its effect is their joint effect."
)
def lr_schedule(
    plan: TrainingPlan,
    *,
    shape: Annotated[
        str,
        OneOf(("one-cycle", "cosine", "step", "linear", "warmup")),
        Details(
            "shape: one-cycle (Smith and Topin, 2017), cosine annealing (Loshchilov and Hutter, 2017), steps (He et "
            "al., 2016), linear warm-up and decay (Howard and Ruder, 2018), or warm-up only (Goyal et al., 2017)",
            legacy_value="one-cycle",
            purposes={
                "cosine": "The rate decreases from its peak to zero along half a cosine, without a warm-up.",
                "step": "The rate is divided by ten after half and three quarters of the steps, without a warm-up.",
                "linear": "The rate rises linearly to its peak, which protects the first steps, then falls to zero.",
                "warmup": "The rate rises linearly to its peak, which protects the first steps, and stays there.",
            },
        ),
    ] = "one-cycle",
    warmup: Annotated[
        float,
        Range(0.01, 0.99, tune=(0.05, 0.6)),
        Details(requires=("lr_schedule.shape", ("one-cycle", "linear", "warmup"))),
    ] = 0.3,
) -> TrainingPlan:
    """One-cycle schedule of learning rate and, inversely, Adam's beta1 (Smith and Topin, 2017), or another schedule.

    The learning rate rises to a peak and decreases to almost zero, while momentum does the opposite. The high
    learning rate in the middle explores and regularises, and the low one at the end converges.
    """
    return replace(plan, schedule=deferred(f"{_SCHEDULES}:of_shape", shape=shape, peak=plan.lr, warmup=warmup))


@_register.candidate()
def color_jitter(
    plan: TrainingPlan,
    *,
    brightness: Annotated[float, Range(0, 1)] = 0.1,
    contrast: Annotated[float, Range(0, 1)] = 0.1,
    saturation: Annotated[float, Range(0, 1)] = 0.1,
) -> TrainingPlan:
    """Random brightness, contrast and saturation.

    Photographs of one kind of object differ in light, weather and camera. Small random changes of brightness, contrast
    and saturation teach the network to ignore such differences. It helps if new images differ from the training images
    in these ways. Where colour itself identifies a class, it removes information.
    """
    jitter = deferred(f"{_AUGMENT}:color_jitter", brightness=brightness, contrast=contrast, saturation=saturation)
    return plan.add_image_step("color_jitter", jitter)


@_register.candidate()
def rotation(plan: TrainingPlan, *, degrees: Annotated[float, Range(0, 180, tune=(0, 45))] = 15.0) -> TrainingPlan:
    """Random rotation.

    A photograph that is slightly tilted shows the same object, so small rotations are further training data. Where
    all images are upright, new ones included, the network learns an invariance that it does not need. Large angles can
    change the class, as of a 6 and a 9, and the corners are filled with reflected pixels.
    """
    return plan.add_image_step("rotation", deferred(f"{_AUGMENT}:rotate", degrees=degrees))


@_register.candidate()
def resized_crop(plan: TrainingPlan, *, smallest: Annotated[float, Range(0.05, 1)] = 0.6) -> TrainingPlan:
    """Random crop, resized to the full image size (Szegedy et al., 2015).

    Objects appear at different distances and positions, and are often partly hidden. Crops of different size and aspect
    ratio teach the network invariance to scale and to missing parts; they are a standard augmentation of large
    photographs. In small images that the object fills, a crop may remove what identifies it, so that the task becomes
    harder.
    """
    return plan.add_image_step("resized_crop", deferred(f"{_AUGMENT}:resized_crop", smallest=smallest))


@_register.candidate()
def label_smoothing(
    plan: TrainingPlan, *, amount: Annotated[float, Range(0, 0.9, tune=(0, 0.3))] = 0.1
) -> TrainingPlan:
    """Label smoothing (Szegedy et al., 2016).

    The target of the true class is a little less than 1, and the rest is shared among all classes. The loss then no
    longer rewards ever larger outputs, so predictions become less overconfident (Müller et al., 2019). The loss is not
    comparable with that of a run without it.
    """
    return replace(plan, label_smoothing=amount)


@_register.candidate()
def mixup(
    plan: TrainingPlan, *, alpha: Annotated[float, Range(0.01, 10, log=True, tune=(0.05, 1))] = 0.2
) -> TrainingPlan:
    """Mixup: convex combinations of pairs of images and of their labels (Zhang et al., 2018).

    The network is trained to change its prediction linearly from one training image to another. This discourages it
    from memorising images and wrong labels, and makes predictions less overconfident. It is a strong regulariser: in a
    training run that is too short to overfit, it only makes the task harder.
    """
    return plan.add_batch_step("mixup", deferred(f"{_AUGMENT}:mixup", alpha=alpha))


@_register.candidate()
def cutout(plan: TrainingPlan, *, size: Annotated[int, Range(1, 64, tune=(2, 16))] = 8) -> TrainingPlan:
    """Cutout: a random square of each image set to the mean (DeVries and Taylor, 2017).

    Part of each image is hidden, so that the network cannot rely on a single distinctive detail and has to use the
    whole object. It acts like dropout on neighbouring pixels, and helps if the network overfits. The square must suit
    the image: one that covers most of the object leaves nothing to learn from.
    """
    return plan.add_batch_step("cutout", deferred(f"{_AUGMENT}:cutout", size=size))


@_register.candidate()
def ema(plan: TrainingPlan, *, decay: Annotated[float, Range(0, 0.99999, tune=(0.9, 0.9999))] = 0.99) -> TrainingPlan:
    """Exponential moving average of the weights for evaluation (Polyak and Juditsky, 1992).

    Steps on batches are noisy, so the weights fluctuate around those that the training approaches. Their average over
    recent steps removes much of this noise, while training continues unchanged. It helps most where the learning rate
    is still high. At the end of a schedule that decreases it to almost zero, little noise is left to average.
    """
    return replace(plan, averaging=decay)


FACTORS = _register.registry()
