"""Every report in a real browser: drawn, silent, small, accessible; whole on a phone, in print, without JavaScript."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsers import artifact, chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from golive_lib.demo.app import environment
from golive_lib.notebooks import find_notebook
from golive_lib.reports import Run, execute
from golive_lib.warm_kernels import warm_kernels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize
    from pypdf import PageObject

    from golive_lib.demo import DemoDatabase
    from golive_lib.demo.api import Api

LARGEST = 2_300_000
NOTEBOOKS = ("readiness", "canary", "sanity", "health", "rls", "aftercare", "checklist")
BROKEN = "made"
NAMES = (*NOTEBOOKS, BROKEN)
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
# What axe cannot know: a chart's own drawing, which its caption says in words.
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


@dataclass
class Seen:
    """A page and what it did while it was looked at."""

    page: Page
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def reports(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory, module_api: Api) -> dict[str, Path]:
    """Run all notebooks of the kit on the small demo, and one that breaks; give each one's page, and the index."""
    folder = tmp_path_factory.mktemp("pages")
    outputs = folder / "outputs"
    given = environment(healthy, module_api) | {
        "GOLIVE_OUTPUTS": str(outputs),
        "GOLIVE_BACKUPS": str(folder / "backups"),
    }
    cells = [new_code_cell("n: int = 1  # nothing", metadata={"tags": ["parameters"]}), new_code_cell("1 / 0")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Made to break"), *cells], metadata={"kernelspec": kernel}),
        folder / f"{BROKEN}.ipynb",
    )
    pages = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        patch.delenv("GOLIVE_PLAN", raising=False)
        for name in NAMES:
            path = find_notebook(name if name != BROKEN else str(folder / f"{BROKEN}.ipynb"), folder)
            more = {"stage": 25.0} if name == "canary" else {}
            record = execute(Run(path, more, str(healthy.name), outputs, launch="x"), kernels=warm_kernels())
            assert record.html, record.error
            pages[name] = outputs / record.html
    return pages | {"index": outputs / "index.html"}


@pytest.fixture(scope="session")
def module_api(healthy: DemoDatabase) -> Iterator[Api]:
    """Serve the demo's API for the readiness report."""
    from golive_lib.demo.api import serve  # noqa: PLC0415  a web server for this fixture alone

    with serve(healthy) as api:
        yield api


@pytest.fixture(scope="module")  # a second playwright cannot start while one is at work
def browser() -> Iterator[Browser]:
    """Run one browser for all tests."""
    with chromium() as running:
        yield running


def look(browser: Browser, path: Path, **options: object) -> Seen:
    """Open a file and remember every request and every word of the console."""
    context = browser.new_context(**options)  # type: ignore[arg-type]  # playwright's own options
    seen = Seen(context.new_page())

    def asked(request: Request) -> None:
        if request.url != path.as_uri() and not request.url.startswith(("data:", "blob:")):
            seen.requests.append(request.url)

    def spoke(message: ConsoleMessage) -> None:
        seen.said.append(message.text)

    seen.page.on("request", asked)
    seen.page.on("console", spoke)
    seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
    seen.page.goto(path.as_uri())
    if options.get("java_script_enabled", True):
        seen.page.wait_for_function(
            "() => [...document.querySelectorAll('figure.figure')].every((f) => f.querySelector('.main-svg'))"
        )
    return seen


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_page_is_drawn_and_asks_nobody(browser: Browser, reports: dict[str, Path], name: str, tmp_path: Path) -> None:
    """As many charts as were meant, no request, no word on the console, within the size; and kept to be looked at."""
    seen = look(browser, reports[name], viewport=WIDE)
    meant = len(re.findall(r'class="figure-data"', reports[name].read_text()))
    assert seen.page.locator("figure.figure .main-svg").first.count() == bool(meant)
    assert seen.page.locator("figure.figure:has(.main-svg)").count() == meant
    assert (seen.requests, seen.said) == ([], [])
    assert reports[name].stat().st_size <= LARGEST
    seen.page.screenshot(path=artifact(f"{name}-1280.png", tmp_path), full_page=True)
    seen.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_page_is_accessible(browser: Browser, reports: dict[str, Path], name: str, scheme: str, tmp_path: Path) -> None:
    """Axe finds no violation, in either colour scheme."""
    seen = look(browser, reports[name], viewport=WIDE, color_scheme=scheme)
    seen.page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = Axe().run(seen.page, options=AXE).response["violations"]
    told = [(each["id"], node["target"], node.get("failureSummary", "")) for each in found for node in each["nodes"]]
    assert told == []
    if scheme == "dark":
        seen.page.screenshot(path=artifact(f"{name}-dark.png", tmp_path), full_page=True)
    seen.page.context.close()


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_page_fits_a_phone(browser: Browser, reports: dict[str, Path], name: str, tmp_path: Path) -> None:
    """Nothing runs off 390 pixels to the side."""
    seen = look(browser, reports[name], viewport=PHONE, device_scale_factor=2)
    width = seen.page.evaluate("() => document.documentElement.scrollWidth")
    seen.page.screenshot(path=artifact(f"{name}-390.png", tmp_path), full_page=True)
    assert width <= PHONE["width"]
    seen.page.context.close()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_page_says_its_verdict_without_javascript(browser: Browser, reports: dict[str, Path], name: str) -> None:
    """As a mail's preview shows it: the verdict in words, and each table with its rows."""
    seen = look(browser, reports[name], viewport=WIDE, java_script_enabled=False)
    assert seen.page.locator(".gl-verdict .gl-word").is_visible()
    assert seen.page.locator("table tbody tr").first.is_visible()
    captions = seen.page.locator("figure.figure figcaption")
    assert [text for text in captions.all_inner_texts() if not text.strip()] == []
    seen.page.context.close()


def test_old_browser_is_told_so_and_keeps_what_matters(browser: Browser, reports: dict[str, Path]) -> None:
    """Without DecompressionStream no chart is drawn: the page says so, and shows verdict, tables and summaries."""
    context = browser.new_context(viewport=WIDE)
    context.add_init_script("delete window.DecompressionStream")
    page = context.new_page()
    page.goto(reports["canary"].as_uri())
    assert page.locator(".gl-verdict .gl-word").is_visible()
    assert "browser" in page.locator("figure.figure").first.inner_text()
    assert page.locator("figure.figure figcaption").first.is_visible()
    context.close()


def test_printed_report_has_its_verdict_and_every_chart(
    browser: Browser, reports: dict[str, Path], tmp_path: Path
) -> None:
    """A page on paper, in light colours whatever the screen was."""
    from pypdf import PdfReader  # noqa: PLC0415  for this test alone

    seen = look(browser, reports["canary"], viewport=WIDE, color_scheme="dark")
    target = artifact("canary-print.pdf", tmp_path)
    seen.page.pdf(path=target, format="A4", print_background=True)
    pages = PdfReader(target).pages
    text = " ".join(page.extract_text() for page in pages)
    assert len(pages) > 2
    assert seen.page.locator(".gl-verdict .gl-word").inner_text().split()[-1] in text
    assert "API response P95" in text
    seen.page.context.close()


@pytest.mark.parametrize("name", ["canary", "aftercare", "checklist", "readiness"])
def test_no_caption_stands_alone_at_the_foot(
    browser: Browser, reports: dict[str, Path], name: str, tmp_path: Path
) -> None:
    """On paper the lowest line of a page is no caption and no heading: what it announces stands with it."""
    from pypdf import PdfReader  # noqa: PLC0415  as above

    seen = look(browser, reports[name], viewport=WIDE)
    announced = [" ".join(text.split()) for text in seen.page.locator("caption, h2, h3").all_inner_texts()]
    target = artifact(f"{name}-foot.pdf", tmp_path)
    seen.page.pdf(path=target, format="A4", print_background=True)
    seen.page.context.close()
    lowest = [foot(page) for page in PdfReader(target).pages]
    assert [line for line in lowest if any(line in text for text in announced)] == []


def foot(page: PageObject) -> str:
    """Return the lowest line of a page; repeated table headers are drawn at a scale of their own, and left out."""
    lines: dict[int, list[str]] = defaultdict(list)

    def read(text: str, matrix: list[float], at: list[float], _font: object, _size: float) -> None:
        if text.strip() and abs(matrix[0] - 0.75) < 0.01:
            lines[round(at[4] * matrix[1] + at[5] * matrix[3] + matrix[5])].append(text.strip())

    page.extract_text(visitor_text=read)
    return unicodedata.normalize("NFKC", " ".join(lines[min(lines)]))


def test_title_of_a_chart_is_clear_of_its_legend_on_a_phone(browser: Browser, reports: dict[str, Path]) -> None:
    """There the caption says it; on a wide page the chart does."""
    titles = {}
    for size in (WIDE, PHONE):
        seen = look(browser, reports["canary"], viewport=size)
        drawn = seen.page.locator("figure.figure .gtitle").count()
        titles[size["width"]] = drawn, seen.page.locator("figcaption[data-title]").count()
        seen.page.context.close()
    many = titles[WIDE["width"]][0]
    assert titles == {WIDE["width"]: (many, 0), PHONE["width"]: (0, many)}
    assert many > 1


def test_contents_and_folds_are_reached_by_keyboard(browser: Browser, reports: dict[str, Path]) -> None:
    """Tab leads to the skip link first; Enter on a fold opens it."""
    seen = look(browser, reports["readiness"], viewport=WIDE)
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("() => document.activeElement.className") == "skip"
    fold = seen.page.locator("details.code > summary").first
    fold.focus()
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("details.code").first.get_attribute("open") is not None
    seen.page.context.close()


def test_failed_run_says_what_stopped_it(browser: Browser, reports: dict[str, Path]) -> None:
    """The error stands on top, by word."""
    seen = look(browser, reports[BROKEN], viewport=WIDE)
    alert = seen.page.get_by_role("alert").inner_text()
    assert "The run did not finish" in alert
    assert "ZeroDivisionError: division by zero" in alert
    seen.page.context.close()
