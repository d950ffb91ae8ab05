"""A server to throw away: an empty PostgreSQL in a folder of its own, to rehearse in."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from golive_lib.demo.server import MARKER, DemoServer, file_lock, stop_unused

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "golive-scratch-"


@contextmanager
def scratch_server() -> Iterator[DemoServer]:
    """Run an empty server below TMPDIR, and remove it with its folder; those of killed processes go first.

    Raises SettingsError when it cannot be started.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    socket = folder
    try:
        with DemoServer.start(folder) as server:
            socket = server.socket  # elsewhere when the folder's path is too long for one
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(socket, ignore_errors=True)


def _sweep() -> None:
    """Stop and remove what a killed process left running: it holds people's data."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, RuntimeError):  # gone meanwhile, or it does not stop
            if folder.stat().st_uid != os.geteuid() or not (folder / MARKER).exists():
                continue
            with file_lock(folder / "users.lock", fcntl.LOCK_SH) as users:
                unused = stop_unused(folder, users)
            if unused:
                shutil.rmtree(folder, ignore_errors=True)
