"""The HTML report in a browser: on three screens, by keyboard and on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from ablate.cli.app import app
from ablate.report.sources.study import from_study
from ablate.report.write import write_report
from ablate.tracking import JournalTracker
from tests.samples.browser import CHROMIUM
from tests.samples.committed import committed_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.usefixtures("all_pictures"),
]

HOSTILE = (
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    '"><svg/onload=window.hit=1>',
    "</title></style></head><script>window.hit=1</script>",
    "[x](javascript:window.hit=1)",
    "![x](https://127.0.0.1:9/x.png)",
    "</details></summary><iframe src=javascript:parent.hit=1>",
    "<form action=https://127.0.0.1:9/><button autofocus onfocus=window.hit=1>",
    "<base href=https://127.0.0.1:9/>",
    "<meta http-equiv=refresh content=0;url=https://127.0.0.1:9/>",
    "`<b onmouseover=window.hit=1>` &lt;script&gt;window.hit=1&lt;/script&gt;",
    "<style>@import 'https://127.0.0.1:9/x.css';</style>",
    "<b>no</b> <https://127.0.0.1:9/>",
)
"""Names of variants that would execute code, load something or change the page if they were not escaped."""

LARGEST_SHRINKAGE = 2.0
"""Text of 8 points at 160 dots per inch is then 9 pixels high."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    study = from_study("example", JournalTracker(committed_project(folder, "example")))
    return (write_report(study, folder / "report", as_html=True).folder / "report.html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1280])
def test_the_report_fits_the_screen_and_its_figures_are_legible(
    report: str, browser: Any, width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(report)
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    shrinkage = page.evaluate("[...document.images].map(image => image.naturalWidth / image.clientWidth)")
    assert len(shrinkage) == 6
    assert max(shrinkage) <= LARGEST_SHRINKAGE
    assert page.evaluate("getComputedStyle(document.querySelector('.figure')).backgroundColor") == "rgb(255, 255, 255)"
    page.close()


def test_folds_open_by_keyboard_and_by_links(report: str, browser: Any) -> None:
    page = browser.new_page()
    page.goto(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.locator("nav a", has_text="Noise").press("Enter")
    assert page.evaluate("document.querySelector('#noise').closest('details').open")
    fold = page.locator("summary", has_text="Glossary")
    fold.press("Enter")
    assert page.evaluate("document.querySelector('#glossary').closest('details').open")
    page.close()


def test_folds_are_open_on_paper_and_its_colours_are_those_of_paper(report: str, browser: Any) -> None:
    page = browser.new_page(color_scheme="dark")
    page.goto(report)
    hidden = "[...document.querySelectorAll('details table')].filter(one => !one.checkVisibility()).length"
    assert page.evaluate(hidden) > 3
    page.emulate_media(media="print")
    assert page.evaluate(hidden) == 0
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(34, 34, 34)"
    page.close()


def test_hostile_names_of_variants_execute_and_load_nothing(
    tmp_path: Path, browser: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [
        {"variant": name, "seed": seed, "accuracy": 0.5 + 0.01 * i + 0.001 * (seed * i % 3)}
        for i, name in enumerate(("baseline", *HOSTILE))
        for seed in range(3)
    ]
    pd.DataFrame(rows).to_csv("runs.csv", index=False)
    line = ["report", "--runs", "runs.csv", "--baseline", "baseline", "--margin", "0.5", "--html"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    (path,) = tmp_path.glob("reports/*/report.html")
    page, requests, dialogs = browser.new_page(), [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    for link in page.locator("a, b, button").all()[:200]:
        link.dispatch_event("mouseover")
    page.wait_for_timeout(500)
    text = page.inner_text("body")
    assert all(" ".join(name.split()) in " ".join(text.split()) for name in HOSTILE[:4])
    assert page.evaluate("typeof window.hit") == "undefined"
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert dialogs == []
    counts = page.evaluate("document.querySelectorAll('script, iframe, form, base, svg, button, [onerror]').length")
    assert counts == 0
    assert page.evaluate("[...document.links].filter(one => one.protocol === 'javascript:').length") == 0
    assert page.evaluate("document.querySelectorAll('style').length") == 1
    page.evaluate(
        "const one = document.createElement('script'); one.text = 'window.hit = 1'; document.body.append(one)"
    )
    assert page.evaluate("typeof window.hit") == "undefined", "the policy blocks scripts"
    page.close()
