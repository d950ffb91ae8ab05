"""A real Chromium for tests: Debian's, headless, and told to ask no host for anything."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright
from servers import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser as long as the context lasts."""
    if not CHROMIUM:
        absent("chromium is not installed; CI installs Debian's")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def artifact(name: str, otherwise: Path) -> Path:
    """Return where a screenshot is kept to be looked at: ``GOLIVE_ARTIFACTS``, else the test's own folder."""
    folder = Path(os.environ.get("GOLIVE_ARTIFACTS") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name
