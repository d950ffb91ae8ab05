"""``golive doctor``: what the kit can reach, found by asking the database rather than by guessing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from golive_lib.canary import flags_asked
from golive_lib.errors import ArchiveError, DatabaseError, QueryFailed
from golive_lib.query import compose, compose_check
from golive_lib.spanning import owner
from golive_lib.time_indexes import time_index
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from golive_lib.answers import Origin
    from golive_lib.db import Link, Snapshot
    from golive_lib.launch import Launch
    from golive_lib.query import Query
    from golive_lib.statement import Value

OLDEST_VERSION = 150000
CLOCK_SKEW_S = 5.0
WRITE_FLAG = "rollback/set_flag"  # a rollback writes with it; the read-only role may not even plan it
_TYPE_ALIASES = {"double precision": "float8", "bigint": "int8", "boolean": "bool"}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table."""

    area: str
    item: str
    status: Status
    detail: str


def examine(launch: Launch, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> tuple[Finding, ...]:
    """Return everything worth knowing before trusting a run; raises DatabaseError when nothing can be reached."""
    links = launch.postgres.links()
    skew = (now() - links[1].server_time).total_seconds()
    with launch.postgres.snapshot() as snapshot:
        role = launch.ask(snapshot, "doctor/role").iloc[0]
        return (
            *_server(launch, role, links),
            _clock(snapshot, skew),
            *_archive(launch),
            *_role(role),
            *(finding for query in _named(launch, "sources/") for finding in _source(snapshot, launch, query)),
            *(
                _query(snapshot, launch, query)
                for query in _named(launch, "")
                if query not in _named(launch, "sources/") and query.name != WRITE_FLAG
            ),
        )


def _named(launch: Launch, prefix: str) -> list[Query]:
    return [query for name, query in sorted(launch.queries.items()) if name.startswith(prefix)]


def _server(launch: Launch, role: pd.Series[Any], links: tuple[Link, Link]) -> Iterator[Finding]:
    old = int(str(role["version_number"])) < OLDEST_VERSION
    yield Finding(
        "server",
        f"PostgreSQL {role['server_version']}",
        Status.RED if old else Status.GREEN,
        "older than 15: not supported" if old else str(launch.postgres.url),
    )
    yield Finding("server", "connection", Status.GREEN, connection_mode(links))
    remote = links[0].own_port is not None and launch.postgres.url.host not in {"localhost", "127.0.0.1", "::1"}
    tls = (
        "encrypted" if links[0].tls else "not encrypted: add ?sslmode=require" if remote else "not needed: same machine"
    )
    yield Finding("server", "TLS", Status.AMBER if remote and not links[0].tls else Status.GREEN, tls)


def connection_mode(links: tuple[Link, Link]) -> str:
    """Say what stands between us and the server, from two links of which the first was idle."""
    first, second = links
    if first.backend_pid == second.backend_pid:
        return "through a transaction pooler: one server process answered two of our connections"
    if first.own_port is None:
        return "direct, through a local socket"
    if first.own_port == first.seen_port:
        return "direct: the server sees our own port"
    return "through a session pooler or proxy: the server sees another port than ours"


def _clock(snapshot: Snapshot, skew: float) -> Finding:
    if snapshot.clock.fixed:
        return Finding(
            "server", "clock", Status.GREEN, f"fixed by the database at {snapshot.clock.now:%Y-%m-%d %H:%M:%SZ}"
        )
    status = Status.GREEN if abs(skew) < CLOCK_SKEW_S else Status.AMBER
    return Finding(
        "server", "clock", status, f"ours is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the server's"
    )


def _archive(launch: Launch) -> Iterator[Finding]:
    """Say what stages are judged from beside the database, day by day where something is wrong with one."""
    if launch.archive is None:
        return
    item = str(launch.archive.url)
    try:
        with launch.archive.snapshot() as kept:
            archive, end = kept.archive, kept.clock.end
    except (ArchiveError, DatabaseError) as error:
        yield Finding("archive", item, Status.UNKNOWN, str(error))
        return
    if (ours := owner(launch)) != archive.owner:
        yield Finding("archive", item, Status.UNKNOWN, f"is of {archive.owner}, not of {ours}")
        return
    yield Finding("archive", item, Status.GREEN, f"{', '.join(archive.sources)}; {end}")
    for problem in archive.problems:
        yield Finding("archive", f"{item}: a day", Status.UNKNOWN, problem)


def _role(role: pd.Series[Any]) -> Iterator[Finding]:
    name = f"role {role['role']}"
    if role["sees_every_row"]:
        yield Finding("role", f"{name}: rows", Status.GREEN, "RLS hides no row from it")
    else:
        detail = "RLS may hide rows from it: such tables answer unknown; alter role … bypassrls"
        yield Finding("role", f"{name}: rows", Status.AMBER, detail)
    writable = int(str(role["writable_tables"]))
    if role["superuser"]:
        yield Finding("role", f"{name}: writes", Status.AMBER, "is a superuser; use a read-only role such as golive_ro")
    elif writable:
        detail = f"may write to {writable} tables; the kit does not, but only grants are a boundary"
        yield Finding("role", f"{name}: writes", Status.AMBER, detail)
    else:
        yield Finding("role", f"{name}: writes", Status.GREEN, "may write to no table")


def _source(snapshot: Snapshot, launch: Launch, query: Query) -> Iterator[Finding]:
    try:
        origins = snapshot.origins(compose(query, launch.queries), {})
    except QueryFailed as failure:
        mend = f"adapt it in a {query.name}.sql of your own, in a query folder of the plan"
        yield Finding("source", query.name, Status.UNKNOWN, f"{failure.reason}; {mend}")
        return
    expected = [(name, _TYPE_ALIASES.get(type_, type_)) for name, type_ in query.columns]
    seen = [(origin.name, origin.type) for origin in origins]
    if seen != expected:
        wanted = ", ".join(map(" ".join, expected))
        differing = ", ".join(" ".join(column) for column in seen if column not in expected) or "its columns"
        detail = f"{query.path}: must answer with {wanted}; differs in {differing}"
        yield Finding("source", query.name, Status.RED, detail)
        return
    yield Finding("source", query.name, Status.GREEN, f"found, with its {len(seen)} columns")
    for origin in origins:
        if origin.name == "at":
            yield _time_index(snapshot, launch, query, origin)


def _time_index(snapshot: Snapshot, launch: Launch, query: Query, origin: Origin) -> Finding:
    item = f"{query.name}: time index"
    if origin.table_oid is None:
        return Finding(
            "index", item, Status.AMBER, "'at' is computed, so no index can serve a window; use the column itself"
        )
    return Finding("index", item, *time_index(snapshot, launch, query, origin))


def _query(snapshot: Snapshot, launch: Launch, query: Query) -> Finding:
    """Plan a query as it would run, with its condition when it is a check."""
    statement = compose_check(query, launch.queries, rows=False) if query.expect else compose(query, launch.queries)
    required: dict[str, Value] = {param.name: None for param in query.params if param.default is None}
    values = launch.defaults(query, snapshot.clock) | required
    try:
        snapshot.explain(statement, values)
    except QueryFailed as failure:
        return Finding("query", query.name, Status.UNKNOWN, failure.reason)
    if flags := dict(flags_asked(launch.plan)).get(query.name):
        answered = {one.name: one.type for one in snapshot.origins(compose(query, launch.queries), values)}
        wanted = {"at": "timestamptz", "canary": "bool", **dict.fromkeys(flags, "bool")}
        wrong = [f"{name} {answered.get(name, 'missing')}" for name, of in wanted.items() if answered.get(name) != of]
        if wrong := [*wrong, *["value missing"] * ("value" not in answered)]:
            columns = ", ".join(map(" ".join, wanted.items()))
            detail = f"{query.path}: events have {columns} and a value; differs in {', '.join(wrong)}"
            return Finding("query", query.name, Status.RED, detail)
    return Finding("query", query.name, Status.GREEN, "can run: tables, columns and rights are there")
