"""Folders outside a project."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of downloads, decoded data and compiled kernels: ABLATE_CACHE, or the system's cache folder."""
    import platformdirs

    chosen = os.environ.get("ABLATE_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_cache_dir("ablate"))
