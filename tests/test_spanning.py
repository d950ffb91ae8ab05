"""A launch whose earlier rows lie in an archive: no row is lost or counted twice, and what cannot be known is unknown."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest
from archives import PLAN, later
from plant import change

from golive_lib import Status, Verdict
from golive_lib.archiving import Asked, archive_days
from golive_lib.canary import judge_now
from golive_lib.duck import DuckDB
from golive_lib.engines import DuckUrl, parse_archive
from golive_lib.errors import SettingsError
from golive_lib.forecasts import before
from golive_lib.launch import Launch
from golive_lib.replay import replay
from golive_lib.telemetry import SPLIT
from golive_lib.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from golive_lib.canary import StageResult
    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

NOW = "2026-03-25T22:00:00Z"  # the end of the last stage
STAGES = (50, 100)
MIDST = date(2026, 3, 24)  # the last stage began two hours before this day's end
ENDS = (date(2026, 3, 20), MIDST, date(2026, 3, 25))  # in the days before the launch, in the midst of it, and after it
START = datetime(2026, 3, 24, 22, tzinfo=UTC)  # of the last stage
TABLES = {
    "api_logs": "created_at",
    "db_query_logs": "created_at",
    "security_audit_logs": "created_at",
    "call_sessions": "requested_at",
    "emergency_calls": "requested_at",
    "payment_transactions": "created_at",
}


def spanning(live: Launch, folder: Path) -> Launch:
    """Return a launch with an archive beside it."""
    kept = DuckDB(DuckUrl(folder), live.plan.database)
    return Launch(live.plan, live.queries, live.database, live.env, kept)


def archived(demo: DemoDatabase, folder: Path, last: date) -> Launch:
    """Archive a demo's days up to one, and open both."""
    launch = later(demo)
    assert archive_days(launch, folder, Asked(until=last)).failures == []
    return spanning(launch, folder)


def forget(demo: DemoDatabase, last: date) -> None:
    """Delete what the archive has."""
    end: LiteralString = f"'{last + timedelta(days=1)}'"  # type: ignore[assignment]
    for table, at in TABLES.items():
        change(demo, f"delete from {table} where {at} < {end}")  # type: ignore[arg-type]


def record(result: StageResult) -> str:
    """Return a result's record as the bytes that would be kept."""
    return json.dumps(result.record(), sort_keys=True, allow_nan=False)


def told(result: StageResult) -> list[object]:
    """Return everything that was counted, minute by minute."""
    return [
        (
            one.key,
            [[each.n.tolist(), each.bad.tolist(), each.unsure.tolist(), each.newest] for each in cohorts if each],
            (one.telemetry.earlier, one.telemetry.earlier_bad, one.versus, one.diluted, one.traffic),
        )
        for one in result.kpis
        for cohorts in [(one.telemetry.total, one.telemetry.canary, one.telemetry.control)]
    ]


@pytest.fixture(scope="module")
def whole(healthy: DemoDatabase) -> Launch:
    """Open the healthy demo alone, when its launch is days ago."""
    return later(healthy)


@pytest.fixture(scope="module")
def both(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Open the healthy demo with an archive whose end lies in the midst of the last stage."""
    return archived(healthy, tmp_path_factory.mktemp("span") / "samia", MIDST)


@pytest.fixture
def copy(both: Launch, tmp_path: Path) -> Path:
    """Give a copy of the archive to break."""
    assert isinstance(both.archive, DuckDB)
    return shutil.copytree(both.archive.url.folder, tmp_path / "copy")


def unknown(launch: Launch, percent: float = 100) -> dict[str, str]:
    """Judge a stage and return what is unknown for its archive's sake, and why."""
    results = judge_now(launch, percent, as_of=NOW).kpis
    return {one.key: one.reason for one in results if one.status is Status.UNKNOWN and "archive" in one.reason}


def opened(healthy: DemoDatabase, archive: str, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Open the demo as an analyst does who has ``GOLIVE_ARCHIVE`` set."""
    monkeypatch.setenv("GOLIVE_ARCHIVE", archive)
    return later(healthy)


# What both say


@pytest.mark.parametrize("last", ENDS)
def test_record_is_that_of_the_live_database_alone(clone: Clone, whole: Launch, tmp_path: Path, last: date) -> None:
    """Wherever the archive ends, with its rows still there or deleted, a stage is judged as from all rows."""
    demo = clone()
    both = archived(demo, tmp_path / "samia", last)
    wanted = [judge_now(whole, percent, as_of=NOW) for percent in STAGES]
    for _ in ("rows in both", "rows in one"):
        found = [judge_now(both, percent, as_of=NOW) for percent in STAGES]
        assert [record(one) for one in found] == [record(one) for one in wanted]
        assert [told(one) for one in found] == [told(one) for one in wanted]
        forget(demo, last)
    assert all(sum(one.telemetry.earlier) and one.telemetry.everyone for one in wanted[1].kpis)


AT_THE_EDGE: LiteralString = """
insert into payment_transactions (user_id, amount, currency, method, status, settled_at, created_at, metadata, flat_tables)
select gen_random_uuid(), 100, 'USD', 'square', status, settled_at::timestamptz, created_at::timestamptz, '{}', true from (values
  ('succeeded', '2026-03-24 23:59:59.999999Z', '2026-03-24 23:59:59.999999Z'),
  ('succeeded', '2026-03-25 00:00:00Z', '2026-03-25 00:00:00Z'),
  ('succeeded', '2026-03-25 00:10:00Z', '2026-03-24 23:59:59.999999Z'),
  ('failed', '2026-03-25 00:20:00Z', '2026-03-25 00:00:00Z'),
  ('pending', null, '2026-03-24 23:30:00Z')) e (status, settled_at, created_at)
"""


@pytest.mark.parametrize("since", [START, datetime(2026, 3, 25, 0, 5, 30, tzinfo=UTC)])
@pytest.mark.parametrize("gone", [False, True])
def test_rows_at_the_archives_end_count_once(
    clone: Clone, whole: Launch, tmp_path: Path, since: datetime, gone: bool
) -> None:
    """The last microsecond is the archive's and midnight the live database's, whenever a payment settles."""
    demo = clone()
    change(demo, AT_THE_EDGE)
    alone = judge_now(later(demo), 100, started_at=since, as_of=NOW)
    both = archived(demo, tmp_path / "samia", MIDST)
    if gone:
        forget(demo, MIDST)
    found = judge_now(both, 100, started_at=since, as_of=NOW)
    assert (record(found), told(found)) == (record(alone), told(alone))
    before_them = judge_now(whole, 100, started_at=since, as_of=NOW).kpi("payment_success").telemetry.everyone
    assert found.kpi("payment_success").telemetry.everyone - before_them == (5 if since == START else 3)


@pytest.mark.parametrize("minutes", [[30, 90, 135, 150, 600], [200, 140, 700]])
def test_watch_finds_what_judging_anew_finds(whole: Launch, both: Launch, minutes: list[int]) -> None:
    """Looks before the archive's end and after it find what PostgreSQL alone does."""
    watch = Watch(both, 100)
    for minute in minutes:
        as_of = START + timedelta(minutes=minute, seconds=7)
        found, wanted = watch.look(as_of), judge_now(whole, 100, as_of=as_of)
        assert (record(found), told(found)) == (record(wanted), told(wanted))


def test_forecast_and_replay_are_those_of_the_live_database(clone: Clone, whole: Launch, tmp_path: Path) -> None:
    """What looks at earlier days alone finds them in the archive."""
    demo = clone()
    both = archived(demo, tmp_path / "samia", date(2026, 3, 22))
    forget(demo, date(2026, 3, 22))
    assert before(both, 50) == before(whole, 50)
    wanted = replay(whole, days=3, draws=2)
    assert (replay(both, days=3, draws=2).tallies, len(wanted.days)) == (wanted.tallies, 3)
