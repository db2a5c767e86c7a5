"""Failures that the exit code of a program, or the return value of a function, does not show."""

from __future__ import annotations

import re
import shlex
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
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
    r"|.*: line \d+: +\d+ (?:Killed|Aborted|Bus error)\b.*)",
    re.MULTILINE,
)
"""Last words of programs in Rust, Java, Go, C++, Julia, R and Node.js, of rich, and of shells about signals."""

_REDIRECTION = re.compile(r"\d*>&\d+|&>>?")
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
_PREFIXES = {"exec", "env", "nohup", "time", "nice", "command", "(", "{", "!"}
_HARMLESS = {
    *("echo", "printf", "true", ":", "cat", "zcat", "yes", "seq", "ls", "find", "sort", "head", "tail", "tee", "grep"),
    *("cd", "mkdir", "touch", "cp", "mv", "rm", "ln", "date", "sleep", "wait", "exit", "export", "set", "source", "."),
    *("ulimit", "module", "conda", "test", "["),
}
"""Commands whose own failure is not that of a training."""


@dataclass(frozen=True)
class OutputFiles:
    """The files with the output of a program by name, and their lengths before it started: others may precede it."""

    files: Mapping[str, Path]
    earlier: Mapping[str, int]

    @classmethod
    def of(cls, files: Mapping[str, Path]) -> Self:
        """Return the files with their present lengths."""
        return cls(files, {name: file.stat().st_size if file.exists() else 0 for name, file in files.items()})

    def hidden_error(self) -> str:
        """Return a warning about an error that the output since then shows although the exit code is 0."""
        texts = ((name, file.read_bytes()[self.earlier[name] :]) for name, file in self.files.items())
        errors = (hidden_error(text.decode(errors="replace"), name) for name, text in texts)
        return next((f"the program's exit code is 0, but {error}" for error in errors if error), "")


def hidden_error(output: str, where: str) -> str:
    """Return a warning about an error that the output of a program with exit code 0 shows, or an empty text."""
    text = _COLOUR.sub("", output)
    if error := final_traceback(text):
        return f"its {where} ends with {error}"
    if found := [*_UNCAUGHT.finditer(text)]:
        return f"its {where} has an exception that nothing caught: {found[-1][1][:300]}"
    if found := [*_FATAL.finditer(text)]:
        return f"its {where} has {' '.join(found[-1][0].split())[:300]}"
    return ""


def final_traceback(text: str) -> str:
    """Return the exception of a Python traceback that a text ends with, or an empty text."""
    _, header, after = text.rpartition("Traceback (most recent call last):\n")
    lines = [line for line in after.splitlines() if line.strip() and not line[0].isspace()]
    return lines[0][:300] if header and len(lines) == 1 and _TRACED.match(lines[0]) else ""


def hidden_exit_code(arguments: Sequence[str]) -> str:
    """Return a warning about a shell command whose exit code is not that of its program, or an empty text."""
    options, script = _shell_script(arguments)
    has_pipefail = "pipefail" in options + script
    has_errexit = "errexit" in options + script or bool(re.search(r"(?:^|\s)-\w*e", f"{options} {script}"))
    commands = _commands(script)
    for place, (words, operator) in enumerate(commands):
        program, later = _program(words), [_program(other) for other, _ in commands[place + 1 :]]
        if not program or program in _HARMLESS or not later:
            continue
        if operator == "|" and not has_pipefail:
            return _warning(program, "piped to", later[0])
        if operator == "||" and later[0] in _HARMLESS - {"exit"}:
            return f"A failure of {program} in the command is hidden by || {later[0]}. Leave it out"
        if operator in (";", "&") and not has_errexit and _HARMLESS.issuperset(later):
            return _warning(program, "followed by", later[-1])
    return ""


def _warning(program: str, how: str, other: str) -> str:
    return (
        f"A failure of {program} in the command is hidden, because it is {how} {other}: the run would count as "
        "finished. Use bash -eo pipefail -c"
    )


def _shell_script(arguments: Sequence[str]) -> tuple[str, str]:
    """Return the options of a shell and its script, empty for another command."""
    place = next((place for place, word in enumerate(arguments) if PurePath(word).name in _SHELLS), len(arguments))
    options = arguments[place + 1 :]
    for number, option in enumerate(options[:-1]):
        if re.fullmatch(r"-\w*c", option):
            return " ".join(options[: number + 1]), options[number + 1]
    return "", ""


def _commands(script: str) -> list[tuple[list[str], str]]:
    """Return the words of each command of a script, and the operator after it."""
    lexer = shlex.shlex(_REDIRECTION.sub(" ", script).replace("\n", " ; "), posix=True, punctuation_chars=";|&")
    lexer.whitespace_split, lexer.commenters = True, ""
    found, words = list[tuple[list[str], str]](), list[str]()
    try:
        parts = [*lexer]
    except ValueError:  # an open quotation mark
        return []
    for part in [*parts, ""]:
        if part.strip(";|&"):
            words.append(part)
        elif words:
            found.append((words, "|" if part == "|&" else part))
            words = []
    return found


def _program(words: Sequence[str]) -> str:
    """Return the program of a command, without variables and prefixes."""
    rest = [word for word in words if not re.match(r"\w+=", word) and word not in _PREFIXES]
    return PurePath(rest[0].strip("(){}")).name if rest else ""


@contextmanager
def recorded_thread_errors() -> Iterator[list[str]]:
    """Record the exceptions that end threads in this context, which Python only prints."""
    errors: list[str] = []
    report = threading.excepthook

    def record(ended: threading.ExceptHookArgs) -> None:
        if not issubclass(ended.exc_type, SystemExit):
            errors.append(traceback.format_exception_only(ended.exc_type, ended.exc_value)[-1].strip()[:300])
        report(ended)

    threading.excepthook = record
    try:
        yield errors
    finally:
        threading.excepthook = report
