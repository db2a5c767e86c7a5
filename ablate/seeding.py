"""One named random stream per purpose, so that switching one factor off changes no other draw.

Nothing in this package draws from a global generator. A stream is named by what it is for ("order", "augment",
"init/conv1.0.weight"); its state depends on the seed and that name only (Salmon et al., 2011, on keyed streams;
`numpy.random.SeedSequence` does the mixing).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def sequence(seed: int, purpose: str) -> np.random.SeedSequence:
    """Return the seed sequence of `purpose` under `seed` (a non-negative integer)."""
    name = np.frombuffer(hashlib.sha256(purpose.encode()).digest()[:16], dtype="<u4")
    return np.random.SeedSequence(seed, spawn_key=tuple(int(word) for word in name))


def numpy_stream(seed: int, purpose: str) -> np.random.Generator:
    """Return numpy's generator for `purpose`."""
    return np.random.default_rng(sequence(seed, purpose))


def torch_stream(seed: int, purpose: str, device: str = "cpu") -> torch.Generator:
    """Return torch's generator for `purpose` on `device`."""
    import torch

    word = int(sequence(seed, purpose).generate_state(1, np.uint64)[0])
    return torch.Generator(device).manual_seed(word >> 1)  # torch takes a signed 64-bit integer
