"""The live probe of row level security: one client, and anon, try to read other clients' rows.

It asks the real tables, as the API's roles with a real client's claims, in a transaction that is rolled back and
cannot write. Two tables planted in that transaction keep it honest: one that must show another's row, and one whose
policy must hide it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
from psycopg import sql

from golive_lib.acting import PROBE_URL, acting, client_claims
from golive_lib.errors import DatabaseError, QueryFailed, SettingsError
from golive_lib.formats import number
from golive_lib.owners import MOST_ROWS, owned_tables, owners
from golive_lib.probe_verdict import Sample, Seen, verdict
from golive_lib.proof import Point, Proof
from golive_lib.query import compose
from golive_lib.settings import parse_url
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from golive_lib.acting import Actor
    from golive_lib.launch import Launch
    from golive_lib.owners import Owned

TITLE = "Clients read only their own rows"
ROLES = ("authenticated", "anon")
MOST_OTHERS = 20
CANDIDATES = 5
DENIED = "42501"


class Unproven(Exception):  # noqa: N818  it names what happened, as the reason of an unknown
    """Why nothing can be said of a table, and what would help."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason)
        self.point = (Status.UNKNOWN, reason, fix)


def prove_isolation(launch: Launch) -> Proof:
    """Prove that neither a plain client nor anon reads a row of other clients in the plan's critical tables.

    Acts through ``GOLIVE_PROBE_DB_URL`` where set, else through the launch's own address. Raises PlanError for a
    critical table whose owner cannot be read.
    """
    tables = owned_tables(launch.plan)
    if not tables:
        point = Point("critical tables", Status.UNKNOWN, "the plan names none", "list them under [rls.critical]")
        return Proof("isolation", TITLE, (point,))
    try:
        with as_others(launch) as actor:
            return Probe(launch, actor).proof(tables)
    except (DatabaseError, SettingsError) as error:
        point = Point(
            "acting as others",
            Status.UNKNOWN,
            str(error).splitlines()[0],
            f"see 'Rights' in docs/readiness.md, or set {PROBE_URL}",
        )
        return Proof("isolation", TITLE, (point,))


@contextmanager
def as_others(launch: Launch) -> Iterator[Actor]:
    """Open a transaction in which the kit may act as others, each question bounded by the plan's ``probe_timeout``.

    Raises DatabaseError when that cannot be, or ``GOLIVE_PROBE_DB_URL`` leads to another database than the launch's.
    """
    given = launch.env.get(PROBE_URL)
    url = parse_url(given) if given else launch.postgres.url
    home = launch.frame("doctor/role")["role"].item() if given else ""
    with acting(url, launch.plan.database, home=home, timeout=launch.plan.rls.probe_timeout) as actor:
        if given:
            same_database(actor, launch)
        yield actor


def same_database(actor: Actor, launch: Launch) -> None:
    """Raise DatabaseError unless the actor is in the launch's own database, on the very same server."""
    here = launch.frame("doctor/server")
    there = actor.ask(compose(launch.query("doctor/server"), launch.queries))
    if there.to_numpy().tolist() != here.to_numpy().tolist():
        raise DatabaseError(
            "the two database URLs lead to different databases or servers: "
            f"{there['database'].item()} and {here['database'].item()}; set both to the same primary server"
        )


class Probe:
    """One run of the probe in an actor's transaction."""

    def __init__(self, launch: Launch, actor: Actor) -> None:
        self._launch = launch
        self._actor = actor

    def proof(self, tables: Sequence[Owned]) -> Proof:
        """Check the controls, seal the transaction and ask each table."""
        try:
            control = self._control()
        except Unproven as unproven:
            return Proof("isolation", TITLE, (*self._bypassing(), Point("the probe's controls", *unproven.point)))
        judged = [self._judge(table) for table in tables]
        points = (*self._bypassing(), control, *(point for point, _ in judged))
        table = pd.DataFrame([row for _, row in judged])
        summary = f"neither a client nor anon reads a row of other clients in {len(tables)} critical tables"
        return Proof("isolation", TITLE, points, summary, {"What each reads of other clients' rows": table})

    def _ask(self, name: str, **values: object) -> pd.DataFrame:
        """Ask one of the kit's own queries, as the kit."""
        self._actor.itself()
        queries = self._launch.queries
        return self._actor.ask(compose(queries[name], queries), values)

    def _clients(self, persons: Sequence[str] | None = None) -> list[str]:
        listed = None if persons is None else ",".join(persons)
        return self._ask("rls/probe_clients", persons=listed, most=MOST_OTHERS)["person"].tolist()

    def _become(self, role: str, client: str) -> None:
        self._actor.become(role, client_claims(client) if role == "authenticated" else {"role": role})

    def _bypassing(self) -> Iterator[Point]:
        for role in ROLES:
            found = self._ask("rls/probe_roles", role=role)
            if found["bypasses"].any():
                detail = "bypasses RLS: it reads every row of every table it is granted"
                yield Point(f"role {role}", Status.RED, detail, f"alter role {role} nosuperuser nobypassrls")

    def _control(self) -> Point:
        """Plant the two tables, see that each role sees of them what it must, and nothing else; then seal."""
        try:
            first, second = self._clients()[:2]
        except QueryFailed as failure:
            raise Unproven(f"people cannot be asked: {failure.reason}", "adapt sources/people.sql") from None
        except ValueError:
            raise Unproven("there are not two plain clients", "adapt sources/people.sql") from None
        try:
            own_uid = self._plant(first, second)
            self._actor.seal()
            for role, visible in (("authenticated", {first}), ("anon", set())):
                self._expect(role, first, "golive_open", {first, second})
                self._expect(role, first, "golive_walled", visible)
        except QueryFailed as failure:
            raise Unproven(failure.reason, self._mend(failure)) from None
        by = "the app's auth.uid()" if own_uid else "the claims, for there is no auth.uid()"
        detail = f"a planted table shows another's row; one with a policy by {by} hides it"
        return Point("the probe's controls", Status.GREEN, detail)

    def _plant(self, first: str, second: str) -> bool:
        own_uid = bool(self._ask("rls/probe_roles", role="authenticated")["has_uid"].any())
        claims = "nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'"
        for name in ("golive_open", "golive_walled"):
            table = sql.Identifier("pg_temp", name)
            for command in ("create table {} (owner text)", "grant select on {} to anon, authenticated"):
                self._actor.run(sql.SQL(command).format(table))
            self._actor.run(sql.SQL("insert into {} values ({}), ({})").format(table, first, second))
        self._actor.run(sql.SQL("alter table pg_temp.golive_walled enable row level security"))
        mine = sql.SQL("auth.uid()::text" if own_uid else claims)
        self._actor.run(sql.SQL("create policy own on pg_temp.golive_walled using (owner = ({}))").format(mine))
        return own_uid

    def _expect(self, role: str, client: str, name: str, owners: set[str]) -> None:
        self._become(role, client)
        question = sql.SQL("select owner from {}").format(sql.Identifier("pg_temp", name))
        seen = set(self._actor.ask(question)["owner"])
        if seen != owners:
            what = "without a policy" if name == "golive_open" else "with a policy by owner"
            detail = f"as {role} a planted table {what} shows {len(seen)} of 2 rows instead of {len(owners)}"
            raise Unproven(
                detail, "see whether auth.uid() answers with the claims' sub, and whether RLS binds the role"
            )

    def _mend(self, failure: QueryFailed) -> str:
        missing = [role for role in ROLES if self._ask("rls/probe_roles", role=role).empty]
        if missing:
            return f"this database lacks the role {missing[0]}: is it the app's?"
        login = self._ask("doctor/role")["login"].item()
        if "set role" not in failure.reason:
            return f"grant temporary on database … to {login}, on the primary server"
        if self._actor.server_version >= 160000:  # noqa: PLR2004  as PostgreSQL counts
            return f"grant anon, authenticated to {login} with inherit false, set true"
        return f"give {PROBE_URL} a role of its own: create role … login noinherit in role {login}, anon, authenticated"

    def _judge(self, owned: Owned) -> tuple[Point, dict[str, object]]:
        row: dict[str, object] = {"table": owned.name}
        try:
            sample = self._sample(owned)
            client, anon = (self._read(role, sample, owned, sample.keys) for role in ROLES)
            own = self._read("authenticated", sample, owned, sample.own) if sample.own else None
            status, detail, fix = verdict(owned, sample, client, anon, own)
            row |= {"rows tried": sample.rows, "of clients": sample.others}
            row |= {
                "a client reads": str(client),
                "anon reads": str(anon),
                "the client's own": str(own or "none there"),
            }
        except Unproven as unproven:
            status, detail, fix = unproven.point
        except QueryFailed as failure:
            fix = f"see that [rls.critical] of the plan names {owned.name} and its owner's column as the database does"
            status, detail = Status.UNKNOWN, failure.reason
        return Point(owned.name, status, detail, fix), row | {"status": status.value}

    def _sample(self, owned: Owned) -> Sample:
        """Choose a plain client, and rows of other plain clients that do not mention them anywhere."""
        self._actor.itself()
        found = self._actor.ask(owners(owned))
        clients = self._clients(sorted(set(found["owner"]))) if len(found) else []
        candidates = clients[::-1] + [other for other in self._clients() if other not in clients]
        for client in candidates[:CANDIDATES]:
            others = [other for other in clients if other != client]
            own = found["key"][found["owner"] == client]
            keys = found["key"][found["owner"].isin(others) & ~found["key"].isin(own)]
            if keys.empty:
                break
            if self._count(owned, keys, client):  # they take part in one of these rows, and may rightly see it
                continue
            if rows := self._count(owned, keys, ""):
                return Sample(client, tuple(own), tuple(keys), len(others), rows)
        raise Unproven(
            f"no plain client's row among the first {number(MOST_ROWS)}, or nobody to try it on",
            "is the table empty, or another column its owner's?",
        )

    def _count(self, owned: Owned, keys: Iterable[Any], mentioning: str) -> int:
        """Count the rows under these keys as the kit, or those of them that mention somebody in any column."""
        self._actor.itself()
        question = sql.SQL(
            "select count(*) as rows from (select t from {table} t where t.{column} = any({keys}) limit {most}) t "
            "where strpos(t::text, {text}) > 0"
        ).format(**_named(owned, keys), text=mentioning)
        return int(self._actor.ask(question)["rows"].item())

    def _read(self, role: str, sample: Sample, owned: Owned, keys: Sequence[Any]) -> Seen:
        """Count the rows that a role reads, up to a bound; a denial is the table's, or that of a policy's own query."""
        question = sql.SQL(
            "select count(*) as rows from (select from {table} t where t.{column} = any({keys}) limit {most}) t"
        ).format(**_named(owned, keys))
        try:
            self._become(role, sample.client)
            rows = int(self._actor.ask(question)["rows"].item())
        except QueryFailed as failure:
            if failure.sqlstate != DENIED:
                return Seen(reason=failure.reason)
            rows = None
        rights = self._ask("rls/probe_rights", role=role, schema=owned.schema, relation=owned.relation).iloc[0]
        if rows is not None:
            return Seen(rows, closed=bool(rights["closed"]))
        if rights["partly"] and not rights["whole"]:
            return Seen(reason=f"{role} is granted some columns, not {owned.column}, so nobody can say whose it reads")
        return Seen(denied=True)


def _named(owned: Owned, keys: Iterable[Any]) -> dict[str, object]:
    column = sql.Identifier(owned.column)
    return {"table": owned.table, "column": column, "keys": list(keys), "most": MOST_ROWS}
