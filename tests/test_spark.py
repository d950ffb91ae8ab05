"""Spark of several processes over an archive, beside the PostgreSQL it was taken from."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

import grpc  # type: ignore[import-untyped]  # as in golive_lib/spark.py
import pandas as pd
import pytest
from archives import NOW, PLAN, VALUES, archived, later
from plant import free_port
from pyspark.sql.connect.proto.base_pb2 import AnalyzePlanRequest, AnalyzePlanResponse
from pyspark.sql.connect.proto.base_pb2_grpc import (
    SparkConnectServiceServicer,
    add_SparkConnectServiceServicer_to_server,
)
from pyspark.sql.connect.shell.progress import ProgressHandler
from spark_server import SparkServer, spark_connect

from golive_lib import Status, open_launch, series
from golive_lib.archiving import Asked, archive_days
from golive_lib.canary import flags_asked, judge_now
from golive_lib.errors import ArchiveError, DatabaseError, QueryFailed
from golive_lib.known_answers import examine
from golive_lib.launch import Launch
from golive_lib.query import compose
from golive_lib.spark import SparkEngine
from golive_lib.spark_sql import spark_sql
from golive_lib.statement import Statement
from golive_lib.telemetry import SPLIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pyspark.sql.connect.shell.progress import StageInfo

    from golive_lib.demo import DemoDatabase

FLAGS = flags_asked(open_launch("duckdb:none", plan=PLAN).plan)
INFINITY = float("inf")
ENDLESS = "select sum(sqrt(a * b)) as n from generate_series(1, 1000000) x (a), generate_series(1, 1000000) y (b)"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkServer]:
    """Run Spark Connect with two workers."""
    with spark_connect(tmp_path_factory.mktemp("spark")) as running:
        yield running


@pytest.fixture(scope="module")
def folder(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive the healthy demo."""
    path = tmp_path_factory.mktemp("archive") / "samia"
    archived(later(healthy), path)
    return path


@pytest.fixture(scope="module")
def live(healthy: DemoDatabase) -> Launch:
    """Open the healthy demo on PostgreSQL."""
    return later(healthy)


@pytest.fixture(scope="module")
def spark(server: SparkServer, folder: Path) -> Iterator[Launch]:
    """Open the same days on Spark."""
    launch = patient(f"{server.address}/;archive={folder}")
    yield launch
    launch.database.close()


def patient(address: str) -> Launch:
    """Open an archive on a Spark that shares its cores with the tests: a minute may be too short for a question."""
    launch = open_launch(address, plan=PLAN)
    assert isinstance(launch.database, SparkEngine)
    launch.database.timeout_s = 600
    return launch


def same(one: Launch, other: Launch, name: str, statement: str, flags: list[str]) -> pd.DataFrame:
    """Ask both, hold the answers against each other to the last row and type, and return them."""
    frames: list[pd.DataFrame] = []
    for launch in (one, other):
        query, catalog = launch.query(name), launch.queries
        shapes = {
            "events": lambda q=query, c=catalog: compose(q, c),
            "minutes": lambda q=query, c=catalog: series.minutes(q, c, flags),
            "totals": lambda q=query, c=catalog: series.totals(q, c, flags),
            "earlier minutes": lambda q=query, c=catalog: series.earlier_minutes(q, c, flags, indexed=False),
            "earlier days": lambda q=query, c=catalog: series.earlier_days(q, c, flags, indexed=False),
            "bad events": lambda q=query, c=catalog: series.bad_events(q, c, flags[0]),
        }
        with launch.database.snapshot() as snapshot:
            values = launch.defaults(query, snapshot.clock) | VALUES
            frame = snapshot.frame(shapes[statement](), values)
        if "percentiles" in frame:  # an endless one between two of them is not a number in PostgreSQL
            frame["percentiles"] = [
                str([round(INFINITY if math.isnan(v) else v, 6) for v in values or [] if v is not None])
                for values in frame["percentiles"]
            ]
        frames.append(frame.sort_values([*map(str, frame)], kind="stable", ignore_index=True))
    wanted, got = frames
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)
    return wanted


@pytest.mark.parametrize("shape", ["events", "minutes", "totals", "earlier minutes", "earlier days", "bad events"])
@pytest.mark.parametrize(("name", "flags"), FLAGS)
def test_events_are_the_same(live: Launch, spark: Launch, name: str, flags: list[str], shape: str) -> None:
    """Every shape around every query of events gives PostgreSQL's frame, column types and all."""
    # VALUES let payments begin with the window.
    none = shape == "bad events" or (name, shape) == ("canary/payments", "earlier minutes")
    assert len(same(live, spark, name, shape, flags)) or none


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


def test_stage_spans_spark_and_the_live_database(live: Launch, server: SparkServer, tmp_path: Path) -> None:
    """With an archive whose end lies in the midst of a stage, Spark's rows and PostgreSQL's add up to all of them."""
    folder = tmp_path / "samia"
    assert archive_days(live, folder, Asked(until=date(2026, 3, 24))).failures == []
    kept = patient(f"{server.address}/;archive={folder}").database
    assert isinstance(kept, SparkEngine)
    both = Launch(live.plan, live.queries, live.database, live.env, kept)
    found, wanted = (judge_now(launch, 100, as_of=NOW) for launch in (both, live))
    kept.close()
    assert json.dumps(found.record()) == json.dumps(wanted.record())
    assert found.kpi("api_p95").telemetry.note == SPLIT


class AtWork(ProgressHandler):
    """Does something once, when Spark first says that tasks are in flight; ``came`` is what came of it."""

    def __init__(self, act: Callable[[], int | None]) -> None:
        self.act: Callable[[], int | None] | None = act
        self.came: int | None = None

    def __call__(  # noqa: D102  Spark's own
        self,
        stages: Iterable[StageInfo] | None,  # noqa: ARG002
        inflight_tasks: int,
        operation_id: str | None,  # noqa: ARG002
        done: bool,  # noqa: ARG002
    ) -> None:
        if inflight_tasks and self.act:
            act, self.act = self.act, None
            self.came = act()


def test_killed_worker_changes_nothing(live: Launch, server: SparkServer, spark: Launch) -> None:
    """A worker process that dies while its tasks are in flight costs time, and no count."""
    engine = spark.database
    assert isinstance(engine, SparkEngine)
    assert engine.session
    killer = AtWork(server.kill_executor)
    engine.session.registerProgressHandler(killer)
    try:
        ours = judge_now(spark, 50, as_of=NOW)
    finally:
        engine.session.removeProgressHandler(killer)
    assert killer.came
    assert killer.came not in server.executors()
    assert json.dumps(ours.record()) == json.dumps(judge_now(live, 50, as_of=NOW).record())


def test_known_answers_hold_on_spark(spark: Launch) -> None:
    """Spark is believed."""
    with spark.database.snapshot() as snapshot:
        assert examine(snapshot.frame) == ()


def test_failure_says_what_and_no_stack(spark: Launch) -> None:
    """A statement that fails is one line without the cluster's stack, addresses masked; the next one answers."""
    with spark.database.snapshot() as snapshot:
        with pytest.raises(QueryFailed) as failed:
            snapshot.frame(Statement("select 'sara@example.org'::int as n", {}, ()), {})
        assert len(failed.value.reason.splitlines()) == 1
        assert "java" not in failed.value.reason
        assert "sara@" not in failed.value.reason
        with pytest.raises(QueryFailed, match="column missing"):
            snapshot.frame(Statement("select nothing from (select 1 as n) r", {}, ()), {})
        assert snapshot.frame(Statement("select 1 as n", {}, ()), {})["n"].tolist() == [1]


def test_untranslatable_statement_is_refused() -> None:
    """Whether columns of unknown types divide to whole numbers is not guessed."""
    with pytest.raises(QueryFailed, match="cast one side to float8"):
        spark_sql(Statement("select a / b as c from t", {}, ()))


def test_folder_the_cluster_does_not_see(server: SparkServer, tmp_path: Path) -> None:
    """A slip in the folder's name is said with what to do."""
    with pytest.raises(ArchiveError, match="Spark sees no archive there"):
        judge_now(open_launch(f"{server.address}/;archive={tmp_path}/there", plan=PLAN), 10)


def test_changed_file_is_unknown(server: SparkServer, folder: Path, tmp_path: Path) -> None:
    """A file of another schema, and a day that is missing, make what they would feed unknown, and nothing else."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    days = [f"day=2026-03-{day}" for day in (23, 24)]
    shutil.copy(copy / "sirens" / days[0] / "rows.parquet", copy / "calls" / days[0] / "rows.parquet")
    (copy / "payments" / days[1] / "manifest.json").unlink()  # as a day that is being written
    launch = patient(f"{server.address}/;archive={copy}")
    result = judge_now(launch, 10, as_of=NOW)
    launch.database.close()
    assert {
        one.key: one.reason for one in result.results if "archive" in one.reason or "rows.parquet" in one.reason
    } == {
        "call_setup_p95": "calls of 2026-03-23: its rows.parquet is not the one that was written",
        "payment_success": "the archive lacks payments of 2026-03-24",
    }


def test_sql_reads_the_days_that_are_there(spark: Launch, server: SparkServer, folder: Path, tmp_path: Path) -> None:
    """What ``sql`` shows runs as it stands, and reads neither half-written days nor what lies beside the days."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "api_requests" / "day=2026-03-26" / "manifest.json").unlink()
    shutil.copytree(copy / "api_requests" / "day=2026-03-25", copy / "api_requests" / "aside")
    launch = patient(f"{server.address}/;archive={copy}")
    sql = launch.sql("health/api_paths", as_of=NOW)
    assert isinstance(launch.database, SparkEngine)
    assert launch.database.session
    got = launch.database.session.sql(sql).toArrow().to_pylist()
    wanted = spark.frame("health/api_paths", as_of=NOW)
    assert [(row["path"], row["requests"]) for row in got] == [*zip(wanted["path"], wanted["requests"], strict=True)]
    assert ("day={2026-03-" in sql, "2026-03-25" in sql, "2026-03-26" in sql) == (True, True, False)
    shutil.rmtree(copy / "api_requests")
    launch.database.close()
    with pytest.raises(QueryFailed, match="the archive has no api_requests; see 'golive archive'"):
        launch.sql("health/api_paths", as_of=NOW)
    launch.database.close()


def test_silence_is_the_same(live: Launch, spark: Launch) -> None:
    """The shape that archives are asked the check of silence in answers as the live database's."""
    wanted, got = (
        launch.frame("health/api_silence", as_of="2026-03-24T20:33:11Z", slot_minutes=7) for launch in (live, spark)
    )
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)


def test_checks_are_the_same(live: Launch, spark: Launch) -> None:
    """Every check of health says the same of the same rows, and shows the same ones."""
    found = [launch.checks("health", as_of="2026-03-25T00:00:00Z") for launch in (live, spark)]
    wanted, got = ([(one.name, one.status, one.reason, one.broken) for one in checks] for checks in found)
    assert got == wanted
    assert {status for _, status, _, _ in wanted} == {Status.GREEN, Status.UNKNOWN}
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(
            *(f.sort_values([*map(str, f)], ignore_index=True) for f in (other.rows, one.rows))
        )


def test_server_lost_within_a_question(folder: Path, tmp_path: Path) -> None:
    """It is a lost connection with the next step, no answer; the next question is told that nobody listens."""
    with spark_connect(tmp_path, workers=1) as server:
        engine = patient(f"{server.address}/;archive={folder}").database
        assert isinstance(engine, SparkEngine)
        with engine.snapshot() as snapshot:
            assert engine.session
            engine.session.registerProgressHandler(AtWork(server.kill))
            with pytest.raises(DatabaseError, match="the connection was lost\n  next: ask again; is Spark") as failed:
                snapshot.frame(Statement(ENDLESS, {}, ()), {})
        assert not isinstance(failed.value, QueryFailed)
        with pytest.raises(DatabaseError, match="Connection refused"), engine.snapshot():
            pass


def test_server_that_freezes_within_a_question(folder: Path, tmp_path: Path) -> None:
    """It answers nothing, not even that it stops: given up a while after the time limit, as a lost connection."""
    with spark_connect(tmp_path, workers=1) as server:
        engine = patient(f"{server.address}/;archive={folder}").database
        assert isinstance(engine, SparkEngine)
        with engine.snapshot() as snapshot:
            engine.timeout_s = engine.grace_s = 1
            server.freeze()
            with pytest.raises(DatabaseError, match="the connection was lost") as failed:
                snapshot.frame(Statement("select 1 as n", {}, ()), {})
        assert not isinstance(failed.value, QueryFailed)


def test_session_that_the_server_closed(server: SparkServer, folder: Path) -> None:
    """As one does that was idle for an hour: that question fails, and the next one opens another session."""
    engine = patient(f"{server.address}/;archive={folder}").database
    assert isinstance(engine, SparkEngine)
    one = Statement("select 1 as n", {}, ())
    with engine.snapshot() as snapshot:
        assert engine.session
        engine.session.client.release_session()
        with pytest.raises(DatabaseError, match="the connection was lost"):
            snapshot.frame(one, {})
    with engine.snapshot() as snapshot:
        assert snapshot.frame(one, {})["n"].tolist() == [1]
    engine.close()


@pytest.mark.parametrize("command", [["canary", "--stage", "100"], ["check", "health"]], ids=lambda words: words[0])
def test_command_whose_server_is_lost(folder: Path, tmp_path: Path, command: list[str]) -> None:
    """It ends as an error that says so, without a stack and without a verdict."""
    (tmp_path / "spark").mkdir()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    with spark_connect(tmp_path / "spark", workers=1) as server:
        where = ("--db-url", f"{server.address}/;archive={folder}", "--plan", str(PLAN))
        asking = subprocess.Popen(
            [sys.executable, "-m", "golive_lib", *command, *where],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(PLAN.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while asking.poll() is None and not server.began("api_requests/day=2026-03-24/rows.parquet"):
            with suppress(subprocess.TimeoutExpired):
                asking.wait(timeout=0.1)
        server.kill()
        out, said = asking.communicate()
    assert asking.returncode == 1, out + said
    assert ("connection was lost" in out + said, "Traceback" in out + said) == (True, False), out + said
    assert [word for word in ("hold", "Hold", "continue:", "are green") if word in out] == []
    for record in tmp_path.glob("outputs/*/record.json"):
        assert json.loads(record.read_text())["verdict"] is None
        assert not (record.parent / "judged.json").exists()


class OldSpark(SparkConnectServiceServicer):
    """Says which Spark it is, as one before 4.0 does, which knows nothing else of what is asked."""

    def AnalyzePlan(self, request: AnalyzePlanRequest, context: object) -> AnalyzePlanResponse:  # noqa: ARG002, D102, N802  Spark's own
        answer = AnalyzePlanResponse(session_id=request.session_id)
        answer.spark_version.version = "3.5.7"
        return answer


def test_older_spark_is_refused() -> None:
    """It is said which Spark that is and which is needed, before anything else is asked of it."""
    server = grpc.server(ThreadPoolExecutor(1))
    add_SparkConnectServiceServicer_to_server(OldSpark(), server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        launch = open_launch(f"sc://127.0.0.1:{port}/;archive=/a", plan=PLAN)
        with (
            pytest.raises(DatabaseError, match=r"is Spark 3\.5\.7; the kit needs 4\.0 or newer"),
            launch.database.snapshot(),
        ):
            pass
    finally:
        server.stop(None)


def test_nobody_listens() -> None:
    """A port where nothing is says so at once, and the token is not in it."""
    launch = open_launch(f"sc://127.0.0.1:{free_port()}/;archive=/a;token=t0psecret", plan=PLAN)
    with pytest.raises(DatabaseError, match="Connection refused") as failed, launch.database.snapshot():
        pass
    assert "t0psecret" not in str(failed.value)


def test_something_else_listens() -> None:
    """What accepts and says nothing is waited for no longer than the time to connect."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        launch = open_launch(f"sc://127.0.0.1:{other.getsockname()[1]}/;archive=/a", plan=PLAN)
        engine = launch.database
        assert isinstance(engine, SparkEngine)
        engine.wait_s = 0.5
        with pytest.raises(DatabaseError, match="does not answer as Spark Connect"), engine.snapshot():
            pass


def test_missing_extra_is_named(tmp_path: Path) -> None:
    """Without the client an address of Spark's says what to install."""
    code = (
        "import sys; sys.modules['pyspark'] = None\n"
        "from golive_lib import open_launch\n"
        "open_launch('sc://127.0.0.1:1/;archive=/a')"
    )
    env = {**os.environ, "PYTHONPATH": str(PLAN.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert "pip install 'golive[spark]'" in done.stderr
