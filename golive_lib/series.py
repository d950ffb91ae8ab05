"""The one SQL shape behind every KPI: a query of events, counted per minute and cohort, and over earlier days.

A query of events answers with ``at``, ``canary`` (true for the canary's, false for the control's, null where there is
neither), ``value`` and one boolean per KPI that is true for a bad event and null when nobody can say. Counts add up;
percentiles are for reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from golive_lib.query import enclose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golive_lib.query import Query
    from golive_lib.statement import Statement

PERCENTILES = (0.50, 0.90, 0.95, 0.99)
EVENTS = "golive_events"
_WINDOW = {"golive_since": "timestamptz", "golive_until": "timestamptz"}
_EARLIER_TYPES = {**_WINDOW, "golive_days": "bigint", "golive_zone": "text"}
_MINUTES = "generate_series(:golive_since, :golive_until - interval '1 minute', interval '1 minute') as m (minute)"
_THEN = "((:golive_{0} at time zone :golive_zone) - day * interval '1 day') at time zone :golive_zone as {0}"
# Kept, as PostgreSQL would else look up the zone again for every event.
_EARLIER = (
    f", golive_earlier as materialized (select day, {_THEN.format('since')}, {_THEN.format('until')}\n"
    "from generate_series(1, :golive_days) as g (day))\n"
)
_OF_DAY = f"from {EVENTS} where at >= d.since and at < d.until"
# What holds for every day says nothing new, but by it an engine without an index knows what not to read.
_OF_DAYS = (
    f"from {EVENTS} join golive_earlier d on at >= d.since and at < d.until\n"
    "where at >= :golive_since - (:golive_days + 1) * interval '1 day' and at < :golive_until"
)
_QUANTILES = f"percentile_cont(array{list(PERCENTILES)}) within group (order by value) as percentiles"


def _counts(flags: Sequence[str]) -> str:
    """Count events, and per KPI the bad ones and those nobody can judge."""
    each = (
        f'count(*) filter (where "{flag}") as {flag}_bad, count(*) filter (where "{flag}" is null) as {flag}_unsure'
        for flag in flags
    )
    return ", ".join(("count(*) as n", *each))


def minutes(query: Query, catalog: Mapping[str, Query], flags: Sequence[str]) -> Statement:
    """Return the statement for a row per minute and cohort that has events: all that is counted of them.

    It counts and sorts nothing: percentiles of minutes would take longer than all the rest, and do not add up.
    """
    minute = "date_bin(interval '1 minute', at, :golive_since) as minute"
    tail = (
        f"select {minute}, canary, {_counts(flags)}, max(at) as newest\n"
        f"from {EVENTS} where at >= :golive_since and at < :golive_until\ngroup by 1, canary order by 1, canary"
    )
    return enclose(query, catalog, EVENTS, tail, _WINDOW)


def lean_minutes(query: Query, catalog: Mapping[str, Query], flags: Sequence[str]) -> Statement:
    """Return the statement for a row per minute: events and bad ones, and how many of each are the canary's.

    The fastest for many minutes where a btree begins with the time column, as it looks up no group for an event. What
    it leaves out says ``totals``: whether there are events that nobody can judge, and whose they are.
    """
    bad = (f'count(*) filter (where "{flag}") as {flag}_bad' for flag in flags)
    mine = (f'count(*) filter (where "{flag}" and canary) as {flag}_bad_canary' for flag in flags)
    counts = ", ".join(("count(*) as n", *bad, "count(*) filter (where canary) as n_canary", *mine))
    inside = "at >= m.minute and at < m.minute + interval '1 minute'"
    tail = (
        f"select m.minute, e.* from {_MINUTES}\n"
        f"cross join lateral (select {counts}\nfrom {EVENTS} where {inside}) e\norder by m.minute"
    )
    return enclose(query, catalog, EVENTS, tail, _WINDOW)


def totals(query: Query, catalog: Mapping[str, Query], flags: Sequence[str]) -> Statement:
    """Return the statement for a window's totals by cohort, with exact percentiles for people to read."""
    tail = (
        f"select canary, {_counts(flags)}, max(at) as newest, {_QUANTILES}\nfrom {EVENTS}\n"
        "where at >= :golive_since and at < :golive_until group by canary order by canary"
    )
    return enclose(query, catalog, EVENTS, tail, _WINDOW)


def earlier_days(query: Query, catalog: Mapping[str, Query], flags: Sequence[str], *, indexed: bool) -> Statement:
    """Return the statement for the same local hours of each of ``golive_days`` days before the window.

    ``indexed`` asks day by day; else the events are read once for all days.
    """
    counts = f"{_counts(flags)}, count(canary) as labelled"
    if indexed:
        tail = f"select d.day, e.* from golive_earlier d\ncross join lateral (select {counts}\n{_OF_DAY}) e"
    else:
        names = ("n", *(f"{flag}_{kind}" for flag in flags for kind in ("bad", "unsure")), "labelled")
        filled = ", ".join(f"coalesce(e.{name}, 0) as {name}" for name in names)
        counted = f"select d.day, {counts}\n{_OF_DAYS} group by d.day"
        tail = f"select d.day, {filled} from golive_earlier d\nleft join ({counted}) e on e.day = d.day"
    return enclose(query, catalog, EVENTS, f"{_EARLIER}{tail}\norder by d.day", _EARLIER_TYPES)


def earlier_minutes(query: Query, catalog: Mapping[str, Query], flags: Sequence[str], *, indexed: bool) -> Statement:
    """Return the statement for a row per minute of the same hours of each earlier day that has events."""
    minute = "date_bin(interval '1 minute', at, d.since) as minute"
    counts = f"{minute}, {_counts(flags)}, count(canary) as labelled"
    if indexed:
        counted = f"select {counts}\n{_OF_DAY} group by 1"
        tail = f"select d.day, e.* from golive_earlier d\ncross join lateral ({counted}) e"
    else:
        tail = f"select d.day, {counts}\n{_OF_DAYS} group by 1, 2"
    return enclose(query, catalog, EVENTS, f"{_EARLIER}{tail}\norder by 1, 2", _EARLIER_TYPES)


def bad_events(query: Query, catalog: Mapping[str, Query], flag: str) -> Statement:
    """Return the statement for the newest ``golive_sample`` bad events of a window that are not the control's."""
    tail = (
        f"select * from {EVENTS}\nwhere at >= :golive_since and at < :golive_until "
        f'and "{flag}" and canary is not false\norder by at desc limit :golive_sample'
    )
    return enclose(query, catalog, EVENTS, tail, {**_WINDOW, "golive_sample": "bigint"})
