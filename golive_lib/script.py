"""A file of several SQL commands, cut into them as psql does; what would end its transaction is refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from golive_lib.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# One piece of SQL after another; the first pattern that fits decides. What is never closed has one of its own.
_PIECES = re.compile(
    r"(?P<line>--[^\n]*)|(?P<block>/\*)"
    r"|(?P<escaped>[eE]'(?:\\.|''|[^'\\])*')|(?P<quoted>'(?:''|[^'])*'|\"(?:\"\"|[^\"])*\")"
    r"|\$(?P<tag>(?:[^\W\d][\w]*)?)\$(?P<dollar>.*?)\$(?P=tag)\$"
    r"|(?P<unclosed>[eE]?'|\"|\$(?:[^\W\d]\w*)?\$)|(?P<word>[^\W\d][\w$]*)|(?P<number>\d[\w$.]*)"
    r"|(?P<open>\()|(?P<close>\))|(?P<end>;)|(?P<meta>\\)|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_ROUTINE = re.compile(r"create( or replace)? (function|procedure)")
_CONTROL = re.compile(
    r"(begin|start transaction|commit|end|rollback|abort|savepoint|release|prepare transaction"
    r"|set transaction|set session characteristics)\b"
)
_BEGIN = re.compile(r"(begin( work| transaction)?|start transaction)")
_COMMIT = re.compile(r"(commit|end)( work| transaction)?")
_SESSION = re.compile(r"(set(?! local\b| constraints\b)|reset|discard)\b")
_COPY = re.compile(r"copy\b.*\b(from stdin|to stdout)\b")
_HEAD = 4  # words of a command that say whether it makes a routine


@dataclass(frozen=True)
class Command:
    """One command of a file as it stands there, without its semicolon; it begins on ``line`` of ``path``."""

    text: str
    path: Path
    line: int
    words: str

    @property
    def where(self) -> str:
        """The file and line, as messages name it."""
        return f"{self.path}:{self.line}"

    def at(self, position: int) -> str:
        """Return file and line of a 1-based character position in the command; 0 is its beginning."""
        return f"{self.path}:{self.line + self.text.count(chr(10), 0, max(position - 1, 0))}"


@dataclass(frozen=True)
class Script:
    """A file's commands in order; ``wrapped`` when a BEGIN before and a COMMIT behind them were left out."""

    path: Path
    commands: tuple[Command, ...]
    wrapped: bool


def read_script(text: str, path: Path) -> Script:
    """Cut a file into commands that run in one transaction of the kit's own.

    Raises QueryError with file and line for what psql alone knows, what is never closed, what begins or ends a
    transaction (but one BEGIN before and one COMMIT behind everything), and a file without a command.
    """
    commands = list(split(text, path))
    wrapped = (
        len(commands) > 1 and bool(_BEGIN.fullmatch(commands[0].words)) and bool(_COMMIT.fullmatch(commands[-1].words))
    )
    if wrapped:
        commands = commands[1:-1]
    for command in commands:
        if _CONTROL.match(command.words):
            said = _shown(command.text)
            rule = "it would end the transaction that makes this all or nothing; take it out"
            raise QueryError(f"{command.where}: {said!r} begins or ends a transaction, or sets its mode: {rule}")
        if _SESSION.match(command.words):
            rule = "it would outlive this transaction, for the app's sessions too behind a pooler; write SET LOCAL"
            raise QueryError(f"{command.where}: {_shown(command.text)!r}: {rule}")
        if _COPY.match(command.words):
            raise QueryError(f"{command.where}: {_shown(command.text)!r}: COPY may not read from the file; use INSERT")
    if not commands:
        raise QueryError(f"{path}:1: there is no command in this file")
    return Script(path, tuple(commands), wrapped)


def split(text: str, path: Path) -> Iterator[Command]:
    """Give a file's commands; a semicolon in quotes, comments, parentheses or a routine's BEGIN … END ends none."""
    return _Splitter(text, path).commands()


class _Splitter:
    """The state of one reading: where the command began, how deep in parentheses and in a routine's body we are."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text.removeprefix("\ufeff")
        self._path = path
        self._reset()

    def _reset(self) -> None:
        self._start: int | None = None
        self._words: list[str] = []
        self._parentheses: list[int] = []
        self._blocks = 0

    def commands(self) -> Iterator[Command]:
        at, last = 0, 0
        while at < len(self._text):
            piece = _PIECES.match(self._text, at)
            if piece is None:  # the last pattern fits anything
                break
            kind, end = piece.lastgroup, piece.end()
            if kind == "block":
                end = self._comment(at)
            elif kind == "end" and not self._parentheses and not self._blocks:
                if self._start is not None:
                    yield self._command(last)
                self._reset()
            elif kind not in ("line", "space"):
                self._start = at if self._start is None else self._start
                self._take(str(kind), piece[0], at)
                last = end
            at = end
        if self._parentheses:
            self._fail(self._parentheses[-1], "'(' is never closed")
        if self._start is not None:
            if self._blocks:
                self._fail(self._start, f"{self._here(self._start)!r} has a BEGIN without its END")
            yield self._command(last)

    def _take(self, kind: str, piece: str, at: int) -> None:
        if kind in ("unclosed", "meta"):
            known = f"{piece} is never closed"
            meta = f"'{self._here(at)}' is a command of psql, which golive is not; take it out"
            self._fail(at, known if kind == "unclosed" else meta)
        if kind == "open":
            self._parentheses.append(at)
        elif kind == "close" and self._parentheses:
            self._parentheses.pop()
        elif kind == "word" and not self._parentheses:
            self._word(piece.lower())
        if kind not in ("word", "number", "open", "close", "end") and not self._parentheses:
            self._words.append("?" if kind != "other" else piece)

    def _word(self, word: str) -> None:
        """Follow the blocks of a routine whose body is no quoted text, as psql does."""
        self._words.append(word)
        if not _ROUTINE.match(" ".join(self._words[:_HEAD])):
            return
        if word == "begin" or (word == "case" and self._blocks):
            self._blocks += 1
        elif word == "end" and self._blocks:
            self._blocks -= 1

    def _comment(self, start: int) -> int:
        """Return where a comment ends; one may stand in another."""
        depth = 0
        for mark in re.finditer(r"/\*|\*/", self._text[start:]):
            depth += 1 if mark[0] == "/*" else -1
            if not depth:
                return start + mark.end()
        return self._fail(start, "/* is never closed")

    def _command(self, end: int) -> Command:
        start = self._start or 0
        return Command(self._text[start:end], self._path, self._line(start), " ".join(self._words))

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _here(self, at: int) -> str:
        return self._text[at:].split("\n", 1)[0].strip()

    def _fail(self, at: int, what: str) -> NoReturn:
        raise QueryError(f"{self._path}:{self._line(at)}: {what}")


def _shown(text: str) -> str:
    first = text.split("\n", 1)[0]
    return first if first == text else f"{first} …"
