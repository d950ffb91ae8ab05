"""The doctor on real servers: what is there is found, what is missing is named."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from archives import later
from plant import change

from golive_lib import Launch, Status, open_launch
from golive_lib.archiving import Asked, archive_days
from golive_lib.doctor import WRITE_FLAG, connection_mode, examine
from golive_lib.duck import DuckDB
from golive_lib.engines import DuckUrl
from golive_lib.query import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase
    from golive_lib.doctor import Finding

    Clone = Callable[[], DemoDatabase]


DROP_TIME_INDEXES: LiteralString = """
do $$ declare name text; begin
  for name in select indexrelid::regclass from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
    where indrelid in ('api_logs'::regclass, 'security_audit_logs'::regclass) and attname = 'created_at'
  loop execute 'drop index ' || name; end loop;
end $$
"""


def by_item(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """Index the doctor's table by what each line is about."""
    return {finding.item: finding for finding in findings}


def test_healthy_demo_is_all_green(healthy: DemoDatabase) -> None:
    """Every source and query can run as the read-only role, and every line of the table is green."""
    launch = open_launch(healthy.url)
    findings = examine(launch)
    assert [finding for finding in findings if finding.status is not Status.GREEN] == []
    asked = {f.item for f in findings if f.area in ("source", "query")}
    assert asked == set(launch.queries) - {WRITE_FLAG}  # it may not even plan a write


def test_missing_column_is_named_for_the_source_and_its_queries(clone: Clone) -> None:
    """A dropped column shows at the source file and line, and at each query that reads it."""
    demo = clone()
    change(demo, "alter table api_logs drop column response_time_ms cascade")
    found = {f.item: f.detail for f in examine(open_launch(demo.url)) if f.status is Status.UNKNOWN}
    readers = {name for name, query in open_launch(demo.url).queries.items() if "api_requests" in query.sources}
    assert set(found) == readers | {"sources/api_requests"}
    assert found["sources/api_requests"].startswith(
        'column missing: column "response_time_ms" does not exist (queries/sources/api_requests.sql:4); adapt it in'
    )


def test_wrong_type_of_a_source_is_red(clone: Clone) -> None:
    """A source that answers with another type than its contract is told before anything is judged on it."""
    demo = clone()
    change(demo, "alter table api_logs alter path type varchar(40)")
    finding = by_item(examine(open_launch(demo.url)))["sources/api_requests"]
    assert finding.status is Status.RED
    assert "differs in path varchar" in finding.detail


@pytest.mark.parametrize(
    ("columns", "differs"),
    [
        ("at, canary, duration_ms as value, failed as slow, failed", ""),
        ("at, duration_ms as value, failed as slow, failed", "canary missing"),
        ("at, canary::text as canary, duration_ms as value, failed as slow, failed", "canary text"),
        ("at::timestamp as at, canary, duration_ms as value, failed as slow, failed", "at timestamp"),
        ("at, canary, failed as slow, failed", "value missing"),
        ("at, canary, duration_ms as value, failed", "slow missing"),
        ("at, canary, duration_ms as value, 1 as slow, failed", "slow int4"),
    ],
)
def test_query_of_events_that_nobody_can_judge_is_red(healthy: DemoDatabase, columns: str, differs: str) -> None:
    """What a plan's KPIs count must be there, and of its type, before the launch's night."""
    there = open_launch(healthy.url)
    text = f"-- title: Events\n-- sources: api_requests\nselect {columns} from api_requests"
    own = parse(text, name="canary/api", path=Path("api.sql"))
    found = by_item(examine(Launch(there.plan, {**there.queries, "canary/api": own}, there.database)))["canary/api"]
    assert (found.status, found.detail.partition("differs in ")[2]) == (
        Status.RED if differs else Status.GREEN,
        differs,
    )


def test_archive_beside_the_database_is_looked_at(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Its sources and its end, each day that something is wrong with, and one that is not there."""
    there = later(healthy)
    archive_days(there, tmp_path, Asked(until=date(2026, 3, 20)))

    def found() -> list[Finding]:
        kept = DuckDB(DuckUrl(tmp_path), there.plan)
        both = Launch(there.plan, there.queries, there.database, there.env, kept)
        return [one for one in examine(both) if one.area == "archive"]

    (whole,) = found()
    assert (whole.status, "the archive goes until the end of 2026-03-20" in whole.detail) == (Status.GREEN, True)
    (tmp_path / "calls/day=2026-03-19/manifest.json").unlink()
    assert [(one.status, "calls of 2026-03-19: half-written" in one.detail) for one in found()] == [
        (Status.GREEN, False),
        (Status.UNKNOWN, True),
    ]
    (tmp_path / "archive.json").unlink()
    (none,) = found()
    assert (none.status, "is no archive" in none.detail) == (Status.UNKNOWN, True)
    assert [one for one in examine(there) if one.area == "archive"] == []


GROW: LiteralString = """
insert into api_logs (created_at, method, path, status_code, response_time_ms)
select timestamptz '2026-03-15 22:00Z' + i * interval '8640 milliseconds', 'GET', '/decks', 200, 80
from generate_series(1, 100000) i
"""
CREATE = "create index concurrently on api_logs (created_at)"
INCLUDED = " include (status_code, response_time_ms, flat_tables)"


def time_index(demo: DemoDatabase, source: str = "api_requests") -> Finding:
    """Ask the doctor about a source's time index."""
    return by_item(examine(open_launch(demo.url)))[f"sources/{source}: time index"]


def megabytes(text: str) -> list[float]:
    """Read the sizes a sentence names."""
    return [float(size.replace(",", "")) for size in re.findall(r"about ([\d.,]+)\sMB", text)]


def test_missing_index_on_a_large_table_comes_with_the_way_to_make_it(clone: Clone) -> None:
    """Without a btree on the time column the doctor proposes one; on a small table it does not."""
    demo = clone()
    change(demo, DROP_TIME_INDEXES, GROW, "analyze api_logs")
    large, small = time_index(demo), time_index(demo, "security_events")
    assert large.status is Status.AMBER
    assert "a day's window reads the whole table" in large.detail
    assert large.detail.endswith(f": {CREATE}{INCLUDED}")
    assert small.status is Status.GREEN
    assert small.detail.endswith("; small")


def test_proposed_index_can_be_made_and_is_about_as_large_as_said(clone: Clone) -> None:
    """Pasted, the statement makes an index of the size foretold, and the doctor has nothing more to propose."""
    demo = clone()
    change(demo, DROP_TIME_INDEXES, GROW, "analyze api_logs")
    detail = time_index(demo).detail
    whole, day, foretold = megabytes(detail)
    with psycopg.connect(demo.admin_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(detail[detail.index("create index") :].encode())
        sizes = connection.execute(
            "select pg_relation_size('api_logs') / 1e6, pg_relation_size(max(indexrelid::bigint)) / 1e6 from pg_index"
        ).fetchone()
    assert sizes is not None
    assert [whole, foretold] == pytest.approx([float(size) for size in sizes], rel=0.1)
    assert day < foretold / 5
    assert "would" not in time_index(demo).detail


def test_index_that_does_not_cover_is_green_with_what_covering_would_buy(clone: Clone) -> None:
    """A plain btree serves a window; a covering one reads less, which is said and turns nothing amber."""
    demo = clone()
    change(demo, DROP_TIME_INDEXES, GROW, "create index plain on api_logs (created_at)", "analyze api_logs")
    found = time_index(demo)
    now, then, _ = megabytes(found.detail)
    assert (found.status, found.detail.startswith("plain on api_logs.created_at")) == (Status.GREEN, True)
    assert then < now
    assert found.detail.endswith(f": {CREATE}{INCLUDED}")


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("create index other on api_logs (created_at) where flat_tables", "; of no use: other (partial)"),
        ("create index other on api_logs ((created_at at time zone 'UTC'))", ""),
        ("create index other on api_logs (path, created_at)", ""),
        ("create index other on api_logs using brin (created_at)", ""),
    ],
)
def test_index_that_serves_no_window_is_none(clone: Clone, index: LiteralString, why: str) -> None:
    """Partial, on an expression, with another column first, of another kind: a window still reads the whole table."""
    demo = clone()
    change(demo, DROP_TIME_INDEXES, GROW, index, "analyze api_logs")
    found = time_index(demo)
    assert found.status is Status.AMBER
    assert why in found.detail
    assert found.detail.endswith(INCLUDED)


def test_index_whose_making_broke_off_is_none(clone: Clone) -> None:
    """What an interrupted ``create index concurrently`` leaves is named as invalid."""
    demo = clone()
    change(demo, DROP_TIME_INDEXES, GROW, "create index broken on api_logs (created_at)", "analyze api_logs")
    change(demo, "update pg_index set indisvalid = false where indexrelid = 'broken'::regclass")
    found = time_index(demo)
    assert (found.status, "; of no use: broken (invalid);" in found.detail) == (Status.AMBER, True)


def test_large_table_without_statistics_is_not_taken_for_a_small_one(clone: Clone) -> None:
    """After a restore nothing was analyzed: its pages tell that it is large, and no part of a day is made up."""
    demo = clone()
    change(
        demo,
        DROP_TIME_INDEXES,
        GROW,
        "update pg_class set reltuples = -1, relpages = 0 where oid = 'api_logs'::regclass",
        "delete from pg_statistic where starelid = 'api_logs'::regclass",
    )
    found = time_index(demo)
    assert found.status is Status.AMBER
    assert "it would read its part minute by minute" in found.detail


def test_partitioned_table_is_as_large_as_its_partitions(clone: Clone) -> None:
    """The parent holds no row; its index cannot be made concurrently."""
    demo = clone()
    change(
        demo,
        "alter table api_logs rename to api_logs_old",
        "create table api_logs (like api_logs_old including defaults) partition by range (created_at)",
        "create table api_logs_all partition of api_logs default",
        "alter table api_logs alter id drop not null",
        GROW,
        "analyze api_logs",
    )
    found = time_index(demo)
    assert found.status is Status.AMBER
    assert f": {CREATE}".replace(" concurrently", "") in found.detail


@pytest.fixture
def _without_bypassrls(healthy: DemoDatabase) -> Iterator[None]:
    """Let RLS hide rows from golive_ro for one test: roles belong to the server."""
    change(healthy, "alter role golive_ro nobypassrls")
    yield
    change(healthy, "alter role golive_ro bypassrls")


@pytest.mark.usefixtures("_without_bypassrls")
def test_role_that_rls_hides_rows_from_is_amber(healthy: DemoDatabase) -> None:
    """Such a role is told so, and its queries are unknown."""
    findings = examine(open_launch(healthy.url))
    assert by_item(findings)["role golive_ro: rows"].status is Status.AMBER
    assert by_item(findings)["sanity/consent"].detail.startswith("rows hidden by RLS")


def test_role_that_may_write_is_amber(healthy: DemoDatabase) -> None:
    """A superuser is told that only grants are a boundary."""
    found = by_item(examine(open_launch(healthy.admin_url)))
    assert found["role postgres: writes"].status is Status.AMBER


def test_clocks_apart_are_amber(clone: Clone) -> None:
    """A skew of a minute between the server's clock and ours is said."""
    demo = clone()
    change(demo, "do $$ begin execute format('alter database %I reset golive.now', current_database()); end $$")
    late = examine(open_launch(demo.url), now=lambda: datetime.now(UTC) + timedelta(minutes=1))
    assert by_item(late)["clock"].status is Status.AMBER
    assert by_item(examine(open_launch(demo.url)))["clock"].status is Status.GREEN


def test_fixed_clock_is_said(healthy: DemoDatabase) -> None:
    """A demo's clock is shown as fixed."""
    assert by_item(examine(open_launch(healthy.url)))["clock"].detail == "fixed by the database at 2026-03-25 22:00:00Z"


def test_local_socket_is_a_direct_connection(healthy: DemoDatabase) -> None:
    """Two connections get two server processes, so no transaction pooler stands between."""
    assert connection_mode(open_launch(healthy.url).postgres.links()) == "direct, through a local socket"
