"""Reader utilization on a real PostgreSQL: against plain pandas over the raw rows, and what bad rows do to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np
import pandas as pd
import psycopg
import pytest
from plant import change, opened

from golive_lib.launch import Launch, open_launch
from golive_lib.plan_night import AftercareRules
from golive_lib.spans import spans
from golive_lib.utilization import Utilization, examine
from golive_lib.utilization_charts import heat_map
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from golive_lib.demo import DemoDatabase
    from golive_lib.proof import Point
    from golive_lib.spans import Span

    Clone = Callable[[], DemoDatabase]
    Mask = NDArray[np.bool_]

ROOT = Path(__file__).parents[1]
NOW = datetime(2026, 3, 25, 22, tzinfo=UTC)
READER = "00000000-0000-0000-0000-0000000000aa"
OFFERED: LiteralString = "insert into reader_availability (reader_id, weekday, start_time, end_time, timezone) values "
CHANGED: LiteralString = "insert into availability_overrides (reader_id, day, start_time, end_time, available) values "
CALLED: LiteralString = (
    "insert into call_sessions (booking_id, client_id, reader_id, call_type, status, "
    "requested_at, connected_at, ended_at) "
)
BOOKING = "00000000-0000-0000-0000-0000000000bb"
CLIENT = "(select min(user_id::text)::uuid from profiles where role = 'client' and not is_test)"
DEMAND, OVERLOADED, IDLE = "demand that found no reader", "overloaded readers", "idle readers"
OFFER, STANDING = "hours that readers offer", "windows and calls as they stand"

# The same facts from each deployment's own tables.
DEMO_ROWS: dict[str, LiteralString] = {
    "people": "select user_id::text as person, role, is_test from profiles",
    "windows": "select reader_id::text as reader, weekday, start_time, end_time, timezone from reader_availability",
    "changes": "select reader_id::text as reader, day, start_time, end_time, available from availability_overrides",
    "bookings": "select id::text as booking, client_id::text as client, reader_id::text as reader, scheduled_at, "
    "duration_minutes as minutes, status from bookings",
    "calls": "select booking_id::text as booking, client_id::text as client, reader_id::text as reader, requested_at, "
    "connected_at, ended_at from call_sessions",
    "sirens": "select requested_at as at, answered_at from emergency_calls",
}
STAGING_ROWS: dict[str, LiteralString] = {
    "people": "select id::text as person, role, coalesce(is_test, false) as is_test from profiles",
    "windows": "select reader_id::text as reader, day_of_week as weekday, start_time, end_time, timezone "
    "from reader_availability where is_active",
    "changes": "select ''::text as reader, now()::date as day, null::time as start_time, null::time as end_time, "
    "false as available where false",
    "bookings": "select id::text as booking, user_id::text as client, reader_id::text as reader, scheduled_at, "
    "null::int as minutes, status from bookings",
    "calls": "select booking_id::text as booking, client_id::text as client, reader_id::text as reader, "
    "created_at as requested_at, actual_start_time as connected_at, actual_end_time as ended_at from call_sessions",
    "sirens": "select requested_at as at, accepted_at as answered_at from emergency_call_requests",
}


def examined(launch: Launch, now: datetime | None = None) -> Utilization:
    """Examine at the database's clock, or at another moment."""
    with launch.database.snapshot() as snapshot:
        return examine(launch, snapshot, spans(launch.plan, now or snapshot.clock.now))


def point(found: Utilization, what: str) -> Point:
    """Return one point."""
    return next(each for each in found.points if each.what == what)


def row(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the planted reader's row."""
    (found,) = frame[frame["reader"] == READER].to_dict("records")
    return {str(name): value for name, value in found.items()}


def oddities(found: Utilization) -> dict[str, int]:
    """Return the counts of what could not be counted as it stands."""
    return dict(zip(found.oddities["what"], found.oddities["count"], strict=True))


@pytest.fixture
def planted(clone: Clone) -> DemoDatabase:
    """Give a demo with one more reader, who offers nothing yet."""
    demo = clone()
    change(demo, f"insert into profiles (user_id, role, display_name) values ('{READER}', 'reader', 'R.')")
    return demo


# --- An independent computation: a grid of seconds, and the clock on the wall at each of them ---


class Grid:
    """Every second of a span, with the date, weekday and time of day that clocks in a zone show then."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.at = pd.date_range(span.since, span.until, freq="s", inclusive="left")
        self._walls: dict[str, tuple[NDArray[Any], ...]] = {}

    def wall(self, zone: str) -> tuple[NDArray[Any], ...]:
        """Return days since 1970, weekdays (0 = Sunday) and seconds of the day."""
        if zone not in self._walls:
            naive = self.at.tz_convert(zone).tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64)
            days = naive // 86_400
            self._walls[zone] = days, (days + 4) % 7, naive % 86_400
        return self._walls[zone]

    def between(self, since: pd.Timestamp, until: pd.Timestamp) -> slice:
        """Return the seconds between two moments."""
        return slice(self.index(since), self.index(until))

    def index(self, moment: pd.Timestamp) -> int:
        """Return a moment's second, held within the span."""
        seconds = (moment - pd.Timestamp(self.span.since)).total_seconds()
        return int(np.clip(round(seconds), 0, len(self.at)))


def seconds(at: time) -> int:
    """Return a time of day in seconds."""
    return at.hour * 3600 + at.minute * 60 + at.second


def number_of(day: date) -> int:
    """Return a day as days since 1970."""
    return (day - date(1970, 1, 1)).days


def offered(grid: Grid, windows: pd.DataFrame, changes: pd.DataFrame, home: str) -> Mask:
    """Return the seconds that one reader offers."""
    mask = np.zeros(len(grid.at), dtype=bool)
    whole = changes["start_time"].isna()
    off = [number_of(day) for day in changes[whole & ~changes["available"].astype(bool)]["day"]]
    for each in windows.to_dict("records"):
        days, weekdays, times = grid.wall(each["timezone"])
        begins, ends = seconds(each["start_time"]), seconds(each["end_time"])
        late = ends <= begins
        today = (weekdays == each["weekday"]) & (times >= begins) & (late | (times < ends)) & ~np.isin(days, off)
        after = (weekdays == (each["weekday"] + 1) % 7) & (times < ends) & ~np.isin(days - 1, off)
        mask |= today | after if late else today
    for each in changes[~whole].sort_values("available").to_dict("records"):
        days, _, times = grid.wall(home)
        begins, ends = seconds(each["start_time"]), seconds(each["end_time"])
        hit = (days == number_of(each["day"])) & (times >= begins) & (times < ends)
        mask = mask | hit if each["available"] else mask & ~hit
    return mask


def spoken(grid: Grid, calls: pd.DataFrame) -> Mask:
    """Return the seconds that any of the calls covers."""
    mask = np.zeros(len(grid.at), dtype=bool)
    for since, until in zip(calls["begins"], calls["ends"], strict=True):
        mask[grid.between(since, until)] = True
    return mask


def raw(url: str, queries: dict[str, LiteralString]) -> dict[str, pd.DataFrame]:
    """Pull the raw rows."""
    frames = {}
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        for name, query in queries.items():
            cursor = connection.execute(query)
            frames[name] = pd.DataFrame(cursor.fetchall(), columns=[c.name for c in cursor.description or ()])
    return frames


def independent(rows: dict[str, pd.DataFrame], span: Span) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Compute each reader's minutes and calls, and the minutes offered and talked per hour of the week."""
    grid, people = Grid(span), rows["people"]
    tests = set(people[people["is_test"]]["person"])
    calls = rows["calls"].merge(rows["bookings"][["booking", "minutes"]], on="booking", how="left")
    calls = calls[calls["connected_at"].notna() & ~calls["client"].isin(tests)]
    now = pd.Timestamp(span.until)
    begins = pd.to_datetime(calls["connected_at"], utc=True)
    planned = begins + pd.to_timedelta(calls["minutes"].astype("float64"), unit="min")
    planned = planned.where(planned < now, now)
    calls = calls.assign(begins=begins, ends=pd.to_datetime(calls["ended_at"], utc=True).fillna(planned))
    bookings = rows["bookings"]
    bookings = bookings[(bookings["status"] != "cancelled") & ~bookings["client"].isin(tests)].dropna(subset="minutes")
    due = pd.to_datetime(bookings["scheduled_at"], utc=True)
    ends = due + pd.to_timedelta(bookings["minutes"].astype("float64"), unit="min")
    bookings = bookings.assign(begins=due, ends=ends)
    _, weekdays, times = grid.wall("Asia/Beirut")
    hours, per_hour, found = weekdays * 24 + times // 3600, np.zeros((2, 168)), []
    for reader in sorted(people[(people["role"] == "reader") & ~people["is_test"]]["person"]):
        mine = {name: frame[frame["reader"] == reader] for name, frame in rows.items() if "reader" in frame}
        offer = offered(grid, mine["windows"], mine["changes"], "Asia/Beirut")
        held = calls[calls["reader"] == reader]
        talk, booked = spoken(grid, held), spoken(grid, bookings[bookings["reader"] == reader])
        per_hour += [np.bincount(hours, weights=mask, minlength=168) / 60 for mask in (offer, talk)]
        begun = held[(held["begins"] >= span.since) & (held["begins"] < span.until)]["begins"]
        outside = sum(not offer[int((each - pd.Timestamp(span.since)).total_seconds())] for each in begun)
        sums = [mask.sum() / 60 for mask in (offer, booked, talk, talk & offer)]
        found.append((reader, *sums, len(begun), outside))
    columns = ["offered_minutes", "booked_minutes", "talked_minutes", "used_minutes", "calls", "calls_outside"]
    return pd.DataFrame(found, columns=["reader", *columns]).set_index("reader"), per_hour


@pytest.fixture(params=["healthy", "staging"])
def deployment(request: pytest.FixtureRequest) -> tuple[Launch, dict[str, pd.DataFrame]]:
    """Give a deployment's launch and its raw rows."""
    if request.param == "healthy":
        demo: DemoDatabase = request.getfixturevalue("healthy")
        return opened(demo), raw(demo.url, DEMO_ROWS)
    url: str = request.getfixturevalue("staging")
    return open_launch(url, plan=ROOT / "examples" / "staging" / "launch.toml"), raw(url, STAGING_ROWS)


def test_minutes_agree_with_pandas(deployment: tuple[Launch, dict[str, pd.DataFrame]]) -> None:
    """Each reader's minutes, calls and hours of the week are those of a grid of seconds, to the minute."""
    launch, rows = deployment
    found = examined(launch)
    for frame, span in ((found.readers, found.week), (found.day, found.last)):
        wanted, per_hour = independent(rows, span)
        ours = frame.set_index("reader").reindex(wanted.index)[wanted.columns].astype("float64")
        booked = frame["booked_minutes"].notna().any()
        compared = wanted if booked else wanted.drop(columns="booked_minutes")
        assert (ours[compared.columns].fillna(0) - compared).abs().max().max() < 1
        if span == found.week:
            cells = found.hours.set_index((found.hours["weekday"] * 24 + found.hours["hour"]).astype(int))
            for column, figures in zip(("offered_minutes", "talked_minutes"), map(np.asarray, per_hour), strict=True):
                assert np.abs(cells[column].astype(float) - figures[cells.index]).max() < 1
            assert np.delete(np.asarray(per_hour[1]), cells.index).max(initial=0) < 1
    assert wanted["talked_minutes"].sum() > 0


def test_hours_before_the_first_known_call_are_blank(staging: str) -> None:
    """Staging knows of no call before Wednesday, 25 March: Tuesday is not 0 but unknown."""
    hours = examined(open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml")).hours
    assert set(hours["weekday"]) == {0, 1, 3, 4, 5, 6}
    assert hours.loc[hours["weekday"] == 1, "hour"].max() == 2


def test_demand_agrees_with_pandas(deployment: tuple[Launch, dict[str, pd.DataFrame]]) -> None:
    """Those who asked for a reader, and found none, are counted one by one."""
    launch, rows = deployment
    found = examined(launch)
    since, until = found.last.since, found.last.until - launch.plan.judge.maturity
    tests = set(rows["people"][rows["people"]["is_test"]]["person"])
    sirens = rows["sirens"][(rows["sirens"]["at"] >= since) & (rows["sirens"]["at"] < until)]
    calls = rows["calls"][rows["calls"]["requested_at"] < until]
    connected = calls.groupby("booking")["connected_at"].count()
    due = rows["bookings"]
    due = due[(due["scheduled_at"] >= since) & (due["scheduled_at"] < until) & ~due["client"].isin(tests)]
    failed = due["booking"].map(connected).eq(0).sum()
    counted = found.demand.set_index("kind")[["asked", "unmet"]].astype(int)
    assert tuple(counted.loc["emergency calls"]) == (len(sirens), sirens["answered_at"].isna().sum())
    assert tuple(counted.loc["bookings"]) == (len(due), failed)
    assert tuple(counted.loc["all"]) == (len(sirens) + len(due), sirens["answered_at"].isna().sum() + failed)


# --- Windows: what is planted, and the minutes it is worth in the week to a moment ---

WINTER, MARCH, OCTOBER = NOW, datetime(2026, 3, 30, 12, tzinfo=UTC), datetime(2026, 10, 26, 12, tzinfo=UTC)
WINDOWS: dict[str, tuple[LiteralString, datetime, int]] = {
    "past midnight": ("(%R, 5, '22:00', '02:00', 'Asia/Beirut')", WINTER, 240),
    "to midnight": ("(%R, 5, '20:00', '24:00', 'Asia/Beirut')", WINTER, 240),
    "to midnight, as 00:00": ("(%R, 5, '20:00', '00:00', 'Asia/Beirut')", WINTER, 240),
    "round the clock": ("(%R, 5, '08:00', '08:00', 'Asia/Beirut')", WINTER, 1440),
    "overlapping": ("(%R, 1, '09:00', '12:00', 'Asia/Beirut'), (%R, 1, '11:00', '13:00', 'Asia/Beirut')", WINTER, 240),
    "a zone of its own, in summer time": ("(%R, 1, '09:00', '12:00', 'america/new_york')", WINTER, 180),
    "cut by the week's end": ("(%R, 3, '22:00', '04:00', 'Asia/Beirut')", WINTER, 120 + 240),
    "a day of 23 hours": ("(%R, 0, '00:00', '24:00', 'Asia/Beirut')", MARCH, 23 * 60),
    "a start that the clock skips": ("(%R, 0, '00:30', '03:00', 'Asia/Beirut')", MARCH, 90),
    "an end before a skipped start": (
        "(%R, 0, '00:30', '01:00', 'Asia/Beirut'), (%R, 1, '01:00', '01:01', 'UTC')",
        MARCH,
        1,
    ),
    "a night into summer time": ("(%R, 6, '22:00', '03:00', 'Asia/Beirut')", MARCH, 240),
    "a day of 25 hours": ("(%R, 6, '00:00', '24:00', 'Asia/Beirut')", OCTOBER, 25 * 60),
    "an end that comes twice": ("(%R, 6, '20:00', '23:30', 'Asia/Beirut')", OCTOBER, 270),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_windows(planted: DemoDatabase, case: str) -> None:
    """A window is laid on each day of its own zone, whatever the clocks do."""
    rows, now, minutes = WINDOWS[case]
    change(planted, OFFERED + rows.replace("%R", f"'{READER}'"))
    found = row(examined(opened(planted), now).readers)
    assert (found["offered_minutes"], found["state"]) == (minutes, "idle")
    assert found["windows_overlapping"] == (case == "overlapping")


# The reader offers Friday 09:00 to 17:00 and Friday 22:00 to 02:00, 12 hours; 20 March is that Friday.
CHANGES: dict[str, tuple[LiteralString, int]] = {
    "the whole day off, its night too": ("(%R, '2026-03-20', null, null, false)", 0),
    "the next day off, the night stays": ("(%R, '2026-03-21', null, null, false)", 720),
    "hours cut": ("(%R, '2026-03-20', '12:00', '14:00', false)", 600),
    "a night cut": ("(%R, '2026-03-20', '23:00', '01:00', false)", 600),
    "hours added": ("(%R, '2026-03-22', '10:00', '11:00', true)", 780),
    "hours added that were there": ("(%R, '2026-03-20', '16:00', '18:00', true)", 780),
    "other hours on that day": (
        "(%R, '2026-03-20', null, null, false), (%R, '2026-03-20', '18:00', '22:00', true)",
        240,
    ),
    "the whole day added": ("(%R, '2026-03-22', null, null, true)", 720 + 1440),
    "another week": ("(%R, '2026-03-13', null, null, false)", 720),
}


@pytest.mark.parametrize("case", CHANGES)
def test_changed_hours(planted: DemoDatabase, case: str) -> None:
    """A day off drops the windows that begin on it; hours are cut, or added whatever else is said of the day."""
    rows, minutes = CHANGES[case]
    windows: LiteralString = "(%R, 5, '09:00', '17:00', 'Asia/Beirut'), (%R, 5, '22:00', '02:00', 'Asia/Beirut')"
    change(planted, *(text.replace("%R", f"'{READER}'") for text in (OFFERED + windows, CHANGED + rows)))
    readers = examined(opened(planted)).readers
    assert readers[readers["reader"] == READER]["offered_minutes"].sum() == minutes


def test_change_is_in_the_zone_of_the_readers_windows(planted: DemoDatabase) -> None:
    """09:00 of a reader in New York is theirs, and 15:00 in Beirut in that week."""
    one = f"('{READER}', 1, '09:00', '10:00', 'America/New_York')"
    change(planted, OFFERED + one, f"{CHANGED} ('{READER}', '2026-03-23', '09:30', '10:00', false)")
    assert row(examined(opened(planted)).readers)["offered_minutes"] == 30


# --- Calls ---


def test_calls_are_counted_once_and_to_now(planted: DemoDatabase) -> None:
    """Overlapping calls count once, one without an end as long as booked or to now, one that ends too early never."""
    calls = (
        ("null", "2026-03-23 08:00Z", "'2026-03-23 08:10Z'"),  # outside the hours offered
        ("null", "2026-03-23 09:00Z", "'2026-03-23 10:00Z'"),
        ("null", "2026-03-23 09:30Z", "'2026-03-23 10:30Z'"),
        (f"'{BOOKING}'", "2026-03-23 11:30Z", "null"),  # 45 minutes are booked, 30 of them within the hours offered
        ("null", "2026-03-24 09:00Z", "'2026-03-24 08:00Z'"),
        ("null", "2026-03-25 21:50Z", "null"),
    )
    change(
        planted,
        f"{OFFERED} ('{READER}', 1, '09:00', '12:00', 'UTC'), ('{READER}', 3, '20:00', '22:00', 'UTC')",
        f"insert into bookings (id, client_id, reader_id, call_type, status, device, scheduled_at, duration_minutes) "
        f"select '{BOOKING}', {CLIENT}, '{READER}', 'voice', 'completed', 'web', '2026-03-23 11:30Z', 45",
        *(
            f"{CALLED} select {booking}, {CLIENT}, '{READER}', 'voice', 'completed', '{since}', '{since}', {until}"
            for booking, since, until in calls
        ),
    )
    found = examined(opened(planted))
    seen = row(found.readers)
    assert (seen["talked_minutes"], seen["used_minutes"], seen["outside_minutes"]) == (155, 130, 25)
    assert (seen["calls"], seen["calls_outside"], seen["calls_overlapping"], seen["booked_minutes"]) == (5, 1, 1, 45)
    assert oddities(found)["calls whose end is missing"] == 1
    assert oddities(found)["calls that end before they began"] == 1
    assert point(found, STANDING).status is Status.AMBER


def test_calls_of_test_accounts_are_set_apart(planted: DemoDatabase) -> None:
    """A call by a test client fills nobody's hours."""
    before = oddities(examined(opened(planted))).get("calls of test accounts", 0)
    change(
        planted,
        f"{OFFERED} ('{READER}', 1, '09:00', '12:00', 'UTC')",
        f"{CALLED} select null, min(user_id::text)::uuid, '{READER}', 'voice', 'completed', '2026-03-23 09:00Z', "
        "'2026-03-23 09:00Z', '2026-03-23 11:59Z' from profiles where is_test",
    )
    found = examined(opened(planted))
    assert (row(found.readers)["talked_minutes"], row(found.readers)["state"]) == (0, "idle")
    assert oddities(found)["calls of test accounts"] == before + 1


def test_reader_without_hours_is_listed_unknown(planted: DemoDatabase) -> None:
    """Calls of a reader who offers nothing are outside of it, and their utilization is a dash."""
    change(planted, talk("2026-03-23 09:00Z", "2026-03-23 10:00Z"))
    found = examined(opened(planted))
    seen = row(found.readers)
    assert (seen["state"], seen["talked_minutes"], seen["calls_outside"]) == ("no hours", 60, 1)
    assert pd.isna(seen["share"])
    assert "1 more have calls or bookings and offer no hours" in point(found, IDLE).detail


def talk(since: LiteralString, until: LiteralString) -> str:
    """Return a statement that plants a call of the reader with some client."""
    return f"{CALLED} select null, {CLIENT}, '{READER}', 'voice', 'completed', '{since}', '{since}', '{until}'"


# --- What is said ---


def test_unknown_zone_is_said_and_fails_nothing(planted: DemoDatabase) -> None:
    """A window in a zone that is none is left out; the others count."""
    windows = f"('{READER}', 1, '09:00', '12:00', 'Asia/Nowhere'), ('{READER}', 2, '09:00', '10:00', 'UTC')"
    change(planted, OFFERED + windows)
    found = examined(opened(planted))
    assert row(found.readers)["offered_minutes"] == 60
    said = point(found, STANDING)
    assert said.status is Status.AMBER
    assert (
        "1 windows in a time zone that the database does not know (left out); time zones: Asia/Nowhere" in said.detail
    )


def test_unreadable_rows_are_said(planted: DemoDatabase) -> None:
    """A weekday that is none and a call with nobody are left out."""
    change(
        planted,
        "alter table reader_availability drop constraint reader_availability_weekday_check",
        "alter table call_sessions alter reader_id drop not null",
        f"{OFFERED} ('{READER}', 7, '09:00', '12:00', 'UTC')",
        talk("2026-03-23 12:00Z", "2026-03-23 13:00Z").replace(f"'{READER}'", "null"),
    )
    found = examined(opened(planted))
    assert READER not in set(found.readers["reader"])
    detail = point(found, STANDING).detail
    assert "1 windows without a weekday of 0 to 6, a start or an end (left out)" in detail
    assert "1 calls with nobody or somebody who is no reader (left out)" in detail


def test_windows_of_no_reader_are_said(planted: DemoDatabase) -> None:
    """A client's window is no reader's hour; a test account's is only set apart."""
    change(
        planted,
        f"update profiles set is_test = true where user_id = '{READER}'",
        f"{OFFERED} ('{READER}', 1, '09:00', '12:00', 'UTC')",
        f"{OFFERED} ((select user_id from profiles where role = 'client' limit 1), 1, '09:00', '12:00', 'UTC')",
    )
    found = examined(opened(planted))
    assert READER not in set(found.readers["reader"])
    assert oddities(found)["windows of test accounts"] == 1
    assert "1 windows of somebody who is no reader" in point(found, STANDING).detail


def test_healthy_is_green(healthy: DemoDatabase) -> None:
    """Every window and call of a healthy launch can be counted; nobody is overloaded."""
    found = examined(opened(healthy))
    assert [each for each in found.points if each.status is not Status.GREEN] == []
    assert found.proof.status is Status.GREEN
    assert all(len(table) <= 20 and len(table.columns) <= 7 for table in found.proof.tables.values())


def test_summer_time_is_said_on_staging(staging: str) -> None:
    """The week to 30 March has 167 hours in Beirut, and two days of it are from before the first call."""
    found = examined(open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml"))
    assert oddities(found)["hours in this week, as the clocks changed"] == 167
    assert "no call is known before 25 Mar 2026" in point(found, OFFER).detail
    assert found.readers["booked_minutes"].isna().all()


def test_overloaded_reader_is_amber(planted: DemoDatabase) -> None:
    """A reader who talks through the hours offered is overloaded."""
    change(
        planted, f"{OFFERED} ('{READER}', 1, '09:00', '12:00', 'UTC')", talk("2026-03-23 09:05Z", "2026-03-23 13:00Z")
    )
    found = examined(opened(planted))
    assert (point(found, OVERLOADED).status, found.readers["reader"].iloc[0]) == (Status.AMBER, READER)


def test_long_talk_outside_the_hours_overloads_nobody(planted: DemoDatabase) -> None:
    """Talk beside the hours offered does not fill them."""
    change(
        planted, f"{OFFERED} ('{READER}', 1, '09:00', '12:00', 'UTC')", talk("2026-03-23 12:00Z", "2026-03-23 20:00Z")
    )
    found = examined(opened(planted))
    assert (point(found, OVERLOADED).status, row(found.readers)["state"]) == (Status.GREEN, "idle")


def test_most_readers_idle_is_amber(planted: DemoDatabase) -> None:
    """Hours that nobody fills are worth a look once they are most readers'."""
    change(planted, "delete from call_sessions where connected_at < '2026-03-25 20:00Z'")
    assert point(examined(opened(planted)), IDLE).status is Status.AMBER


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from reader_availability", "no reader offers any in the 7 days"),
        ("delete from call_sessions", "no call connected in the last 24 h"),
    ],
)
def test_nothing_to_see_is_unknown(clone: Clone, statement: LiteralString, words: str) -> None:
    """Without hours or without calls nobody is idle or overloaded: nobody knows."""
    demo = clone()
    change(demo, statement, "delete from availability_overrides")
    found = examined(opened(demo))
    assert point(found, OFFER).status is Status.UNKNOWN
    assert words in point(found, OFFER).detail
    assert {each.what for each in found.points} == {DEMAND, OFFER, STANDING}


def test_missing_table_is_unknown_and_demand_still_judged(clone: Clone) -> None:
    """Without a table of hours the demand is judged all the same."""
    demo = clone()
    change(demo, "drop table reader_availability")
    found = examined(opened(demo))
    assert (point(found, DEMAND).status, found.proof.status) == (Status.GREEN, Status.UNKNOWN)
    assert "table missing" in found.points[1].detail
    assert heat_map(found, opened(demo).zone).summary == "The hours that readers offer are unknown."


@pytest.mark.parametrize(
    ("statement", "status"),
    [
        ("update emergency_calls set answered_at = null", Status.AMBER),
        ("update bookings set reader_id = null where id::text < '4'", Status.AMBER),
        ("update call_sessions set connected_at = null, ended_at = null", Status.AMBER),
        ("update bookings set status = 'cancelled'", Status.GREEN),  # whoever cancels had found a reader
        (
            "update emergency_calls set answered_at = null where requested_at > '2026-03-25 21:58:10Z'",
            Status.GREEN,  # not judged yet
        ),
    ],
)
def test_demand(clone: Clone, statement: LiteralString, status: Status) -> None:
    """Unanswered sirens, bookings without a reader and calls that never connect are demand that found no reader."""
    demo = clone()
    change(demo, "alter table bookings alter reader_id drop not null", statement)
    assert point(examined(opened(demo)), DEMAND).status is status


def test_few_who_found_no_reader_prove_nothing(clone: Clone) -> None:
    """One of two is over the limit, and may be chance."""
    demo = clone()
    change(
        demo,
        "delete from bookings",
        "delete from call_sessions",
        "delete from emergency_calls where id not in (select id from emergency_calls where requested_at between "
        "'2026-03-25 10:00Z' and '2026-03-25 20:00Z' order by id limit 2)",
        "update emergency_calls set answered_at = null where id = (select min(id::text)::uuid from emergency_calls)",
    )
    said = point(examined(opened(demo)), DEMAND)
    assert (said.status, said.detail[-14:]) == (Status.UNKNOWN, "too few to say")


def test_no_demand_is_unknown(clone: Clone) -> None:
    """Nobody who asked is nobody who was served."""
    demo = clone()
    change(demo, "delete from bookings", "delete from call_sessions", "delete from emergency_calls")
    said = point(examined(opened(demo)), DEMAND)
    assert (said.status, said.detail) == (Status.UNKNOWN, "nobody asked for a reader in the last 24 h")


def test_limit_of_unmet_demand_is_the_plans(clone: Clone) -> None:
    """What is amber by the kit's limit is green by a plan that allows more."""
    demo = clone()
    change(demo, "update emergency_calls set answered_at = null where hashtext(id::text) % 2 = 0")
    launch = opened(demo)
    lenient = replace(launch.plan, aftercare=AftercareRules(unmet=0.9))
    found = [point(examined(Launch(plan, launch.queries, launch.database)), DEMAND) for plan in (launch.plan, lenient)]
    assert [each.status for each in found] == [Status.AMBER, Status.GREEN]


# --- The chart ---


@pytest.fixture(scope="module")
def week(healthy: DemoDatabase) -> Utilization:
    """Give the healthy week."""
    return examined(opened(healthy))


def test_heat_map_shows_the_local_week(week: Utilization, healthy: DemoDatabase) -> None:
    """Seven days, Monday on top, by 24 hours of the launch's clock."""
    chart = heat_map(week, opened(healthy).zone)
    (trace,) = chart.figure.data
    assert (trace.y[0], len(trace.y), len(trace.x), len(trace.z), len(trace.z[0])) == ("Mon", 7, 24, 7, 24)
    assert chart.figure.layout.xaxis.title.text == "hour of the day (Beirut)"
    assert trace.colorbar.title.text == "talked, % of the offered minutes"


def test_heat_map_says_where_it_is_fullest(week: Utilization, healthy: DemoDatabase) -> None:
    """The sentence names the fullest hour, whose cell is the darkest."""
    chart = heat_map(week, opened(healthy).zone)
    top = week.hours.iloc[int(week.hours["share"].argmax())]
    day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][int(top["weekday"])]
    assert f"most on {day} at {int(top['hour']):02}:00" in chart.summary
    assert chart.figure.data[0].z[list(chart.figure.data[0].y).index(day)][int(top["hour"])] == top["share"]


def test_hour_without_offer_is_blank(week: Utilization, healthy: DemoDatabase) -> None:
    """Nobody offers 03:00: no share, and the pointer tells what was talked."""
    (trace,) = heat_map(week, opened(healthy).zone).figure.data
    assert trace.z[0][3] is None
    assert trace.customdata[0][3].startswith("no hours offered")
