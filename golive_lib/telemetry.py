"""What a stage's telemetry says: every KPI's events counted per minute and cohort, from one snapshot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from golive_lib import series
from golive_lib.errors import QueryFailed
from golive_lib.query import compose
from golive_lib.spanning import Side, added, joined, sides

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.statement import Statement, Value

    Ints = NDArray[np.int64]

MINUTE = timedelta(minutes=1)
CANARY, CONTROL = "canary", "control"
PERCENTILES = series.PERCENTILES
EVIDENCE = 20
SPLIT = "no percentile, for some of the events are archived"


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
class Cohort:
    """One cohort's events minute by minute: arrays of one length. ``unsure`` are events nobody can judge."""

    n: Ints
    bad: Ints
    unsure: Ints
    newest: datetime | None
    percentiles: tuple[float, ...] | None


@dataclass(frozen=True)
class Telemetry:
    """What the events of one KPI say; ``problem`` says why they cannot be judged.

    ``total`` holds all events, whatever their cohort. ``control`` is None when no event has a cohort: then ``canary``
    holds all of them, too. ``earlier`` and ``earlier_bad`` count the same hours of earlier days, the day before first.
    ``note`` says what of them there is not to read.
    """

    minutes: tuple[datetime, ...]
    total: Cohort
    canary: Cohort
    control: Cohort | None
    earlier: tuple[int, ...]
    earlier_bad: tuple[int, ...]
    sql: str
    problem: str = ""
    note: str = ""

    @property
    def everyone(self) -> int:
        """All events of the window, whatever their cohort."""
        return int(self.total.n.sum())


def gather(snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str]) -> dict[str, Telemetry]:
    """Return the telemetry of each flag of one query of events, asked in one pass; a failure is each one's problem."""
    try:
        indexed = time_indexed(snapshot, launch, window, query)
        frame, sql = minute_rows(snapshot, launch, window, query, flags, indexed=indexed)
        readings = _readings(snapshot, launch, window, query)
        earlier = gather_earlier(snapshot, launch, window, query, flags, indexed=indexed)
    except QueryFailed as failure:
        return {flag: nothing(window, failure.reason) for flag in flags}
    both = len(readings) > 1  # what is exact on either side is not on both
    reading = None if both else readings[0]
    told = {flag: read(window, frame, flag, reading=reading, earlier=earlier, sql=sql) for flag in flags}
    return {flag: replace(one, note=SPLIT if both else "") for flag, one in told.items()}


def minute_rows(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> tuple[pd.DataFrame, str]:
    """Return the rows of a window's minutes that have events, and the SQL that answers with them; raises QueryFailed.

    ``indexed`` says what the live time column is. A minute has several rows of a cohort where an archive and the live
    database answer for it.
    """
    frames, asked = [], []
    with sides(snapshot, launch, query) as there:
        for side in there:
            if side.speaks(window.since):
                here = side.indexed(indexed)
                statement, values = minute_statement(side.snapshot, side.launch, window, query, flags, indexed=here)
                frame = side.snapshot.frame(statement, values)
                frames.append(frame[frame["n"].fillna(0) > 0])
                asked.append(statement.client_sql(values))
    return joined(frames), "\n\n-- and of the archive:\n".join(asked)


def minute_statement(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> tuple[Statement, dict[str, Value]]:
    """Return the per-minute statement of a window in the shape its time column's index asks for, and its values."""
    values = _values(Side(snapshot, launch), query, window)
    return series.minutes(launch.query(query), launch.queries, flags, indexed=indexed), values


def _readings(snapshot: Asked, launch: Launch, window: Window, query: str) -> list[pd.DataFrame]:
    """Return the exact percentiles of each side that has events; of one if none has."""
    with sides(snapshot, launch, query) as there:
        frames = [
            side.snapshot.frame(
                series.reading(side.launch.query(query), side.launch.queries), _values(side, query, window)
            )
            for side in there
            if side.speaks(window.since)
        ]
    return [frame for frame in frames if len(frame)] or frames[:1]


def bad_events(snapshot: Asked, launch: Launch, window: Window, query: str, flag: str) -> pd.DataFrame:
    """Return the newest bad events of the canary, or of everyone where no event has a cohort; raises QueryFailed."""
    with sides(snapshot, launch, query) as there:
        frames = [
            side.snapshot.frame(
                series.bad_events(side.launch.query(query), side.launch.queries, flag),
                {**_values(side, query, window), "golive_sample": EVIDENCE},
            )
            for side in there
            if side.speaks(window.since)
        ]
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


def gather_earlier(
    snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str], *, indexed: bool
) -> pd.DataFrame:
    """Return the counts of the same local hours of each day before the launch began, the latest first.

    Raises QueryFailed.
    """
    with sides(snapshot, launch, query) as there:
        frame = added([_earlier(side, window, query, flags, indexed=side.indexed(indexed)) for side in there])
    begun = min((stage.starts for stage in launch.plan.stages if stage.starts), default=window.since)
    before_launch = [window.until - timedelta(days=int(day)) <= max(begun, window.since) for day in frame["day"]]
    return frame[before_launch].reset_index(drop=True)


def _earlier(side: Side, window: Window, query: str, flags: Sequence[str], *, indexed: bool) -> pd.DataFrame:
    days, catalog = side.launch.plan.judge.days, side.launch.queries
    before = Window(window.since - timedelta(days=days + 1), window.until, window.as_of)
    values = _values(side, query, before) | _values(side, query, window)
    values |= {"since": before.since.isoformat()} if "since" in values else {}
    values |= {"golive_days": days, "golive_zone": side.launch.plan.timezone}
    return side.snapshot.frame(series.earlier_days(catalog[query], catalog, flags, indexed=indexed), values)


def read(
    window: Window,
    frame: pd.DataFrame,
    flag: str,
    *,
    earlier: pd.DataFrame,
    reading: pd.DataFrame | None = None,
    sql: str = "",
) -> Telemetry:
    """Turn the rows of a per-minute answer into one KPI's telemetry; without ``reading`` it has no percentiles."""
    if not isinstance(frame["newest"].dtype, pd.DatetimeTZDtype):
        return nothing(window, "the events' times have no zone; cast them in the source, as in: at time zone 'UTC'")
    seen = frame[frame["n"].fillna(0) > 0]
    names = {name for name in seen["cohort"] if isinstance(name, str)}
    unnamed = int(seen["cohort"].isna().sum())
    pooled = not names
    problem = ""
    if strange := sorted(names - {CANARY, CONTROL}):
        problem = f"cohort {strange[0]!r} is neither 'canary' nor 'control'"
    elif names and unnamed:
        rows = int(seen.loc[seen["cohort"].isna(), "n"].sum())
        problem = f"{rows:,} events have no cohort while others have one: nobody can say whose they are"
    elif pooled and len(seen) and earlier["labelled"].sum():
        problem = "no event has a cohort, though those of earlier days have one: the canary cannot be told apart"

    def cohort(name: str | None, mine: pd.DataFrame) -> Cohort:
        at = [(minute - window.since) // MINUTE for minute in mine["minute"]]
        values = None if reading is None else _percentiles(reading, name)
        newest = mine["newest"].max() if len(mine) else None
        n, bad, unsure = (_spread(window, at, mine[column]) for column in ("n", f"{flag}_bad", f"{flag}_unsure"))
        return Cohort(
            n,
            bad,
            unsure,
            newest.to_pydatetime() if newest is not None else None,
            values,
        )

    return Telemetry(
        minutes=tuple(window.since + i * MINUTE for i in range(window.minutes)),
        total=cohort(None, seen),
        canary=cohort(None, seen) if pooled else cohort(CANARY, seen[seen["cohort"] == CANARY]),
        control=None if pooled else cohort(CONTROL, seen[seen["cohort"] == CONTROL]),
        earlier=tuple(int(n) for n in earlier["n"]),
        earlier_bad=tuple(int(n) for n in earlier[f"{flag}_bad"]),
        sql=sql,
        problem=problem,
    )


def _percentiles(reading: pd.DataFrame, name: str | None) -> tuple[float, ...] | None:
    rows = reading[reading["cohort"].isna()] if name is None else reading[reading["cohort"] == name]
    values = rows["percentiles"].iloc[0] if len(rows) else None
    if not values or values[0] is None:
        return None
    # Between two events that never ended PostgreSQL interpolates infinity less infinity.
    return tuple(math.inf if math.isnan(value) else value for value in values)


def _spread(window: Window, at: list[int], values: pd.Series[int]) -> Ints:
    """Add up values at their minutes; a minute without events holds 0."""
    array = np.zeros(window.minutes, dtype=np.int64)
    np.add.at(array, at, values.to_numpy(dtype=np.int64))
    return array


def nothing(window: Window, problem: str) -> Telemetry:
    """Return the telemetry of a KPI whose events could not be asked."""
    none = np.zeros(window.minutes, dtype=np.int64)
    minutes = tuple(window.since + i * MINUTE for i in range(window.minutes))
    silent = Cohort(none, none, none, None, None)
    return Telemetry(minutes, silent, silent, None, (), (), "", problem)
