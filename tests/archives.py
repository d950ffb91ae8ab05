"""What several test files share: an archive of a demo's days, written by the kit and read beside its PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from golive_lib import open_launch
from golive_lib.archiving import Asked, archive_days

if TYPE_CHECKING:
    from golive_lib.demo import DemoDatabase
    from golive_lib.launch import Launch

PLAN = Path(__file__).parents[1] / "launch.toml"
LATER = "2026-03-30T00:00:00Z"  # by then every day of the launch is closed


def later(demo: DemoDatabase) -> Launch:
    """Open a demo when its launch is days ago."""
    joined = "&" if "?" in demo.url else "?"
    return open_launch(f"{demo.url}{joined}options={quote(f'-c golive.now={LATER}', safe='')}", plan=PLAN)


def archived(demo: DemoDatabase, folder: Path) -> Launch:
    """Archive a demo's days and open the archive."""
    folder.mkdir()
    assert archive_days(later(demo), folder, Asked()).failures == []
    return open_launch(f"duckdb:{folder}", plan=PLAN)
