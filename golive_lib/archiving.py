"""``golive archive``: each closed day of a source copied from one snapshot to Parquet, and proven before it counts."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from golive_lib.archive import DAY, MANIFEST, MANIFESTS, OWNER, OWNERS, ROWS, Kept, Owner
from golive_lib.archive import midnight, open_archive, other_columns, place, read_kept, read_owner
from golive_lib.archive_figures import DUCKDB, KEPT_AS, POSTGRES, figures, figures_sql, quoted
from golive_lib.errors import ArchiveError, QueryFailed, UsageError
from golive_lib.formats import mask
from golive_lib.manifest import digest, settle
from golive_lib.query import enclose
from golive_lib.storage_manifest import bounded_duckdb, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from golive_lib.archive import Archive, Columns, Figures
    from golive_lib.db import Clock, Snapshot
    from golive_lib.launch import Launch
    from golive_lib.query import Query
    from golive_lib.statement import Statement, Value

    Say = Callable[[str], object]

CHUNK = 20_000
MOST_DAYS = 1_100  # of a first row years ago, which may be a slip: then somebody names the first day
UNFINISHED = ".archive-"
_RELATION = "golive_rows"
_TYPES = {"golive_since": "timestamptz", "golive_until": "timestamptz"}


@dataclass(frozen=True)
class Asked:
    """Which days, both included, and which sources; by default all there are, and those the plan's KPIs read."""

    since: date | None = None
    until: date | None = None
    sources: tuple[str, ...] = ()


@dataclass
class Done:
    """What came of a run: days and rows ``written``, days ``there`` already, the first day not ``closed``, failures."""

    closed: date  # the last closed day
    today: date
    written: int = 0
    rows: int = 0
    there: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A source whose rows belong to days: by their instant ``at``, or by the ``day`` they carry."""

    name: str
    query: Query
    key: str

    def days(self, first: date, end: datetime, launch: Launch) -> Iterator[date]:
        """Yield the days up to an instant; those that rows carry are the launch's, so that one may go beyond."""
        last = (end - DAY).date() if self.key == "at" else end.astimezone(launch.zone).date()
        return (first + i * DAY for i in range((last - first).days + 1))

    def statement(self, launch: Launch, tail: str) -> Statement:
        """Return a question to the source's rows."""
        return enclose(self.query, launch.queries, _RELATION, tail, _TYPES)

    @property
    def of_day(self) -> str:
        """The relation of one day's rows."""
        cast = "" if self.key == "at" else "::date"
        key = quoted(self.key)
        return f"{_RELATION} where {key} >= :golive_since{cast} and {key} < :golive_until{cast}"


def archive_days(launch: Launch, folder: Path, asked: Asked, say: Say = lambda _: None) -> Done:
    """Archive the closed days that are not there yet, each from one snapshot.

    A source that cannot be archived is among ``failures``, and the others go on. Raises UsageError for what cannot be
    asked, ArchiveError for a folder of another launch and for whatever keeps files from being written: every day that
    is there by then is whole.
    """
    with _written_in(folder) as work:
        _claim(launch, folder)
        archive = open_archive(folder)
        sources = chosen(launch, asked.sources or _usual(launch, archive))
        with launch.postgres.snapshot() as snapshot:
            done = Done(_last_closed(launch, snapshot.clock), snapshot.clock.now.date())
            first = asked.since or _first(launch, snapshot, archive, sources)
        end = midnight(min(asked.until or done.closed, done.closed) + DAY)
        with bounded_duckdb(work) as connection:
            connection.execute("set timezone = 'UTC'")
            for source in sources if first else ():
                copy = _Copy(launch, archive, source, connection, work)
                _archive(copy, source.days(first, end, launch), done, say)
        return done


def _archive(copy: _Copy, days: Iterator[date], done: Done, say: Say) -> None:
    there = copy.archive.days(copy.source.name)
    for day in days:
        if day in there:
            done.there += 1
            continue
        try:
            done.rows += copy.keep(day, say)
        except (QueryFailed, ArchiveError) as error:
            done.failures.append(f"{copy.source.name} of {day}: {error}")
            return
        done.written += 1


def changed_days(launch: Launch, archive: Archive, asked: Asked, say: Say = lambda _: None) -> tuple[int, list[str]]:
    """Ask the database again; return how many whole days it was asked for, and those it answers otherwise today."""
    _same(launch, archive.owner, archive.folder)
    compared, changed = 0, list[str]()
    for source in chosen(launch, asked.sources or archive.sources):
        for day, kept in archive.kept.get(source.name, {}).items():
            if (asked.since and day < asked.since) or (asked.until and day > asked.until):
                continue
            say(f"{source.name} of {day}")
            compared += 1
            try:
                _same_columns(source, kept.columns)
                with launch.postgres.snapshot() as snapshot:
                    differing = kept.checks.differ(_figures(launch, snapshot, source, day))
            except (QueryFailed, ArchiveError) as error:
                differing = str(error)
            if differing:
                changed.append(f"{source.name} of {day}: {differing}")
    return compared, changed


def chosen(launch: Launch, names: Sequence[str]) -> list[Source]:
    """Return sources by name; raises UsageError for an unknown one, and one whose rows belong to no day."""
    found = []
    for name in names:
        query = launch.queries.get(f"sources/{name}")
        key = _key(query) if query else ""
        if not query or not key:
            there = ", ".join(n[8:] for n, each in sorted(launch.queries.items()) if n[:8] == "sources/" and _key(each))
            why = "has neither 'at timestamptz' nor 'day date', so its rows belong to no day" if query else "is none"
            raise UsageError(f"source {name!r} {why}; there are {there}")
        found.append(Source(name, query, key))
    return found


def _key(query: Query) -> str:
    columns = dict(query.columns)
    return "at" if columns.get("at") == "timestamptz" else "day" if columns.get("day") == "date" else ""


def _usual(launch: Launch, archive: Archive) -> list[str]:
    """Name what the plan's KPIs and due events read, and what the archive holds anyway."""
    asked = [launch.query(each.query) for each in (*launch.plan.kpis.values(), *launch.plan.due.values())]
    return sorted({*archive.sources, *(source for query in asked for source in query.sources)})


def _last_closed(launch: Launch, clock: Clock) -> date:
    return (clock.now - launch.plan.archive.settle).date() - DAY


def _first(launch: Launch, snapshot: Snapshot, archive: Archive, sources: Sequence[Source]) -> date | None:
    """Return the archive's first day, else that of the first row of all: before its own a source is known to be empty."""
    if days := [day for source in archive.sources for day in archive.days(source)]:
        return min(days)
    found = []
    for source in sources:
        key = quoted(source.key)
        tail = f"select min({key})::date::text as first from {_RELATION} where {key} >= '0001-01-01' and {key} < '9999-12-31'"
        try:
            found += (
                snapshot.frame(source.statement(launch, tail), {})["first"].dropna().map(date.fromisoformat).tolist()
            )
        except QueryFailed:  # it is said when its days are asked for
            continue
    first = min(found, default=None)
    if first and (days := (snapshot.clock.now.date() - first).days) > MOST_DAYS:
        raise UsageError(f"the first row is of {first}, which makes {days:,} days; name the first one with --since")
    return first


def _figures(launch: Launch, snapshot: Snapshot, source: Source, day: date) -> Figures:
    statement = source.statement(launch, figures_sql(source.query.columns, source.of_day, POSTGRES))
    return figures(source.query.columns, snapshot.frame(statement, _bounds(day)).iloc[0].tolist())


def _bounds(day: date) -> dict[str, Value]:
    return {"golive_since": midnight(day).isoformat(), "golive_until": midnight(day + DAY).isoformat()}


@dataclass(frozen=True)
class _Copy:
    """The work on one source."""

    launch: Launch
    archive: Archive
    source: Source
    connection: duckdb.DuckDBPyConnection
    work: Path

    @property
    def columns(self) -> Columns:
        return self.source.query.columns

    def keep(self, day: date, say: Say) -> int:
        """Archive one day and return its rows."""
        folder = place(self.archive.folder, self.source.name, day)
        before = read_kept(folder)
        if self.archive.days(self.source.name):
            _same_columns(self.source, self.archive.columns(self.source.name))
        drafted = self.work / ROWS
        with self.launch.postgres.snapshot() as snapshot:
            now = snapshot.clock.now
            wanted = _figures(self.launch, snapshot, self.source, day)
            if before and (gone := before.checks.differ(wanted)):
                raise ArchiveError(
                    f"its file is lost or was changed, and the database holds {gone}; remove {folder} to archive that"
                )
            self._copy(snapshot, day, drafted)
        self._prove(drafted, wanted)
        kept = Kept(rows=wanted.rows, sha256=digest(drafted), columns=self.columns, checks=wanted, closed_at=now)
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
        _place(drafted, folder)
        say(f"{self.source.name} of {day}: {kept.rows:,} rows")
        draft = self.work / MANIFEST
        draft.write_bytes(MANIFESTS.dump_json(kept, indent=2))
        _place(draft, folder)
        return kept.rows

    def _copy(self, snapshot: Snapshot, day: date, file: Path) -> None:
        """Stream a day's rows as text, which loses nothing, and give each column its type in DuckDB."""
        named = [(quoted(name), KEPT_AS.get(type_, "varchar")) for name, type_ in self.columns]
        texts = ", ".join(f"{name}::text as {name}" for name, _ in named)
        typed = ", ".join(f"cast({name} as {type_}) as {name}" for name, type_ in named)
        self.connection.execute(f"create or replace table day ({', '.join(' '.join(each) for each in named)})")
        statement = self.source.statement(self.launch, f"select {texts} from {self.source.of_day}")
        with closing(snapshot.chunks(statement, _bounds(day), CHUNK)) as chunks:
            for chunk in chunks:
                self.connection.register("chunk", chunk)
                try:
                    self.connection.execute(f"insert into day select {typed} from chunk")
                except (duckdb.ConversionException, duckdb.OutOfRangeException) as error:
                    said = mask(str(error).partition("\n")[0])
                    raise ArchiveError(f"a value cannot be kept as it is: {said}") from None
        order = quoted(self.source.key)
        options = "format parquet, compression zstd"
        self.connection.execute(f"copy (from day order by {order}) to $file ({options})", {"file": str(file)})
        self.connection.execute("drop table day")

    def _prove(self, file: Path, wanted: Figures) -> None:
        rows = "read_parquet($file, hive_partitioning = false)"
        answer = self.connection.execute(figures_sql(self.columns, rows, DUCKDB), {"file": str(file)}).fetchone()
        if differing := wanted.differ(figures(self.columns, answer or ())):
            file.unlink()
            raise ArchiveError(f"read back from its file it has {differing}; nothing was kept of it")


def _place(draft: Path, folder: Path) -> None:
    draft.chmod(0o600)
    settle(draft)
    draft.rename(folder / draft.name)
    settle(folder)


@contextmanager
def _written_in(folder: Path) -> Iterator[Path]:
    try:
        with workspace(folder, UNFINISHED) as work:
            yield work
    except (OSError, duckdb.Error) as error:
        words = " ".join(str(error).split())
        raise ArchiveError(
            f"{folder}: no more can be archived there; the days that are there are whole: {words}\n"
            "  next: make room there, or name another folder"
        ) from None


def _claim(launch: Launch, folder: Path) -> None:
    """Say whose archive an empty folder is; raises ArchiveError for that of another, or one that holds other things."""
    if (folder / OWNER).exists():
        _same(launch, read_owner(folder), folder)
        return
    if strange := sorted(each.name for each in folder.iterdir() if not each.name.startswith(".")):
        raise ArchiveError(f"{folder}: is no archive and not empty, for there is {strange[0]}; name another folder")
    owner = Owner(launch=launch.plan.name, database=launch.postgres.url.identity, timezone=launch.plan.timezone)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder) as work:
        draft = Path(work) / OWNER
        draft.write_bytes(OWNERS.dump_json(owner, indent=2))
        _place(draft, folder)


def _same(launch: Launch, owner: Owner, folder: Path) -> None:
    ours = (launch.plan.name, launch.postgres.url.identity, launch.plan.timezone)
    if ours != (owner.launch, owner.database, owner.timezone):
        held = f"{owner.launch!r} on {owner.database}, {owner.timezone}"
        raise ArchiveError(f"{folder}: is the archive of {held}, not of {ours[0]!r} on {ours[1]}, {ours[2]}")


def _same_columns(source: Source, columns: Columns) -> None:
    if source.query.columns != columns:
        differing = other_columns(source.query.columns, columns)
        raise ArchiveError(f"{source.query.path} has other columns than the archive: {differing}; use another folder")
