"""A stage's events, asked of the live database and of an archive beside it: per minute, in total, on earlier days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from golive_lib import series
from golive_lib.archive import DAY
from golive_lib.query import compose
from golive_lib.spanning import Side, added, joined, sides

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.statement import Statement, Value

MINUTE = timedelta(minutes=1)
Answer = TypeVar("Answer")
EVIDENCE = 20


@dataclass(frozen=True)
class Window:
    """A stretch of a launch: ``since`` to ``until`` in whole minutes, as it was known at ``as_of``; all UTC."""

    since: datetime
    until: datetime
    as_of: datetime

    @property
    def minutes(self) -> int:
        """How many whole minutes the window has."""
        return max((self.until - self.since) // MINUTE, 0)


@dataclass(frozen=True)
class Counted:
    """What one side answers for a window: ``rows`` as of ``series.minutes``, ``totals``, and the SQL of the rows."""

    rows: pd.DataFrame
    totals: pd.DataFrame
    sql: str


def count(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> list[Counted]:
    """Return what each side that may have events counts; ``indexed`` says what the live time column is.

    Raises QueryFailed.
    """

    def counted(side: Side) -> Counted:
        values, catalog = _values(side, query, window), side.launch.queries
        totals = side.snapshot.frame(series.totals(catalog[query], catalog, flags), values)
        lean = side.indexed(indexed) and not totals.empty and _all_told(totals, flags)
        statement = (series.lean_minutes if lean else series.minutes)(catalog[query], catalog, flags)
        rows = side.snapshot.frame(statement, values)
        return Counted(_by_cohort(rows, totals, flags) if lean else rows, totals, statement.client_sql(values))

    return _of_each(snapshot, launch, window, query, counted)


def _of_each(
    snapshot: Asked, launch: Launch, window: Window, query: str, ask: Callable[[Side], Answer]
) -> list[Answer]:
    """Ask each side that may have events of the window."""
    with sides(snapshot, launch, query) as there:
        return [ask(side) for side in there if side.speaks(window.since)]


def _all_told(totals: pd.DataFrame, flags: Sequence[str]) -> bool:
    """Tell whether every event can be judged, and is the canary's or the control's, or none is."""
    unsure = sum(int(totals[f"{flag}_unsure"].sum()) for flag in flags)
    return (
        not unsure
        and totals["canary"].dtype == "boolean"
        and (len(totals) == 1 or bool(totals["canary"].notna().all()))
    )


def _by_cohort(lean: pd.DataFrame, totals: pd.DataFrame, flags: Sequence[str]) -> pd.DataFrame:
    """Turn a row per minute into one per minute and cohort; each gets the window's ``newest`` of its cohort."""
    columns = ["n", *(f"{flag}_bad" for flag in flags)]
    whole = lean[columns]
    canary = lean[[f"{column}_canary" for column in columns]].set_axis(columns, axis=1)
    parts = [
        (whole if pd.isna(name) else canary if name else whole - canary).assign(
            minute=lean["minute"], canary=name, newest=newest, **{f"{flag}_unsure": 0 for flag in flags}
        )
        for name, newest in zip(totals["canary"], totals["newest"], strict=True)
    ]
    rows = pd.concat(parts, ignore_index=True)
    return rows[rows["n"] > 0]


def minute_rows(snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a window's minutes that have events; raises QueryFailed.

    A minute has several rows of a cohort where an archive and the live database answer for it.
    """

    def rows(side: Side) -> pd.DataFrame:
        return side.snapshot.frame(*minute_statement(side.snapshot, side.launch, window, query, flags, lean=False))

    return joined(_of_each(snapshot, launch, window, query, rows))


def minute_statement(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, lean: bool
) -> tuple[Statement, dict[str, Value]]:
    """Return the per-minute statement of a window and its values."""
    shape = series.lean_minutes if lean else series.minutes
    return shape(launch.query(query), launch.queries, flags), _values(Side(snapshot, launch), query, window)


def bad_events(snapshot: Asked, launch: Launch, window: Window, query: str, flag: str) -> pd.DataFrame:
    """Return the newest bad events of the canary, or of everyone where no event has a cohort; raises QueryFailed."""

    def newest(side: Side) -> pd.DataFrame:
        statement = series.bad_events(side.launch.query(query), side.launch.queries, flag)
        return side.snapshot.frame(statement, {**_values(side, query, window), "golive_sample": EVIDENCE})

    frames = _of_each(snapshot, launch, window, query, newest)
    return joined(frames).sort_values("at", ascending=False, kind="stable", ignore_index=True).head(EVIDENCE)


def _values(side: Side, name: str, window: Window) -> dict[str, Value]:
    query = side.launch.query(name)
    known = {"as_of": window.as_of, "since": window.since}
    given = {param.name: known[param.name] for param in query.params if param.name in known}
    span: dict[str, Value] = {"golive_since": window.since.isoformat(), "golive_until": window.until.isoformat()}
    return {**side.launch.values(query, side.snapshot.clock, given), **span}


def time_indexed(snapshot: Asked, launch: Launch, window: Window, query: str) -> bool:
    """Tell whether a btree begins with the table column that the events' ``at`` is; raises QueryFailed."""
    live = Side(snapshot, launch)
    origins = snapshot.origins(compose(launch.query(query), launch.queries), _values(live, query, window))
    at = next((origin for origin in origins if origin.name == "at"), None)
    if at is None or at.table_oid is None:
        return False
    place: dict[str, Value] = {"relation": at.table_oid, "attribute": at.attribute}
    found = snapshot.frame(compose(launch.queries["doctor/time_index"], launch.queries), place)
    return bool(found["index"].notna().any())


def earlier_days(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> pd.DataFrame:
    """Return the counts of the same local hours of each earlier day, the latest first; raises QueryFailed."""
    with sides(snapshot, launch, query) as there:
        return added([_earlier(side, window, query, flags, series.earlier_days, indexed=indexed) for side in there])


def earlier_minutes(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> pd.DataFrame:
    """Return a row per minute of the same local hours of each earlier day that has events; raises QueryFailed."""
    with sides(snapshot, launch, query) as there:
        return joined([_earlier(side, window, query, flags, series.earlier_minutes, indexed=indexed) for side in there])


def _earlier(
    side: Side, window: Window, query: str, flags: Sequence[str], shape: Callable[..., Statement], *, indexed: bool
) -> pd.DataFrame:
    days, catalog = side.launch.plan.judge.days, side.launch.queries
    before = Window(window.since - (days + 1) * DAY, window.until, window.as_of)
    values = _values(side, query, before) | _values(side, query, window)
    values |= {"since": before.since.isoformat()} if "since" in values else {}
    values |= {"golive_days": days, "golive_zone": side.launch.plan.timezone}
    return side.snapshot.frame(shape(catalog[query], catalog, flags, indexed=side.indexed(indexed)), values)


def before_launch(launch: Launch, window: Window, days: pd.DataFrame) -> pd.DataFrame:
    """Leave out earlier days whose hours are the launch's own, or the window's."""
    begun = min((stage.starts for stage in launch.plan.stages if stage.starts), default=window.since)
    kept = [window.until - int(day) * DAY <= max(begun, window.since) for day in days["day"]]
    return days[kept].reset_index(drop=True)
