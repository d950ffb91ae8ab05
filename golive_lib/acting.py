"""One guarded transaction of one's own: to act as somebody else and roll it all back, or to apply something."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from golive_lib.db import CONNECT_TIMEOUT_S, meaning, unreachable
from golive_lib.errors import DatabaseError, QueryFailed, Unconfirmed
from golive_lib.formats import mask
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import timedelta

    from golive_lib.plan import DatabaseRules
    from golive_lib.settings import DatabaseUrl

    Question = Statement | sql.Composable

PROBE_URL = "GOLIVE_PROBE_DB_URL"
_LIMITS = sql.SQL(
    "select set_config('statement_timeout', {statement}, true), set_config('lock_timeout', {lock}, true), "
    "set_config('timezone', 'UTC', true), set_config('jit', 'off', true)"
)
# As PostgREST does for each request, and local to the transaction, so that it holds behind a transaction pooler.
_PERSON = sql.SQL(
    "select set_config('role', {role}, true), set_config('request.jwt.claims', {claims}, true), "
    "set_config('row_security', {row_security}, true)"
)
_SEE_ALL = sql.SQL("select set_config('row_security', 'off', true)")
_NOBODY = "none"


# Made up, but for the sub: whose address it is would be somebody's data, and no policy should hang on it.
_TOKEN = {
    "role": "authenticated",
    "aud": "authenticated",
    "email": "client@golive.invalid",
    "phone": "",
    "aal": "aal2",
    "session_id": "00000000-0000-4000-8000-000000000000",
    "is_anonymous": False,
    "app_metadata": {"provider": "email", "providers": ["email"]},
    "user_metadata": {},
}


def client_claims(person: str) -> dict[str, object]:
    """Return the claims of a signed-in client's token as Supabase issues them, with a second factor given.

    A policy that asks for any of them lets this client in as it would a real one; one by their address does not.
    """
    return {"sub": person} | _TOKEN


class Actor:
    """Whoever the transaction acts as: at first the kit itself, from which RLS may hide nothing."""

    def __init__(self, connection: psycopg.Connection, url: DatabaseUrl, home: str) -> None:
        self._connection = connection
        self._url = url
        self._home = home
        self.server_version = connection.info.server_version

    def become(self, role: str, claims: Mapping[str, object]) -> None:
        """Act as an API role with these claims, under its row level security.

        Raises QueryFailed when the role is missing or may not be taken; the one before is then kept.
        """
        self._set(role, json.dumps(dict(claims)), "on")

    def itself(self) -> None:
        """Act as the kit again; rows that RLS would hide from it are an error. Raises QueryFailed."""
        self._set(self._home, "", "off")

    def _set(self, role: str, claims: str, row_security: str) -> None:
        self.run(_PERSON.format(role=role, claims=claims, row_security=row_security))

    def ask(self, question: Question, values: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Return an answer, read in a savepoint; raises QueryFailed, after which the transaction goes on."""
        with self._savepoint(question, values) as cursor:
            columns = [column.name for column in cursor.description or ()]
            return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)

    def run(self, command: Question, values: Mapping[str, object] | None = None) -> None:
        """Carry out a command in a savepoint; raises QueryFailed, after which the transaction goes on."""
        with self._savepoint(command, values):
            pass

    def command(self, text: str) -> None:
        """Carry out one command as it stands, in a savepoint; raises QueryFailed, after which the transaction goes on.

        By the extended protocol, in which a second command hidden in the text is an error.
        """
        with self._failing(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(text.encode(), binary=True)

    def see_all(self) -> None:
        """Make rows that RLS would hide from this role an error, to the end of the transaction. Raises QueryFailed."""
        self.run(_SEE_ALL)

    def seal(self) -> None:
        """Make the rest of the transaction read-only, which nothing in it can undo."""
        self._connection.execute("set transaction read only")  # in a savepoint it would end with it

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back, at the end of the context, what was done in it and whom the transaction acted as."""
        with self._connection.transaction(force_rollback=True):
            yield

    @contextmanager
    def _savepoint(self, question: Question, values: Mapping[str, object] | None) -> Iterator[psycopg.Cursor[Any]]:
        if isinstance(question, Statement):
            values = values or {}  # its percent signs are doubled, as for a statement with values
        written = question.driver_sql().encode() if isinstance(question, Statement) else question
        with self._failing(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(written, values)  # type: ignore[arg-type]  # every Composable is a query
            yield cursor

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: psycopg.Error) -> DatabaseError:
        if self._connection.closed or error.sqlstate is None:
            return DatabaseError(unreachable(error, self._url))
        words = mask(self._url.scrub(error.diag.message_primary or "the statement failed"))
        reason = meaning(error.sqlstate, words)
        # A detail quotes the row that failed, or its key: whose row that is, is nobody's business.
        about_rows = (error.diag.message_detail or "").startswith(("Failing row", "Key ("))
        more = " ".join(filter(None, ("" if about_rows else error.diag.message_detail, error.diag.message_hint)))
        return QueryFailed(
            reason,
            reason=reason,
            sqlstate=error.sqlstate,
            hint=mask(self._url.scrub(more)),
            position=int(error.diag.statement_position or 0),
        )


@contextmanager
def acting(
    url: DatabaseUrl, rules: DatabaseRules, *, home: str = "", timeout: timedelta | None = None
) -> Iterator[Actor]:
    """Open a transaction of one snapshot that is always rolled back, in which to act as others.

    ``home`` is the role to be when nobody else, by default the one that logs in; ``timeout`` is each question's, by
    default the plan's. Raises DatabaseError when the database cannot be reached.
    """
    with connected(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction(force_rollback=True):
            actor = _guarded(connection, url, home, rules, timeout)
            actor.itself()
            yield actor


@contextmanager
def applying(url: DatabaseUrl, rules: DatabaseRules, *, rehearsed: bool = False) -> Iterator[Actor]:
    """Open a transaction that is committed at the end of the context, and rolled back as a whole by any error.

    ``rehearsed`` takes it back in any case. Raises Unconfirmed when the connection is lost while it is committed.
    """
    with connected(url) as connection:
        ended = False
        try:
            with connection.transaction(force_rollback=rehearsed):
                yield _guarded(connection, url, "", rules, None)
                ended = True
        except psycopg.Error as error:
            if not ended or rehearsed:
                raise
            if connection.closed:
                raise Unconfirmed(unreachable(error, url)) from None
            reason = meaning(error.sqlstate or "", mask(url.scrub(error.diag.message_primary or "not committed")))
            raise QueryFailed(reason, reason=reason, sqlstate=error.sqlstate) from None


@contextmanager
def connected(url: DatabaseUrl) -> Iterator[psycopg.Connection]:
    """Open a connection on which each command is a transaction of its own; raises DatabaseError."""
    given = {"host": url.host, "port": url.port, "user": url.user, "dbname": url.database} | dict(url.options)
    try:
        with psycopg.connect(
            make_conninfo(**{name: str(value) for name, value in given.items() if value}),
            password=url.password.reveal() if url.password else None,
            connect_timeout=CONNECT_TIMEOUT_S,
            prepare_threshold=None,
            autocommit=True,  # transactions are opened by name
        ) as connection:
            connection.read_only = False  # a temporary table is a write; a role's default may forbid it
            yield connection
    except psycopg.Error as error:
        raise DatabaseError(unreachable(error, url)) from None


def _guarded(
    connection: psycopg.Connection, url: DatabaseUrl, home: str, rules: DatabaseRules, timeout: timedelta | None
) -> Actor:
    limits = {"statement": _milliseconds(timeout or rules.statement_timeout), "lock": _milliseconds(rules.lock_timeout)}
    actor = Actor(connection, url, home or _NOBODY)
    actor.run(_LIMITS.format(**limits))
    return actor


def _milliseconds(length: timedelta) -> str:
    return f"{length.total_seconds() * 1000:.0f}ms"
