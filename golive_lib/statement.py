"""Composed SQL: its parameters, the files its lines come from, and its forms for the driver and for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Value = str | int | float | bool | None

TYPES = {"int": "bigint", "float": "double precision", "text": "text", "bool": "boolean", "timestamptz": "timestamptz"}

# What may hold a colon, a percent sign or a semicolon without meaning one, then what means one.
TOKENS = re.compile(
    r"(?P<skip>\b[eE]'(?:\\.|''|[^'\\])*'|'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|::)"
    r"|:(?P<param>[a-z_]\w*)|(?P<end>;)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Part:
    """Lines of a statement that come from a file: ``first`` counts from 1 in the statement, ``line`` in the file."""

    first: int
    lines: int
    path: Path
    line: int


@dataclass(frozen=True)
class Statement:
    """Composed SQL with named ``:params``; ``types`` holds the PostgreSQL type of each."""

    sql: str
    types: Mapping[str, str]
    parts: tuple[Part, ...]

    def driver_sql(self) -> str:
        """Return the SQL with psycopg's named placeholders, each cast to its declared type."""
        return _written(
            self.sql, lambda name: f"cast(%({name})s as {self.types[name]})", lambda text: text.replace("%", "%%")
        )

    def client_sql(self, values: Mapping[str, Value]) -> str:
        """Return the SQL with its values written in, so that it runs in any SQL client."""
        return _written(self.sql, lambda name: _literal(values[name], self.types[name]))

    def server_sql(self) -> str:
        """Return the SQL as the server sees it: numbered placeholders, in the order the names first appear."""
        numbers: dict[str, int] = {}
        return _written(
            self.sql, lambda name: f"cast(${numbers.setdefault(name, len(numbers) + 1)} as {self.types[name]})"
        )

    def locate(self, position: int) -> str | None:
        """Return ``file:line`` of a 1-based character position in the server's SQL, None outside any file."""
        line = self.server_sql().count("\n", 0, position - 1) + 1
        for part in self.parts:
            if part.first <= line < part.first + part.lines:
                return f"{part.path}:{part.line + line - part.first}"
        return None


def _written(sql: str, named: Callable[[str], str], plain: Callable[[str], str] = str) -> str:
    """Return SQL with its parameters spelled in one way, and all else in another."""
    done, start = "", 0
    for token in TOKENS.finditer(sql):
        if token["param"]:
            done += plain(sql[start : token.start()]) + named(token["param"])
            start = token.end()
    return done + plain(sql[start:])


def filled(condition: str, values: Mapping[str, Value]) -> str:
    """Return a condition with its parameters' values written in, for people to read."""
    return _written(condition, lambda name: f"{value:g}" if isinstance(value := values[name], float) else str(value))


def _literal(value: Value, type_: str) -> str:
    if value is None or isinstance(value, bool | int | float):
        return f"{'null' if value is None else value}::{type_}".lower()
    escaped = value.replace("'", "''")
    return f"'{escaped}'::{type_}"
