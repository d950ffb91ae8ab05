"""The live probe: every leak is found, what only looks like one is not, and it cannot pass by doing nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
from plant import change
from psycopg import sql

from golive_lib import Status, open_launch
from golive_lib.demo.build import STORIES, _built
from golive_lib.doctor import examine
from golive_lib.errors import PlanError
from golive_lib.owners import owned_tables
from golive_lib.plan import kit_folder, read_plan
from golive_lib.rls_probe import prove_isolation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Point, Proof

    Clone = Callable[[], DemoDatabase]

CRITICAL = tuple(read_plan(kit_folder() / "launch.toml").rls.critical)
CONTROLS = "the probe's controls"


def points(proof: Proof) -> Mapping[str, Point]:
    """Return a proof's points by what they are about."""
    return {point.what: point for point in proof.points}


def plan_with(folder: Path, *, critical: str = "", probe_timeout: str = "5s") -> Path:
    """Write the kit's plan with other critical tables and another limit."""
    text = (kit_folder() / "launch.toml").read_text().replace('queries = ["queries"]', "queries = []")
    if critical:
        text = re.sub(r"(?<=\[rls.critical\]\n).*?\n\n", f"{critical}\n\n", text, flags=re.DOTALL)
    path = folder / "launch.toml"
    path.write_text(text.replace("[rls]\n", f'[rls]\nprobe_timeout = "{probe_timeout}"\n'))
    return path


def test_healthy_demo_keeps_clients_apart(healthy: DemoDatabase) -> None:
    """Every critical table is green on rows of others, which a reader may see, and the controls behave."""
    proof = prove_isolation(open_launch(healthy.url))
    assert [(point.what, point.status) for point in proof.points] == [
        (name, Status.GREEN) for name in (CONTROLS, *CRITICAL)
    ]
    (table,) = proof.tables.values()
    assert (table["rows tried"] > 10).all()
    assert proof.summary == "neither a client nor anon reads a row of other clients in 9 critical tables"
    assert proof.title == "Clients read only their own rows"
    assert (table[["a client reads", "anon reads"]] == "0").all(axis=None)


def test_leak_in_each_critical_table_is_found(clone: Clone) -> None:
    """One policy that lets every logged-in user in, table by table, also where only another table knows the owner."""
    demo = clone()
    launch = open_launch(demo.url)
    with psycopg.connect(demo.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        for name in CRITICAL:
            table = sql.Identifier(name)
            admin.execute(sql.SQL("create policy leak on {} for select to authenticated using (true)").format(table))
            point = points(prove_isolation(launch))[name]
            admin.execute(sql.SQL("drop policy leak on {}").format(table))
            assert point.status is Status.RED, name
            assert re.search(r"^client [0-9a-f]{8} reads .+ rows of \d+ other clients: data has leaked$", point.detail)


LEAKS: dict[str, tuple[LiteralString, str, str]] = {
    "nobody reads it": ("create policy leak on bookings for select to anon using (true)", "bookings", "anon reads"),
    "RLS is off": ("alter table payment_transactions disable row level security", "payment_transactions", "data has"),
    "some rows are open": (
        "create policy leak on bookings for select to authenticated using (status = 'completed')",
        "bookings",
        "data has leaked",
    ),
    "whoever has an address reads it": (
        "create policy leak on bookings for select to authenticated "
        "using (current_setting('request.jwt.claims', true)::jsonb ->> 'email' is not null)",
        "bookings",
        "data has leaked",
    ),
    "whoever gave a second factor reads it": (
        "create policy leak on bookings for select to authenticated using (true);"
        "create policy strong on bookings as restrictive to authenticated "
        "using (current_setting('request.jwt.claims', true)::jsonb ->> 'aal' = 'aal2')",
        "bookings",
        "data has leaked",
    ),
    "whoever has a session reads it": (
        "create policy leak on bookings for select to authenticated using (auth.uid() is not null);"
        "create policy session on bookings as restrictive to authenticated "
        "using (current_setting('request.jwt.claims', true)::jsonb ->> 'session_id' is not null)",
        "bookings",
        "data has leaked",
    ),
    "a role bypasses RLS": ("alter role authenticated bypassrls", "role authenticated", "bypasses RLS"),
}


@pytest.fixture
def _roles_restored(healthy: DemoDatabase) -> Iterator[None]:
    """Give the server's roles back what a test took: they belong to no copy."""
    yield
    change(
        healthy,
        "do $$ begin if exists (select from pg_roles where rolname = 'anon_gone') "
        "then alter role anon_gone rename to anon; end if; end $$",
        "alter role authenticated nobypassrls",
        "grant anon, authenticated to golive_ro with inherit false, set true",
        "drop role if exists golive_probe",
    )


@pytest.mark.usefixtures("_roles_restored")
@pytest.mark.parametrize("leak", LEAKS)
def test_leak_is_red(clone: Clone, leak: str) -> None:
    """However the rows get out, the table, or the role, is red."""
    statement, what, words = LEAKS[leak]
    demo = clone()
    change(demo, statement)
    point = points(prove_isolation(open_launch(demo.url)))[what]
    assert (point.status, words in point.detail) == (Status.RED, True)


LOOK_ALIKES: dict[str, LiteralString] = {
    "readers see their clients' rows": "create policy more on bookings for select to authenticated "
    "using (reader_id = auth.uid())",
    "a policy for the service role": "create policy more on bookings for select to service_role using (true)",
    "an open policy under a restrictive one": "create policy more on bookings for select to authenticated "
    "using (true); create policy less on bookings as restrictive for select to authenticated "
    "using (client_id = auth.uid())",
    "no right at all": "revoke all on bookings from anon, authenticated",
    "no policy for clients at all": "drop policy bookings_own on bookings",
    "a public table without RLS": "alter table decks disable row level security",
    "a policy that asks a table nobody may read": "revoke select on call_sessions from authenticated, anon",
}


@pytest.mark.parametrize("case", LOOK_ALIKES)
def test_look_alike_is_green(clone: Clone, case: str) -> None:
    """What lets no client at another's rows stays green, a denial too."""
    demo = clone()
    change(demo, LOOK_ALIKES[case])
    assert prove_isolation(open_launch(demo.url)).status is Status.GREEN


def test_a_client_who_takes_part_is_not_chosen(clone: Clone) -> None:
    """Where the client first chosen is the reader of other clients' bookings, another one is tried."""
    demo = clone()
    first = points(prove_isolation(open_launch(demo.url)))["bookings"].detail
    change(
        demo,
        f"update bookings set reader_id = user_id from profiles where user_id::text like '{first.split()[1]}%'",
    )
    again = points(prove_isolation(open_launch(demo.url)))["bookings"]
    assert again.status is Status.GREEN
    assert again.detail.split()[1] != first.split()[1]


RAISING: LiteralString = (
    "create function broken() returns bool language plpgsql as 'begin raise exception ''no tenant''; end'; "
    "create policy more on bookings for select to authenticated using (broken())"
)
UNKNOWNS: dict[str, tuple[LiteralString, str]] = {
    "a policy raises": (
        RAISING,
        "no tenant",
    ),
    "a policy never answers": (
        "create policy more on bookings for select to authenticated using (pg_sleep(60) is not null)",
        "stopped by the statement timeout",
    ),
    "the claims are not a client's": (
        "create policy leak on bookings for select to authenticated using (true);"
        "create policy tenant on bookings as restrictive to authenticated "
        "using (current_setting('request.jwt.claims', true)::jsonb ->> 'tenant' is not null)",
        "its zero proves nothing",
    ),
    "only own rows cannot be read": (
        "create function broken(whose uuid) returns bool language plpgsql "
        "as 'begin if whose = auth.uid() then raise exception ''no tenant''; end if; return false; end'; "
        "drop policy bookings_own on bookings;"
        "create policy less on bookings for select to authenticated using (broken(client_id))",
        "cannot be seen to read rows of their own: query failed [P0001]: no tenant",
    ),
    "no row": ("truncate bookings cascade", "no plain client's row"),
    "only readers own rows": ("update bookings set client_id = reader_id", "no plain client's row"),
    "the table is gone": ("drop table bookings cascade", "table missing"),
    "the owner's column is gone": ("alter table bookings rename client_id to customer", "column missing"),
    "some columns are granted": (
        "revoke select on bookings from authenticated; grant select (id, status) on bookings to authenticated",
        "granted some columns, not client_id",
    ),
}


@pytest.mark.parametrize("case", UNKNOWNS)
def test_what_cannot_be_known_is_unknown(clone: Clone, tmp_path: Path, case: str) -> None:
    """The table is unknown with the reason, in bounded time, and the others are still judged."""
    statement, words = UNKNOWNS[case]
    demo = clone()
    change(demo, statement)
    found = points(prove_isolation(open_launch(demo.url, plan=plan_with(tmp_path, probe_timeout="1s"))))
    assert (found["bookings"].status, words in found["bookings"].detail) == (Status.UNKNOWN, True)
    assert found["emergency_calls"].status is Status.GREEN


NO_JWT: LiteralString = (
    "create or replace function auth.uid() returns uuid language plpgsql as 'begin raise exception ''no JWT''; end'"
)
CONTROLS_FAIL: dict[str, tuple[LiteralString, str, str]] = {
    "auth.uid() knows nobody": (
        "create or replace function auth.uid() returns uuid language sql stable return null::uuid",
        "shows 0 of 2 rows instead of 1",
        "auth.uid()",
    ),
    "auth.uid() fails": (
        NO_JWT,
        "no JWT",
        "",
    ),
    "one client alone": ("delete from profiles where role = 'client'", "two plain clients", "people.sql"),
    "nobody may plant": (
        "do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$",
        "permission denied",
        "grant temporary",
    ),
    "the roles may not be taken": (
        "revoke anon, authenticated from golive_ro",
        "permission denied to set role",
        "grant anon, authenticated to golive_ro with inherit false, set true",
    ),
    "a role is missing": ("alter role anon rename to anon_gone", 'role "anon" does not exist', "lacks the role anon"),
}


@pytest.mark.usefixtures("_roles_restored")
@pytest.mark.parametrize("case", CONTROLS_FAIL)
def test_probe_cannot_pass_by_doing_nothing(clone: Clone, case: str) -> None:
    """Where a control does not behave no table is green, and the reason and what helps are said."""
    statement, words, fix = CONTROLS_FAIL[case]
    demo = clone()
    change(demo, statement)
    proof = prove_isolation(open_launch(demo.url))
    (point,) = proof.points
    assert (point.what, point.status) == (CONTROLS, Status.UNKNOWN)
    assert words in point.detail
    assert fix in point.fix


def test_without_auth_uid_the_claims_serve(clone: Clone) -> None:
    """An app with a function of its own is probed all the same."""
    demo = clone()
    change(demo, "alter function auth.uid() rename to me")
    proof = prove_isolation(open_launch(demo.url))
    assert proof.status is Status.GREEN
    assert "there is no auth.uid()" in proof.points[0].detail


@pytest.mark.usefixtures("_roles_restored")
def test_a_login_of_its_own_may_act(clone: Clone, demo_server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kit's role may not take the others, GOLIVE_PROBE_DB_URL names one that may, as PostgreSQL 15 needs."""
    demo = clone()
    change(
        demo,
        "revoke anon, authenticated from golive_ro",
        "create role golive_probe login noinherit in role golive_ro, anon, authenticated",
    )
    monkeypatch.setenv("GOLIVE_PROBE_DB_URL", demo_server.url(demo.name, "golive_probe"))
    assert prove_isolation(open_launch(demo.url)).status is Status.GREEN


def test_behind_the_pooler_nothing_differs(pooled: str) -> None:
    """Whom the probe acts as holds for its transaction, whichever session serves it, and no longer."""
    launch = open_launch(pooled)
    for _ in range(3):
        assert prove_isolation(launch).status is Status.GREEN
        assert launch.frame("doctor/role")["role"].item() == "golive_ro"


def test_postgresql_15_needs_a_login_of_its_own(debian_server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the kit's role would inherit rights to write: what to create is said, and with it the probe works."""
    name = _built(debian_server, STORIES["healthy"], 0.05, 7, lambda _: None)
    launch = open_launch(debian_server.url(name))
    (point,) = prove_isolation(launch).points
    assert (point.status, "noinherit in role golive_ro, anon, authenticated" in point.fix) == (Status.UNKNOWN, True)
    with debian_server.connect() as admin:
        admin.execute("create role golive_probe login noinherit in role golive_ro, anon, authenticated")
    monkeypatch.setenv("GOLIVE_PROBE_DB_URL", debian_server.url(name, "golive_probe"))
    assert prove_isolation(open_launch(debian_server.url(name))).status is Status.GREEN


def test_another_database_proves_nothing(healthy: DemoDatabase, clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe's URL that leads elsewhere is said."""
    monkeypatch.setenv("GOLIVE_PROBE_DB_URL", clone().url)
    (point,) = prove_isolation(open_launch(healthy.url)).points
    assert (point.status, "different databases" in point.detail) == (Status.UNKNOWN, True)


@pytest.mark.parametrize("url", ["nonsense", "postgresql://nobody@127.0.0.1:1/app"])
def test_a_probes_url_that_leads_nowhere_is_unknown(
    healthy: DemoDatabase, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """It is said, and the readiness list goes on."""
    monkeypatch.setenv("GOLIVE_PROBE_DB_URL", url)
    (point,) = prove_isolation(open_launch(healthy.url)).points
    assert (point.what, point.status) == ("acting as others", Status.UNKNOWN)


def test_names_of_every_kind_are_probed(clone: Clone, tmp_path: Path) -> None:
    """Upper case, spaces and quotes in a table's and a column's name."""
    demo = clone()
    change(
        demo,
        'create table public."Gift ""Cards""" as select client_id as "The Owner" from bookings',
        'grant select on public."Gift ""Cards""" to authenticated',
    )
    name, owner = 'public."Gift ""Cards"""', '"The Owner"'
    plan = plan_with(tmp_path, critical=f"'{name}' = '{owner}'")
    point = prove_isolation(open_launch(demo.url, plan=plan)).points[-1]
    assert (point.status, "data has leaked" in point.detail) == (Status.RED, True)


@pytest.mark.parametrize(
    "path",
    ["", "client id", "a -> b", "a -> b.c", "reading_id -> readings -> client_id", "a -> b.c ->", "a; drop table b"],
)
def test_owner_that_cannot_be_read_is_a_plan_error(tmp_path: Path, path: str) -> None:
    """The message quotes the entry and shows both forms."""
    plan = read_plan(plan_with(tmp_path, critical=f'bookings = "{path}"'))
    with pytest.raises(PlanError, match=r"rls.critical.bookings = .* should be a column \('client_id'\)"):
        owned_tables(plan)


@pytest.mark.parametrize("name", ["my-orders", "two words", "a.b.c", '"open'])
def test_name_that_cannot_be_read_is_a_plan_error(tmp_path: Path, name: str) -> None:
    """The message quotes the name and says how to write it."""
    plan = read_plan(plan_with(tmp_path, critical=f"'{name}' = 'client_id'"))
    with pytest.raises(PlanError, match=rf"rls.critical: '{re.escape(name)}': .* other names in double quotes"):
        owned_tables(plan)


def test_a_plan_without_critical_tables_proves_nothing(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Nothing looked at is unknown."""
    plan = plan_with(tmp_path, critical="# none")
    assert prove_isolation(open_launch(healthy.url, plan=plan)).status is Status.UNKNOWN


def test_doctor_still_sees_a_role_that_writes_nothing(healthy: DemoDatabase) -> None:
    """To be able to act as others gives the kit's role no right to write."""
    details = [finding.detail for finding in examine(open_launch(healthy.url)) if finding.item.endswith(": writes")]
    assert details == ["may write to no table"]
