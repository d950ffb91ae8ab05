"""What the database answered, as a DataFrame with a type per column."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import psycopg

from golive_lib.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import sqlalchemy as sa

_NUMBERS = {"numeric", "float4", "float8"}
_INTEGERS = {"int2", "int4", "int8", "oid"}
_INSTANTS = {"timestamptz", "timestamp"}


@dataclass(frozen=True)
class Origin:
    """One column of an answer: its PostgreSQL type, and the table column it comes from unchanged, if any."""

    name: str
    type: str
    table_oid: int | None
    attribute: int | None


@functools.cache
def _type_names() -> dict[int, str]:
    return {info.oid: info.name for info in psycopg.adapters.types}


def columns(result: sa.CursorResult[Any]) -> list[tuple[str, str]]:
    """Return the name and the PostgreSQL type of each column."""
    description: Any = result.cursor.description if result.cursor else ()
    return [(column[0], _type_names().get(column[1], "text")) for column in description]


def origins(result: sa.CursorResult[Any]) -> tuple[Origin, ...]:
    """Return each column with where it comes from."""
    raw = result.cursor.pgresult if result.cursor else None
    return tuple(
        Origin(name, type_, (raw and raw.ftable(i)) or None, (raw and raw.ftablecol(i)) or None)
        for i, (name, type_) in enumerate(columns(result))
    )


def frame(named: list[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Build a DataFrame with a type per column: instants in UTC, integers and booleans that may be missing.

    Raises QueryFailed for a name that comes twice.
    """
    names = [name for name, _ in named]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise QueryFailed(f"column {repeated[0]!r} twice", reason=f"the query answers with two columns {repeated[0]!r}")
    answer = pd.DataFrame([tuple(row) for row in rows], columns=names, dtype=object)
    return answer.assign(**{name: _typed(answer[name], type_) for name, type_ in named})


def _typed(column: pd.Series[Any], type_: str) -> pd.Series[Any]:
    if type_ in _NUMBERS:
        return column.astype("float64")
    if type_ in _INTEGERS:
        return column.astype("Int64")
    if type_ == "bool":
        return column.astype("boolean")
    if type_ in _INSTANTS:
        return pd.to_datetime(column, utc=type_ == "timestamptz")
    return column.map(str, na_action="ignore") if type_ in {"uuid", "inet", "cidr", "interval"} else column
