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
_COPY = re.compile(r"copy\b.*\b(to|from (stdin|program))\b")
_WAIT = re.compile(r"set local (lock|statement)_timeout\b")
_RULES = {
    _CONTROL: "begins or ends a transaction, or sets its mode: it would end the one that makes this all or nothing; "
    "take it out",
    _SESSION: "would outlive this transaction, for the app's sessions too behind a pooler; write SET LOCAL",
    _WAIT: "would make it wait longer than the plan's [database] allows; take it out",
    _COPY: "reads or writes what no transaction takes back, or this file itself; use INSERT",
}
_CALLS = {
    "setval": "moves a sequence, and no transaction takes that back; take it out",
    "nextval": "moves a sequence, and no transaction takes that back; take it out",
    "set_config": "may outlive this transaction, or lift its timeouts; write SET LOCAL",
}
# What is only written down calls nothing yet.
_LATER = re.compile(
    r"(create( or replace)?( temp| temporary| unlogged| recursive)* "
    r"(view|function|procedure|rule|trigger|policy|table(?!.*\bas\b))|alter\b.*\bset default|comment)\b"
)
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
        _require_takeable_back(command)
    if not commands:
        raise QueryError(f"{path}:1: there is no command in this file")
    return Script(tuple(commands), wrapped)


def _require_takeable_back(command: Command) -> None:
    """Refuse what ends the transaction, reaches beyond it, or lifts its timeouts."""
    for pattern, rule in _RULES.items():
        if pattern.match(command.words):
            raise QueryError(f"{command.where}: {_shown(command.text)!r} {rule}")
    if not _LATER.match(command.words):
        for name, at in _called(command.text, body=command.words.startswith("do ")):
            raise QueryError(f"{command.at(at)}: {name}() {_CALLS[name]}")


def _called(text: str, *, body: bool) -> Iterator[tuple[str, int]]:
    """Give the calls that no transaction takes back with their 1-based positions; ``body``: those in quotes too."""
    last, start = "", 0
    for kind, piece, at in _pieces(text):
        if kind == "open" and last in _CALLS:
            yield last, start + 1
        if body and kind in {"dollar", "quoted"}:
            quote = piece.index("$", 1) + 1 if kind == "dollar" else 1
            yield from ((name, at + quote + inner) for name, inner in _called(piece[quote:-quote], body=False))
        if kind not in {"line", "space", "block"}:
            last, start = piece.strip('"').lower(), at


def split(text: str, path: Path) -> Iterator[Command]:
    """Give a file's commands; a semicolon in quotes, comments, parentheses or a routine's BEGIN … END ends none."""
    return _Splitter(text, path).commands()


def _pieces(text: str) -> Iterator[tuple[str, str, int]]:
    """Give SQL piece by piece: its kind, its text and where it begins."""
    at = 0
    while piece := _PIECES.match(text, at):
        kind, end = str(piece.lastgroup), piece.end()
        if kind == "block":
            end = _comment_end(text, at)
            kind, end = (kind, end) if end else ("unclosed", piece.end())
        yield kind, text[at:end], at
        at = end


def _comment_end(text: str, start: int) -> int:
    """Return where a comment ends, 0 where it never does; one may stand in another."""
    depth = 0
    for mark in re.finditer(r"/\*|\*/", text[start:]):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return start + mark.end()
    return 0


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
        last = 0
        for kind, piece, at in _pieces(self._text):
            if kind == "end" and not self._parentheses and not self._blocks:
                if self._start is not None:
                    yield self._command(last)
                self._reset()
            elif kind not in ("line", "space", "block"):
                self._start = at if self._start is None else self._start
                self._take(kind, piece, at)
                last = at + len(piece)
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
