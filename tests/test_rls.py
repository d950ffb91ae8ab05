"""RLS coverage on a real PostgreSQL, as the read-only role: each fault planted, and what only looks like it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from plant import change

from golive_lib.coverage_views import relations
from golive_lib.errors import PlanError
from golive_lib.launch import Launch, open_launch
from golive_lib.plan import kit_folder
from golive_lib.rls import Coverage, examine, prove_coverage
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
    with launch.postgres.snapshot() as snapshot:
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
    "an open write under a restrictive policy": (
        "always_true_write", Status.RED, "public.bookings",
        "create policy any_row on bookings for delete to authenticated using (true);"
        "create policy less on bookings as restrictive for delete to authenticated using (true)",
        "drop policy any_row on bookings; drop policy less on bookings",
    ),
    "anybody may add a row to a critical table": (
        "always_true_write", Status.RED, "public.payment_transactions",
        "create policy adding on payment_transactions for insert to authenticated with check (true)",
        "drop policy adding on payment_transactions",
    ),
    "anybody may write to us": (
        "always_true_write", Status.AMBER, "public.contact",
        "create table contact (words text); alter table contact enable row level security;"
        "create policy writing on contact for insert to anon with check (true); grant insert on contact to anon",
        "drop table contact",
    ),
    "a critical row may be handed over": (
        "handed_over", Status.RED, "public.bookings",
        "create policy moved on bookings for update to authenticated using (client_id = auth.uid()) with check (true)",
        "drop policy moved on bookings",
    ),
    "another row may be handed over": (
        "handed_over", Status.AMBER, "public.decks",
        "create policy moved on decks for update to authenticated using (id = auth.uid()) with check (true)",
        "drop policy moved on decks",
    ),
    "an open parent of a critical table": (
        "open_parent", Status.RED, "public.bookings",
        "create table base (id uuid not null); alter table base enable row level security;"
        "create policy everybody on base for select to anon using (true); grant select on base to anon;"
        "alter table bookings inherit base",
        "alter table bookings no inherit base; drop table base",
    ),
    "RLS does not bind a role": (
        "role_bypasses", Status.RED, "role authenticated",
        "alter role authenticated bypassrls", "alter role authenticated nobypassrls",
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
        "alter table decks owner to authenticated",
        "alter table decks owner to postgres; grant select, insert, update, delete on decks to authenticated",
    ),
    "a view reads with its owner's rights": (
        "definer_view", Status.RED, "public.everyone",
        "create view everyone as select * from profiles; grant select on everyone to anon", "drop view everyone",
    ),
    "a view shows a table of a schema that is not exposed": (
        "definer_view", Status.RED, "public.shown",
        "create schema inside; create table inside.mails (mail text);"
        "create view shown as select * from inside.mails; grant select on shown to anon",
        "drop schema inside cascade",
    ),
    "a view shows a table that is granted to nobody": (
        "definer_view", Status.RED, "public.shown",
        "create table kept_back (mail text); create view shown as select * from kept_back;"
        "grant select on shown to anon",
        "drop table kept_back cascade",
    ),
    "a view calls a function with its owner's rights": (
        "definer_view", Status.RED, "public.shown",
        "create schema inside; create function inside.mails() returns table (mail text) language sql "
        "security definer as 'select user_id::text from public.profiles';"
        "create view shown as select * from inside.mails(); grant select on shown to anon",
        "drop schema inside cascade",
    ),
    "a view shows what the server is doing": (
        "definer_view", Status.RED, "public.shown",
        "create view shown as select query from pg_stat_activity; grant select on shown to anon", "drop view shown",
    ),
    "a view shows a table that is built in": (
        "definer_view", Status.RED, "public.shown",
        "create view shown as select d.id, (select count(*) from pg_authid) as logins from decks d;"
        "alter table decks disable row level security; grant select on shown to anon",
        "drop view shown; alter table decks enable row level security",
    ),
    "a view shows a foreign table": (
        "definer_view", Status.RED, "public.shown",
        "create foreign data wrapper none; create server far foreign data wrapper none;"
        "create foreign table far (id int) server far; create view shown as select * from far;"
        "grant select on shown to anon",
        "drop foreign data wrapper none cascade",
    ),
    "a view with its owner's rights reads nothing else": (
        "definer_view", Status.AMBER, "public.shown",
        "create view shown as select now() as now; grant select on shown to anon", "drop view shown",
    ),
    "a view leads to a bare table that is not exposed": (
        "bare_table", Status.RED, "public.shown",
        "create schema inside; create table inside.mails (mail text); grant usage on schema inside to anon;"
        "create view shown with (security_invoker) as select * from inside.mails;"
        "grant select on shown, inside.mails to anon",
        "drop schema inside cascade",
    ),
    "a view of the caller's calls a function with its owner's rights": (
        "definer_call", Status.AMBER, "public.shown",
        "create schema inside; create function inside.mails() returns setof text language sql "
        "security definer set search_path = '' as 'select user_id::text from public.profiles';"
        "create view shown with (security_invoker) as select * from inside.mails(); grant select on shown to anon",
        "drop schema inside cascade",
    ),
    "a materialized view of a schema that is not exposed": (
        "materialized_view", Status.RED, "public.kept",
        "create schema inside; create table inside.mails (mail text);"
        "create materialized view kept as select * from inside.mails; grant select on kept to anon",
        "drop schema inside cascade",
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
    "a view of the caller's with helpers": (
        "create schema inside; create function inside.is_admin() returns bool language sql security definer "
        "set search_path = '' return false;"
        "create view mine with (security_invoker = true) as select * from profiles "
        "where user_id = auth.uid() or inside.is_admin(); grant select on mine to authenticated",
        "drop schema inside cascade",
    ),
    "a view of the caller's over a table of another schema": (
        "create view files with (security_invoker) as select * from storage.objects; grant select on files to anon",
        "drop view files",
    ),
    "what belongs to an extension": (
        "create table spatial_ref_sys (srid int); create view geometry_columns as select * from pg_class;"
        "grant select on spatial_ref_sys, geometry_columns to anon, authenticated;"
        "alter extension plpgsql add table spatial_ref_sys; alter extension plpgsql add view geometry_columns",
        "alter extension plpgsql drop table spatial_ref_sys; alter extension plpgsql drop view geometry_columns;"
        "drop table spatial_ref_sys; drop view geometry_columns",
    ),
    "a view of the caller's over an extension's own": (
        "create schema extensions; create function extensions.statements() returns setof text language sql return 'q';"
        "create view extensions.pg_stat_statements as select * from extensions.statements();"
        "alter extension plpgsql add view extensions.pg_stat_statements; grant usage on schema extensions to public;"
        "grant select on extensions.pg_stat_statements to public;"
        "create view slow with (security_invoker) as select * from extensions.pg_stat_statements;"
        "grant select on slow to authenticated",
        "alter extension plpgsql drop view extensions.pg_stat_statements; drop schema extensions cascade",
    ),
    "a parent that shows callers their own": (
        "create table base (client_id uuid not null); alter table base enable row level security;"
        "create policy own on base for select to authenticated using (client_id = auth.uid());"
        "grant select on base to authenticated; alter table bookings inherit base",
        "alter table bookings no inherit base; drop table base",
    ),
    "an admin may change what is not critical": (
        "create policy admins on decks for update to authenticated "
        "using (exists (select from profiles where user_id = auth.uid() and role = 'admin'))",
        "drop policy admins on decks",
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


# Whom a rule for writing to a critical table binds: nobody (red), callers of some kind (amber), or a row's own people.
RULES: dict[LiteralString, Status | None] = {
    "auth.uid() is not null": Status.RED,
    "(select auth.uid()) is not null": Status.RED,
    "auth.role() = 'authenticated'": Status.RED,
    "(select auth.role()) = any (array['anon', 'authenticated'])": Status.RED,
    "auth.jwt() ->> 'aud' = 'authenticated'": Status.RED,
    "auth.jwt() ->> 'email' is not null": Status.RED,
    "auth.jwt() ->> 'aal' = 'aal2'": Status.RED,
    "current_setting('request.jwt.claims', true)::jsonb ->> 'sub' is not null": Status.RED,
    "current_user = 'authenticated'": Status.RED,
    "id is not null": Status.RED,
    "id = id": Status.RED,
    "status = 'pending'": Status.RED,
    "(client_id = auth.uid()) is not null": Status.RED,
    "client_id = auth.uid() or auth.uid() is not null": Status.RED,
    "auth.uid() is not null and (status = 'pending' or true)": Status.RED,
    "status in ('client_id = auth.uid() and ', 'pending')": Status.RED,
    "client_id <> auth.uid()": Status.AMBER,
    "not (client_id = auth.uid())": Status.AMBER,
    "is_admin()": Status.AMBER,
    "client_id = auth.uid() or is_admin()": Status.AMBER,
    "auth.jwt() ->> 'email' like '%@example.com'": Status.AMBER,
    "auth.jwt() -> 'app_metadata' ->> 'role' = 'admin'": Status.AMBER,
    "exists (select from profiles p where p.user_id = auth.uid() and p.role = 'admin')": Status.AMBER,
    "auth.uid() in (select user_id from profiles)": Status.AMBER,
    "client_id = auth.uid()": None,
    "(select auth.uid()) = client_id": None,
    "client_id::text = auth.jwt() ->> 'sub'": None,
    "client_id = (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid": None,
    "client_id::text = current_setting('app.client', true)": None,
    "auth.uid() in (client_id, reader_id)": None,
    "client_id = auth.uid() and auth.uid() is not null": None,
    "(client_id = auth.uid() or reader_id = auth.uid()) and status = 'pending'": None,
    "auth.role() = 'authenticated' and client_id = auth.uid()": None,
    "mine(client_id)": None,
    "exists (select from profiles p where p.user_id = bookings.client_id and p.user_id = auth.uid())": None,
    "client_id in (select user_id from profiles where user_id = auth.uid() and role <> 'reader')": None,
}


def test_rules_are_told_apart(clone: Callable[[], DemoDatabase]) -> None:
    """Each rule that lets others in is found, and none that compares a column with the caller."""
    demo = clone()
    change(
        demo,
        "create function auth.jwt() returns jsonb language sql stable "
        "return current_setting('request.jwt.claims', true)::jsonb",
        "create function is_admin() returns bool language sql set search_path = '' return false",
        "create function mine(whose uuid) returns bool language sql set search_path = '' return false",
    )
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as admin:
        for i, rule in enumerate(RULES):
            admin.execute(f"create policy rule_{i} on bookings for delete to authenticated using ({rule})".encode())
            admin.execute(
                f"create policy become_{i} on bookings for update to authenticated using (client_id = auth.uid()) "
                f"with check ({rule})".encode()
            )
    found = {lint.meaning.split()[1]: lint for lint in coverage(demo.url).lints if lint.relation == "public.bookings"}
    names = ("unbound_write", "handed_over")
    assert {
        (rule, kind): found[f"{kind}_{i}"].status if f"{kind}_{i}" in found else None
        for i, rule in enumerate(RULES)
        for kind in ("rule", "become")
    } == {(rule, kind): status for rule, status in RULES.items() for kind in ("rule", "become")}
    assert {lint.name for policy, lint in found.items() if policy.startswith(("rule_", "become_"))} == set(names)


CRITICAL = 'bookings = "client_id"\nprofiles = "user_id"'
IS_ADMIN: LiteralString = (
    "create function is_admin() returns bool language sql security definer set search_path = '' return false"
)


def ruled(url: str, folder: Path, critical: str = "", accepted: str = "", schemas: str = '["public"]') -> Coverage:
    """Examine a database by the kit's plan with other rules; entries are given as TOML."""
    text = (kit_folder() / "launch.toml").read_text().replace('queries = ["queries"]', "queries = []")
    rules = f"[rls]\nschemas = {schemas}\n\n[rls.critical]\n{critical or CRITICAL}\n\n[rls.accepted]\n{accepted}\n\n"
    path = folder / "launch.toml"
    path.write_text(re.sub(r"\[rls\].*?(?=\[api\])", lambda _: rules, text, flags=re.DOTALL))
    return of(open_launch(url, plan=path))


@pytest.mark.parametrize("key", ["definer_function public.is_admin()", "definer function public.is_admin()"])
def test_accepted_warning_holds_nothing_up(demo: DemoDatabase, tmp_path: Path, key: str) -> None:
    """One helper with its owner's rights is told, and how to accept it; accepted it counts no more."""
    change(demo, IS_ADMIN)
    try:
        warned, found = coverage(demo.url), ruled(demo.url, tmp_path, accepted=f"'{key}' = 'says who is an admin'")
    finally:
        change(demo, "drop function is_admin()")
    assert warned.outcome.verdict is Verdict.HOLD
    assert "accept it in [rls.accepted] of the plan as 'definer_function public.is_admin()'" in warned.points[-1].fix
    assert found.outcome.verdict is Verdict.GO
    (shown,) = found.findings[found.findings["on"] == "public.is_admin()"].to_dict("records")
    assert shown["level"] == "to know"
    assert shown["what_it_means"].startswith("accepted: says who is an admin (")


def test_accepted_red_counts_as_protected(demo: DemoDatabase, tmp_path: Path) -> None:
    """What the plan takes upon itself is no longer open."""
    change(demo, "create policy everybody on decks for delete to authenticated using (true)")
    try:
        found = ruled(demo.url, tmp_path, accepted="'always_true_write public.decks' = 'to try things out'")
    finally:
        change(demo, "drop policy everybody on decks")
    assert found.outcome.verdict is Verdict.GO, found.outcome.sentence
    assert found.share == 1.0


@pytest.mark.parametrize(
    ("plant", "mend", "key"),
    [
        (
            "create policy everybody on bookings for delete to authenticated using (true)",
            "drop policy everybody on bookings",
            "always_true_write public.bookings",
        ),
        (
            "create view shown as select * from bookings; grant select on shown to anon",
            "drop view shown",
            "definer_view public.shown",
        ),
        ("alter role anon bypassrls", "alter role anon nobypassrls", "role_bypasses role anon"),
    ],
)
def test_critical_red_cannot_be_accepted(
    demo: DemoDatabase, tmp_path: Path, plant: LiteralString, mend: LiteralString, key: str
) -> None:
    """What opens a critical table stays red, whatever it is found on, and says that the plan may not accept it."""
    change(demo, plant)
    try:
        found = ruled(demo.url, tmp_path, accepted=f"'{key}' = 'it is meant'")
    finally:
        change(demo, mend)
    assert found.outcome.verdict is Verdict.NO_GO
    (lint,) = (lint for lint in found.lints if lint.status is not None)
    assert (lint.key, "which a critical table does not allow" in lint.meaning) == (key, True)


def test_stale_acceptance_is_amber(demo: DemoDatabase, tmp_path: Path) -> None:
    """An entry that matches nothing would accept what comes tomorrow."""
    found = ruled(demo.url, tmp_path, accepted="'rls_off public.gone' = 'it was small'")
    assert [(lint.name, lint.status, lint.relation) for lint in found.lints if lint.status is not None] == [
        ("stale_acceptance", Status.AMBER, "rls_off public.gone")
    ]
    assert found.outcome.verdict is Verdict.HOLD


def test_bypassing_role_leaves_nothing_protected(demo: DemoDatabase) -> None:
    """No policy counts for it, so no table does."""
    change(demo, "alter role authenticated bypassrls", "alter role anon bypassrls")
    try:
        found = coverage(demo.url)
    finally:
        change(demo, "alter role authenticated nobypassrls", "alter role anon nobypassrls")
    assert found.protected == 0
    assert {point.status for point in found.points if point.what.startswith("critical")} == {Status.RED}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('"order"', "order"), ('"order"', "public.order"), ('"Orders"', "Orders"), ('"Orders"', 'public."Orders"'),
        ('"a.b"', '"a.b"'), ('"Gift ""Cards"""', 'public."Gift ""Cards"""'), ("orders", '"orders"'),
    ],
)  # fmt: skip
def test_critical_table_is_found_by_its_name(
    demo: DemoDatabase, tmp_path: Path, name: LiteralString, written: str
) -> None:
    """Whether PostgreSQL quotes it or not, open or closed."""
    change(demo, f"create table {name} (user_id uuid); alter table {name} enable row level security")
    try:
        closed = ruled(demo.url, tmp_path, f"'{written}' = 'user_id'")
        change(
            demo,
            f"grant select on {name} to anon; create policy everybody on {name} for select to anon using (true)",
        )
        opened = ruled(demo.url, tmp_path, f"'{written}' = 'user_id'")
    finally:
        change(demo, f"drop table {name}")
    assert (closed.points[0].status, closed.points[0].what) == (Status.GREEN, f"critical table public.{name}")
    assert (opened.points[0].status, "every row of a critical" in opened.points[0].detail) == (Status.RED, True)


def test_schema_without_a_relation_is_said(clone: Callable[[], DemoDatabase], tmp_path: Path) -> None:
    """Nothing is exposed there, and each critical table is missed."""
    demo = clone()
    change(demo, "create schema api")
    found = ruled(demo.url, tmp_path, schemas='["api"]')
    assert found.outcome.verdict is Verdict.NO_GO
    assert "does not exist among the tables of the exposed schemas" in found.points[0].detail
    assert (found.exposed, found.share) == (0, None)
    assert next(p for p in found.points if p.what == "coverage").status is Status.UNKNOWN
    assert "relation" in relations(found).text


@pytest.mark.parametrize("schemas", ["[]", '[""]', '["a,b"]'])
def test_plan_names_exposed_schemas(tmp_path: Path, schemas: str) -> None:
    """None at all would look at nothing."""
    with pytest.raises(PlanError, match=r"rls\.schemas"):
        ruled("postgresql://nobody@127.0.0.1:1/app", tmp_path, schemas=schemas)


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
    shown = {line.split()[0]: line for line in relations(coverage(demo.url)).text.splitlines() if line.strip()}
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
    assert (proof.points[-1].status, proof.points[-1].fix) == (Status.RED, "run 'golive rls'")


def test_staging_is_open(staging: str) -> None:
    """The staging copy forgets RLS on tables that anybody may read."""
    found = coverage(staging)
    assert {"public.tarot_decks", "public.emergency_call_requests"} <= found.open
