"""Shell commands and scripts whose exit code is not that of the training in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

_REDIRECTION = re.compile(r"\d*>&\d+|&>>?")
_SUBSTITUTION = re.compile(r"^\w+=\"?(?:\$\(|`)")
"""The beginning of an assignment of the output of a command."""

_HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)['\"]?[^\n]*\n(?:.*\n)*?\s*\1[ \t]*(?=\n|$)")
_LONGEST = 100_000
"""Number of bytes of a script that are read."""

_TRAP = re.compile(r"\btrap\s+(?:-- )?(['\"])[^'\"]*\bexit 0\s*;?\s*\1[A-Z\d ]*\b(?:EXIT|ERR|0)\b")
"""A trap that replaces the exit code of a script."""

_PRINTED = re.compile(
    r"(?:^|[;&|\n])\s*(echo|printf|export|local|declare|readonly)\b[^\n;|&]*(?:\$\(|`)(?:\w+=\S+ +)*([\w./-]+)",
    re.MULTILINE,
)
"""A command whose exit code replaces that of a program in its arguments, and this program."""

_SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
_PREFIXES = {"exec", "env", "nohup", "time", "nice", "command", "(", "{", "!"}
_PREFIXES |= {"if", "elif", "while", "until", "then", "else", "do"}
_CLOSING = {"fi", "done", "esac", "}", ")", "then", "else", "do", ";;"}
_HARMLESS = {
    *("echo", "printf", "true", ":", "cat", "zcat", "yes", "seq", "ls", "find", "sort", "head", "tail", "tee", "grep"),
    *("cd", "mkdir", "touch", "cp", "mv", "rm", "ln", "date", "sleep", "wait", "exit", "export", "set", "source", "."),
    *("ulimit", "module", "conda", "test", "[", "[[", "trap", "unset", "deactivate", "awk", "sed", "cut", "wc", "tar"),
}
"""Commands whose own failure is not that of a training."""

_TRAININGS = re.compile(
    r"python[\d.]*|pypy3?|torchrun|accelerate|deepspeed|mpirun|mpiexec|srun|Rscript|julia|node|java|uv|poetry|pixi|make|xargs|parallel"
)
"""Programs of trainings. In a script, others are part of its preparation."""

_Commands = Sequence[tuple[Sequence[str], str]]
"""The words of commands, each with the operator after it."""

_DEEPEST = 3
"""Number of scripts that call each other which are read."""


def hidden_exit_code(arguments: Sequence[str], here: Path, folder: Path) -> str:
    """Return a warning about a command whose exit code is not that of its program, or an empty text.

    Args:
        arguments: The arguments of the command, a shell with a script for instance.
        here: The folder of the study file, for the placeholder `{here}`.
        folder: The working folder of the command.
    """
    options, script = _shell_command(arguments)
    if script:
        return _hidden(_Script(script, options), "Use bash -eo pipefail -c")
    words = [word.replace("{here}", str(here)) for word in arguments]
    return _hidden_in_file(words, folder, 0)


@dataclass(frozen=True)
class _Script:
    """The text of a shell script, the options of its shell, and its file if it has one."""

    text: str
    options: str = ""
    file: str = ""

    @property
    def is_pipe_checked(self) -> bool:
        return "pipefail" in self.options + self.text or "PIPESTATUS" in self.text

    @property
    def stops_at_errors(self) -> bool:
        by_command = rf"{'^[^#]*' if self.file else ''}\bset\s+(?:-\w*e|-o\s+errexit)"
        by_option = "errexit" in self.options or bool(re.search(r"(?:^|\s)-\w*e", self.options))
        return by_option or any(re.search(by_command, line) for line in self.text.splitlines())

    def is_training(self, program: str) -> bool:
        """Return whether a program may be the training, so that its failure matters."""
        if not self.file:
            return program not in _HARMLESS
        return "/" in program or bool(_TRAININGS.fullmatch(PurePath(program).name))


def _hidden(script: _Script, remedy: str) -> str:
    """Return a warning about the first program of a script whose failure is hidden."""
    where = script.file or "the command"
    if trap := _TRAP.search(script.text):
        return f"A failure in {where} is hidden by {' '.join(trap[0].split())}. Leave it out"
    for printed in _PRINTED.finditer(script.text):
        if _TRAININGS.fullmatch(name := PurePath(printed[2]).name):
            return f"A failure of {name} in {where} is hidden in the arguments of {printed[1]}. Assign its output first"
    commands = [(words, operator) for words, operator in _commands(script.text) if not _CLOSING.issuperset(words)]
    for place, (words, _) in enumerate(commands):
        program = _program(words)
        how = _how_hidden(script, commands, place) if program and script.is_training(program) else ""
        if how:
            failure = f"A failure of {PurePath(program).name} in {where} is hidden"
            if how.startswith("by"):
                return f"{failure} {how}. Leave it out"
            return f"{failure}, because it is {how}: the run would count as finished. {remedy}"
    return ""


def _how_hidden(script: _Script, commands: _Commands, place: int) -> str:
    """Return how the failure of the command at a place is hidden, or an empty text."""
    place, operator = _end_of_chain(commands, place)
    rest = commands[place + 1 :]
    later = [_last_command(other) for other, _ in rest]
    if not later or rest[0][0] == ["exit"]:  # it has the exit code of the program
        return ""
    if operator == "|" and not script.is_pipe_checked:
        return f"piped to {later[0]}"
    if operator == "||" and later[0] in _HARMLESS - {"exit"} and not _is_failing_group(rest):
        return f"by || {later[0]}"
    is_followed = operator in (";", "&") and not script.stops_at_errors and _HARMLESS.issuperset(later)
    return f"followed by {later[-1]}" if is_followed else ""


def _end_of_chain(commands: _Commands, place: int) -> tuple[int, str]:
    """Return the place of the last harmless command that runs only after the success of one, and what follows it."""
    last = place
    while commands[last][1] == "&&" and len(commands) > last + 1 and _program(commands[last + 1][0]) in _HARMLESS:
        last += 1
    operator = commands[last][1]
    return last, "&&" if last > place and operator == "|" else operator


def _is_failing_group(commands: _Commands) -> bool:
    """Return whether commands begin with a group such as `{ echo failed; exit 1; }`."""
    return commands[0][0][0][0] in "({" and len(commands) > 1 and _last_command(commands[1][0]).startswith("exit ")


def _last_command(words: Sequence[str]) -> str:
    """Return the program of a command, with its arguments if its exit code is that of an earlier command."""
    program = _program(words)
    passes_on = program in ("exit", "wait") and words[-1] not in (program, "0")
    return " ".join(words) if passes_on else PurePath(program).name


def _hidden_in_file(words: Sequence[str], folder: Path, depth: int) -> str:
    """Return a warning about the script that a command runs, or one that this script runs."""
    found = _script_file(words, folder)
    if found is None or depth >= _DEEPEST:
        return ""
    name, options, text = found
    text = _HERE_DOCUMENT.sub("\n", text.replace("\\\n", " "))
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if hidden := _hidden(_Script(text, options, name), f"Begin {name} with: set -eo pipefail"):
        return hidden
    commands = ([word for word in words if word not in _PREFIXES] for words, _ in _commands(text))
    inner = (_hidden_in_file(words, folder, depth + 1) for words in commands if words)
    return next((hidden for hidden in inner if hidden), "")


def _script_file(words: Sequence[str], folder: Path) -> tuple[str, str, str] | None:
    """Return the name of the shell script that a command runs, the options of its shell, and its text."""
    place = next((place for place, word in enumerate(words) if PurePath(word).name in _SHELLS), -1)
    options = [word for word in words[place + 1 :] if word.startswith("-")] if place >= 0 else []
    names = [word for word in words[place + 1 :] if not word.startswith("-")]
    if not names or (place < 0 and "/" not in names[0]) or (place > 0 and not _leads_to_shell(words[:place])):
        return None
    try:
        text = (folder / names[0]).read_bytes()[:_LONGEST].decode()
    except (OSError, ValueError):  # another command, or no text
        return None
    if place < 0:  # the script itself names its shell
        first = re.match(r"#!.*?(\w+)((?: -.*)?)\n", text)
        if first is None or first[1] not in _SHELLS:
            return None
        options = [first[2]]
    return names[0], " ".join(options), text


def _leads_to_shell(words: Sequence[str]) -> bool:
    return all(word in _PREFIXES or "=" in word or word.startswith("-") for word in words)


def _shell_command(arguments: Sequence[str]) -> tuple[str, str]:
    """Return the options of a shell and the command that it gets as an argument, empty for another command."""
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
    words = [_SUBSTITUTION.sub("", word) for word in words]
    rest = [word for word in words if not re.match(r"\w+=", word) and word not in _PREFIXES]
    return rest[0].strip("(){}`") if rest else ""
