"""Seeds in the names of runs, and the names without them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ablate.stats.effects.seeds import integer

_SEED = re.compile(r"(?:/s|[/_\-. ]?seed[_=\- ]?)(\d+)$", re.IGNORECASE)
"""The end of a name that is a seed even if no param is: `vit/s3`, `vit-seed3`."""

_SEED_AT_END = re.compile(r"(?:[/_\-. ]+s|[/_\-. ]*seed)[_=\- ]?(\d+)$", re.IGNORECASE)
"""The end of a name that may be the run's seed: `vit-s16` may be a size, too."""


def seed_in(name: str) -> str:
    """Return the seed at the end of a name; empty if there is none."""
    found = _SEED.search(name)
    return found[1] if found else ""


def without_seeds(names: Sequence[str], seeds: Sequence[str]) -> list[str]:
    """Return names without their seeds, if in every name that ends like a seed it is the seed of that run."""
    ends = [_SEED_AT_END.search(name) for name in names]
    matching = [integer(seed) == int(found[1]) for found, seed in zip(ends, seeds, strict=True) if found]
    if not all(matching):
        return list(names)
    return [name[: found.start()] or name if found else name for name, found in zip(names, ends, strict=True)]
