"""A stage followed while it soaks: what judging anew would find, from new rows alone, through lost connections."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plant import change
from rich.console import Console

from golive_lib import Launch, Status, Verdict, open_launch
from golive_lib.canary import StageResult, judge_now
from golive_lib.cli_canary import _running, board, line
from golive_lib.db import Database
from golive_lib.demo import open_demo
from golive_lib.errors import DatabaseError
from golive_lib.events import MINUTE, earlier_minutes
from golive_lib.query import parse
from golive_lib.settings import parse_url
from golive_lib.watch import REREAD, Lost, Watch, follow, played

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
START = datetime(2026, 3, 24, 10, tzinfo=UTC)  # of the 25 % stage
MATURITY = timedelta(minutes=2)


@pytest.fixture(scope="module")
def regression(demo_folder: Path) -> Iterator[DemoDatabase]:
    """Build the story in which the 25 % stage turns red."""
    with open_demo("api-regression", scale=0.2, data=demo_folder) as demo:
        yield demo


def opened(demo: DemoDatabase) -> Launch:
    """Open the kit's own plan on a demo."""
    return open_launch(demo.url, plan=ROOT / "launch.toml")


def after(minutes: float) -> datetime:
    """Return the instant so many minutes into the 25 % stage."""
    return START + minutes * MINUTE


def record(result: StageResult) -> str:
    """Return a result's record as the bytes that would be kept."""
    return json.dumps(result.record(), sort_keys=True, allow_nan=False)


class Time:
    """A clock that moves only while somebody waits on it; ``pauses`` keeps for how long."""

    def __init__(self, *on_wait: Callable[[], None]) -> None:
        self.now = 0.0
        self.pauses: list[float] = []
        self._on_wait = list(on_wait)

    def wait(self, seconds: float) -> None:
        """Let time pass at once, and do what was planned for this pause."""
        self.now += seconds
        self.pauses.append(seconds)
        if self._on_wait:
            self._on_wait.pop(0)()

    def read(self) -> float:
        """Return the seconds waited so far."""
        return self.now


def looks(watch: Watch, time: Time, instants: Sequence[datetime]) -> list[StageResult | Lost]:
    """Follow a stage as of one instant after the other; a look that failed is tried again as of the next."""
    left = iter(instants)
    return list(follow(watch, 60, clock=lambda: next(left), wait=time.wait, monotonic=time.read))


# What a look finds


@settings(max_examples=4, deadline=None)
@given(minutes=st.lists(st.integers(1, 480), min_size=2, max_size=5), seconds=st.integers(0, 59))
@pytest.mark.parametrize("percent", [25, 100])
def test_looks_find_what_judging_anew_finds(
    regression: DemoDatabase, percent: float, minutes: list[int], seconds: int
) -> None:
    """Whenever it looked before, also later, a look's record is the one of judging at that instant."""
    launch = opened(regression)
    watch = Watch(launch, percent)
    for minute in minutes:
        as_of = watch.started_at + timedelta(minutes=minute, seconds=seconds)
        found, expected = watch.look(as_of), judge_now(launch, percent, as_of=as_of)
        assert record(found) == record(expected)
        assert [one.telemetry.earlier for one in found.kpis] == [one.telemetry.earlier for one in expected.kpis]


def test_a_change_of_summer_time_in_the_days_before_is_counted_once(healthy: DemoDatabase) -> None:
    """In Casablanca 02:00 to 03:00 of 22 March does not exist, and stretches of that night do not add up."""
    there = opened(healthy)
    launch = Launch(replace(there.plan, timezone="Africa/Casablanca"), there.queries, there.database)
    watch = Watch(launch, 100)
    for minute in (170, 230, 260):
        as_of = watch.started_at + minute * MINUTE
        earlier = watch.look(as_of).kpi("api_p95").telemetry.earlier
    assert earlier == judge_now(launch, 100, as_of=as_of).kpi("api_p95").telemetry.earlier


def test_a_stage_longer_than_a_day_is_not_compared_with_itself(healthy: DemoDatabase) -> None:
    """The day before counts until the window has reached it, whenever it was asked for."""
    launch = opened(healthy)
    watch = Watch(launch, 100, started_at=datetime(2026, 3, 24, 12, tzinfo=UTC))
    seen = []
    for hours in (23, 24.5, 24.7, 26):
        as_of = watch.started_at + timedelta(hours=hours)
        found, expected = (
            result.kpi("api_p95").telemetry.earlier
            for result in (watch.look(as_of), judge_now(launch, 100, started_at=watch.started_at, as_of=as_of))
        )
        assert found == expected
        seen.append(len(found))
    assert seen == [7, 6, 6, 6]


def test_earlier_days_are_asked_for_once_an_hour(healthy: DemoDatabase) -> None:
    """Polls within the hour find them there, to the minute; also a look back."""
    launch = opened(healthy)
    watch = Watch(launch, 25)
    asked: list[int] = []
    for minute in (100, 101, 130, 161, 162, 170, 140):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("golive_lib.watch.earlier_minutes", partial(_noted, asked, minute))
            found = watch.look(after(minute)).kpi("api_p95").telemetry
        expected = judge_now(launch, 25, as_of=after(minute)).kpi("api_p95").telemetry
        assert (found.earlier, found.earlier_bad) == (expected.earlier, expected.earlier_bad)
    assert sorted(set(asked)) == [101, 162]


def _noted(asked: list[int], minute: int, *arguments: Any, **options: Any) -> pd.DataFrame:
    asked.append(minute)
    return earlier_minutes(*arguments, **options)


def test_each_look_asks_for_new_minutes_alone(regression: DemoDatabase) -> None:
    """The first look asks for everything, a later one for what passed since, and a few minutes before that."""
    watch = Watch(opened(regression), 25)
    for minute in (100, 101, 104):
        watch.look(after(minute))
    assert {(window.since, window.until) for window in watch.asked} == {
        (START, after(100)),
        (after(100) - MATURITY - REREAD, after(101)),
        (after(101) - MATURITY - REREAD, after(104)),
    }


@pytest.mark.parametrize(("minute", "counted"), [(93.5, 1), (92.5, 0)])
def test_row_that_commits_late_is_found(clone: Clone, minute: float, counted: int) -> None:
    """A row of the five minutes before the last matured one is read again; an older one is not asked for."""
    demo = clone()
    watch = Watch(opened(demo), 25)
    before = watch.look(after(100)).kpi("api_p95").judgement.counts.n
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "insert into api_logs (created_at, method, path, status_code, response_time_ms, flat_tables)"
            " values (%s, 'GET', '/late', 200, 9, true)",
            [after(minute)],
        )
    now = watch.look(after(100)).kpi("api_p95").judgement.counts.n
    assert now - before == counted


def test_failed_query_is_unknown_until_it_answers_again(clone: Clone) -> None:
    """A table that is away costs its own KPI this look alone, and no row is lost."""
    demo = clone()
    launch = opened(demo)
    watch = Watch(launch, 25)
    watch.look(after(90))
    change(demo, "alter table api_logs rename to away")
    away = watch.look(after(95))
    change(demo, "alter table away rename to api_logs")
    unknown = {one.key for one in away.kpis if "table missing" in one.reason}
    assert unknown == {"api_p95", "api_errors"}
    assert record(watch.look(after(110))) == record(judge_now(launch, 25, as_of=after(110)))


# Judging an instant again

LATER = (
    (
        "insert into api_logs (created_at, method, path, status_code, response_time_ms, flat_tables)"
        " select timestamptz '2026-03-24 11:40Z' + i * interval '1 second', 'GET', '/', 500, 9000, true"
        " from generate_series(0, 999) i"
    ),
    (
        "update emergency_calls set answered_at = '2026-03-24 12:00Z', status = 'answered'"
        " where requested_at = '2026-03-24 11:30Z'"
    ),
    (
        "update payment_transactions set settled_at = '2026-03-24 12:00Z', status = 'failed'"
        " where created_at = '2026-03-24 11:20Z'"
    ),
    (
        "update payment_transactions set settled_at = '2026-03-24 12:30Z', status = 'succeeded'"
        " where created_at = '2026-03-24 10:20Z'"
    ),
)
PENDING = (
    (
        "with one as (select id from emergency_calls where flat_tables and requested_at > '2026-03-24 10:00Z'"
        " order by requested_at limit 1) update emergency_calls e"
        " set requested_at = '2026-03-24 11:30Z', answered_at = null, status = 'open' from one where e.id = one.id"
    ),
    (
        "with two as (select id, row_number() over (order by created_at) as i from payment_transactions"
        " where flat_tables and created_at > '2026-03-24 10:00Z' order by created_at limit 2)"
        " update payment_transactions p set settled_at = null, status = 'pending',"
        " created_at = timestamptz '2026-03-24 10:20Z' + (i - 1) * interval '1 hour' from two where p.id = two.id"
    ),
)


def test_record_is_the_same_byte_for_byte_whatever_came_later(clone: Clone) -> None:
    """Rows after the instant, a siren answered and payments settled after it: the old verdict stands."""
    demo = clone()
    change(demo, *PENDING)
    launch = opened(demo)
    watched = record(Watch(launch, 25).look(after(100)))
    change(demo, *LATER)
    assert record(judge_now(launch, 25, as_of=after(100))) == watched
    counts = json.loads(watched)["kpis"]
    assert (counts["siren_p90"]["bad"], counts["payment_success"]["bad"]) >= (1, 1)


def test_record_tells_a_row_of_the_instant_itself(clone: Clone) -> None:
    """The look-alike: one bad request more before the instant makes another record."""
    demo = clone()
    launch = opened(demo)
    before = record(judge_now(launch, 25, as_of=after(100)))
    change(
        demo,
        "insert into api_logs (created_at, method, path, status_code, response_time_ms, flat_tables)"
        " values ('2026-03-24 11:30Z', 'GET', '/', 500, 9000, true)",
    )
    assert record(judge_now(launch, 25, as_of=after(100))) != before


# Following


def test_follow_ends_at_the_first_red(regression: DemoDatabase) -> None:
    """Every look goes on until one is red; no further one is made."""
    time = Time()
    seen = looks(Watch(opened(regression), 25), time, [after(minute) for minute in range(10, 241, 10)])
    verdicts = [one.stage_verdict.verdict for one in seen if isinstance(one, StageResult)]
    assert verdicts == [Verdict.CONTINUE] * (len(seen) - 1) + [Verdict.ROLLBACK]
    assert 1 < len(seen) < 24
    assert time.pauses == [60.0] * (len(seen) - 1)


def test_follow_ends_with_the_soak(healthy: DemoDatabase) -> None:
    """A stage that is not red is followed to its end, and gets the verdict of its end."""
    seen = looks(Watch(opened(healthy), 25), Time(), [after(120), after(239), after(242)])
    assert [one.stage_verdict.verdict for one in seen if isinstance(one, StageResult)] == [
        Verdict.CONTINUE,
        Verdict.CONTINUE,
        Verdict.HOLD,
    ]


def test_follow_ends_when_the_next_stage_has_begun(healthy: DemoDatabase) -> None:
    """A stage cut short by the next one's start has no more to show."""
    watch = Watch(opened(healthy), 25, started_at=after(120))
    assert len(looks(watch, Time(), [after(239), after(242)])) == 2


def test_follow_does_not_wait_for_a_clock_that_stands_still(healthy: DemoDatabase) -> None:
    """A demo pins its now: one look is all there is to see."""
    watch = Watch(opened(healthy), 100, started_at=datetime(2026, 3, 25, 12, tzinfo=UTC))
    assert [one.stage_verdict.verdict for one in follow(watch, 60) if isinstance(one, StageResult)] == [
        Verdict.CONTINUE
    ]


def test_played_clock_runs_to_the_end_of_the_soak(healthy: DemoDatabase) -> None:
    """It begins a minute into the stage, runs so many times faster, and stops where the soak does."""
    time = Time()
    clock = played(Watch(opened(healthy), 25), 600, monotonic=time.read)
    shown = [clock()]
    for seconds in (6, 60):
        time.wait(seconds)
        shown.append(clock())
    assert shown == [after(1), after(61), after(242)]


# Lost connections


def terminate(demo: DemoDatabase) -> None:
    """Kill every connection to a database."""
    elsewhere = demo.admin_url.replace("+psycopg", "").replace(demo.name, "postgres")
    with psycopg.connect(elsewhere) as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [demo.name])


def close_doors(demo: DemoDatabase, *, shut: bool) -> None:
    """Let nobody into a database, as a failover does; or let them in again."""
    elsewhere = demo.admin_url.replace("+psycopg", "").replace(demo.name, "postgres")
    with psycopg.connect(elsewhere, autocommit=True) as connection:
        name = psycopg.sql.Identifier(demo.name)
        allowed = psycopg.sql.SQL("false" if shut else "true")
        connection.execute(psycopg.sql.SQL("alter database {} allow_connections {}").format(name, allowed))


def test_connection_killed_between_looks_is_not_even_noticed(clone: Clone) -> None:
    """The next look opens another, and finds what judging anew finds."""
    demo = clone()
    launch = opened(demo)
    seen = looks(Watch(launch, 25), Time(lambda: terminate(demo)), [after(100), after(242)])
    assert (
        record(judge_now(launch, 25, as_of=after(242))) == record(seen[-1]) if isinstance(seen[-1], StageResult) else 0
    )
    assert len(seen) == 2


def test_connection_killed_within_a_look_is_said_and_the_look_repeated(healthy: DemoDatabase) -> None:
    """A query that kills its own server process once: lost, a second's pause, and all is well."""
    there = opened(healthy)
    deadly = parse(
        "-- title: Kills its own connection\n-- sources: security_events\n"
        "select at, null::boolean as canary, 1.0 as value, false as violation\n"
        "from security_events where pg_terminate_backend(pg_backend_pid())",
        name="canary/rls",
        path=Path("rls.sql"),
    )
    queries = {**there.queries}
    launch = Launch(there.plan, queries, there.database)
    time = Time(lambda: queries.update({"canary/rls": deadly}), lambda: queries.update(there.queries))
    seen = looks(Watch(launch, 25), time, [after(100), after(101), after(242)])
    assert [type(one) for one in seen] == [StageResult, Lost, StageResult]
    assert ["terminating connection" in one.error for one in seen if isinstance(one, Lost)] == [True]
    assert time.pauses == [60.0, 1.0]


def test_database_away_is_tried_ever_less_often_and_unknown_past_the_freshness(clone: Clone) -> None:
    """Pauses double up to a minute; after a quarter of an hour nobody knows anything: hold."""
    demo = clone()
    launch = opened(demo)

    def away() -> None:
        close_doors(demo, shut=True)
        terminate(demo)

    def back() -> None:
        close_doors(demo, shut=False)

    time = Time(away, *([lambda: None] * 20), back)
    seen = looks(Watch(launch, 25), time, [after(100)] * 22 + [after(242)])
    lost = [one for one in seen if isinstance(one, Lost)]
    assert [one.retry_in for one in lost] == [1, 2, 4, 8, 16, 32, *([60] * 15)]
    assert [one.verdict for one in lost if one.blind <= timedelta(minutes=15)] == [Verdict.CONTINUE] * 19
    assert [one.verdict for one in lost if one.blind > timedelta(minutes=15)] == [Verdict.HOLD] * 2
    assert isinstance(seen[-1], StageResult)


def test_first_look_without_a_database_is_an_error(healthy: DemoDatabase) -> None:
    """Nothing to go on from: a wrong address is said at once, not tried for ever."""
    there = opened(healthy)
    nowhere = Database(parse_url(healthy.url.replace(healthy.name, "nowhere")), there.plan.database)
    with pytest.raises(DatabaseError, match='database "nowhere" does not exist'):
        next(follow(Watch(Launch(there.plan, there.queries, nowhere), 25), 60))


# How it looks


@pytest.fixture
def look(regression: DemoDatabase) -> StageResult:
    """Look once, 20 minutes into the stage that will turn red."""
    return Watch(opened(regression), 25).look(after(20))


def shown(what: StageResult | Lost) -> str:
    """Return the live table as text."""
    console = Console(width=180, file=io.StringIO())
    with console.capture() as text:
        console.print(board(what))
    return text.get().replace("\N{NO-BREAK SPACE}", " ")


def test_line_says_when_what_and_why(look: StageResult) -> None:
    """One line per look: local time, verdict, time left, statuses, and what is open."""
    text = line(look).replace("\N{NO-BREAK SPACE}", " ")
    assert text.startswith("12:20 Beirut · continue · 3 h 40 min left · ")
    assert "Siren answer P90: " in text


def test_board_has_a_row_per_kpi_and_the_time_left(look: StageResult) -> None:
    """The live table: the verdict, the time left, every KPI and due event, and its budget."""
    text = shown(look)
    assert "3 h 40 min left" in text
    assert "budget spent" in text
    assert [
        one for one in look.results if f"{one.kpi.title if hasattr(one, 'kpi') else one.due.title} " not in text
    ] == []


def test_lost_connection_is_said_with_the_next_try(look: StageResult) -> None:
    """While it is fresh the last look stands."""
    lost = Lost("gone\nnext: wait", look, timedelta(minutes=1), timedelta(minutes=15), 4.0)
    text = line(lost).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "12:20 Beirut · continue · connection lost; next try in 4 s: gone"
    assert f"{Status.GREEN}" in shown(lost)


def test_stale_look_shows_everything_unknown(look: StageResult) -> None:
    """Past the freshness limit nothing is shown green: hold."""
    lost = Lost("gone", look, timedelta(minutes=16), timedelta(minutes=15), 60.0)
    text = shown(lost)
    assert "hold" in line(lost)
    assert "nothing seen for 16 min, limit 15 min" in text
    assert (text.count("● green"), text.count(" unknown ")) == (0, len(look.results))


# The commands


def golive(*arguments: str, folder: Path, demo: DemoDatabase) -> subprocess.Popen[str]:
    """Start the command line in a folder, on a demo."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    env = clean | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1", "GOLIVE_DB_URL": demo.url}
    command = [sys.executable, "-m", "golive_lib", *arguments, "--plan", str(ROOT / "launch.toml")]
    return subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_watch_exits_with_4_and_a_report_at_red(tmp_path: Path, regression: DemoDatabase) -> None:
    """A line per look, the report of the very instant that turned red, and the exit code of a rollback."""
    done = golive("watch", "--stage", "25", "--speed", "6000", folder=tmp_path, demo=regression)
    out, err = done.communicate()
    assert (done.returncode, len(list(tmp_path.glob("outputs/*/canary.html")))) == (4, 1), err
    assert " · rollback · " in out.splitlines()[-4]
    assert "canary: rollback" in out


def test_ctrl_c_ends_the_watch_with_a_report(tmp_path: Path, healthy: DemoDatabase) -> None:
    """The report is of the last look shown, and so is the exit code."""
    done = golive("watch", "--stage", "25", "--speed", "1", folder=tmp_path, demo=healthy)
    assert done.stdout is not None
    assert " · continue · " in done.stdout.readline()
    done.send_signal(signal.SIGINT)
    out, err = done.communicate()
    assert (done.returncode, len(list(tmp_path.glob("outputs/*/canary.html")))) == (0, 1), err
    assert "stopped; the report shows the last look" in err
    assert "canary: continue" in out


@pytest.mark.parametrize(
    ("as_of", "percent"), [("2026-03-24T10:00:01Z", 25), ("2026-03-24T12:00:00+02:00", 10), ("", 100)]
)
def test_canary_judges_the_stage_that_runs_then(healthy: DemoDatabase, as_of: str, percent: float) -> None:
    """Without a stage it is the latest that had begun by the plan's starts."""
    assert _running(opened(healthy), as_of) == percent


def test_plan_only_forecasts_and_judges_nothing(tmp_path: Path, regression: DemoDatabase) -> None:
    """The forecast of a red stage is no verdict: exit 0, and no report."""
    done = golive("canary", "--stage", "25", "--plan-only", folder=tmp_path, demo=regression)
    out, _ = done.communicate()
    assert (done.returncode, list(tmp_path.glob("outputs"))) == (0, [])
    assert "Time to prove twice the limit" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("watch", "--stage", "25", "--every", "5x"), 2, "'5x' is no duration"),
        (("canary", "--as-of", "2026-03-24T07:00:00Z"), 1, "no stage has begun at 2026-03-24 07:00Z; give --stage"),
    ],
)
def test_wrong_use_is_a_clear_message(
    tmp_path: Path, healthy: DemoDatabase, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One message, no traceback, the right exit code."""
    done = golive(*arguments, folder=tmp_path, demo=healthy)
    _, err = done.communicate()
    assert done.returncode == code
    assert message in " ".join(err.split())
    assert "Traceback" not in err
