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
    from golive_lib.statement import Value

PLAN = Path(__file__).parents[1] / "launch.toml"
LATER = "2026-03-30T00:00:00Z"  # by then every day of the launch is closed
NOW = "2026-03-25T22:00:00Z"  # the end of the last stage
VALUES: dict[str, Value] = {
    "as_of": "2026-03-24T20:30:00Z",
    "since": "2026-03-24T14:00:00Z",
    "golive_since": "2026-03-24T14:00:00Z",
    "golive_until": "2026-03-24T20:00:00Z",
    "golive_days": 3,
    "golive_zone": "Asia/Beirut",
    "golive_sample": 10_000,
    "day": "2026-03-24",
}


def at(url: str, now: str, plan: Path) -> Launch:
    """Open a launch at another time than its database's."""
    joined = "&" if "?" in url else "?"
    return open_launch(f"{url}{joined}options={quote(f'-c golive.now={now}', safe='')}", plan=plan)


def later(demo: DemoDatabase) -> Launch:
    """Open a demo when its launch is days ago."""
    return at(demo.url, LATER, PLAN)


def archived(live: Launch, folder: Path) -> Launch:
    """Archive a launch's days and open the archive."""
    folder.mkdir()
    assert archive_days(live, folder, Asked()).failures == []
    return open_launch(f"duckdb:{folder}", plan=live.plan.path)
