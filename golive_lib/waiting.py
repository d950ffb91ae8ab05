"""A line that says how long a question has been asked, where a person sits and waits; elsewhere nothing."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AFTER_S = 2.0  # what is answered sooner needs no word
EVERY_S = 1.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Say after two seconds what is asked, go on counting, and take the line away when it is answered."""
    say = _line()
    if say is None:
        yield
        return
    done = threading.Event()
    # In this context the kernel knows which cell the line belongs to.
    teller = threading.Thread(target=copy_context().run, args=(_tell, what, say, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(what: str, say: Callable[[str], None], done: threading.Event) -> None:
    begun = time.monotonic()
    answered = done.wait(AFTER_S)
    if answered:
        return
    while not answered:
        say(f"asking {what} … {time.monotonic() - begun:.0f} s (interrupt to stop)")
        answered = done.wait(EVERY_S)
    say("")


def _line() -> Callable[[str], None] | None:
    """Return what shows a line, None where nobody is there to read it: a scheduler, a report, a script."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if kernel := getattr(shell, "kernel", None):
        # Whoever runs a notebook for a report answers no questions; JupyterLab and its like do.
        asked_by_a_person = kernel.get_parent().get("content", {}).get("allow_stdin")
        return _cell_line() if asked_by_a_person else None
    return _terminal_line if hasattr(sys, "ps1") and sys.stderr.isatty() else None


def _cell_line() -> Callable[[str], None]:
    from IPython.display import DisplayHandle  # noqa: PLC0415  there is a kernel, so it is loaded

    handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]  # IPython's
    shows = iter([handle.display])

    def say(text: str) -> None:
        show = next(shows, handle.update)  # the first time there is nothing to update
        show({"text/plain": text} if text else {"text/html": ""}, raw=True)

    return say


def _terminal_line(text: str) -> None:
    sys.stderr.write(f"\r\x1b[K{text}")
    sys.stderr.flush()
