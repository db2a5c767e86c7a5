"""The documentation site: it builds without warnings, is complete, and loads nothing from another host."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ablate
from tests import ROOT, doc_blocks
from tests.samples.browser import CHROMIUM

SETTINGS = ROOT / "docs" / "site"


def module(name: str) -> ModuleType:
    """Import a module of the site's settings, which are not a package."""
    spec = importlib.util.spec_from_file_location(name, SETTINGS / f"{name}.py")
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


def build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    for library in ("furo", "myst_nb", "sphinx_copybutton"):
        pytest.importorskip(library, reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-c", SETTINGS]
    return subprocess.run(
        [*map(str, command), "-d", str(target / "doctrees"), str(source), str(target / "site")],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "site"


def test_every_public_name_is_in_the_interface() -> None:
    names = [name for names in doc_blocks.INTERFACE.values() for name in names]
    assert sorted(name for name in names if name.startswith("ablate.") and name.count(".") == 1) == [
        f"ablate.{name}" for name in ablate.__all__
    ]
    assert len(names) == len({*names})
    page = (ROOT / "docs" / "api.md").read_text()
    assert re.findall(r"^\| \[`(\w+)`\]", page, re.MULTILINE) == [name.rpartition(".")[2] for name in names]


def test_every_page_and_report_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {name for names in doc_blocks.INDEX.values() for name in names} == pages
    reports = [*(ROOT / "reports").glob("*.md"), *(folder.parent / "report.md" for folder in journals())]
    assert [path for path in reports if f"](../{path.relative_to(ROOT).as_posix()})" not in index] == []


def journals() -> Iterator[Path]:
    return (ROOT / "reports").glob("*/journal")


def test_missing_targets_and_other_hosts_are_found(tmp_path: Path) -> None:
    pages = {
        "index.html": '<a href="sub/a.html#here">a</a> <a href="#top">b</a> <a href="https://example.org/">c</a>'
        '<a href="none.html">d</a> <img src="sub/a.html"> <img src="none.png"> <p id="top"></p>',
        "sub/a.html": '<a href="../index.html#none">e</a> <b id="here"></b> <script src="https://example.org/x.js">'
        '</script><link href="//example.org/y.css"><source srcset="../none-narrow.png"><a href="?q=1">f</a>',
        "style.css": "@import 'https://example.org/z.css'; a { background: url(data:x) url(other.png) }",
    }
    (tmp_path / "sub").mkdir()
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    assert [*module("check").problems(tmp_path)] == [
        "index.html links to none.html, which does not exist",
        "index.html links to none.png, which does not exist",
        "sub/a.html links to ../index.html#none: no such anchor",
        "sub/a.html loads https://example.org/x.js",
        "sub/a.html loads //example.org/y.css",
        "sub/a.html links to ../none-narrow.png, which does not exist",
        "style.css loads https://example.org/z.css",
    ]


@pytest.mark.slow
def test_a_wrong_link_or_anchor_stops_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "docs").mkdir(parents=True)
    (source / "docs" / "README.md").write_text("# Index\n\n## Guide\n\n[a](a.md)\n")
    (source / "docs" / "a.md").write_text("# A b_c\n\n[x](../README.md) [y](#a-b_c)\n")
    (source / "README.md").write_text("# Title\n\n[a](docs/a.md#a-b_c) [folder](docs)\n")
    assert build(source, tmp_path / "right").stderr == ""
    assert [*module("check").problems(tmp_path / "right" / "site")] == []
    (source / "README.md").write_text("# Title\n\n[a](docs/a.md#other) [b](docs/none.py) [c](../outside)\n")
    done = build(source, tmp_path / "wrong")
    assert done.returncode != 0
    for words in ("docs/a has no heading with the anchor 'other'", "'docs/none.py' does not exist", "'../outside'"):
        assert words in done.stderr


@pytest.mark.slow
def test_the_site_is_complete(site: Path) -> None:
    assert [*module("check").problems(site)] == []
    page = (site / "docs" / "api.html").read_text()
    assert [name for name in ablate.__all__ if f'id="ablate.{name}"' not in page] == []
    assert '<dt class="field-odd">Type' not in page
    assert "system-message" not in page
    assert "<svg" in (site / "docs" / "architecture.html").read_text()
    assert (site / "reports" / "laptop" / "figures" / "forest-narrow.png").exists()
    assert (site / "files" / "ablate" / "studies" / "study.py.html").exists()
    notebook = (site / "examples" / "quickstart.html").read_text()
    for shown in ("ablate.compare(", "a clear and important loss.</li>", 'src="data:image/png;base64,', "../_images/"):
        assert shown in notebook
    assert 'href="../examples/quickstart.html"' in (site / "docs" / "python.html").read_text()
    assert (site / "index.html").read_text() == (site / "README.html").read_text()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_pages_fit_the_screen_and_load_nothing_from_another_host(site: Path, browser: Any, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    names = sorted(path for path in site.rglob("*.html") if "files" not in path.relative_to(site).parts)
    for name in [*names, site / "files" / "ablate" / "studies" / "study.py.html"]:
        page.goto(name.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    page.goto(f"{(site / 'search.html').as_uri()}?q=equivalence")
    page.get_by_text("Statistics for readers").first.wait_for(timeout=60_000)
