"""The test suite: its folders mirror those of `ablate/`, `samples/` holds what tests share."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
