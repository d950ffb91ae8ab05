"""How a source's table answers for a window: the index that serves it, or the one that would, its size and its gain."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from golive_lib.canary import flags_asked
from golive_lib.errors import QueryFailed
from golive_lib.events import Window, minute_statement
from golive_lib.formats import missing, number
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from golive_lib.answers import Origin
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.query import Query

LARGE_TABLE = 100_000
WIDEST = 100  # bytes of a row that an index should hold at most, else it is another table


def time_index(snapshot: Snapshot, launch: Launch, source: Query, at: Origin) -> tuple[Status, str]:
    """Say which index serves the windows of a source whose ``at`` is a table's column, or which one would.

    Nothing is created: the statement is for the table's owner. Raises QueryFailed.
    """
    place = {"relation": at.table_oid, "attribute": at.attribute}
    table = launch.ask(snapshot, "doctor/index_gain", **place, columns="[]").iloc[0]
    rows = f"{table['relation']}.{table['attribute']}, about {int(table['rows']):,} rows"
    if int(table["rows"]) >= LARGE_TABLE:
        read = sorted(set(_columns_read(snapshot, launch, source, str(table["relation"]))))
        table = launch.ask(snapshot, "doctor/index_gain", **place, columns=json.dumps(read)).iloc[0]
    covering = bool(table["includes"]) and int(table["width"]) <= WIDEST
    if table["index"]:
        more = "" if table["covers"] or not covering else f"; {_proposed(table, covering)}"
        return Status.GREEN, f"{table['index']} on {rows}{more}"
    useless = f"; of no use: {table['useless']}" if table["useless"] else ""
    if int(table["rows"]) < LARGE_TABLE:
        return Status.GREEN, f"none on {rows}{useless}; small"
    return Status.AMBER, f"none on {rows}{useless}; {_proposed(table, covering)}"


def _columns_read(snapshot: Snapshot, launch: Launch, source: Query, relation: str) -> Iterator[str]:
    """Find the table's columns that the plan's queries of events need of it: those above its scan in their plans."""
    name = source.name.removeprefix("sources/")
    window = Window(snapshot.clock.now - timedelta(hours=1), snapshot.clock.now, snapshot.clock.now)
    for query, flags in flags_asked(launch.plan):
        if name not in launch.query(query).sources:
            continue
        try:
            asked, values = minute_statement(snapshot, launch, window, query, flags, lean=False)
            explaining = replace(asked, sql=f"explain (verbose, format json) {asked.sql}")
            plan = snapshot.frame(explaining, values).iloc[0, 0]
        except QueryFailed:
            continue  # the query's own line says why
        aliases = {node["Alias"] for node in _scans(plan, relation)}
        for scan in _scans(plan, relation):
            scan.pop("Output", None)  # a scan may hand on all columns because that is cheaper than choosing
        for alias in aliases:
            column = rf'(?<![\w."]){re.escape(alias)}\.(?:"((?:[^"]|"")+)"|(\w+))'
            for quoted, plain in re.findall(column, "\n".join(_texts(plan))):
                yield plain or quoted.replace('""', '"')


def _scans(node: Any, relation: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401  parsed JSON
    """Yield the nodes of a plan that read a relation, named as regclass shows it, with its schema or without."""
    if isinstance(node, dict):
        if "Relation Name" in node and relation.replace('"', "") in (
            node["Relation Name"],
            f"{node['Schema']}.{node['Relation Name']}",
        ):
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _scans(each, relation)


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401  parsed JSON
    if isinstance(node, str):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(each)


def _proposed(table: pd.Series[Any], covering: bool) -> str:
    """Say what a day's window reads now and would read, what the index takes, and the statement that makes it."""
    whole, plain = float(table["bytes"]), float(table["plain_bytes"])
    size, read = (float(table["covering_bytes"]),) * 2 if covering else (plain, plain + whole)
    now = f"the whole table, {_about(whole)}, in one pass"
    if table["index"]:
        now = f"{_about((plain + whole) * table['day'])} of it and the table"
    then = f"{_about(read * table['day'])} minute by minute, through an index of {_about(size)}"
    include = f" include ({table['includes']})" if covering else ""
    concurrently = "" if table["partitioned"] else " concurrently"  # PostgreSQL cannot where a table is partitioned
    statement = f"create index{concurrently} on {table['relation']} ({table['attribute']}){include}"
    return f"a day's window reads {now}; it would read {then}: {statement}"


def _about(size: float) -> str:
    """Return bytes to two digits; what the statistics do not tell is a part."""
    return "its part" if missing(size) else f"about {number(float(f'{size / 1e6:.2g}'), 'MB')}"
