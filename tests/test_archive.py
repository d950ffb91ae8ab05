"""The archive on a real PostgreSQL: whole days, proven, and every way in which a day could be wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import duckdb
import psycopg
import pytest
from plant import change

from golive_lib import series
from golive_lib.archive import Archive, midnight, open_archive
from golive_lib.archive_sources import chosen
from golive_lib.archiving import Asked, archive_days, changed_days
from golive_lib.engines import archived, lacking
from golive_lib.errors import ArchiveError, BackupError, DatabaseError, PlanError, UsageError
from golive_lib.launch import Launch, open_launch
from golive_lib.manifest import workspace
from golive_lib.plan import read_plan
from golive_lib.query import compose

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.archiving import Done
    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.statement import Value

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
DAY = date(2026, 3, 20)
USUAL = ("api_requests", "calls", "db_queries", "payments", "security_events", "sirens", "zodiac_audio")
ONE_SIREN: LiteralString = """
insert into emergency_calls (client_id, requested_at, answered_at, status)
values (gen_random_uuid(), '2026-03-20 12:00Z', '2026-03-20 12:00:05Z', 'answered')
"""


def opened(demo: DemoDatabase) -> Launch:
    """Open the kit's own plan on a demo."""
    return open_launch(demo.url, plan=ROOT / "launch.toml")


def sirens(demo: DemoDatabase, folder: Path, *days: date) -> tuple[Launch, Done]:
    """Archive the sirens of some days, by default of one."""
    launch, days = opened(demo), days or (DAY,)
    return launch, archive_days(launch, folder, Asked(days[0], days[-1], ("sirens",)))


def read(archive: Archive, source: str, sql: str) -> list[tuple[object, ...]]:
    """Ask DuckDB about a source's files."""
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.from_parquet([str(file) for file in archive.files(source)], hive_partitioning=False).create_view(
            source
        )
        return connection.execute(sql).fetchall()


def with_source(launch: Launch, body: str, columns: tuple[tuple[str, str], ...]) -> Launch:
    """Return the launch with another query for its sirens."""
    query = replace(launch.queries["sources/sirens"], body=body, columns=columns)
    return Launch(launch.plan, {**launch.queries, "sources/sirens": query}, launch.database, launch.env)


def at(day: str) -> datetime:
    """Return a UTC day's midnight."""
    return midnight(date.fromisoformat(day))


def names(folder: Path) -> list[str]:
    """Name every file below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def golive(folder: Path, demo: DemoDatabase, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the kit's own plan."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    command = [sys.executable, "-m", "golive_lib", "archive", *arguments]
    env = clean | {"COLUMNS": "200", "GOLIVE_DB_URL": demo.url, "GOLIVE_PLAN": str(ROOT / "launch.toml")}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def whole(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archive all of the healthy demo; only read it."""
    folder = tmp_path_factory.mktemp("archive")
    assert archive_days(opened(healthy), folder, Asked()).failures == []
    return folder


@pytest.mark.parametrize("source", USUAL)
def test_archive_has_the_database_s_rows(source: str, healthy: DemoDatabase, whole: Path) -> None:
    """Every row of the closed days comes back with every value and its type, and no other row does."""
    launch, archive = opened(healthy), open_archive(whole)
    query = launch.query(f"sources/{source}")
    spelled = ", ".join(f'"{n}"' if t == "double precision" else f'cast("{n}" as text)' for n, t in query.columns)
    key, until = ("day", "2026-03-24") if source == "zodiac_audio" else ("at", "2026-03-23")
    with psycopg.connect(healthy.url.replace("+psycopg", "")) as connection:
        connection.execute("set timezone = 'UTC'")
        sql = f"select {spelled} from ({query.body}) rows where \"{key}\" < '{until}'"
        rows = connection.execute(sql.encode()).fetchall()
    assert sorted(map(repr, read(archive, source, f"select {spelled} from {source}"))) == sorted(map(repr, rows)) != []
    assert archive.columns(source) == query.columns


def test_days_are_those_that_closed(healthy: DemoDatabase, whole: Path) -> None:
    """The last day ended the time to settle before the database's now; what rows carry may be a day further east."""
    archive = open_archive(whole)
    assert archive.sources == USUAL
    assert (archive.problems, archive.first, archive.until) == ((), at("2026-03-17"), at("2026-03-23"))
    assert archive.days("calls") == tuple(date(2026, 3, day) for day in range(17, 23))
    assert archive.days("zodiac_audio")[-1] == date(2026, 3, 23)  # had begun in Beirut
    again = archive_days(opened(healthy), whole, Asked())
    assert (again.written, again.there, again.closed) == (0, 43, date(2026, 3, 22))


def test_files_are_for_the_owner_alone(whole: Path) -> None:
    """People's addresses are in there."""
    assert {oct(path.stat().st_mode & 0o777) for path in whole.rglob("*") if path.is_file()} == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in whole.rglob("*") if path.is_dir()} == {"0o700"}


@pytest.mark.parametrize(("now", "closed"), [("2026-03-25T23:59:59Z", 22), ("2026-03-26T00:00:00Z", 23)])
def test_a_day_closes_to_the_second(
    clone: Clone, demo_server: DemoServer, tmp_path: Path, now: str, closed: int
) -> None:
    """It has settled when its end is so long ago, not before."""
    demo = clone()
    demo_server.alter_setting(demo.name, "golive.now", now)
    _, done = sirens(demo, tmp_path, date(2026, 3, 20), date(2026, 3, 30))
    assert done.closed == date(2026, 3, closed)
    assert open_archive(tmp_path).days("sirens")[-1] == done.closed


def test_settling_for_less_than_a_day_is_refused(tmp_path: Path) -> None:
    """A day that rows carry would be kept before it has ended everywhere."""
    plan = (ROOT / "launch.toml").read_text().replace('settle = "2d"', 'settle = "23h"')
    (tmp_path / "launch.toml").write_text(plan)
    with pytest.raises(PlanError, match=r"archive\.settle = '23h'"):
        read_plan(tmp_path / "launch.toml")


@pytest.mark.parametrize(
    ("zone", "last"), [("Asia/Beirut", 23), ("Asia/Tokyo", 23), ("America/New_York", 22), ("UTC", 23)]
)
def test_what_is_due_before_the_end_is_there(healthy: DemoDatabase, zone: str, last: int) -> None:
    """By the archive's end a local day may have begun, and what was due on it must not seem missed."""
    launch = opened(healthy)
    there = Launch(replace(launch.plan, timezone=zone), launch.queries, launch.database)
    days = chosen(there, ["zodiac_audio"])[0].days(DAY, at("2026-03-23"))
    assert list(days)[-1] == date(2026, 3, last)


def test_awkward_values_survive(clone: Clone, tmp_path: Path) -> None:
    """Missing, infinite and not a number are kept as they are, and so is every digit and letter."""
    demo = clone()
    change(
        demo,
        "alter table db_query_logs alter duration_ms drop not null",
        "delete from db_query_logs where created_at >= '2026-03-20' and created_at < '2026-03-21'",
        """insert into db_query_logs (created_at, query_name, duration_ms) values
        ('2026-03-20 00:00Z', 'nan', 'NaN'), ('2026-03-20 23:59:59.999999Z', 'inf', '-infinity'),
        ('2026-03-20 01:00Z', '', 5e-324), ('2026-03-20 02:00Z', E'a"\\n\u200f\U0001f600,', 0.1::float8 + 0.2),
        ('2026-03-20 03:00Z', 'NULL', null), ('2026-03-21 00:00Z', 'next day', 1), ('infinity', 'never', 1)""",
        "update call_sessions set connected_at = 'infinity' where requested_at >= '2026-03-20'",
        "update call_sessions set connected_at = '-infinity' where extract(minute from requested_at)::int % 2 = 0",
    )
    done = archive_days(opened(demo), tmp_path, Asked(DAY, DAY, ("db_queries", "calls")))
    assert done.failures == []
    archive = open_archive(tmp_path)
    kept = read(archive, "db_queries", 'select name, duration_ms, "at"::varchar from db_queries order by "at"')
    assert [name for name, *_ in kept] == ["nan", "", 'a"\n\u200f\U0001f600,', "NULL", "inf"]
    assert [repr(value) for _, value, _ in kept] == ["nan", "5e-324", "0.30000000000000004", "None", "-inf"]
    assert kept[-1][2] == "2026-03-20 23:59:59.999999+00"
    instants = read(archive, "calls", "select distinct connected_at::varchar from calls order by all")
    assert instants == [("-infinity",), ("infinity",)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1.005", ""),
        ("0.0000000000001", "read back, its file has other values in amount"),
        ("'NaN'", "a value cannot be kept as it is"),
    ],
)
def test_decimals_are_kept_exactly_or_not_at_all(healthy: DemoDatabase, tmp_path: Path, value: str, said: str) -> None:
    """What twelve places cannot hold is refused, and leaves no file."""
    body = f"select requested_at as at, {value}::numeric as amount from emergency_calls"
    launch = with_source(opened(healthy), body, (("at", "timestamptz"), ("amount", "numeric")))
    done = archive_days(launch, tmp_path, Asked(DAY, DAY, ("sirens",)))
    assert [said in failure for failure in done.failures] == ([True] if said else [])
    archive = open_archive(tmp_path)
    if said:
        assert names(tmp_path) == ["archive.json"]
    else:
        assert read(archive, "sirens", "select distinct amount, typeof(amount) from sirens") == [
            (Decimal("1.005"), "DECIMAL(38,12)")
        ]


def test_day_without_rows_is_known_to_be_empty(clone: Clone, tmp_path: Path) -> None:
    """It is archived with no row, and with its columns; a day that is not there is another thing."""
    demo = clone()
    change(demo, "delete from emergency_calls where requested_at::date = '2026-03-20'")
    sirens(demo, tmp_path, DAY)
    archive = open_archive(tmp_path)
    assert (archive.days("sirens"), archive.kept["sirens"][DAY].rows) == ((DAY,), 0)
    assert read(archive, "sirens", "from sirens") == []
    assert (archive.until - archive.first).days == 1


def test_check_names_the_days_that_changed(clone: Clone, tmp_path: Path) -> None:
    """A late row, a lost one and another value are found, each on its day; a row of a day not archived is none."""
    demo = clone()
    launch, _ = sirens(demo, tmp_path, date(2026, 3, 18), date(2026, 3, 21))
    archive = open_archive(tmp_path)
    assert changed_days(launch, archive, Asked()) == (4, [])
    change(demo, ONE_SIREN.replace("2026-03-20", "2026-03-22"))
    assert changed_days(launch, archive, Asked()) == (4, [])
    change(
        demo,
        ONE_SIREN,
        "delete from emergency_calls where id = (select min(id::text)::uuid from emergency_calls "
        "where requested_at::date = '2026-03-19')",
        "update emergency_calls set answered_at = answered_at + interval '1 microsecond' "
        "where requested_at::date = '2026-03-18'",
    )
    compared, changed = changed_days(launch, archive, Asked())
    had = {day: kept.rows for day, kept in archive.kept["sirens"].items()}
    assert (compared, changed) == (
        4,
        [
            "sirens of 2026-03-18: other values in answered_at",
            f"sirens of 2026-03-19: {had[date(2026, 3, 19)] - 1} rows, not {had[date(2026, 3, 19)]}",
            f"sirens of 2026-03-20: {had[DAY] + 1} rows, not {had[DAY]}",
        ],
    )
    assert changed_days(launch, archive, Asked(date(2026, 3, 21)))[0] == 1


def test_values_that_change_places_are_found(clone: Clone, tmp_path: Path) -> None:
    """Each column holds the same values as before, and yet the rows are others."""
    demo = clone()
    change(demo, "delete from emergency_calls", ONE_SIREN, ONE_SIREN.replace("12:00", "13:00"))
    launch, _ = sirens(demo, tmp_path)
    change(
        demo,
        "update emergency_calls set answered_at = '2026-03-20 12:00:05Z'::timestamptz + (interval '1 hour' "
        "* (extract(hour from requested_at at time zone 'UTC') = 12)::int)",
    )
    assert changed_days(launch, open_archive(tmp_path), Asked())[1] == [
        "sirens of 2026-03-20: its values belong to other rows"
    ]


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from golive_lib.archiving import Asked, archive_days
from golive_lib.launch import open_launch

def say(words):  # the file has its place, and its manifest is next
    if words.startswith("sirens of 2026-03-19"):
        os.kill(os.getpid(), signal.SIGKILL)

archive_days(open_launch(sys.argv[1]), Path(sys.argv[2]), Asked(date(2026, 3, 18), date(2026, 3, 20), ("sirens",)), say)
"""


def test_killed_in_the_middle_leaves_no_half_day(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A file without its manifest is no day; the next run does what is left, and sweeps up."""
    command = [sys.executable, "-c", KILLED, healthy.url, str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -9
    archive = open_archive(tmp_path)
    assert (tmp_path / "sirens" / "day=2026-03-19" / "rows.parquet").is_file()
    assert archive.days("sirens") == (date(2026, 3, 18),)
    assert archive.problems == ("sirens of 2026-03-19: half-written: it has no sound manifest.json",)
    _, done = sirens(healthy, tmp_path, date(2026, 3, 18), DAY)
    assert (done.written, done.there) == (2, 1)
    assert (open_archive(tmp_path).problems, [each for each in names(tmp_path) if each.startswith(".")]) == ((), [])


def test_interrupt_keeps_what_is_whole(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Ctrl-C ends the day at work; those before it stay."""

    def interrupt(words: str) -> None:
        if "03-19" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        archive_days(opened(healthy), tmp_path, Asked(date(2026, 3, 18), DAY, ("sirens",)), interrupt)
    assert open_archive(tmp_path).days("sirens") == (date(2026, 3, 18),)


def test_two_at_once_are_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """The second says so at once, and writes nothing."""
    with workspace(tmp_path, ".archive-"), pytest.raises(BackupError, match="another run writes there now"):
        sirens(healthy, tmp_path)
    sirens(healthy, tmp_path)
    assert open_archive(tmp_path).days("sirens") == (DAY,)


def damaged(folder: Path, how: str) -> None:
    """Damage the file or the manifest of one day."""
    day = folder / "sirens" / f"day={DAY}"
    file = day / ("manifest.json" if how == "torn manifest" else "rows.parquet")
    if how == "lost":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("lost", "its rows.parquet is not there"),
        ("truncated", "its rows.parquet is not what was written: its SHA-256 differs"),
        ("torn manifest", "half-written: it has no sound manifest.json"),
    ],
)
def test_damaged_day_is_missing_until_it_is_repaired(
    healthy: DemoDatabase, tmp_path: Path, how: str, said: str
) -> None:
    """It is named, the days around it stand, and the next run writes it again, although it was the first."""
    launch, _ = sirens(healthy, tmp_path, DAY, date(2026, 3, 21))
    damaged(tmp_path, how)
    archive = open_archive(tmp_path)
    assert (archive.days("sirens"), archive.problems) == ((date(2026, 3, 21),), (f"sirens of 2026-03-20: {said}",))
    done = archive_days(launch, tmp_path, Asked(until=date(2026, 3, 21), sources=("sirens",)))
    assert (done.written, done.there, open_archive(tmp_path).problems) == (1, 1, ())


def test_lost_file_is_not_replaced_by_fewer_rows(clone: Clone, tmp_path: Path) -> None:
    """What the app has deleted meanwhile cannot come back, and an emptier day must not take its place."""
    demo = clone()
    launch, _ = sirens(demo, tmp_path)
    damaged(tmp_path, "lost")
    change(demo, "delete from emergency_calls")
    done = archive_days(launch, tmp_path, Asked(DAY, DAY, ("sirens",)))
    assert "its file is lost or changed, and the database has 0 rows, not " in done.failures[0]
    assert open_archive(tmp_path).days("sirens") == ()
    with pytest.raises(ArchiveError, match="there is no whole day of sirens"):
        _ = open_archive(tmp_path).until


def test_source_that_cannot_be_read_stops_no_other(clone: Clone, tmp_path: Path) -> None:
    """It is named with its reason, and what all cover ends there."""
    demo = clone()
    change(demo, "drop table emergency_calls")
    done = archive_days(opened(demo), tmp_path, Asked())
    assert [failure.partition(":")[0] for failure in done.failures] == ["sirens", "sirens of 2026-03-17"]
    assert "table missing" in done.failures[0]
    assert open_archive(tmp_path).sources == tuple(name for name in USUAL if name != "sirens")


def test_other_columns_than_before_are_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Days of two shapes would be read as one; the columns are named, and what is there stands."""
    launch, _ = sirens(healthy, tmp_path)
    body = "select requested_at as at, status from emergency_calls"
    other = with_source(launch, body, (("at", "timestamptz"), ("status", "text")))
    done = archive_days(other, tmp_path, Asked(DAY, date(2026, 3, 21), ("sirens",)))
    assert "other columns than the archive: answered_at timestamptz, canary boolean, status text" in done.failures[0]
    assert changed_days(other, open_archive(tmp_path), Asked())[1][0].startswith(
        "sirens of 2026-03-20: queries/sources"
    )
    assert open_archive(tmp_path).days("sirens") == (DAY,)


def test_days_of_two_shapes_are_named(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A manifest with other columns, from elsewhere, is no part of the archive."""
    sirens(healthy, tmp_path, DAY, date(2026, 3, 21))
    path = tmp_path / "sirens" / f"day={DAY}" / "manifest.json"
    path.write_text(path.read_text().replace('"canary"', '"group"'))
    archive = open_archive(tmp_path)
    assert archive.days("sirens") == (date(2026, 3, 21),)
    assert archive.problems == (
        "sirens of 2026-03-20: other columns than the newest day: canary boolean, group boolean",
    )


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("sirens/day=2026-03-21", "its manifest.json is that of sirens of 2026-03-21"),
        ("calls/day=2026-03-20", "its manifest.json is that of calls of 2026-03-20"),
    ],
)
def test_day_that_lies_in_anothers_place_is_missing(
    healthy: DemoDatabase, tmp_path: Path, theirs: str, said: str
) -> None:
    """Its rows would be judged for those of that day, and those of its own counted twice."""
    archive_days(opened(healthy), tmp_path, Asked(DAY, DAY + timedelta(days=1), ("sirens", "calls")))
    shutil.copytree(tmp_path / theirs, tmp_path / "sirens/day=2026-03-20", dirs_exist_ok=True)
    archive = open_archive(tmp_path)
    assert (archive.days("sirens"), archive.problems) == ((date(2026, 3, 21),), (f"sirens of 2026-03-20: {said}",))


def test_day_of_another_database_is_missing(healthy: DemoDatabase, clone: Clone, tmp_path: Path) -> None:
    """Whoever mixes two archives judges rows of two launches."""
    demo = clone()
    for each in (healthy, demo):
        (tmp_path / each.name).mkdir()
        sirens(each, tmp_path / each.name)
    shutil.copytree(tmp_path / demo.name / "sirens", tmp_path / healthy.name / "sirens", dirs_exist_ok=True)
    archive = open_archive(tmp_path / healthy.name)
    assert archive.days("sirens") == ()
    assert f"on {demo.name} on " in archive.problems[0]


def test_manifest_that_contradicts_itself_is_missing(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Somebody changed it."""
    sirens(healthy, tmp_path)
    path = tmp_path / "sirens" / f"day={DAY}" / "manifest.json"
    path.write_text(path.read_text().replace('"rows": ', '"rows": 1', 1))
    assert open_archive(tmp_path).problems == ("sirens of 2026-03-20: its manifest.json contradicts itself",)


@pytest.mark.parametrize(("gone", "missing"), [("2026-03-21", 1), ("2026-03-22", 1), ("2026-03-20", 0)])
def test_day_that_is_gone_is_no_check_passed(healthy: DemoDatabase, tmp_path: Path, gone: str, missing: int) -> None:
    """In the middle or at the end, where other sources go on; an archive may begin when it likes."""
    launch = opened(healthy)
    archive_days(launch, tmp_path, Asked(DAY, DAY + timedelta(days=2), ("sirens", "calls")))
    assert changed_days(launch, open_archive(tmp_path), Asked()) == (6, [])
    shutil.rmtree(tmp_path / "sirens" / f"day={gone}")
    assert changed_days(launch, open_archive(tmp_path), Asked()) == (5, [f"sirens of {gone}: missing"] * missing)


def test_another_s_archive_is_refused(healthy: DemoDatabase, clone: Clone, tmp_path: Path) -> None:
    """Days of two databases, launches or zones would be counted as one."""
    launch, _ = sirens(healthy, tmp_path)
    before = names(tmp_path)
    others = [
        opened(clone()),
        Launch(replace(launch.plan, name="another"), launch.queries, launch.database),
        Launch(replace(launch.plan, timezone="UTC"), launch.queries, launch.database),
    ]
    for other in others:
        with pytest.raises(ArchiveError, match="is the archive of 'SAMIA TAROT"):
            archive_days(other, tmp_path, Asked())
        with pytest.raises(ArchiveError, match="is the archive of 'SAMIA TAROT"):
            changed_days(other, open_archive(tmp_path), Asked())
    assert names(tmp_path) == before


def test_folder_with_other_things_is_left_alone(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A slip in the folder's name fills no other folder, and a file in the way is said."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArchiveError, match=r"is no archive and not empty, for it has 'notes\.txt'"):
        sirens(healthy, tmp_path)
    with pytest.raises(ArchiveError, match="no more can be archived there"):
        sirens(healthy, tmp_path / "notes.txt")
    with pytest.raises(ArchiveError, match=r"is no archive, for there is no archive\.json"):
        open_archive(tmp_path)
    assert names(tmp_path) == ["notes.txt"]


FULL = """
import resource, sys
from golive_lib import GoliveError, open_launch
from golive_lib.archiving import Asked, archive_days
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    archive_days(open_launch(sys.argv[1]), Path(sys.argv[2]), Asked(sources=("api_requests",)))
except GoliveError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("limit", [0, 600, 10_000])
def test_full_disk_leaves_no_half_day(healthy: DemoDatabase, tmp_path: Path, limit: int) -> None:
    """Wherever the room ends there is one clear error, and no day that is not whole."""
    command = [sys.executable, "-c", FULL, healthy.url, str(tmp_path), str(limit)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (run.returncode, "no more can be archived there" in run.stderr) == (1, True), run.stderr
    assert [name for name in names(tmp_path) if not name.endswith("archive.json")] == []


def test_slip_in_an_instant_does_not_make_years_of_days(clone: Clone, tmp_path: Path) -> None:
    """A row of 1970 asks for a first day rather than for twenty thousand empty ones; with one it is no matter."""
    demo = clone()
    change(demo, ONE_SIREN.replace("2026-03-20", "1970-01-01"))
    with pytest.raises(UsageError, match=r"the first row is of 1970-01-01, which makes 20,537 days; name .* --since"):
        archive_days(opened(demo), tmp_path, Asked(sources=("sirens",)))
    assert archive_days(opened(demo), tmp_path, Asked(DAY, sources=("sirens",))).written == 3


@pytest.mark.parametrize(
    ("source", "why"), [("cards", "its rows belong to no day; there are ai_drafts,"), ("siren", "is none; there are")]
)
def test_source_without_days_is_refused(healthy: DemoDatabase, tmp_path: Path, source: str, why: str) -> None:
    """A state is not archived, and a slip is said with what there is."""
    with pytest.raises(UsageError, match=f"source '{source}' .*{why}"):
        archive_days(opened(healthy), tmp_path, Asked(sources=(source,)))


def test_archive_without_a_day_covers_nothing(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Before the first day closes nobody can say from when to when."""
    sirens(healthy, tmp_path, date(2026, 3, 24))
    with pytest.raises(ArchiveError, match="no day has been archived yet"):
        _ = open_archive(tmp_path).first


def test_manifest_says_what_was_proven(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Others read it: rows, digest, columns with their types, the figures, and when it was closed."""
    sirens(healthy, tmp_path)
    manifest = json.loads((tmp_path / "sirens" / f"day={DAY}" / "manifest.json").read_text())
    proven = ["rows", "sha256", "columns", "checks", "closed_at", "made_by", "earlier"]
    assert list(manifest) == ["owner", "source", "day", *proven]
    assert (manifest["source"], manifest["day"]) == ("sirens", DAY.isoformat())
    assert manifest["columns"] == [["at", "timestamptz"], ["canary", "boolean"], ["answered_at", "timestamptz"]]
    assert manifest["checks"]["rows"] == manifest["rows"] > 0
    assert json.loads((tmp_path / "archive.json").read_text())["format"] == 1


def test_command_says_what_it_did(clone: Clone, tmp_path: Path) -> None:
    """Go, wrong usage, a day not closed, a late row, a damaged file: each has its words and its exit code."""
    demo = clone()
    asked = ("there", "--source", "sirens", "--source", "security_events", "--since", "2026-03-20")
    first = golive(tmp_path, demo, *asked)
    assert (first.returncode, first.stderr.strip()) == (0, "")
    assert "6 days of sources written" in first.stdout
    assert (
        "not closed yet, and not archived: 2026-03-23 to 2026-03-25; a day closes 2\N{NO-BREAK SPACE}d" in first.stdout
    )
    assert "there: 2 sources from 2026-03-20 to 2026-03-22" in first.stdout
    same = golive(tmp_path, demo, "there", "--check")
    assert (same.returncode, "of 6 archived days of sources the database says the same" in same.stdout) == (0, True)
    assert golive(tmp_path, demo, *asked, "--until", "2026-03-23").returncode == 3
    assert golive(tmp_path, demo, *asked, "--until", "2026-03-19").returncode == 2
    assert golive(tmp_path, demo, "there", "--since", "yesterday").returncode == 2
    assert golive(tmp_path, demo, "nowhere", "--check").returncode == 1
    change(demo, ONE_SIREN)
    late = golive(tmp_path, demo, "there", "--check")
    assert (late.returncode, "✕ sirens of 2026-03-20: " in late.stdout) == (3, True)
    damaged(tmp_path / "there", "truncated")
    broken = golive(tmp_path, demo, "there", "--source", "sirens")
    assert (broken.returncode, "its file is lost or changed" in broken.stdout) == (1, True)
    assert golive(tmp_path, demo, "there", "--check").returncode == 3


def test_no_address_is_printed(clone: Clone, tmp_path: Path) -> None:
    """What the rows hold stays in their files."""
    demo = clone()
    change(demo, "update security_audit_logs set client_ip = '198.51.100.77'")
    done = golive(tmp_path, demo, "there", "--source", "security_events")
    change(demo, "update security_audit_logs set client_ip = '198.51.100.78'")
    again = golive(tmp_path, demo, "there", "--check")
    assert (done.returncode, again.returncode, "other values in client_ip" in again.stdout) == (0, 3, True)
    assert "198.51" not in done.stdout + done.stderr + again.stdout + again.stderr
    manifests = (path.read_text() for path in tmp_path.rglob("*.json"))
    assert not any("198.51" in text for text in manifests)


def test_archive_has_what_the_due_event_reads(healthy: DemoDatabase, whole: Path) -> None:
    """On each day up to the archive's end, and the week before it, the audio that was ready then is in the files."""
    launch, archive = opened(healthy), open_archive(whole)
    for day in archive.days("zodiac_audio"):
        live = launch.frame("canary/zodiac", day=day.isoformat())
        window = f"day > '{day}'::date - 8 and day <= '{day}'"
        kept = read(archive, "zodiac_audio", f"select sign, epoch_us(ready_at) from zodiac_audio where {window}")
        known = [
            (sign, round(ready.timestamp() * 1_000_000))
            for sign, ready in zip(live["sign"], live["ready_at"], strict=True)
        ]
        assert sorted(kept) == sorted(known) != []


def test_strange_folders_are_no_sources(healthy: DemoDatabase, tmp_path: Path) -> None:
    """What somebody put beside the sources is passed over; what pretends to be a day is said."""
    sirens(healthy, tmp_path)
    (tmp_path / "notes").mkdir()
    assert open_archive(tmp_path).sources == ("sirens",)
    (tmp_path / "sirens" / "day=2026-13-45").mkdir()
    with pytest.raises(ArchiveError, match="day=2026-13-45: is no day of the archive"):
        open_archive(tmp_path)


def test_texts_of_any_lines_and_length_come_back(clone: Clone, tmp_path: Path) -> None:
    """Whatever ends a line in a text, and a text of megabytes, is a value like another."""
    demo = clone()
    change(
        demo,
        "delete from api_logs where created_at < '2026-03-20' or created_at >= '2026-03-21'",
        "update api_logs set path = (array[E'/a\\r', E'/b\\r\\nc', E'\\n', '', '\"', repeat('x', 3000000)])[n]"
        " from (select id as i, row_number() over (order by created_at, id) as n from api_logs) o"
        " where i = id and n < 7",
    )
    launch = opened(demo)
    assert archive_days(launch, tmp_path, Asked(DAY, DAY, ("api_requests",))).failures == []
    kept = read(open_archive(tmp_path), "api_requests", 'select path from api_requests order by "at" limit 6')
    assert sorted(len(str(path)) for (path,) in kept) == [0, 1, 1, 3, 5, 3_000_000]


def test_rows_made_by_another_sql_are_not_mixed(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A source whose SQL changed means something else: neither are its new days added, nor its old ones judged."""
    launch, _ = sirens(healthy, tmp_path)
    source = launch.queries["sources/sirens"]
    changed = with_source(launch, f"select * from ({source.body}) s", source.columns)
    done = archive_days(changed, tmp_path, Asked(DAY, DAY + timedelta(days=1), ("sirens",)))
    said = f"the archive's days were made by another {source.path}; archive them anew, into another folder"
    assert (done.failures, done.there) == ([f"sirens of 2026-03-20: {said}"], 0)
    assert changed_days(changed, open_archive(tmp_path), Asked()) == (1, [f"sirens of 2026-03-20: {said}"])
    asked = compose(launch.queries["canary/sirens"], archived(changed.queries))
    words = "the archive's sirens of 2026-03-20 was made by another sources/sirens.sql; archive it anew"
    lacks = lacking(open_archive(tmp_path), asked, {"as_of": "2026-03-20T20:00:00Z"})
    assert lacks == f"{words}, into another folder"


def test_days_that_were_never_archived_are_missing_where_they_are_compared_with(
    healthy: DemoDatabase, tmp_path: Path
) -> None:
    """An archive begun later than its rows lacks the days before; one that has the first row lacks none."""
    launch, _ = sirens(healthy, tmp_path)
    asked = series.earlier_days(launch.queries["canary/sirens"], archived(launch.queries), ["late"], indexed=False)
    span: dict[str, Value] = {
        "golive_since": "2026-03-20T08:00:00Z",
        "golive_until": "2026-03-20T20:00:00Z",
        "golive_days": 2,
    }
    assert lacking(open_archive(tmp_path), asked, span) == "the archive lacks sirens of 2026-03-19"
    first = launch.frame("canary/sirens")["at"].min().date()
    whole = tmp_path / "whole"
    whole.mkdir()
    archive_days(launch, whole, Asked(None, DAY, ("sirens",)))
    assert first > DAY - timedelta(days=9)
    assert lacking(open_archive(whole), asked, {**span, "golive_days": 9}) == ""


def test_archive_of_another_launch_is_not_judged(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Another plan's name would stand over these rows."""
    sirens(healthy, tmp_path / "kept")
    plan = tmp_path / "launch.toml"
    (tmp_path / "queries").mkdir()
    plan.write_text((ROOT / "launch.toml").read_text().replace('name = "SAMIA TAROT', 'name = "OTHER'))
    with pytest.raises(DatabaseError, match="the archive is of 'SAMIA TAROT"):
        open_launch(f"duckdb:{tmp_path / 'kept'}", plan=plan).frame("canary/sirens")
