"""JupyterLab as an analyst has it: every notebook opened in a browser, run from top to bottom, and looked at."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import nbformat
import psutil
import pytest
from plant import free_port
from playwright.sync_api import expect, sync_playwright
from servers import absent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Page

    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PASSWORD = "planted/pass word%41"  # noqa: S105  planted, to be looked for
PATIENCE_MS = 60_000
LONGEST_END_S = 60
expect.set_options(timeout=PATIENCE_MS)
LARGEST = 1_500_000  # bytes of a notebook with its charts
KITS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: where it answers, its process, the analyst's folder, and what it said so far."""

    base: str
    token: str
    process: subprocess.Popen[str]
    folder: Path
    said: list[str]


@contextmanager
def serving(folder: Path, env: Mapping[str, str], *options: str) -> Iterator[Lab]:
    """Run ``golive lab`` in a folder until the block ends."""
    command = [sys.executable, "-m", "golive_lib", "lab", "--no-browser", *options]
    with subprocess.Popen(command, cwd=folder, env=dict(env), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"(http://127\.0\.0\.1:\d+)/\S*\?token=(\w+)", line):
                break
        else:
            pytest.fail("".join(said))
        rest = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        rest.start()
        watchdog = threading.Timer(LONGEST_END_S, process.kill)  # a server that does not end is a failure, not a wait
        try:
            httpx.get(f"{found[1]}/api", timeout=60).raise_for_status()
            yield Lab(found[1], found[2], process, folder, said)
        finally:
            process.terminate()
            watchdog.start()
            rest.join()
            watchdog.cancel()
    assert process.returncode == 0, "".join(said)


@pytest.fixture(scope="module")
def lab_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give an environment in which nothing of the caller's names a database, a plan or JupyterLab's settings."""
    own = tmp_path_factory.mktemp("jupyter")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    return clean | {"JUPYTER_CONFIG_DIR": str(own / "config"), "JUPYTER_RUNTIME_DIR": str(own / "run")}


def add_cell(path: Path, code: str) -> None:
    """Write one more cell of code at a notebook's end."""
    book = nbformat.read(path, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(code))
    nbformat.write(book, path)


@pytest.fixture(scope="module")
def lab(healthy: DemoDatabase, lab_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run JupyterLab in a folder with a plan, a query and a notebook of the analyst's own."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copy(ROOT / "launch.toml", folder)
    (folder / "queries").mkdir()
    for name in ("my-report", "health/mine"):
        subprocess.run([sys.executable, "-m", "golive_lib", "new", name], cwd=folder, env=lab_env, check=True)
    add_cell(folder / "notebooks" / "my-report.ipynb", 'launch.queries["sanity/consent"]')
    url = healthy.url.replace("golive_ro@", f"golive_ro:{quote(PASSWORD, safe='')}@")
    with serving(folder, lab_env, "--port", str(free_port()), "--db-url", url) as running:
        yield running


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator[Page]:
    """Open it in Debian's Chromium; asking any other host fails the test that does."""
    if not CHROMIUM.exists():
        absent("Debian's chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1280, "height": 3600})
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: asked.append(request.url))
        asked.clear()
        page.goto(f"{lab.base}/lab/tree/notebooks?token={lab.token}")
        yield page
        browser.close()


asked: list[str] = []


def open_notebook(page: Page, name: str) -> None:
    """Open a notebook by its name in the list of files, and wait for its kernel."""
    page.locator(".jp-DirListing-item", has_text=f"{name}.ipynb").dblclick()
    page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell").first.wait_for()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")


def run_all(page: Page, code_cells: int) -> None:
    """Run all cells by the menu, and wait until the last has run."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    done = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell .jp-InputPrompt")
    last = done.nth(code_cells - 1)
    expect(last).to_have_text(re.compile(r"\[\d+\]:"))
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")


def saved(page: Page, path: Path) -> nbformat.NotebookNode:
    """Save the notebook in front and read it."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    expect(page.locator(".lm-DockPanel .lm-TabBar-tab.lm-mod-current.jp-mod-dirty")).to_have_count(0)
    assert path.stat().st_mtime_ns > before
    book: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    return book


def picture(page: Page, name: str, folder: Path) -> None:
    """Keep a screenshot to look at."""
    kept = Path(os.environ.get("GOLIVE_ARTIFACTS") or folder)
    kept.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=kept / f"lab-{name}.png")


@pytest.mark.parametrize("name", [*KITS, "my-report"])
def test_notebook_runs_from_top_to_bottom(lab: Lab, page: Page, tmp_path: Path, name: str) -> None:
    """Run All leaves a verdict, every chart drawn, no error, and asks no host but the server."""
    path = lab.folder / "notebooks" / f"{name}.ipynb"
    open_notebook(page, name)
    run_all(page, sum(cell.cell_type == "code" for cell in nbformat.read(path, as_version=4).cells))
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    book = saved(page, path)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    meant = sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in outputs)
    expect(panel.locator(".js-plotly-plot .main-svg").first if meant else panel).to_be_visible()
    expect(panel.locator(".js-plotly-plot:has(.main-svg)")).to_have_count(meant)
    expect(panel.locator(".gl-verdict")).to_have_count(1)
    expect(panel.locator("mjx-container")).to_have_count(0)
    picture(page, name, tmp_path)
    assert [output.output_type for output in outputs if output.output_type in ("error", "stream")] == []
    assert path.stat().st_size < LARGEST
    assert [url for url in asked if not url.startswith((lab.base, "data:", "blob:"))] == []
    page.locator(".lm-TabBar-tab.lm-mod-current .lm-TabBar-tabCloseIcon").first.click()


def test_charts_and_verdict_read_in_the_dark_theme(lab: Lab, page: Page, tmp_path: Path) -> None:
    """A notebook that was run is opened again in JupyterLab's dark theme: charts, and lighter colours."""
    settings = f"{lab.base}/lab/api/settings/@jupyterlab/apputils-extension:themes"
    given = {"raw": json.dumps({"theme": "JupyterLab Dark"})}
    httpx.put(settings, params={"token": lab.token}, json=given).raise_for_status()
    page.goto(f"{lab.base}/lab/tree/notebooks/canary.ipynb?reset")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    drawn = page.locator(
        ".js-plotly-plot .main-svg, .jp-RenderedPlotly img"
    )  # of what was saved, plotly shows a picture
    expect(drawn.first).to_be_visible(timeout=PATIENCE_MS)
    colour = page.locator(".gl-verdict .gl-mark").evaluate("mark => getComputedStyle(mark).color")
    picture(page, "canary-dark", tmp_path)
    assert colour == "rgb(240, 182, 74)"


def test_nobody_asks_for_news(page: Page) -> None:
    """JupyterLab's announcements are off, and so is its list of extensions on the web."""
    assert page.get_by_text("Jupyter news").count() == 0


def test_password_is_not_seen(lab: Lab) -> None:
    """Neither in the list of processes, nor in the server's words, nor in a file of the analyst's folder."""
    started = psutil.Process(lab.process.pid)
    listed = [" ".join(each.cmdline()) for each in (started, *started.children(recursive=True))]
    files = [path.read_text(errors="replace") for path in lab.folder.rglob("*") if path.is_file()]
    assert len(listed) > 1
    texts = [*listed, *lab.said, *files]
    assert [text for text in texts if PASSWORD in text or quote(PASSWORD, safe="") in text] == []


def test_notebook_is_exported_as_a_report(lab: Lab) -> None:
    """The export menu has the kit's own form, whose page holds what the notebook shows."""
    token = {"token": lab.token}
    menu = httpx.get(f"{lab.base}/api/nbconvert", params=token, timeout=60).json()
    page = httpx.get(f"{lab.base}/nbconvert/golive/notebooks/health.ipynb", params=token, timeout=60)
    assert "golive" in menu
    assert (page.status_code, "All 5 checks are green" in page.text) == (200, True)


def test_own_query_is_asked_like_the_kits(lab: Lab) -> None:
    """The analyst's own check stands among the kit's in their own notebook."""
    text = (lab.folder / "notebooks" / "my-report.ipynb").read_text()
    assert "What is asked here, so that every row of the answer should keep the rule?" in text


def test_copies_that_are_older_are_named(healthy: DemoDatabase, lab_env: dict[str, str], tmp_path: Path) -> None:
    """The kit's notebooks are copied where there are none, kept where there are, and an old copy is named."""
    with serving(tmp_path, lab_env, "--db-url", healthy.url) as first:
        pass
    path = tmp_path / "notebooks" / "canary.ipynb"
    old = json.loads(path.read_text())
    old["metadata"]["golive"]["copied"] = "of an older one"
    path.write_text(json.dumps(old))
    with serving(tmp_path, lab_env, "--db-url", healthy.url) as second:
        pass
    named = [line for line in second.said if "older kit" in line]
    assert "copied the kit's notebooks into" in "".join(first.said)
    assert sorted(each.stem for each in (tmp_path / "notebooks").glob("*.ipynb")) == KITS
    assert [line.split(" was copied")[0] for line in named] == ["· notebooks/canary.ipynb"]
    assert json.loads(path.read_text()) == old
