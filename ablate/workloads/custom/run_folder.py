"""The working folder of a run: a private view of the files around the study, in which relative paths work unchanged.

The view is a mirror of the file system (`mirror`). A process keeps the mirror of its last run, for the next one.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

from ablate.journal.run_log import Diverged
from ablate.studies.job import Log, TrainingLost
from ablate.studies.workload import Workload
from ablate.workloads.custom.declarations import DeclaredData
from ablate.workloads.custom.fingerprint import digest
from ablate.workloads.custom.linked_originals import check_surroundings, check_unchanged, states_of_links
from ablate.workloads.custom.mirror import Mirror, root_of

SPARE = ".spare"
"""Suffix of a mirror that waits for the next run of its process."""


@dataclass(frozen=True)
class RunFolder:
    """The mirror at `top`, in which the run works in the folder that corresponds to `original`."""

    top: Path
    original: Path

    @property
    def path(self) -> Path:
        """The working folder of the run."""
        return self.inside(self.original)

    def inside(self, path: Path) -> Path:
        """Return the run's own view of an absolute path."""
        return self.top / path.relative_to(path.anchor)


_spares: dict[tuple[Path, tuple[Path, ...]], Mirror] = {}
"""The mirror of the last run of this process, by its folder and its data."""


@contextmanager
def run_folder(top: Path, folders: Sequence[Path], data: Sequence[Path]) -> Iterator[RunFolder]:
    """Create the mirror of a run at `top`, which is `<project>/mlruns/journal/<run>.work`.

    It stays there if the run is interrupted, and the resumed run finds its files, unless the project was moved.

    Args:
        top: The folder to create.
        folders: Absolute paths of the folders that the run needs, its working folder first.
        data: Files and folders that are linked, never copied.

    Raises:
        UserError: An original that the mirror links has changed within this context.
    """
    made = RunFolder(top, folders[0])
    if not all(made.inside(folder).is_dir() for folder in folders):
        shutil.rmtree(top, ignore_errors=True)  # of a project that was moved since
    mirror = None if top.is_dir() else _make_mirror(top, folders, data)
    root = root_of(folders[0], top.parents[2])
    before = states_of_links(made.inside(root))
    try:
        yield made
        check_unchanged(before)
        check_surroundings(top, root)
    except Diverged:
        check_unchanged(before)
        check_surroundings(top, root)
        raise
    except (TrainingLost, OSError):
        mirror = None  # the run may be resumed
        raise
    except BaseException as reason:
        mirror = mirror if isinstance(reason, Exception) else None
        raise
    finally:
        if mirror is not None:
            _keep(mirror, top, data)


def _make_mirror(top: Path, folders: Sequence[Path], data: Sequence[Path]) -> Mirror:
    """Restore the mirror of the last run, or make one, and move it to `top`."""
    place = _place_of_spare(top)
    mirror = _spares.pop((top.parent, tuple(data)), None)
    _remove_spares()
    try:
        if mirror is None:
            raise FileNotFoundError
        mirror.restore(folders)
    except OSError:
        shutil.rmtree(place, ignore_errors=True)
        mirror = Mirror(place, top.parents[2], top.parents[1], data)
        mirror.restore(folders)
    place.rename(top)
    mirror.top = str(top)
    return mirror


def _place_of_spare(top: Path) -> Path:
    return top.with_name(f"{socket.gethostname()}-{os.getpid()}-{_name_of_process(os.getpid())}{SPARE}")


@cache
def _name_of_process(_pid: int) -> str:
    return uuid4().hex[:8]  # other containers may have processes of the same number, on a host of the same name


def _keep(mirror: Mirror, top: Path, data: Sequence[Path]) -> None:
    place = _place_of_spare(top)
    with suppress(OSError):
        top.rename(place)
        mirror.top = str(place)
        _spares[top.parent, tuple(data)] = mirror


@atexit.register
def _remove_spares() -> None:
    while _spares:
        shutil.rmtree(_spares.popitem()[1].top, ignore_errors=True)


@contextmanager
def working_folder(workload: Workload, log: Log, *folders: Path) -> Iterator[RunFolder]:
    """Create the working folder of a run, which corresponds to the first of `folders`.

    With a shared folder, it is that folder itself, and other runs wait.
    """
    resolved = [folder.resolve() for folder in folders]
    if workload.shared_folder:
        from filelock import FileLock

        log.working_folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(log.working_folder.with_name(f"shared-{digest([str(resolved[0])])}.lock")):
            yield RunFolder(Path(resolved[0].anchor), resolved[0])
        return
    data = workload.data_function.locations if isinstance(workload.data_function, DeclaredData) else ()
    with run_folder(log.working_folder.resolve(), resolved, data) as folder:
        yield folder
