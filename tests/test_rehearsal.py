"""The rehearsal of a restore: what comes back is counted, what does not is named, and nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from plant import change
from test_backup import back_up, golive, opened, planned

from golive_lib.demo.scratch import scratch_server
from golive_lib.dump import take_backup
from golive_lib.errors import BackupError, DatabaseError, SettingsError
from golive_lib.manifest import Extension, Manifest, Rows, digest
from golive_lib.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.launch import Launch
    from golive_lib.manifest import Rehearsal


def again(launch: Launch, manifest: Manifest, folder: Path) -> Manifest:
    """Rehearse in silence."""
    return rehearse(launch, manifest, folder, lambda _: None)


def came_back(manifest: Manifest) -> Rehearsal:
    """Return what a rehearsed manifest says was restored."""
    assert manifest.rehearsal is not None
    return manifest.rehearsal


@pytest.fixture(scope="module")
def dumped(healthy: DemoDatabase, tmp_path_factory: pytest.TempPathFactory) -> tuple[Launch, Manifest, Path]:
    """Take one backup for several rehearsals, which change nothing but its manifest."""
    folder = tmp_path_factory.mktemp("dumped")
    launch = opened(healthy.url)
    return launch, back_up(launch, folder), folder


def test_everything_comes_back(dumped: tuple[Launch, Manifest, Path]) -> None:
    """The same rows in each table and as many policies, keys and functions, without an error; it is written down."""
    launch, manifest, folder = dumped
    rehearsed = again(launch, manifest, folder)
    assert {name: table.rows for name, table in manifest.tables.items()} == came_back(rehearsed).tables
    assert (rehearsed.lost, rehearsed.differing, came_back(rehearsed).error_count) == ((), (), 0)
    written = json.loads((folder / manifest.file).with_suffix(".json").read_text())
    assert written["rehearsal"]["objects"]["policies"] == manifest.objects["policies"] > 0


def test_planted_mismatch_is_found(dumped: tuple[Launch, Manifest, Path]) -> None:
    """A table with another count, and one that no dump holds, are named; the others are not."""
    launch, manifest, folder = dumped
    planted = {**manifest.tables, "public.decks": Rows(3, exact=True), "public.ghosts": Rows(1, exact=True)}
    rehearsed = again(launch, replace(manifest, tables=planted), folder)
    assert rehearsed.lost == ("public.decks has 4 of 3 rows", "public.ghosts is missing")


def test_rows_written_during_the_dump_are_in_neither(clone: Callable[[], DemoDatabase], tmp_path: Path) -> None:
    """Counts and dump come from one snapshot, whatever is written meanwhile."""
    demo = clone()
    launch = opened(demo.url)
    written: list[str] = []

    def write(progress: object) -> None:
        if not written:
            written.append(str(progress))
            change(demo, "delete from tarot_v2_card_selections", "insert into decks select * from decks limit 0")

    manifest = take_backup(launch, tmp_path, write)
    rehearsed = again(launch, manifest, tmp_path)
    assert (rehearsed.lost, bool(manifest.tables["public.tarot_v2_card_selections"].rows)) == ((), True)


def test_changed_dump_is_not_restored(dumped: tuple[Launch, Manifest, Path], tmp_path: Path) -> None:
    """The digest is checked before anything is restored."""
    launch, manifest, folder = dumped
    data = bytearray((folder / manifest.file).read_bytes())
    data[-1] ^= 1
    (tmp_path / manifest.file).write_bytes(data)
    with pytest.raises(BackupError, match="its SHA-256 differs"):
        again(launch, manifest, tmp_path)


def test_dump_that_was_damaged_before_its_digest_is_found(
    dumped: tuple[Launch, Manifest, Path], tmp_path: Path
) -> None:
    """A dump whose table of contents reads, and whose data does not, loses rows in the rehearsal."""
    launch, manifest, folder = dumped
    torn = tmp_path / manifest.file
    torn.write_bytes((folder / manifest.file).read_bytes()[: manifest.bytes // 2])
    believed = replace(manifest, bytes=torn.stat().st_size, sha256=digest(torn))
    rehearsed = again(launch, believed, tmp_path)
    assert rehearsed.lost
    assert came_back(rehearsed).error_count


def test_extension_that_can_be_had_is_brought_first(
    clone: Callable[[], DemoDatabase], demo_server: DemoServer, tmp_path: Path
) -> None:
    """A column of an extension's type comes back, and the extension is named as what a restore needs."""
    demo = clone()
    with demo_server.connect(demo.name) as admin:
        admin.execute("create schema extensions; create extension vector with schema extensions")
        admin.execute("create table embeddings (card int, seen extensions.vector(2)); ")
        admin.execute("insert into embeddings values (1, '[1,2]')")
    manifest = back_up(opened(demo.url), tmp_path)
    rehearsed = again(opened(demo.url), manifest, tmp_path)
    assert manifest.extensions == (Extension("vector", "extensions"),)
    assert (rehearsed.lost, came_back(rehearsed).lacking) == ((), ())


@pytest.fixture
def older(debian_server: DemoServer) -> Iterator[str]:
    """Make a small database on Debian's server that needs an extension the embedded one lacks."""
    debian_server.create_database("shop")
    with debian_server.connect("shop") as admin:
        admin.execute("create role till; create extension hstore; create table labels (name text, more hstore)")
        admin.execute("insert into labels values ('a', 'b=>c'); create table coins (cents int)")
        admin.execute("insert into coins values (1), (5); alter table coins enable row level security")
        admin.execute("create policy all_coins on coins to till using (true); grant select on coins to till")
    yield debian_server.url("shop")
    debian_server.drop_database("shop")
    with debian_server.connect() as admin:
        admin.execute("drop role till")


def test_extension_that_is_lacking_loses_its_table_alone(older: str, tmp_path: Path) -> None:
    """The table is named with the extension; the others, and the policy of a role nobody has there, come back."""
    launch = opened(older)
    rehearsed = again(launch, back_up(launch, tmp_path), tmp_path)
    assert rehearsed.lost == ("public.labels is missing",)
    assert came_back(rehearsed).lacking == ("hstore",)
    assert came_back(rehearsed).objects["policies"] == 1


def test_own_scratch_server_is_left_as_it_was(older: str, demo_server: DemoServer, tmp_path: Path) -> None:
    """The rehearsal's database and the roles it stood in for are gone afterwards."""
    launch = opened(older, GOLIVE_SCRATCH_DB_URL=demo_server.url("postgres", "postgres"))
    rehearsed = again(launch, back_up(launch, tmp_path), tmp_path)
    with demo_server.connect() as admin:
        databases = admin.execute("select from pg_database where datname like 'golive_rehearsal%'").fetchall()
        roles = admin.execute("select from pg_roles where rolname = 'till'").fetchall()
    assert came_back(rehearsed).tables == {"public.coins": 2}
    assert (databases, roles) == ([], [])


def test_own_scratch_server_may_be_older_than_pg_restore(
    dumped: tuple[Launch, Manifest, Path], debian_server: DemoServer
) -> None:
    """All rows come back on PostgreSQL 15 as well; what it does not know is said."""
    launch, manifest, folder = dumped
    scratch = opened(launch.postgres.url.environment(), GOLIVE_SCRATCH_DB_URL=debian_server.url("postgres", "postgres"))
    assert again(scratch, manifest, folder).lost == ()


def test_source_is_never_the_scratch_server(dumped: tuple[Launch, Manifest, Path], demo_server: DemoServer) -> None:
    """Another database and another role of the server that was dumped are refused before anything is made."""
    launch, manifest, folder = dumped
    url = demo_server.url("postgres", "postgres")
    with pytest.raises(BackupError, match="never rehearsed there"):
        again(opened(launch.postgres.url.environment(), GOLIVE_SCRATCH_DB_URL=url), manifest, folder)


def test_peoples_data_in_an_error_is_masked(clone: Callable[[], DemoDatabase], tmp_path: Path) -> None:
    """A row that its own table refuses on the way back is an error without the row."""
    demo = clone()
    change(
        demo,
        "create function ok(mail text) returns bool language plpgsql as "
        "$$ begin if current_database() not like 'clone%' then raise 'refused %', mail; end if; return true; end $$",
        "create table aaa_mails (mail text check (ok(mail)))",
        "insert into aaa_mails values ('somebody@example.com')",
    )
    manifest = back_up(opened(demo.url), tmp_path)
    rehearsed = again(opened(demo.url), manifest, tmp_path)
    assert rehearsed.lost == ("public.aaa_mails has 0 of 1 rows",)
    assert "refused s\N{HORIZONTAL ELLIPSIS}@example.com" in came_back(rehearsed).errors[0]
    assert "somebody" not in (tmp_path / manifest.file).with_suffix(".json").read_text()


def test_estimated_tables_are_restored_too(healthy: DemoDatabase, tmp_path: Path) -> None:
    """What was not counted before is counted after."""
    plan = planned(tmp_path, "exact_below = 10_000_000", "exact_below = 10000")
    launch = opened(healthy.url, plan)
    rehearsed = again(launch, back_up(launch, tmp_path / "backups"), tmp_path / "backups")
    assert ("public.api_logs" in rehearsed.estimated, rehearsed.lost) == (True, ())
    assert came_back(rehearsed).tables["public.api_logs"]


@pytest.fixture
def short() -> Iterator[Path]:
    """Give a temporary folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


def _server(folder: Path, process: subprocess.Popen[str]) -> psutil.Process:
    """Wait for the scratch server of a folder to be at work."""
    while process.poll() is None:
        for file in folder.glob("golive-scratch-*/pg/postmaster.pid"):
            lines = file.read_text().splitlines()
            if lines and lines[-1].strip() == "ready":
                return psutil.Process(int(lines[0]))
        os.sched_yield()
    pytest.fail(f"it ended before: {process.communicate()}")


def test_stopped_rehearsal_leaves_no_server(healthy: DemoDatabase, tmp_path: Path, short: Path) -> None:
    """The scratch server and its folder are gone; the dump is kept, and not called rehearsed."""
    with golive(tmp_path / "backups", healthy.url, rehearsed=True, TMPDIR=str(short)) as process:
        server = _server(short, process)
        process.send_signal(signal.SIGINT)
        process.communicate()
        ended, _ = psutil.wait_procs([server], timeout=30)
    manifest = next((tmp_path / "backups").glob("*.json"))
    assert (process.returncode, ended, list(short.iterdir())) == (1, [server], [])
    assert json.loads(manifest.read_text())["rehearsal"] is None


def _restoring(folder: Path, process: subprocess.Popen[str]) -> psutil.Process:
    """Wait until pg_restore is at work, and return the scratch server."""
    server = _server(folder, process)
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):  # any of them may end meanwhile
            if any(each.name() == "pg_restore" for each in psutil.Process(process.pid).children(recursive=True)):
                return server
        os.sched_yield()
    pytest.fail(f"it ended before: {process.communicate()}")


@pytest.mark.parametrize("presses", [1, 2, 5])
def test_restore_that_is_interrupted_leaves_no_copy(
    healthy: DemoDatabase, tmp_path: Path, short: Path, presses: int
) -> None:
    """Ctrl-C in a terminal reaches every program at once, and again while they clean up; no row stays behind."""
    with golive(tmp_path / "backups", healthy.url, rehearsed=True, TMPDIR=str(short)) as process:
        server = _restoring(short, process)
        os.killpg(process.pid, signal.SIGINT)
        for _ in range(presses - 1):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        process.communicate()
        ended, _ = psutil.wait_procs([server], timeout=30)
    assert process.returncode
    assert (ended, list(short.iterdir())) == ([server], [])


def test_server_of_a_killed_rehearsal_is_swept(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a SIGKILL left running, with people's data in it, is gone at the next rehearsal."""
    script = "from golive_lib.demo.scratch import scratch_server as s\nwith s() as _: input()"
    env = {**os.environ, "TMPDIR": str(short)}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdin=subprocess.PIPE, text=True) as killed:
        server = _server(short, killed)
        killed.kill()
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    with scratch_server():
        pass
    ended, _ = psutil.wait_procs([server], timeout=30)
    assert (ended, list(short.iterdir())) == ([server], [])


def test_copy_that_was_half_removed_is_swept(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a folder goes, though its marks are gone; one that was made just now is somebody's."""
    left, new = short / "golive-scratch-left", short / "golive-scratch-new"
    (left / "pg" / "base").mkdir(parents=True)
    new.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    with scratch_server():
        assert not left.exists()
    assert list(short.iterdir()) == [new]


def test_folder_that_cannot_be_removed_is_named(
    short: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody has to delete it by hand, so it must be known."""
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with scratch_server():
        pass
    monkeypatch.undo()
    (left,) = short.iterdir()
    assert capsys.readouterr().err.startswith(f"{left} could not be removed")


def test_full_disk_is_said(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither initdb's words nor a socket that is gone, but TMPDIR: before the server starts, and when it ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    monkeypatch.setattr("golive_lib.demo.scratch.ROOM", 10**18)
    with (
        pytest.raises(SettingsError, match=r"is too small for a rehearsal \(.* MB are free\): let TMPDIR name"),
        scratch_server(),
    ):
        pass
    monkeypatch.setattr("golive_lib.demo.scratch.ROOM", 0)
    with pytest.raises(SettingsError, match="is full: the rehearsal's server could not go on"), scratch_server():  # noqa: PT012  what happens inside is the case
        monkeypatch.setattr("golive_lib.demo.scratch.ROOM", 10**18)
        raise DatabaseError("No such file or directory")
    monkeypatch.setattr("golive_lib.demo.scratch.ROOM", 0)
    with pytest.raises(DatabaseError, match="No such file"), scratch_server():
        raise DatabaseError("No such file or directory")
    assert list(short.iterdir()) == []


def test_command_ends_red_when_rows_are_lost(older: str, tmp_path: Path) -> None:
    """A rehearsal that fails is exit 4, with the table and the extension it needs."""
    with golive(tmp_path / "backups", older, rehearsed=True) as process:
        said, _ = process.communicate()
    assert process.returncode == 4
    assert "public.labels is missing" in said
    assert "lacks hstore" in said


def test_command_is_green_when_all_is_back(healthy: DemoDatabase, tmp_path: Path) -> None:
    """``golive backup`` exits with 0 and says what came back and what a restore needs besides."""
    with golive(tmp_path / "backups", healthy.url, rehearsed=True) as process:
        said, _ = process.communicate()
    assert process.returncode == 0
    assert "21 tables and" in said
    assert "roles anon, authenticated, postgres, service_role" in " ".join(said.split())
