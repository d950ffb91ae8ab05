"""What a launch is judged from: the app's PostgreSQL, or an archive of its rows on another engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from golive_lib.archive import DAY, made_by
from golive_lib.errors import SettingsError
from golive_lib.plan_types import instant
from golive_lib.settings import ARCHIVE, DatabaseUrl, Secret, is_url, parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pandas as pd

    from golive_lib.answers import Origin
    from golive_lib.archive import Archive
    from golive_lib.clock import Clock
    from golive_lib.query import Query
    from golive_lib.statement import Statement, Value

SCHEMA = "golive_archive"  # where an engine keeps the archive's views, one per source
BEFORE = "golive_before"  # the value that says where the rows end that an archive is asked for, if it goes on elsewhere
_INSTANT = timedelta(microseconds=1)
_MADE = re.compile(rf'{SCHEMA}\."(\w+)" /\* (\w+) \*/')
READ = re.compile(rf'{SCHEMA}\."(\w+)"')
_SPARK = re.compile(r"sc://(?P<place>(?:\[[0-9a-fA-F:]+\]|[^/:;@\s]+)(?::\d{1,5})?)/?(?P<options>(?:;[^;\s]*)*);?")


class Asked(Protocol):
    """What a snapshot answers; everything asked of one sees the same rows."""

    clock: Clock

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, after which the snapshot goes on."""

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns a statement would answer with, reading no row; raises QueryFailed."""


class AskedOfArchive(Asked, Protocol):
    """What an archive's snapshot answers."""

    @property
    def archive(self) -> Archive:
        """Whose days there are, and which."""


class Engine(Protocol):
    """Whatever answers the kit's statements, which are PostgreSQL's, as PostgreSQL would."""

    @property
    def url(self) -> object:
        """Where it is; its ``str()`` is for people and holds no secret."""

    def snapshot(self) -> AbstractContextManager[Asked]:
        """Open one consistent view; raises DatabaseError."""

    def sql(self, statement: Statement, values: Mapping[str, Value]) -> str:
        """Return a statement with its values written in, as a client of this engine runs it; raises QueryFailed."""

    def close(self) -> None:
        """Let go of what is open; the next snapshot opens it again."""


class ArchiveEngine(Engine, Protocol):
    """An engine that answers from an archive."""

    def snapshot(self) -> AbstractContextManager[AskedOfArchive]:
        """Open the archive's days; raises DatabaseError."""


@dataclass(frozen=True)
class DuckUrl:
    """An archive in a folder, asked through DuckDB: ``duckdb:FOLDER``."""

    folder: Path

    def __str__(self) -> str:
        return f"the archive {self.folder.resolve().name}, by DuckDB"

    def environment(self) -> str:
        """Return the address for a child process, which may work in another folder."""
        return f"duckdb:{self.folder.expanduser().resolve()}"


@dataclass(frozen=True)
class SparkUrl:
    """An archive asked through Spark Connect: ``sc://HOST:PORT/;archive=FOLDER``, as the cluster sees the folder.

    ``remote`` is what Spark's client takes, the archive left out; it is secret, for it may hold a token.
    """

    place: str
    archive: str
    remote: Secret

    def __str__(self) -> str:
        return f"the archive {self.archive.rstrip('/').rpartition('/')[2]}, by Spark on {self.place}"

    def environment(self) -> str:
        """Return the address for a child process."""
        return f"{self.remote.reveal()};archive={self.archive}"


Address = DatabaseUrl | DuckUrl | SparkUrl


def parse_address(text: str) -> Address:
    """Return what an address means: ``postgresql://…``, ``duckdb:FOLDER`` or ``sc://HOST:PORT/;archive=FOLDER``.

    Raises SettingsError, which quotes no part that may be secret.
    """
    scheme, _, rest = text.strip().partition(":")
    if scheme.lower() == "duckdb":
        if not rest:
            raise SettingsError("the address 'duckdb:' names no folder; write duckdb:FOLDER, the archive's")
        return DuckUrl(Path(rest))
    if scheme.lower() == "sc":
        return _spark(text.strip())
    try:
        return parse_url(text)
    except SettingsError as error:
        if is_url(text):
            raise
        raise SettingsError(f"{error}, duckdb:FOLDER, sc://HOST:PORT/;archive=FOLDER or demo:STORY") from None


def parse_archive(text: str) -> DuckUrl | SparkUrl:
    """Return where ``GOLIVE_ARCHIVE`` leads: to a folder, asked through DuckDB, or to ``sc://…;archive=FOLDER``.

    Raises SettingsError, which quotes no part that may be secret.
    """
    if text.startswith("sc:"):
        return _spark(text.strip())
    if "://" in text:
        raise SettingsError(f"{ARCHIVE} is neither a folder nor sc://HOST:PORT/;archive=FOLDER")
    return DuckUrl(Path(text.removeprefix("duckdb:")))


def _spark(text: str) -> SparkUrl:
    shape = "it should be sc://HOST:PORT/;archive=FOLDER"
    match = _SPARK.fullmatch(text)
    if not match:
        raise SettingsError(f"the address begins with 'sc:' and is none of Spark Connect's; {shape}")
    options = [option for option in match["options"].split(";") if option]
    archives = [option.partition("=")[2] for option in options if option.startswith("archive=")]
    if len(archives) != 1 or not archives[0]:
        raise SettingsError(f"the address of Spark on {match['place']} names no archive, or several; {shape}")
    others = "".join(f";{option}" for option in options if not option.startswith("archive="))
    return SparkUrl(match["place"], archives[0], Secret(f"sc://{match['place']}/{others}"))


def archived(catalog: Mapping[str, Query]) -> dict[str, Query]:
    """Return a catalogue whose sources read an archive's views instead of the app's tables; all else stays."""
    return {
        name: replace(query, body=_view(query)) if name.startswith("sources/") else query
        for name, query in catalog.items()
    }


def beside(catalog: Mapping[str, Query], first: datetime, end: datetime) -> dict[str, Query]:
    """Return a catalogue whose sources leave the rows from ``first`` to ``end`` to an archive; all else stays."""
    kept = f"at >= timestamptz '{first.isoformat()}' and at < timestamptz '{end.isoformat()}'"
    return {
        name: replace(query, body=f"select * from ({query.body}\n) golive_live where ({kept}) is not true")
        if name.startswith("sources/") and timed(query)
        else query
        for name, query in catalog.items()
    }


def timed(source: Query | None) -> bool:
    """Tell whether a source's rows have the instant that says on which day they are archived."""
    return source is not None and ("at", "timestamptz") in source.columns


def lacking(archive: Archive, statement: Statement, values: Mapping[str, Value]) -> str:
    """Name what a statement asks of an archive that is not in it; empty when everything is.

    A source without a whole day, one with a day missing among its own, and a window that begins before its first day
    or goes on after its last one. A window is known by the names the kit gives its ends. Earlier days, which a launch
    is compared with, may be missing where the database had none either. Nor is there what another source's SQL made.
    """
    made = dict(_MADE.findall(statement.sql))
    for source in sorted(set(READ.findall(statement.sql))):
        days = archive.days(source)
        if not days:
            return absent(archive, source)
        first, last = _asked(statement, values, days)
        missing = sorted({first, last, *(days[0] + i * DAY for i in range((days[-1] - days[0]).days))} - {*days})
        if missing:
            return absent(archive, source, missing[0])
        kept = archive.kept[source]
        if BEFORE not in values and "golive_days" in values:
            compared = first - int(values["golive_days"] or 0) * DAY
            if compared < days[0] and kept[days[0]].earlier:
                return absent(archive, source, days[0] - DAY)
        other = next((day for day, each in kept.items() if each.made_by != made.get(source, each.made_by)), None)
        if other:
            words = f"the archive's {source} of {other} was made by another sources/{source}.sql"
            return f"{words}; archive it anew, into another folder"
    return ""


def foreign(archive: Archive, launch: str, timezone: str) -> str:
    """Say whose archive it is when it is not of this launch; empty when it is."""
    theirs = archive.owner
    ours = (theirs.launch, theirs.timezone) == (launch, timezone)
    return "" if ours else f"the archive is of {theirs}, not of {launch!r} in {timezone}"


def absent(archive: Archive, source: str, day: date | None = None) -> str:
    """Say that an archive has no whole day of a source, or not this one, and what is wrong with it if it is there."""
    if not day:
        return f"the archive has no {source}; see 'golive archive'"
    named = f"{source} of {day}"
    return f"the archive lacks {next((p for p in archive.problems if p.startswith(f'{named}:')), named)}"


def _asked(statement: Statement, values: Mapping[str, Value], days: Sequence[date]) -> tuple[date, date]:
    """Return the first and the last UTC day that the values ask for, or that there are where these do not say."""
    instants = [name for name, type_ in statement.types.items() if type_ == "timestamptz" and name in values]
    at = {name: instant(values[name], name) for name in instants}
    if "golive_days" in statement.types:  # the days before the window are asked, not its own
        at["golive_until"] = max(at["golive_until"] - DAY, at["golive_since"] + _INSTANT)
    begins = at.get("golive_since")
    if not begins and "as_of" in at and "hours" in values:
        begins = at["as_of"] - timedelta(hours=float(values["hours"] or 0))
    ends = [(moment - _INSTANT).astimezone(UTC).date() for moment in at.values()]
    ends += [date.fromisoformat(str(values["day"]))] if "day" in values else []
    first, last = begins.astimezone(UTC).date() if begins else days[0], max(ends, default=days[-1])
    if BEFORE in values:
        last = min(last, (instant(values[BEFORE], BEFORE) - _INSTANT).astimezone(UTC).date())
    return min(first, last), last


def _view(source: Query) -> str:
    columns = ", ".join(f'"{name}"' for name, _ in source.columns)
    return f'select {columns} from {SCHEMA}."{source.name.removeprefix("sources/")}" /* {made_by(source)} */'
