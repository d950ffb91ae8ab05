"""Did everything keep coming: what stops is found, what is quiet by night is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString

import pandas as pd
import psycopg
import pytest
from plant import change

from golive_lib import flow
from golive_lib.launch import open_launch
from golive_lib.spans import spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.flow import Flow
    from golive_lib.proof import Point

    Clone = Callable[[], DemoDatabase]


def looked(url: str) -> Flow:
    """Look at a database as the read-only role."""
    launch = open_launch(url)
    with launch.database.snapshot() as snapshot:
        return flow.examine(launch, snapshot, spans(launch.plan, snapshot.clock.now))


def of(found: Flow, kind: str) -> Point:
    """Return the point of one kind."""
    return next(point for point in found.points if point.what == kind)


def test_healthy_demo_keeps_coming(healthy: DemoDatabase) -> None:
    """Quiet nights are usual: no kind of event is missed."""
    assert [point for point in looked(healthy.url).points if point.status is not Status.GREEN] == []


def test_counts_agree_with_pandas(healthy: DemoDatabase) -> None:
    """Bookings of the last day, and the mean of the other days, are those of the raw rows."""
    with psycopg.connect(healthy.admin_url.replace("+psycopg", "")) as connection:
        rows = connection.execute("select created_at from bookings").fetchall()
    at = pd.to_datetime(pd.Series([row[0] for row in rows]), utc=True)
    ends = [pd.Timestamp(f"2026-03-{day}T22:00Z") for day in (25, 24, 23, 18)]
    counts = [int(((at >= end - pd.Timedelta(days=1)) & (at < end)).sum()) for end in ends]
    row = looked(healthy.url).kinds.set_index("kind").loc["bookings"]
    assert (row["events"], row["usual"]) == (counts[0], round(sum(counts[1:]) / 3))


STOPPED: dict[str, tuple[str, LiteralString]] = {
    "bookings stop": ("bookings", "delete from bookings where created_at > timestamptz '2026-03-25 10:00Z'"),
    "payments stop": (
        "payments tried",
        "delete from payment_transactions where created_at > timestamptz '2026-03-25 14:00Z'",
    ),
    "calls stop": ("calls connected", "delete from call_sessions where requested_at > timestamptz '2026-03-25 06:00Z'"),
    "recordings stop": ("recordings", "delete from call_recordings where started_at > timestamptz '2026-03-25 06:00Z'"),
    "the audit log stops": (
        "audit events",
        "delete from security_audit_logs where created_at > timestamptz '2026-03-25 06:00Z'",
    ),
}
LOOSE: LiteralString = (
    "do $$ declare c record; begin for c in select conrelid::regclass as t, conname from pg_constraint "
    "where contype = 'f' loop execute format('alter table %s drop constraint %I', c.t, c.conname); end loop; end $$"
)


@pytest.mark.parametrize("fault", STOPPED)
def test_what_stops_is_unknown(clone: Clone, fault: str) -> None:
    """Nobody can tell whether it stopped or only its being written down, and since when is said."""
    kind, statement = STOPPED[fault]
    demo = clone()
    change(demo, LOOSE, statement)
    point = of(looked(demo.url), kind)
    assert (point.status, "were due" in point.detail) == (Status.UNKNOWN, True)


def test_gap_in_the_middle_is_amber(clone: Clone) -> None:
    """What came back is worth a look."""
    demo = clone()
    change(
        demo, LOOSE,
        "delete from bookings where created_at >= timestamptz '2026-03-25 10:00Z' "
        "and created_at < timestamptz '2026-03-25 14:00Z'",
    )  # fmt: skip
    assert of(looked(demo.url), "bookings").status is Status.AMBER


def test_less_than_half_is_amber(clone: Clone) -> None:
    """Every fourth booking is left: no gap, and still a collapse."""
    demo = clone()
    change(
        demo, LOOSE,
        "delete from bookings using (select id, row_number() over (order by created_at) as n from bookings "
        "where created_at >= timestamptz '2026-03-24 22:00Z') k where k.id = bookings.id and n % 4 <> 0",
    )  # fmt: skip
    point = of(looked(demo.url), "bookings")
    assert (point.status, "less than half" in point.detail) == (Status.AMBER, True)


def test_rows_that_are_there_twice_are_unknown(clone: Clone) -> None:
    """Figures of doubled rows say nothing."""
    demo = clone()
    change(
        demo, LOOSE, "alter table bookings drop constraint bookings_pkey", "insert into bookings select * from bookings"
    )
    assert of(looked(demo.url), "bookings").status is Status.UNKNOWN


def test_table_that_is_gone_is_unknown(clone: Clone) -> None:
    """The reason names it."""
    demo = clone()
    change(demo, "drop table call_recordings cascade")
    assert [point.status for point in looked(demo.url).points] == [Status.UNKNOWN]


def test_nothing_at_all_is_unknown(clone: Clone) -> None:
    """Empty tables are no proof of a quiet day."""
    demo = clone()
    change(
        demo, LOOSE,
        "truncate bookings, payment_transactions, call_sessions, call_recordings, call_consent_logs, emergency_calls, "
        "security_audit_logs",
    )  # fmt: skip
    assert [point.status for point in looked(demo.url).points] == [Status.UNKNOWN]
