"""What a launch is judged from: the app's PostgreSQL, or an archive of its rows on another engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from golive_lib.errors import SettingsError
from golive_lib.settings import DatabaseUrl, Secret, parse_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    import pandas as pd

    from golive_lib.answers import Origin
    from golive_lib.db import Clock
    from golive_lib.query import Query
    from golive_lib.statement import Statement, Value

SCHEMA = "golive_archive"  # where an engine keeps the archive's views, one per source
_SPARK = re.compile(r"sc://(?P<place>[^/;@\s]+)/?(?P<options>(?:;[^;\s]*)*);?")


class Asked(Protocol):
    """What a snapshot answers; everything asked of one sees the same rows."""

    @property
    def clock(self) -> Clock:
        """The instant that is judged at."""

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, after which the snapshot goes on."""

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns a statement would answer with, reading no row; raises QueryFailed."""


class Engine(Protocol):
    """Whatever answers the kit's statements, which are PostgreSQL's, as PostgreSQL would."""

    @property
    def url(self) -> object:
        """Where it is; its ``str()`` is for people and holds no secret."""

    def snapshot(self) -> AbstractContextManager[Asked]:
        """Open one consistent view; raises DatabaseError."""

    def close(self) -> None:
        """Let go of what is open; the next snapshot opens it again."""


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
    return _spark(text.strip()) if scheme.lower() == "sc" else parse_url(text)


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


def _view(source: Query) -> str:
    columns = ", ".join(f'"{name}"' for name, _ in source.columns)
    return f'select {columns} from {SCHEMA}."{source.name.removeprefix("sources/")}"'
