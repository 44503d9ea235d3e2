"""The report in a real browser: no console error, no request, accessible, sortable."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import metalliance as ma

pytestmark = pytest.mark.browser
DATA = Path(__file__).resolve().parents[2] / "data"
STEMS = ("congruence_kolden2011", "simulated_alliance_295")


@pytest.fixture(scope="module", params=STEMS)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    review = ma.read_review(DATA / f"{request.param}.xlsx")
    plan = ma.read_plan(DATA / f"{request.param}.toml")
    ma.write_report(ma.analyse(review, plan), folder, formats=["html"])
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


def test_opens_silently_and_alone(browser, report: Path) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    page.close()


def test_tables_sort_by_keyboard(browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    head = page.locator("table.sortable thead th", has=page.locator("button")).nth(1)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    page.close()


def test_no_serious_accessibility_fault(browser, report: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page()
    page.goto(report.as_uri())
    found = Axe().run(page).response["violations"]
    serious = [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")]
    assert serious == []
    page.close()


def test_simulated_data_say_so(browser, report: Path) -> None:
    page = browser.new_page()
    page.goto(report.as_uri())
    shown = page.locator(".banner").count()
    assert shown == int("simulated" in str(report))
    page.close()
