"""The one SQL shape behind every KPI: a query of events, counted per minute and cohort, and over earlier days.

A query of events answers with ``at``, ``cohort`` ('canary', 'control', or null where there is none), ``value`` and one
boolean per KPI that is true for a bad event and null when nobody can say. Counts add up; percentiles are for reading.
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
_MINUTES = "generate_series(:golive_since, :golive_until - interval '1 minute', interval '1 minute') as m (minute)"
_QUANTILES = f"percentile_cont(array{list(PERCENTILES)}) within group (order by value) as percentiles"


def _counts(flags: Sequence[str]) -> str:
    """Count events, and per KPI the bad ones and those nobody can judge."""
    each = (
        f'count(*) filter (where "{flag}") as {flag}_bad, count(*) filter (where "{flag}" is null) as {flag}_unsure'
        for flag in flags
    )
    return ", ".join(("count(*) as n", *each))


def minutes(query: Query, catalog: Mapping[str, Query], flags: Sequence[str], *, indexed: bool) -> Statement:
    """Return the statement for a row per minute and cohort, and one with no cohort for a minute without events.

    ``indexed`` asks minute by minute, which a btree on the time column answers fastest; else all rows are grouped.
    It counts and sorts nothing: percentiles of minutes would take longer than all the rest, and do not add up.
    """
    figures = f"cohort, {_counts(flags)}, max(at) as newest"
    if indexed:
        inside = "at >= m.minute and at < m.minute + interval '1 minute'"
        join = f"left join lateral (select {figures}\nfrom {EVENTS} where {inside} group by cohort) e on true"
    else:
        inside = "at >= :golive_since and at < :golive_until"
        bins = "date_bin(interval '1 minute', at, :golive_since) as minute"
        grouped = f"select {bins}, {figures}\nfrom {EVENTS} where {inside} group by 1, cohort"
        join = f"left join ({grouped}) e on e.minute = m.minute"
    tail = f"select m.minute, e.* from {_MINUTES}\n{join}\norder by m.minute, e.cohort"
    tail = tail if indexed else tail.replace("e.*", _outer(flags))
    return enclose(query, catalog, EVENTS, tail, _WINDOW)


def _outer(flags: Sequence[str]) -> str:
    each = (f"e.{flag}_bad, e.{flag}_unsure" for flag in flags)
    return ", ".join(("e.cohort", "e.n", *each, "e.newest"))


def reading(query: Query, catalog: Mapping[str, Query]) -> Statement:
    """Return the statement for a window's exact percentiles by cohort, for people to read."""
    tail = (
        f"select cohort, count(*) as n, {_QUANTILES}\nfrom {EVENTS}\n"
        "where at >= :golive_since and at < :golive_until group by cohort order by cohort"
    )
    return enclose(query, catalog, EVENTS, tail, _WINDOW)


def earlier_days(query: Query, catalog: Mapping[str, Query], flags: Sequence[str], *, indexed: bool) -> Statement:
    """Return the statement for the same local hours of each of ``golive_days`` days before the window.

    ``indexed`` asks day by day; else the events are read once for all days.
    """
    bound = "((:golive_{0} at time zone :golive_zone) - day * interval '1 day') at time zone :golive_zone as {0}"
    # Kept, as PostgreSQL would else look up the zone again for every event.
    days = (
        f", golive_earlier as materialized (select day, {bound.format('since')}, {bound.format('until')}\n"
        "from generate_series(1, :golive_days) as g (day))\n"
    )
    counts, window = f"{_counts(flags)}, count(cohort) as labelled", "at >= d.since and at < d.until"
    if indexed:
        counted = f"select {counts}\nfrom {EVENTS} where {window}"
        tail = f"select d.day, e.* from golive_earlier d\ncross join lateral ({counted}) e"
    else:
        names = ("n", *(f"{flag}_{kind}" for flag in flags for kind in ("bad", "unsure")), "labelled")
        filled = ", ".join(f"coalesce(e.{name}, 0) as {name}" for name in names)
        # What holds for every day says nothing new, but by it an engine without an index knows what not to read.
        bounds = "at >= :golive_since - (:golive_days + 1) * interval '1 day' and at < :golive_until"
        counted = (
            f"select d.day, {counts}\nfrom {EVENTS} join golive_earlier d on {window} where {bounds} group by d.day"
        )
        tail = f"select d.day, {filled} from golive_earlier d\nleft join ({counted}) e on e.day = d.day"
    types = {**_WINDOW, "golive_days": "bigint", "golive_zone": "text"}
    return enclose(query, catalog, EVENTS, f"{days}{tail}\norder by d.day", types)


def bad_events(query: Query, catalog: Mapping[str, Query], flag: str) -> Statement:
    """Return the statement for the newest ``golive_sample`` bad events of a window that are not the control's."""
    tail = (
        f"select * from {EVENTS}\nwhere at >= :golive_since and at < :golive_until "
        f"and \"{flag}\" and cohort is distinct from 'control'\norder by at desc limit :golive_sample"
    )
    return enclose(query, catalog, EVENTS, tail, {**_WINDOW, "golive_sample": "bigint"})
