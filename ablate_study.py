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


def _end_quickly(code: int) -> None:
    """End the process as usual, but without clearing its modules, which takes more than a second with torch."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001  # Python, too, waits for threads here
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
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
