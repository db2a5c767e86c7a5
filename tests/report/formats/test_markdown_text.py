"""Names of runs form neither Markdown, nor HTML, nor LaTeX."""

from __future__ import annotations

import html as html_text
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from PIL import Image

from ablate.report.formats.html import html, with_pictures
from ablate.report.formats.latex import tex
from ablate.report.formats.markdown_text import code, escape, fenced, folded, image, one_line, table
from ablate.report.sources.existing_runs import TableOptions, from_table
from ablate.report.write import write_report
from tests.samples.effects import BASELINE, NO_BATCH_NORM

RENDER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])  # more than our own page allows
NASTY = st.text(st.sampled_from("ab1 \\`*_{}[]()<>#+-.!|&~$'\":;/@\n\t=^%\u202e\N{MINUS SIGN}é")) | st.text()
EVIL = "<script>alert(1)</script> [x](javascript:alert(1)) **b** `c` | d"


def shown(markdown: str) -> str:
    """The text that a reader sees, from rendered HTML without the expected paragraph."""
    rendered = RENDER.render(markdown).strip()
    assert rendered.startswith("<p>")
    assert rendered.endswith("</p>")
    inner = rendered[3:-4]
    assert "<" not in inner, inner
    return html_text.unescape(inner)


@given(NASTY)
@example(EVIL)
@example("1. a")
@example("- a")
@example("# a")
@example("a &amp; &lt;b&gt; &#124;")
@example("[1.00, 2.00](http://x)")
@example("[1.00, 2.00][x]")
@example("___")
@example("===")
@example("_a_ b_c __d__")
@example("<!-- x --> <?php ?> <a@b.c>")
@example("~~a~~ ~~~")
def test_escaped_text_renders_as_itself(text: str) -> None:
    assert shown("x " + escape(text)) == ("x " + one_line(text)).strip()
    if one_line(text):
        assert shown(escape(text)) == one_line(text)


@given(NASTY)
@example(EVIL)
def test_a_cell_stays_a_cell(text: str) -> None:
    for cell in (escape(text), code(text)):
        rendered = RENDER.render(table(["a", "b"], [[cell, "end"]]))
        assert rendered.count("<td") == 2
        inner = re.search(r"<td>(.*?)</td>", rendered, re.DOTALL)
        assert inner is not None
        bare = re.sub(r"^<code>(.*)</code>$", r"\1", inner[1])
        assert "<" not in bare
        assert html_text.unescape(bare).split() == one_line(text).split()


@given(NASTY)
def test_a_code_block_ends_where_it_should(text: str) -> None:
    rendered = RENDER.render(fenced(text) + "\n\nafter")
    assert rendered.count("<pre>") == 1
    assert rendered.rstrip().endswith("<p>after</p>")


@pytest.mark.parametrize("text", ["see https://evil.example", "www.evil.example", "ftp://evil.example"])
def test_addresses_do_not_become_links_on_github(text: str) -> None:
    written = escape(text)
    assert not re.search(r"(?:https?|ftp)://|www\.\w", written)
    assert shown(written) == text


def evil_report(folder: Path) -> Path:
    rows = [
        {"variant": name, "seed": seed, "status": "finished", "test_accuracy": value / 100}
        for name, values in {"baseline": BASELINE, EVIL: NO_BATCH_NORM, "no-a_b%&#": NO_BATCH_NORM}.items()
        for seed, value in enumerate(values)
    ]
    study = from_table(EVIL, EVIL, pd.DataFrame(rows).astype(str), TableOptions())
    return write_report(study, folder / "report", as_html=True).folder


def test_nothing_from_a_run_is_markup_in_the_whole_report(tmp_path: Path) -> None:
    folder = evil_report(tmp_path)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    links = re.findall(r'href="(.*?)"', page)
    files = {link for link in links if not link.startswith("#")}
    assert files == {"runs.csv", "effects.csv", "table.md", "table.tex", "report.html"}
    assert all(f'id="{link[1:]}"' in page for link in links if link not in files)
    assert "alert(1)" in page  # it is there, as text
    rendered = RENDER.render((folder / "report.md").read_text(encoding="utf-8"))
    assert "<script" not in rendered
    assert {*re.findall(r"<a [^>]*", rendered)} == {f'<a href="{link}"' for link in files}


def test_the_page_holds_its_pictures_and_scrolls_its_tables(tmp_path: Path) -> None:
    page = (evil_report(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in page
    assert 'src="figures/' not in page
    assert page.count('<div class="table"><table>') == page.count("<table>") > 2
    assert 'name="viewport"' in page


def test_a_page_has_a_picture_for_narrow_screens_and_colours_for_dark_ones(tmp_path: Path) -> None:
    page = (evil_report(tmp_path) / "report.html").read_text(encoding="utf-8")
    assert re.search(r'<picture><source media="\(max-width: 40rem\)" srcset="data:image/png;base64,[^"]+"><img ', page)
    assert page.count("<picture>") == page.count("<img ") > 1
    assert "@media (prefers-color-scheme: dark)" in page


def test_markdown_has_a_picture_for_narrow_screens_too(tmp_path: Path) -> None:
    folder = evil_report(tmp_path)
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert (
        '\n\n<picture>\n<source media="(max-width: 40rem)" srcset="figures/forest-narrow.png">\n'
        '<img src="figures/forest.png" alt="Differences with intervals and individual seeds">\n</picture>\n\n' in text
    )
    shown = re.findall(r'<source media="[^"]+" srcset="figures/(.+)-narrow.png">\n<img src="figures/(.+).png"', text)
    assert shown == [("forest", "forest"), ("slopes", "slopes"), ("noise", "noise")]
    assert "![" not in text
    files = {path.name for path in (folder / "figures").iterdir()}
    assert files == {f"{name}{ending}.png" for name, _ in shown for ending in ("", "-narrow")}


def test_a_picture_without_a_narrow_one_scrolls_if_it_is_wide(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, width in (("wide", 1388), ("small", 660)):
        Image.new("RGB", (width, 300)).save(tmp_path / "figures" / f"{name}.png")
    page = html(image("figures/wide.png", "w") + "\n\n" + image("figures/small.png", "s"), "title", tmp_path)
    assert re.findall(r'<span class="figure (\w+)"><img [^>]*alt="(\w)"', page) == [("scroll", "w"), ("small", "s")]


def test_the_description_of_a_picture_is_plain_text(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a-narrow.png").touch()
    text = with_pictures(image("figures/a.png", 'a_b "c" <d>') + "\n\n" + image("figures/b.png", "e"), tmp_path)
    assert 'alt="a_b &quot;c&quot; &lt;d&gt;">' in text
    assert text.endswith("</picture>\n\n![e](figures/b.png)")


def test_raw_html_in_markdown_stays_text(tmp_path: Path) -> None:
    assert "<b>" not in html("<b>x</b>", "<title>", tmp_path).partition("<body>")[2]
    for text in ("<details onclick=x>", "a <details>", "<summary><b>x</b><script></summary>", "```\n<details>\n```"):
        assert "<details" not in html(text, "title", tmp_path).partition("<body>")[2], text


def test_folds_are_folded_and_their_contents_are_rendered(tmp_path: Path) -> None:
    page = html(f"# A\n\ntext\n{folded('Many runs', 'all', '- *a*')}\n\n## B", "title", tmp_path)
    assert (
        '<details>\n<summary><b>Many runs</b>: all</summary>\n<span id="many-runs"></span>\n<ul>\n'
        "<li><em>a</em></li>\n</ul>\n</details>" in page
    )
    assert '<a href="#many-runs">Many runs</a> <a href="#b">B</a></nav>' in page


@given(NASTY)
def test_latex_specials_never_stay_bare(text: str) -> None:
    written = tex(text)
    words = "backslash|asciitilde|asciicircum|less|greater|bar|quotedbl|asciigrave"
    for command in (rf"\\text(?:{words})\{{\}}", r"\\[&%$#_{}]", r"\$(?:\\pm|-)\$"):
        written = re.sub(command, "", written)
    assert not re.search(r"[\\&%$#_{}~^<>|]", written)


@given(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1))
def test_latex_keeps_letters_of_every_alphabet(text: str) -> None:
    assert tex(text) == text


def test_every_row_of_the_latex_table_has_its_cells(tmp_path: Path) -> None:
    text = (evil_report(tmp_path) / "table.tex").read_text(encoding="utf-8")
    body = re.search(r"\\midrule\n(.*?)\n\s*\\bottomrule", text, re.DOTALL)
    assert body is not None
    for row in body[1].splitlines():
        assert row.endswith(r"\tabularnewline")
        assert len(re.findall(r"(?<!\\)&", row)) == 4
    assert text.count("{") == text.count("}")
