"""The kit's statements, which are PostgreSQL's, in DuckDB's SQL with the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from golive_lib.errors import QueryFailed, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot import Expression

    from golive_lib.statement import Statement

# PostgreSQL's numeric has no end of digits: one without a scale becomes the widest, with room on both sides of the point.
_NUMERIC = "decimal(38, 10)"
# Exact as PostgreSQL's: a float's thousandfold falls beside the limit it should reach.
_EPOCH = "cast(epoch_us({}) as decimal(18, 0)) * 0.000001"


def duckdb_sql(statement: Statement) -> str:
    """Return a statement for DuckDB, its parameters ``$named`` and cast to their declared types.

    Raises QueryFailed for what cannot be translated, SettingsError where sqlglot is not installed.
    """
    try:
        from sqlglot import ErrorLevel, errors, parse_one  # noqa: PLC0415  an extra's
    except ImportError:
        words = "an archive is asked through sqlglot, which is missing\n  next: pip install 'golive[engines]'"
        raise SettingsError(words) from None
    try:
        parsed = parse_one(statement.sql, read="postgres")
        return parsed.transform(_rewritten, statement.types).sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except errors.SqlglotError as error:
        reason = f"DuckDB has no words for it: {' '.join(str(error).split())}"
        raise QueryFailed(reason, reason=reason) from None


def _rewritten(node: Expression, types: Mapping[str, str]) -> Expression:
    """Return a part of a statement as DuckDB means what PostgreSQL does; called from the outside inwards."""
    from sqlglot import exp  # noqa: PLC0415  as above

    match node:
        case exp.Placeholder():
            bound = isinstance(node.parent, exp.Cast) and node.parent.args.get("golive")
            return node if bound else _cast(node, types[node.name])
        case exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.DECIMAL, expressions=[])):
            return _cast(value, _NUMERIC)
        case exp.Extract(this=exp.Var(this="EPOCH"), expression=moment):
            return exp.paren(exp.maybe_parse(_EPOCH.format(moment.sql("duckdb")), dialect="duckdb"))
    return node


def _cast(node: Expression, type_: str) -> Expression:
    ...
