"""The stretches that the day after a launch is held against."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from golive_lib.plan import read_plan
from golive_lib.spans import earlier, spans

BEIRUT = ZoneInfo("Asia/Beirut")
LAUNCH = Path(__file__).parents[1] / "launch.toml"
PLAN = read_plan(LAUNCH)


def test_hours_lie_side_by_side() -> None:
    """The hours before end where the last ones begin."""
    found = spans(PLAN, datetime(2026, 3, 25, 22, tzinfo=UTC))
    assert (found.now.hours, found.day.until, found.day.hours) == (24, found.now.since, 24)
    assert found.now.until - found.week.until == timedelta(days=7)


def test_hours_before_the_launch_touch_no_stage() -> None:
    """The canary of 24 March began at 08:00 Z, so that the last whole day before it ended the evening before."""
    found = spans(PLAN, datetime(2026, 3, 25, 22, tzinfo=UTC))
    assert found.prelaunch is not None
    assert found.prelaunch.until == datetime(2026, 3, 23, 22, tzinfo=UTC)
    assert found.prelaunch.hours == 24


def test_plan_without_starts_has_no_hours_before(tmp_path: Path) -> None:
    """Nobody can say which hours were before a launch without a beginning."""
    path = tmp_path / "launch.toml"
    path.write_text("".join(line for line in LAUNCH.read_text().splitlines(keepends=True) if "starts = " not in line))
    assert spans(read_plan(path), datetime(2026, 3, 25, 22, tzinfo=UTC)).prelaunch is None


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 4, 5, 21, tzinfo=UTC), 23),  # midnight in Beirut; its 29 March had 23 hours
        (datetime(2026, 10, 31, 22, tzinfo=UTC), 25),  # and its 24 October 25
        (datetime(2026, 3, 25, 22, tzinfo=UTC), 24),
    ],
)
def test_last_week_is_by_the_wall_clock(now: datetime, hours: int) -> None:
    """People come by the clock on the wall, so a week ago may have an hour less or more."""
    assert spans(PLAN, now).week.hours == hours


def test_same_wall_clock_across_summer_time() -> None:
    """09:00 in Beirut is 06:00 Z in summer and 07:00 Z in winter."""
    assert earlier(datetime(2026, 3, 30, 6, tzinfo=UTC), 2, BEIRUT) == datetime(2026, 3, 28, 7, tzinfo=UTC)
