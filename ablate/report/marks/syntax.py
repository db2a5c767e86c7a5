r"""Marks in a text: `<!-- ablate: STUDY VARIANT QUANTITY -->-0.88<!-- /ablate -->`, or `\ablate{...}{-0.88}` in LaTeX.

As in cog, the text between the two comments is generated; everything else is the author's.
"""

from __future__ import annotations

import re
import shlex
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablate.errors import UserError

MARKDOWN_FORM = "<!-- ablate: STUDY VARIANT QUANTITY -->NUMBER<!-- /ablate -->"
LATEX_FORM = r"\ablate{STUDY VARIANT QUANTITY}{NUMBER}"

_MARKDOWN = re.compile(
    r"""
      ^[ \t>]*(?:[-*+][ \t]+|\d+[.)][ \t]+)?(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})  # a code block,
        .*?(?:^[ \t>]*(?P=fence)[`~]*[ \t\r]*$|\Z)                               # up to its fence or the end
    | \\[!-/:-@\[-`{-~]                                                          # an escaped character
    | (?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\r?\n).)*?(?<!`)(?P=ticks)(?!`)            # code within a paragraph
    | `+
    | <!--\s*(?P<end>/ablate)\s*-->
    | <!--\s*ablate:(?P<words>.*?)-->
    | <!--.*?-->
    """,
    re.DOTALL | re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
_CONTAINER = re.compile(r"[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]|!!!|\?\?\?|:::|\[\^[^\]]+\]:)")
"""The first line of a list item, an admonition or a footnote, whose paragraphs are indented without being code."""

_LATEX = re.compile(
    r"""
      \\begin\{(?P<env>verbatim|lstlisting|comment)\}.*?\\end\{(?P=env)\}
    | (?P<start>\\ablate\s*(?=\{))(?:\{(?P<words>[^{}]*)\}\s*\{(?P<content>(?:\\.|[^{}\\]|\{(?:\\.|[^{}\\])*\})*)\})?
    | \\[^a-zA-Z]
    | %[^\n]*
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Mark:
    """A mark in a text.

    Attributes:
        line: The line in which its content begins, from 1.
        start: Where its content begins in the text.
        end: Where its content ends.
        study: Name of the study.
        variant: Name of a variant, a pair or a component; empty for a quantity of the whole study.
        reference: The variant that it is compared with; empty if not stated.
        quantity: Name of the quantity or table.
    """

    line: int
    start: int
    end: int
    study: str
    variant: str
    reference: str
    quantity: str

    @property
    def subject(self) -> str:
        """The quantity and its variant, for messages: `delta of no-augment in laptop`."""
        versus = f" vs {self.reference}" if self.reference else ""
        return f"{self.quantity}{f' of {self.variant}{versus}' if self.variant else ''} in {self.study}"


@dataclass(frozen=True)
class Document:
    """A text with its marks, in order.

    Attributes:
        text: The text, with its line endings.
        marks: The marks.
        hidden: Start and end of code blocks and comments, which contain no marks and no tables.
        is_latex: Whether the text is LaTeX.
    """

    text: str
    marks: Sequence[Mark]
    hidden: Sequence[tuple[int, int]]
    is_latex: bool

    def content(self, mark: Mark) -> str:
        """Return the content of a mark."""
        return self.text[mark.start : mark.end]

    @property
    def unmarked(self) -> str:
        """The text with spaces instead of code blocks, comments and the contents of marks; its lines stay."""
        parts, place = [], 0
        for start, end in sorted([*self.hidden, *((mark.start, mark.end) for mark in self.marks)]):
            parts += [self.text[place:start], re.sub(r"[^\r\n]", " ", self.text[start:end])]
            place = end
        return "".join([*parts, self.text[place:]])

    def with_contents(self, contents: Sequence[str]) -> str:
        """Return the text with another content of each mark."""
        parts, place = [], 0
        for mark, content in zip(self.marks, contents, strict=True):
            parts += [self.text[place : mark.start], content]
            place = mark.end
        return "".join([*parts, self.text[place:]])


def read_document(text: str, file: Path) -> Document:
    """Return the marks of a text; `file` decides whether it is LaTeX. Raises UserError for a malformed mark."""
    is_latex = file.suffix.lower() in (".tex", ".ltx")
    marks, hidden = (_latex if is_latex else _markdown)(text)
    return Document(text, marks, hidden, is_latex)


def quoted(name: str) -> str:
    """Return a name as it is written in a mark: with quotes if it contains a space, for instance."""
    return shlex.quote(name)


def _markdown(text: str) -> tuple[list[Mark], list[tuple[int, int]]]:
    marks, hidden, blocks = list[Mark](), list[tuple[int, int]](), _indented_code(text)
    starts = [start for start, _ in blocks]
    opened: re.Match[str] | None = None
    for found in _MARKDOWN.finditer(text):
        block = bisect_right(starts, found.start()) - 1
        if opened is None and block >= 0 and found.start() < blocks[block][1]:
            continue
        if found["words"] is not None:
            if opened is not None:
                raise _at(text, opened.start(), "A mark without its end: <!-- /ablate -->")
            opened = found
        elif found["end"]:
            if opened is None:
                raise _at(text, found.start(), f"An end without its mark. A mark is {MARKDOWN_FORM}")
            marks.append(_mark(text, opened["words"], opened.end(), found.start(), MARKDOWN_FORM))
            opened = None
        elif opened is None and (found["fence"] or found[0].startswith("<!--")):
            hidden.append(found.span())
    if opened is not None:
        raise _at(text, opened.start(), "A mark without its end: <!-- /ablate -->")
    taken = [*hidden, *((mark.start, mark.end) for mark in marks)]
    return marks, [
        *hidden,
        *(span for span in blocks if not any(span[0] < end and start < span[1] for start, end in taken)),
    ]


def _indented_code(text: str) -> list[tuple[int, int]]:
    """Return start and end of code blocks that are indented by four spaces or a tab, outside lists and the like."""
    spans: list[tuple[int, int]] = []
    place, is_code, after_blank, in_container = 0, False, True, False
    for line in text.splitlines(keepends=True):
        end = place + len(line)
        if line.strip():
            starts_block = after_blank and not in_container
            is_new = not is_code
            is_code = line.startswith(("    ", "\t")) and (is_code or starts_block)
            if is_code:
                spans.append((place, end) if is_new else (spans.pop()[0], end))
            elif _CONTAINER.match(line):
                in_container = True
            elif after_blank and line[0] not in " \t":
                in_container = False
        after_blank, place = not line.strip(), end
    return spans


def _latex(text: str) -> tuple[list[Mark], list[tuple[int, int]]]:
    marks = []
    for found in _LATEX.finditer(text):
        if found["start"] is None:
            continue
        if found["content"] is None:
            raise _at(text, found.start(), f"A mark is {LATEX_FORM}")
        marks.append(_mark(text, found["words"], found.start("content"), found.end("content"), LATEX_FORM))
    return marks, []


def _mark(text: str, written: str, start: int, end: int, form: str) -> Mark:
    line = line_of(text, start)
    try:
        words = shlex.split(written)
    except ValueError:
        raise UserError(f"Line {line}: Unclosed quotation mark in the mark{written.rstrip()}") from None
    match words:
        case [study, quantity]:
            return Mark(line, start, end, study, "", "", quantity)
        case [study, variant, quantity]:
            return Mark(line, start, end, study, variant, "", quantity)
        case [study, variant, "vs", reference, quantity]:
            return Mark(line, start, end, study, variant, reference, quantity)
    raise UserError(
        f"Line {line}: A mark is {form}, not {' '.join(written.split())!r}. Put names with spaces in quotes, and "
        "`vs REFERENCE` after the variant where it is compared with several"
    )


def line_of(text: str, place: int) -> int:
    """Return the number of a line, from 1."""
    return text.count("\n", 0, place) + 1


def _at(text: str, place: int, problem: str) -> UserError:
    return UserError(f"Line {line_of(text, place)}: {problem}")
