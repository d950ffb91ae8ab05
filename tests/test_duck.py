"""DuckDB over an archive beside the PostgreSQL it was taken from: the same answers, records, and honest refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pytest
from archives import NOW, PLAN, VALUES, archived, at, later

from golive_lib import Status, Verdict, open_launch, series, stage_views
from golive_lib.archiving import Asked, archive_days
from golive_lib.canary import flags_asked, judge_now
from golive_lib.demo import open_demo
from golive_lib.duck import CONFIG, DuckDB, DuckSnapshot
from golive_lib.engines import DuckUrl
from golive_lib.errors import DatabaseError, PlanError, QueryError, QueryFailed, SettingsError
from golive_lib.known_answers import examine
from golive_lib.query import compose, compose_check, load
from golive_lib.statement import Statement
from golive_lib.watch import Watch, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from golive_lib.demo import DemoDatabase
    from golive_lib.launch import Launch
    from golive_lib.query import Query

    Launches = tuple[Launch, Launch]

STAGING = PLAN.parent / "examples/staging/launch.toml"
QUERIES = load([PLAN.parent / "queries"])
SHAPED = PLAN.parent / "queries_of_archives"
ASKED = [name for name in QUERIES if name.startswith(("canary/", "health/"))]


@pytest.fixture(scope="module")
def live(healthy: DemoDatabase) -> Launch:
    """Open the healthy demo on PostgreSQL."""
    return later(healthy)


@pytest.fixture(scope="module")
def duck(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Open the same days in an archive."""
    return archived(later(healthy), tmp_path_factory.mktemp("duck") / "samia")


@pytest.fixture
def copy(duck: Launch, tmp_path: Path) -> Path:
    """Give a copy of the archive to break."""
    assert isinstance(duck.database.url, DuckUrl)
    return shutil.copytree(duck.database.url.folder, tmp_path / "copy")


SHAPES: dict[str, Callable[[Query, dict[str, Query], list[str]], Statement]] = {
    "events": lambda query, catalog, _: compose(query, catalog),
    "minutes": series.minutes,
    "totals": series.totals,
    "earlier minutes": partial(series.earlier_minutes, indexed=False),
    "earlier days": partial(series.earlier_days, indexed=False),
    "earlier days by index": partial(series.earlier_days, indexed=True),
    "bad events": lambda query, catalog, flags: series.bad_events(query, catalog, flags[0]),
}


def same(one: Launch, other: Launch, ask: Callable[[dict[str, Query]], Statement], query: Query) -> pd.DataFrame:
    """Ask both, hold the answers against each other, and return them; rows without an order are sorted first."""
    frames = []
    for launch in (one, other):
        with launch.database.snapshot() as snapshot:
            values = launch.defaults(query, snapshot.clock) | VALUES
            frames.append(snapshot.frame(ask(dict(launch.queries)), values))
    wanted, got = (_sorted(frame) for frame in frames)
    if "percentiles" in wanted:
        theirs, ours = (np.array([_numbers(v) for v in frame.pop("percentiles")], float) for frame in (wanted, got))
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # the last bit of a float is not PostgreSQL's
    pd.testing.assert_frame_equal(got, wanted, rtol=1e-12, atol=0)
    return wanted


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [str(name) for name in frame if name != "percentiles"]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def _numbers(values: object) -> list[float]:
    """Return percentiles as the kit reads them: between two that never ended is one that never ended."""
    given = values if isinstance(values, list) else [None] * len(series.PERCENTILES)
    return [-1.0 if value is None else np.inf if np.isnan(value) else value for value in given]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "flags"), flags_asked(open_launch("duckdb:none", plan=PLAN).plan))
def test_events_are_the_same(live: Launch, duck: Launch, name: str, flags: list[str], shape: str) -> None:
    """Every shape around every query of events gives PostgreSQL's frame, column types and all."""
    query = QUERIES[name]
    frame = same(live, duck, lambda catalog: SHAPES[shape](catalog[name], catalog, flags), query)
    # VALUES let payments begin with the window.
    assert len(frame) or shape == "bad events" or (name, shape) == ("canary/payments", "earlier minutes")


@pytest.mark.parametrize("name", ASKED)
def test_queries_are_the_same(live: Launch, duck: Launch, name: str) -> None:
    """Every query of the canary and of health gives PostgreSQL's frame."""
    assert len(same(live, duck, lambda catalog: compose(catalog[name], catalog), QUERIES[name]))


@pytest.mark.parametrize("name", [name for name in QUERIES if name.startswith("health/") and QUERIES[name].expect])
def test_checks_are_the_same(live: Launch, duck: Launch, name: str) -> None:
    """Every check of health counts the same rows, and shows the same ones."""
    same(live, duck, lambda catalog: compose_check(catalog[name], catalog, rows=False), QUERIES[name])
    same(live, duck, lambda catalog: compose_check(catalog[name], catalog, rows=True), QUERIES[name])


@pytest.mark.parametrize("path", sorted(SHAPED.rglob("*.sql")), ids=lambda path: path.stem)
def test_shape_for_archives_is_another_of_the_same(duck: Launch, path: Path) -> None:
    """It stands for a query of the kit's that asks and needs the same, and is what an archive is asked."""
    name = path.relative_to(SHAPED).with_suffix("").as_posix()
    ours, kits = duck.query(name), QUERIES[name]
    assert ours.path == path.relative_to(PLAN.parent)
    heads = [(q.title, q.sources, q.params, q.needs, q.expect, q.fix) for q in (ours, kits)]
    assert heads[0] == heads[1]
    assert ours.body != kits.body


@pytest.mark.parametrize(
    "given",
    [
        {"as_of": "2026-03-24T20:33:11Z"},
        {"slot_minutes": 7, "hours": 30},
        {"days": 0, "hours": 2},
        {"hours": 0},
    ],
)
def test_silence_is_the_same_in_other_slots(live: Launch, duck: Launch, given: dict[str, str | int]) -> None:
    """Slots that begin at any minute, do not divide a day or reach into the day before are counted alike."""
    asked = {"as_of": NOW, **given}
    wanted, got = (launch.frame("health/api_silence", **asked) for launch in (live, duck))
    pd.testing.assert_frame_equal(got, wanted, check_exact=True)
    assert bool(len(got)) == bool(asked.get("hours", 24))


def test_own_query_goes_before_the_shape_for_archives(duck: Launch, tmp_path: Path) -> None:
    """Who has put a query of the same name into a folder of the plan is asked theirs."""
    own = tmp_path / "queries" / "health" / "api_silence.sql"
    own.parent.mkdir(parents=True)
    own.write_text("-- title: Mine?\n-- expect: n > 0\nselect 1 as n\n")
    (tmp_path / "launch.toml").write_text(PLAN.read_text())
    assert isinstance(duck.database.url, DuckUrl)
    mine = open_launch(f"duckdb:{duck.database.url.folder}", plan=tmp_path / "launch.toml")
    assert mine.check("health/api_silence").status is Status.GREEN


@pytest.mark.parametrize("percent", [10, 25, 50, 100])
def test_record_is_the_same_byte_for_byte(live: Launch, duck: Launch, percent: float) -> None:
    """A stage judged from the archive has PostgreSQL's record, its verdict and its sentence."""
    ours, theirs = (judge_now(launch, percent, as_of=NOW) for launch in (duck, live))
    assert json.dumps(ours.record()) == json.dumps(theirs.record())
    assert str(ours.outcome) == str(theirs.outcome)
    assert {one.status for one in ours.results} != {Status.UNKNOWN}


@pytest.fixture(scope="module")
def others(demo_folder: Path, staging: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Launches]]:
    """Open a launch that turns red, and one whose tables are others, both on PostgreSQL and in an archive."""
    folder = tmp_path_factory.mktemp("others")
    with open_demo("api-regression", scale=0.2, data=demo_folder) as demo:
        lives = {"red": later(demo), "staging": at(staging, "2026-04-05T00:00:00Z", STAGING)}
        yield {name: (live, archived(live, folder / name)) for name, live in lives.items()}


@pytest.mark.parametrize("percent", [10, 25, 50, 100])
@pytest.mark.parametrize(("launch", "now"), [("red", NOW), ("staging", "2026-03-30T00:00:00Z")])
def test_other_launches_are_judged_alike(others: dict[str, Launches], launch: str, now: str, percent: float) -> None:
    """Whatever a stage comes to, and whoever's tables they are, the record is PostgreSQL's, byte for byte."""
    theirs, ours = (judge_now(one, percent, as_of=now) for one in others[launch])
    assert json.dumps(ours.record()) == json.dumps(theirs.record())
    assert (ours.stage_verdict.verdict is Verdict.ROLLBACK) == (percent == 25)


def test_now_is_the_archives_end(duck: Launch) -> None:
    """What is judged without a moment is judged at midnight after the last day, pinned."""
    with duck.database.snapshot() as snapshot:
        assert (snapshot.clock.now, snapshot.clock.fixed) == (datetime(2026, 3, 28, tzinfo=UTC), True)


@pytest.fixture(scope="module")
def short(live: Launch, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Open an archive that ends in the midst of the last stage."""
    folder = tmp_path_factory.mktemp("short")
    assert archive_days(live, folder, Asked(until=date(2026, 3, 24))).failures == []
    return open_launch(f"duckdb:{folder}", plan=PLAN)


def test_archive_that_ends_within_a_stage_says_when(short: Launch, live: Launch) -> None:
    """The sentence of a soak that goes on says until when the rows go; the record is PostgreSQL's of that instant."""
    result = judge_now(short, 100)
    words = "Of the soak until 2026-03-25 22:00Z the archive goes until the end of 2026-03-24 UTC."
    assert str(result.outcome.sentence).endswith(words)
    assert result.record() == judge_now(live, 100, as_of="2026-03-25T00:00:00Z").record()
    assert result.stage_verdict.verdict is Verdict.CONTINUE
    assert "02:00 Beirut (the archive's end)" in str(stage_views.verdict(result))


def test_archive_that_ends_after_a_stage_says_nothing_of_it(live: Launch, short: Launch) -> None:
    """A stage whose soak is over by then, and one judged as of before, have PostgreSQL's record."""
    for percent, as_of in ((50, "2026-03-25T00:00:00Z"), (100, "2026-03-24T23:00:00Z")):
        ours, theirs = (judge_now(launch, percent, as_of=as_of) for launch in (short, live))
        assert json.dumps(ours.record()) == json.dumps(theirs.record())
        assert "archive's end" not in str(stage_views.verdict(ours))


def test_watch_finds_in_an_archives_last_hour_what_judging_anew_finds(short: Launch) -> None:
    """Earlier days are asked for an hour ahead, of which the archive has none, and which it need not have."""
    watch = Watch(short, 100)
    for minute in (5, 118, 119, 120):
        as_of = watch.started_at + timedelta(minutes=minute)
        found, expected = watch.look(as_of), judge_now(short, 100, as_of=as_of)
        assert found.record() == expected.record()
        assert [one.telemetry.earlier for one in found.kpis] == [one.telemetry.earlier for one in expected.kpis]
    assert len(found.kpi("api_p95").telemetry.earlier) == 7


def test_following_ends_with_the_archive(short: Launch) -> None:
    """There is no more to show, however long the soak still is."""
    watch = Watch(short, 100)
    instants = iter(watch.started_at + timedelta(minutes=minute) for minute in (60, 119, 121, 122))
    seen = list(follow(watch, 60, clock=lambda: next(instants), wait=lambda _: None))
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("percent", "asked", "words"),
    [
        (100, {"started_at": "2026-03-25T08:00:00Z"}, "starts at 2026-03-25 08:00Z, which is not before .*; {}"),
        (100, {"as_of": NOW}, "as_of 2026-03-25 22:00Z lies in the future; {}"),
    ],
)
def test_archive_that_ends_before_a_stage_says_when(
    short: Launch, percent: float, asked: dict[str, str], words: str
) -> None:
    """It is refused with the archive's last day, not with a clock that nobody has set."""
    with pytest.raises((PlanError, QueryError), match=words.format("the archive goes until the end of 2026-03-24 UTC")):
        judge_now(short, percent, **asked)


def test_known_answers_hold_on_duckdb(duck: Launch) -> None:
    """DuckDB is believed."""
    with duck.database.snapshot() as snapshot:
        assert examine(snapshot.frame) == ()


def test_another_duckdb_is_found_out(duck: Launch) -> None:
    """One that divides otherwise and lives in another zone is not."""
    with duck.database.snapshot() as snapshot, duckdb.connect() as plain:
        assert isinstance(snapshot, DuckSnapshot)
        plain.execute("set timezone = 'Asia/Beirut'")
        found = examine(DuckSnapshot(plain, snapshot.archive, timedelta(minutes=1)).frame)
    assert "integers divide to integers, their average does not" in {one.title for one in found}
    assert "durations are exact, whatever the unit" in {one.title for one in found}


def test_a_duckdb_that_differs_judges_nothing(duck: Launch) -> None:
    """It is refused on the first question, with what it answered and should have."""
    assert isinstance(duck.database.url, DuckUrl)
    other = DuckDB(duck.database.url, duck.plan, {**CONFIG, "integer_division": False})
    words = r"the archive samia, by DuckDB is not believed: it answers 1 of .*\n  integers divide .* is \(\(3\.5, -3\.5"
    with pytest.raises(DatabaseError, match=words), other.snapshot():
        pass


def test_folder_that_is_no_archive(tmp_path: Path) -> None:
    """A slip in the folder's name is said with what to do."""
    with pytest.raises(DatabaseError, match="there: is no archive"):
        judge_now(open_launch(f"duckdb:{tmp_path}/there", plan=PLAN), 10)


def reasons(folder: Path, percent: float = 50) -> dict[str, str]:
    """Judge a broken archive and return what is unknown for its sake, and why."""
    result = judge_now(open_launch(f"duckdb:{folder}", plan=PLAN), percent, as_of=NOW)
    unknown = {one.key: one.reason for one in result.results if one.status is Status.UNKNOWN}
    return {key: reason for key, reason in unknown.items() if "archive" in reason}


def test_missing_source_is_unknown(copy: Path) -> None:
    """What nobody archived is named, and nothing else suffers."""
    shutil.rmtree(copy / "sirens")
    assert reasons(copy) == {"siren_p90": "the archive has no sirens; see 'golive archive'"}


def test_missing_day_is_unknown(copy: Path) -> None:
    """A day lost between others makes what it would feed unknown."""
    shutil.rmtree(copy / "calls" / "day=2026-03-23")
    assert reasons(copy) == {"call_setup_p95": "the archive lacks calls of 2026-03-23"}


def test_half_written_day_is_unknown(copy: Path) -> None:
    """A day without its manifest is none, and the reason says so."""
    (copy / "calls" / "day=2026-03-23" / "manifest.json").unlink()
    assert reasons(copy) == {
        "call_setup_p95": "the archive lacks calls of 2026-03-23: half-written: it has no sound manifest.json"
    }


def test_window_before_the_archive_is_unknown(copy: Path) -> None:
    """A stage that began before the first day is not judged by half of it; the one after is."""
    for day in (copy / "db_queries").iterdir():
        if day.name < "day=2026-03-25":
            shutil.rmtree(day)
    assert reasons(copy, 100) == {"db_p95": "the archive lacks db_queries of 2026-03-24"}


def test_moment_after_the_archive_is_unknown(duck: Launch) -> None:
    """A check of hours that are not archived says which day is missing."""
    with pytest.raises(QueryFailed, match="the archive lacks api_requests of 2026-03-28"):
        duck.frame("health/api_paths", as_of="2026-03-28T06:00:00Z")
    assert len(duck.frame("health/api_paths", as_of="2026-03-28T00:00:00Z", hours=72))


def test_hours_before_the_archive_are_unknown(duck: Launch) -> None:
    """A check whose hours began before the first day is not judged by the rest."""
    with pytest.raises(QueryFailed, match="the archive lacks api_requests of"):
        duck.frame("health/api_paths", as_of="2026-03-28T00:00:00Z", hours=24 * 60)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("create table mine as select 1", "only read"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from public.api_logs", r"table missing: .*api_logs"),
        ("select nonsense from (select 1) t", "column missing: .*nonsense"),
        ("select from where", "DuckDB's words"),
        ("select timestamptz 'infinity' as at", "'at' holds infinity"),
        ("select 1 as a, 2 as a", "column 'a' twice"),
        ("select 'none of 1@example.com'::int", "query failed: .*…@"),
    ],
)
def test_failing_statement_says_why(duck: Launch, sql: str, words: str) -> None:
    """A statement that cannot be answered costs no other its answer, and shows nobody's address."""
    with duck.database.snapshot() as snapshot:
        with pytest.raises(QueryFailed, match=words) as failed:
            snapshot.frame(Statement(sql, {}, ()), {})
        assert "1@example.com" not in failed.value.reason
        assert snapshot.frame(Statement("select 1 as n", {}, ()), {})["n"].tolist() == [1]


def test_statement_has_a_time_limit(duck: Launch) -> None:
    """What takes longer than the plan allows is stopped."""
    with duck.database.snapshot() as snapshot:
        assert isinstance(snapshot, DuckSnapshot)
        quick = DuckSnapshot(snapshot.cursor, snapshot.archive, timedelta(milliseconds=50))
        endless = (
            "select sum(sqrt(a * b)) as n from generate_series(1, 1000000) x (a), generate_series(1, 1000000) y (b)"
        )
        with pytest.raises(QueryFailed, match=r"timeout: ask for fewer hours, or raise .*; an archive has no index"):
            quick.frame(Statement(endless, {}, ()), {})


def test_sql_runs_in_another_duckdb(duck: Launch) -> None:
    """What ``sql`` shows runs as it stands, and answers the same."""
    sql = duck.sql("health/api_paths", as_of=NOW)
    with duckdb.connect() as client:
        got = client.execute(sql).fetchall()
    assert [row[:2] for row in got] == list(
        duck.frame("health/api_paths", as_of=NOW)[["path", "requests"]].itertuples(index=False, name=None)
    )


def test_app_itself_is_asked_of_postgresql(duck: Launch) -> None:
    """What rows alone cannot say is refused with what to pass."""
    words = (
        "the archive samia, by DuckDB, holds rows of closed days and no more: it cannot .*\n  next: give --db-url postg"
    )
    with pytest.raises(SettingsError, match=words):
        _ = duck.postgres


def test_closed_archive_opens_again(copy: Path) -> None:
    """After closing, days that came meanwhile are there."""
    launch = open_launch(f"duckdb:{copy}", plan=PLAN)
    aside = copy.parent / "aside"
    for source in [path for path in copy.iterdir() if path.is_dir()]:
        shutil.move(source / "day=2026-03-27", aside / source.name / "day=2026-03-27")
    with launch.database.snapshot() as before:
        assert before.clock.now == datetime(2026, 3, 27, tzinfo=UTC)
    shutil.copytree(aside, copy, dirs_exist_ok=True)
    launch.database.close()
    with launch.database.snapshot() as after:
        assert after.clock.now == datetime(2026, 3, 28, tzinfo=UTC)


def golive(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line beside an archive."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    command = [sys.executable, "-m", "golive_lib", *arguments, "--plan", str(PLAN)]
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)


def test_watch_of_an_archive_ends_with_its_report(copy: Path) -> None:
    """Nothing stands after it, such as what DuckDB's binding has to say of itself."""
    done = golive(copy.parent, "watch", "--stage", "10", "--speed", "6000", "--db-url", f"duckdb:{copy.name}")
    assert (done.returncode in {0, 3}, done.stdout.splitlines()[-1][:9]) == (True, "All runs:")
    assert "leaked" not in done.stderr


def test_command_line_judges_an_archive(live: Launch, copy: Path) -> None:
    """``golive canary`` runs its notebook on an archive named from here and leaves PostgreSQL's record."""
    where = ("--db-url", f"duckdb:{copy.name}", "--outputs", "out")
    done = golive(copy.parent, "canary", "--stage", "25", "--as-of", NOW, *where)
    assert (done.returncode, "The 25 % stage" in done.stdout) == (3, True)
    (judged,) = (copy.parent / "out").glob("*/judged.json")
    wanted = judge_now(live, 25, as_of=NOW).record()
    assert json.dumps(json.loads(judged.read_text()), sort_keys=True) == json.dumps(wanted, sort_keys=True)
    assert json.loads(judged.with_name("record.json").read_text())["database"] == "the archive copy, by DuckDB"
    assert str(copy) not in "".join(path.read_text() for path in (copy.parent / "out").rglob("*.html"))


def test_command_line_shows_an_archives_sql(copy: Path) -> None:
    """``golive sql`` prints what DuckDB's own command line runs."""
    done = golive(copy.parent, "sql", "health/api_paths", "--db-url", f"duckdb:{copy.name}")
    assert (done.returncode, done.stderr) == (0, "")
    with duckdb.connect() as client:
        assert client.execute(done.stdout).description


@pytest.mark.parametrize("command", ["doctor", "readiness", "rls", "backup"])
def test_command_line_needs_the_app_for_some(copy: Path, command: str) -> None:
    """A command about the database itself says what an archive cannot be asked, and what to name or ask instead."""
    done = golive(copy.parent, command, "--db-url", f"duckdb:{copy.name}")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "cannot be asked about the app's database itself, which is its server, roles, row level security" in said
    assert "next: give --db-url postgresql://… for this; an archive answers golive canary, golive check health" in said
    assert "Traceback" not in said
