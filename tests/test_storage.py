"""The storage snapshot on a real PostgreSQL: taken whole or not at all, and what readiness makes of it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import duckdb
import pytest
from plant import change, opened

from golive_lib.clock import Clock
from golive_lib.errors import BackupError, QueryFailed
from golive_lib.launch import Launch, open_launch
from golive_lib.plan_readiness import StorageRules
from golive_lib.query import compose
from golive_lib.storage import prove_storage, take_storage
from golive_lib.storage_manifest import SHOWN, difference, stored
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.proof import Point, Proof
    from golive_lib.storage_manifest import StorageManifest

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
FILES = "files that tables point to"
SINCE = "since the manifest of 26 Mar 2026, 00:00 Beirut"
ANY_RECORDING: LiteralString = "id = (select min(id::text)::uuid from storage.objects where bucket_id = 'recordings')"


def prove(launch: Launch, folder: Path, *, later: timedelta = timedelta()) -> Proof:
    """Prove the item, at the demo's clock or some time from it."""
    with launch.postgres.snapshot() as snapshot:
        snapshot.clock = Clock(snapshot.clock.now + later, snapshot.clock.fixed)
        return prove_storage(launch, snapshot, folder)


def of(proof: Proof, what: str) -> Point:
    """Return one point."""
    return next(point for point in proof.points if point.what == what)


def open_points(proof: Proof) -> list[tuple[str, Status]]:
    """Name the points that are not green."""
    return [(point.what, point.status) for point in proof.points if point.status is not Status.GREEN]


def names(folder: Path) -> list[str]:
    """Name everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


def digests(manifest: StorageManifest) -> dict[str, str]:
    """Return each bucket's digest."""
    return {bucket.bucket: bucket.digest for bucket in manifest.buckets}


def test_snapshot_is_a_manifest_and_a_list(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Buckets, sums and every object are written down, for the owner's eyes only; nothing else stays."""
    folder, told = tmp_path / "backups", list[str]()
    manifest = take_storage(opened(healthy), folder, told.append)
    assert names(folder) == [f"{manifest.name}.json", f"{manifest.name}.parquet"]
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())] == ["0o700", "0o600", "0o600"]
    assert manifest.name == f"storage-{healthy.name}-20260325T220000Z"
    listed = {"file": str(folder / f"{manifest.name}.parquet")}
    with duckdb.connect() as connection:
        sql = "select count(*), sum(bytes), count(distinct name) from read_parquet($file)"
        row = connection.execute(sql, listed).fetchone()
    assert row == (manifest.objects, manifest.bytes, manifest.objects)
    assert {bucket.bucket for bucket in manifest.buckets} == {"deck-cards", "recordings", "zodiac"}
    assert told[-2] == f"{manifest.objects:,} of {manifest.objects:,} objects"
    written = json.loads((folder / f"{manifest.name}.json").read_text())
    assert (written["schema_version"], written["missing"], written["objects"]) == (1, 0, manifest.objects)


def test_fresh_snapshot_is_green(healthy: DemoDatabase, tmp_path: Path) -> None:
    """With a manifest, its list, and every file where a table says it is, the item is proven."""
    launch = opened(healthy)
    take_storage(launch, tmp_path)
    proof = prove(launch, tmp_path)
    assert open_points(proof) == []
    assert "just taken" in proof.reason
    assert proof.tables["Files that tables point to"]["missing"].sum() == 0


def test_later_snapshots_take_names_of_their_own(healthy: DemoDatabase, tmp_path: Path) -> None:
    """At one pinned instant nothing is overwritten, and the eleventh is the newest of all."""
    launch = opened(healthy)
    taken = [take_storage(launch, tmp_path) for _ in range(11)]
    assert len(names(tmp_path)) == 22
    manifests, unreadable = stored(tmp_path, launch.postgres.url.identity)
    assert [each.name for each in manifests] == [each.name for each in reversed(taken)]
    assert unreadable == []


def test_age_is_judged_at_the_clock(healthy: DemoDatabase, tmp_path: Path) -> None:
    """24 hours are allowed, a minute more is red, and a manifest from the future says nothing."""
    launch = opened(healthy)
    take_storage(launch, tmp_path)
    assert of(prove(launch, tmp_path, later=timedelta(hours=24)), "manifest").status is Status.GREEN
    late = of(prove(launch, tmp_path, later=timedelta(hours=24, minutes=1)), "manifest")
    assert (late.status, late.fix) == (Status.RED, "run 'golive storage'")
    assert of(prove(launch, tmp_path, later=timedelta(minutes=-1)), "manifest").status is Status.UNKNOWN


@pytest.mark.parametrize("folder", ["here", "not/there"])
def test_no_snapshot_is_red(healthy: DemoDatabase, tmp_path: Path, folder: str) -> None:
    """Without a manifest, or even a folder, the next step is named."""
    (tmp_path / "here").mkdir()
    point = of(prove(opened(healthy), tmp_path / folder), "manifest")
    assert (point.status, point.fix) == (Status.RED, "run 'golive storage'")


def test_snapshot_of_another_database_does_not_count(healthy: DemoDatabase, clone: Clone, tmp_path: Path) -> None:
    """Manifests are filed under the database they describe."""
    take_storage(opened(clone()), tmp_path)
    assert of(prove(opened(healthy), tmp_path), "manifest").detail == "there is none of this database"


def test_same_database_under_another_role_counts(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Whoever is connected, it is the same storage."""
    take_storage(open_launch(healthy.admin_url, plan=ROOT / "launch.toml"), tmp_path)
    assert open_points(prove(opened(healthy), tmp_path)) == []


TORN: dict[str, Callable[[str], str]] = {
    "half": lambda text: text[: len(text) // 2],
    "empty": lambda _: "",
    "foreign": lambda _: '{"a": 1}',
}


@pytest.mark.parametrize("kind", TORN)
def test_torn_manifest_is_said(healthy: DemoDatabase, tmp_path: Path, kind: str) -> None:
    """A file that is no manifest is named, and the sound one beside it still counts."""
    launch = opened(healthy)
    manifest = take_storage(launch, tmp_path)
    (tmp_path / "storage-torn.json").write_text(TORN[kind]((tmp_path / f"{manifest.name}.json").read_text()))
    proof = prove(launch, tmp_path)
    assert open_points(proof) == [("other manifests", Status.AMBER)]
    assert of(proof, "other manifests").detail == "storage-torn.json cannot be read"


def test_only_a_torn_manifest_is_none(healthy: DemoDatabase, tmp_path: Path) -> None:
    """What cannot be read proves nothing."""
    (tmp_path / "storage-torn.json").write_text("{")
    assert ("manifest", Status.RED) in open_points(prove(opened(healthy), tmp_path))


def test_list_that_is_gone_or_altered_is_red(healthy: DemoDatabase, tmp_path: Path) -> None:
    """The list must be there as it was written."""
    launch = opened(healthy)
    path = tmp_path / f"{take_storage(launch, tmp_path).name}.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert "SHA-256 differs" in of(prove(launch, tmp_path), "list of objects").detail
    path.unlink()
    proof = prove(launch, tmp_path)
    assert open_points(proof) == [("list of objects", Status.RED)]
    assert of(proof, "list of objects").detail == "is not there"


def test_too_many_objects_are_counted_and_not_listed(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Past the plan's limit buckets are still counted, and that the list is left out is said."""
    launch = opened(healthy)
    plan = replace(launch.plan, storage=StorageRules(most_objects=100))
    small = Launch(plan, launch.queries, launch.database)
    manifests = [take_storage(small, tmp_path) for _ in range(2)]
    assert names(tmp_path) == sorted(f"{each.name}.json" for each in manifests)
    proof = prove(small, tmp_path)
    assert open_points(proof) == [("list of objects", Status.AMBER)]
    assert of(proof, SINCE).detail == "no bucket changed"


CHANGES: dict[str, tuple[LiteralString, dict[str, int]]] = {
    "removed": (f"delete from storage.objects where {ANY_RECORDING}", {"removed": 1, "changed": 0, "added": 0}),
    "overwritten": (
        f"""update storage.objects set metadata = metadata || '{{"size": 5}}' where {ANY_RECORDING}""",
        {"removed": 0, "changed": 1, "added": 0},
    ),
    "overwritten with as many bytes": (
        f"""update storage.objects set metadata = metadata || '{{"eTag": "x"}}' where {ANY_RECORDING}""",
        {"removed": 0, "changed": 1, "added": 0},
    ),
    "renamed": (
        f"update storage.objects set name = 'elsewhere' where {ANY_RECORDING}",
        {"removed": 1, "changed": 0, "added": 1},
    ),
    "moved to another bucket": (
        f"update storage.objects set bucket_id = 'zodiac' where {ANY_RECORDING}",
        {"removed": 1, "changed": 0, "added": 1},
    ),
    "names swapped": (
        "update storage.objects set name = translate(name, '12', '21') where name in ('3/01.webp', '3/02.webp')",
        {"removed": 0, "changed": 2, "added": 0},
    ),
    "only added": (
        "insert into storage.objects (bucket_id, name) values ('zodiac', 'new')",
        {"removed": 0, "changed": 0, "added": 1},
    ),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_difference_is_found(clone: Clone, tmp_path: Path, kind: str) -> None:
    """Every change moves the digest of its bucket, is counted, and is amber when more objects went than may."""
    statement, counts = CHANGES[kind]
    demo = clone()
    launch = opened(demo)
    before = take_storage(launch, tmp_path)
    change(demo, "alter table storage.objects drop constraint objects_bucket_id_name_key", statement)
    now = take_storage(launch, tmp_path)
    assert digests(now) != digests(before)
    found = difference(tmp_path, now, before)
    assert found.counts == counts
    assert len(found.objects) == sum(counts.values())
    assert of(prove(launch, tmp_path), SINCE).status is Status.GREEN
    none = Launch(replace(launch.plan, storage=StorageRules(most_removed=1e-6)), launch.queries, launch.database)
    assert of(prove(none, tmp_path), SINCE).status is (Status.AMBER if counts["removed"] else Status.GREEN)


def test_folder_may_have_any_name(healthy: DemoDatabase, tmp_path: Path) -> None:
    """What a pattern would read as its own is a part of the name."""
    folder, launch = tmp_path / "it's [a] * b?", opened(healthy)
    before = take_storage(launch, folder)
    assert difference(folder, take_storage(launch, folder), before).counts == {"removed": 0, "changed": 0, "added": 0}


def test_digest_does_not_depend_on_order(clone: Clone, tmp_path: Path) -> None:
    """The same objects, stored anew in another order, have the same digest."""
    demo = clone()
    launch = opened(demo)
    before = take_storage(launch, tmp_path)
    change(
        demo,
        "create temp table kept as select * from storage.objects order by md5(name)",
        "truncate storage.objects",
        "insert into storage.objects select * from kept",
    )
    assert digests(take_storage(launch, tmp_path)) == digests(before)


def test_bucket_that_was_emptied_is_red(clone: Clone, tmp_path: Path) -> None:
    """Nothing left of a bucket is more than objects that went; the first are listed, the rest counted."""
    demo = clone()
    launch = opened(demo)
    take_storage(launch, tmp_path)
    change(demo, "delete from storage.objects where bucket_id = 'recordings'")
    take_storage(launch, tmp_path)
    proof = prove(launch, tmp_path)
    details = {point.status: point.detail for point in proof.points if point.what == SINCE}
    assert details[Status.RED] == "nothing is left of recordings"
    assert details[Status.AMBER].startswith("970 removed")
    assert len(proof.tables[f"Objects removed, changed or added {SINCE}"]) == SHOWN


def test_counts_are_compared_where_a_list_is_not_there(clone: Clone, tmp_path: Path) -> None:
    """An older list may have been thrown away; what the counts say is still said."""
    demo = clone()
    launch = opened(demo)
    before = take_storage(launch, tmp_path)
    (tmp_path / f"{before.name}.parquet").unlink()
    change(demo, f"delete from storage.objects where {ANY_RECORDING}")
    take_storage(launch, tmp_path)
    point = of(prove(launch, tmp_path), SINCE)
    assert (point.status, "at least 1 objects fewer" in point.detail) == (Status.AMBER, True)


MISSING: dict[str, tuple[LiteralString, str]] = {
    "a recording": (
        f"delete from storage.objects where {ANY_RECORDING}",
        "1 of 970 of call_recordings are not in bucket recordings",
    ),
    "two audios": (
        "delete from storage.objects where bucket_id = 'zodiac' and name like '%/leo.mp3' and name < '2026-03-19'",
        "2 of 108 of daily_zodiac are not in bucket zodiac",
    ),
    "a row that points astray": (
        "update deck_cards set storage_path = '9/99.webp' where storage_path = '1/01.webp'",
        "1 of 316 of deck_cards are not in bucket deck-cards",
    ),
    "an object in another bucket": (
        "update storage.objects set bucket_id = 'zodiac' where name = '1/01.webp'",
        "1 of 316 of deck_cards are not in bucket deck-cards",
    ),
}


@pytest.mark.parametrize("kind", MISSING)
def test_file_that_is_not_in_storage_is_red(clone: Clone, tmp_path: Path, kind: str) -> None:
    """What a table points to in vain is counted by table and bucket, and listed; the manifest counts it too."""
    statement, detail = MISSING[kind]
    demo = clone()
    change(demo, statement)
    launch = opened(demo)
    manifest = take_storage(launch, tmp_path)
    proof = prove(launch, tmp_path)
    assert of(proof, FILES).status is Status.RED
    assert of(proof, FILES).detail.startswith(f"{detail}; such as ")
    assert len(proof.tables["Files that are not there"]) == manifest.missing


def test_what_no_table_points_to_is_no_fault(clone: Clone, tmp_path: Path) -> None:
    """An object nobody uses, one without a size, and an audio that is not due yet are in order."""
    demo = clone()
    change(
        demo,
        "insert into storage.objects (bucket_id, name) values ('zodiac', 'maya@example.com.mp3')",
        "insert into daily_zodiac (sign, day) values ('leo', '2026-04-01')",
    )
    launch = opened(demo)
    manifest = take_storage(launch, tmp_path)
    assert open_points(prove(launch, tmp_path)) == []
    assert [bucket.without_size for bucket in manifest.buckets] == [0, 0, 1]


def test_names_of_objects_are_masked(clone: Clone, tmp_path: Path) -> None:
    """Addresses in objects' names reach no proof; the list in the owner's folder has them in full."""
    demo = clone()
    launch = opened(demo)
    change(demo, f"update storage.objects set name = 'maya@example.com.webm' where {ANY_RECORDING}")
    take_storage(launch, tmp_path)
    change(
        demo,
        "update call_recordings set storage_path = 'omar@example.com.webm' "
        "where id = (select min(id::text)::uuid from call_recordings)",
        "delete from storage.objects where name like 'maya@%'",
    )
    take_storage(launch, tmp_path)
    proof = prove(launch, tmp_path)
    told = f"{proof.points} {[frame.to_string() for frame in proof.tables.values()]}"
    assert [name for name in ("maya@", "omar@") if name in told] == []
    assert "@example.com" in told


UNKNOWN: dict[str, tuple[LiteralString, str]] = {
    "no schema": ("drop schema storage cascade", "stored objects"),
    "no table": ("drop table storage.objects", "stored objects"),
    "no table that points": ("drop table call_recordings", FILES),
    "no row that points": ("truncate call_recordings, deck_cards, daily_zodiac cascade", FILES),
    "no object": ("truncate storage.objects", "manifest"),
}


@pytest.mark.parametrize("fault", UNKNOWN)
def test_what_cannot_be_asked_is_unknown(clone: Clone, tmp_path: Path, fault: str) -> None:
    """A database without storage, or without the tables that point to it, answers unknown with the reason."""
    statement, what = UNKNOWN[fault]
    demo = clone()
    launch = opened(demo)
    if what == FILES:
        take_storage(launch, tmp_path)
    change(demo, statement)
    if what == "manifest":
        take_storage(launch, tmp_path)
    point = of(prove(launch, tmp_path), what)
    assert (point.status, bool(point.fix)) == (Status.UNKNOWN, True)


def test_snapshot_without_storage_says_so(clone: Clone, tmp_path: Path) -> None:
    """Without the schema there is an error that names it and the file to adapt, and nothing is written."""
    demo = clone()
    change(demo, "drop schema storage cascade")
    with pytest.raises(QueryFailed, match=r'table missing: relation "storage.objects" .*stored_objects.sql:4'):
        take_storage(opened(demo), tmp_path)
    assert names(tmp_path) == []


def test_snapshot_goes_on_where_no_table_points(clone: Clone, tmp_path: Path) -> None:
    """What storage holds is written down even if nobody knows what should be there."""
    demo = clone()
    change(demo, "drop table call_recordings")
    assert take_storage(opened(demo), tmp_path).missing is None


FULL = """
import resource, sys
from golive_lib import GoliveError, open_launch
from golive_lib.storage import take_storage
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    take_storage(open_launch(sys.argv[1]), Path(sys.argv[2]))
except GoliveError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("limit", [0, 4096, 40_000])
def test_full_disk_leaves_nothing(healthy: DemoDatabase, tmp_path: Path, limit: int) -> None:
    """Wherever the room ends, there is one clear error and not a file."""
    folder = tmp_path / "backups"
    command = [sys.executable, "-c", FULL, healthy.url, str(folder), str(limit)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 1
    assert "the storage manifest cannot be written, and nothing of it is left" in run.stderr
    assert "GOLIVE_BACKUPS" in run.stderr
    assert names(folder) == []


def test_interrupt_leaves_nothing(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Ctrl-C in the middle of the list takes everything back."""

    def interrupt(words: str) -> None:
        if " of " in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_storage(opened(healthy), tmp_path, interrupt)
    assert names(tmp_path) == []


def test_leftovers_of_a_killed_run_are_swept(healthy: DemoDatabase, tmp_path: Path) -> None:
    """What a killed run could not take back goes with the next one."""
    (tmp_path / ".storage-killed").mkdir()
    (tmp_path / ".storage-killed" / "part-0.parquet").write_bytes(b"half")
    take_storage(opened(healthy), tmp_path)
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


def test_two_runs_at_once_are_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """The second says that another is at work, and disturbs nothing."""
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(BackupError, match="another run writes there now"):
            take_storage(opened(healthy), tmp_path)
    finally:
        os.close(handle)


def test_folder_that_is_a_file_is_refused(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A folder that cannot be one is an error that names the setting."""
    (tmp_path / "backups").touch()
    with pytest.raises(BackupError, match="GOLIVE_BACKUPS"):
        take_storage(opened(healthy), tmp_path / "backups")


def test_rows_come_in_chunks(healthy: DemoDatabase) -> None:
    """Frames of the size asked for, of the types of any answer; the snapshot goes on when they are left early."""
    launch = opened(healthy)
    statement = compose(launch.query("storage/objects"), launch.queries)
    with launch.postgres.snapshot() as snapshot:
        with closing(snapshot.chunks(statement, {}, 500)) as chunks:
            sizes = [len(chunk) for chunk in chunks]
        with closing(snapshot.chunks(statement, {}, 500)) as chunks:
            first = next(chunks)
        whole = snapshot.frame(statement, {})
    assert (sizes[:-1], sum(sizes)) == ([500] * (len(sizes) - 1), len(whole))
    assert list(first.dtypes) == list(whole.dtypes)


def test_staging_lacks_recordings_and_audio(staging: str, tmp_path: Path) -> None:
    """A deployment's own names are served by sources of its own, and its lost files are found."""
    launch = open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml")
    manifest = take_storage(launch, tmp_path)
    point = of(prove(launch, tmp_path), FILES)
    assert (manifest.objects, manifest.missing, point.status) == (3889, 127, Status.RED)
    assert "8 of 3,660 of call_recordings are not in bucket recordings" in point.detail
