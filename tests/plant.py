"""What several test files do: plant faults in a database as its owner, and find a free port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, LiteralString

import psycopg

if TYPE_CHECKING:
    from golive_lib.demo import DemoDatabase


def change(demo: DemoDatabase, *statements: LiteralString) -> None:
    """Run statements as the database's owner; what is planted need not respect foreign keys."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set allow_system_table_mods = on")
        for statement in statements:
            connection.execute(statement)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
