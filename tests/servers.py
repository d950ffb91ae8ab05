"""Other servers that several test files need: PgBouncer in transaction mode, and Debian's PostgreSQL 15."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from plant import free_port

from golive_lib.demo import DemoServer
from golive_lib.demo.server import PORT, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
AS_ROOT = os.geteuid() == 0
DEADLINE_S = 30


def absent(why: str) -> NoReturn:
    """Skip, but fail where the servers are meant to be: a skip in CI would hide a broken installation."""
    if os.environ.get("GOLIVE_REQUIRE_SERVERS"):
        pytest.fail(why)
    pytest.skip(why)


def wait_for(port: int) -> None:
    """Wait until something listens on a local port."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        os.sched_yield()
    pytest.fail(f"nothing listens on port {port}")


@contextmanager
def transaction_pooler(server: DemoServer, database: str, folder: Path, role: str = "golive_ro") -> Iterator[str]:
    """Give a database's URL through PgBouncer in transaction mode, as a role."""
    if not PGBOUNCER:
        absent("pgbouncer is not installed; CI installs Debian's")
    port = free_port()
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host={server.socket} port={PORT}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 3\n"
        f"[databases]\n{database} = host={server.socket} port={PORT} user={role}\n"
    )
    config.chmod(0o644)
    owner = ["-u", server.socket.owner()] if AS_ROOT else []
    with subprocess.Popen([PGBOUNCER, "-q", *owner, str(config)], cwd="/") as process:
        try:
            wait_for(port)
            yield f"postgresql://{role}@127.0.0.1:{port}/{database}"
        finally:
            process.terminate()


@contextmanager
def debian_15(folder: Path) -> Iterator[DemoServer]:
    """Run Debian's PostgreSQL 15 on a socket in an empty folder."""
    if not DEBIAN_15.is_dir():
        absent("Debian's PostgreSQL 15 is not installed; CI installs it")
    user = "postgres" if AS_ROOT else getpass.getuser()
    if AS_ROOT:
        shutil.chown(folder, user)
        for parent in folder.parents:  # the other account must get through those that pytest made for itself
            if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
                parent.chmod(parent.stat().st_mode | 0o011)
    data = folder / "data"

    def tool(name: str, *arguments: str) -> None:
        command = [str(DEBIAN_15 / name), *arguments]
        subprocess.run(command, check=True, cwd="/", user=user if AS_ROOT else None, stdout=subprocess.DEVNULL)

    tool("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8")
    options = f"-p {PORT} -k {folder} -c listen_addresses= -c fsync=off"
    tool("pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    server = DemoServer(folder)
    try:
        with server.connect() as connection:
            connection.execute(ROLES.read_bytes())
        yield server
    finally:
        tool("pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
