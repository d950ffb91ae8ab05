"""Whose a row is: the plan's critical tables, and the way from their rows to the owner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from golive_lib.errors import PlanError

if TYPE_CHECKING:
    from golive_lib.plan import Plan

MOST_ROWS = 1000  # no question reads further, however large the table

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_COLUMN = re.compile(_NAME)
_PLACE = re.compile(rf"(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})\.(?P<key>{_NAME})")
_TABLE = re.compile(rf"(?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME})")


@dataclass(frozen=True)
class Hop:
    """A step towards the owner: the row of ``table`` whose ``key`` is the column before, and its own ``column``."""

    table: sql.Identifier
    key: str
    column: str


@dataclass(frozen=True)
class Owned:
    """A critical table, the column that leads to a row's owner, and the steps from there when it is not the owner."""

    name: str
    schema: str
    relation: str
    column: str
    hops: tuple[Hop, ...]

    @property
    def table(self) -> sql.Identifier:
        """The table, with its schema."""
        return sql.Identifier(self.schema, self.relation)


def owned_tables(plan: Plan) -> tuple[Owned, ...]:
    """Read the plan's critical tables; raises PlanError that quotes an entry that cannot be read."""
    return tuple(_owned(plan, name, path) for name, path in plan.rls.critical.items())


def _owned(plan: Plan, name: str, path: str) -> Owned:
    table = split_table(name, plan.rls.schemas[0])
    if not table:
        shape = "should be a table ('orders'), or one with its schema ('app.orders'); other names in double quotes"
        raise PlanError(f"{plan.path}: rls.critical: {name!r}: {shape}")
    parts = [part.strip() for part in path.split("->")]
    places = [_PLACE.fullmatch(part) for part in parts[1::2]]
    if len(parts) % 2 == 0 or not all(places) or not all(map(_COLUMN.fullmatch, parts[0::2])):
        shape = "a column ('client_id'), or a way to one ('reading_id -> readings.id -> client_id')"
        raise PlanError(f"{plan.path}: rls.critical.{name} = {path!r}: should be {shape}")
    schema, relation = table
    columns = [_bare(part) for part in parts[0::2]]
    hops = tuple(
        Hop(sql.Identifier(_bare(place["schema"] or "") or schema, _bare(place["table"])), _bare(place["key"]), column)
        for place, column in zip(places, columns[1:], strict=True)
        if place
    )
    return Owned(name, schema, relation, columns[0], hops)


def split_table(name: str, default: str = "") -> tuple[str, str] | None:
    """Return a table's schema and name, ``default`` where none is written; None for what names no table."""
    found = _TABLE.fullmatch(name)
    schema = _bare(found["schema"] or "") or default if found else ""
    return (schema, _bare(found["table"])) if found and schema else None


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def owners(owned: Owned) -> sql.Composed:
    """Return the question for owners among a table's first rows: ``owner`` as text, ``key`` as it is stored."""
    joins, last = sql.Composed([]), sql.Composed([sql.SQL("t.key")])
    for i, hop in enumerate(owned.hops):
        step = sql.Identifier(f"hop{i}")
        joins += sql.SQL(" join {} {} on {}.{} = {}").format(hop.table, step, step, sql.Identifier(hop.key), last)
        last = sql.SQL("{}.{}").format(step, sql.Identifier(hop.column))
    return sql.SQL(
        "select distinct {owner}::text as owner, t.key from (select {column} as key from {table} "
        "where {column} is not null limit {most}) t{joins} where {owner} is not null"
    ).format(owner=last, column=sql.Identifier(owned.column), table=owned.table, most=MOST_ROWS, joins=joins)
