"""The canary's events, counted by a real PostgreSQL as the read-only role, against the raw rows."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np
import pandas as pd
import psycopg
import pytest
from plant import change

from golive_lib import open_launch, series
from golive_lib.events import MINUTE, Window, count, earlier_days
from golive_lib.telemetry import Telemetry, gather, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from golive_lib.demo import DemoDatabase
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan
    from golive_lib.statement import Statement

    Clone = Callable[[], DemoDatabase]

START = datetime(2026, 3, 24, 14, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=3), START + timedelta(hours=3))
QUERIES = {
    "canary/api": ["slow", "failed"],
    "canary/db": ["slow"],
    "canary/rls": ["violation"],
    "canary/calls": ["slow"],
    "canary/sirens": ["late"],
    "canary/payments": ["failed"],
}
NO_DAYS = pd.DataFrame(
    {"n": [], "labelled": [], **{f"{flag}_bad": [] for flag in ("slow", "failed", "late", "violation")}}
)
HOUR_OF_SIRENS = Window(START, START + timedelta(hours=1), START + timedelta(hours=1))


def flags(plan: Plan, query: str) -> list[str]:
    """Name the columns of bad events the plan asks of a query."""
    return list(dict.fromkeys(kpi.bad for kpi in plan.kpis.values() if kpi.query == query))


def gathered(launch: Launch, window: Window, query: str) -> dict[str, Telemetry]:
    """Gather a query's telemetry in a snapshot of its own."""
    with launch.database.snapshot() as snapshot:
        return gather(snapshot, launch, window, query, QUERIES[query])


def asked(launch: Launch, window: Window, query: str, *, indexed: bool) -> dict[str, Telemetry]:
    """Ask for a query's minutes in one of the two shapes, and for no earlier day."""
    flags = QUERIES[query]
    with launch.database.snapshot() as snapshot:
        (answer,) = count(snapshot, launch, window, query, flags, indexed=indexed)
    assert ("lateral" in answer.sql) == indexed
    return {flag: read(window, answer.rows, flag, earlier=NO_DAYS, totals=answer.totals) for flag in flags}


def raw(demo: DemoDatabase, statement: LiteralString, window: Window = WINDOW) -> pd.DataFrame:
    """Read a window's rows as the owner, past the kit; the first column is the time, which the statement bounds."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        cursor = connection.execute(statement, {"since": window.since, "until": window.until})
        frame = pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description or ()])
    return frame.assign(minute=[(at - window.since) // MINUTE for at in frame.iloc[:, 0]])


DROPPED: LiteralString = "drop index api_logs_created_at_status_code_response_time_ms_flat_table_idx"
API_ROWS: LiteralString = """
select created_at, flat_tables, response_time_ms::float8 as ms, response_time_ms >= 2000 as slow,
  status_code >= 500 as failed
from api_logs where created_at >= %(since)s and created_at < %(until)s
"""


def per_minute(rows: pd.DataFrame, window: Window = WINDOW) -> list[int]:
    """Count rows per minute with pandas."""
    counts: list[int] = rows.groupby("minute").size().reindex(range(window.minutes), fill_value=0).tolist()
    return counts


def test_plan_asks_every_flag_tested_here(healthy: DemoDatabase) -> None:
    """The queries and flags of these tests are those of the kit's plan."""
    plan = open_launch(healthy.url).plan
    assert {query: flags(plan, query) for query in {kpi.query for kpi in plan.kpis.values()}} == QUERIES


def test_counts_agree_with_the_raw_rows(healthy: DemoDatabase) -> None:
    """Events and bad ones, per minute and cohort, are those pandas counts over the rows themselves."""
    rows = raw(healthy, API_ROWS)
    told = gathered(open_launch(healthy.url), WINDOW, "canary/api")
    expected, actual = [], []
    for name, flat in (("canary", True), ("control", False)):
        mine = rows[rows["flat_tables"] == flat]
        for flag in ("slow", "failed"):
            cohort = getattr(told[flag], name)
            expected += [per_minute(mine), per_minute(mine[mine[flag]])]
            actual += [cohort.n.tolist(), cohort.bad.tolist()]
    assert expected == actual
    assert sum(map(sum, expected)) > 0


def test_percentiles_agree_with_numpy(healthy: DemoDatabase) -> None:
    """A cohort's percentiles over the window are numpy's over its rows."""
    rows = raw(healthy, API_ROWS)
    told = gathered(open_launch(healthy.url), WINDOW, "canary/api")["slow"]
    expected = np.quantile(rows.loc[rows["flat_tables"], "ms"], series.PERCENTILES)
    assert told.canary.percentiles == pytest.approx(tuple(expected))


@pytest.mark.parametrize("shape", [series.minutes, series.lean_minutes])
def test_nothing_is_sorted_for_minutes(healthy: DemoDatabase, shape: Callable[..., Statement]) -> None:
    """Percentiles are asked once for the whole window: sorting each minute would take longer than counting them all."""
    launch = open_launch(healthy.url)
    assert "percentile" not in shape(launch.query("canary/api"), launch.queries, ["slow"]).sql
    assert "percentile" in series.totals(launch.query("canary/api"), launch.queries, ["slow"]).sql


@pytest.mark.parametrize("since", [START, START + timedelta(seconds=17.5)])
@pytest.mark.parametrize("query", QUERIES)
def test_both_shapes_tell_the_same(healthy: DemoDatabase, query: str, since: datetime) -> None:
    """Minute by minute or grouped: the same numbers, also where minutes do not begin with the clock's."""
    launch, window = open_launch(healthy.url), Window(since, since + timedelta(hours=3), since + timedelta(hours=3))
    lean, grouped = (asked(launch, window, query, indexed=indexed) for indexed in (True, False))
    assert {flag: numbers(one) for flag, one in lean.items()} == {flag: numbers(one) for flag, one in grouped.items()}
    assert min(one.everyone for one in lean.values()) > 0


@pytest.mark.parametrize(
    ("wrong", "lean"),
    [
        ("update api_logs set flat_tables = null where id = (select max(id) from one)", False),
        ("update api_logs set response_time_ms = -1 where id = (select max(id) from one)", False),
        ("update api_logs set response_time_ms = 0 where id = (select max(id) from one)", True),
        ("update api_logs set flat_tables = null where created_at < '2026-03-24 14:00Z'", True),
    ],
)
def test_what_the_lean_shape_leaves_out_is_asked(clone: Clone, wrong: LiteralString, lean: bool) -> None:
    """One event that nobody can judge, or whose cohort is unknown, and everything of the window is counted."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "create temp view one as "
        "select id from api_logs where created_at between '2026-03-24 14:30Z' and '2026-03-24 15:00Z'",
        wrong,
    )
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    assert ("lateral" in told.sql) == lean


@pytest.mark.parametrize("query", QUERIES)
def test_both_shapes_give_the_same_earlier_days(healthy: DemoDatabase, query: str) -> None:
    """Day by day or in one pass: the same counts, and a day without events is there."""
    since = START - timedelta(days=3)  # four days after the first event
    launch, window = open_launch(healthy.url), Window(since, since + timedelta(hours=3), START)
    with launch.database.snapshot() as snapshot:
        by_day, once = (
            earlier_days(snapshot, launch, window, query, QUERIES[query], indexed=indexed) for indexed in (True, False)
        )
    pd.testing.assert_frame_equal(by_day, once)
    assert (by_day["n"].max() > 0, by_day["n"].min(), len(by_day)) == (True, 0, 7)


def test_dropping_the_index_changes_the_shape_and_no_number(clone: Clone) -> None:
    """Without the index the rows are grouped in one pass, and everything told stays the same."""
    demo = clone()
    before = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    change(demo, DROPPED)
    after = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    assert ("lateral" in before.sql, "lateral" in after.sql) == (True, False)
    assert numbers(before) == numbers(after)


def numbers(told: Telemetry) -> list[Any]:
    """Return all that a telemetry tells, apart from the SQL, as comparable values."""
    cohorts = [told.canary, told.control]
    arrays = [[c.n.tolist(), c.bad.tolist(), c.unsure.tolist(), c.newest, c.percentiles] for c in cohorts if c]
    return [told.minutes, arrays, told.earlier, told.earlier_bad, told.problem]


@pytest.mark.parametrize(
    ("index", "by_minute"),
    [
        ("create index on api_logs (created_at)", True),
        ("create index on api_logs (created_at desc, path)", True),
        ("create index on api_logs (path, created_at)", False),
        ("create index on api_logs (created_at) where flat_tables", False),
        ("create index on api_logs using brin (created_at)", False),
        ("create index on api_logs using hash (created_at)", False),
    ],
)
def test_index_chooses_the_shape(clone: Clone, index: LiteralString, by_minute: bool) -> None:
    """Only a whole btree that begins with the time column is asked minute by minute."""
    demo = clone()
    change(demo, DROPPED, index)
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    assert ("lateral" in told.sql) == by_minute


@pytest.mark.parametrize("indexed", [True, False])
def test_minute_without_rows_is_there(clone: Clone, indexed: bool) -> None:
    """A stretch without events still has each of its minutes, in either shape."""
    demo = clone()
    change(demo, "delete from api_logs where created_at >= '2026-03-24 15:00Z' and created_at < '2026-03-24 15:20Z'")
    told = asked(open_launch(demo.url), WINDOW, "canary/api", indexed=indexed)["slow"]
    assert told.control is not None
    both = (told.canary.n + told.control.n).tolist()
    assert (both[60:80], min(both[:60] + both[80:]) > 0) == ([0] * 20, True)
    assert (len(told.minutes), len(told.canary.n), len(told.control.n)) == (180, 180, 180)


def test_sql_of_the_telemetry_runs_in_any_client(healthy: DemoDatabase) -> None:
    """Pasted into a plain connection, it counts the same events."""
    told = gathered(open_launch(healthy.url), WINDOW, "canary/payments")["failed"]
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        rows = connection.execute(told.sql.encode()).fetchall()
    assert sum(row[2] or 0 for row in rows) == told.everyone
    assert told.everyone > 0


def test_earlier_days_are_the_same_local_hours(clone: Clone) -> None:
    """Across the night in which clocks go forward, the day before is asked at its own local time."""
    demo = clone()
    # 10:00 in Beirut is 07:00Z from 29 March on, and 08:00Z before; the row at 07:30Z of the 28th is at 09:30 there.
    change(
        demo,
        "insert into api_logs (created_at, method, path, status_code, response_time_ms) values "
        "('2026-03-29 07:30Z', 'GET', '/', 200, 10), ('2026-03-28 08:30Z', 'GET', '/', 200, 10), "
        "('2026-03-28 08:40Z', 'GET', '/', 500, 10), ('2026-03-28 07:30Z', 'GET', '/', 200, 10)",
    )
    since = datetime(2026, 3, 30, 7, tzinfo=UTC)
    told = gathered(open_launch(demo.url), Window(since, since + timedelta(hours=1), since), "canary/api")["failed"]
    assert (told.earlier[:2], told.earlier_bad[:2]) == ((1, 2), (0, 1))


def test_earlier_days_agree_with_the_raw_rows(healthy: DemoDatabase) -> None:
    """Seven earlier days, the day before first, all cohorts together."""
    told = gathered(open_launch(healthy.url), WINDOW, "canary/api")["slow"]
    days = [
        raw(healthy, API_ROWS, Window(WINDOW.since - timedelta(days=d), WINDOW.until - timedelta(days=d), WINDOW.until))
        for d in range(1, 8)
    ]
    assert (told.earlier, told.earlier_bad) == (tuple(map(len, days)), tuple(int(day["slow"].sum()) for day in days))


def test_earlier_payments_are_known_too(healthy: DemoDatabase) -> None:
    """Payments look back from their window's start, which for earlier days is days before."""
    told = gathered(open_launch(healthy.url), WINDOW, "canary/payments")["failed"]
    assert min(told.earlier) > 0


def test_cohorts_that_are_sometimes_null_are_a_problem(clone: Clone) -> None:
    """Events without a cohort beside events with one: how many, and that nobody can say whose they are."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "update api_logs set flat_tables = null where id in (select id from api_logs "
        "where created_at >= '2026-03-24 15:00Z' order by created_at limit 3)",
    )
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    assert told.problem == "3 events have no cohort while others have one: nobody can say whose they are"


def test_cohort_null_before_the_window_is_no_problem(clone: Clone) -> None:
    """Earlier rows may be from before the column was written."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "update api_logs set flat_tables = null where created_at < '2026-03-24 14:00Z'",
    )
    assert gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"].problem == ""


def test_events_without_any_cohort_are_pooled(clone: Clone) -> None:
    """With no cohort at all, the canary holds every event and there is no control."""
    demo = clone()
    rows = raw(demo, API_ROWS)
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "update api_logs set flat_tables = null",
    )
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")["slow"]
    assert (told.canary.n.tolist(), told.control, told.problem) == (per_minute(rows), None, "")


def test_durations_nobody_can_believe_are_unsure(clone: Clone) -> None:
    """Negative and missing durations are events, neither good nor bad; zero is a fast one."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter response_time_ms drop not null",
        "create temp table chosen on commit drop as select id, row_number() over (order by id) as n from api_logs "
        "where flat_tables and created_at >= '2026-03-24 14:00Z' and created_at < '2026-03-24 17:00Z'",
        "update api_logs a set response_time_ms = (array[-5, null, 0])[n] from chosen "
        "where chosen.id = a.id and n <= 3",
    )
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")
    assert (told["slow"].canary.unsure.sum(), told["failed"].canary.unsure.sum()) == (2, 0)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "drop table api_logs cascade",
            'table missing: relation "public.api_logs" does not exist (queries/sources/api_requests.sql:',
        ),
        (
            "alter table api_logs drop column response_time_ms cascade",
            'column missing: column "response_time_ms" does not exist (queries/sources/api_requests.sql:',
        ),
        (
            "alter table api_logs alter created_at type timestamp using created_at at time zone 'UTC'",
            "the events' times have no zone; cast them in the source",
        ),
    ],
)
def test_events_that_cannot_be_asked_are_a_problem(clone: Clone, statement: LiteralString, problem: str) -> None:
    """A missing table or column, or times without a zone, is each flag's problem, and no event is counted."""
    demo = clone()
    change(demo, statement)
    told = gathered(open_launch(demo.url), WINDOW, "canary/api")
    assert {flag: one.problem.startswith(problem) for flag, one in told.items()} == {"slow": True, "failed": True}
    assert (told["slow"].everyone, len(told["slow"].canary.n)) == (0, WINDOW.minutes)


SIRENS: LiteralString = """
insert into emergency_calls (client_id, flat_tables, status, requested_at, answered_at) values
(gen_random_uuid(), true, 'answered', '2026-03-24 14:10Z', '2026-03-24 14:10:14.9Z'),
(gen_random_uuid(), true, 'answered', '2026-03-24 14:11Z', '2026-03-24 14:11:15Z'),
(gen_random_uuid(), true, 'missed', '2026-03-24 14:12Z', null),
(gen_random_uuid(), true, 'answered', '2026-03-24 14:13Z', '2026-03-24 14:12:58Z'),
(gen_random_uuid(), true, 'open', '2026-03-24 14:59:44Z', null),
(gen_random_uuid(), true, 'open', '2026-03-24 14:59:46Z', null),
(gen_random_uuid(), true, 'answered', '2026-03-24 14:59:40Z', '2026-03-24 15:00:05Z'),
(gen_random_uuid(), true, 'answered', '2026-03-24 14:59:50Z', '2026-03-24 15:00:05Z')
"""


def test_sirens_count_once_it_is_known_what_they_are(clone: Clone) -> None:
    """Unanswered past the limit is bad, still ringing is left out, an answer after the window is none yet."""
    demo = clone()
    change(demo, "truncate emergency_calls", SIRENS)
    told = gathered(open_launch(demo.url), HOUR_OF_SIRENS, "canary/sirens")["late"].canary
    counted = {minute: (int(told.n[minute]), int(told.bad[minute])) for minute in np.flatnonzero(told.n)}
    # At :59 one rang for 16 s without an answer, one for 20 s; two were within their 15 s.
    assert counted == {10: (1, 0), 11: (1, 1), 12: (1, 1), 13: (1, 0), 59: (2, 2)}
    assert np.flatnonzero(told.unsure).tolist() == [13]


def test_sirens_that_nobody_answered_are_endless_in_the_percentiles(clone: Clone) -> None:
    """Where most were never answered, no high percentile is a time: not a missing one either."""
    demo = clone()
    change(demo, "truncate emergency_calls", SIRENS, "update emergency_calls set answered_at = null")
    told = gathered(open_launch(demo.url), HOUR_OF_SIRENS, "canary/sirens")["late"].canary
    assert told.percentiles is not None
    assert told.percentiles[1:] == (math.inf, math.inf, math.inf)


CALLS: LiteralString = """
insert into call_sessions (client_id, reader_id, call_type, status, flat_tables, requested_at, connected_at)
select gen_random_uuid(), gen_random_uuid(), 'voice', 'active', true, requested::timestamptz, connected::timestamptz
from (values ('2026-03-24 14:10Z', '2026-03-24 14:10:02.9Z'), ('2026-03-24 14:11Z', '2026-03-24 14:11:03Z'),
('2026-03-24 14:12Z', null), ('2026-03-24 14:59:58Z', null), ('2026-03-24 14:59:56Z', '2026-03-24 15:00:01Z')
) v (requested, connected)
"""


def test_calls_count_once_it_is_known_what_they_are(clone: Clone) -> None:
    """A call that never connected is bad past the limit; one that may still connect is left out."""
    demo = clone()
    change(demo, "truncate call_sessions cascade", CALLS)
    told = gathered(open_launch(demo.url), HOUR_OF_SIRENS, "canary/calls")["slow"].canary
    counted = {minute: (int(told.n[minute]), int(told.bad[minute])) for minute in np.flatnonzero(told.n)}
    assert counted == {10: (1, 0), 11: (1, 1), 12: (1, 1), 59: (1, 1)}


PAYMENTS: LiteralString = """
insert into payment_transactions (user_id, amount, status, method, flat_tables, metadata, created_at, settled_at)
select coalesce(tester, gen_random_uuid()), 2000, status, 'card', true, metadata::jsonb,
  created::timestamptz, settled::timestamptz
from (select user_id as tester from profiles where is_test order by user_id limit 1) p right join (values
(false, 'succeeded', '{}', '2026-03-24 14:05Z', '2026-03-24 14:06:30Z'),
(false, 'failed', '{}', '2026-03-24 14:07Z', '2026-03-24 14:08:30Z'),
(false, 'refunded', '{}', '2026-03-24 14:09Z', '2026-03-24 14:10:30Z'),
(false, 'pending', '{}', '2026-03-24 14:15Z', null),
(false, 'pending', '{}', '2026-03-24 13:20:30Z', null),
(false, 'succeeded', '{}', '2026-03-24 13:25:30Z', '2026-03-24 14:40Z'),
(false, 'succeeded', '{}', '2026-03-24 13:58Z', '2026-03-24 14:02:30Z'),
(false, 'succeeded', '{}', '2026-03-24 14:50Z', '2026-03-24 15:00:30Z'),
(false, 'pending', '{}', '2026-03-24 12:30Z', null),
(true, 'failed', '{}', '2026-03-24 14:30Z', '2026-03-24 14:31Z'),
(false, 'failed', '{"test_mode": "true"}', '2026-03-24 14:32Z', '2026-03-24 14:33Z')
) v (test, status, metadata, created, settled) on v.test
"""


def test_payments_count_when_they_are_known(clone: Clone) -> None:
    """Each counts when it settles, or is bad after an hour, whatever becomes of it; test payments never."""
    demo = clone()
    change(demo, "truncate payment_transactions cascade", PAYMENTS)
    told = gathered(open_launch(demo.url), HOUR_OF_SIRENS, "canary/payments")["failed"].canary
    counted = {minute: (int(told.n[minute]), int(told.bad[minute])) for minute in np.flatnonzero(told.n)}
    # :20 has been pending for an hour; :25 succeeds at :40, which is too late; settled at 15:00:30 is not known yet.
    assert counted == {2: (1, 0), 6: (1, 0), 8: (1, 1), 10: (1, 0), 20: (1, 1), 25: (1, 1)}


def test_canary_that_is_no_boolean_is_a_problem(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A value that is neither true nor false is named."""
    (tmp_path / "queries" / "sources").mkdir(parents=True)
    kit = open_launch(healthy.url)
    source = kit.query("sources/api_requests")
    (tmp_path / "queries/sources/api_requests.sql").write_text(
        f"-- title: {source.title}\n-- columns: {', '.join(' '.join(column) for column in source.columns)}\n"
        + source.body.replace("flat_tables as", "case when flat_tables then 'beta' end as")
    )
    (tmp_path / "launch.toml").write_text(kit.plan.path.read_text())
    told = gathered(open_launch(healthy.url, plan=tmp_path / "launch.toml"), WINDOW, "canary/api")["slow"]
    assert told.problem == "the events' canary is 'beta', which is neither true nor false"
