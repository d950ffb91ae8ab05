"""Figures of a day's rows that PostgreSQL and DuckDB answer alike, by which a copy is proven.

Both hash a spelling of each value that they agree on: text as it is, instants as microseconds, floats as their bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.archive import Figures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golive_lib.archive import Columns

# What Parquet readers all know; every other type (uuid, jsonb, inet, time …) is kept as PostgreSQL spells it.
KEPT_AS = {
    "timestamptz": "timestamptz",
    "date": "date",
    "double precision": "double",
    "boolean": "boolean",
    "bigint": "bigint",
    "numeric": "decimal(38, 12)",
}


# As Snapshot.csv gives it: what is in quotes is a text, be it empty, and may have lines of its own.
_CSV = (
    "read_csv($rows, auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "allow_quoted_nulls = false, parallel = false, new_line = '\\n', max_line_size = 1073741824, columns = $columns)"
)


@dataclass(frozen=True)
class Dialect:
    """How a server spells a value so that the other agrees (by type, else as text), hashes it, and counts with it."""

    spelled: Mapping[str, str]
    other: str
    hashed: str
    number: str


POSTGRES = Dialect(
    {
        "timestamptz": "case when isfinite({0}) then round(extract(epoch from {0}) * 1000000)::bigint::text"
        " else {0}::text end",
        "double precision": "case when {0} = 'NaN' then 'NaN'"
        " else ('x' || encode(float8send({0}), 'hex'))::bit(64)::text end",
        "numeric": "trim_scale({0})::text",
    },
    "{0}::text",
    "md5(convert_to({0}, 'UTF8'))",
    "('x' || left({0}, 15))::bit(60)::bigint",
)
DUCKDB = Dialect(
    {
        "timestamptz": "case when isfinite({0}) then epoch_us({0})::varchar else {0}::varchar end",
        "double precision": "case when isnan({0}) then 'NaN' else {0}::bit::varchar end",
        "numeric": "rtrim(rtrim({0}::varchar, '0'), '.')",
    },
    "{0}::varchar",
    "md5({0})",
    "('0x' || left({0}, 15))::bigint",
)


def typed_copy(columns: Columns, key: str) -> str:
    """Return DuckDB's statement that keeps ``$rows``, a CSV of texts by ``$columns``, as typed Parquet in ``$file``."""
    named = [(quoted(name), KEPT_AS.get(type_, "varchar")) for name, type_ in columns]
    typed = ", ".join(f"cast({name} as {type_}) as {name}" for name, type_ in named)
    asked = f"select {typed} from {_CSV} order by {quoted(key)}"
    return f"copy ({asked}) to $file (format parquet, compression zstd)"


def figures_sql(columns: Columns, rows: str, dialect: Dialect) -> str:
    """Return the statement for the figures of ``rows``: a relation with its condition, as it follows ``from``."""
    spelled = (dialect.spelled.get(type_, dialect.other).format(quoted(name)) for name, type_ in columns)
    hashes = ", ".join(f"{dialect.hashed.format(text)} as h{i}" for i, text in enumerate(spelled))
    each = ", ".join(f"coalesce(h{i}, '-')" for i in range(len(columns)))
    whole = dialect.hashed.format(f"concat_ws(' ', {each})")
    sums = (f"count(h{i}) as n{i}, {_sum(dialect, f'h{i}')} as s{i}" for i in range(len(columns)))
    head = f"select count(*) as n, {_sum(dialect, 'whole')} as s, {', '.join(sums)}"
    return f"{head}\nfrom (select *, {whole} as whole from (select {hashes} from {rows}) hashed) golive_hashed"


def figures(columns: Columns, answer: Sequence[object]) -> Figures:
    """Read the row that such a statement answers with."""
    count, whole, *rest = map(str, answer)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    named = {name: (int(there), total) for (name, _), (there, total) in zip(columns, pairs, strict=True)}
    return Figures(rows=int(count), whole=whole, columns=named)


def quoted(name: str) -> str:
    """Return a column's name as both spell it."""
    return '"' + name.replace('"', '""') + '"'


def _sum(dialect: Dialect, hashed: str) -> str:
    return f"coalesce(sum({dialect.number.format(hashed)}), 0)::text"
