"""An archive asked through Spark Connect: the cluster reads the days and counts, what comes back is a small frame.

The kit needs only the thin client. The archive's folder is as the cluster sees it; nothing of it is read from here.
"""

from __future__ import annotations

import re
import socket
import threading
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]  # stubs are no dependency for one call
from pyspark.errors import PySparkException, RetriesExceeded
from pyspark.logger import PySparkLogger
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from golive_lib.answers import Origin, frame
from golive_lib.archive import DAY
from golive_lib.clock import Clock
from golive_lib.db import CONNECT_TIMEOUT_S, meaning
from golive_lib.engines import READ, SCHEMA, foreign, lacking
from golive_lib.errors import DatabaseError, QueryFailed, SettingsError, Stopped
from golive_lib.formats import mask
from golive_lib.known_answers import believe
from golive_lib.settings import spark_secrets
from golive_lib.spark_archive import one_path, read_archive, show
from golive_lib.spark_sql import spark_sql
from golive_lib.statement import Statement
from golive_lib.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pandas as pd
    from pyspark.sql import DataFrame

    from golive_lib.archive import Archive
    from golive_lib.engines import SparkUrl
    from golive_lib.plan import Plan
    from golive_lib.settings import Secret
    from golive_lib.statement import Value

# They print each failure with its stack, beside the error that is raised.
_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger", "pyspark.sql.connect.logging")
OLDEST = (4, 0)  # what the tests run on; 3.5 knows no lateral join of these shapes
GRACE_S = 30.0  # for a cluster to stop what it was told to
RETRIES = 4  # of a connection that breaks: some seconds, not the client's ten minutes
_NOISE = re.compile(r"(?s)\s*(SQLSTATE:|JVM stacktrace:|Driver stacktrace:|\n\s*at |\n==|\n\n).*")
_VIEW = re.compile(rf"\b{SCHEMA}_(\w+)")
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.caseSensitive": "false",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",  # a task per day costs more than it lists
}
_TYPES = {
    "boolean": "bool",
    "tinyint": "int2",
    "smallint": "int2",
    "int": "int4",
    "bigint": "int8",
    "float": "float4",
    "double": "float8",
    "timestamp": "timestamptz",
    "timestamp_ntz": "timestamp",
}


class SparkSnapshot:
    """An archive as it was when the engine connected: its days do not change, so every question sees the same rows."""

    def __init__(self, engine: SparkEngine, session: SparkSession, archive: Archive) -> None:
        self._engine = engine
        self._session = session
        self.archive = archive
        self._views: set[str] = set()
        self.clock = Clock(archive.until, fixed=True, last=archive.until.date() - DAY)

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, after which the snapshot goes on."""
        with self._asking(statement):
            answer = self._data(statement, values)
            table = answer.toArrow()
            named = [(one.name, _type(one.dataType.simpleString())) for one in answer.schema.fields]
        return frame(named, zip(*(column.to_pylist() for column in table.columns), strict=True))

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns a statement would answer with, reading no row; raises QueryFailed."""
        with self._asking(statement):
            fields = self._data(statement, values).schema.fields
        return tuple(Origin(one.name, _type(one.dataType.simpleString()), None, None) for one in fields)

    def _data(self, statement: Statement, values: Mapping[str, Value]) -> DataFrame:
        if lacks := lacking(self.archive, statement, values):
            raise QueryFailed(lacks, reason=lacks)
        sql = spark_sql(statement)
        for source in sorted({*READ.findall(statement.sql)} - self._views):
            show(self._session, self.archive, self._engine.url.archive, source)
            self._views.add(source)
        return self._session.sql(sql, args={name: values[name] for name in statement.types if name in values})

    @contextmanager
    def _asking(self, statement: Statement) -> Iterator[None]:
        """Stop what takes too long, on the cluster too, and turn its errors into the kit's.

        A server that does not even stop what it is told to is given up: it may be frozen, or behind a dead line.
        """
        late, deaf = self._engine.timeout_s, self._engine.timeout_s + self._engine.grace_s
        given_up = threading.Event()

        def hang_up() -> None:
            given_up.set()
            self._session.client._channel.close()  # noqa: SLF001  the client's own close asks the server first

        timers = _daemon(late, self._interrupt), _daemon(deaf, hang_up)
        try:
            with waiting(str(statement.parts[-1].path) if statement.parts else "Spark"):
                yield
        except (PySparkException, grpc.RpcError, ValueError) as error:
            if given_up.is_set():
                raise self._engine.lost() from None
            if not isinstance(error, PySparkException):
                raise
            raise self._engine.failure(error) from None
        except KeyboardInterrupt:
            _daemon(0, self._interrupt).join(self._engine.grace_s)
            raise Stopped from None
        finally:
            for timer in timers:
                timer.cancel()

    def _interrupt(self) -> None:
        with suppress(PySparkException, grpc.RpcError, ValueError):  # of a server that has gone
            self._session.interruptAll()


class SparkEngine:
    """Spark over an archive: connected on the first question, and believed once it answers as PostgreSQL does."""

    def __init__(
        self, url: SparkUrl, plan: Plan, *, token: Secret | None = None, wait_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        self.url = url
        self.timeout_s = plan.database.statement_timeout.total_seconds()
        self._plan = plan
        self._token = token
        self.wait_s = wait_s
        self.grace_s = GRACE_S
        self._open: tuple[SparkSession, SparkSnapshot] | None = None

    def __repr__(self) -> str:
        return f"SparkEngine({self.url})"

    @property
    def session(self) -> SparkSession | None:
        """Spark's own session while it is open, for what the kit does not ask."""
        return self._open[0] if self._open else None

    @contextmanager
    def snapshot(self) -> Iterator[SparkSnapshot]:
        """Open the archive as it stood when this engine first connected.

        Raises DatabaseError when Spark cannot be reached, is too old or answers otherwise than PostgreSQL,
        ArchiveError when the cluster sees no archive there.
        """
        if self._open is None:
            self._open = self._connect()
        yield self._open[1]

    def sql(self, statement: Statement, values: Mapping[str, Value]) -> str:
        """Return a statement with its values written in, as spark-sql runs it; raises QueryFailed."""
        written = spark_sql(Statement(statement.client_sql(values), {}, statement.parts))
        with self.snapshot() as asked:
            archive = asked.archive
        return _VIEW.sub(lambda found: f"parquet.`{one_path(archive, self.url.archive, found[1])}`", written)

    def close(self) -> None:
        """Let the session go; the next snapshot opens another, and sees the days archived since."""
        if self._open:
            _stop(self._open[0])
        self._open = None

    def failure(self, error: Exception) -> DatabaseError:
        """Turn the client's error into a reason in one line, without the cluster's stack.

        Of a server that has gone, or has begun anew without this session, the next snapshot asks for another.
        """
        state = getattr(error, "getSqlState", lambda: None)()
        words = mask(self._scrub(" ".join(_NOISE.sub("", str(error)).split()))) or type(error).__name__
        gone = isinstance(error, RetriesExceeded) or "[INVALID_HANDLE.SESSION" in words
        if gone or (state is None and not words.startswith("[")):
            return self.lost()
        state = {"HY008": "57014"}.get(state or "", state or "")
        reason = meaning(state, words)
        return QueryFailed(reason, reason=reason, sqlstate=state)

    def lost(self) -> DatabaseError:
        """Let a session go whose server has gone, and say so."""
        self._open = None
        words = f"{self.url}: the connection was lost"
        return DatabaseError(f"{words}\n  next: ask again; is Spark Connect still running there?")

    def _connect(self) -> tuple[SparkSession, SparkSnapshot]:
        for name in _LOGGERS:
            PySparkLogger.getLogger(name).disabled = True
        try:
            builder = DefaultChannelBuilder(self.url.remote.reveal())
        except PySparkException:
            words = f"the address of Spark on {self.url.place} has an option that is no 'key=value'"
            raise SettingsError(words) from None
        if self._token:
            builder.set("token", self._token.reveal())
        session = self._reach(builder)
        try:
            return session, self._believed(session)
        except PySparkException as error:
            _stop(session)
            raise self.failure(error) from None
        except BaseException:
            _stop(session)
            raise

    def _reach(self, builder: DefaultChannelBuilder) -> SparkSession:
        """Open a session, or say within the time to connect why there is none."""
        host, _, port = builder.endpoint.rpartition(":")
        try:
            socket.create_connection((host, int(port)), self.wait_s).close()
        except OSError as error:
            words = f"{self.url}: {error.strerror or error}"
            raise DatabaseError(f"{words}\n  next: is Spark Connect running, and is this its port (15002)?") from None
        session = SparkSession(connection=builder)
        try:
            grpc.channel_ready_future(session.client._channel).result(self.wait_s)  # noqa: SLF001  there is no other
        except grpc.FutureTimeoutError:
            session.client.close()
            words = f"{self.url}: what listens there does not answer as Spark Connect"
            raise DatabaseError(f"{words}\n  next: check the port, and use_ssl=true in the address") from None
        session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES)])
        return session

    def _believed(self, session: SparkSession) -> SparkSnapshot:
        version = session.version
        if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise DatabaseError(f"{self.url}: is Spark {version}; the kit needs {oldest} or newer")
        for name, value in _SETTINGS.items():
            session.conf.set(name, value)
        archive = read_archive(session, self.url.archive)
        if whose := foreign(archive, self._plan.name, self._plan.timezone):
            raise DatabaseError(f"{self.url}: {whose}")
        snapshot = SparkSnapshot(self, session, archive)
        believe(f"Spark {version} on {self.url.place}", snapshot.frame)
        return snapshot

    def _scrub(self, text: str) -> str:
        secrets = spark_secrets(self.url.remote.reveal())
        for secret in [*secrets, *([self._token.reveal()] if self._token else [])]:
            text = text.replace(secret, "•••")
        return text


def _daemon(seconds: float, function: Callable[[], object]) -> threading.Timer:
    """Start a timer that no process waits for at its end."""
    timer = threading.Timer(seconds, function)
    timer.daemon = True
    timer.start()
    return timer


def _stop(session: SparkSession) -> None:
    with warnings.catch_warnings(action="ignore"):  # it warns, in a way that is deprecated, of a server that has gone
        session.stop()


def _type(spark: str) -> str:
    return "numeric" if spark.startswith("decimal") else _TYPES.get(spark, "text")
