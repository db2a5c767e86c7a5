"""Copy the artifacts of another project, which may contain anything."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from ablate.errors import UserError

LARGEST = 4 * 2**30
"""Bytes of the artifacts of one run. Those of a run of this package are a few megabytes."""

MOST_FILES = 10_000


def copy_regular_files(source: Path, target: Path) -> int:
    """Copy the regular files in a folder to a new folder, and return the number of other entries, such as links.

    Raises UserError, before anything is copied, if the files have more than LARGEST bytes or are more than MOST_FILES.
    """
    files: list[Path] = []
    size = skipped = 0
    for folder, folders, names in os.walk(source):
        skipped += sum(Path(folder, name).is_symlink() for name in folders)
        for name in names:
            path = Path(folder, name)
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                files.append(path)
                size += found.st_size
            else:
                skipped += 1
            if size > LARGEST or len(files) > MOST_FILES:
                raise UserError(f"The artifacts have more than {LARGEST >> 30} GiB or {MOST_FILES:,} files")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for path in files:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy, follow_symlinks=False)
    return skipped
