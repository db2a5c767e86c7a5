"""Entry point of the `ablate` command: check that the package `ablate` is ours, then start the command line.

Another project on the package index, named `ablate`, also installs a file `ablate/__init__.py`. This module is outside
the package, so that it can still report when that file has replaced ours.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module

DISTRIBUTION = "ablate-study"
"""Name of this project on the package index; the package and the command are named `ablate`."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as of a shell."""

REINSTALL = f"pip uninstall --yes ablate, then pip install --force-reinstall --no-deps {DISTRIBUTION}"


def foreign_version() -> str | None:
    """Return the version of the other project's distribution `ablate`, or None if it is not installed."""
    from importlib.metadata import PackageNotFoundError, distribution  # takes longer to import than the check below

    try:
        found = distribution("ablate")
    except PackageNotFoundError:
        return None
    is_ours = any(script.value == "ablate.__main__:main" for script in found.entry_points)  # before it was renamed
    return None if is_ours else found.version


def damage(error: ImportError | None = None) -> str:
    """Return one line on a package `ablate` whose files are not ours, with the commands that repair it."""
    other = foreign_version()
    cause = f"overwritten by another project named 'ablate' (version {other})" if other else "missing or overwritten"
    detail = f" ({error})" if error else ""
    return f"Files of the package 'ablate' are {cause}{detail}. To repair the installation: {REINSTALL}"


def main() -> None:
    """Run the command line. Ctrl-C ends it with one line and exit code 130 also while it starts."""
    _open_standard_files()
    try:
        _run()
    except KeyboardInterrupt:
        sys.stderr.write("error: Interrupted. The same command resumes the work\n")
        _end_quickly(INTERRUPTED)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            _end_quickly(INTERRUPTED)
        raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # another Ctrl-C ends the process, without a traceback
        if not _flush():
            sys.exit(1)


def _open_standard_files() -> None:
    """Open closed standard files on the null device. Otherwise files opened later get their numbers, and the output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r+", encoding="utf-8"))  # noqa: SIM115, PTH123


def _flush() -> bool:
    """Write buffered output, and return whether standard output took it. Python would exit with code 120."""
    is_written = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a full disk, a closed pipe or a closed file
            is_written = is_written and stream is not sys.stdout
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return is_written


def _end_quickly(code: int) -> None:
    """End the process as usual, but without clearing its modules, which takes more than a second with torch."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # Python, too, waits for threads here
    atexit._run_exitfuncs()  # noqa: SLF001
    _flush()
    os._exit(code)


def _run() -> None:
    """Run the command line, or exit with one line if the files of the package are not ours."""
    try:
        is_ours = getattr(import_module("ablate"), "DISTRIBUTION", None) == DISTRIBUTION
    except ImportError as error:  # our own file imports nothing
        sys.exit(f"error: {damage(error)}")
    if not is_ours:
        sys.exit(f"error: {damage()}")
    try:
        import_module("ablate.cli.app").main()  # commands import most modules when they run
    except ImportError as error:
        if not (error.name or "").startswith("ablate") or "--debug" in sys.argv:
            raise
        sys.exit(f"error: {damage(error)}")


if __name__ == "__main__":
    main()
