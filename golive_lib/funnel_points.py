"""The bookings of a span as the funnel counts them, and what is judged of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.formats import moment, number, share, sums
from golive_lib.intervals import newcombe, wilson
from golive_lib.proof import Point
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from datetime import tzinfo

    import pandas as pd

    from golive_lib.spans import Span

JUDGED = "booking to paid, refunded or not"  # a refund carries no date, and older bookings had longer for one
HELD = "call's hour to call held"
NO_CURRENCY = "no currency"
ADAPT = "adapt sources/bookings.sql, sources/payment_attempts.sql and sources/talks.sql"
CHASE = "ask the payment provider what became of them, then settle or cancel them"
COMPLETED = "booking to payment completed"


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


def paid(now: Cohort, *, alone: bool) -> Point:
    """Say how many bookings ended in a completed payment; ``alone`` without hours to hold them against."""
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


def compared(changes: pd.DataFrame, drop: float) -> Point:
    """Judge the bookings that are paid: green only when a drop by so much is ruled out."""
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


def stood(changes: pd.DataFrame, drop: float) -> list[Point]:
    """Judge what became of payments: fewer that stand, or whose call is held, than before the launch.

    Refunds carry no date and older bookings had longer to get one, so that fewer standing now is more than it looks.
    """
    points = []
    for what, conversion in (("payments that stand", COMPLETED), ("paid calls that are held", HELD)):
        for row in changes[changes["conversion"] == conversion].to_dict("records"):
            seen = f"{share(row['now_share'])} now, {share(row['prelaunch_share'])} then"
            said = f"{row['said']}: {seen} ({row['low_points']:+.1f} to {row['high_points']:+.1f} points)"
            lower = Status.RED if row["high_points"] < -100 * drop else Status.AMBER
            status = lower if row["high_points"] < 0 else Status.GREEN
            fix = "" if status is Status.GREEN else "see under 'Lost on the way' what became of these bookings"
            points.append(Point(what, status, said, fix))
    return points


def odd_rows(now: Cohort) -> list[Point]:
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


def stale_judged(
    stale: pd.DataFrame, before: pd.DataFrame, now: Cohort, then: Cohort, zone: tzinfo
) -> tuple[Status, str]:
    """Judge what has been pending for too long: some always is, so that more of it than before the launch counts."""
    if stale.empty:
        return Status.GREEN, "no payment"
    fresh, made = int(stale["of_window"].sum()), int(now.tried("all")["payments"].sum())
    old, tried = int(before["of_window"].sum()), int(then.tried("all")["payments"].sum())
    detail = (
        f"{number(stale['payments'].sum())} payments since {moment(stale['oldest_at'].min(), zone)} "
        f"({sums(stale['currency'], stale['amount'])} in all), {number(fresh)} of them made in these hours"
    )
    if not made or not tried:
        return Status.AMBER, detail
    more = newcombe((fresh, made), (old, tried))[0] > 0
    held = f"{share(fresh / made)} of what was tried, {share(old / tried)} before the launch"
    return Status.AMBER if more else Status.GREEN, f"{detail}; {held}: {'more' if more else 'no more'} than then"
