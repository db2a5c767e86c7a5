"""Marks in Markdown and LaTeX: where they are, what they name, and malformed ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.errors import UserError
from ablate.report.marks.syntax import Document, read_document

NUMBER = "<!-- ablate: laptop no-augment delta -->-0.88<!-- /ablate -->"


def markdown(text: str) -> Document:
    return read_document(text, Path("page.md"))


def latex(text: str) -> Document:
    return read_document(text, Path("paper.tex"))


def names(document: Document) -> list[tuple[str, str, str, str, str]]:
    return [
        (mark.study, mark.variant, mark.reference, mark.quantity, document.content(mark)) for mark in document.marks
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (NUMBER, ("laptop", "no-augment", "", "delta", "-0.88")),
        ("<!--ablate:laptop margin-->0.5<!--/ablate-->", ("laptop", "", "", "margin", "0.5")),
        ("<!--\nablate:\nlaptop 'a b' delta\n-->\n1\n<!-- /ablate -->", ("laptop", "a b", "", "delta", "\n1\n")),
        ('<!-- ablate: s "it\'s" p -->.1<!-- /ablate -->', ("s", "it's", "", "p", ".1")),
        ("<!-- ablate: s a vs none delta -->1<!-- /ablate -->", ("s", "a", "none", "delta", "1")),
        ("<!-- Ablate: s a delta -->**1**<!-- /Ablate -->", ("s", "a", "", "delta", "**1**")),
        ("<!-- ablate: s a delta -->`1`<!-- /ablate -->", ("s", "a", "", "delta", "`1`")),
        (r"\` <!-- ablate: s a delta -->1<!-- /ablate --> \`", ("s", "a", "", "delta", "1")),
        ("a ` tick\n\n<!-- ablate: s a delta -->1<!-- /ablate -->\n\nb ` tick", ("s", "a", "", "delta", "1")),
        ("> - <!-- ablate: s a delta -->1<!-- /ablate -->", ("s", "a", "", "delta", "1")),
        ("| a | <!-- ablate: s a delta -->1<!-- /ablate --> |", ("s", "a", "", "delta", "1")),
    ],
)
def test_a_mark_names_study_variant_and_quantity(written: str, found: tuple[str, ...]) -> None:
    assert names(markdown(written)) == [found]


@pytest.mark.parametrize(
    "text",
    [
        f"`{NUMBER}`",
        f"``a ` {NUMBER}``",
        f"```\n{NUMBER}\n```",
        f"~~~ md\n{NUMBER}\n~~~\n",
        f"- list\n\n  ````md\n  ```\n  {NUMBER}\n  ```\n  ````\n",
        f"```\r\n{NUMBER}\r\n```\r\n",
        f"```\n{NUMBER}\n",
        f"text\n\n    {NUMBER}\n",
        f"    {NUMBER}",
        f"text\n \n\tfirst\n\n\t{NUMBER}\n\nmore",
        f"- item\n\ntext\n\n    {NUMBER}\n",
        "<!-- a comment about ablate: nothing -->",
        "ablate: laptop no-augment delta",
        "",
    ],
)
def test_code_and_other_comments_contain_no_marks(text: str) -> None:
    assert markdown(text).marks == []


@pytest.mark.parametrize(
    "text",
    [
        f"text\n    {NUMBER}",
        f"- item\n\n    {NUMBER}",
        f"1. item\n\n   - inner\n\n     {NUMBER}",
        f"!!! note\n    first\n\n    {NUMBER}",
        f"[^1]: first\n\n    {NUMBER}",
        f"text\n\n   {NUMBER}",
        f"text\n\n    code\n\n{NUMBER}",
        f"text\n\n    code\n{NUMBER}",
    ],
)
def test_indented_text_is_not_always_code(text: str) -> None:
    assert [mark[-1] for mark in names(markdown(text))] == ["-0.88"]


def test_code_within_code_and_marks_is_hidden_once() -> None:
    text = (
        f"```\na\n\n    {NUMBER}\n```\n\n    code\n\n<!-- ablate: s a table -->\n\n    | a |\n\n<!-- /ablate -->\nend"
    )
    document = markdown(text)
    assert [mark.quantity for mark in document.marks] == ["table"]
    assert len(document.unmarked) == len(text)
    assert document.unmarked.split() == ["<!--", "ablate:", "s", "a", "table", "-->", "<!--", "/ablate", "-->", "end"]


def test_a_mark_after_code_is_found() -> None:
    text = f"```sh\nablate\n```\n`x` {NUMBER}\n~~~\n```\n~~~\n{NUMBER}"
    assert [mark.line for mark in markdown(text).marks] == [4, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n<!-- ablate: s a delta -->1", "Line 2: A mark without its end"),
        ("<!-- ablate: s a delta -->1 <!-- ablate: s b delta -->2<!-- /ablate -->", "Line 1: A mark without its end"),
        ("1<!-- /ablate -->", "Line 1: An end without its mark. A mark is <!-- ablate: STUDY VARIANT QUANTITY -->"),
        ("<!-- ablate: -->1<!-- /ablate -->", "Line 1: A mark is <!-- ablate: STUDY"),
        ("<!-- ablate: s -->1<!-- /ablate -->", "not 's'"),
        ("<!-- ablate: s a b delta -->1<!-- /ablate -->", "not 's a b delta'"),
        ("<!-- ablate: s 'a delta -->1<!-- /ablate -->", "Unclosed quotation mark"),
        ("<!-- ablate: s a delta ->1<!-- /ablate -->", "A mark without its end"),
    ],
)
def test_a_malformed_mark_is_an_error_with_its_line(text: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        markdown(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_latex_has_a_macro() -> None:
    text = (
        "\\newcommand{\\ablate}[2]{#2}\n% \\ablate{s a delta}{0}\n50\\% \\ablate{s a delta}{$-0.88$}\n"
        "\\ablate{s a sentence}{a \\textless{} b \\{c\\}}\n\\begin{verbatim}\n\\ablate{s a delta}{1}\n\\end{verbatim}\n"
    )
    assert names(latex(text)) == [
        ("s", "a", "", "delta", "$-0.88$"),
        ("s", "a", "", "sentence", "a \\textless{} b \\{c\\}"),
    ]
    assert [mark.line for mark in latex(text).marks] == [3, 4]
    with pytest.raises(UserError, match="Line 1: A mark is"):
        latex("\\ablate{s a delta} 1")


def test_contents_are_replaced_and_nothing_else() -> None:
    before, after = "\ufeffA ", f"\r\n```\n{NUMBER}\n```\r\nend\u2028"
    document = markdown(before + NUMBER + after)
    assert document.with_contents(["-0.88"]) == document.text
    assert document.with_contents(["1"]) == before + NUMBER.replace("-0.88", "1") + after
