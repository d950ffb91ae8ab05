"""``golive backup``: a dump of one snapshot, with a manifest that counts the same snapshot's rows."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from golive_lib.db import Database
from golive_lib.errors import BackupError, QueryFailed, SettingsError
from golive_lib.formats import missing
from golive_lib.manifest import Extension, Manifest, Outside, Rows, digest, settle, stamp, workspace, write_manifest
from golive_lib.pg_tools import contents, find_tools, run
from golive_lib.settings import BACKUP_URL, parse_url
from golive_lib.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch

LOCK_WAIT_S = 60
UNFINISHED = ".dump-"
_DUMPING = "pg_dump: dumping contents of table "
_TIMEOUTS = {"57014", "55P03"}  # of a statement, of a lock


@dataclass(frozen=True)
class Progress:
    """What is being done, for how many of how many tables, and the dump's bytes so far of the database's."""

    what: str
    done: int
    total: int
    bytes: int = 0
    database_bytes: int = 0


@dataclass(frozen=True)
class Table:
    """A table by its two names, as SQL spells them together, and about how many rows it has (-1: nobody knows)."""

    schema: str
    name: str
    relation: str
    estimate: int


def take_backup(launch: Launch, folder: Path, progress: Callable[[Progress], None]) -> Manifest:
    """Dump the plan's schemas into ``folder``, count their rows in the same snapshot, and write the manifest.

    The address is ``GOLIVE_BACKUP_DB_URL``, else the launch's own. Nothing stays under its final name unless it is
    whole. Raises SettingsError, DatabaseError, BackupError.
    """
    database = _database(launch)
    _refuse_pooler(database)
    with _part(folder) as part, database.snapshot() as snapshot:
        started = time.monotonic()
        exported = snapshot.export()  # first: a failed count leaves a savepoint behind, which forbids it
        server = _ask(launch, snapshot, "server").iloc[0]
        version = str(server["version"]).partition(" ")[0]
        tools = find_tools(version, launch.env)
        schemas, missing = _schemas(launch, snapshot)
        rows = _counted(launch, snapshot, schemas, progress)
        watch = _Watch(part, len(rows), int(server["bytes"]), progress)
        arguments = _arguments(exported, part, schemas)
        if errors := run(tools.folder / "pg_dump", arguments, database.url, watch):
            raise BackupError(f"{database.url}: {errors[0]}\n  next: {_hint(errors[0])}")
        contents(tools, part)
        needed = _ask(launch, snapshot, "extensions", schemas)
        manifest = Manifest(
            file=_free_name(folder, str(server["database"]), stamp(snapshot.clock.now)),
            database=launch.postgres.url.identity,
            system=system(launch, snapshot),
            server_version=version,
            pg_dump_version=tools.version,
            taken_at=snapshot.clock.now,
            seconds=round(time.monotonic() - started, 2),
            bytes=part.stat().st_size,
            sha256=digest(part),
            schemas=schemas,
            missing_schemas=missing,
            tables=rows,
            objects=objects(launch, snapshot, schemas),
            roles=tuple(_ask(launch, snapshot, "roles", schemas)["role"]),
            extensions=tuple(Extension(*row) for row in zip(needed["extension"], needed["schema"], strict=True)),
            outside=_outside(launch, snapshot, schemas),
        )
        _keep(part, folder, manifest)
    return manifest


def _refuse_pooler(database: Database) -> None:
    first, second = database.links()
    if first.backend_pid == second.backend_pid:
        raise BackupError(
            f"{database.url}: a transaction pooler is in between, and a dump needs a session of its own\n"
            f"  next: use port 5432 (Supabase's session pooler or direct address), here or for backups in {BACKUP_URL}"
        )


def _schemas(launch: Launch, snapshot: Snapshot) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return those of the plan's schemas that are there, and those that are not."""
    found = _ask(launch, snapshot, "schemas", launch.plan.backup.schemas)
    there = tuple(found.loc[found["found"], "schema"])
    if not there:
        named = " or ".join(launch.plan.backup.schemas)
        raise BackupError(f"the database has no schema {named} to dump; see [backup] schemas in {launch.plan.path}")
    return there, tuple(found.loc[~found["found"], "schema"])


def _arguments(snapshot: str, part: Path, schemas: Sequence[str]) -> list[str]:
    quoted = [name.replace('"', '""') for name in schemas]  # a bare name would be a pattern
    limits = [f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT_S}s"]
    return ["--format=custom", "--verbose", f"--file={part}", *limits, *(f'--schema="{name}"' for name in quoted)]


def _database(launch: Launch) -> Database:
    """Return the database to dump; raises SettingsError when it is another than the launch's."""
    given = launch.env.get(BACKUP_URL)
    if not given:
        return launch.postgres
    database = Database(parse_url(given), launch.plan.database)
    if database.url.identity == launch.postgres.url.identity:
        return database
    with launch.postgres.snapshot() as ours, database.snapshot() as theirs:
        if (here := system(launch, ours)) and here == system(launch, theirs):
            return database
    raise SettingsError(
        f"{BACKUP_URL} leads to {database.url}, which is not provably the launch's database, {launch.postgres.url}; "
        f"unset {BACKUP_URL}, or name the same database by another address or role"
    )


def _ask(launch: Launch, snapshot: Snapshot, name: str, schemas: Sequence[str] | None = None) -> pd.DataFrame:
    given = {} if schemas is None else {"schemas": json.dumps(list(schemas))}
    return launch.ask(snapshot, f"backup/{name}", **given)


def system(launch: Launch, snapshot: Snapshot) -> str:
    """Return what tells this database from all others, whatever its address; empty where it may not be asked."""
    try:
        return str(_ask(launch, snapshot, "system")["system"].item())
    except QueryFailed:
        return ""


def objects(launch: Launch, snapshot: Snapshot, schemas: Sequence[str]) -> dict[str, int]:
    """Return how many objects of each kind the schemas hold."""
    found = _ask(launch, snapshot, "objects", schemas)
    return {str(kind): int(number) for kind, number in zip(found["kind"], found["objects"], strict=True)}


def tables(launch: Launch, snapshot: Snapshot, schemas: Sequence[str]) -> list[Table]:
    """Return the tables whose rows a dump of the schemas holds."""
    found = _ask(launch, snapshot, "tables", schemas)
    return [Table(str(s), str(n), str(r), int(e)) for s, n, r, e in found.itertuples(index=False)]


def _outside(launch: Launch, snapshot: Snapshot, schemas: Sequence[str]) -> Outside:
    found = _ask(launch, snapshot, "outside", schemas)
    left = {
        str(schema): Rows(None if unsure or missing(rows) else int(rows), exact=False)
        for schema, rows, unsure in zip(found["schema"], found["rows"], found["unsure"], strict=True)
    }
    return Outside(left, int(_ask(launch, snapshot, "large_objects")["objects"].item()))


def count(snapshot: Snapshot, table: Table) -> int:
    """Count a table's own rows; raises QueryFailed."""
    name = sql.Identifier(table.schema, table.name).as_string()
    return int(snapshot.frame(Statement(f"select count(*) as rows from only {name}", {}, ()), {})["rows"].item())


def _counted(
    launch: Launch, snapshot: Snapshot, schemas: Sequence[str], progress: Callable[[Progress], None]
) -> dict[str, Rows]:
    chosen = tables(launch, snapshot, schemas)
    rows = {}
    for done, table in enumerate(chosen):
        progress(Progress(f"counting {table.relation}", done, len(chosen)))
        rows[table.relation] = _rows(launch, snapshot, table)
    return rows


def _rows(launch: Launch, snapshot: Snapshot, table: Table) -> Rows:
    """Count a table, or take the planner's estimate of one too large to be counted in time."""
    guess = Rows(table.estimate if table.estimate >= 0 else None, exact=False)  # -1: never analyzed
    if table.estimate > launch.plan.backup.exact_below:
        return guess
    try:
        return Rows(count(snapshot, table), exact=True)
    except QueryFailed as failure:
        if failure.sqlstate in _TIMEOUTS:
            return guess
        raise BackupError(f"{table.relation} cannot be read: {failure}\n  next: {_hint(str(failure))}") from None


class _Watch:
    """Turns what pg_dump says into progress."""

    def __init__(self, part: Path, tables: int, database_bytes: int, progress: Callable[[Progress], None]) -> None:
        self._part, self._tables, self._database_bytes, self._progress = part, tables, database_bytes, progress
        self._what, self._done = "dumping", 0

    def __call__(self, lines: list[str]) -> None:
        for line in lines:
            if line.startswith(_DUMPING):
                self._what = "dumping " + line.removeprefix(_DUMPING).strip('"')
                self._done += 1
        size = self._part.stat().st_size if self._part.exists() else 0
        self._progress(Progress(self._what, self._done, self._tables, size, self._database_bytes))


def _hint(words: str) -> str:
    hints = {
        "row-level security": f"let the role see every row ('alter role … bypassrls'), or name another in {BACKUP_URL}",
        "permission denied": f"let the role read all ('grant pg_read_all_data to …'), or name another in {BACKUP_URL}",
        "could not write": "free some space in the backups' folder, or name another with --folder",
        "signal 25": "the file grew past this shell's limit (ulimit -f)",
        "snapshot": "is a pooler in between? Use port 5432",
        "timeout": "something holds a table's lock; see pg_locks, and try again",
    }
    return next((hint for part, hint in hints.items() if part in words), "'golive doctor' shows what can be reached")


@contextmanager
def _part(folder: Path) -> Iterator[Path]:
    """Name a file to write to in the folder, made if missing: gone in the end unless it was renamed."""
    try:
        with workspace(folder, UNFINISHED) as work:
            yield work / "dump"
    except OSError as error:
        raise BackupError(
            f"{folder}: no dump can be kept there: {error.strerror}; name another with --folder"
        ) from None


def _free_name(folder: Path, database: str, at: str) -> str:
    """Return a dump's name that is not taken yet."""
    stem = f"{re.sub(r'[^A-Za-z0-9_.-]', '_', database)}-{at}"
    number = 1
    name = f"{stem}.dump"
    while (folder / name).exists() or (folder / name).with_suffix(".json").exists():
        number += 1
        name = f"{stem}-{number}.dump"
    return name


def _keep(part: Path, folder: Path, manifest: Manifest) -> None:
    """Give a whole dump its name, then its manifest: a dump without one counts for nothing."""
    dump = folder / manifest.file
    settle(part)
    part.rename(dump)
    settle(folder)
    try:
        write_manifest(manifest, folder)
    except BaseException:
        dump.unlink()
        raise
