"""What several test files do: plant faults in a database as its owner, open the kit's plan on it, run the command."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import psycopg

from golive_lib.launch import Launch, open_launch

if TYPE_CHECKING:
    from golive_lib.demo import DemoDatabase

ROOT = Path(__file__).parents[1]


def change(demo: DemoDatabase, *statements: LiteralString) -> None:
    """Run statements as the database's owner; what is planted need not respect foreign keys."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set allow_system_table_mods = on")
        for statement in statements:
            connection.execute(statement)


def opened(demo: DemoDatabase) -> Launch:
    """Open the kit's own plan on a demo."""
    return open_launch(demo.url, plan=ROOT / "launch.toml")


def command(folder: Path, *arguments: str, typed: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a folder; nothing of the caller's environment names a database."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")} | {"COLUMNS": "200"}
    words = [sys.executable, "-m", "golive_lib", *arguments]
    return subprocess.run(words, cwd=folder, env=clean | env, input=typed, capture_output=True, text=True, check=False)


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
