"""The kit's statements, which are PostgreSQL's, in DuckDB's SQL with the same answers."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from golive_lib.errors import QueryFailed, SettingsError
from golive_lib.formats import mask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot.expressions import Expr

    from golive_lib.statement import Statement

# PostgreSQL's numeric has no end of digits; without a scale it becomes the widest, with room on both sides.
_NUMERIC = "decimal(38, 10)"
# Exact, as PostgreSQL's is: a thousand times a float may fall just short of the limit that it reaches.
_EPOCH = "(cast(epoch_us({}) as decimal(18, 0)) * 0.000001)"


def duckdb_sql(statement: Statement, *, pretty: bool = False) -> str:
    """Return a statement for DuckDB, its parameters ``$named`` and cast to their declared types.

    Raises QueryFailed for what cannot be translated, SettingsError where sqlglot is not installed.
    """
    return _translated(statement.sql, tuple(statement.types.items()), pretty)


@functools.cache  # a watch asks the same again and again
def _translated(sql: str, types: tuple[tuple[str, str], ...], pretty: bool) -> str:
    try:
        from sqlglot import ErrorLevel, errors, exp, parse_one  # noqa: PLC0415  an extra's
    except ImportError:
        words = "an archive is asked through sqlglot, which is missing\n  next: pip install 'golive[engines]'"
        raise SettingsError(words) from None
    try:
        parsed = parse_one(sql, read="postgres")
        if not isinstance(parsed, exp.Query):
            raise errors.ParseError("an archive is only read")
        for node in reversed(list(parsed.walk())):  # the innermost first
            _rewrite(node, dict(types))
        return parsed.sql("duckdb", unsupported_level=ErrorLevel.RAISE, pretty=pretty)
    except errors.SqlglotError as error:
        reason = f"it cannot be put into DuckDB's words: {mask(' '.join(str(error).split()))}"
        raise QueryFailed(reason, reason=reason) from None


def _rewrite(node: Expr, types: Mapping[str, str]) -> None:
    """Put what DuckDB understands otherwise than PostgreSQL so that both mean the same; sqlglot does the rest."""
    from sqlglot import exp, parse_one  # noqa: PLC0415  as above

    match node:
        case exp.Placeholder():
            node.replace(exp.cast(node.copy(), types[node.name], dialect="postgres"))
        case exp.Cast(args={"to": exp.DataType(this=exp.DataType.Type.DECIMAL, expressions=[])}):
            node.set("to", exp.DataType.build(_NUMERIC, dialect="duckdb"))
        case exp.Extract(args={"this": exp.Var(this="EPOCH"), "expression": moment}):
            node.replace(parse_one(_EPOCH.format(moment.sql("duckdb")), read="duckdb"))
        case exp.Coalesce():  # a decimal has no infinity; of an instant, write timestamptz 'infinity'
            for value in node.expressions:
                if isinstance(value, exp.Literal) and value.is_string and value.name.lstrip("-") == "infinity":
                    value.replace(exp.cast(value.copy(), "double"))
        case exp.WithinGroup(args={"this": exp.PercentileCont(), "expression": order}):  # of decimals it is cut to one
            for key in order.expressions:
                key.set("this", exp.cast(key.this.copy(), "double"))
