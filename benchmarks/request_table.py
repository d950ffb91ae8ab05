"""Databases for ``scale.py``: the demo's launch, with a table of API requests of any length in place of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql

from golive_lib.demo.build import CLOCK, open_demo

if TYPE_CHECKING:
    from pathlib import Path

    from golive_lib.demo.server import DemoServer

A_DAY = 10_000_000 / 30
COVERING, PLAIN = "api_logs_covering", "api_logs_plain"
BUILDING = "scale_building"
VERSION = 1  # of what is built; count on and it is built anew

# Rows lie in the order of time, as logs do; half of them are the canary's, 0.7 % are slow, 0.3 % failed.
_ROWS: LiteralString = """
insert into api_logs (id, created_at, method, path, status_code, response_time_ms, flat_tables, user_id)
select i, cast(%(end)s as timestamptz) - (%(rows)s - i + u) * %(seconds)s * interval '1 second',
  case when mod(n, 4) = 0 then 'POST' else 'GET' end,
  (array['/readings', '/decks', '/profiles/me', '/zodiac/today', '/bookings', '/payments'])[1 + mod(n, 6)],
  case when v < .003 then 500 when v < .04 then 404 when mod(n, 4) = 0 then 201 else 200 end,
  (6 - 400 * ln(1 - u))::int, mod(n, 2) = 0, lpad(to_hex(mod(n, 5000)), 32, '0')::uuid
from (
  select i, ((h >> 10) & 1048575) / 1048576.0::float8 as u, ((h >> 32) & 1048575) / 1048576.0::float8 as v,
    ((h >> 20) & 65535)::int as n
  from (select i, hashint8extended(i, 7) as h from generate_series(1, %(rows)s) i) hashed) drawn
"""
_STATEMENTS: tuple[LiteralString, ...] = (
    "set jit = off",
    "truncate api_logs",
    "alter table api_logs drop constraint api_logs_pkey",
    "drop index api_logs_created_at_status_code_response_time_ms_flat_table_idx",
    _ROWS,
    "create index api_logs_covering on api_logs (created_at) include (status_code, response_time_ms, flat_tables)",
    "create index api_logs_plain on api_logs (created_at)",
    "vacuum (analyze, freeze) api_logs",
)
_ONLY = """
update pg_index set indisvalid = coalesce(indexrelid = %s::regclass, false)
where indexrelid in ('api_logs_covering'::regclass, 'api_logs_plain'::regclass)
"""


def days(rows: int) -> float:
    """Return how many days a table lasts: 30, or more at the density of 10 million in 30."""
    return max(30.0, rows / A_DAY)


def built(server: DemoServer, folder: Path, rows: int) -> str:
    """Return the name of the database with a table of so many rows, built now if the folder has none yet."""
    name = f"scale_{rows}_{VERSION}"
    with server.connect() as connection:
        if connection.execute("select from pg_database where datname = %s", [name]).fetchone() is not None:
            return name
    began = time.perf_counter()
    # Under another name until it is complete, so that an interrupted build is never taken for a finished one.
    server.drop_database(BUILDING)
    with open_demo(scale=0.2, data=folder) as demo:
        server.create_database(BUILDING, template=demo.name)
    values = {"end": CLOCK, "rows": rows, "seconds": days(rows) * 86_400 / rows}
    with server.connect(BUILDING) as connection:
        for statement in _STATEMENTS:
            connection.execute(statement, values if statement is _ROWS else None)
    with server.connect() as connection:
        connection.execute(sql.SQL("alter database {} rename to {}").format(*map(sql.Identifier, (BUILDING, name))))
    print(f"built {rows:,} rows over {days(rows):.0f} days in {time.perf_counter() - began:.0f} s\n", flush=True)
    return name


def only(server: DemoServer, database: str, index: str | None) -> None:
    """Let the planner, and the kit, see one of the table's time indexes or none: the others count as invalid."""
    with server.connect(database) as connection:
        connection.execute(_ONLY, [index])
