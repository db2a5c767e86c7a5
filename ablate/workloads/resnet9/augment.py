"""Changes of whole batches, independently per image, on the device where the batch lies, which is never waited for.

Images come as floats in [0, 1], N x C x H x W (steps on targets too: normalised). Each function draws from the
generator that it is given, a fixed number of values an image, and from nothing else. A generator of the CPU serves
every device: its few values follow the images there, and a seed's crops are the same on each.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F


def crop_and_flip(images: Tensor, generator: Generator, *, pad: int, flip: float) -> Tensor:
    """Crop each image at random out of its reflection-padded self and flip it with probability `flip`.

    The same distribution as torchvision's RandomCrop(padding_mode="reflect") and RandomHorizontalFlip.
    """
    count, channels, height, width = images.shape
    if pad >= min(height, width):
        raise ValueError(f"a border of {pad} cannot be reflected out of {height} x {width} images")
    shifts = _integers(2 * count, 2 * pad + 1, generator, images.device).view(2, count) - pad
    flipped = _uniform(count, generator, images.device) < flip
    rows = _reflect(torch.arange(height, device=images.device) + shifts[0, :, None], height)  # N x H
    columns = _reflect(torch.arange(width, device=images.device) + shifts[1, :, None], width)  # N x W
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    places = planes * height + rows[:, None]  # N x C x H, into the batch's rows, which are picked whole
    moved = images.reshape(-1, width).index_select(0, places.flatten()).view_as(images)
    return moved.gather(3, columns[:, None, None].expand_as(moved))


def color_jitter(
    images: Tensor, generator: Generator, *, brightness: float, contrast: float, saturation: float
) -> Tensor:
    """Scale brightness, then contrast, then saturation of each image by random factors around 1."""
    draws = (2 * _uniform(3 * len(images), generator, images.device) - 1).view(3, -1, 1, 1, 1)
    images = (images * (1 + draws[0] * brightness)).clamp(0, 1)
    images = torch.lerp(_grey(images).mean((2, 3), keepdim=True), images, 1 + draws[1] * contrast).clamp(0, 1)
    return torch.lerp(_grey(images).expand_as(images), images, 1 + draws[2] * saturation).clamp(0, 1)


def rotate(images: Tensor, generator: Generator, *, degrees: float) -> Tensor:
    """Rotate each image by a random angle of at most `degrees`; what comes in from outside is reflected."""
    angles = (2 * _uniform(len(images), generator, images.device) - 1) * math.radians(degrees)
    still = torch.zeros_like(angles)
    matrix = torch.stack(
        [angles.cos(), -angles.sin(), still, angles.sin(), angles.cos(), still], dim=1
    )  # N x 6: rows of a 2 x 3 matrix
    return _resample(images, matrix.view(-1, 2, 3))


def resized_crop(images: Tensor, generator: Generator, *, smallest: float) -> Tensor:
    """Stretch a random part of each image, at least `smallest` of its area, aspect 3/4 to 4/3, to the full size."""
    area, ratio, x, y = _uniform(4 * len(images), generator, images.device).view(4, -1)
    area = smallest + (1 - smallest) * area
    aspect = ((2 * ratio - 1) * math.log(4 / 3)).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height)  # the centre, in [-1, 1]
    still = torch.zeros_like(area)
    return _resample(images, torch.stack([width, still, left, still, height, top], dim=1).view(-1, 2, 3))


def mixup(images: Tensor, targets: Tensor, generator: Generator, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each image and its target with another of the batch, by one Beta(alpha, alpha) weight an image."""
    weights = _beta(len(images), alpha, generator, images.device)
    partner = _uniform(len(images), generator, images.device).argsort()
    mixed = torch.lerp(images[partner], images, weights.view(-1, 1, 1, 1).to(images.dtype))
    return mixed, torch.lerp(targets[partner], targets, weights.view(-1, 1).to(targets.dtype))


def cutout(images: Tensor, targets: Tensor, generator: Generator, *, size: int) -> tuple[Tensor, Tensor]:
    """Set a square of `size` pixels around a random centre to 0, the mean; it may reach over the edge."""
    count, _, height, width = images.shape
    top = _integers(count, height, generator, images.device)[:, None] - size // 2
    left = _integers(count, width, generator, images.device)[:, None] - size // 2
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    in_rows, in_columns = (
        (rows >= top) & (rows < top + size),
        (columns >= left) & (columns < left + size),
    )  # N x H, N x W
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0), targets


def _uniform(count: int, generator: Generator, device: torch.device) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device).to(device, non_blocking=True)


def _integers(count: int, below: int, generator: Generator, device: torch.device) -> Tensor:
    return torch.randint(below, (count,), generator=generator, device=generator.device).to(device, non_blocking=True)


def _beta(count: int, alpha: float, generator: Generator, device: torch.device) -> Tensor:
    # torch's own beta sampler takes no generator; numpy's does, and is seeded by a draw from ours.
    seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
    weights = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count))
    return weights.to(device, torch.float32, non_blocking=True)


def _reflect(index: Tensor, size: int) -> Tensor:
    """Fold indices outside [0, size) back in, the edge itself not repeated."""
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index)


def _grey(images: Tensor) -> Tensor:
    """Return luma, N x 1 x H x W (ITU-R BT.601)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return (0.299 * red + 0.587 * green + 0.114 * blue)[:, None]


def _resample(images: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
