"""``golive archive``: each closed day of a source copied from one snapshot to Parquet, and proven before it counts."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from golive_lib import archive as kept
from golive_lib.archive_figures import DUCKDB, figures, figures_sql, quoted, typed_copy
from golive_lib.archive_sources import chosen, first_day, last_closed, usual
from golive_lib.engines import timed
from golive_lib.errors import ArchiveError, QueryFailed
from golive_lib.formats import mask
from golive_lib.manifest import digest, settle, workspace
from golive_lib.spanning import owner
from golive_lib.storage_manifest import bounded_duckdb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from pathlib import Path

    from golive_lib.archive import Archive, Columns, Figures, Owner
    from golive_lib.archive_sources import Source
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch

    Say = Callable[[str], object]

UNFINISHED = ".archive-"


@dataclass(frozen=True)
class Asked:
    """Which days, both included, and which sources; by default all there are, and those that the plan's KPIs read."""

    since: date | None = None
    until: date | None = None
    sources: tuple[str, ...] = ()


@dataclass
class Done:
    """What came of a run: days and rows ``written``, days ``there`` already, the last ``closed`` day, what failed."""

    closed: date
    today: date
    written: int = 0
    rows: int = 0
    there: int = 0
    failures: list[str] = field(default_factory=list)


def archive_days(launch: Launch, folder: Path, asked: Asked, say: Say = lambda _: None) -> Done:
    """Archive the closed days that are not there yet, each from one snapshot.

    A source that cannot be archived is among ``failures``, and the others go on. Raises UsageError for what cannot be
    asked, ArchiveError for a folder of another launch and for whatever keeps files from being written: every day that
    is there by then is whole.
    """
    with _written_in(folder) as work:
        _claim(launch, folder, work)
        archive = kept.open_archive(folder)
        sources = chosen(launch, asked.sources or usual(launch, archive))
        with launch.postgres.snapshot() as snapshot:
            done = Done(last_closed(launch, snapshot.clock), snapshot.clock.now.date())
            first, done.failures = (asked.since, []) if asked.since else first_day(snapshot, archive, sources)
        end = kept.midnight(min(asked.until or done.closed, done.closed) + kept.DAY)
        with bounded_duckdb(work) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set pandas_analyze_sample = 0")  # texts are texts, however few of a column are there
            copies = [_Copy(archive, source, connection, work) for source in sources] if first else []
            _archive([(day, copy) for copy in copies for day in copy.source.days(first or end.date(), end)], done, say)
        return done


def _archive(asked: Iterable[tuple[date, _Copy]], done: Done, say: Say) -> None:
    """Archive day by day, so that whoever judges meanwhile finds all sources at nearly the same end."""
    failed = set[str]()
    for day, copy in sorted(asked, key=lambda each: each[0]):
        name = copy.source.name
        if name not in failed:
            try:
                if day in copy.archive.days(name):
                    _same_source(copy.source, copy.archive.kept[name][day])
                    done.there += 1
                else:
                    done.rows += copy.keep(day, say)
                    done.written += 1
            except (QueryFailed, ArchiveError) as error:
                done.failures.append(f"{name} of {day}: {error}")
                failed.add(name)


def changed_days(launch: Launch, archive: Archive, asked: Asked, say: Say = lambda _: None) -> tuple[int, list[str]]:
    """Ask the database again; return of how many whole days, and what it says otherwise today."""
    _same(launch, archive.owner, archive.folder)
    compared, changed = 0, list[str]()
    for source in chosen(launch, asked.sources or archive.sources):
        changed += [f"{source.name} of {day}: missing" for day in _gaps(launch, archive, source.name)]
        for day, manifest in archive.kept.get(source.name, {}).items():
            if (asked.since and day < asked.since) or (asked.until and day > asked.until):
                continue
            compared += 1
            say(f"{source.name} of {day}")
            if differing := _changed(source, day, manifest):
                changed.append(f"{source.name} of {day}: {differing}")
    return compared, changed


def _gaps(launch: Launch, archive: Archive, source: str) -> list[date]:
    """Return the days between a source's first and the last of any like it that are not there at all."""
    alike = [name for name in archive.sources if _timed(launch, name) == _timed(launch, source)]
    known = {name: {*archive.days(name), *archive.broken.get(name, ())} for name in alike}
    first, last = min(known[source]), max(max(days) for days in known.values())
    return [day for i in range((last - first).days) if (day := first + (i + 1) * kept.DAY) not in known[source]]


def _timed(launch: Launch, source: str) -> bool:
    return timed(launch.queries.get(f"sources/{source}"))


def _changed(source: Source, day: date, manifest: kept.Kept) -> str:
    try:
        _same_source(source, manifest)
        with source.launch.postgres.snapshot() as snapshot:
            snapshot.unhurried()
            return manifest.checks.differ(source.figures(snapshot, day))
    except (QueryFailed, ArchiveError) as error:
        return str(error)


@dataclass(frozen=True)
class _Copy:
    """The work on one source."""

    archive: Archive
    source: Source
    connection: duckdb.DuckDBPyConnection
    work: Path

    @property
    def columns(self) -> Columns:
        return self.source.query.columns

    def keep(self, day: date, say: Say) -> int:
        """Archive one day and return its rows."""
        for there in self.archive.kept.get(self.source.name, {}).values():
            _same_source(self.source, there)
        folder, drafted = kept.place(self.archive.folder, self.source.name, day), self.work / kept.ROWS
        before = kept.read_kept(folder)
        with self.source.launch.postgres.snapshot() as snapshot:
            snapshot.unhurried()  # a day may have more rows than a minute can read
            now, wanted = snapshot.clock.now, self.source.figures(snapshot, day)
            earlier = self.source.earlier(snapshot, day)
            if before and (gone := before.checks.differ(wanted)):
                raise ArchiveError(
                    f"its file is lost or changed, and the database has {gone}; remove {folder} to archive what it has"
                )
            self._copy(snapshot, day, drafted)
        self._prove(drafted, wanted)
        for each in (folder.parent, folder):
            each.mkdir(mode=0o700, exist_ok=True)
        manifest = kept.Kept(
            owner=self.archive.owner,
            source=self.source.name,
            day=day,
            rows=wanted.rows,
            sha256=digest(drafted),
            columns=self.columns,
            checks=wanted,
            closed_at=now,
            made_by=kept.made_by(self.source.query),
            earlier=earlier,
        )
        _place(drafted, folder)
        say(f"{self.source.name} of {day}: {manifest.rows:,} rows")
        draft = self.work / kept.MANIFEST
        draft.write_bytes(kept.MANIFESTS.dump_json(manifest, indent=2))
        _place(draft, folder)
        return manifest.rows

    def _copy(self, snapshot: Snapshot, day: date, file: Path) -> None:
        """Stream a day's rows as text, which loses nothing, and give each column its type in DuckDB."""
        texts = ", ".join(f"{quoted(name)}::text as {quoted(name)}" for name, _ in self.columns)
        rows = self.work / "rows.csv"
        with rows.open("wb") as written, closing(snapshot.csv(*self.source.of_day(day, texts))) as blocks:
            written.writelines(blocks)
        values = {"file": str(file), "rows": str(rows), "columns": {name: "varchar" for name, _ in self.columns}}
        try:
            self.connection.execute(typed_copy(self.columns, self.source.key), values)
        except (duckdb.IOException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            raise ArchiveError(f"a value cannot be kept as it is: {_first_line(error)}") from None
        finally:
            rows.unlink()

    def _prove(self, file: Path, wanted: Figures) -> None:
        statement = figures_sql(self.columns, "read_parquet($file, hive_partitioning = false)", DUCKDB)
        answer = self.connection.execute(statement, {"file": str(file)}).fetchone()
        if differing := wanted.differ(figures(self.columns, answer or ())):
            file.unlink()
            raise ArchiveError(f"read back, its file has {differing}; nothing of it was kept")


def _place(draft: Path, folder: Path) -> None:
    """Give a file its place, on the disk and not in a cache alone."""
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
        raise ArchiveError(
            f"{folder}: no more can be archived there, and what is there is whole: {_first_line(error)}\n"
            "  next: make room there, or name another folder"
        ) from None


def _first_line(error: Exception) -> str:
    """Return what an error says first: on its other lines DuckDB shows the row."""
    return mask(str(error).partition("\n")[0])


def _claim(launch: Launch, folder: Path, work: Path) -> None:
    """Say whose archive an empty folder is; raises ArchiveError for that of another, or one that holds other things."""
    if (folder / kept.OWNER).exists():
        _same(launch, kept.read_owner(folder), folder)
        return
    if strange := sorted(each.name for each in folder.iterdir() if not each.name.startswith(".")):
        raise ArchiveError(f"{folder}: is no archive and not empty, for it has {strange[0]!r}; name another folder")
    draft = work / kept.OWNER
    draft.write_bytes(kept.OWNERS.dump_json(owner(launch), indent=2))
    _place(draft, folder)


def _same(launch: Launch, whose: Owner, folder: Path) -> None:
    if (ours := owner(launch)) != whose:
        raise ArchiveError(f"{folder}: is the archive of {whose}, not of {ours}; name another folder")


def _same_source(source: Source, manifest: kept.Kept) -> None:
    """Refuse a day that another SQL of the source made, by its columns where these differ already."""
    if source.query.columns != manifest.columns:
        differing = kept.other_columns(source.query.columns, manifest.columns)
        raise ArchiveError(f"{source.query.path} has other columns than the archive: {differing}; use another folder")
    if manifest.made_by != kept.made_by(source.query):
        words = f"the archive's days were made by another {source.query.path}"
        raise ArchiveError(f"{words}; archive them anew, into another folder")
