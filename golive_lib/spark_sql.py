"""The kit's SQL as Spark reads it: sqlglot's translation, and what sqlglot leaves wrong or out.

PostgreSQL's meaning is kept to the row: exact percentiles, decimals with their fraction, instants to the microsecond,
hours that a zone's clock skips or repeats, a series that is empty where its end lies before its start.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlglot import ErrorLevel, errors, exp, parse_one

from golive_lib.engines import SCHEMA
from golive_lib.errors import QueryFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlglot.expressions import Expr

    from golive_lib.statement import Statement

_SECONDS = "(CAST(UNIX_MICROS(:at) AS DECIMAL(20, 0)) * 0.000001)"
_BETWEEN = "(CAST(UNIX_MICROS(:until) - UNIX_MICROS(:since) AS DECIMAL(20, 0)) * 0.000001)"
_STRIDE = "UNIX_MICROS(TIMESTAMP_MICROS(0) + :stride)"
_BIN = f"TIMESTAMP_MICROS(UNIX_MICROS(:at) - PMOD(UNIX_MICROS(:at) - UNIX_MICROS(:origin), {_STRIDE}))"
_SERIES = "(SELECT EXPLODE(IF(:first <= :last, SEQUENCE(:first, :last, :step), ARRAY())) AS {})"
_WALL = "CONVERT_TIMEZONE('UTC', :zone, CAST(:at AS TIMESTAMP_NTZ))"
# Of an hour that comes twice PostgreSQL means the second, Java the first: the offset of the day after says which it is.
_EARLY = "CONVERT_TIMEZONE(:zone, 'UTC', :wall)"
_LATE = "(CONVERT_TIMEZONE(:zone, 'UTC', :wall + INTERVAL '24' HOUR) - INTERVAL '24' HOUR)"
_IS_LATE = f"CONVERT_TIMEZONE('UTC', :zone, {_LATE}) = :wall"
_INSTANT = f"CAST(IF({_IS_LATE}, {_LATE}, {_EARLY}) AS TIMESTAMP)"
_WIDE = "COALESCE(:of, CAST(NULL AS DECIMAL(20, 0)))"  # a sum of doubles stays one
_FRACTIONS = ("double", "float", "decimal")
_ISO = re.compile(r"\d{4}-\d\d-\d\d")
# Without a precision a decimal is DECIMAL(10, 0) there, which cuts the fraction, and a TIMESTAMP has a zone.
_TYPES = {"DECIMAL": "DECIMAL(38, 18)", "TIMESTAMP": "TIMESTAMP_NTZ"}


def view(source: str) -> str:
    """Return the name of a source's temporary view: a schema of its own would be seen by everybody on the cluster."""
    return f"{SCHEMA}_{source}"


def spark_sql(statement: Statement) -> str:
    """Return a statement's SQL for Spark, its ``:params`` named as they were and cast to their types.

    Raises QueryFailed where it cannot be said in Spark's SQL.
    """
    return _translated(statement.sql, tuple(sorted(statement.types.items())))


@lru_cache(maxsize=256)
def _translated(sql: str, types: tuple[tuple[str, str], ...]) -> str:
    try:
        tree = parse_one(sql, read="postgres")
        nodes = [(node, _zoneless(node), _whole(node)) for node in tree.walk()]  # as they were before any is replaced
        for node, zoneless, whole in reversed(nodes):  # children first
            _relation(node)
            _time(node, zoneless=zoneless)
            _number(node, whole=whole)
        for node in list(tree.find_all(exp.Placeholder)):
            _bind(node, dict(types))
        for limit in tree.find_all(exp.Limit):  # of rows it is an INT in Spark
            if isinstance(limit.expression, exp.Cast):
                limit.expression.set("to", exp.DataType.build("int"))
        return tree.sql("spark", unsupported_level=ErrorLevel.RAISE)
    except errors.SqlglotError as error:
        words = f"cannot be said in Spark's SQL: {' '.join(str(error).split())}"
        raise QueryFailed(words, reason=words) from None


def _zoneless(node: Expr) -> bool:
    """Tell whether an expression is a wall clock's time, by how it is written: columns are instants."""
    if isinstance(node, exp.AtTimeZone):
        return not _zoneless(node.this)
    if isinstance(node, exp.Cast):
        return node.is_type("timestamp", "date")
    return isinstance(node, exp.Paren | exp.Add | exp.Sub) and _zoneless(node.this)


def _whole(node: Expr) -> bool | None:
    """Tell whether an expression is a whole number, by how it is written; None where that does not say it."""
    match node:
        case exp.Literal():
            return None if node.is_string else node.is_int
        case exp.Cast() if node.is_type(*exp.DataType.INTEGER_TYPES):
            return True
        case exp.Cast():
            return False if node.is_type(*_FRACTIONS) else None
        case exp.Count() | exp.Extract() | exp.Avg():
            return isinstance(node, exp.Count)
    return _all_whole(_parts(node))


def _parts(node: Expr) -> list[Expr]:
    """Return the numbers that an expression is whole with."""
    match node:
        case exp.Paren() | exp.Neg():
            return [node.this]
        case exp.Case():
            each = [*(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default")]
            return [part for part in each if part and not isinstance(part, exp.Null)]
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div() | exp.Mod():
            return [node.this, node.expression]
    return []


def _all_whole(nodes: Iterable[Expr]) -> bool | None:
    kinds = {_whole(node) for node in nodes}
    return False if False in kinds else None if None in kinds or not kinds else True


def _relation(node: Expr) -> None:
    """Replace what is read from."""
    match node:
        case exp.CTE():
            node.set("materialized", None)
        case exp.Table(this=exp.GenerateSeries() | exp.ExplodingGenerateSeries() as series):
            node.replace(_series(series, node.args.get("alias")))
        case exp.Table() if node.db == SCHEMA:  # a temporary view has none
            node.replace(exp.alias_(exp.to_table(view(node.name)), node.alias or node.name, table=True))


def _time(node: Expr, *, zoneless: bool) -> None:
    """Replace what is an instant, a wall clock's time or a duration."""
    match node:
        case exp.DateBin():
            node.replace(_spark(_BIN, stride=node.this, at=node.expression, origin=node.args["unit"]))
        case exp.Extract() if node.name.upper() == "EPOCH":
            node.replace(_epoch(node.expression))
        case exp.AtTimeZone():
            template = _WALL if zoneless else _INSTANT
            node.replace(_spark(template, at=node.this, wall=node.this, zone=node.args["zone"]))
        case exp.Cast(this=exp.Literal(is_string=True)) if node.is_type("timestamptz"):
            node.this.replace(exp.Literal.string(_instant(node.name)))


def _number(node: Expr, *, whole: bool | None) -> None:
    """Replace what is counted with."""
    match node:
        case exp.PercentileCont():  # sqlglot's is PERCENTILE_APPROX
            node.replace(exp.Anonymous(this="PERCENTILE_CONT", expressions=[node.this]))
        case exp.Cast() if node.to.sql() in _TYPES:
            node.set("to", exp.DataType.build(_TYPES[node.to.sql()], dialect="spark"))
        case exp.Literal(is_string=True) if node.name == "infinity" and not isinstance(node.parent, exp.Cast):
            node.replace(exp.cast(node.copy(), "double"))
        case exp.Div():
            _divide(node, whole=whole)
        case exp.Sum() if not _whole(node.this):  # PostgreSQL's sum of BIGINT is a decimal
            node.set("this", _spark(_WIDE, of=node.this))


def _instant(text: str) -> str:
    """Spell an instant as Spark reads it; PostgreSQL reads more."""
    at = datetime.fromisoformat(text) if _ISO.match(text) else None
    return text if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _divide(node: Expr, *, whole: bool | None) -> None:
    """Divide whole numbers to a whole number; where it cannot be told it is not guessed."""
    if whole is None:
        words = f"whether {node.sql('postgres')!r} divides whole numbers cannot be told; cast one side to float8"
        raise QueryFailed(words, reason=words)
    node.set("typed", False)
    if whole:
        node.replace(exp.IntDiv(this=node.this.copy(), expression=node.expression.copy()))


def _spark(template: str, **parts: Expr) -> Expr:
    def part(node: Expr) -> Expr:
        return parts[node.name].copy() if isinstance(node, exp.Placeholder) else node

    return parse_one(template, read="spark").transform(part)


def _epoch(of: Expr) -> Expr:
    """Return the seconds of an instant, or those between two, as a decimal: PostgreSQL's are one, too."""
    if isinstance(of, exp.Sub) and not list(of.find_all(exp.Interval)):
        return _spark(_BETWEEN, until=exp.paren(of.this), since=exp.paren(of.expression))
    return _spark(_SECONDS, at=of)


def _series(series: Expr, alias: exp.TableAlias | None) -> Expr:
    name = alias.name if alias else "generate_series"
    column = alias.columns[0].name if alias and alias.columns else name
    first, last = (series.args[key] for key in ("start", "end"))
    step = series.args.get("step") or exp.Literal.number(1)
    rows = _spark(_SERIES.format(column), first=first, last=last, step=step)
    return exp.alias_(rows, name, table=True)


def _bind(node: Expr, types: Mapping[str, str]) -> None:
    """Cast a parameter to its declared type."""
    node.replace(exp.Cast(this=node.copy(), to=exp.DataType.build(types[node.name], dialect="postgres")))
