"""Failures that the exit code of a program does not show, but its output does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRACED = re.compile(r"(?:\w+\.)*\w+(?::|$)")
_UNCAUGHT = re.compile(
    r"^(?:Exception in thread .*|Process \S+-\d+(?::\d+)*:|.*Task exception was never retrieved)\n"
    r"(?:(?!Traceback).*\n)?Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)",
    re.MULTILINE,
)
"""Python's report of an exception in a thread, a child process or a task, with the exception."""

_FATAL = re.compile(
    r"^(?:thread '.*' panicked at .*|Exception in thread \".*|panic: .*|fatal error: .*|terminate called .*"
    r"|ERROR: LoadError: .*|Error in .*\n(?:.*\n)?Execution halted|Error: .*\n(?: +at .*\n)+"
    r"|╰─+╯\n\S*(?:Error|Exception)\b.*|.*\bSegmentation fault\b.*|.*\(core dumped\).*"
    r"|.*: line \d+: +\d+ (?:Killed|Aborted|Bus error)\b.*|\S*make\S*: .*\bError \d+ \(ignored\))",
    re.MULTILINE,
)
"""Last words of programs in Rust, Java, Go, C++, Julia, R and Node.js, of rich, make, and of shells about signals."""

_TRACEBACK = re.compile(
    r"^(.*?)Traceback \(most recent call last\):\n(?>(?:\1)?(?:[ \t].*)?\n)*+(?:\1)?(\S.*)", re.MULTILINE
)
"""A Python traceback, each line of which may have a prefix such as `[rank0]: `, with its exception."""


@dataclass(frozen=True)
class OutputFiles:
    """The files with the output of a program by name, and their lengths before it started: others may precede it."""

    files: Mapping[str, Path]
    earlier: Mapping[str, int]

    @classmethod
    def of(cls, files: Mapping[str, Path]) -> Self:
        """Return the files with their present lengths."""
        return cls(files, {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()})

    def hidden_error(self, success: str) -> str:
        """Return a warning about an error that the output since then shows in spite of a `success`."""
        texts = ((name, file.read_bytes()[self.earlier[name] :]) for name, file in self.files.items())
        errors = (hidden_error(text.decode(errors="replace"), name) for name, text in texts)
        return next((f"{success}, but {error}" for error in errors if error), "")


def hidden_error(output: str, where: str) -> str:
    """Return a warning about an error that the output of a program with exit code 0 shows, or an empty text."""
    text = _COLOUR.sub("", output)
    if error := final_traceback(text):
        return f"its {where} ends with {error}"
    if found := [*_UNCAUGHT.finditer(text)]:
        return f"its {where} has an exception that nothing caught: {found[-1][1][:300]}"
    if found := [*_FATAL.finditer(text)]:
        return f"its {where} has {' '.join(found[-1][0].split())[:300]}"
    if error := _last_traceback(text):
        return f"its {where} has a Python traceback: {error}"
    return ""


def _last_traceback(text: str) -> str:
    """Return the exception of the last traceback in a text, without those that Python ignores in destructors."""
    found = ""
    for match in _TRACEBACK.finditer(text):
        before = text[: match.start()].rstrip("\n").rpartition("\n")[2]
        found = found if before.startswith("Exception ignored in") else match[2][:300]
    return found


def final_traceback(text: str) -> str:
    """Return the exception of a Python traceback that a text ends with, or an empty text."""
    _, header, after = text.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in after.splitlines() if line.strip() and not line[0].isspace()]
    return lines[0][:300] if header and len(lines) == 1 and _TRACED.match(lines[0]) else ""
