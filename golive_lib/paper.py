"""A report on paper: its page printed to PDF by a Chromium that is there, charts drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from golive_lib.errors import ReportError

CHROMIUM = "GOLIVE_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
LONGEST_S = 60
_DRAWING_MS = 20_000  # of the page's own time, which runs as fast as it can
_NEEDED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_RUNTIME_DIR", "FONTCONFIG_PATH", "SystemRoot")
_QUIET = ("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def printed(page: Path) -> bytes:
    """Return a page as PDF; raises ReportError that says what is missing, or that the browser failed."""
    browser = os.environ.get(CHROMIUM) or next(filter(None, map(shutil.which, NAMES)), None)
    if not browser:
        raise ReportError(f"no PDF: there is no Chromium on the PATH; install one, or name it in {CHROMIUM}")
    with TemporaryDirectory(prefix="golive-print-") as scratch:
        target = Path(scratch) / "page.pdf"
        command = [browser, *_QUIET, f"--user-data-dir={scratch}/profile", f"--virtual-time-budget={_DRAWING_MS}"]
        command += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # which root cannot have
        command += ["--no-pdf-header-footer", f"--print-to-pdf={target}", page.resolve().as_uri()]
        known = {name: os.environ[name] for name in _NEEDED if name in os.environ}  # its keys are no browser's business
        try:
            done = subprocess.run(  # noqa: S603  the user's browser
                command, env=known, capture_output=True, text=True, timeout=LONGEST_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReportError(f"no PDF: {browser} could not print {page.name}: {error}") from None
        if done.returncode or not target.is_file():
            words = " ".join(done.stderr.split())[-200:]
            raise ReportError(f"no PDF: {browser} could not print {page.name} (exit code {done.returncode}): {words}")
        return target.read_bytes()
