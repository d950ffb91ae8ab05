"""Spark of several processes over an archive, beside the PostgreSQL it was taken from."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from archives import PLAN, archived, later
from plant import free_port
from spark_server import SparkServer, spark_connect

from golive_lib import Status, open_launch, series
from golive_lib.canary import flags_asked, judge_now
from golive_lib.duck import DuckDB
from golive_lib.engines import SparkUrl, parse_address
from golive_lib.errors import ArchiveError, DatabaseError, QueryFailed
from golive_lib.known_answers import examine
from golive_lib.query import compose, load
from golive_lib.settings import Secret
from golive_lib.spark import SparkEngine
from golive_lib.spark_sql import spark_sql
from golive_lib.statement import Statement
from golive_lib.telemetry import gather_earlier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.demo import DemoDatabase
    from golive_lib.launch import Launch
    from golive_lib.statement import Value

QUERIES = load([PLAN.parent / "queries"])
FLAGS = flags_asked(open_launch("duckdb:none", plan=PLAN).plan)
NOW = "2026-03-25T22:00:00Z"  # the end of the last stage
VALUES: dict[str, Value] = {
    "as_of": "2026-03-24T20:30:00Z",
    "since": "2026-03-24T14:00:00Z",
    "golive_since": "2026-03-24T14:00:00Z",
    "golive_until": "2026-03-24T20:00:00Z",
    "golive_days": 3,
    "golive_zone": "Asia/Beirut",
    "golive_sample": 10_000,
    "day": "2026-03-24",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """Run Spark Connect with two workers."""
    with spark_connect(tmp_path_factory.mktemp("spark")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive the healthy demo."""
    path = tmp_path_factory.mktemp("archive") / "samia"
    archived(healthy, path)
    return path


@pytest.fixture(scope="module")
def live(healthy: DemoDatabase) -> Launch:
    """Open the healthy demo on PostgreSQL."""
    return later(healthy)


@pytest.fixture(scope="module")
def spark(server: SparkServer, folder: Path) -> Iterator[Launch]:
    """Open the same days on Spark."""
    launch = open_launch(f"{server.address}/;archive={folder}", plan=PLAN)
    yield launch
    launch.database.close()


def same(one: Launch, other: Launch, name: str, statement: str, flags: list[str]) -> pd.DataFrame:
    """Ask both, hold the answers against each other to the last row and type, and return them."""
    frames = []
    for launch in (one, other):
        query, catalog = launch.query(name), launch.queries
        shapes = {
            "events": lambda q=query, c=catalog: compose(q, c),
            "minutes": lambda q=query, c=catalog: series.minutes(q, c, flags, indexed=False),
            "minutes, indexed": lambda q=query, c=catalog: series.minutes(q, c, flags, indexed=True),
            "reading": lambda q=query, c=catalog: series.reading(q, c),
            "earlier days": lambda q=query, c=catalog: series.earlier_days(q, c, flags),
            "bad events": lambda q=query, c=catalog: series.bad_events(q, c, flags[0]),
        }
        with launch.database.snapshot() as snapshot:
            values = launch.defaults(query, snapshot.clock) | VALUES
            frame = snapshot.frame(shapes[statement](), values)
        if "percentiles" in frame:  # an endless one between two of them is not a number in PostgreSQL
            frame["percentiles"] = [
                str([round(v, 6) if v == v else float("inf") for v in p or []]) for p in frame["percentiles"]
            ]
        frames.append(frame.sort_values(list(frame), kind="stable", ignore_index=True))
    pd.testing.assert_frame_equal(frames[1], frames[0], check_exact=True)
    return frames[0]


@pytest.mark.parametrize("shape", ["events", "minutes", "minutes, indexed", "reading", "earlier days", "bad events"])
@pytest.mark.parametrize(("name", "flags"), FLAGS)
def test_events_are_the_same(live: Launch, spark: Launch, name: str, flags: list[str], shape: str) -> None:
    """Every shape around every query of events gives PostgreSQL's frame, column types and all."""
    assert len(same(live, spark, name, shape, flags)) or shape == "bad events"


def test_due_events_are_the_same(live: Launch, spark: Launch) -> None:
    """So does the query of what is due each day."""
    assert len(same(live, spark, "canary/zodiac", "events", []))


@pytest.mark.parametrize("percent", [10, 25, 50, 100])
def test_record_is_the_same_byte_for_byte(live: Launch, spark: Launch, percent: float) -> None:
    """A stage judged by Spark has PostgreSQL's record, its verdict and its sentence."""
    ours, theirs = (judge_now(launch, percent, as_of=NOW) for launch in (spark, live))
    assert json.dumps(ours.record()) == json.dumps(theirs.record())
    assert str(ours.outcome) == str(theirs.outcome)
    assert {one.status for one in ours.results} != {Status.UNKNOWN}
