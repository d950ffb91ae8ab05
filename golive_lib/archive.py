"""The archive of closed days on disk, as it is read: a day without a sound manifest and file does not exist."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads it
from dataclasses import dataclass as plain
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from golive_lib.errors import ArchiveError
from golive_lib.manifest import file_fault
from golive_lib.plan_types import STRICT

if TYPE_CHECKING:
    from pathlib import Path

    from golive_lib.query import Query

OWNER, ROWS, MANIFEST = "archive.json", "rows.parquet", "manifest.json"
DAY = timedelta(days=1)

Columns = tuple[tuple[str, str], ...]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Owner:
    """Whose days an archive holds; ``database`` is ``DatabaseUrl.identity``, and ``timezone`` the plan's."""

    format: Literal[1] = 1
    launch: str
    database: str
    timezone: str

    def __str__(self) -> str:
        return f"{self.launch!r} on {self.database} in {self.timezone}"


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Figures:
    """What PostgreSQL and DuckDB say alike of the same rows, in whatever order.

    ``whole`` is a sum of the rows' hashes; of each column it is the values that are not null, and a sum of theirs.
    """

    rows: int
    whole: str
    columns: dict[str, tuple[int, str]]

    def differ(self, other: Figures) -> str:
        """Say how other rows differ from these; empty when they are the same ones."""
        if self == other:
            return ""
        named = [name for name, figures in self.columns.items() if other.columns.get(name) != figures]
        where = f"other values in {', '.join(named)}" if named else "its values belong to other rows"
        return where if other.rows == self.rows else f"{other.rows:,} rows, not {self.rows:,}"


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Kept:
    """One day of a source: whose it is, the digest of its file, and PostgreSQL's ``checks`` at ``closed_at``.

    ``made_by`` is the digest of the source's SQL, ``earlier`` whether the source had rows before this day.
    """

    owner: Owner
    source: str
    day: date
    rows: int
    sha256: str
    columns: Columns
    checks: Figures
    closed_at: AwareDatetime
    made_by: str
    earlier: bool

    def misplaced(self, owner: Owner, source: str, day: date) -> str:
        """Say what it is of instead, where it lies among other days; empty where it belongs."""
        if (self.source, self.day) != (source, day):
            return f"its {MANIFEST} is that of {self.source} of {self.day}"
        if self.owner != owner:
            return f"its {MANIFEST} is of {self.owner}, not of {owner}"
        return "" if self.rows == self.checks.rows else f"its {MANIFEST} contradicts itself"


def made_by(source: Query) -> str:
    """Return the digest of a source's SQL: what its rows mean changes with it."""
    return sha256(source.body.encode()).hexdigest()


OWNERS: TypeAdapter[Owner] = TypeAdapter(Owner)
MANIFESTS: TypeAdapter[Kept] = TypeAdapter(Kept)


@plain(frozen=True)
class Archive:
    """The whole days of each source in a folder, and why each ``broken`` one is not.

    A source's day is UTC's for rows with an instant ``at``, and the row's own ``day`` for others. Read the files
    without taking columns from the folders' names.
    """

    folder: Path
    owner: Owner
    kept: Mapping[str, Mapping[date, Kept]]
    broken: Mapping[str, Mapping[date, str]]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that have days, even if none of them is whole."""
        return tuple(self.kept)

    @property
    def problems(self) -> tuple[str, ...]:
        """Every day that counts as missing although something of it is there, with what is wrong."""
        return tuple(f"{name} of {day}: {why}" for name, days in self.broken.items() for day, why in days.items())

    @property
    def begins(self) -> date | None:
        """The first day of any source, whole or broken."""
        return min(
            (day for sources in (self.kept, self.broken) for days in sources.values() for day in days), default=None
        )

    def columns(self, source: str) -> Columns:
        """Return a source's columns with their types, as its query declared them; raises ArchiveError for no day."""
        return next(iter(self._days(source).values())).columns

    def days(self, source: str) -> tuple[date, ...]:
        """Return a source's whole days in order; those between that are not there are missing, not empty."""
        return tuple(self.kept.get(source, {}))

    def files(self, source: str) -> tuple[Path, ...]:
        """Return the file of each of those days, in their order."""
        return tuple(place(self.folder, source, day) / ROWS for day in self.days(source))

    @property
    def first(self) -> datetime:
        """The instant from which all sources are there; raises ArchiveError when one of them has no day."""
        return max(midnight(min(self._days(source))) for source in self._all())

    @property
    def until(self) -> datetime:
        """The instant up to which all sources are there, the end of the last day that all have; raises as ``first``."""
        return min(midnight(max(self._days(source)) + DAY) for source in self._all())

    def _all(self) -> tuple[str, ...]:
        if not self.sources:
            raise ArchiveError(f"{self.folder}: no day has been archived yet; run 'golive archive'")
        return self.sources

    def _days(self, source: str) -> Mapping[date, Kept]:
        if not self.days(source):
            raise ArchiveError(f"{self.folder}: there is no whole day of {source}; run 'golive archive'")
        return self.kept[source]


def midnight(day: date) -> datetime:
    """Return the instant a UTC day begins."""
    return datetime.combine(day, time(), UTC)


def place(folder: Path, source: str, day: date) -> Path:
    """Return the folder of one day of a source."""
    return folder / source / f"day={day.isoformat()}"


def open_archive(folder: Path) -> Archive:
    """Read what an archive holds, every file's SHA-256 included; raises ArchiveError when the folder is none."""
    owner = read_owner(folder)
    kept: dict[str, Mapping[date, Kept]] = {}
    broken: dict[str, Mapping[date, str]] = {}
    try:
        for path in sorted({each.parent for each in folder.glob("*/day=????-??-??")}):
            kept[path.name], broken[path.name] = _source(path, owner)
    except OSError as error:
        raise ArchiveError(f"{error.filename}: the archive cannot be read: {error.strerror}") from None
    return Archive(folder, owner, kept, broken)


def read_owner(folder: Path) -> Owner:
    """Return whose archive a folder is; raises ArchiveError when it is none."""
    try:
        return OWNERS.validate_json((folder / OWNER).read_bytes())
    except FileNotFoundError:
        raise ArchiveError(f"{folder}: is no archive, for there is no {OWNER}; 'golive archive' makes one") from None
    except OSError as error:
        raise ArchiveError(f"{folder / OWNER}: cannot be read: {error.strerror}") from None
    except ValidationError:
        raise ArchiveError(f"{folder / OWNER}: is not what this version of golive writes; name another") from None


def read_kept(path: Path) -> Kept | None:
    """Return the manifest of a day's folder, None when it is missing or torn; raises OSError for any other reason."""
    try:
        return MANIFESTS.validate_json((path / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _source(path: Path, owner: Owner) -> tuple[dict[date, Kept], dict[date, str]]:
    """Return the whole days of a source, those with the newest one's columns, and what is wrong with the others."""
    whole: dict[date, Kept] = {}
    broken: dict[date, str] = {}
    for each in sorted(path.glob("day=????-??-??")):
        try:
            day, kept = date.fromisoformat(each.name.removeprefix("day=")), read_kept(each)
        except ValueError:
            raise ArchiveError(f"{each}: is no day of the archive; take it away") from None
        if kept is None:
            broken[day] = f"half-written: it has no sound {MANIFEST}"
        elif fault := kept.misplaced(owner, path.name, day):
            broken[day] = fault
        elif fault := file_fault(each / ROWS, kept.sha256):
            broken[day] = f"its {ROWS} {fault}"
        else:
            whole[day] = kept
    columns = whole[max(whole)].columns if whole else ()
    other = {day: kept.columns for day, kept in whole.items() if kept.columns != columns}
    broken |= {day: f"other columns than the newest day: {other_columns(had, columns)}" for day, had in other.items()}
    return {day: kept for day, kept in whole.items() if day not in other}, dict(sorted(broken.items()))


def other_columns(these: Columns, those: Columns) -> str:
    """Name the columns that only one side has, or has by another type; else say that their order differs."""
    differing = sorted({f"{name} {type_}" for name, type_ in set(these) ^ set(those)})
    return ", ".join(differing) or "in another order"
