"""The guarded connection: read-only transactions of one snapshot, safe through poolers; answers are DataFrames."""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa

from golive_lib.answers import Origin, columns, frame, origins
from golive_lib.clock import Clock
from golive_lib.errors import DatabaseError, QueryFailed, Stopped
from golive_lib.formats import mask
from golive_lib.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    import pandas as pd

    from golive_lib.plan import DatabaseRules
    from golive_lib.settings import DatabaseUrl
    from golive_lib.statement import Statement, Value

CONNECT_TIMEOUT_S = 10

# Local to the transaction, so that they hold behind a transaction pooler. row_security=off turns rows that RLS would
# hide into an error: a role that cannot see everything must not report on what it saw.
_GUARDS = """
select set_config('statement_timeout', %(statement_timeout)s, true), set_config('lock_timeout', %(lock_timeout)s, true),
  set_config('timezone', 'UTC', true), set_config('jit', 'off', true), set_config('row_security', 'off', true)
"""
# A demo or a copy may fix its clock (alter database … set golive.now); elsewhere it is the server's.
_CLOCK = """
select coalesce(nullif(current_setting('golive.now', true), '')::timestamptz, now()),
  coalesce(current_setting('golive.now', true), '') <> ''
"""
# No limit on waiting may end the transaction while others read its snapshot; older servers lack the second.
_EXPORT = """
select pg_export_snapshot(), count(set_config(name, '0', true)) from pg_settings
where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


@dataclass(frozen=True)
class Link:
    """How one connection reaches the server: the process that answers, the ports at both ends, TLS on our leg."""

    backend_pid: int
    tls: bool
    own_port: int | None
    seen_port: int | None
    server_time: datetime


class Snapshot:
    """One REPEATABLE READ, READ ONLY transaction: everything asked of it sees the same rows."""

    def __init__(self, connection: sa.Connection, url: DatabaseUrl) -> None:
        self._connection = connection
        self._url = url
        now, fixed = connection.exec_driver_sql(_CLOCK).one()
        self.clock = Clock(now.astimezone(UTC), fixed)

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, after which the snapshot goes on."""
        with self._ask(statement, "", "", values) as result:
            return frame(columns(result), result)

    def chunks(self, statement: Statement, values: Mapping[str, Value], size: int) -> Generator[pd.DataFrame]:
        """Run one statement and give its rows in frames of at most ``size``, so that memory holds only one.

        Ask nothing else until the last has been read. Raises QueryFailed.
        """
        with self._ask(statement, "", "", values, stream_results=True, max_row_buffer=size) as result, result:
            names = columns(result)
            for rows in result.partitions(size):
                yield frame(names, rows)

    def csv(self, statement: Statement, values: Mapping[str, Value]) -> Generator[bytes]:
        """Run one statement and give its rows as CSV, every value in quotes and a null as nothing; raises QueryFailed.

        PostgreSQL's COPY is some ten times as fast as rows of Python's. Ask nothing else until the last has been read.
        """
        raw = self._connection.connection.driver_connection
        if not isinstance(raw, psycopg.Connection):
            raise TypeError(f"expected a psycopg connection, got {type(raw).__name__}")
        before = "copy ("
        sql = f"{before}{statement.driver_sql()}) to stdout (format csv, force_quote *)"
        try:
            with self._connection.begin_nested(), raw.cursor() as cursor, cursor.copy(sql, dict(values)) as rows:
                yield from map(bytes, rows)
        except psycopg.Error as error:
            raise _failed(error, statement, len(before), self._url) from None

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns a statement would answer with, reading no row; raises QueryFailed."""
        with self._ask(statement, "select * from (", ") golive_origin limit 0", values) as result:
            return origins(result)

    def explain(self, statement: Statement, values: Mapping[str, Value]) -> None:
        """Parse, plan and check the rights of a statement without running it; raises QueryFailed.

        EXPLAIN, not PREPARE: only the former checks privileges.
        """
        with self._ask(statement, "explain ", "", values):
            pass

    def unhurried(self) -> None:
        """Let statements of this snapshot run as long as they need, as a copy of many rows does."""
        self._connection.exec_driver_sql("select set_config('statement_timeout', '0', true)")

    def export(self) -> str:
        """Return an id by which pg_dump reads these very rows, as long as this snapshot is open."""
        return str(self._connection.exec_driver_sql(_EXPORT).scalar_one())

    @contextmanager
    def _ask(
        self, statement: Statement, before: str, after: str, values: Mapping[str, Value], **options: Any
    ) -> Iterator[sa.CursorResult[Any]]:
        """Run in a savepoint, so that one failed statement costs no other its answer."""
        sql = f"{before}{statement.driver_sql()}{after}"
        try:
            with self._connection.begin_nested():
                with waiting(str(statement.parts[-1].path) if statement.parts else "the database"):
                    result = self._connection.exec_driver_sql(sql, dict(values), options)
                yield result
        except sa.exc.DBAPIError as error:
            raise _failure(error, statement, len(before), self._url) from None
        except KeyboardInterrupt:
            raise Stopped from None


class Database:
    """A database to read from: one lazily opened connection, guarded anew in every transaction."""

    def __init__(self, url: DatabaseUrl, rules: DatabaseRules) -> None:
        self.url = url
        self._rules = rules
        self._engine = sa.create_engine(
            sa.URL.create(
                "postgresql+psycopg",
                username=url.user or None,
                password=url.password.reveal() if url.password else None,
                host=url.host or None,
                port=url.port,
                database=url.database or None,
                query=dict(url.options),
            ),
            # A transaction pooler gives each transaction another session: prepare nothing on the server.
            connect_args={"prepare_threshold": None, "connect_timeout": CONNECT_TIMEOUT_S},
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            pool_size=1,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        sa.event.listen(self._engine, "handle_error", _keep_connection)
        weakref.finalize(self, self._engine.dispose)

    def __repr__(self) -> str:
        return f"Database({self.url})"

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Open one read-only transaction.

        Raises DatabaseError when the database cannot be reached or the connection is lost in the middle.
        """
        try:
            with self._engine.connect() as connection, connection.begin():
                guards = {
                    "statement_timeout": f"{self._rules.statement_timeout.total_seconds():.0f}s",
                    "lock_timeout": f"{self._rules.lock_timeout.total_seconds():.0f}s",
                }
                connection.exec_driver_sql(_GUARDS, guards)
                yield Snapshot(connection, self.url)
        except sa.exc.DBAPIError as error:
            raise DatabaseError(unreachable(error.orig, self.url)) from None

    def links(self) -> tuple[Link, Link]:
        """Return two connections' links, the first left idle while the second asks; raises DatabaseError.

        The same process answering both is a transaction pooler at work.
        """
        try:
            with self._engine.connect() as first:
                link = _link(first)
                with self._engine.connect() as second:
                    return link, _link(second)
        except sa.exc.DBAPIError as error:
            raise DatabaseError(unreachable(error.orig, self.url)) from None

    def sql(self, statement: Statement, values: Mapping[str, Value]) -> str:
        """Return a statement with its values written in, as any SQL client runs it."""
        return statement.client_sql(values)

    def close(self) -> None:
        """Close the connection; the next snapshot opens another."""
        self._engine.dispose()


def _keep_connection(context: sa.engine.ExceptionContext) -> None:
    """Keep the connection of an interrupted statement: psycopg has cancelled it on the server, or closed the line."""
    raw = context.connection.connection.driver_connection if context.connection else None
    if isinstance(context.original_exception, KeyboardInterrupt) and isinstance(raw, psycopg.Connection):
        context.is_disconnect = raw.closed


def _link(connection: sa.Connection) -> Link:
    with connection.begin():
        sql = "select pg_backend_pid(), inet_client_port(), clock_timestamp()"
        pid, seen_port, server_time = connection.exec_driver_sql(sql).one()
    raw = connection.connection.driver_connection
    if not isinstance(raw, psycopg.Connection):
        raise TypeError(f"expected a psycopg connection, got {type(raw).__name__}")
    with socket.socket(fileno=os.dup(raw.fileno())) as own:
        name = own.getsockname()
    own_port = name[1] if isinstance(name, tuple) else None
    return Link(pid, bool(raw.pgconn.ssl_in_use), own_port, seen_port, server_time)


def unreachable(error: BaseException | None, url: DatabaseUrl) -> str:
    """Say in one message what was tried, what came back, and what to do next."""
    words = url.scrub(" ".join(str(error).split()))
    hints = {
        "password authentication failed": "check the user and the password in the database URL",
        "no password supplied": "put the password into the database URL",
        "does not exist": "check the names in the database URL",
        "does not support SSL": "this server has no TLS: leave sslmode=require out, or ask for TLS there",
        "invalid connection option": "check what follows '?' in the database URL",
        "refused": "is the server running, and is this its port (Supabase: 5432 session, 6543 transaction pooler)?",
        "No such file": "is the server running on this socket?",
        "resolve": "check the host's name in the database URL",
        "timeout": "is the host reachable from here (VPN, firewall, IPv6 only)?",
        "SSL": "check sslmode in the database URL",
    }
    hint = next((hint for part, hint in hints.items() if part in words), "run 'golive doctor' for what can be reached")
    return f"{url}: {words}\n  next: {hint}"


def _failure(error: sa.exc.DBAPIError, statement: Statement, offset: int, url: DatabaseUrl) -> DatabaseError:
    """Turn the driver's error into the reason of an unknown, with the file and line when it has a position."""
    if error.connection_invalidated or not isinstance(error.orig, psycopg.Error):
        return DatabaseError(unreachable(error.orig, url))
    return _failed(error.orig, statement, offset, url)


def _failed(original: psycopg.Error, statement: Statement, offset: int, url: DatabaseUrl) -> DatabaseError:
    if isinstance(original, psycopg.OperationalError | psycopg.InterfaceError) and original.sqlstate is None:
        return DatabaseError(unreachable(original, url))
    if original.sqlstate is None:  # the driver could not read what came back, such as the timestamp 'infinity'
        reason = mask(f"an answer cannot be read: {' '.join(str(original).split())}")
        return QueryFailed(reason, reason=reason)
    words = mask(url.scrub(original.diag.message_primary or "the statement failed"))
    position = int(original.diag.statement_position or 0) - offset
    where = statement.locate(position) if position > 0 else None
    reason = meaning(original.sqlstate, words)
    at = f" ({where})" if where else ""
    return QueryFailed(f"{reason}{at}", reason=f"{reason}{at}", sqlstate=original.sqlstate)


def meaning(sqlstate: str, words: str) -> str:
    """Say what an SQLSTATE means to somebody reading a report."""
    if sqlstate == "42501" and "row-level security" in words:
        return f"rows hidden by RLS: {words}; the role needs BYPASSRLS"
    meanings = {
        "42P01": "table missing",
        "42703": "column missing",
        "42501": "no right to read",
        "42601": "syntax error",
        "57014": "stopped by the statement timeout",
        "55P03": "gave up waiting for a lock",
        "25006": "refused: a read-only transaction cannot write",
    }
    return f"{meanings.get(sqlstate, f'query failed [{sqlstate}]')}: {words}"
