"""The storage snapshot: what the buckets hold, kept as a manifest, and whether that is all that tables point to."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

from golive_lib.errors import QueryFailed
from golive_lib.formats import age, duration, few, mask, missing, moment, number
from golive_lib.manifest import stamp
from golive_lib.proof import Point, Proof
from golive_lib.query import compose
from golive_lib.storage_manifest import (
    Bucket,
    StorageManifest,
    difference,
    list_fault,
    store,
    stored,
    working,
    write_list,
)
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch

TITLE = "Storage snapshot"
CHUNK = 20_000
NAMED = 2
AGAIN = "run 'golive storage'"


def take_storage(launch: Launch, folder: Path, progress: Callable[[str], None] = lambda _: None) -> StorageManifest:
    """Write down what storage holds, seen at one instant, as a manifest and a Parquet list of objects in ``folder``.

    The list is left out when there are more objects than the plan's ``most_objects``. Raises QueryFailed when storage
    cannot be asked, such as without a schema of that name, and BackupError when the folder cannot be written: then
    nothing is left of it.
    """
    with working(folder) as work, launch.postgres.snapshot() as snapshot:
        progress("counting the objects of each bucket")
        buckets = _buckets(launch.ask(snapshot, "storage/buckets"))
        total = sum(bucket.objects for bucket in buckets)
        listed = None
        if total <= launch.plan.storage.most_objects:
            with closing(_objects(launch, snapshot, total, progress)) as parts:
                listed = write_list(work, parts)
        progress("looking for files that tables point to")
        url, now = launch.postgres.url, snapshot.clock.now
        manifest = StorageManifest(
            name=f"storage-{re.sub(r'[^A-Za-z0-9_.-]', '_', url.database or 'postgres')}-{stamp(now)}",
            database=url.identity,
            taken_at=now,
            buckets=buckets,
            objects=total,
            bytes=sum(bucket.bytes for bucket in buckets),
            missing=_missing(launch, snapshot),
            sha256=None,
        )
        return store(folder, work, manifest, listed)


def _buckets(frame: pd.DataFrame) -> tuple[Bucket, ...]:
    return tuple(
        Bucket(
            bucket=str(row["bucket"]),
            objects=int(row["objects"]),
            bytes=int(row["bytes"]),
            without_size=int(row["without_size"]),
            newest=None if missing(row["newest"]) else row["newest"].to_pydatetime(),
            digest=str(row["digest"]),
        )
        for _, row in frame.iterrows()
    )


def _objects(
    launch: Launch, snapshot: Snapshot, total: int, progress: Callable[[str], None]
) -> Generator[pd.DataFrame]:
    seen = 0
    with closing(snapshot.chunks(compose(launch.query("storage/objects"), launch.queries), {}, CHUNK)) as chunks:
        for chunk in chunks:
            yield chunk
            seen += len(chunk)
            progress(f"{seen:,} of {total:,} objects")


def _missing(launch: Launch, snapshot: Snapshot) -> int | None:
    try:
        return int(launch.ask(snapshot, "storage/pointers")["missing"].sum())
    except QueryFailed:  # the manifest says that nobody knows, and readiness asks again and says why
        return None


def prove_storage(launch: Launch, snapshot: Snapshot, folder: Path) -> Proof:
    """Prove that a fresh manifest of this database's storage is there, and that no table points to a missing file.

    The manifest and its list are those of ``folder``, their age is judged at the snapshot's clock; the files that
    tables point to are looked up now. A database without schema ``storage`` is unknown.
    """
    try:
        snapshot.explain(compose(launch.query("sources/stored_objects"), launch.queries), {})
    except QueryFailed as failure:
        fix = "adapt sources/stored_objects.sql, or connect to the database that has the schema storage"
        return Proof("storage", TITLE, (Point("stored objects", Status.UNKNOWN, failure.reason, fix),))
    kept_points, kept_tables = _kept(launch, snapshot, folder)
    pointed_points, pointed_tables = _pointed(launch, snapshot)
    points = (*kept_points, *pointed_points)
    summary = "; ".join(point.detail for point in points if point.what in {"manifest", "files that tables point to"})
    return Proof("storage", TITLE, points, summary, kept_tables | pointed_tables)


def _kept(launch: Launch, snapshot: Snapshot, folder: Path) -> tuple[list[Point], dict[str, pd.DataFrame]]:
    """Judge the manifests in the folder: the newest of this moment, and the one before it."""
    now = snapshot.clock.now
    try:
        manifests, unreadable = stored(folder, launch.postgres.url.identity)
    except OSError as error:
        reason = f"{error.filename} cannot be read: {error.strerror}"
        return [Point("manifest", Status.UNKNOWN, reason, "give the right to read it")], {}
    points, tables = [], {}
    past = [manifest for manifest in manifests if manifest.taken_at <= now]
    if past:
        newest, *earlier = past
        points += [_age(launch, newest, now, first=not earlier), _list(folder, newest)]
        tables["What each bucket held"] = newest.frame()
        if earlier:
            since, changes = _since(launch, folder, newest, earlier[0])
            points += since
            tables |= changes
    elif manifests:
        detail = f"the only ones of this database are from after {moment(now, launch.zone)}"
        points.append(Point("manifest", Status.UNKNOWN, detail, f"see to the clocks, or {AGAIN}"))
    else:
        points.append(Point("manifest", Status.RED, "there is none of this database", AGAIN))
    if unreadable:
        detail = f"{few([*map(mask, unreadable)], NAMED)} cannot be read"
        points.append(Point("other manifests", Status.AMBER, detail, "remove what is torn, once you know why it is"))
    return points, tables


def _age(launch: Launch, manifest: StorageManifest, now: datetime, *, first: bool) -> Point:
    what, limit = "manifest", launch.plan.storage.max_age
    span = now - manifest.taken_at
    of = f"of {moment(manifest.taken_at, launch.zone)}, {age(span)}"
    if not manifest.objects:
        return Point(
            what, Status.UNKNOWN, f"{of}: holds no object", "see that sources/stored_objects.sql reads storage"
        )
    if span > limit:
        return Point(what, Status.RED, f"{of}; at most {duration(limit)} is allowed", AGAIN)
    held = f"{number(manifest.objects)} objects in {len(manifest.buckets)} buckets"
    return Point(what, Status.GREEN, f"{of}: {held}" + (", the first of this database" if first else ""))


def _list(folder: Path, manifest: StorageManifest) -> Point:
    what, fault = "list of objects", list_fault(folder, manifest)
    if not fault:
        return Point(what, Status.GREEN, "is there as it was written, by its SHA-256")
    if manifest.sha256 is None:
        return Point(what, Status.AMBER, fault, f"raise most_objects in [storage] of the plan and {AGAIN}")
    return Point(what, Status.RED, fault, AGAIN)


def _since(
    launch: Launch, folder: Path, newest: StorageManifest, before: StorageManifest
) -> tuple[list[Point], dict[str, pd.DataFrame]]:
    """Compare two manifests: a bucket that is empty now is red, more vanished objects than the plan allows amber."""
    changes = difference(folder, newest, before)
    what = f"since the manifest of {moment(before.taken_at, launch.zone)}"
    tables = {f"Buckets {what}": changes.buckets}
    if len(changes.objects):
        tables[f"Objects removed, changed or added {what}"] = _masked(changes.objects)
    points = []
    if changes.gone:
        detail = f"nothing is left of {', '.join(changes.gone)}"
        points.append(Point(what, Status.RED, detail, "restore the bucket, or find out who emptied it"))
    if changes.counts is None:
        same = bool(changes.buckets["same"].all())
        status, detail = (Status.GREEN, "no bucket changed") if same else (Status.AMBER, _by_counts(changes.buckets))
        points.append(Point(what, status, detail, "" if same else "compare anew once both lists are there"))
    else:
        told = ", ".join(f"{count:,} {kind}" for kind, count in changes.counts.items())
        many = changes.counts["removed"] > launch.plan.storage.most_removed * before.objects
        fix = "see in the table whether they were meant to go" if many else ""
        points.append(Point(what, Status.AMBER if many else Status.GREEN, told, fix))
    return points, tables


def _by_counts(buckets: pd.DataFrame) -> str:
    fewer = int((buckets["objects_before"] - buckets["objects"]).clip(lower=0).sum())
    return f"without both lists only the buckets could be compared: at least {number(fewer)} objects fewer"


def _pointed(launch: Launch, snapshot: Snapshot) -> tuple[list[Point], dict[str, pd.DataFrame]]:
    """Look up every file that a table points to, live."""
    what = "files that tables point to"
    try:
        holders = launch.ask(snapshot, "storage/pointers")
        first = launch.ask(snapshot, "storage/missing") if holders["missing"].sum() else None
    except QueryFailed as failure:
        fix = "adapt sources/stored_files.sql in a query folder of the plan's own"
        return [Point(what, Status.UNKNOWN, failure.reason, fix)], {}
    if holders.empty:
        fix = "name the tables that point to files in sources/stored_files.sql"
        return [Point(what, Status.UNKNOWN, "no table points to any", fix)], {}
    tables = {"Files that tables point to": holders}
    if first is None:
        return [Point(what, Status.GREEN, f"all {int(holders['files'].sum()):,} are there")], tables
    tables["Files that are not there"] = _masked(first)
    lacking = [
        f"{row['missing']:,} of {row['files']:,} of {row['holder']} are not in bucket {row['bucket']}"
        for _, row in holders[holders["missing"].gt(0)].iterrows()
    ]
    named = ", ".join(mask(str(name)) for name in first["name"].head(NAMED))
    return [
        Point(what, Status.RED, f"{'; '.join(lacking)}; such as {named}", launch.query("storage/missing").fix)
    ], tables


def _masked(frame: pd.DataFrame) -> pd.DataFrame:
    """Hide people's data in objects' names, which may be made of addresses."""
    return frame.assign(name=frame["name"].map(mask))
