"""The rehearsal of a restore: a dump is restored into a scratch server and compared with what was dumped."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from pydantic import TypeAdapter

from golive_lib.acting import connected
from golive_lib.db import Database, unreachable
from golive_lib.dump import Progress, count, objects, system, tables
from golive_lib.errors import BackupError, DatabaseError, QueryFailed
from golive_lib.manifest import Extension, Manifest, Rehearsal, file_fault, write_manifest
from golive_lib.pg_tools import Tools, contents, find_tools, run
from golive_lib.plan import DatabaseRules
from golive_lib.settings import SCRATCH_URL, parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from golive_lib.launch import Launch
    from golive_lib.settings import DatabaseUrl

EMBEDDED = "the embedded server"
SHOWN_ERRORS = 20
MOST_JOBS = 4
# Nobody else waits for a scratch server.
_PATIENT = TypeAdapter(DatabaseRules).validate_json('{"statement_timeout": "2h"}')


def rehearse(launch: Launch, manifest: Manifest, folder: Path, progress: Callable[[Progress], None]) -> Manifest:
    """Restore a dump into a scratch database, compare it, and return the manifest with what came back.

    The scratch is an embedded server, or a new database on that of ``GOLIVE_SCRATCH_DB_URL``; it is always removed.
    The manifest beside the dump is rewritten. Raises BackupError for a dump that is not the one of the manifest,
    SettingsError and DatabaseError when there is no scratch server.
    """
    dump = folder / manifest.file
    verify(dump, manifest)
    tools = find_tools(manifest.pg_dump_version, launch.env)
    total = len(manifest.tables)
    progress(Progress("preparing a scratch server", 0, total))
    started = time.monotonic()
    with _scratch(launch, manifest) as (scratch, server):
        lacking = _prepare(scratch, manifest)
        progress(Progress("restoring", 0, total))
        errors = _restore(tools, dump, scratch, lambda what, done: progress(Progress(what, done, total)))
        found, kinds = _compare(launch, manifest, scratch, progress)
        rehearsal = Rehearsal(
            server=server,
            seconds=round(time.monotonic() - started, 2),
            tables=found,
            objects=kinds,
            errors=tuple(errors[:SHOWN_ERRORS]),
            error_count=len(errors),
            lacking=lacking,
        )
    rehearsed = replace(manifest, rehearsal=rehearsal)
    write_manifest(rehearsed, folder)
    return rehearsed


def verify(dump: Path, manifest: Manifest) -> None:
    """Raise BackupError unless a dump is, byte for byte, the one of its manifest."""
    if fault := file_fault(dump, manifest.sha256):
        raise BackupError(f"{dump.name} {fault}")


@contextmanager
def _scratch(launch: Launch, manifest: Manifest) -> Iterator[tuple[DatabaseUrl, str]]:
    """Give an empty database to restore into, and say which server it is on."""
    if given := launch.env.get(SCRATCH_URL):
        with _own(launch, parse_url(given), manifest) as scratch:
            yield scratch
        return
    from golive_lib.demo.scratch import scratch_server  # noqa: PLC0415  a dump alone needs no embedded server

    with scratch_server() as server:
        server.create_database("rehearsal")
        with server.connect() as admin:
            for role in manifest.roles:
                _placed(admin, role)
        yield parse_url(server.url("rehearsal", "postgres")), EMBEDDED


@contextmanager
def _own(launch: Launch, url: DatabaseUrl, manifest: Manifest) -> Iterator[tuple[DatabaseUrl, str]]:
    """Make a database and the missing roles on somebody's own scratch server, and drop them again."""
    _refuse_source(launch, url, manifest.system)
    name = f"golive_rehearsal_{secrets.token_hex(6)}"
    new = replace(url, database=name)
    with connected(url) as admin:
        create = sql.SQL("create database {} template template0 encoding 'UTF8'").format(sql.Identifier(name))
        try:
            admin.execute(create)
        except psycopg.Error as error:
            raise DatabaseError(f"{SCRATCH_URL}: {unreachable(error, url)}") from None
        with ExitStack() as after:
            for role in manifest.roles:
                if _placed(admin, role):
                    after.callback(_drop, admin, "role", role)
            after.callback(_drop, admin, "database", name)  # first, for it holds grants to the roles
            yield new, str(url)


def _refuse_source(launch: Launch, url: DatabaseUrl, dumped: str) -> None:
    """Raise BackupError when a scratch address leads to the server that was dumped, by its cluster or its place."""
    database, source = Database(url, launch.plan.database), launch.postgres.url
    with database.snapshot() as snapshot:
        cluster = system(launch, snapshot).partition("/")[0]
    database.close()
    same_place = replace(url, database=source.database, user=source.user).identity == source.identity
    if same_place or (cluster and cluster == dumped.partition("/")[0]):
        raise BackupError(
            f"{SCRATCH_URL} leads to the server that was dumped; a restore is never rehearsed there: name another, "
            f"or unset it for {EMBEDDED}"
        )


def _placed(connection: psycopg.Connection, role: str) -> bool:
    """Put an empty role in the place of one that the dump names; say whether it was missing and could be made."""
    try:
        connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    except psycopg.Error:  # there already, or no right to: what then fails in the restore is said
        return False
    return True


def _drop(connection: psycopg.Connection, kind: str, name: str) -> None:
    force = " with (force)" if kind == "database" else ""
    with suppress(psycopg.Error):
        connection.execute(sql.SQL(f"drop {kind} if exists {{}}{force}").format(sql.Identifier(name)))


def _prepare(url: DatabaseUrl, manifest: Manifest) -> tuple[str, ...]:
    """Make the schemas and extensions that a restore needs beforehand; return the extensions that cannot be had."""
    with connected(url) as connection:
        for schema in {*manifest.schemas, *(extension.schema for extension in manifest.extensions)}:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        return tuple(extension.name for extension in manifest.extensions if not _brought(connection, extension))


def _brought(connection: psycopg.Connection, extension: Extension) -> bool:
    names = map(sql.Identifier, (extension.name, extension.schema))
    try:
        connection.execute(sql.SQL("create extension if not exists {} with schema {} cascade").format(*names))
    except psycopg.Error:
        return False
    return True


def _restore(tools: Tools, dump: Path, url: DatabaseUrl, say: Callable[[str, int], None]) -> list[str]:
    """Run pg_restore to its end and return its errors; the schemas themselves are there already."""
    entries = [line for line in contents(tools, dump) if " SCHEMA - " not in line]
    head = 'pg_restore: processing data for table "'
    done = 0

    def heard(lines: Sequence[str]) -> None:
        nonlocal done
        for line in lines:
            if line.startswith(head):
                done += 1
                say("restoring " + line.removeprefix(head).strip('"'), done)

    with tempfile.NamedTemporaryFile("w", suffix=".list") as chosen:
        chosen.write("\n".join(entries))
        chosen.flush()
        jobs = min(MOST_JOBS, os.cpu_count() or 1)
        arguments = ["--no-owner", "--verbose", f"--jobs={jobs}", f"--use-list={chosen.name}", str(dump)]
        return run(tools.folder / "pg_restore", arguments, url, heard)


def _compare(
    launch: Launch, manifest: Manifest, scratch: DatabaseUrl, progress: Callable[[Progress], None]
) -> tuple[dict[str, int | None], dict[str, int]]:
    """Return the restored rows per table and objects per kind."""
    database = Database(scratch, _PATIENT)
    found: dict[str, int | None] = {}
    try:
        with database.snapshot() as snapshot:
            for table in tables(launch, snapshot, manifest.schemas):
                progress(Progress(f"counting {table.relation}", len(found), len(manifest.tables)))
                try:
                    found[table.relation] = count(snapshot, table)
                except QueryFailed:
                    found[table.relation] = None
            return found, objects(launch, snapshot, manifest.schemas)
    finally:
        database.close()
