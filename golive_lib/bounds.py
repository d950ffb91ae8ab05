"""How much a cell may print and show: a report can be mailed and memory lasts, whatever a notebook does.

A kernel of IPython keeps to it itself, as its extension; whoever receives its outputs counts once more.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

from golive_lib.formats import ELLIPSIS, cut, number

if TYPE_CHECKING:
    from typing import TextIO

PRINTED = 100_000  # characters kept of what a cell prints first, and of what it prints last on either stream
SHOWN = 5_000_000  # characters of all that a cell shows: figures, tables, pictures
WHOLE = 10_000_000  # and of all that a notebook does
MOST = 500  # outputs of a cell; ZeroMQ drops messages once a thousand wait for their reader
EACH = 200  # what an output costs beside its own characters
EXTENSION = "--IPKernelApp.extra_extensions=golive_lib.bounds"  # a kernel's argument
_LINE = 10_000  # of an error's message, and of a line of its traceback
_TRACEBACK = 100  # the last lines of it
_SHOWING = ("display_data", "execute_result", "update_display_data")


class Allowance:
    """What one cell may still print and show, of ``left`` characters that its notebook may; a piece costs ``each``."""

    def __init__(self, left: int = WHOLE, printed: int = PRINTED, each: int = 0) -> None:
        self.left, self._each = left, each
        self._room = min(printed, left)
        self.again()

    def again(self) -> None:
        """Begin anew, for another cell or one that cleared what it had shown."""
        self._print, self._show = self._room, min(SHOWN, self.left)
        self._tails: dict[str, StringIO] = {}
        self._more = self._count = self._refused = 0

    def rest(self) -> list[tuple[str, str]]:
        """Return the end of what was printed, by stream, after a line that says how much was left out before it."""
        ends = [(name, tail.getvalue()[-self._room :] if self._room else "") for name, tail in self._tails.items()]
        cut = self._more - sum(len(text) for _, text in ends)
        said = [("stdout", f"\n{ELLIPSIS} {cut:,} characters left out here {ELLIPSIS}\n")] * (cut > 0)
        more = [("stderr", f"{ELLIPSIS} {self._refused:,} more outputs left out. {_limits()}\n")] * (self._refused > 0)
        return [*said, *ends, *more]

    def unspent(self) -> int:
        """Return how many characters are left for the cells after this one."""
        spent = self._room - self._print + min(SHOWN, self.left) - self._show
        return max(self.left - spent - sum(len(text) for _, text in self.rest()), 0)

    def passes(self, kind: str, content: dict[str, Any]) -> bool:
        """Say whether a kernel's message is to be kept now; its content may become shorter, or words of its size."""
        if kind == "stream":
            content["text"] = self.prints(content["name"], content["text"])
            return bool(content["text"])
        if kind in _SHOWING:
            return self._shows(content, update=kind == "update_display_data")
        if kind == "error":
            content["evalue"] = cut(content["evalue"], _LINE)
            content["traceback"] = [cut(line, _LINE) for line in content["traceback"][-_TRACEBACK:]]
        return True

    def prints(self, name: str, text: str) -> str:
        """Return what is to be kept of a printed text now; the rest is held, in case nothing comes after it."""
        head = text[: 0 if self._more else max(self._print - self._each, 0)]
        if len(head) < len(text):
            self._more += len(text) - len(head)
            tail = self._tails.setdefault("stderr" if name == "stderr" else "stdout", StringIO())
            tail.write(text[len(head) :][-PRINTED * 4 :])
            if tail.tell() > 2 * self._room:
                kept = tail.getvalue()[-self._room :] if self._room else ""
                tail.seek(0)
                tail.truncate()
                tail.write(kept)
        self._print -= (len(head) + self._each) * bool(head)
        return head

    def _shows(self, content: dict[str, Any], *, update: bool) -> bool:
        size = EACH + sum(len(one if isinstance(one, str) else json.dumps(one)) for one in content["data"].values())
        words = f"Left out: an output of {_size(size)}. {_limits()}"
        if size > self._show:
            content["data"], content["metadata"] = {"text/plain": words}, {}
            size = EACH + len(words)
        self._count += not update
        if size > self._show or self._count > MOST:  # not even room to say so each time
            self._refused += 1
            return False
        self._show -= size
        return True


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401  IPython's own type
    """Let a kernel keep to what a cell may print and show, before anybody has to receive more."""
    allowance = Allowance()
    streams = [_Bounded(stream, allowance) for stream in (sys.stdout, sys.stderr)]

    def ended(*_: object) -> None:
        rest = allowance.rest()
        allowance.again()
        for stream in streams:
            stream.end("".join(text for name, text in rest if name == stream.name))

    shell.events.register("post_run_cell", ended)
    for sender in (shell.display_pub, shell.displayhook):
        sender.register_hook(partial(_kept, allowance))


def _kept(allowance: Allowance, msg: dict[str, Any]) -> dict[str, Any] | None:
    if msg["msg_type"] == "clear_output":
        allowance.again()
    return msg if allowance.passes(msg["msg_type"], msg["content"]) else None


class _Bounded:
    """A kernel's stream that holds back what is more than a cell may print, and is not flushed without end."""

    def __init__(self, stream: TextIO, allowance: Allowance) -> None:
        self.name, self._allowance = stream.name, allowance
        self._write, self._flush, self._flushed = stream.write, stream.flush, 0
        stream.write = self.write  # type: ignore[method-assign]
        stream.flush = self.flush  # type: ignore[method-assign]

    def write(self, text: str) -> int:
        kept = self._allowance.prints(self.name, text) if isinstance(text, str) else text
        if kept:
            self._write(kept)
        return len(text)

    def flush(self) -> None:
        self._flushed += 1
        if self._flushed < MOST:
            self._flush()

    def end(self, rest: str) -> None:
        if rest:
            self._write(rest)
        self._flushed = 0


def _limits() -> str:
    whole, cell = _size(WHOLE), _size(SHOWN)
    return f"A cell may show {MOST} outputs of {cell}, a report {whole}: let the query count, or take a sample."


def _size(characters: int) -> str:
    return number(characters / 1e6, "MB") if characters >= 1e6 else number(characters / 1e3, "kB")  # noqa: PLR2004
