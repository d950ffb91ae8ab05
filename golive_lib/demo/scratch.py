"""A server to throw away: an empty PostgreSQL in a folder of its own, to rehearse in."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg

from golive_lib.demo.server import DemoServer, file_lock
from golive_lib.errors import GoliveError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "golive-scratch-"
ROOM = 100_000_000  # bytes: an empty server and its first log
PATIENCE_S = 10
TRIES = 20
PAUSE_S = 0.1


@contextmanager
def scratch_server() -> Iterator[DemoServer]:
    """Run an empty server below TMPDIR, and remove it with its folder; those of killed processes go first.

    However often it is interrupted, the server ends before its folder goes: it holds people's data. Raises
    SettingsError when it cannot be started, or came to grief on a full disk.
    """
    _sweep()
    _require_room("is too small for a rehearsal")
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    socket = folder
    try:
        with DemoServer.start(folder) as server:
            socket = server.socket  # elsewhere when the folder's path is too long for one
            yield server
    except (GoliveError, OSError, RuntimeError, psycopg.Error):
        _require_room("is full: the rehearsal's server could not go on")
        raise
    finally:
        _remove(folder, socket)


def _require_room(trouble: str) -> None:
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    if free < ROOM:
        words = f"{place} {trouble} ({free / 1e6:,.0f} MB are free): let TMPDIR name a folder with more room"
        raise SettingsError(words) from None


def _remove(folder: Path, socket: Path) -> None:
    """End what works in a folder and remove it; a Ctrl-C meanwhile begins anew, and is passed on in the end."""
    interrupted = False
    for _ in range(TRIES):
        try:
            _end(folder)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(socket, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(PAUSE_S)
        except KeyboardInterrupt:
            interrupted = True
    if folder.exists():
        sys.stderr.write(f"{folder} could not be removed: it may hold a copy of people's data; delete it\n")
    if interrupted:
        raise KeyboardInterrupt


def _end(folder: Path) -> None:
    """End every process that works in a folder, and wait until they are gone."""
    for how in (
        signal.SIGQUIT,
        signal.SIGKILL,
    ):  # the first is PostgreSQL's immediate stop, which leaves nothing shared
        for process in _at_work(folder):
            with suppress(psutil.Error):
                process.send_signal(how)
        end = time.monotonic() + PATIENCE_S
        while _at_work(folder) and time.monotonic() < end:
            time.sleep(PAUSE_S)


def _at_work(folder: Path) -> list[psutil.Process]:
    """Return the processes whose own folder is this one or below; a server and all its helpers work in its data."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # ended, or another user's
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                found.append(process)
    return found


def _sweep() -> None:
    """Stop and remove what a killed process left running or half removed: it holds people's data."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # gone meanwhile, or in use: then others hold its lock
            if folder.stat().st_uid != os.geteuid() or not any(folder.iterdir()):  # of others, or made just now
                continue
            with file_lock(folder / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                _remove(folder, folder)
