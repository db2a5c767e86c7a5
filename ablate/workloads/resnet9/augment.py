"""Data augmentation of whole batches, independent per image, on the device of the batch.

Images are floats in [0, 1], N x C x H x W; functions that also take targets expect normalised images. Each function
draws a fixed number of values per image from the given random stream, by `drawn`, and no other random numbers. They are
drawn on the CPU and copied to the device without waiting, so that a seed's crops are the same on every device.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ablate.workloads.resnet9.draws import Stream, drawn


def crop_and_flip(images: Tensor, stream: Stream, *, pad: int, flip: float) -> Tensor:
    """Pad each image by reflection, crop it at random to its size, and flip it with probability `flip`.

    The distribution is that of torchvision's RandomCrop(padding_mode="reflect") and RandomHorizontalFlip.
    """
    count, channels, height, width = images.shape
    if pad >= min(height, width):
        raise ValueError(f"Images of {height} x {width} pixels are too small for reflection padding of {pad}")
    shifts = _integers(2 * count, 2 * pad + 1, stream, images.device).view(2, count) - pad
    flipped = _uniform(count, stream, images.device) < flip
    rows = _reflect(torch.arange(height, device=images.device) + shifts[0, :, None], height)  # N x H
    columns = _reflect(torch.arange(width, device=images.device) + shifts[1, :, None], width)  # N x W
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    index = planes * height + rows[:, None]  # N x C x H: whole rows of the batch are selected first, then columns
    moved = images.reshape(-1, width).index_select(0, index.flatten()).view_as(images)
    return moved.gather(3, columns[:, None, None].expand_as(moved))


def color_jitter(images: Tensor, stream: Stream, *, brightness: float, contrast: float, saturation: float) -> Tensor:
    """Scale brightness, then contrast, then saturation of each image by random factors around 1."""
    draws = (2 * _uniform(3 * len(images), stream, images.device) - 1).view(3, -1, 1, 1, 1)
    images = (images * (1 + draws[0] * brightness)).clamp(0, 1)
    images = torch.lerp(_grey(images).mean((2, 3), keepdim=True), images, 1 + draws[1] * contrast).clamp(0, 1)
    return torch.lerp(_grey(images).expand_as(images), images, 1 + draws[2] * saturation).clamp(0, 1)


def rotate(images: Tensor, stream: Stream, *, degrees: float) -> Tensor:
    """Rotate each image by a random angle of at most `degrees`, with reflection padding."""
    angles = (2 * _uniform(len(images), stream, images.device) - 1) * math.radians(degrees)
    zeros = torch.zeros_like(angles)
    matrix = torch.stack([angles.cos(), -angles.sin(), zeros, angles.sin(), angles.cos(), zeros], dim=1)
    return _resample(images, matrix.view(-1, 2, 3))


def resized_crop(images: Tensor, stream: Stream, *, smallest: float) -> Tensor:
    """Crop a random part of each image (area at least `smallest`, aspect 3/4 to 4/3) and resize it to the full size."""
    area, ratio, x, y = _uniform(4 * len(images), stream, images.device).view(4, -1)
    area = smallest + (1 - smallest) * area
    aspect = ((2 * ratio - 1) * math.log(4 / 3)).exp()
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
    left, top = (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height)  # the centre, in [-1, 1]
    zeros = torch.zeros_like(area)
    return _resample(images, torch.stack([width, zeros, left, zeros, height, top], dim=1).view(-1, 2, 3))


def mixup(images: Tensor, targets: Tensor, stream: Stream, *, alpha: float) -> tuple[Tensor, Tensor]:
    """Mix each image and its target with another one of the batch, with one Beta(alpha, alpha) weight per image."""
    weights = _beta(len(images), alpha, stream, images.device)
    partner = _uniform(len(images), stream, images.device).argsort()
    mixed = torch.lerp(images[partner], images, weights.view(-1, 1, 1, 1).to(images.dtype))
    return mixed, torch.lerp(targets[partner], targets, weights.view(-1, 1).to(targets.dtype))


def cutout(images: Tensor, targets: Tensor, stream: Stream, *, size: int) -> tuple[Tensor, Tensor]:
    """Set a square of `size` pixels around a random centre to 0, the mean. It may extend beyond the image."""
    count, _, height, width = images.shape
    top = _integers(count, height, stream, images.device)[:, None] - size // 2
    left = _integers(count, width, stream, images.device)[:, None] - size // 2
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    in_rows, in_columns = (
        (rows >= top) & (rows < top + size),
        (columns >= left) & (columns < left + size),
    )  # N x H, N x W
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0), targets


def _uniform(count: int, stream: Stream, device: torch.device) -> Tensor:
    return drawn(lambda generator: torch.rand(count, generator=generator, device=generator.device), stream, device)


def _integers(count: int, below: int, stream: Stream, device: torch.device) -> Tensor:
    def draw(generator: Generator) -> Tensor:
        return torch.randint(below, (count,), generator=generator, device=generator.device)

    return drawn(draw, stream, device)


def _beta(count: int, alpha: float, stream: Stream, device: torch.device) -> Tensor:
    def draw(generator: Generator) -> Tensor:
        # PyTorch's beta sampler takes no generator. NumPy's does, and is seeded by a draw from the given one.
        seed = int(torch.randint(2**62, (1,), generator=generator, device=generator.device))
        return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()

    return drawn(draw, stream, device)


def _reflect(index: Tensor, size: int) -> Tensor:
    """Reflect indices outside [0, size) at the edges, without repeating the edge."""
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
