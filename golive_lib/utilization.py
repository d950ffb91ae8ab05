"""Reader utilization: the hours that readers offer, what they talk of them, and who asked and found no reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from golive_lib.due import instant
from golive_lib.errors import QueryFailed
from golive_lib.evidence import interval
from golive_lib.formats import mask, missing, moment, number, share
from golive_lib.proof import Point, Proof, Section
from golive_lib.spans import Span, Spans, earlier
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from datetime import datetime
    from typing import Any
    from zoneinfo import ZoneInfo

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan_night import AftercareRules

    Row = Mapping[Hashable, Any]

KEY, TITLE = "utilization", "Reader utilization"
DAYS = 7
SHOWN = 20
HALF = 0.5
# Column of the query, what it counts, and what became of it; those with True are worth a look.
_ODDITIES = (
    ("windows_zone", "windows in a time zone that the database does not know", "left out", True),
    ("windows_unreadable", "windows without a weekday of 0 to 6, a start or an end", "left out", True),
    ("windows_strangers", "windows of somebody who is no reader", "left out", True),
    ("windows_tests", "windows of test accounts", "set apart", False),
    ("calls_backwards", "calls that end before they began", "left out", True),
    ("calls_open", "calls whose end is missing", "counted as long as booked, else for four hours", True),
    ("calls_strangers", "calls with nobody or somebody who is no reader", "left out", True),
    ("calls_tests", "calls of test accounts", "set apart", False),
    ("calls_running", "calls still going on", "counted as long as booked, else for four hours", False),
    ("calls_overlapping", "calls that began during another of the same reader", "shared minutes counted once", False),
    ("windows_overlapping", "windows that begin within another of the same reader", "counted once", False),
    ("bookings_without_minutes", "bookings without a length", "not among the booked minutes", False),
)


@dataclass(frozen=True, repr=False)
class Utilization(Section):
    """What readers offered and talked over a local week, and the demand that found none in the last window.

    Minutes are unions: what overlaps counts once. ``used`` is talked within offered hours, ``share`` is used over
    offered, missing where nothing was offered; booked minutes are missing where no booking has a length. Each frame has
    offered_minutes, booked_minutes, talked_minutes, used_minutes, outside_minutes, calls, calls_outside,
    calls_overlapping, windows_overlapping and share.

    ``readers`` (by reader, with ``state``, worst first) and ``hours`` (by weekday, 0 = Sunday, and hour of the launch's
    clock; hours in which nothing was, or nothing is known, are not there) are of ``week``, ``day`` is ``readers`` of
    ``last``, and ``totals`` has a row for each of the two, by ``span``.

    ``demand`` has kind, asked, no_reader, unanswered, unmet, unmet_share,
    low_share and high_share; ``oddities`` has what, count, treated. A frame of a query that failed is empty.
    """

    last: Span
    week: Span
    readers: pd.DataFrame
    hours: pd.DataFrame
    day: pd.DataFrame
    totals: pd.DataFrame
    demand: pd.DataFrame
    oddities: pd.DataFrame
    points: tuple[Point, ...]

    @property
    def proof(self) -> Proof:
        """The points, and the tables a person reads."""
        tables = {
            "Demand that found no reader": self.demand.drop(columns="unmet", errors="ignore"),
            "Offered and talked": _spelled(self.totals, "span"),
            f"Readers over {self.week.title}, worst first": _spelled(self.readers, "reader", "state"),
            f"Readers in {self.last.title}, worst first": _spelled(self.day, "reader", "state"),
            "What could not be counted, or only in part": self.oddities,
        }
        summary = "; ".join(point.detail for point in self.points[:2])
        return Proof(KEY, TITLE, self.points, summary, {name: table for name, table in tables.items() if len(table)})


def examine(launch: Launch, snapshot: Asked, spans: Spans) -> Utilization:
    """Compute the utilization of the local week that ends now, and of the last window.

    A query that fails makes its points unknown; raises DatabaseError when the database is lost.
    """
    until = spans.now.until
    week = Span(f"the {DAYS} days to {moment(until, launch.zone)}", earlier(until, DAYS, launch.zone), until)
    demand, points = _demand(launch, snapshot, spans.now)
    try:
        asked = {span.title: span.values() | {"zone": launch.plan.timezone} for span in (spans.now, week)}
        minutes = {title: launch.ask(snapshot, "aftercare/reader_minutes", **given) for title, given in asked.items()}
        seen = launch.ask(snapshot, "aftercare/reader_oddities", **week.values()).iloc[0]
    except QueryFailed as failure:
        nothing = pd.DataFrame()
        fix = (
            "adapt sources/availability.sql, availability_overrides.sql, bookings.sql and talks.sql to the app's tables"
        )
        unknown = Point("readers' hours", Status.UNKNOWN, failure.reason, fix)
        return Utilization(spans.now, week, nothing, nothing, nothing, nothing, demand, nothing, (*points, unknown))
    last, whole = minutes.values()
    totals = pd.concat([_level(frame, "all").assign(span=title) for title, frame in minutes.items()], ignore_index=True)
    readers, day = _level(whole, "reader"), _level(last, "reader")
    known: Row = {**totals.iloc[1].to_dict(), **seen.to_dict()}
    oddities = _oddities(week, known)
    note = f"; no call is known before {moment(known['known_since'], launch.zone)}" if _early(week, known) else ""
    points += [*_hours_points(totals, readers, day, launch.plan.aftercare, note), _reading(known)]
    hours = _since_known(_level(whole, "hour"), week, known["known_since"], launch.zone)
    return Utilization(spans.now, week, readers, hours, day, totals, demand, oddities, tuple(points))


def _level(frame: pd.DataFrame, level: str) -> pd.DataFrame:
    names = {"reader": {"weekday", "hour"}, "hour": {"reader", "state"}, "all": {"reader", "weekday", "hour", "state"}}
    return frame[frame["level"] == level].drop(columns=["level", *names[level]]).reset_index(drop=True)


def _demand(launch: Launch, snapshot: Asked, span: Span) -> tuple[pd.DataFrame, list[Point]]:
    """Judge what share of those who asked in the last window found no reader."""
    what, limit = "demand that found no reader", launch.plan.aftercare.unmet
    try:
        frame = launch.ask(snapshot, "aftercare/reader_demand", **span.values())
    except QueryFailed as failure:
        fix = "adapt sources/sirens.sql, bookings.sql and talks.sql to the app's tables"
        return pd.DataFrame(), [Point(what, Status.UNKNOWN, failure.reason, fix)]
    ends = [interval(n, bad, launch.plan.judge.alpha) for n, bad in zip(frame["asked"], frame["unmet"], strict=True)]
    frame = frame.assign(low_share=[low for low, _ in ends], high_share=[high for _, high in ends])
    asked, unmet = int(frame["asked"].iloc[0]), int(frame["unmet"].iloc[0])
    if not asked:
        fix = "see that sources/sirens.sql, bookings.sql and talks.sql read what the app writes"
        return frame, [Point(what, Status.UNKNOWN, f"nobody asked for a reader in {span.title}", fix)]
    low, high = ends[0]
    kinds = [f"{number(row['unmet'])} of {number(row['asked'])} {row['kind']}" for row in frame.to_dict("records")[1:]]
    detail = (
        f"{share(unmet / asked)} of {number(asked)} in {span.title} (not ruled out: {share(low)} to {share(high)}; "
        f"at most {share(limit)} is allowed): " + ", ".join(kinds)
    )
    fix = "offer more hours where the heat map is full, and see why calls do not connect"
    over = [row for row in frame.to_dict("records") if row["asked"] and row["unmet"] > limit * row["asked"]]
    if not over:
        return frame, [Point(what, Status.GREEN, detail)]
    if any(row["low_share"] > limit for row in over):
        return frame, [Point(what, Status.AMBER, detail, fix)]
    few = " and ".join(str(row["kind"]) for row in over if row["kind"] != "all") or "all"
    return frame, [Point(what, Status.UNKNOWN, f"{detail}; of {few} too few to say", "look again when more have asked")]


def _hours_points(
    totals: pd.DataFrame, readers: pd.DataFrame, day: pd.DataFrame, rules: AftercareRules, note: str
) -> list[Point]:
    now, week = totals.to_dict("records")
    what = "hours that readers offer"
    if not week["offered_minutes"]:
        fix = "see that sources/availability.sql reads the table in which readers set their hours"
        return [Point(what, Status.UNKNOWN, f"no reader offers any in {week['span']}", fix)]
    if not now["calls"]:
        fix = "see that sources/talks.sql reads the table in which the app writes its calls"
        return [Point(what, Status.UNKNOWN, f"no call connected in {now['span']}", fix)]
    talked = week["talked_minutes"]
    detail = (
        f"{share(now['share'])} of {_hours(now['offered_minutes'])} were talked in {now['span']}, "
        f"{share(week['share'])} of {_hours(week['offered_minutes'])} in {week['span']}; "
        f"{share(week['outside_minutes'] / talked if talked else None)} of that week's talk lay outside them "
        f"({number(week['calls_outside'])} of {number(week['calls'])} calls){note}"
    )
    return [Point(what, Status.GREEN, detail), _overloaded(readers, day, now["span"], rules), _idle(readers, rules)]


def _hours(minutes: float) -> str:
    return number(round(minutes / 60), "h")


def _overloaded(readers: pd.DataFrame, day: pd.DataFrame, span: str, rules: AftercareRules) -> Point:
    week, last = (_of(frame, "overloaded") for frame in (readers, day))
    most = f"more than {share(rules.overloaded)} of their offered hours"
    if not week and not last:
        return Point("overloaded readers", Status.GREEN, f"none talks {most}")
    detail = f"{number(week)} talk {most} over the week, {number(last)} in {span}"
    return Point("overloaded readers", Status.AMBER, detail, "find them help at the hours where the heat map is full")


def _idle(readers: pd.DataFrame, rules: AftercareRules) -> Point:
    offering = int((readers["offered_minutes"] > 0).sum())
    idle, without = _of(readers, "idle"), _of(readers, "no hours")
    detail = f"{number(idle)} of {number(offering)} talk less than {share(rules.idle)} of their offered hours"
    if without:
        detail += f"; {number(without)} more have calls or bookings and offer no hours, so nobody can say"
    if idle > HALF * offering:
        fix = "see that their hours are still theirs, and that clients are shown them"
        return Point("idle readers", Status.AMBER, detail, fix)
    return Point("idle readers", Status.GREEN, detail)


def _of(readers: pd.DataFrame, state: str) -> int:
    return int((readers["state"] == state).sum())


def _oddities(week: Span, known: Row) -> pd.DataFrame:
    """List what was not counted as it stands, and what makes the week another one than it seems."""
    rows = [(what, known[column], treated) for column, what, treated, _ in _ODDITIES if known[column]]
    if week.hours != DAYS * 24:
        rows.append(("hours in this week, as the clocks changed", round(week.hours), "counted as they were"))
    if early := _early(week, known):
        rows.append(("hours of this week before the first known call", early, "counted as without a call"))
    return pd.DataFrame(rows, columns=["what", "count", "treated"]).astype({"count": "Int64"})


def _since_known(hours: pd.DataFrame, week: Span, first: pd.Timestamp | None, zone: ZoneInfo) -> pd.DataFrame:
    """Leave out the hours of the week that were over before any call is known: nothing talked is not known of them."""
    if first is None or missing(first):
        return hours
    last = week.until.astimezone(zone)

    def over(weekday: int, hour: int) -> datetime:
        back = (last.isoweekday() - weekday) % DAYS or (DAYS if hour >= last.hour else 0)
        return instant(last.date() - timedelta(days=back), time(hour), zone) + timedelta(hours=1)

    cells = zip(hours["weekday"].astype(int), hours["hour"].astype(int), strict=True)
    return hours[[over(weekday, hour) > first for weekday, hour in cells]].reset_index(drop=True)


def _early(week: Span, known: Row) -> int:
    """Return how many hours of the week are from before any call, such as when the app is younger."""
    first = known["known_since"]
    return 0 if missing(first) else max(0, round((first - week.since) / pd.Timedelta(hours=1)))


def _reading(known: Row) -> Point:
    what = "windows and calls as they stand"
    wrong = [f"{known[column]} {text} ({treated})" for column, text, treated, bad in _ODDITIES if bad and known[column]]
    if not wrong:
        return Point(what, Status.GREEN, "each could be counted")
    zones = "" if missing(known["zones"]) else f"; time zones: {mask(str(known['zones']))}"
    return Point(what, Status.AMBER, "; ".join(wrong) + zones, "mend the rows, or the source that reads them")


def _spelled(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Return the first rows with whole minutes and masked ids, as people read them."""
    if frame.empty:
        return frame
    minutes = ["offered_minutes", "booked_minutes", "talked_minutes", "outside_minutes"]
    rows = frame.head(SHOWN)
    texts = {name: rows[name].map(mask) for name in names}
    whole = {name: rows[name].round().astype("Int64") for name in minutes}
    return rows.assign(**texts, **whole, used_share=rows["share"])[[*names, "used_share", *minutes]]
