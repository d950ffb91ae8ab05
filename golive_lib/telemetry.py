"""What a stage's telemetry says: every KPI's events counted per minute and cohort, from one snapshot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.events import MINUTE, before_launch, count, earlier_days, time_indexed
from golive_lib.spanning import joined

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from golive_lib.engines import Asked
    from golive_lib.events import Window
    from golive_lib.launch import Launch

    Ints = NDArray[np.int64]

SPLIT = "no percentile, for some of the events are archived"


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
        counted = count(snapshot, launch, window, query, flags, indexed=indexed)
        days = earlier_days(snapshot, launch, window, query, flags, indexed=indexed)
    except QueryFailed as failure:
        return {flag: nothing(window, failure.reason) for flag in flags}
    rows, earlier = joined([side.rows for side in counted]), before_launch(launch, window, days)
    totals = [side.totals for side in counted if len(side.totals)] or [counted[0].totals]
    both = len(totals) > 1  # what is exact on either side is not on both
    told = {flag: read(window, rows, flag, earlier=earlier, totals=None if both else totals[0]) for flag in flags}
    sql = "\n\n-- and of the archive:\n".join(side.sql for side in counted)
    return {flag: replace(one, sql=sql, note=SPLIT if both else "") for flag, one in told.items()}


def read(
    window: Window, rows: pd.DataFrame, flag: str, *, earlier: pd.DataFrame, totals: pd.DataFrame | None = None
) -> Telemetry:
    """Turn rows of ``series.minutes`` into one KPI's telemetry; without ``totals`` it has no percentiles."""
    if not isinstance(rows["newest"].dtype, pd.DatetimeTZDtype):
        return nothing(window, "the events' times have no zone; cast them in the source, as in: at time zone 'UTC'")
    whose = rows["canary"]
    pooled = bool(whose.isna().all())
    told = None if totals is None else dict(zip(map(_key, totals["canary"]), totals["percentiles"], strict=True))

    def cohort(mine: pd.DataFrame, name: bool | None) -> Cohort:
        at = np.asarray((mine["minute"] - window.since) // MINUTE, dtype=np.int64)
        newest = mine["newest"].max().to_pydatetime() if len(mine) else None
        n, bad, unsure = (_spread(window, at, mine[column]) for column in ("n", f"{flag}_bad", f"{flag}_unsure"))
        return Cohort(n, bad, unsure, newest, _percentiles(told.get(name)) if told else None)

    return Telemetry(
        minutes=tuple(window.since + i * MINUTE for i in range(window.minutes)),
        total=cohort(rows, None),
        canary=cohort(rows, None) if pooled else cohort(rows[whose.eq(True).fillna(False)], True),
        control=None if pooled else cohort(rows[whose.eq(False).fillna(False)], False),
        earlier=tuple(int(n) for n in earlier["n"]),
        earlier_bad=tuple(int(n) for n in earlier[f"{flag}_bad"]),
        sql="",
        problem=_problem(rows, earlier),
    )


def _problem(rows: pd.DataFrame, earlier: pd.DataFrame) -> str:
    """Say why nobody can tell whose the events are; empty when one can, or when none has a cohort."""
    named = rows["canary"].dropna()
    if strange := [name for name in named.unique() if not isinstance(name, bool | np.bool_)]:
        return f"the events' canary is {str(strange[0])!r}, which is neither true nor false"
    if len(named) and (unnamed := int(rows.loc[rows["canary"].isna(), "n"].sum())):
        return f"{unnamed:,} events have no cohort while others have one: nobody can say whose they are"
    if not len(named) and len(rows) and earlier["labelled"].sum():
        return "no event has a cohort, though those of earlier days have one: the canary cannot be told apart"
    return ""


def _key(canary: Any) -> bool | None:  # noqa: ANN401  pandas' boolean, or its NA
    return None if pd.isna(canary) else bool(canary)


def _percentiles(values: Sequence[float] | None) -> tuple[float, ...] | None:
    if not values or values[0] is None:
        return None
    # Between two events that never ended PostgreSQL interpolates infinity less infinity.
    return tuple(math.inf if math.isnan(value) else value for value in values)


def _spread(window: Window, at: Ints, values: pd.Series[int]) -> Ints:
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
