"""Faults of the cache of compiled kernels and of the compiler: a run does without kernels, or compiles them again."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from tests.faults.audit import Auditor
from tests.faults.commands import Command
from tests.faults.kills import TINY, Trial
from tests.faults.others import mounted, require_clean_end


def _file(kernels: Path, suffix: str) -> Path:
    return next(kernels.glob(f"*{suffix}"))


def _damage(suffix: str, content: bytes | None) -> Callable[[Path], None]:
    """Return a fault that replaces a file of the cache, by a pipe if `content` is None."""

    def change(kernels: Path) -> None:
        path = _file(kernels, suffix)
        path.unlink()
        if content is None:
            os.mkfifo(path)
        else:
            path.write_bytes(content)

    return change


def _link(kernels: Path) -> None:
    path = _file(kernels, ".so")
    path.rename(kernels.parent / "other.so")
    path.symlink_to(kernels.parent / "other.so")


def _truncate(kernels: Path) -> None:
    path = _file(kernels, ".so")
    os.truncate(path, path.stat().st_size // 2)


CHANGES: dict[str, Callable[[Path], None]] = {
    "removed": shutil.rmtree,
    "library truncated": _truncate,
    "library a link": _link,
    "library writable by all": lambda kernels: _file(kernels, ".so").chmod(0o777),
    "folder writable by all": lambda kernels: kernels.chmod(0o777),
    "folder in the hands of all": lambda kernels: kernels.parent.chmod(0o777),
    "digest not text": _damage(".sha256", b"\xff\xfe" * 32),
    "digest a pipe": _damage(".sha256", None),
    "table nested too deeply": _damage(".json", b"[" * 10**5),
    "table a pipe": _damage(".json", None),
}
COMPILERS = {
    "missing": "",
    "of another machine": "\x7fELF",
    "fails": "#!/bin/bash\nprintf '\\377\\n' >&2; exit 1\n",
    "killed": '#!/bin/bash\n[ "$1" = --version ] && exit; echo half > ${@: -1}; kill -9 $$\n',
}


def kernel_cache(trial: Trial) -> None:
    """Damage the cache of the kernels, fill its disk or break the compiler; each run must succeed."""
    project, good = trial.project(), trial.folder / "good"
    auditor = Auditor(project, trial.tally)

    def run(cache: Path, compiler: str = "") -> None:
        environment = {"ABLATE_CACHE": str(cache), **({"CXX": compiler} if compiler else {})}
        line = ("run", *TINY, "--seed", str(trial.tally.tries))
        ended = Command(line, project, environment).run()
        require_clean_end(trial, ended)
        trial.require_success(ended)

    run(good)
    for name, change in CHANGES.items():
        cache = trial.folder / name
        shutil.copytree(good, cache)
        change(cache / "kernels")
        run(cache)
        _check_private(trial, cache / "kernels")
    for name, text in COMPILERS.items():
        cache, compiler = trial.folder / f"compiler {name}", trial.folder / "compilers" / name
        compiler.parent.mkdir(exist_ok=True)
        compiler.write_text(text)
        compiler.chmod(0o700 if text else 0o600)
        run(cache, str(compiler))
        if leftovers := [path.name for path in (cache / "kernels").glob("*.tmp")]:
            trial.tally.add_corruption(f"{name}: {leftovers}")
    for options in ("size=64k", "noexec", "ro"):
        cache = trial.folder / options
        shutil.copytree(good, cache, ignore=shutil.ignore_patterns("kernels"))
        with mounted("-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", target=cache / "kernels"):
            run(cache)
    auditor.check_store()


def _check_private(trial: Trial, kernels: Path) -> None:
    """Check that the library of a folder that only this user can write is such a file again."""
    libraries = [path for path in kernels.glob("*.so") if not kernels.stat().st_mode & stat.S_IWOTH]
    for path in libraries:
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) or mode & stat.S_IWOTH:
            trial.tally.add_corruption(f"{path} was not compiled again")


KERNELS: list[tuple[str, Callable[[Trial], None], int]] = [
    ("compiled kernels: cache damaged, foreign, full or read-only; compiler missing or broken", kernel_cache, 18),
]
"""Name, function and number of tries of each."""
