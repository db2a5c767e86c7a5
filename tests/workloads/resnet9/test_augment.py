"""Augmentation: distributions, identities, and pixel-by-pixel comparison with torchvision's crop."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, kstest
from torch import Tensor
from torch.nn import functional as F

from ablate.seeding import torch_stream
from ablate.workloads.resnet9 import augment

pytestmark = pytest.mark.usefixtures("one_thread")


def random_images(count: int, size: int = 16, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch_stream(seed, "images"))


IMAGE_STEPS = {
    "augment": lambda images, generator: augment.crop_and_flip(images, generator, pad=4, flip=0.5),
    "color_jitter": lambda images, generator: augment.color_jitter(
        images, generator, brightness=0.4, contrast=0.4, saturation=0.4
    ),
    "rotation": lambda images, generator: augment.rotate(images, generator, degrees=30),
    "resized_crop": lambda images, generator: augment.resized_crop(images, generator, smallest=0.3),
}


@pytest.mark.parametrize("name", IMAGE_STEPS)
@pytest.mark.parametrize(("count", "channels", "size"), [(1, 3, 16), (5, 1, 24), (9, 3, 64)])
def test_image_steps_keep_shape_type_and_range(name, count, channels, size):
    images = random_images(count, size, channels)
    before = images.clone()
    changed = IMAGE_STEPS[name](images, torch_stream(0, name))
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(images, before), "the given images are not written to"


@pytest.mark.parametrize("name", IMAGE_STEPS)
def test_each_image_is_changed_on_its_own(name):
    """The change of an image depends on its position in the batch, not on the other images."""
    images, others = random_images(8), random_images(8, seed=1)
    others[3] = images[3]
    one, other = (IMAGE_STEPS[name](batch, torch_stream(0, name)) for batch in (images, others))
    assert torch.equal(one[3], other[3])
    same = IMAGE_STEPS[name](images[:1].expand(8, -1, -1, -1), torch_stream(0, name))
    assert not any(torch.equal(first, second) for first, second in itertools.combinations(same, 2))


# --- crop and flip -------------------------------------------------------------------------------------------------


def every_crop(image: Tensor, pad: int) -> dict[tuple[int, int, bool], Tensor]:
    """Return all outputs of torchvision's RandomCrop(padding=pad, padding_mode="reflect") and flip for one image."""
    size = image.shape[-1]
    padded = F.pad(image[None], (pad,) * 4, mode="reflect")[0]
    crops = {}
    for top, left, flipped in itertools.product(range(2 * pad + 1), range(2 * pad + 1), (False, True)):
        crop = padded[:, top : top + size, left : left + size]
        crops[top, left, flipped] = crop.flip(2) if flipped else crop
    return crops


def outcomes(image: Tensor, count: int, pad: int, flip: float) -> dict[tuple[int, int, bool], int]:
    """Count the crops of one image. Every crop must be one of the possible ones."""
    possible = {crop.numpy().tobytes(): where for where, crop in every_crop(image, pad).items()}
    batch = image.expand(count, -1, -1, -1)
    changed = augment.crop_and_flip(batch, torch_stream(1, "augment"), pad=pad, flip=flip)
    counts = dict.fromkeys(possible.values(), 0)
    for crop in changed:
        counts[possible[crop.contiguous().numpy().tobytes()]] += 1
    return counts


def test_every_crop_and_flip_is_equally_frequent():
    counts = outcomes(random_images(1)[0], 6000, pad=2, flip=0.5)
    assert len(counts) == 50
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_the_flip_has_its_probability():
    counts = outcomes(random_images(1)[0], 4000, pad=1, flip=0.2)
    flipped = sum(count for (_, _, is_flipped), count in counts.items() if is_flipped)
    assert flipped == pytest.approx(800, abs=4 * math.sqrt(4000 * 0.2 * 0.8))


def test_without_flip_nothing_is_flipped_and_with_all_everything():
    image = random_images(1)[0]
    for flip in (0.0, 1.0):
        counts = outcomes(image, 200, pad=1, flip=flip)
        assert all(count == 0 for (_, _, flipped), count in counts.items() if flipped != bool(flip))


def test_shifts_and_flips_are_independent_from_image_to_image():
    ramp = torch.arange(16.0).expand(1, 16, 16)
    changed = augment.crop_and_flip(ramp.expand(5000, -1, -1, -1), torch_stream(2, "augment"), pad=4, flip=0.5)
    middle = changed[:, 0, 8, 8]
    pair = torch.stack([middle[:-1], middle[1:]])
    assert abs(torch.corrcoef(pair)[0, 1]) < 4 / math.sqrt(5000)


@settings(max_examples=30)
@given(st.integers(1, 15), st.integers(16, 20), st.integers(0, 2**32))
def test_any_padding_gives_only_possible_crops(pad, size, seed):
    image = random_images(1, size, channels=1)[0]
    changed = augment.crop_and_flip(image[None], torch_stream(seed, "augment"), pad=pad, flip=0.5)[0]
    assert any(torch.equal(changed, crop) for crop in every_crop(image, pad).values())


def test_padding_as_wide_as_the_image_is_refused():
    with pytest.raises(ValueError, match="too small for reflection padding"):
        augment.crop_and_flip(random_images(1), torch_stream(0, "augment"), pad=16, flip=0.5)


def test_the_memory_format_does_not_matter():
    images = random_images(4)
    lying = (images, images.contiguous(memory_format=torch.channels_last), images.mT.contiguous().mT)
    changed = [augment.crop_and_flip(some, torch_stream(0, "augment"), pad=4, flip=0.5) for some in lying]
    assert torch.equal(changed[0], changed[1])
    assert torch.equal(changed[0], changed[2])


# --- the candidates ------------------------------------------------------------------------------------------------


def test_no_strength_is_the_identity():
    images, targets = random_images(6), F.one_hot(torch.arange(6), 6).float()
    none = torch_stream(0, "any")
    jittered = augment.color_jitter(images, none, brightness=0, contrast=0, saturation=0)
    torch.testing.assert_close(jittered, images)
    torch.testing.assert_close(augment.rotate(images, none, degrees=0), images, atol=1e-5, rtol=0)
    mixed, soft = augment.mixup(images, targets, none, alpha=1e-4)  # all weight on one of the two
    assert all(any(torch.allclose(one, image, atol=1e-4) for image in images) for one in mixed)
    assert soft.max(1).values.min() > 0.999


def test_brightness_contrast_and_saturation_follow_their_formulas():
    images = random_images(200) * 0.5 + 0.2
    brighter = augment.color_jitter(images, torch_stream(0, "c"), brightness=0.3, contrast=0, saturation=0)
    factors = (brighter / images).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert kstest(factors[:, 0].numpy(), "uniform", args=(0.7, 0.6)).pvalue > 1e-3

    grey = (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    contrasted = augment.color_jitter(images, torch_stream(0, "c"), brightness=0, contrast=0.3, saturation=0)
    mean = grey.mean((2, 3), keepdim=True)
    factors = ((contrasted - mean) / (images - mean)).flatten(1).median(1).values
    torch.testing.assert_close(contrasted, mean + factors.view(-1, 1, 1, 1) * (images - mean), atol=1e-5, rtol=0)
    assert kstest(factors.numpy(), "uniform", args=(0.7, 0.6)).pvalue > 1e-3

    saturated = augment.color_jitter(images, torch_stream(0, "c"), brightness=0, contrast=0, saturation=0.3)
    factors = ((saturated - grey) / (images - grey)).flatten(1).median(1).values
    torch.testing.assert_close(saturated, grey + factors.view(-1, 1, 1, 1) * (images - grey), atol=1e-5, rtol=0)


def test_rotation_turns_by_all_angles_within_bounds():
    """A point off the centre is rotated around it. Its angle is computed from its centre of mass."""
    size, radius = 65, 20
    image = torch.zeros(1, size, size)
    image[0, 32 - 2 : 32 + 3, 32 + radius - 2 : 32 + radius + 3] = 1.0
    turned = augment.rotate(image.expand(400, -1, -1, -1), torch_stream(0, "r"), degrees=40)[:, 0]
    rows, columns = torch.meshgrid(torch.arange(size) - 32.0, torch.arange(size) - 32.0, indexing="ij")
    mass = turned.sum((1, 2))
    angles = torch.atan2((turned * rows).sum((1, 2)) / mass, (turned * columns).sum((1, 2)) / mass).rad2deg()
    assert kstest(angles.numpy(), "uniform", args=(-40, 80)).pvalue > 1e-3
    assert mass.mean() == pytest.approx(25, abs=0.5), "turned, not stretched"
    torch.testing.assert_close(mass, torch.full_like(mass, 25.0), atol=4, rtol=0)


def test_a_right_angle_is_exact():
    images = random_images(1)
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    torch.testing.assert_close(augment._resample(images, quarter), images.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_resized_crops_have_their_areas_and_are_within_the_image():
    """The corners of a ramp determine which part of the image was cropped."""
    size = 64
    across = torch.linspace(0, 1, size).expand(size, size)
    ramps = torch.stack([across, across.T]).expand(2000, -1, -1, -1)
    cut = augment.resized_crop(ramps, torch_stream(0, "s"), smallest=0.4)
    inner = slice(8, size - 8)  # without the reflection at the edges
    width = (cut[:, 0, 32, inner][:, -1] - cut[:, 0, 32, inner][:, 0]) * (size - 1) / (size - 17)
    height = (cut[:, 1, inner, 32][:, -1] - cut[:, 1, inner, 32][:, 0]) * (size - 1) / (size - 17)
    area, aspect = width * height, width / height
    assert area.min() > 0.39
    assert area.max() < 1.01
    assert area.mean() == pytest.approx(0.7, abs=0.02)
    assert aspect.min() > 0.74
    assert aspect.max() < 1.35
    middle = cut[:, 0, 32, 31:33].mean(1)
    assert (middle - width / 2).min() > -0.02
    assert (middle + width / 2).max() < 1.02
    assert middle.std() > 0.02


def test_a_resized_crop_of_the_whole_area_keeps_square_images_whole_or_stretches_one_side():
    images = random_images(50)
    cut = augment.resized_crop(images, torch_stream(0, "s"), smallest=1.0)
    assert cut.shape == images.shape
    assert (cut - images).abs().mean() < 0.3


@settings(max_examples=30)
@given(st.integers(1, 20), st.floats(0.01, 10), st.integers(0, 2**32))
def test_mixup_blends_images_and_targets_alike(count, alpha, seed):
    targets = F.one_hot(torch.arange(count) % 5, 5).float()
    images = targets.view(count, 5, 1, 1).expand(-1, -1, 3, 3)
    mixed, soft = augment.mixup(images, targets, torch_stream(seed, "mixup"), alpha=alpha)
    torch.testing.assert_close(soft.sum(1), torch.ones(count))
    assert soft.min() >= 0
    torch.testing.assert_close(mixed, soft.view(count, 5, 1, 1).expand_as(mixed))


def test_mixup_weights_are_beta_distributed_and_partners_a_permutation():
    count = 3000
    targets = torch.eye(count)
    _, soft = augment.mixup(torch.zeros(count, 1, 1, 1), targets, torch_stream(0, "mixup"), alpha=0.4)
    weights = soft.diagonal()
    partners = (soft - torch.diag(weights)).argmax(1)
    own = weights == 1  # its own partner, or a weight that rounds to 1
    torch.testing.assert_close(soft.sum(0)[~own].mean(), torch.tensor(1.0), atol=0.05, rtol=0)
    assert kstest(weights[~own].numpy(), "beta", args=(0.4, 0.4)).pvalue > 1e-3
    assert len(partners[~own].unique()) == (~own).sum()


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(16, 24), st.integers(0, 2**32))
def test_cutout_blanks_one_square_and_touches_no_target(side, size, seed):
    images, targets = torch.ones(3, 2, size, size), torch.eye(3)
    cut, same = augment.cutout(images, targets, torch_stream(seed, "cutout"), size=side)
    assert torch.equal(same, targets)
    for image in cut:
        assert torch.equal(image[0], image[1])
        blank = image[0] == 0
        rows, columns = blank.any(1), blank.any(0)
        assert torch.equal(blank, rows[:, None] & columns[None, :]), "a rectangle"
        for line in (rows, columns):
            where = line.nonzero().flatten()
            assert 1 <= len(where) <= side
            assert torch.equal(where, torch.arange(where[0], where[-1] + 1)), "without a gap"
            if len(where) < side:
                assert where[0] == 0 or where[-1] == size - 1, "cut short only by the edge"


def test_cutout_centres_are_everywhere():
    size, side = 16, 5
    cut, _ = augment.cutout(torch.ones(8000, 1, size, size), torch.zeros(8000, 2), torch_stream(0, "cutout"), size=side)
    blank = (cut == 0).float().mean(0)[0]
    inner = blank[side:-side, side:-side]
    torch.testing.assert_close(inner, torch.full_like(inner, side**2 / size**2), atol=0.02, rtol=0)


def test_a_step_draws_as_much_for_any_pixels():
    """The state of a stream after a step does not depend on the images."""
    for name, step in IMAGE_STEPS.items():
        states = []
        for images in (torch.zeros(7, 3, 16, 16), random_images(7)):
            generator = torch_stream(0, name)
            step(images, generator)
            states.append(generator.get_state())
        assert torch.equal(*states), name


def test_no_global_generator_is_drawn_from():
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002  # must not change
    for name, step in IMAGE_STEPS.items():
        step(random_images(3), torch_stream(0, name))
    augment.mixup(random_images(3), torch.eye(3), torch_stream(0, "mixup"), alpha=1.0)
    augment.cutout(random_images(3), torch.eye(3), torch_stream(0, "cutout"), size=4)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002  # must not change
