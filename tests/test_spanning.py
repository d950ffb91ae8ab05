"""A launch whose earlier rows lie in an archive: none is lost or counted twice, and what nobody knows is unknown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString, NoReturn

import pandas as pd
import pytest
from archives import PLAN, later
from plant import change, free_port

from golive_lib import Status, Verdict
from golive_lib.archiving import Asked, archive_days
from golive_lib.canary import flags_asked, judge_now
from golive_lib.duck import CONFIG, DuckDB, DuckSnapshot
from golive_lib.engines import DuckUrl, SparkUrl, parse_archive
from golive_lib.errors import DatabaseError, SettingsError
from golive_lib.events import EVIDENCE, MINUTE, Window, bad_events, time_indexed
from golive_lib.forecasts import before
from golive_lib.launch import Launch
from golive_lib.plan import read_plan
from golive_lib.query import parse
from golive_lib.replay import replay
from golive_lib.spanning import sides
from golive_lib.spark import SparkEngine
from golive_lib.stage_views import overview, verdict
from golive_lib.telemetry import SPLIT
from golive_lib.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from golive_lib.canary import StageResult
    from golive_lib.demo import DemoDatabase
    from golive_lib.plan import Plan
    from golive_lib.statement import Statement, Value

    Clone = Callable[[], DemoDatabase]

NOW = "2026-03-25T22:00:00Z"  # the end of the last stage
STAGES = (50, 100)
MIDST = date(2026, 3, 24)  # the last stage began two hours before this day's end
MINUTES = "max(at) as newest"  # what the question for minutes is known by
ENDS = (date(2026, 3, 20), MIDST, date(2026, 3, 25))  # in the days before the launch, in the midst of it, and after it
START = datetime(2026, 3, 24, 22, tzinfo=UTC)  # of the last stage
END = datetime(2026, 3, 25, tzinfo=UTC)  # of the archive
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
    kept = DuckDB(DuckUrl(folder), live.plan)
    return Launch(live.plan, live.queries, live.database, live.env, kept)


def archived(demo: DemoDatabase, folder: Path, last: date, first: date | None = None) -> Launch:
    """Archive a demo's days up to one, and open both."""
    launch = later(demo)
    assert archive_days(launch, folder, Asked(first, last)).failures == []
    return spanning(launch, folder)


def forget(demo: DemoDatabase, last: date) -> None:
    """Delete what the archive has."""
    end: LiteralString = f"'{last + timedelta(days=1)}'"
    for table, at in TABLES.items():
        change(demo, f"delete from {table} where {at} < {end}")


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
insert into payment_transactions (user_id, amount, method, status, settled_at, created_at, flat_tables)
select gen_random_uuid(), 100, 'square', status, settled_at::timestamptz, created_at::timestamptz, true from (values
  ('succeeded', '2026-03-24 23:59:59.999999Z', '2026-03-24 23:59:59.999999Z'),
  ('succeeded', '2026-03-25 00:00:00Z', '2026-03-25 00:00:00Z'),
  ('succeeded', '2026-03-25 00:10:00Z', '2026-03-24 23:59:59.999999Z'),
  ('failed', '2026-03-25 00:20:00Z', '2026-03-25 00:00:00Z'),
  ('pending', null, '2026-03-24 23:30:00Z')) e (status, settled_at, created_at)
"""


@pytest.mark.parametrize(("since", "events"), [(START, 5), (datetime(2026, 3, 25, 0, 5, 30, tzinfo=UTC), 3)])
def test_rows_at_the_archives_end_count_once(
    clone: Clone, whole: Launch, tmp_path: Path, since: datetime, events: int
) -> None:
    """The last microsecond is the archive's and midnight the live database's, whenever a payment settles."""
    demo = clone()
    change(demo, AT_THE_EDGE)
    usual, wanted = (judge_now(launch, 100, started_at=since, as_of=NOW) for launch in (whole, later(demo)))
    both = archived(demo, tmp_path / "samia", MIDST)
    for _ in ("rows in both", "rows in one"):
        found = judge_now(both, 100, started_at=since, as_of=NOW)
        assert (record(found), told(found)) == (record(wanted), told(wanted))
        forget(demo, MIDST)
    payments = [result.kpi("payment_success").telemetry.everyone for result in (found, usual)]
    assert payments[0] - payments[1] == events


@pytest.mark.parametrize("minutes", [[30, 90, 135, 150, 600], [200, 140, 700]])
def test_watch_finds_what_judging_anew_finds(whole: Launch, both: Launch, minutes: list[int]) -> None:
    """Looks before the archive's end and after it find what PostgreSQL alone does."""
    watch = Watch(both, 100)
    for minute in minutes:
        as_of = START + timedelta(minutes=minute, seconds=7)
        found, wanted = watch.look(as_of), judge_now(whole, 100, as_of=as_of)
        assert (record(found), told(found)) == (record(wanted), told(wanted))


class Counting(DuckDB):
    """An engine that keeps what it was asked."""

    def __init__(self, url: DuckUrl, plan: Plan) -> None:
        super().__init__(url, plan)
        self.asked: list[str] = []

    @contextmanager
    def snapshot(self) -> Iterator[DuckSnapshot]:
        """Open it, and listen."""
        with super().snapshot() as snapshot:
            answer = snapshot.frame

            def frame(statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
                self.asked.append(statement.sql)
                return answer(statement, values)

            snapshot.frame = frame  # type: ignore[method-assign]
            yield snapshot


def test_watch_asks_a_settled_archive_once(healthy: DemoDatabase, whole: Launch, tmp_path: Path) -> None:
    """What is final is kept: once its rows have settled, only new stretches of earlier days are asked for."""
    folder, end = tmp_path / "samia", datetime(2026, 3, 22, tzinfo=UTC)
    archived(healthy, folder, date(2026, 3, 21))
    kept = Counting(DuckUrl(folder), whole.plan)
    both = Launch(whole.plan, whole.queries, whole.database, whole.env, kept)
    began = end - timedelta(hours=1)
    seen, alone = (Watch(launch, 10, started_at=began) for launch in (both, whole))
    asked = []
    for hours in (30, 50, 51):  # the archive settles 48 hours after its end
        as_of = began + timedelta(hours=hours)
        kept.asked.clear()
        assert record(seen.look(as_of)) == record(alone.look(as_of))
        asked.append((sum(MINUTES in sql for sql in kept.asked), len(kept.asked)))
    assert asked == [(6, 12), (6, 12), (0, 0)]


def test_forecast_and_replay_are_those_of_the_live_database(clone: Clone, whole: Launch, tmp_path: Path) -> None:
    """What looks at earlier days alone finds them in the archive."""
    demo = clone()
    both = archived(demo, tmp_path / "samia", date(2026, 3, 22))
    forget(demo, date(2026, 3, 22))
    assert before(both, 50) == before(whole, 50)
    wanted = replay(whole, days=3, draws=2)
    assert (replay(both, days=3, draws=2).tallies, len(wanted.days)) == (wanted.tallies, 3)


def test_percentiles_are_those_of_one_side_or_none(whole: Launch, both: Launch) -> None:
    """They are exact or left out, and the report says why."""
    one, wanted = (judge_now(launch, 50, as_of=NOW).kpi("api_p95").telemetry for launch in (both, whole))
    assert one.canary.percentiles == pytest.approx(wanted.canary.percentiles, rel=1e-12)
    result = judge_now(both, 100, as_of=NOW)
    split = result.kpi("api_p95").telemetry
    assert (one.note, split.note, split.canary.percentiles) == ("", SPLIT, None)
    assert SPLIT in overview(result).markup
    assert "the archive samia, by DuckDB" in verdict(result).banner.markup


@pytest.mark.parametrize(("hours", "archived"), [(10, True), (24, False)])
def test_evidence_is_the_newest_of_both(whole: Launch, both: Launch, hours: int, archived: bool) -> None:
    """Bad events of the live database come first, those of the archive after them, and there are not too many."""
    window = Window(START, START + timedelta(hours=hours), START + timedelta(hours=hours))
    frames = []
    for launch in (both, whole):
        with launch.database.snapshot() as snapshot:
            frames.append(bad_events(snapshot, launch, window, "canary/api", "slow"))
    pd.testing.assert_frame_equal(frames[0], frames[1])
    assert {bool(at < END) for at in frames[0]["at"]} == {False, archived}
    assert len(frames[0]) == EVIDENCE or archived


def test_sql_of_both_is_shown(both: Launch) -> None:
    """Whoever reads how a KPI was judged sees what each side was asked."""
    sql = judge_now(both, 100, as_of=NOW).kpi("api_p95").telemetry.sql
    assert ("golive_live where" in sql, 'golive_archive."api_requests"' in sql) == (True, True)


@pytest.mark.parametrize(("query", "flags"), flags_asked(read_plan(PLAN)))
def test_time_index_is_seen_behind_the_archive(both: Launch, query: str, flags: list[str]) -> None:
    """The live side is asked in the same shape as without an archive."""
    window = Window(START, START + MINUTE, START + MINUTE)
    with both.database.snapshot() as snapshot, sides(snapshot, both, query) as (live, kept):
        behind = time_indexed(snapshot, live.launch, window, query)
        assert behind == time_indexed(snapshot, both, window, query)
        assert (live.indexed(behind), kept.indexed(behind)) == (behind, False)
        assert behind or query == "canary/payments", flags


def test_days_before_the_archive_are_asked_live(healthy: DemoDatabase, whole: Launch, tmp_path: Path) -> None:
    """An archive that somebody began in the middle takes no earlier day away."""
    both = archived(healthy, tmp_path / "samia", MIDST, MIDST)
    found, wanted = (judge_now(launch, 100, as_of=NOW) for launch in (both, whole))
    assert (record(found), told(found)) == (record(wanted), told(wanted))


# What nobody can know


@pytest.mark.parametrize("day", ["2026-03-21", "2026-03-24"])
def test_missing_day_is_unknown(whole: Launch, copy: Path, day: str) -> None:
    """A day that others have may be gone from the live database, too; also the last one."""
    shutil.rmtree(copy / "calls" / f"day={day}")
    assert unknown(spanning(whole, copy)) == {"call_setup_p95": f"the archive lacks calls of {day}"}


def test_half_written_day_is_unknown(whole: Launch, copy: Path) -> None:
    """The reason says what is wrong with it."""
    (copy / "calls" / "day=2026-03-24" / "manifest.json").unlink()
    words = "the archive lacks calls of 2026-03-24: half-written: it has no sound manifest.json"
    assert unknown(spanning(whole, copy)) == {"call_setup_p95": words}


def test_missing_source_is_unknown(whole: Launch, copy: Path) -> None:
    """What nobody archived is not taken from the live database alone."""
    shutil.rmtree(copy / "sirens")
    assert unknown(spanning(whole, copy)) == {"siren_p90": "the archive has no sirens; see 'golive archive'"}


def test_window_before_the_archive_is_unknown(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A stage that began before the archive's first day is not judged by what is left of it."""
    both = archived(healthy, tmp_path / "samia", date(2026, 3, 25), date(2026, 3, 25))
    assert unknown(both)["api_p95"] == "the archive lacks api_requests of 2026-03-24"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"launch": "another"}, "is of 'another' on "),
        ({"database": "another on db:5432"}, " on another on db:5432 in "),
        ({"timezone": "UTC"}, " in UTC, not of "),
    ],
)
def test_archive_of_another_launch_is_refused(whole: Launch, copy: Path, other: dict[str, str], words: str) -> None:
    """Rows of another launch, database or zone judge nothing; what no archive feeds is judged as ever."""
    owner = json.loads((copy / "archive.json").read_text()) | other
    (copy / "archive.json").write_text(json.dumps(owner))
    for path in copy.rglob("manifest.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"owner": owner}))
    result = judge_now(spanning(whole, copy), 100, as_of=NOW)
    assert all(one.status is Status.UNKNOWN and words in one.reason for one in result.kpis)
    assert (result.outcome.verdict, [due.status for due in result.dues]) == (Verdict.HOLD, [Status.GREEN])


@pytest.mark.parametrize("last", [date(2026, 3, 23), MIDST], ids=["before the stage", "within it"])
def test_archive_that_ends_and_nothing_after_it_says_when(clone: Clone, tmp_path: Path, last: date) -> None:
    """The last day is named where the live database has no event after it, and not where only some kinds lack."""
    demo = clone()
    both = archived(demo, tmp_path / "samia", last)
    words = f"The live database has no later rows, and the archive goes until the end of {last} UTC."
    after: LiteralString = f"'{last + timedelta(days=1)}'"
    change(demo, f"delete from emergency_calls where requested_at >= {after}")
    some = judge_now(both, 100, as_of=NOW)
    assert (some.kpi("siren_p90").status, some.reach) == (Status.UNKNOWN, "")
    forget(demo, date(2026, 3, 30))
    none = judge_now(both, 100, as_of=NOW)
    assert (none.outcome.verdict, none.outcome.sentence.endswith(words)) == (Verdict.HOLD, True)


def test_archive_that_is_not_there_is_unknown(whole: Launch, tmp_path: Path) -> None:
    """A slip in the folder's name is no reason to judge by the live rows alone, and one reason for all KPIs."""
    astray = spanning(whole, tmp_path / "there")
    assert set(unknown(astray)) == set(whole.plan.kpis)
    (reason,) = judge_now(astray, 100, as_of=NOW).record()["reasons"]
    titles = ", ".join(kpi.title for kpi in whole.plan.kpis.values())
    assert reason.startswith(f"{titles}: {tmp_path}/there: is no archive")


def test_spark_that_is_not_there_is_said_once(whole: Launch) -> None:
    """An address where nothing listens is one reason, too."""
    url = parse_archive(f"sc://127.0.0.1:{free_port()}/;archive=/a")
    assert isinstance(url, SparkUrl)
    engine = SparkEngine(url, whole.plan)
    astray = Launch(whole.plan, whole.queries, whole.database, whole.env, engine)
    (reason,) = judge_now(astray, 100, as_of=NOW).record()["reasons"]
    assert reason.endswith("Connection refused")


def test_engine_that_differs_is_unknown(whole: Launch, copy: Path) -> None:
    """What is not believed is not asked."""
    kept = DuckDB(DuckUrl(copy), whole.plan, {**CONFIG, "integer_division": False})
    reasons = unknown(Launch(whole.plan, whole.queries, whole.database, whole.env, kept))
    assert (len(reasons), "is not believed" in reasons["db_p95"], "\n" in reasons["db_p95"]) == (7, True, False)


class Falling(DuckDB):
    """An engine that opens and is lost on the first question after that."""

    @contextmanager
    def snapshot(self) -> Iterator[DuckSnapshot]:
        """Open it, and let it go."""
        with super().snapshot() as snapshot:
            snapshot.frame = self._lost  # type: ignore[assignment, method-assign]
            yield snapshot

    def _lost(self, *_: object) -> NoReturn:
        raise DatabaseError("the archive: the connection was lost\n  next: is it running there?")


def test_engine_that_is_lost_is_unknown(whole: Launch, copy: Path) -> None:
    """The live database goes on, and a watch does not take it for its own connection."""
    both = Launch(whole.plan, whole.queries, whole.database, whole.env, Falling(DuckUrl(copy), whole.plan))
    reasons = {one.reason for one in Watch(both, 100).look(START + timedelta(hours=3)).kpis}
    assert reasons == {"the archive: the connection was lost"}


def test_query_of_two_sources_is_unknown(both: Launch) -> None:
    """Rows that belong together may lie on either side."""
    text = (
        "-- title: Calls and sirens?\n-- sources: calls, sirens\n"
        "select c.at, c.canary, null::float8 as value, s.answered_at is null as slow\n"
        "from calls c left join sirens s on s.at = c.at\n"
    )
    queries = {**both.queries, "canary/calls": parse(text, name="canary/calls", path=PLAN)}
    reasons = unknown(Launch(both.plan, queries, both.database, both.env, both.archive))
    words = "it joins calls and sirens, whose rows may lie on both sides of the archive's end"
    assert reasons == {"call_setup_p95": words}


@pytest.mark.parametrize("how", ["group by 1, 2", "distinct", "limit 5"])
def test_rows_that_are_no_events_of_their_own_are_unknown(both: Launch, how: str) -> None:
    """A row made of several cannot be split between two sides."""
    text = {
        "group by 1, 2": "select date_trunc('hour', at) as at, canary, 1.0::float8 as value, bool_or(false) as slow\n"
        "from calls group by 1, 2\n",
        "distinct": "select distinct at, canary, 1.0::float8 as value, false as slow from calls\n",
        "limit 5": "select at, canary, 1.0::float8 as value, canary is distinct from true as slow from calls limit 5\n",
    }[how]
    query = parse(f"-- title: Calls?\n-- sources: calls\n{text}", name="canary/calls", path=PLAN)
    reasons = unknown(Launch(both.plan, {**both.queries, query.name: query}, both.database, both.env, both.archive))
    assert "so its rows are no events of their own" in reasons["call_setup_p95"]


# Where it is named


def test_archive_is_named_by_the_environment(
    healthy: DemoDatabase, whole: Launch, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``GOLIVE_ARCHIVE`` makes a launch span both; without it, or where it is empty, all is as before."""
    monkeypatch.setenv("GOLIVE_ARCHIVE", str(copy))
    assert str(later(healthy).archive.url) == "the archive copy, by DuckDB"  # type: ignore[union-attr]
    assert judge_now(later(healthy), 100, as_of=NOW).kpi("api_p95").telemetry.note == SPLIT
    monkeypatch.setenv("GOLIVE_ARCHIVE", "")
    assert (later(healthy).archive, whole.archive) == (None, None)


def test_address_of_an_archive() -> None:
    """A folder is one as it is; another scheme is refused without a word of it."""
    assert parse_archive("a folder") == parse_archive("duckdb:a folder") == DuckUrl(Path("a folder"))
    assert str(parse_archive("sc://h:15002/;archive=/x/samia")) == "the archive samia, by Spark on h:15002"
    for text in ("postgresql://u:geheim@h/d", "s3://geheim"):
        with pytest.raises(SettingsError, match="neither a folder nor") as refused:
            parse_archive(text)
        assert "geheim" not in str(refused.value)


def golive(folder: Path, launch: Launch, archive: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with an archive beside the database."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    env = clean | {"GOLIVE_DB_URL": launch.postgres.url.environment(), "GOLIVE_ARCHIVE": archive}
    command = [sys.executable, "-m", "golive_lib", *arguments, "--plan", str(PLAN)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_command_line_judges_from_both(whole: Launch, copy: Path) -> None:
    """``golive canary`` finds a folder that is named from here, and its report names no folder of the machine."""
    where = ("--stage", "100", "--as-of", NOW, "--outputs", "out")
    done = golive(copy.parent, whole, copy.name, "canary", *where)
    (judged,) = (copy.parent / "out").glob("*/judged.json")
    wanted = judge_now(whole, 100, as_of=NOW)
    assert (done.returncode, str(wanted.outcome.verdict) in done.stdout) == (0, True)
    assert json.dumps(json.loads(judged.read_text()), sort_keys=True) == record(wanted)
    page = "".join(path.read_text() for path in (copy.parent / "out").rglob("*.html"))
    assert (SPLIT in page, str(copy) in page) == (True, False)


def test_nothing_is_archived_to_a_cluster(whole: Launch, tmp_path: Path) -> None:
    """``golive archive`` writes to a folder; an address is read from alone."""
    done = golive(tmp_path, whole, "sc://h:15002/;archive=/x/samia", "archive")
    assert (done.returncode, list(tmp_path.iterdir())) == (1, [])
