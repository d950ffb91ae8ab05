"""Runs of one notebook for one launch on one database take turns, whoever started them."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import fasteners

from golive_lib.errors import ReportError
from golive_lib.formats import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from golive_lib.reports import Run

LOOK = 0.1  # seconds from one look at the lock to the next
_HERE: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)  # a lock on a file holds between processes alone


@contextmanager
def turn(
    run: Run, wait: float, *, say: Callable[[str], object], stopped: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Hold a run's place; the system gives it up for a process that ends, in whatever way.

    Waits up to ``wait`` seconds for another. Raises ReportError that names who holds it, and when the folder of
    outputs cannot be written.
    """
    of = f"{run.launch}\n{run.database.rpartition(' as ')[0]}"
    path = run.outputs / f".turn-{run.notebook.stem}-{sha256(of.encode()).hexdigest()[:8]}"
    holder = path.with_name(f"{path.name}.holder")
    lock, here = fasteners.InterProcessLock(path), _HERE[path.absolute()]
    try:
        run.outputs.mkdir(parents=True, exist_ok=True)
        _await(lambda: _taken(lock, here), wait, _Held(run, holder, say), stopped)
    except OSError as error:
        raise ReportError(f"{run.outputs}: reports cannot be written there: {error.strerror}; see --outputs") from None
    try:
        with suppress(OSError):  # a full disk: then nobody is told who holds it
            holder.write_text(f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()
        here.release()


class _Held:
    """Says who has the turn."""

    def __init__(self, run: Run, holder: Path, say: Callable[[str], object]) -> None:
        self.run, self.holder, self.say = run, holder, say

    def __str__(self) -> str:
        try:
            who = self.holder.read_text(encoding="utf-8")
        except OSError:
            who = "a process that has not said yet which"
        return f"{self.run.notebook.stem} already runs for this launch on {self.run.database}: {who}"


def _taken(lock: fasteners.InterProcessLock, here: threading.Lock) -> bool:
    if not here.acquire(blocking=False):
        return False
    try:
        taken = bool(lock.acquire(blocking=False))
    except BaseException:
        here.release()
        raise
    if not taken:
        lock.lockfile.close()
        here.release()
    return taken


def _await(take: Callable[[], bool], wait: float, held: _Held, stopped: Callable[[], bool]) -> None:
    end, told = time.monotonic() + wait, False
    while not take():
        if stopped():
            raise ReportError(f"{held.run.notebook.stem}: stopped; nothing was written")
        if time.monotonic() >= end:
            waited = f"after waiting for {duration(wait * 1_000)}" if wait else "and --no-wait was asked"
            raise ReportError(f"{held}; {waited}, nothing was run. Wait longer with --wait, or end that process")
        if not told:
            held.say(f"{held}; waiting for it up to {duration(wait * 1_000)}")
            told = True
        time.sleep(LOOK)
