"""Named random streams, one per purpose: switching a component off changes no other random draw.

This package never draws from a global generator. The name of a stream is its purpose ("order", "split",
"init/conv1.0.weight"). Its state depends on the seed and this name only, mixed by `numpy.random.SeedSequence` (keyed
streams: Salmon et al., 2011).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def sequence(seed: int, purpose: str) -> np.random.SeedSequence:
    """Return the seed sequence of the stream `purpose` for a non-negative seed."""
    name = np.frombuffer(hashlib.sha256(purpose.encode()).digest()[:16], dtype="<u4")
    return np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in name))


def numpy_stream(seed: int, purpose: str) -> np.random.Generator:
    """Return a NumPy generator for the stream `purpose`."""
    return np.random.default_rng(sequence(seed, purpose))


def torch_stream(seed: int, purpose: str, device: str = "cpu") -> torch.Generator:
    """Return a PyTorch generator for the stream `purpose` on `device`."""
    import torch

    word = int(sequence(seed, purpose).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(word >> 1)  # torch takes a signed 64-bit integer
