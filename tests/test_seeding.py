"""Streams: equal for equal names, different for different names, and independent of global generators."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ablate.seeding import numpy_stream, sequence, torch_stream

seeds = st.integers(0, 2**63 - 1)
purposes = st.text(min_size=1, max_size=30)


@given(seeds, purposes)
def test_a_stream_is_named_by_seed_and_purpose(seed, purpose):
    assert torch.equal(torch_stream(seed, purpose).get_state(), torch_stream(seed, purpose).get_state())
    assert numpy_stream(seed, purpose).bit_generator.state == numpy_stream(seed, purpose).bit_generator.state


@given(seeds, seeds, purposes, purposes)
def test_other_seeds_and_purposes_give_other_streams(seed, other_seed, purpose, other_purpose):
    same = (seed, purpose) == (other_seed, other_purpose)
    words, others = (
        torch.randint(2**62, (4,), generator=torch_stream(*name)).tolist()
        for name in ((seed, purpose), (other_seed, other_purpose))
    )
    assert (words == others) == same
    assert (numpy_stream(seed, purpose).random() == numpy_stream(other_seed, other_purpose).random()) == same


def test_streams_are_pinned():
    """A change of the derivation would silently change the meaning of recorded seeds."""
    assert torch_stream(0, "order").initial_seed() == 8346717798908593052
    assert torch_stream(7, "init/conv1.0.weight").initial_seed() == 615422050068496670
    assert int(sequence(0, "split").generate_state(1, np.uint64)[0]) == 7484755896226361158


@pytest.mark.parametrize("purposes", [("order/epoch 1", "order/epoch 11"), ("augment", "dropout")])
def test_streams_are_uncorrelated(purposes):
    first, second = (torch.rand(20_000, generator=torch_stream(3, purpose)).double() for purpose in purposes)
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 4 / np.sqrt(20_000)


def test_global_generators_stay_untouched():
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002  # must not change
    torch.rand(3, generator=torch_stream(0, "order"))
    numpy_stream(0, "split").random()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002  # must not change
    assert random.getstate() == before[2]
