r"""Find the last value in the output of a program by a regular expression whose first group is the value.

A match is within one line, unless the pattern names line ends (see `_crosses_lines`): `\s*` does not lead to the
number of the next line. A later line with the text before the group and without a value that it matches is an error.
"""

from __future__ import annotations

import re

from ablate.errors import UserError
from ablate.workloads.custom.number_parsing import NO_VALUE_WORD, NUMBER_WORD

_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\(\?P<\w+>|\(\??|\)|.", re.DOTALL)
"""The tokens of a regular expression, as far as its groups are concerned."""

_LINE_ENDS = (r"\n", r"\r", "\n", "\r", r"\A", r"\Z", r"[\s\S]", r"[\S\s]", r"[\w\W]", r"[\W\w]", r"[\d\D]", r"[\D\d]")
_QUANTIFIER = r"(?:[*+?]|\{[0-9,]+\})?\??"
_SPACES = re.compile(rf"(?:(?:\\[stnr]|\\? |\[(?:\\[stnr]| )+\]){_QUANTIFIER})+\Z")
_ANYTHING = re.compile(rf"(?:\.|\\[DW]|\[\^(?:\\.|[^\]\\])*\]){_QUANTIFIER}\Z")
_SEPARATOR = re.compile(r"(?:[:=]|\[(?:[:= ]|\\[st])+\])[*+?]?\Z")
_NAME_END = re.compile(r"""(?:\\[^\w\s]|(?<!\\)[\w"')%])\??\Z""")
_DIGIT = rf"(?:\\d|\[(?!\^)[^\]]*(?:\\d|0-9)[^\]]*\]){_QUANTIFIER}"
_NUMBER = re.compile(rf"(?P<number>(?:(?:\\\.)?{_DIGIT})+)|\[\^(?:\\.|[^\]\\])*\]|\\.")
"""A number in a regular expression, or a part of the expression that only resembles one."""

_FLAGS = re.compile(r"\A\(\?[aiLmsux]+\)")
_GROUP_FLAGS = re.compile(r"[aiLmsux]*(?:-[imsx]+)?:")
_LOOKBEHIND = re.compile(r"\(\?<=([^()|]*)\)\Z")
_LEADING_SPACES = re.compile(rf"\A(?:(?:\\[st]|\\? ){_QUANTIFIER})+")
_GAP = r"""[ \t]*["'\[(]*(?:\w+\()?"""
"""What programs print between a name and its value."""


def find_last_value(pattern: str, text: str) -> re.Match[str] | None:
    """Return the last match of a pattern whose first group is a part of it; None if there is none.

    Raises UserError if a value is missing, or is not matched, after it.
    """
    regex, later = re.compile(_with_spaces_of_a_line(pattern), re.MULTILINE), _later_value(pattern)
    for section in reversed([text] if _crosses_lines(pattern) else re.split(r"[\r\n]+", text)):
        found = [match for match in regex.finditer(section) if match[1] is not None]
        end = found[-1].end(1) if found else 0
        for match in reversed(list(later.finditer(section) if later else [])):
            kind = next((name for name, part in match.groupdict().items() if part is not None), "")
            if kind and match.start(kind) >= end:
                raise UserError(_lost_value(pattern, match, kind))
        if found:
            return found[-1]
    return None


def _lost_value(pattern: str, lost: re.Match[str], kind: str) -> str:
    if kind in ("empty", "blank", "bare"):
        label = ((lost.string[: lost.start(kind)].splitlines() or [""])[-1].strip() or lost[0].strip())[-60:]
        return (
            f"The last {label!r} in the program's output has no value in its line. Print nan if there is none. "
            rf"If the value is in the next line, write \n in the pattern {pattern!r}"
        )
    return (
        f"The pattern {pattern!r} does not match {lost[kind]!r}, the last value in the program's output. "
        r"Let the pattern match every value with any spaces before it, as \s*(\S+) does"
    )


def split_at_group(pattern: str) -> tuple[str, str] | None:
    """Return the parts of a regular expression before and after its first group.

    None if it has no group or is a verbose one.
    """
    if re.compile(pattern).flags & re.VERBOSE:
        return None
    start = None
    open_groups: list[int] = []
    for token in _TOKEN.finditer(pattern):
        if token[0] == "(" or token[0].startswith("(?P<"):
            start = token.start() if start is None else start
            open_groups.append(token.start())
        elif token[0] == "(?":
            open_groups.append(token.start())
        elif token[0] == ")" and open_groups.pop() == start:
            return pattern[:start], pattern[token.end() :]
    return None


def _crosses_lines(pattern: str) -> bool:
    r"""Return whether a pattern is for several lines: with `\n`, `[\s\S]`, `(?s)`, or for the ends of the output."""
    flags = re.compile(pattern).flags
    raw = ("\n", "\r") if flags & re.VERBOSE else ()
    names_line_end = any(
        (token[0] in _LINE_ENDS and token[0] not in raw) or re.match(r"\[(?!\^).*\\[nr]", token[0])
        for token in _TOKEN.finditer(pattern)
    )
    return names_line_end or bool(flags & re.DOTALL) or re.search(r"(?<!\\)\(\?[aiLmux]*s[a-z-]*:", pattern) is not None


def _with_spaces_of_a_line(pattern: str) -> str:
    """Return a pattern whose spaces before the group, if they do not name a line end, are within one line."""
    before, _ = split_at_group(pattern) or ("", "")
    spaces = _SPACES.search(before)
    if spaces is None or re.search(r"\\[nr]|\[", spaces[0]):
        return pattern
    rest = pattern[len(before) :]
    return before[: spaces.start()] + spaces[0].replace(r"\s", r"[^\S\r\n]") + rest


def _innermost(before: str, after: str) -> tuple[str, str]:
    """Return the parts of the innermost alternative that contains a group."""
    starts = [0]
    for token in _TOKEN.finditer(before):
        if token[0] in ("(", "(?"):
            flags = _GROUP_FLAGS.match(before, token.end())
            starts.append(flags.end() if flags else token.end())
        elif token[0] == ")":
            starts.pop()
        elif token[0] == "|":
            starts[-1] = token.end()
    depth = 0
    for token in _TOKEN.finditer(after):
        if depth == 0 and token[0] in ("|", ")"):
            return before[starts[-1] :], after[: token.start()]
        depth += (token[0] in ("(", "(?") or token[0].startswith("(?P<")) - (token[0] == ")")
    return before[starts[-1] :], after


def _later_value(pattern: str) -> re.Pattern[str] | None:
    """Return an expression for the values behind the text before the group of a pattern, and for missing ones.

    Of its groups, `number` or `word` is a value, `last` one whose line ends within what follows the group, and `first`
    a missing one at the start of a line. `empty` is the place of a missing one before what follows the group, `bare`
    at the start of a line, and `blank` before the end of a line.
    """
    parts = split_at_group(pattern)
    if parts is None:
        return None
    before, after = _innermost(*parts)
    before, after = _LOOKBEHIND.sub(r"\1", _FLAGS.sub("", before)), re.sub(rf"\A{_QUANTIFIER}", "", after)
    label = _SPACES.sub("", before)
    name = _SPACES.sub("", _SEPARATOR.sub("", label))
    has_separator = name != label and bool(_NAME_END.search(name)) and _longest_word(name) > 0
    has_word = _longest_word(label) > 1
    ends_in_word = _longest_word(_literals(label)[_literals(label).rfind(" ") + 1 :]) > 1
    before, label, after = map(_with_any_numbers, (before, label, after))
    options = [f"(?P<number>{NUMBER_WORD}){after}"]
    if has_separator:
        options += [rf"(?P<word>{NO_VALUE_WORD}|[^\s,;|)\]]+)[^\r\n]*?{after}", rf"(?P<empty>){after}"]
    elif has_word:
        options += [rf"(?P<word>{NO_VALUE_WORD})"]
    if after and (has_separator or has_word):
        word = rf"{NO_VALUE_WORD}|[^\s,;|)\]]+" if has_separator else NO_VALUE_WORD
        is_value = rf"(?!{_LEADING_SPACES.sub('', after)})"
        options += [rf"{is_value}(?P<last>{NUMBER_WORD}|{word}){_any_beginning(after)}[ \t]*$"]
    start = f"{label}{_GAP}" if has_separator or ends_in_word else before
    blank = _SPACES.sub("", _ANYTHING.sub("", label)) + r"[ \t:=]*(?P<blank>)$"
    values = f"{start}(?:{'|'.join(options)})" + (f"|{blank}" if has_separator or has_word else "")
    if label in ("", "^") and _longest_word(after) > 1:
        values += rf"|^[ \t]*(?:(?P<first>{NO_VALUE_WORD})[ \t]*|(?P<bare>)){_LEADING_SPACES.sub('', after)}"
    try:
        return re.compile(values, re.MULTILINE | (re.compile(pattern).flags & (re.IGNORECASE | re.DOTALL)))
    except re.error:  # a reference to a group within the first one
        return None


def _any_beginning(after: str) -> str:
    """Return an expression that matches what any number of the first parts of an expression match."""
    parts, start, end, depth = [], 0, 0, 0
    for token in _TOKEN.finditer(after):
        depth += (token[0] in ("(", "(?") or token[0].startswith("(?P<")) - (token[0] == ")")
        if depth == 0 and token.start() >= end:
            quantifier = re.compile(_QUANTIFIER).match(after, token.end())
            end = quantifier.end() if quantifier else token.end()
            parts.append(after[start:end])
            start = end
    expression = ""
    for part in reversed(parts):
        expression = f"(?:{part}{expression})?"
    return expression


def _with_any_numbers(part: str) -> str:
    """Return a part of a pattern whose other numbers, as in `loss: [0-9.]+ accuracy: `, may be of any kind, or none."""
    any_number = f"{NUMBER_WORD}|{NO_VALUE_WORD}"
    return _NUMBER.sub(lambda found: f"(?:{found[0]}|{any_number})" if found["number"] else found[0], part)


def _literals(pattern: str) -> str:
    """Return a regular expression with a space in place of all that is not a letter, a digit or an underscore."""
    return "".join(token[0] if re.fullmatch(r"\w", token[0]) else " " for token in _TOKEN.finditer(pattern))


def _longest_word(pattern: str) -> int:
    """Return the length of the longest word with a letter in a regular expression."""
    return max((len(word) for word in _literals(pattern).split() if re.search(r"[^\W\d_]", word)), default=0)
