"""PostgreSQL's statements in DuckDB's words: what sqlglot alone gets wrong, and what is refused."""

from __future__ import annotations

import sys

import duckdb
import pytest

from golive_lib.duckdb_sql import duckdb_sql
from golive_lib.errors import QueryFailed, SettingsError
from golive_lib.statement import Statement


def asked(sql: str, types: dict[str, str] | None = None) -> str:
    """Translate a statement without parts."""
    return duckdb_sql(Statement(sql, types or {}, ()))


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select ('1.23456'::numeric)::text", "1.2345600000"),  # decimal(18, 3) elsewhere
        ("select (1.239::numeric(6, 2))::text", "1.24"),  # a scale that is given stays
        ("select percentile_cont(0.5) within group (order by v) from (values (1.1), (1.2)) r (v)", 1.15),  # not 1.2
        ("select percentile_cont(0.25) within group (order by v desc) from (values (1), (2)) r (v)", 1.75),
        ("select extract(epoch from interval '2.9001 seconds') * 1000 >= 2900.1", True),
        ("select extract(year from date '2026-03-24')", 2026),
        ("select coalesce(null::numeric, 'infinity') > 1", True),
        ("select coalesce(null, timestamptz 'infinity') > now()", True),
        ("select coalesce(null, 'to infinity')", "to infinity"),
        ("select at from (values (1)) as s (at)", 1),  # a word DuckDB keeps for itself
    ],
)
def test_means_what_postgresql_means(sql: str, answer: object) -> None:
    """Each statement answers as PostgreSQL does."""
    with duckdb.connect() as connection:
        assert connection.execute(asked(sql)).fetchall() == [(answer,)]


def test_values_are_bound_by_name_and_type() -> None:
    """A parameter stays one, wherever it stands and however often."""
    sql = asked("select :n + extract(epoch from :at - :at) as a", {"n": "bigint", "at": "timestamptz"})
    assert sql.count("CAST($at AS TIMESTAMPTZ)") == 2
    assert "CAST($n AS BIGINT)" in sql


def test_colon_in_a_text_is_no_parameter() -> None:
    """What only looks like a parameter is left alone."""
    assert asked("select 'at :noon' as a, '1'::bigint as b") == "SELECT 'at :noon' AS a, CAST('1' AS BIGINT) AS b"


@pytest.mark.parametrize(
    "sql", ["select from where", "drop table t", "insert into t values (1)", "copy t to 'x'", "select 1; select 2"]
)
def test_what_is_no_question_is_refused(sql: str) -> None:
    """A slip, a write and a second statement are reasons of an unknown."""
    with pytest.raises(QueryFailed, match="cannot be put into DuckDB's words"):
        asked(sql)


def test_missing_sqlglot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the next step is said."""
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(SettingsError, match=r"pip install 'golive\[engines\]'"):
        asked("select 'never asked before'")
