"""The HTML report in a browser: on three screens, by keyboard and on paper."""

from __future__ import annotations

from typing import Any

import pytest

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
