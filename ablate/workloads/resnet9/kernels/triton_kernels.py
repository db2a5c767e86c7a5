"""Triton kernels: batch norm, 2 x 2 max pooling and ReLU together, and the columns of a first convolution.

Images are matrices of `rows` = N x H x W positions by `channels` (channels last). Sums over rows are computed in parts,
one per program, in a fixed order: results do not depend on the schedule of the GPU. Everything between loads and stores
is float32.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def statistics(images, parts, rows, channels, ROWS: tl.constexpr, CHANNELS: tl.constexpr):
    """Store each part's sums of the values and of their squares, less the first value of the channel."""
    part = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < channels
    first = tl.load(images + channel, mask=inside, other=0.0).to(tl.float32)
    sums = tl.zeros((ROWS, CHANNELS), tl.float32)
    squares = tl.zeros((ROWS, CHANNELS), tl.float32)
    for start in range(part * ROWS, rows, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS)
        mask = (row < rows)[:, None] & inside[None, :]
        at = row[:, None].to(tl.int64) * channels + channel[None, :]
        value = tl.load(images + at, mask=mask, other=0.0).to(tl.float32)
        value = tl.where(mask, value - first[None, :], 0.0)
        sums += value
        squares += value * value
    target = parts + part * 2 * channels + channel
    tl.store(target, tl.sum(sums, 0), mask=inside)
    tl.store(target + channels, tl.sum(squares, 0), mask=inside)


@triton.jit
def finish_statistics(
    parts,
    images,
    weight,
    bias,
    offset,
    running_mean,
    running_variance,
    terms,
    count,
    rows,
    channels,
    momentum,
    epsilon,
    PARTS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Add the parts, update the running statistics, and store mean, 1/deviation, scale and shift of each channel."""
    channel = tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < channels
    sums = tl.zeros((PARTS, CHANNELS), tl.float32)
    squares = tl.zeros((PARTS, CHANNELS), tl.float32)
    for start in range(0, count, PARTS):
        part = start + tl.arange(0, PARTS)
        mask = (part < count)[:, None] & inside[None, :]
        source = parts + part[:, None] * 2 * channels + channel[None, :]
        sums += tl.load(source, mask=mask, other=0.0)
        squares += tl.load(source + channels, mask=mask, other=0.0)
    distance = tl.sum(sums, 0) / rows
    variance = tl.sum(squares, 0) / rows - distance * distance
    variance = tl.where(variance < 0, 0.0, variance)
    mean = tl.load(images + channel, mask=inside, other=0.0).to(tl.float32) + distance
    inverse = 1.0 / tl.sqrt(variance + epsilon)
    scale = tl.load(weight + channel, mask=inside, other=0.0) * inverse
    shift = tl.load(bias + channel, mask=inside, other=0.0) - mean * scale
    tl.store(terms + channel, mean, mask=inside)
    tl.store(terms + channels + channel, inverse, mask=inside)
    tl.store(terms + 2 * channels + channel, scale, mask=inside)
    tl.store(terms + 3 * channels + channel, shift, mask=inside)
    before = tl.load(running_mean + channel, mask=inside, other=0.0)
    seen = mean + tl.load(offset + channel, mask=inside, other=0.0)
    tl.store(running_mean + channel, before + momentum * (seen - before), mask=inside)
    before = tl.load(running_variance + channel, mask=inside, other=0.0)
    unbiased = variance * (rows / (rows - 1))
    tl.store(running_variance + channel, before + momentum * (unbiased - before), mask=inside)


@triton.jit
def _corner(row, height, width, SIDE: tl.constexpr):
    """Return the row of the first input of an output position, a 64-bit integer."""
    across = width // SIDE
    down = height // SIDE
    j = row % across
    i = (row // across) % down
    n = row // (across * down)
    return (n.to(tl.int64) * height + SIDE * i) * width + SIDE * j


@triton.jit
def apply(
    images, terms, output, rows, height, width, channels,
    SIDE: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Store normalised, pooled and rectified images. `rows` are those of the output, height and width the input's."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < channels
    mask = (row < rows)[:, None] & inside[None, :]
    scale = tl.load(terms + 2 * channels + channel, mask=inside, other=0.0)[None, :]
    shift = tl.load(terms + 3 * channels + channel, mask=inside, other=0.0)[None, :]
    source = images + _corner(row, height, width, SIDE)[:, None] * channels + channel[None, :]
    best = tl.load(source, mask=mask, other=0.0).to(tl.float32) * scale + shift
    if SIDE == 2:
        for corner in tl.static_range(1, 4):
            step = ((corner // 2) * width + corner % 2) * channels
            value = tl.load(source + step, mask=mask, other=0.0).to(tl.float32) * scale + shift
            best = tl.maximum(best, value, propagate_nan=tl.PropagateNan.ALL)
    best = tl.maximum(best, 0.0, propagate_nan=tl.PropagateNan.ALL)
    target = output + row[:, None].to(tl.int64) * channels + channel[None, :]
    tl.store(target, best.to(output.dtype.element_ty), mask=mask)


@triton.jit
def _terms_of(terms, channel, channels, inside):
    """Return mean, 1/deviation, scale and shift of some channels, each as a row."""
    mean = tl.load(terms + channel, mask=inside, other=0.0)[None, :]
    inverse = tl.load(terms + channels + channel, mask=inside, other=0.0)[None, :]
    scale = tl.load(terms + 2 * channels + channel, mask=inside, other=0.0)[None, :]
    shift = tl.load(terms + 3 * channels + channel, mask=inside, other=0.0)[None, :]
    return mean, inverse, scale, shift


@triton.jit
def _peak(source, mask, scale, shift, width, channels, SIDE: tl.constexpr):
    """Return the largest normalised value of each window, the input there, and its corner: the first largest one."""
    raw = tl.load(source, mask=mask, other=0.0).to(tl.float32)
    best = raw * scale + shift
    place = tl.zeros_like(best)
    if SIDE == 2:
        for corner in tl.static_range(1, 4):
            step = ((corner // 2) * width + corner % 2) * channels
            other = tl.load(source + step, mask=mask, other=0.0).to(tl.float32)
            value = other * scale + shift
            is_larger = value > best
            best = tl.where(is_larger, value, best)
            raw = tl.where(is_larger, other, raw)
            place = tl.where(is_larger, corner, place)
    return best, raw, place


@triton.jit
def reduce_gradients(
    images, gradient, terms, parts, rows, height, width, channels,
    SIDE: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Store each part's sums of the gradient, and of the gradient times the normalised input."""
    part = tl.program_id(0)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < channels
    mean, inverse, scale, shift = _terms_of(terms, channel, channels, inside)
    sums = tl.zeros((ROWS, CHANNELS), tl.float32)
    products = tl.zeros((ROWS, CHANNELS), tl.float32)
    for start in range(part * ROWS, rows, tl.num_programs(0) * ROWS):
        row = start + tl.arange(0, ROWS)
        mask = (row < rows)[:, None] & inside[None, :]
        source = images + _corner(row, height, width, SIDE)[:, None] * channels + channel[None, :]
        best, raw, _ = _peak(source, mask, scale, shift, width, channels, SIDE)
        at = row[:, None].to(tl.int64) * channels + channel[None, :]
        slope = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
        slope = tl.where(best > 0, slope, 0.0)
        sums += slope
        products += slope * (raw - mean) * inverse
    target = parts + part * 2 * channels + channel
    tl.store(target, tl.sum(sums, 0), mask=inside)
    tl.store(target + channels, tl.sum(products, 0), mask=inside)


@triton.jit
def apply_gradients(
    images, gradient, terms, totals, output, rows, height, width, channels, inputs,
    SIDE: tl.constexpr, ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """Store the gradient of the input. `rows` are those of the output of the layer, `inputs` those of its input."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    inside = channel < channels
    mask = (row < rows)[:, None] & inside[None, :]
    mean, inverse, scale, shift = _terms_of(terms, channel, channels, inside)
    constant = (tl.load(totals + channel, mask=inside, other=0.0) / inputs)[None, :]
    linear = (tl.load(totals + channels + channel, mask=inside, other=0.0) / inputs)[None, :]
    corner_at = _corner(row, height, width, SIDE)[:, None] * channels + channel[None, :]
    best, _, place = _peak(images + corner_at, mask, scale, shift, width, channels, SIDE)
    at = row[:, None].to(tl.int64) * channels + channel[None, :]
    slope = tl.load(gradient + at, mask=mask, other=0.0).to(tl.float32)
    slope = tl.where(best > 0, slope, 0.0)
    for corner in tl.static_range(0, SIDE * SIDE):
        step = ((corner // 2) * width + corner % 2) * channels
        raw = tl.load(images + corner_at + step, mask=mask, other=0.0).to(tl.float32)
        own = tl.where(place == corner, slope, 0.0)
        result = scale * (own - constant - (raw - mean) * inverse * linear)
        tl.store(output + corner_at + step, result.to(output.dtype.element_ty), mask=mask)


@triton.jit
def columns(
    images, output, rows, height, width, stride_n, stride_c, stride_h, stride_w,
    INPUTS: tl.constexpr, COLUMNS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """Store the 3 x 3 neighbourhood of every position, padded with zeros: column (3 i + j) x INPUTS + channel."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    x = row % width
    y = (row // width) % height
    n = (row // (width * height)).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    channel = column % INPUTS
    i = y[:, None] + (column // (3 * INPUTS) - 1)[None, :]
    j = x[:, None] + (column // INPUTS % 3 - 1)[None, :]
    inside = (i >= 0) & (i < height) & (j >= 0) & (j < width) & (column < 9 * INPUTS)[None, :] & (row < rows)[:, None]
    source = images + n[:, None] * stride_n + channel[None, :] * stride_c + i * stride_h + j * stride_w
    value = tl.load(source, mask=inside, other=0.0)
    target = output + row[:, None].to(tl.int64) * COLUMNS + column[None, :]
    tl.store(target, value.to(output.dtype.element_ty), mask=(row < rows)[:, None])
