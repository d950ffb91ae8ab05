"""DuckDB as an engine: an archive's days on this machine, asked as PostgreSQL would be."""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import weakref
from contextlib import contextmanager, suppress
from datetime import datetime
from glob import escape
from typing import TYPE_CHECKING, Any

import duckdb

from golive_lib.answers import Origin, frame
from golive_lib.archive import DAY, open_archive
from golive_lib.clock import Clock
from golive_lib.duckdb_sql import duckdb_sql
from golive_lib.engines import READ, SCHEMA, absent, foreign, lacking
from golive_lib.errors import ArchiveError, DatabaseError, QueryFailed, Stopped
from golive_lib.formats import mask
from golive_lib.known_answers import believe
from golive_lib.statement import Statement
from golive_lib.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta

    import pandas as pd

    from golive_lib.archive import Archive
    from golive_lib.engines import DuckUrl
    from golive_lib.plan import Plan
    from golive_lib.statement import Value

Config = dict[str, str | bool | int | float | list[str]]
# No row of a person's is written anywhere, nothing is fetched from anywhere, and integers divide as PostgreSQL's.
CONFIG: Config = {
    "temp_directory": "",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "integer_division": True,
}
_SETTINGS = "set timezone = 'UTC';\nset integer_division = true;\n"
_BOUND = re.compile(r"\$([a-z_]\w*)")
_TYPES = {
    "BIGINT": "int8",
    "INTEGER": "int4",
    "HUGEINT": "numeric",
    "DOUBLE": "float8",
    "FLOAT": "float4",
    "BOOLEAN": "bool",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIMESTAMP": "timestamp",
    "DATE": "date",
    "UUID": "uuid",
    "INTERVAL": "interval",
}
_KEPT_AS_TEXT = {"uuid": "uuid", "time": "time", "jsonb": "json"}  # in the archive, and what DuckDB calls them


class DuckSnapshot:
    """The days an archive held when it was opened: they never change."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, archive: Archive, limit: timedelta) -> None:
        self.cursor = cursor
        self.archive = archive
        self._limit = limit.total_seconds()
        self.clock = Clock(archive.until, fixed=True, last=archive.until.date() - DAY)

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, after which the snapshot goes on."""
        with self._ask(statement, duckdb_sql(statement), values):
            named = _columns(self.cursor)
            answer = self.cursor.fetchnumpy().values()
        return frame(named, zip(*(_plain(*each) for each in zip(named, answer, strict=True)), strict=True))

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns a statement would answer with, none of them a table's; raises QueryFailed."""
        with self._ask(statement, f"select * from ({duckdb_sql(statement)}) golive_origin limit 0", values):
            return tuple(Origin(name, type_, None, None) for name, type_ in _columns(self.cursor))

    @contextmanager
    def _ask(self, statement: Statement, sql: str, values: Mapping[str, Value]) -> Iterator[None]:
        """Run within the plan's time limit."""
        if lacks := lacking(self.archive, statement, values):
            raise QueryFailed(lacks, reason=lacks)
        timer = threading.Timer(self._limit, self.cursor.interrupt)
        timer.start()
        try:
            with waiting(str(statement.parts[-1].path) if statement.parts else "the archive"):
                self.cursor.execute(sql, {name: values[name] for name in _BOUND.findall(sql) if name in values})
                yield
        except duckdb.Error as error:
            raise _failure(error, statement) from None
        except KeyboardInterrupt:
            raise Stopped from None
        finally:
            timer.cancel()


class DuckDB:
    """An archive to read from through DuckDB: opened and examined on the first question."""

    def __init__(self, url: DuckUrl, plan: Plan, config: Config = CONFIG) -> None:
        self.url = url
        self._plan = plan
        self._config = config
        self._opened: tuple[duckdb.DuckDBPyConnection, Archive] | None = None

    def __repr__(self) -> str:
        return f"DuckDB({self.url})"

    @contextmanager
    def snapshot(self) -> Iterator[DuckSnapshot]:
        """Open the archive's days.

        Raises DatabaseError for a folder that is no archive, one without a day, and a DuckDB that answers known
        questions otherwise than PostgreSQL.
        """
        try:
            connection, archive = self._opened or self._open()
            asked = DuckSnapshot(connection.cursor(), archive, self._plan.database.statement_timeout)
        except (ArchiveError, duckdb.Error) as error:
            raise DatabaseError(str(error)) from None
        with asked.cursor:
            if not self._opened:
                believe(self.url, asked.frame)
                self._opened = connection, archive
                weakref.finalize(self, connection.close)
            yield asked

    def _open(self) -> tuple[duckdb.DuckDBPyConnection, Archive]:
        archive = open_archive(self.url.folder)
        if whose := foreign(archive, self._plan.name, self._plan.timezone):
            raise ArchiveError(f"{self.url.folder}: {whose}")
        connection = duckdb.connect(config=dict(self._config))
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"create schema {SCHEMA}")
        for source in archive.sources:
            if archive.days(source):
                connection.execute(_view(archive, source))
        connection.execute(f"set allowed_directories = [{_text(f'{self.url.folder.resolve()}/')}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        return connection, archive

    def sql(self, statement: Statement, values: Mapping[str, Value]) -> str:
        """Return a statement with its values written in, as DuckDB's command line runs it; raises QueryFailed."""
        written = Statement(statement.client_sql(values), {}, statement.parts)

        archive = self._opened[1] if self._opened else open_archive(self.url.folder)

        def files(source: re.Match[str]) -> str:
            if not archive.days(source[1]):
                reason = absent(archive, source[1])
                raise QueryFailed(reason, reason=reason)
            there = (self.url.folder / file.relative_to(archive.folder) for file in archive.files(source[1]))
            return f"read_parquet([{', '.join(_text(str(file)) for file in there)}], hive_partitioning = false)"

        return _SETTINGS + READ.sub(files, duckdb_sql(written, pretty=True))

    def close(self) -> None:
        """Close the archive; the next snapshot opens it again, with the days that are there by then."""
        if self._opened:
            self._opened[0].close()
            self._opened = None


@atexit.register
def _end_quietly() -> None:
    """Let DuckDB's binding say nothing at the very end: it counts what other libraries still hold as its own leaks."""
    sys.stderr.flush()
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _view(archive: Archive, source: str) -> str:
    files = ", ".join(_text(escape(str(file.resolve()))) for file in archive.files(source))
    typed = [(name, _KEPT_AS_TEXT[type_]) for name, type_ in archive.columns(source) if type_ in _KEPT_AS_TEXT]
    casts = ", ".join(f'cast("{name}" as {type_}) as "{name}"' for name, type_ in typed)
    star = f"* replace ({casts})" if casts else "*"
    return f'create view {SCHEMA}."{source}" as select {star} from read_parquet([{files}], hive_partitioning = false)'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return the name and PostgreSQL's type of each column of the answer."""
    described = ((name, str(type_)) for name, type_, *_ in connection.description or ())
    return [(name, _TYPES.get(kind, "numeric" if kind.startswith("DECIMAL") else "text")) for name, kind in described]


def _plain(named: tuple[str, str], column: Any) -> Iterable[Any]:  # noqa: ANN401  numpy's, masked or not
    """Return a column's values as PostgreSQL's driver gives them."""
    name, type_ = named
    values = column.tolist()
    if type_ in {"timestamptz", "timestamp", "date"} and any(isinstance(value, int) for value in values):
        reason = f"an answer cannot be read: {name!r} holds infinity, or an instant past the year 9999"
        raise QueryFailed(reason, reason=reason)
    if type_ == "date":
        return [value.date() if isinstance(value, datetime) else value for value in values]
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


def _failure(error: duckdb.Error, statement: Statement) -> QueryFailed:
    """Turn DuckDB's error into the reason of an unknown, with the file it is about."""
    said = mask(" ".join(str(error).partition("\n")[0].partition(": ")[2].split()))
    if isinstance(error, duckdb.InterruptException):
        said = "ask for fewer hours, or raise [database] statement_timeout in the plan; an archive has no index"
    kinds = {
        duckdb.InterruptException: "stopped by the statement timeout",
        duckdb.CatalogException: "table missing",
        duckdb.BinderException: "column missing",
    }
    words = f"{next((words for kind, words in kinds.items() if isinstance(error, kind)), 'query failed')}: {said}"
    where = f" ({statement.parts[-1].path})" if statement.parts else ""
    return QueryFailed(f"{words}{where}", reason=f"{words}{where}")
