"""The payments funnel: bookings followed to a completed payment and to the call, before and after the launch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import duration, mask, number, sums
from golive_lib.funnel_points import (
    ADAPT,
    CHASE,
    COMPLETED,
    HELD,
    JUDGED,
    Cohort,
    compared,
    odd_rows,
    paid,
    stale_judged,
    stood,
)
from golive_lib.intervals import Z99, newcombe, wilson
from golive_lib.proof import Point, Proof, Section
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.spans import Spans

TITLE = "Payments funnel"
STEPS = {
    "bookings": "booked",
    "started": "payment started",
    "settled": "payment settled",
    "completed": "payment completed",
    "due": "call due by now",
    "held": "call held",
}
CHANGES = {
    "booking to payment started": ("bookings", "started"),
    "payment started to settled": ("started", "settled"),
    JUDGED: ("bookings", "paid"),
    COMPLETED: ("bookings", "completed"),
    HELD: ("due", "held"),
}
TIMES = {
    "start_seconds": "booking to payment started",
    "settle_seconds": "payment started to settled",
    "wait_seconds": "payment settled to call connected",
    "late_seconds": "appointment to call connected",
}


@dataclass(frozen=True, repr=False)
class Funnel(Section):
    """The payments funnel, with the database's own counts in ``now`` and ``before`` (None: nothing to hold against).

    ``changes``, ``hours`` and ``tables`` (by caption) are made of these; shares have Wilson's 95 % interval,
    differences Newcombe's 99 %, in points. ``pending`` are the payments pending for the longest.
    """

    points: tuple[Point, ...]
    now: Cohort | None = None
    before: Cohort | None = None
    changes: pd.DataFrame = field(default_factory=pd.DataFrame)
    hours: pd.DataFrame = field(default_factory=pd.DataFrame)
    pending: pd.DataFrame = field(default_factory=pd.DataFrame)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def proof(self) -> Proof:
        """The points, with the tables behind them."""
        return Proof("funnel", TITLE, self.points, "; ".join(each.detail for each in self.points[:2]), self.tables)


def examine(launch: Launch, snapshot: Asked, spans: Spans) -> Funnel:
    """Follow the bookings of the last hours, and of those before the launch, each to the end of their own span.

    A query that fails makes the section unknown. Raises DatabaseError when the database cannot be reached.
    """
    rules, whole = launch.plan.aftercare, [span for span in (spans.now, spans.prelaunch) if span]
    old = {"pending_seconds": rules.pending_after.total_seconds()}
    try:
        usual = pd.concat([_ask(launch, snapshot, "usual", span.values()) for span in whole]).max().fillna(0)
        given = {name: float(usual[name]) for name in ("settle_seconds", "call_seconds")}
        rows = [_ask(launch, snapshot, "cohort", {**span.values(), **given}) for span in whole]
        tried = [_ask(launch, snapshot, "attempts", span.values()) for span in whole]
        stale, *held = [_ask(launch, snapshot, "pending", {**span.values(), **old}) for span in whole]
        pending = _ask(launch, snapshot, "pending_rows", {"until": spans.now.until, **old})
    except QueryFailed as failure:
        return Funnel((Point("payments", Status.UNKNOWN, failure.reason, ADAPT),))
    now, *earlier = (Cohort(*each) for each in zip(whole, rows, tried, strict=True))
    then = earlier[0] if earlier else Cohort(spans.now, now.rows[:0], now.attempts[:0])
    changes, hours = _changes(now, then), _conversions(now, then, "hour").drop(columns="prelaunch_share")
    hours = hours.assign(hour=pd.to_datetime(hours["hour"], utc=True))
    held_against = [compared(changes, rules.conversion_drop), *stood(changes, rules.conversion_drop)] if earlier else []
    points = [paid(now, alone=not earlier), *held_against, *odd_rows(now)]
    if len(now.tried("all")) or len(stale):
        what = f"pending for longer than {duration(old['pending_seconds'] * 1_000)}"
        status, detail = stale_judged(stale, held[0] if held else stale[:0], now, then, launch.zone)
        points.append(Point(what, status, detail, CHASE if status is Status.AMBER else ""))
    tables = {
        "From booking to call": _steps(now, then),
        "Before and after the launch (99 % intervals: 19 times in 20 all rows are right)": changes,
        "Lost on the way": _listed(now, "lost"),
        **{f"Completed payments by {part}": _conversions(now, then, part) for part in ("method", "device", "role")},
        "Time between the steps": _times(now, then),
        "Bookings set apart, and said": pd.concat([_listed(now, "apart"), _listed(now, "said")], ignore_index=True),
        "Payments set apart, and said": _payments(now),
        "Pending for the longest": _pending(pending),
    }
    tables = {caption: table for caption, table in tables.items() if len(table)}
    return Funnel(tuple(points), now, then if earlier else None, changes, hours, pending, tables)


def _ask(launch: Launch, snapshot: Asked, name: str, given: Mapping[str, Any]) -> pd.DataFrame:
    return launch.ask(snapshot, f"aftercare/funnel_{name}", **given)


def _share(hits: int, n: int) -> float:
    return hits / n if n else math.nan


def _changes(now: Cohort, then: Cohort) -> pd.DataFrame:
    rows = []
    for title, (of, step) in CHANGES.items():
        after, before = (now.count(step), now.count(of)), (then.count(step), then.count(of))
        if after[1] and before[1]:
            low, high = (100 * end for end in newcombe(after, before, Z99))
            points = 100 * (_share(*after) - _share(*before))
            moved = f"{abs(points):.1f} points {'lower' if points < 0 else 'higher'}"
            said = "no difference shown" if low <= 0 <= high else moved
            rows.append((title, _share(*before), _share(*after), points, low, high, said))
    names = ["conversion", "prelaunch_share", "now_share", "points", "low_points", "high_points", "said"]
    return pd.DataFrame(rows, columns=names)


def _steps(now: Cohort, then: Cohort) -> pd.DataFrame:
    rows, last = [], "bookings"
    for step, title in STEPS.items():
        hits, n = now.count(step), now.count(last)
        clients = now.count("clients" if step == "bookings" else f"{step}_clients")
        before = _share(then.count(step), then.count(last))
        rows.append((title, hits, clients, _share(hits, n), *wilson(hits, n), before))
        last = step
    names = ["step", "bookings", "clients", "of_last_step_share", "low_share", "high_share", "prelaunch_share"]
    return pd.DataFrame(rows, columns=names)


def _conversions(now: Cohort, then: Cohort, part: str) -> pd.DataFrame:
    """Completed payments by the values of a part; lost are the people who completed none there."""
    earlier = {row["value"]: row for row in then.part(part).to_dict("records")}
    rows = []
    for row in now.part(part).to_dict("records"):
        value, n, hits = row["value"], row["bookings"], row["completed"]
        before = earlier.get(value, {"completed": 0, "bookings": 0})
        shares = (_share(hits, n), *wilson(hits, n), _share(before["completed"], before["bookings"]))
        lost = f"{number(row['clients'] - row['completed_clients'])} people, {now.money(part, value, 'lost')}"
        rows.append((value, n, *shares, lost))
    names = ["bookings", "completed_share", "low_share", "high_share", "prelaunch_share", "lost_people_and_money"]
    return pd.DataFrame(rows, columns=[part, *names])


def _times(now: Cohort, then: Cohort) -> pd.DataFrame:
    rows = []
    for column, title in TIMES.items():
        found = [each for cohort in (now, then) for each in (*cohort.part("all")[column], None)[:1]]
        rows.append((title, *(value for each in found for value in each or (math.nan, math.nan))))
    names = ["p50_seconds", "p95_seconds", "prelaunch_p50_seconds", "prelaunch_p95_seconds"]
    return pd.DataFrame(rows, columns=["between", *names])


def _listed(now: Cohort, part: str) -> pd.DataFrame:
    rows = [
        (row["value"], row["bookings"], row["clients"], now.money(part, row["value"], "started"))
        for row in now.part(part).to_dict("records")
    ]
    return pd.DataFrame(rows, columns=["bookings_that_are", "bookings", "clients", "money"])


def _payments(now: Cohort) -> pd.DataFrame:
    groups = now.attempts[now.attempts["kind"] != "all"].groupby("what")
    rows = [(what, each["payments"].sum(), sums(each["currency"], each["amount"])) for what, each in groups]
    return pd.DataFrame(rows, columns=["payments_that_are", "payments", "money"])


def _pending(rows: pd.DataFrame) -> pd.DataFrame:
    money = [sums(one["currency"], one["amount"]) for one in (rows[i : i + 1] for i in range(len(rows)))]
    short = {name: rows[name].map(mask, na_action="ignore") for name in ("payment_id", "booking_id")}
    return rows.assign(**short, money=money).drop(columns=["currency", "amount"])
