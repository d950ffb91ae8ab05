"""What bounds a run: past its time the kernel is interrupted, then killed, whatever its cell does."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from golive_lib.formats import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jupyter_client.manager import KernelManager

GRACE = 5.0  # seconds for a cell to end at an interruption: a statement at work is cancelled, the traceback is kept


@dataclass(frozen=True)
class Limits:
    """What bounds a run, in seconds: the wait for its turn, and the whole of it; and the attempts after a crash."""

    wait: float = 600.0
    timeout: float | None = 3600.0
    retries: int = 0


@contextmanager
def deadline(manager: Callable[[], KernelManager | None], seconds: float | None) -> Iterator[None]:
    """End the kernel when what is done within takes longer than ``seconds``; None is no limit.

    Raises TimeoutError then, whatever came of it meanwhile: a result that came too late is none.
    """
    done, passed = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        passed.set()
        for each in chain([signal.SIGINT], repeat(_KILL)):
            _send(manager(), each)
            if done.wait(GRACE):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except Exception:  # whatever the end of the kernel caused
        if not passed.is_set():
            raise
    finally:
        done.set()
        watcher.join()
    if passed.is_set():
        raise TimeoutError(f"the run was stopped: it took longer than {duration((seconds or 0) * 1_000)}")


_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


def _send(manager: KernelManager | None, signum: int) -> None:
    """Send a signal to a kernel and to all that it started."""
    process = getattr(getattr(manager, "provisioner", None), "process", None)
    if process is None or process.poll() is not None:
        return  # it has not started yet, or is gone
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signum)
        else:
            process.kill()
