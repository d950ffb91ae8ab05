"""The payments funnel: bookings followed to a completed payment and to the call, before and after the launch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import duration, mask, moment, number, share, sums
from golive_lib.judge import Status
from golive_lib.proof import Point, Proof

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.spans import Span, Spans

TITLE = "Payments funnel"
STEPS = {
    "bookings": "booked",
    "started": "payment started",
    "settled": "payment settled",
    "completed": "payment completed",
    "due": "its call's hour passed",
    "held": "call held",
}
JUDGED = "booking to paid, refunded or not"  # a refund carries no date, and older bookings had longer for one
CHANGES = {
    "booking to payment started": ("bookings", "started"),
    "payment started to settled": ("started", "settled"),
    JUDGED: ("bookings", "paid"),
    "booking to payment completed": ("bookings", "completed"),
    "call's hour to call held": ("due", "held"),
}
TIMES = {
    "start_seconds": "booking to payment started",
    "settle_seconds": "payment started to settled",
    "wait_seconds": "payment settled to call connected",
    "late_seconds": "appointment to call connected",
}
NO_CURRENCY = "no currency"
ADAPT = "adapt sources/bookings.sql, sources/payment_attempts.sql and sources/talks.sql"
CHASE = "ask the payment provider what became of them, then settle or cancel them"
Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Cohort:
    """The bookings of a span as they stood at its end: ``rows`` of funnel_cohort, ``attempts`` of funnel_attempts."""

    span: Span
    rows: pd.DataFrame
    attempts: pd.DataFrame

    def part(self, name: str) -> pd.DataFrame:
        """Return the counts of a part: all; method, device, role, hour; lost, twice, said; or apart."""
        return self.rows[(self.rows["part"] == name) & self.rows["currency"].isna()]

    def count(self, column: str, part: str = "all") -> int:
        """Return a count over the bookings of a part; ``*_clients`` are distinct people."""
        return int(self.part(part)[column].sum())

    def money(self, part: str, value: str, amount: str) -> str:
        """Return a sum per currency, as text; a booking's amount is that of its best payment."""
        rows = self.rows[(self.rows["part"] == part) & (self.rows["value"] == value) & self.rows["currency"].notna()]
        return sums(rows["currency"], rows[f"{amount}_amount"])

    def tried(self, kind: str) -> pd.DataFrame:
        """Return payments by what was found: all real ones, and of these odd and said; or apart, of tests."""
        return self.attempts[self.attempts["kind"] == kind]


@dataclass(frozen=True)
class Funnel:
    """The payments funnel, with the database's own counts in ``now`` and ``before`` (None: nothing to hold against).

    ``changes``, ``hours`` and ``tables`` (by caption) are made of these; shares have Wilson's 95 % interval,
    differences Newcombe's, in points. ``pending`` are the payments pending for the longest.
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


def examine(launch: Launch, snapshot: Snapshot, spans: Spans) -> Funnel:
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
    compared = [_compared(changes, rules.conversion_drop)] if earlier else []
    points = [_paid(now, alone=not earlier), *compared, *_odd(now)]
    if len(now.tried("all")) or len(stale):
        what = f"pending for longer than {duration(old['pending_seconds'] * 1_000)}"
        status, detail = _stale(stale, held[0] if held else stale[:0], now, then, launch.zone)
        points.append(Point(what, status, detail, CHASE if status is Status.AMBER else ""))
    tables = {
        "From booking to call": _steps(now, then),
        "Before and after the launch (each row errs once in 20)": changes,
        "Lost on the way": _listed(now, "lost"),
        **{f"Completed payments by {part}": _conversions(now, then, part) for part in ("method", "device", "role")},
        "Completed payments by hour": hours,
        "Time between the steps": _times(now, then),
        "Bookings set apart, and said": pd.concat([_listed(now, "apart"), _listed(now, "said")], ignore_index=True),
        "Payments set apart, and said": _payments(now),
        "Pending for the longest": _pending(pending),
    }
    tables = {caption: table for caption, table in tables.items() if len(table)}
    return Funnel(tuple(points), now, then if earlier else None, changes, hours, pending, tables)


def _ask(launch: Launch, snapshot: Snapshot, name: str, given: Mapping[str, Any]) -> pd.DataFrame:
    return launch.ask(snapshot, f"aftercare/funnel_{name}", **given)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share, for a single look; (0, 1) when there is nothing to say it of."""
    if not n:
        return 0.0, 1.0
    middle, spread = hits + Z**2 / 2, Z * math.sqrt(hits * (n - hits) / n + Z**2 / 4)
    return max((middle - spread) / (n + Z**2), 0.0), min((middle + spread) / (n + Z**2), 1.0)


def newcombe(after: tuple[int, int], before: tuple[int, int]) -> tuple[float, float]:
    """Return Newcombe's 95 % interval of the difference of two shares, each given as (hits, n) with n above 0."""
    (low_a, high_a), (low_b, high_b) = wilson(*after), wilson(*before)
    a, b = after[0] / after[1], before[0] / before[1]
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def _share(hits: int, n: int) -> float:
    return hits / n if n else math.nan


def _paid(now: Cohort, *, alone: bool) -> Point:
    what, n, hits = f"payments of {now.span.title}", now.count("bookings"), now.count("completed")
    if now.tried("all").empty or not n:
        lacks = "no payment was tried" if now.tried("all").empty else "no booking is old enough to be followed"
        fix = "find out why nobody pays, or see that sources/payment_attempts.sql reads the app's payments"
        return Point(what, Status.UNKNOWN, f"{lacks}; {number(n)} bookings", fix)
    low, high = wilson(hits, n)
    young = now.part("apart").query("value == 'still open'")["bookings"].sum()
    detail = (
        f"{number(hits)} of {number(n)} bookings ended in a completed payment, {share(hits / n)} ({share(low)} to "
        f"{share(high)}), {now.money('all', 'all', 'completed')}; {number(young)} more are still open"
    )
    return Point(what, Status.GREEN, f"{detail}; no hours before the launch to hold them against" if alone else detail)


def _compared(changes: pd.DataFrame, drop: float) -> Point:
    what, most = "bookings that are paid, against before the launch", -100 * drop
    judged = changes[changes["conversion"] == JUDGED]
    if judged.empty:
        return Point(what, Status.UNKNOWN, "there are no bookings to compare, now or then", ADAPT)
    row = judged.iloc[0]
    low, high = row["low_points"], row["high_points"]
    seen = f"{share(row['now_share'])} now, {share(row['prelaunch_share'])} then ({low:+.1f} to {high:+.1f} points)"
    if high < 0:
        fix = "look at where they were lost, and by method and device"
        return Point(what, Status.RED if high < most else Status.AMBER, f"{row['said']}: {seen}", fix)
    if low <= most:
        detail = f"{row['said']}, but too few to rule out {-most:g} points lower: {seen}"
        return Point(what, Status.AMBER, detail, "look again over a longer window")
    return Point(what, Status.GREEN, f"{row['said']}: {seen}")


def _odd(now: Cohort) -> list[Point]:
    """Judge the rows themselves: their currency, what contradicts itself, and bookings paid more than once."""
    tried, odd, twice = now.tried("all"), now.tried("odd"), now.count("bookings", "twice")
    if tried.empty:
        return []
    bare = tried[tried["currency"] == NO_CURRENCY]
    without = f"{number(bare['payments'].sum())} without one, {sums(bare['currency'], bare['amount'])}, in no other sum"
    faults = "; ".join(f"{number(n)} {what}" for what, n in odd.groupby("what")["payments"].sum().items())
    return [
        _found("payments' currencies", without if len(bare) else "", "write each payment's currency down"),
        _found("payments that contradict themselves", faults, "find what wrote these rows"),
        _found("bookings paid more than once", number(twice) if twice else "", "give what was paid twice back"),
    ]


def _found(what: str, found: str, fix: str) -> Point:
    return Point(what, Status.AMBER, found, fix) if found else Point(what, Status.GREEN, "nothing is wrong")


def _stale(stale: pd.DataFrame, before: pd.DataFrame, now: Cohort, then: Cohort, zone: tzinfo) -> tuple[Status, str]:
    """Judge what has been pending for too long: some always is, so that more of it than before the launch counts."""
    if stale.empty:
        return Status.GREEN, "no payment"
    fresh, made = int(stale["of_window"].sum()), int(now.tried("all")["payments"].sum())
    old, tried = int(before["of_window"].sum()), int(then.tried("all")["payments"].sum())
    detail = (
        f"{number(stale['payments'].sum())} payments since {moment(stale['oldest_at'].min(), zone)}, "
        f"{number(fresh)} of them made in these hours: {sums(stale['currency'], stale['amount'])}"
    )
    if not made or not tried:
        return Status.AMBER, detail
    more = newcombe((fresh, made), (old, tried))[0] > 0
    held = f"{share(fresh / made)} of what was tried, {share(old / tried)} before the launch"
    return Status.AMBER if more else Status.GREEN, f"{detail}; {held}: {'more' if more else 'no more'} than then"


def _changes(now: Cohort, then: Cohort) -> pd.DataFrame:
    rows = []
    for title, (of, step) in CHANGES.items():
        after, before = (now.count(step), now.count(of)), (then.count(step), then.count(of))
        if after[1] and before[1]:
            low, high = (100 * end for end in newcombe(after, before))
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
