"""Recognise by name which files are images, which accompany images, and which to ignore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ablate.wording import count, listed

IGNORED_NAMES = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
OTHER_SUFFIXES = frozenset(
    (
        *(".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".md", ".rst", ".html", ".htm", ".pdf"),
        *(".doc", ".docx", ".xls", ".xlsx", ".log", ".ini", ".cfg", ".toml", ".db", ".sqlite", ".md5", ".sha256"),
        *(".npy", ".npz", ".pkl", ".pickle", ".pt", ".pth", ".h5", ".hdf5", ".mat", ".parquet", ".arrow", ".bin"),
        *(".py", ".ipynb", ".sh", ".lock", ".url", ".lnk", ".bak"),
        *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"),
    )
)
"""Files next to images that are not images themselves. Files with other suffixes, or none, are decoded as images."""
READ_SUFFIXES = frozenset({".csv", ".parquet", ".bin"})
"""Files that are not images, but may have images or labels."""


def is_ignored(part: str) -> bool:
    """Return whether a file or folder of this name is hidden or made by the operating system."""
    return part.startswith(".") or part in IGNORED_NAMES


def suffix_of(name: str) -> str:
    """Return the suffix of a file name in lower case, with its dot; "" without one."""
    file = name[name.rfind("/") + 1 :]
    dot = file.rfind(".")
    return file[dot:].lower() if 0 < dot < len(file) - 1 else ""


def skipped_note(suffixes: Iterable[str]) -> str:
    """Return a sentence that counts skipped files by suffix, or "" without any."""
    counts = Counter(suffixes)
    if not counts:
        return ""
    kinds = [f"{number:,} {suffix}" for suffix, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    total = sum(counts.values())
    return f"skipped {count(total, 'file that is not an image', 'files that are not images')} ({listed(kinds, 4)})"
