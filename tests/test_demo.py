"""The demo's databases tell their stories, and its server survives what happens to it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psutil
import psycopg
import pytest
from plant import change
from psycopg import sql
from sqlalchemy import create_engine, text

from golive_lib.demo import CLOCK, STORIES, DemoDatabase, DemoServer, begin_again, open_demo, open_named
from golive_lib.demo.build import BUILDING
from golive_lib.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL = 0.05
FACES: LiteralString = (
    "select d.name, count(*) from decks d join deck_cards c on c.deck_id = d.id where not c.is_back "
    "group by 1 order by 1"
)
BAD_ORDERS: LiteralString = (
    "select array_agg(card_position order by card_position) from tarot_v2_card_selections group by reading_id "
    "having min(card_position) <> 1 or max(card_position) <> count(*) or count(distinct card_position) <> count(*)"
)
NO_IP: LiteralString = "select client_ip from call_consent_logs where coalesce(client_ip, '') = '' order by 1"
DRAFTS: LiteralString = "select count(*) from tarot_v2_readings where ai_draft_visible_to_client"
TABLES: LiteralString = (
    "select relnamespace::regnamespace::text, relname from pg_class where relkind = 'r' "
    "and relnamespace::regnamespace::text in ('public', 'auth', 'storage') order by 1, 2"
)
SLOW_IN_25: LiteralString = (
    "select 100 * avg((response_time_ms > 2000)::int) from api_logs "
    "where created_at >= '2026-03-24 10:10Z' and created_at < '2026-03-24 14:00Z'"
)


def rows(url: str, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
    """Read one query's rows."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute(query).fetchall()


def checksum(demo: DemoDatabase) -> list[int]:
    """Sum up the rows of every table."""
    total = sql.SQL("select sum(hashtextextended(t::text, 0)) from {} t")
    return [rows(demo.url, total.format(sql.Identifier(*table)))[0][0] for table in rows(demo.url, TABLES)]


def told(folder: Path, name: str) -> DemoDatabase:
    """Build a story on the session's server."""
    with open_demo(name, scale=SMALL, data=folder) as demo:
        return demo


def names(server: DemoServer) -> list[str]:
    """List a server's databases."""
    return [name for (name,) in rows(server.url("postgres", "postgres"), "select datname from pg_database order by 1")]


def running(folder: Path) -> bool:
    """Tell whether a data folder's server is at work; PostgreSQL removes the file when it stops."""
    return (folder / "pg" / "postmaster.pid").exists()


def script(code: str, folder: Path) -> subprocess.Popen[str]:
    """Start another process that uses a data folder, named ``folder`` in its code."""
    head = "import sys; from pathlib import Path; from golive_lib.demo import *; folder = Path(sys.argv[1])\n"
    command = [sys.executable, "-W", "error", "-c", head + code, str(folder)]
    env = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    root = Path(__file__).parent.parent
    return subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=env, cwd=root)


def test_sqlalchemy_reads_the_url_as_golive_ro(healthy: DemoDatabase) -> None:
    """The URL is SQLAlchemy's and signs in as the kit's own role."""
    engine = create_engine(healthy.url)
    with engine.connect() as connection:
        user = connection.execute(text("select current_user")).scalar_one()
    engine.dispose()
    assert user == "golive_ro"


def test_a_write_as_golive_ro_finds_a_read_only_transaction(healthy: DemoDatabase) -> None:
    """The role's transactions are read-only unless it asks otherwise."""
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        rows(healthy.url, "delete from feature_flags returning key")


def test_golive_ro_has_no_grant_to_write(healthy: DemoDatabase) -> None:
    """The grants stop a write that asks for a read-write transaction."""
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        connection.read_only = False
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from feature_flags")


def test_golive_ro_sees_what_row_security_hides(healthy: DemoDatabase) -> None:
    """The kit's role counts the same rows as the superuser."""
    query: LiteralString = "select count(*) from payment_transactions"
    assert rows(healthy.url, query) == rows(healthy.admin_url, query)


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_a_stranger_sees_no_payment(healthy: DemoDatabase, role: str) -> None:
    """Without claims every personal row is hidden."""
    with psycopg.connect(healthy.admin_url.replace("+psycopg", "")) as connection:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
        assert connection.execute("select * from payment_transactions limit 1").fetchall() == []


def test_a_client_sees_their_own_payments(healthy: DemoDatabase) -> None:
    """With a client's claims just that client's rows are seen."""
    owner, expected = rows(
        healthy.url, "select user_id, count(*) from payment_transactions group by 1 order by 2 desc limit 1"
    )[0]
    with psycopg.connect(healthy.admin_url.replace("+psycopg", "")) as connection:
        connection.execute("set local role authenticated")
        connection.execute(
            "select set_config('request.jwt.claims', jsonb_build_object('sub', %s::text)::text, true)", [owner]
        )
        actual = connection.execute("select count(*) from payment_transactions").fetchall()
    assert [(expected,)] == actual


def test_every_table_has_row_security(healthy: DemoDatabase) -> None:
    """No table of the app is left open."""
    query: LiteralString = (
        "select relname from pg_class where relkind = 'r' and not relrowsecurity "
        "and relnamespace::regnamespace::text in ('public', 'auth', 'storage')"
    )
    assert rows(healthy.url, query) == []


def test_the_database_knows_its_clock(healthy: DemoDatabase) -> None:
    """The setting ``golive.now`` is the demo's fixed clock."""
    assert [(CLOCK.isoformat(),)] == rows(healthy.url, "select current_setting('golive.now')")


def test_nothing_happened_after_the_clock(healthy: DemoDatabase) -> None:
    """No timestamp lies after the clock but the time a booking is made for."""
    columns = rows(
        healthy.url,
        "select table_schema, table_name, column_name from information_schema.columns "
        "where data_type like 'timestamp%' and column_name <> 'scheduled_at' "
        "and table_schema in ('public', 'auth', 'storage')",
    )
    late = sql.SQL("select count(*) from {} where {} > %s")
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        counts = {
            column: connection.execute(
                late.format(sql.Identifier(*column[:2]), sql.Identifier(column[2])), [CLOCK]
            ).fetchall()
            for column in columns
        }
    assert set(map(tuple, counts.values())) == {((0,),)}


def test_telemetry_lasts_to_the_clock(healthy: DemoDatabase) -> None:
    """The newest request is at most two minutes old."""
    ((newest,),) = rows(healthy.url, "select max(created_at) from api_logs")
    assert CLOCK - newest < timedelta(minutes=2)


def test_nights_are_quiet(healthy: DemoDatabase) -> None:
    """Between 02:00 and 06:00 in Beirut there is less than a fifth of the afternoon's traffic."""
    query: LiteralString = (
        "select count(*) filter (where h >= 2 and h < 6), count(*) filter (where h >= 14 and h < 18) "
        "from (select extract(hour from created_at at time zone 'Asia/Beirut') as h from api_logs) t"
    )
    ((night, afternoon),) = rows(healthy.url, query)
    assert 0 < night < afternoon / 5


@pytest.mark.parametrize(("start", "hours", "share"), [(8, 2, 0.10), (10, 4, 0.25), (14, 8, 0.50), (22, 24, 1.0)])
def test_each_stage_has_its_share(healthy: DemoDatabase, start: int, hours: int, share: float) -> None:
    """Requests of the canary are as many as the stage sends there, give or take chance."""
    since = datetime(2026, 3, 24, start, tzinfo=UTC)
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "select avg(flat_tables::int)::float8, count(*) from api_logs where created_at >= %s and created_at < %s",
            [since, since + timedelta(hours=hours)],
        ).fetchone()
    assert found is not None
    assert found[0] == pytest.approx(share, abs=4 * (share * (1 - share) / found[1]) ** 0.5)


def test_nobody_is_on_the_flat_tables_before_the_launch(healthy: DemoDatabase) -> None:
    """The canary begins with the launch."""
    query: LiteralString = "select min(created_at) >= '2026-03-24 08:00Z' from api_logs where flat_tables"
    assert rows(healthy.url, query) == [(True,)]


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        ("select 100 * avg((response_time_ms > 2000)::int) from api_logs", 5),
        ("select 100 * avg((status_code >= 500)::int) from api_logs", 1),
        ("select 100 * avg((duration_ms > 500)::int) from db_query_logs", 5),
        ("select 100 * avg((connected_at is null or connected_at - requested_at > '3s')::int) from call_sessions", 5),
        ("select 100 * avg((answered_at is null or answered_at - requested_at > '15s')::int) from emergency_calls", 10),
        ("select 100 * avg((status = 'failed')::int) from payment_transactions where status <> 'pending'", 5),
    ],
)
def test_healthy_is_well_inside_each_limit(healthy: DemoDatabase, query: LiteralString, limit: float) -> None:
    """Bad shares are there to be seen, and far within the runbook's limits."""
    ((bad,),) = rows(healthy.url, query)
    assert 0.12 * limit < bad < 0.4 * limit


def test_healthy_passes_the_sanity_checks(healthy: DemoDatabase) -> None:
    """None of the four faults is there."""
    actual = [rows(healthy.url, query) for query in (FACES, BAD_ORDERS, NO_IP, DRAFTS)]
    assert actual == [[("Cedars", 78), ("Classic", 78), ("Cosmic", 78), ("Marseille", 78)], [], [], [(0,)]]


def test_dirty_has_one_fault_for_every_sanity_check(healthy: DemoDatabase, demo_folder: Path) -> None:
    """Two decks cancel out, a single card at 2, a gap, two rows without an IP, two drafts; the rest is healthy."""
    url = told(demo_folder, "dirty").url
    faces, orders, ips, drafts = (rows(url, query) for query in (FACES, BAD_ORDERS, NO_IP, DRAFTS))
    assert faces == [("Cedars", 78), ("Classic", 78), ("Cosmic", 79), ("Marseille", 77)]
    single, gap = sorted((positions for (positions,) in orders), key=len)
    assert single == [2]
    assert [1, 2, *range(4, len(gap) + 2)] == gap
    assert ips == [("",), (None,)]
    assert drafts == [(2,)]
    assert rows(healthy.url, "select count(*) from api_logs") == rows(url, "select count(*) from api_logs")


def test_silent_stops_telemetry_but_not_the_people(healthy: DemoDatabase, demo_folder: Path) -> None:
    """The last log is from 17:00Z in the 50 % stage; payments are the healthy demo's."""
    url = told(demo_folder, "silent").url
    ((newest,),) = rows(
        url,
        "select max(created_at) from (select created_at from api_logs union all select created_at from db_query_logs "
        "union all select created_at from security_audit_logs) t",
    )
    stop = datetime(2026, 3, 24, 17, tzinfo=UTC)
    assert stop - timedelta(minutes=2) < newest < stop
    payments: LiteralString = "select count(*), max(created_at) from payment_transactions"
    assert rows(healthy.url, payments) == rows(url, payments)


def test_thin_is_a_twentieth_of_the_traffic(healthy: DemoDatabase, demo_folder: Path) -> None:
    """Fewer requests by as many people."""
    url = told(demo_folder, "thin").url
    ((full,),) = rows(healthy.url, "select count(*) from api_logs")
    ((thin,),) = rows(url, "select count(*) from api_logs")
    assert thin == pytest.approx(full / 20, rel=0.1)
    assert rows(healthy.url, "select count(*) from profiles") == rows(url, "select count(*) from profiles")


def test_api_regression_shows_in_the_canary_only(demo_folder: Path) -> None:
    """The canary is far over 5 % slow, and all traffic together is not."""
    url = told(demo_folder, "api-regression").url
    ((everyone,),) = rows(url, SLOW_IN_25)
    ((canary,),) = rows(url, SLOW_IN_25 + " and flat_tables")
    ((control,),) = rows(url, SLOW_IN_25 + " and not flat_tables")
    assert control < 2.5
    assert everyone < 5
    assert 8 < canary < 17


def test_api_regression_was_rolled_back(demo_folder: Path) -> None:
    """After 14:00Z nobody is on the flat tables; the flag is for whoever plays the story to turn off."""
    url = told(demo_folder, "api-regression").url
    newest: LiteralString = (
        "select max(at) < '2026-03-24 14:00Z' from (select created_at as at from api_logs where flat_tables "
        "union all select created_at from db_query_logs where flat_tables "
        "union all select requested_at from call_sessions where flat_tables "
        "union all select requested_at from emergency_calls where flat_tables "
        "union all select created_at from payment_transactions where flat_tables) t"
    )
    assert rows(url, newest) == [(True,)]
    assert rows(url, "select value from feature_flags where key like '%canaryPercentage'") == [(25,)]


def test_a_rolled_back_story_begins_again(demo_folder: Path) -> None:
    """The flags are the story's own again, also where it was rolled back in its course; the old views are gone."""
    demo = told(demo_folder, "api-regression")
    flags: LiteralString = "select key, value, updated_at from feature_flags order by 1"
    with open_demo("api-regression", scale=SMALL, data=demo_folder):
        before = rows(demo.url, flags)
        change(
            demo, "update feature_flags set value = '0'", "create schema samia", "create view samia.v as select 1 as a"
        )
        begin_again(demo)
        assert rows(demo.url, flags) == before
        assert rows(demo.url, "select from pg_namespace where nspname = 'samia'") == []
    assert {key: value for key, value, _ in before}["backend.flatTables"] is True


def test_test_accounts_pay_in_test_mode(healthy: DemoDatabase) -> None:
    """Payments of test accounts, and no others, carry ``test_mode``."""
    query: LiteralString = (
        "select is_test, bool_and(coalesce(metadata ->> 'test_mode', '') = 'true'), "
        "bool_or(metadata ->> 'test_mode' = 'true') is true "
        "from payment_transactions join profiles using (user_id) group by 1 order by 1"
    )
    assert rows(healthy.url, query) == [(False, False, False), (True, True, True)]


def test_twelve_zodiac_files_are_ready_each_morning(healthy: DemoDatabase) -> None:
    """All audio is there before 07:00 in Beirut."""
    query: LiteralString = (
        "select distinct count(*) filter (where audio_ready_at < (day + time '07:00') at time zone 'Asia/Beirut') "
        "from daily_zodiac group by day"
    )
    assert rows(healthy.url, query) == [(12,)]


def test_every_stored_path_has_its_object(healthy: DemoDatabase) -> None:
    """Storage holds exactly the files the tables name."""
    query: LiteralString = (
        "select bucket_id, name, path from storage.objects full join ("
        "select 'deck-cards' as bucket, storage_path as path from deck_cards "
        "union all select 'recordings', storage_path from call_recordings "
        "union all select 'zodiac', audio_path from daily_zodiac) t "
        "on bucket = bucket_id and path = name where name is null or path is null"
    )
    assert rows(healthy.url, query) == []


def test_the_same_seed_makes_the_same_rows(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Another server's build is the same, row by row."""
    with open_demo(scale=SMALL, data=tmp_path) as again:
        assert checksum(healthy) == checksum(again)


def test_another_seed_makes_other_rows(healthy: DemoDatabase, demo_folder: Path) -> None:
    """The seed is part of every number, and of the database's name."""
    with open_demo(scale=SMALL, seed=8, data=demo_folder) as other:
        assert healthy.name != other.name
        assert checksum(healthy) != checksum(other)


def test_a_finished_build_is_reused(healthy: DemoDatabase, demo_folder: Path) -> None:
    """Opening a story again builds nothing."""
    said: list[str] = []
    with open_demo(scale=SMALL, data=demo_folder, progress=said.append) as again:
        assert healthy == again
    assert len(said) == 1


def test_an_interrupted_build_is_not_reused(demo_server: DemoServer, demo_folder: Path) -> None:
    """What an interrupt leaves has another name, and the next build replaces it."""

    def interrupt(message: str) -> None:
        if message.startswith("keys"):
            raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        open_demo("thin", scale=SMALL, seed=9, data=demo_folder, progress=interrupt),
    ):
        pass
    assert BUILDING in names(demo_server)
    with open_demo("thin", scale=SMALL, seed=9, data=demo_folder) as demo:
        assert rows(demo.url, "select conname from pg_constraint where conname = 'feature_flags_pkey'") == [
            ("feature_flags_pkey",)
        ]
    assert BUILDING not in names(demo_server)


def test_a_build_of_other_files_is_dropped(demo_server: DemoServer, demo_folder: Path) -> None:
    """Opening a story removes what older SQL files built, but not what somebody is connected to."""
    for name in ("demo_healthy_00000000_00000000", "demo_busy_00000000_00000000", "mine"):
        demo_server.create_database(name)
    with demo_server.connect("demo_busy_00000000_00000000"):
        told(demo_folder, "healthy")
    left = [name for name in names(demo_server) if name.endswith("_00000000") or name == "mine"]
    for name in left:
        demo_server.drop_database(name)
    assert left == ["demo_busy_00000000_00000000", "mine"]


def test_a_clone_is_writable_and_leaves_the_original_alone(
    clone: Callable[[], DemoDatabase], healthy: DemoDatabase
) -> None:
    """A copy has the clock, takes a write, and shares no row."""
    copy = clone()
    with psycopg.connect(copy.admin_url.replace("+psycopg", "")) as connection:
        connection.execute(
            "insert into api_logs (method, path, status_code, response_time_ms) values ('GET', '/', 200, 1)"
        )
    count: LiteralString = "select count(*), current_setting('golive.now') from api_logs"
    ((full, clock),) = rows(healthy.url, count)
    assert [(full + 1, clock)] == rows(copy.url, count)


def test_a_story_is_seen_on_a_later_day(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named with a day its clock stands there, for that connection alone, and nothing else differs."""
    monkeypatch.setenv("GOLIVE_DEMO_DIR", str(demo_folder))
    with open_named("healthy@2026-04-01") as then, open_named("healthy") as now:
        clocks = []
        for demo in (then, now):
            with psycopg.connect(demo.url.replace("+psycopg", "")) as connection:
                clocks.append(connection.execute("select current_setting('golive.now')::timestamptz").fetchone())
    assert clocks == [(datetime(2026, 4, 1, tzinfo=UTC),), (CLOCK,)]
    assert then.name == now.name


def test_a_story_on_no_day_is_refused() -> None:
    """Before anything is built."""
    with pytest.raises(SettingsError, match="'tomorrow' is no day"), open_named("healthy@tomorrow"):
        pass


def test_an_unknown_story_is_named_with_the_known_ones(tmp_path: Path) -> None:
    """The message lists what there is, and no server is started."""
    with (
        pytest.raises(SettingsError, match="no demo story 'heathly'; there are healthy, api-regression"),
        open_demo("heathly", data=tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("scale", "seed"), [(0, 7), (-1, 7), (101, 7), (float("nan"), 7), (1, -1), (1, 1_000_000)])
def test_scale_and_seed_out_of_range_are_refused(tmp_path: Path, scale: float, seed: int) -> None:
    """A build that cannot be is not begun."""
    with pytest.raises(SettingsError, match=r"0 < scale <= 100"), open_demo(scale=scale, seed=seed, data=tmp_path):
        pass


def test_somebody_elses_folder_is_left_alone(tmp_path: Path) -> None:
    """A folder with other files in it is refused and unchanged."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SettingsError, match=r"holds 'thesis\.tex'"), DemoServer.start(tmp_path):
        pass
    assert [tmp_path / "thesis.tex"] == list(tmp_path.iterdir())


def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path: Path) -> None:
    """The message names the variable that moves the folder."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="GOLIVE_DEMO_DIR"), DemoServer.start(tmp_path / "file" / "demo"):
        pass


def test_a_folder_of_another_postgresql_is_refused(tmp_path: Path) -> None:
    """A major version's files are no other's."""
    with DemoServer.start(tmp_path):
        pass
    (tmp_path / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(SettingsError, match="made by PostgreSQL 16, the demo's is 18"), DemoServer.start(tmp_path):
        pass


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """PostgreSQL's own last words are in the message."""
    with DemoServer.start(tmp_path):
        pass
    (tmp_path / "pg" / "global" / "pg_control").unlink()
    with pytest.raises(SettingsError, match="pg_control"), DemoServer.start(tmp_path):
        pass


def test_the_environment_names_the_folder(
    monkeypatch: pytest.MonkeyPatch, healthy: DemoDatabase, demo_folder: Path
) -> None:
    """``GOLIVE_DEMO_DIR`` is used when no folder is given."""
    monkeypatch.setenv("GOLIVE_DEMO_DIR", str(demo_folder))
    with open_demo(scale=SMALL) as demo:
        assert healthy == demo


def test_the_last_to_leave_stops_the_server(tmp_path: Path) -> None:
    """A user inside another's time leaves the server running."""
    with DemoServer.start(tmp_path):
        with DemoServer.start(tmp_path):
            pass
        assert running(tmp_path)
    assert not running(tmp_path)


def test_a_server_that_died_meanwhile_is_not_stopped_again(tmp_path: Path) -> None:
    """Leaving after the server's own end is no error, and the next start repairs what it left."""
    with DemoServer.start(tmp_path):
        postmaster = psutil.Process(int((tmp_path / "pg" / "postmaster.pid").read_text().split()[0]))
        postmaster.kill()
        postmaster.wait(30)
    with DemoServer.start(tmp_path) as server:
        assert "postgres" in names(server)


def test_an_awkward_long_path_works(tmp_path: Path) -> None:
    """Spaces, quotes, commas and a path longer than a socket's do no harm."""
    folder = tmp_path / 'it\'s a, "demo" 100%' / ("x" * 100)
    with DemoServer.start(folder) as server:
        assert rows(
            server.url("postgres", "postgres"), "select split_part(current_setting('server_version'), '.', 1)"
        ) == [("18",)]


def test_a_locale_the_machine_lacks_does_no_harm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login from elsewhere may bring its own locale; text is UTF-8 all the same, and the environment is as before."""
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")
    with DemoServer.start(tmp_path) as server:
        server.create_database("empty")
        assert rows(server.url("empty"), "select upper('é'), current_setting('server_encoding')") == [("É", "UTF8")]
    assert os.environ["LC_ALL"] == "xx_YY.UTF-8"


def test_a_server_whose_user_was_killed_is_adopted_and_stopped(tmp_path: Path) -> None:
    """The next user takes over the server a SIGKILL left, and stops it at the end."""
    with script("with DemoServer.start(folder): print('up', flush=True); input()", tmp_path) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "up\n"
        user.kill()
    leaked = (tmp_path / "pg" / "postmaster.pid").read_text()
    with DemoServer.start(tmp_path):
        assert leaked == (tmp_path / "pg" / "postmaster.pid").read_text()
    assert not running(tmp_path)


def test_a_process_id_given_to_another_process_is_no_server(tmp_path: Path) -> None:
    """A pid file left by a crash may name anybody by now."""
    with DemoServer.start(tmp_path):
        left = (tmp_path / "pg" / "postmaster.pid").read_text()
    (tmp_path / "pg" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left.splitlines()[1:]]) + "\n")
    with DemoServer.start(tmp_path) as server:
        assert "postgres" in names(server)


def test_two_processes_share_one_build(tmp_path: Path) -> None:
    """Started together on a new folder, one builds, both get the database, and nothing is left running."""
    code = "with open_demo('thin', scale=.05, data=folder, progress=print) as demo: print(demo.name)"
    pair = [script(code, tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].splitlines() for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    assert sorted(len(lines) for lines in outputs) == [2, 5]
    assert not running(tmp_path)


def test_every_story_file_belongs_to_a_story() -> None:
    """A file nobody tells would be dead."""
    stories = Path(__file__).parent.parent / "golive_lib" / "demo" / "stories"
    assert {path.stem for path in stories.glob("*.sql")} <= set(STORIES)
