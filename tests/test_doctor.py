"""The doctor on real servers: what is there is found, what is missing is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib import Status, open_launch
from golive_lib.doctor import WRITE_FLAG, connection_mode, examine

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


def test_missing_index_on_a_large_table_comes_with_the_way_to_make_it(clone: Clone) -> None:
    """Without a btree on the time column the doctor proposes one; on a small table it does not."""
    demo = clone()
    change(
        demo,
        DROP_TIME_INDEXES,
        "update pg_class set reltuples = 5000000 where oid = 'api_logs'::regclass",
    )
    found = by_item(examine(open_launch(demo.url)))
    large, small = found["sources/api_requests: time index"], found["sources/security_events: time index"]
    assert large.status is Status.AMBER
    assert large.detail.endswith("create index concurrently on api_logs (created_at)")
    assert small.status is Status.GREEN


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
