"""RLS coverage on a real PostgreSQL, as the read-only role: each fault planted, and what only looks like it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib.judge import Status, Verdict
from golive_lib.launch import Launch, open_launch
from golive_lib.readiness_views import coverage_relations
from golive_lib.rls import Coverage, examine, prove_coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer

DATABASE = "coverage"


@pytest.fixture(scope="module")
def demo(demo_server: DemoServer, healthy: DemoDatabase) -> Iterator[DemoDatabase]:
    """Give a copy of the healthy demo of this module's own; every test mends what it plants."""
    demo_server.create_database(DATABASE, template="pristine")
    yield replace(healthy, url=demo_server.url(DATABASE), admin_url=demo_server.url(DATABASE, "postgres"))
    demo_server.drop_database(DATABASE)


def coverage(url: str) -> Coverage:
    """Examine a database as the read-only role."""
    return of(open_launch(url))


def of(launch: Launch) -> Coverage:
    """Examine a launch's database in a snapshot."""
    with launch.database.snapshot() as snapshot:
        return examine(launch, snapshot)


def test_healthy_demo_is_covered(demo: DemoDatabase) -> None:
    """Everything exposed is protected, and nothing is left open."""
    found = coverage(demo.url)
    assert [lint for lint in found.lints if lint.status is not None] == []
    assert (found.protected, found.share) == (found.exposed, 1.0)
    assert found.exposed > 15
    assert found.outcome.verdict is Verdict.GO


# A fault: the lint that must be found, its status, on what, how it is planted, and how it is taken away.
FAULTS: dict[str, tuple[str, Status | None, str, LiteralString, LiteralString]] = {
    "RLS off, granted": (
        "rls_off", Status.RED, "public.open_table",
        "create table open_table (id int); grant select on open_table to anon", "drop table open_table",
    ),
    "RLS off, one column granted": (
        "rls_off", Status.RED, "public.open_table",
        "create table open_table (id int, secret text); grant select (id) on open_table to authenticated",
        "drop table open_table",
    ),
    "RLS off, granted to everybody": (
        "rls_off", Status.RED, "public.open_table",
        "create table open_table (id int); grant insert on open_table to public", "drop table open_table",
    ),
    "policies without RLS": (
        "policies_without_rls", Status.RED, "public.profiles",
        "alter table profiles disable row level security", "alter table profiles enable row level security",
    ),
    "a partition of a protected parent": (
        "partition_unprotected", Status.RED, "public.logs_1",
        "create table logs (id int, who uuid) partition by range (id); alter table logs enable row level security;"
        "create policy own on logs for select to authenticated using (who = auth.uid());"
        "create table logs_1 partition of logs for values from (0) to (9);"
        "grant select on logs, logs_1 to authenticated",
        "drop table logs",
    ),
    "RLS without a policy": (
        "no_policy", None, "public.closed_table",
        "create table closed_table (id int); alter table closed_table enable row level security;"
        "grant select on closed_table to anon",
        "drop table closed_table",
    ),
    "restrictive policies alone": (
        "restrictive_only", Status.AMBER, "public.strict_table",
        "create table strict_table (id int); alter table strict_table enable row level security;"
        "grant select on strict_table to authenticated;"
        "create policy positive on strict_table as restrictive for select to authenticated using (id > 0)",
        "drop table strict_table",
    ),
    "anybody may write": (
        "always_true_write", Status.RED, "public.bookings",
        "create policy everybody on bookings for update to authenticated using (true)",
        "drop policy everybody on bookings",
    ),
    "anybody may take a row over": (
        "always_true_write", Status.RED, "public.bookings",
        "create policy everybody on bookings for update to authenticated using (true) "
        "with check (client_id = auth.uid())",
        "drop policy everybody on bookings",
    ),
    "anybody may write, by a policy for all": (
        "always_true_write", Status.RED, "public.bookings",
        "create policy everybody on bookings for all using (1 = 1)", "drop policy everybody on bookings",
    ),
    "a critical table read by all": (
        "always_true_read", Status.RED, "public.payment_transactions",
        "create policy everybody on payment_transactions for select to authenticated using (true)",
        "drop policy everybody on payment_transactions",
    ),
    "a policy trusts user_metadata": (
        "user_metadata", Status.RED, "public.bookings",
        "create policy admins on bookings for select to authenticated using "
        "((current_setting('request.jwt.claims', true)::jsonb -> 'user_metadata' ->> 'role') = 'admin')",
        "drop policy admins on bookings",
    ),
    "an API role owns the table": (
        "owner_bypasses", Status.RED, "public.decks",
        "alter table decks owner to authenticated", "alter table decks owner to postgres",
    ),
    "a view reads with its owner's rights": (
        "definer_view", Status.RED, "public.everyone",
        "create view everyone as select * from profiles; grant select on everyone to anon", "drop view everyone",
    ),
    "a view reaches one that does": (
        "definer_view", Status.RED, "public.outer_view",
        "create schema inside; create view inside.everyone as select * from profiles;"
        "create view outer_view with (security_invoker) as select * from inside.everyone;"
        "grant select on outer_view to anon",
        "drop view outer_view; drop schema inside cascade",
    ),
    "a view shows auth.users": (
        "auth_users", Status.RED, "public.mails",
        "create view mails as select email from auth.users; grant select on mails to authenticated", "drop view mails",
    ),
    "a materialized view keeps rows": (
        "materialized_view", Status.RED, "public.kept",
        "create materialized view kept as select * from profiles; grant select on kept to anon",
        "drop materialized view kept",
    ),
    "a foreign table": (
        "foreign_table", Status.RED, "public.far",
        "create foreign data wrapper none; create server far foreign data wrapper none;"
        "create foreign table far (id int) server far; grant select on far to anon",
        "drop foreign data wrapper none cascade",
    ),
    "a function with its owner's rights": (
        "definer_function", Status.AMBER, "public.all_mails()",
        "create function all_mails() returns setof text language sql security definer set search_path = '' "
        "return (select email from auth.users limit 1)",
        "drop function all_mails()",
    ),
    "its search path is the caller's": (
        "search_path", Status.AMBER, "public.touched()",
        "create function touched() returns trigger language plpgsql security definer as 'begin return new; end'",
        "drop function touched()",
    ),
    "a name with capitals and quotes": (
        "rls_off", Status.RED, 'public."Odd ""Name"',
        'create table "Odd ""Name" (id int); grant select on "Odd ""Name" to anon', 'drop table "Odd ""Name"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_found(demo: DemoDatabase, fault: str) -> None:
    """The lint names the fault on the right relation, with its weight, its meaning and the way to mend it."""
    lint, status, on, plant, mend = FAULTS[fault]
    change(demo, plant)
    try:
        found = coverage(demo.url)
    finally:
        change(demo, mend)
    hits = [each for each in found.lints if (each.name, each.status, each.relation) == (lint, status, on)]
    assert len(hits) == 1, found.findings.to_string()
    assert hits[0].meaning
    assert bool(hits[0].fix) == (status is not None)
    assert (found.outcome.verdict is Verdict.GO) == (status is None)


LOOK_ALIKES: dict[str, tuple[LiteralString, LiteralString]] = {
    "RLS off, granted to nobody": ("create table inner_table (id int)", "drop table inner_table"),
    "RLS off in a schema that is not exposed": (
        "create schema hidden; create table hidden.t (id int); grant select on hidden.t to anon",
        "drop schema hidden cascade",
    ),
    "a partition with RLS of its own": (
        "create table logs (id int, who uuid) partition by range (id); alter table logs enable row level security;"
        "create policy own on logs for select to authenticated using (who = auth.uid());"
        "create table logs_1 partition of logs for values from (0) to (9);"
        "alter table logs_1 enable row level security; grant select on logs, logs_1 to authenticated",
        "drop table logs",
    ),
    "a partition that is granted to nobody": (
        "create table logs (id int, who uuid) partition by range (id); alter table logs enable row level security;"
        "create policy own on logs for select to authenticated using (who = auth.uid());"
        "create table logs_1 partition of logs for values from (0) to (9); grant select on logs to authenticated",
        "drop table logs",
    ),
    "a restrictive policy beside a permissive one": (
        "create policy also on bookings as restrictive for select to authenticated using (true)",
        "drop policy also on bookings",
    ),
    "an open write that a restrictive policy narrows": (
        "create policy any_row on bookings for delete to authenticated using (true);"
        "create policy own on bookings as restrictive for delete to authenticated using (client_id = auth.uid())",
        "drop policy any_row on bookings; drop policy own on bookings",
    ),
    "an open write for the service role": (
        "create policy service on bookings for all to service_role using (true)", "drop policy service on bookings",
    ),
    "a view with the caller's rights": (
        "create view mine with (security_invoker = on) as select * from profiles; grant select on mine to anon",
        "drop view mine",
    ),
    "a definer view that is granted to nobody": (
        "create view inner_view as select * from profiles", "drop view inner_view",
    ),
    "a definer function that nobody may call": (
        "create function inner_job() returns int language sql security definer set search_path = '' return 1;"
        "revoke execute on function inner_job() from public",
        "drop function inner_job()",
    ),
    "a definer trigger function": (
        "create function touched() returns trigger language plpgsql security definer set search_path = '' "
        "as 'begin return new; end'",
        "drop function touched()",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike_is_not_flagged(demo: DemoDatabase, case: str) -> None:
    """What only looks like a fault leaves the coverage whole."""
    plant, mend = LOOK_ALIKES[case]
    change(demo, plant)
    try:
        found = coverage(demo.url)
    finally:
        change(demo, mend)
    assert [lint for lint in found.lints if lint.status is not None] == []
    assert found.share == 1.0


def test_missing_critical_table_is_red(demo: DemoDatabase) -> None:
    """A table that the plan names and the database lacks is a fault, not an empty set."""
    found = replace(coverage(demo.url), critical=("public.nowhere",))
    assert "critical tables" in found.outcome.sentence
    assert next((point.what, point.status) for point in found.points) == ("critical table public.nowhere", Status.RED)


def test_critical_table_without_rls_is_red_even_without_grants(demo: DemoDatabase) -> None:
    """A grant given tomorrow would open it."""
    change(demo, "create table vault (id int)")
    try:
        found = replace(coverage(demo.url), critical=("public.vault",))
    finally:
        change(demo, "drop table vault")
    assert found.points[0].status is Status.RED


def test_schema_that_is_not_there_is_unknown(clone: Callable[[], DemoDatabase]) -> None:
    """Nothing found in a schema that does not exist says nothing."""
    demo = clone()
    change(demo, "alter schema public rename to elsewhere")
    found = coverage(demo.url)
    assert found.outcome.verdict is Verdict.HOLD
    assert "'public'" in found.outcome.sentence


def test_nothing_exposed_is_unknown(clone: Callable[[], DemoDatabase]) -> None:
    """An API that may read nothing is no proof of policies."""
    demo = clone()
    change(demo, "revoke all on all tables in schema public from anon, authenticated")
    assert next(p for p in coverage(demo.url).points if p.what == "coverage").status is Status.UNKNOWN


def test_record_is_json(demo: DemoDatabase) -> None:
    """The report is kept whole for machines."""
    found = coverage(demo.url)
    kept = json.loads(json.dumps(found.record(), allow_nan=False))
    assert len(kept["relations"]) == len(found.relations)
    assert kept["share"] == 1.0


def test_relations_are_shown_with_their_policies(demo: DemoDatabase) -> None:
    """One without any shows a dash, and restrictive ones are told apart."""
    shown = {line.split()[0]: line for line in coverage_relations(coverage(demo.url)).text.splitlines() if line.strip()}
    assert shown["public.api_logs"].rstrip().endswith("–")
    assert "but only pay_tx_block_tests (insert)" in shown["public.payment_transactions"]


@pytest.mark.parametrize(
    ("hours", "status"), [(0, Status.GREEN), (24, Status.GREEN), (25, Status.RED), (-1, Status.UNKNOWN)]
)
def test_report_must_be_fresh(demo: DemoDatabase, hours: int, status: Status) -> None:
    """A report of a day ago counts, an older one does not, and one from the future proves nothing."""
    launch = open_launch(demo.url)
    found = of(launch)
    proof = prove_coverage(found, launch.plan, found.clock.now - timedelta(hours=hours))
    assert proof.points[-1].status is status
    assert proof.status is status


def test_no_report_is_red(demo: DemoDatabase) -> None:
    """The list asks for a stored report, and says which command stores one."""
    launch = open_launch(demo.url)
    proof = prove_coverage(of(launch), launch.plan, None)
    assert (proof.points[-1].status, proof.points[-1].fix) == (Status.RED, "golive rls")


def test_staging_is_open(staging: str) -> None:
    """The staging copy forgets RLS on tables that anybody may read."""
    found = coverage(staging)
    assert {"public.tarot_decks", "public.emergency_call_requests"} <= found.open
