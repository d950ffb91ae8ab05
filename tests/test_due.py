"""Due events: their states, and local time across summer-time changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from golive_lib.due import DueEvent, DueState, instant, judge_due, latest_due
from golive_lib.verdicts import Status

BEIRUT = ZoneInfo("Asia/Beirut")
ZODIAC = DueEvent(time(7), BEIRUT, 12, timedelta(minutes=30))
DAY = date(2026, 6, 10)
DUE = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def files(*moments: datetime) -> dict[str, datetime]:
    """Return one item per moment."""
    return {f"sign-{i}": moment for i, moment in enumerate(moments)}


@pytest.mark.parametrize(
    ("arrivals", "now", "state", "status"),
    [
        (files(), DUE - MINUTE, DueState.NOT_DUE, Status.UNKNOWN),
        (files(*[DUE - MINUTE] * 12), DUE - MINUTE, DueState.ARRIVED, Status.GREEN),
        (files(*[DUE] * 12), DUE, DueState.ARRIVED, Status.GREEN),
        (files(*[DUE] * 11), DUE, DueState.PENDING, Status.AMBER),
        (files(*[DUE] * 11), DUE + 29 * MINUTE, DueState.PENDING, Status.AMBER),
        (files(*[DUE] * 11, DUE + 5 * MINUTE), DUE + 6 * MINUTE, DueState.LATE, Status.AMBER),
        (files(*[DUE] * 11, DUE + 30 * MINUTE), DUE + 90 * MINUTE, DueState.LATE, Status.AMBER),
        (files(*[DUE] * 11), DUE + 30 * MINUTE, DueState.MISSED, Status.RED),
        (files(*[DUE] * 11, DUE + 31 * MINUTE), DUE + 90 * MINUTE, DueState.MISSED, Status.RED),
        (files(), DUE + 90 * MINUTE, DueState.MISSED, Status.RED),
        (None, DUE + 90 * MINUTE, DueState.UNKNOWN, Status.UNKNOWN),
        (files(*[DUE] * 13), DUE, DueState.ARRIVED, Status.GREEN),
    ],
)
def test_states(arrivals: dict[str, datetime] | None, now: datetime, state: DueState, status: Status) -> None:
    """Eleven of twelve are not twelve, a file after the grace does not undo a miss, and not asked is unknown."""
    found = judge_due(ZODIAC, DAY, arrivals, soak_start=DUE - timedelta(hours=1), now=now)
    assert (found.state, found.status) == (state, status)


def test_an_old_moment_is_judged_as_it_was_then() -> None:
    """Files that came after the judged moment are not yet there, so a replay says what the watch said."""
    arrivals = files(*[DUE] * 11, DUE + 5 * MINUTE)
    found = judge_due(ZODIAC, DAY, arrivals, soak_start=DUE, now=DUE + MINUTE)
    assert (found.state, found.arrived) == (DueState.PENDING, 11)


def test_a_soak_that_never_crosses_the_due_time_says_so() -> None:
    """The latest due event before it is judged, and named as such."""
    start = DUE + timedelta(hours=2)
    now = start + timedelta(hours=2)
    found = judge_due(ZODIAC, latest_due(ZODIAC, now), files(*[DUE] * 12), soak_start=start, now=now)
    expected = "arrived: 12 of 12 for 07:00 Asia/Beirut of 2026-06-10, due before this soak began"
    assert (found.status, found.before_soak, found.reason) == (Status.GREEN, True, expected)


def test_a_soak_that_crosses_the_due_time_needs_no_remark() -> None:
    """The look-alike: due within the soak."""
    found = judge_due(ZODIAC, DAY, files(*[DUE] * 12), soak_start=DUE, now=DUE + MINUTE)
    assert (found.before_soak, found.reason) == (False, "arrived: 12 of 12 for 07:00 Asia/Beirut of 2026-06-10")


@pytest.mark.parametrize(
    ("now", "day"),
    [(DUE, DAY), (DUE - MINUTE, date(2026, 6, 9)), (datetime(2026, 6, 9, 22, 30, tzinfo=UTC), date(2026, 6, 9))],
)
def test_the_latest_due_event_is_of_a_local_day(now: datetime, day: date) -> None:
    """At 22:30 UTC it is the next day in Beirut already, and its event is still to come."""
    assert day == latest_due(ZODIAC, now)


@pytest.mark.parametrize(
    ("day", "hour"), [(date(2026, 3, 28), 5), (date(2026, 3, 29), 4), (date(2026, 10, 24), 4), (date(2026, 10, 25), 5)]
)
def test_seven_in_beirut_moves_with_summer_time(day: date, hour: int) -> None:
    """07:00 is 05:00 UTC in winter and 04:00 UTC in summer."""
    assert datetime(day.year, day.month, day.day, hour, tzinfo=UTC) == instant(day, time(7), BEIRUT)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 28), 24), (date(2026, 3, 29), 23), (date(2026, 10, 24), 25), (date(2026, 10, 25), 24)],
)
def test_a_local_day_is_as_long_as_its_clock_makes_it(day: date, hours: int) -> None:
    """2026-03-29 has no midnight in Beirut and starts at one; 2026-10-24 has 25 hours."""
    start, end = (instant(each, time(), BEIRUT) for each in (day, day + timedelta(days=1)))
    assert timedelta(hours=hours) == end - start


@pytest.mark.parametrize("clock", [time(0, 0), time(0, 30), time(1, 0)])
def test_a_time_that_is_skipped_is_due_when_the_clock_goes_on(clock: time) -> None:
    """00:00 to 00:59 of 2026-03-29 do not exist in Beirut: the first moment after them is 01:00, 22:00 UTC."""
    assert datetime(2026, 3, 28, 22, tzinfo=UTC) == instant(date(2026, 3, 29), clock, BEIRUT)


def test_a_time_that_comes_twice_is_due_the_first_time() -> None:
    """23:30 of 2026-10-24 is shown at 20:30 and at 21:30 UTC."""
    assert datetime(2026, 10, 24, 20, 30, tzinfo=UTC) == instant(date(2026, 10, 24), time(23, 30), BEIRUT)


def test_a_day_that_is_skipped_whole_starts_with_the_next() -> None:
    """Samoa had no 2011-12-30."""
    zone = ZoneInfo("Pacific/Apia")
    assert instant(date(2011, 12, 31), time(), zone) == instant(date(2011, 12, 30), time(7), zone)


@pytest.mark.parametrize("naive", ["now", "arrival"])
def test_a_moment_without_a_zone_is_refused(naive: str) -> None:
    """A wall clock's time is not a moment."""
    bare = DUE.replace(tzinfo=None)
    with pytest.raises(ValueError, match="needs a time zone"):
        judge_due(
            ZODIAC, DAY, files(bare if naive == "arrival" else DUE), soak_start=DUE, now=bare if naive == "now" else DUE
        )
