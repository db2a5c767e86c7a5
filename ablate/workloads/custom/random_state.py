"""The state of random number generators after the import of a study file, and in the runs that start from it.

A generator that the file has seeded is in the same state in every run, as it is in a script. One that it has not seeded
has another state in every run, as it has in every new process, although a fork copies its parent's.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from typing import Any

_LARGEST_SEED = 1 << 32
"""Seeds that PyTorch draws from the operating system are larger, with a probability of 1 - 2^-21."""


@dataclass(frozen=True)
class RandomState:
    """The state of Python's generator, if the file has seeded it."""

    python: tuple[Any, ...] | None

    @classmethod
    def after(cls, earlier: tuple[Any, ...]) -> RandomState:
        """Return the state after an import that began with the state `earlier` of Python's generator."""
        now = random.getstate()
        return cls(None if _words(now) == _words(earlier) else now)

    def restore(self) -> None:
        """Set the generators of a run that has just been forked."""
        if self.python is not None:
            random.setstate(self.python)  # a fork seeds it
        numpy = sys.modules.get("numpy")
        if numpy is not None and not _is_seeded(numpy):
            numpy.random.seed()
        torch = sys.modules.get("torch")
        if torch is not None and torch.initial_seed() >= _LARGEST_SEED:
            torch.seed()


def _words(state: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the words of the state, which the first 624 numbers do not change, without the position in them."""
    return tuple(state[1][:-1])


def _is_seeded(numpy: Any) -> bool:
    """Return whether NumPy's global generator is in another state than the one that it began with."""
    generator = numpy.random.mtrand._rand._bit_generator  # noqa: SLF001  # NumPy has no public name for it
    first = type(generator)(generator.seed_seq)
    return not (generator.state["state"]["key"] == first.state["state"]["key"]).all()
