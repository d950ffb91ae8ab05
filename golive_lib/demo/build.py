"""Build the demo's databases: the schema, its people, a simulated launch week, and a story."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import platformdirs
import psycopg
from psycopg import sql

from golive_lib.demo.server import DemoServer, file_lock
from golive_lib.errors import DatabaseError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parent
CLOCK = datetime(2026, 3, 25, 22, tzinfo=UTC)
BUILDING = "building"


@dataclass(frozen=True)
class Story:
    """What happens in a demo's launch; ``rate`` multiplies the traffic, ``stories/<name>.sql`` plants the rest."""

    name: str
    summary: str
    rate: float = 1.0


STORIES = {
    story.name: story
    for story in (
        Story("healthy", "every stage is green, up to 24 hours after 100 %"),
        Story("api-regression", "the canary's requests get slow at 25 %, too few to show in all traffic"),
        Story("silent", "telemetry stops in the 50 % stage"),
        Story("thin", "a healthy launch with a twentieth of the traffic", rate=1 / 20),
        Story("dirty", "a healthy launch on data with one fault for every sanity check"),
    )
}


@dataclass(frozen=True)
class DemoDatabase:
    """A demo's database: ``url`` for the kit's read-only role, ``admin_url`` for the superuser.

    ``folder`` is the data folder, where it is known.
    """

    url: str
    admin_url: str
    name: str
    story: str
    folder: Path | None = None


@contextmanager
def open_demo(
    story: str = "healthy",
    *,
    scale: float = 1.0,
    seed: int = 7,
    data: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[DemoDatabase]:
    """Give a story's database as long as the context lasts, built now if it is not in the data folder yet.

    ``scale`` multiplies the rows (650,000 requests at 1). The folder is ``data``, else ``GOLIVE_DEMO_DIR``, else in the
    user's cache. Raises ``SettingsError`` for an unknown story, a scale or seed out of range, or an unusable folder.
    """
    if story not in STORIES:
        raise SettingsError(f"no demo story {story!r}; there are {', '.join(STORIES)}")
    if not 0 < scale <= 100 or not 0 <= seed < 1_000_000:  # noqa: PLR2004  a disk's and a salt's worth
        raise SettingsError(f"demo scale {scale} and seed {seed}: 0 < scale <= 100 and 0 <= seed < 1000000")
    folder = (data or _default_folder()).expanduser()
    progress(f"starting PostgreSQL in {folder}")
    with DemoServer.start(folder) as server:
        with file_lock(folder / "build.lock"):
            name = _built(server, STORIES[story], scale, seed, progress)
        yield replace(database(server, name, story), folder=folder)


@contextmanager
def open_named(name: str, *, progress: Callable[[str], None] = lambda _: None) -> Iterator[DemoDatabase]:
    """Give the database that ``demo:NAME`` names: a story, or ``STORY@DAY`` for a story when that UTC day begins.

    By a later day the launch's own days are closed. Raises as ``open_demo`` does, and for what is no day.
    """
    story, at, day = name.partition("@")
    clock = _midnight(name, day) if at else CLOCK
    with open_demo(story, progress=progress) as demo:
        options = quote(f"-c golive.now={clock.isoformat()}", safe="")
        yield (replace(demo, url=f"{demo.url}{'&' if '?' in demo.url else '?'}options={options}") if at else demo)


def _midnight(name: str, day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    except ValueError:
        raise SettingsError(f"demo:{name}: {day!r} is no day; write it as in demo:healthy@2026-04-01") from None


def database(server: DemoServer, name: str, story: str = "healthy") -> DemoDatabase:
    """Describe a database of a server."""
    return DemoDatabase(server.url(name), server.url(name, "postgres"), name, story)


def _default_folder() -> Path:
    folder = os.environ.get("GOLIVE_DEMO_DIR")
    return Path(folder) if folder else platformdirs.user_cache_path("golive") / "demo"


def _built(server: DemoServer, story: Story, scale: float, seed: int, progress: Callable[[str], None]) -> str:
    version = _digest(*(path.read_text() for path in sorted(FOLDER.rglob("*.sql"))))
    name = f"demo_{story.name.replace('-', '_')}_{_digest(float(scale), seed)}_{version}"
    _drop_stale(server, version)
    if _exists(server, name):
        return name
    # Under another name until it is complete, so that an interrupted build is never taken for a finished one.
    server.drop_database(BUILDING)
    server.create_database(BUILDING)
    try:
        _build(server, story, scale, seed, progress)
    except psycopg.Error as error:
        raise DatabaseError(f"the demo {story.name!r} could not be built: {error}") from error
    with server.connect() as connection:
        connection.execute(sql.SQL("alter database {} rename to {}").format(*map(sql.Identifier, (BUILDING, name))))
    return name


def _exists(server: DemoServer, name: str) -> bool:
    with server.connect() as connection:
        return connection.execute("select from pg_database where datname = %s", [name]).fetchone() is not None


def _drop_stale(server: DemoServer, version: str) -> None:
    """Drop what other versions of the SQL files built, unless another version of the kit is at work on it."""
    with server.connect() as connection:
        stale = connection.execute(
            "select datname from pg_database where datname like 'demo\\_%%' and datname not like %s "
            "and datname not in (select datname from pg_stat_activity where datname is not null)",
            [f"%{version}"],
        ).fetchall()
        for (name,) in stale:
            with suppress(psycopg.errors.ObjectInUse):  # somebody came in between
                connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))


def _build(server: DemoServer, story: Story, scale: float, seed: int, progress: Callable[[str], None]) -> None:
    with server.connect(BUILDING) as one, server.connect(BUILDING) as two, ThreadPoolExecutor(1) as aside:
        for connection in (one, two):
            connection.execute("set jit = off")
        progress("people, decks and flags")
        one.execute("create schema demo; create table demo.settings (rate float8, people float8, seed bigint)")
        one.execute("insert into demo.settings values (%s, %s, %s)", [scale * story.rate, scale, seed])
        for file in ("noise", "schema", "people"):
            _run(one, file)
        progress("a week of traffic")
        telemetry = aside.submit(_run, two, "telemetry")
        _run(one, "business")
        telemetry.result()
        if (FOLDER / "stories" / f"{story.name}.sql").exists():
            progress(f"the story: {story.summary}")
            _run(one, f"stories/{story.name}")
        _set_state(one, story.name)
        progress("keys, indexes and policies")
        one.execute("drop schema demo cascade")
        telemetry = aside.submit(_run, two, "telemetry_keys")
        _run(one, "keys")
        telemetry.result()
        _run(one, "policies")
        one.execute("vacuum (analyze, freeze)")
    server.alter_setting(BUILDING, "golive.now", CLOCK.isoformat())


def begin_again(demo: DemoDatabase) -> None:
    """Put back what a rollback changes, so that a story can be played once more."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        _set_state(connection, demo.story)


def _set_state(connection: psycopg.Connection, story: str) -> None:
    _run(connection, "state")
    if (FOLDER / "state" / f"{story}.sql").exists():
        _run(connection, f"state/{story}")


def _run(connection: psycopg.Connection, file: str) -> None:
    connection.execute((FOLDER / f"{file}.sql").read_bytes())


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:8]
