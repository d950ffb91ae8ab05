"""Manifests of stored objects on disk: written whole or not at all, read with care, held against each other."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass as plain
from dataclasses import replace
from glob import escape
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb
import pandas as pd
from pydantic import AwareDatetime, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from golive_lib.errors import BackupError
from golive_lib.manifest import digest, file_fault, kind, settle, workspace
from golive_lib.plan_types import STRICT
from golive_lib.settings import BACKUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHOWN = 20
MEMORY = "256MB"
THREADS = 2  # each takes its share of the memory
UNFINISHED = ".storage-"

# Explicit types: of a part whose column is all null nobody could tell them.
_PART = """
copy (select bucket::varchar as bucket, name::varchar as name, bytes::bigint as bytes, "at"::timestamptz as "at",
  etag::varchar as etag from part) to $file (format parquet)
"""
_WHOLE = """
copy (select * from read_parquet($parts) order by bucket, name) to $file (format parquet, compression zstd)
"""
# An object is another one when what storage wrote down about it differs.
_DIFFERENCE = """
create temp table difference as
select case when n.name is null then 'removed' when b.name is null then 'added' else 'changed' end as what,
  coalesce(n.bucket, b.bucket) as bucket, coalesce(n.name, b.name) as name, b.bytes as bytes_before, n.bytes as bytes
from read_parquet($now) n full join read_parquet($before) b on n.bucket = b.bucket and n.name = b.name
where n.name is null or b.name is null or (n.bytes, n."at", n.etag) is distinct from (b.bytes, b."at", b.etag)
"""
_COUNTS = "from difference select what, count(*) group by what"
_FIRST = "from difference select * order by what = 'removed' desc, what, bucket, name limit $rows"


@dataclass(frozen=True, config=STRICT)
class Bucket:
    """What one bucket held, in bytes but for the ``without_size`` objects; equal digests mean equal objects."""

    bucket: str
    objects: int
    bytes: int
    without_size: int
    newest: AwareDatetime | None
    digest: str


@dataclass(frozen=True, config=STRICT, kw_only=True)
class StorageManifest:
    """What storage held at an instant.

    ``<name>.json`` is this manifest, ``<name>.parquet`` the list of objects with its ``sha256``; None when there were
    too many to list. ``missing`` counts the files that tables pointed to in vain, None when that could not be asked.
    """

    name: str
    database: str
    taken_at: AwareDatetime
    buckets: tuple[Bucket, ...]
    objects: int
    bytes: int
    missing: int | None
    sha256: str | None
    kind: Literal["storage"] = "storage"
    schema_version: Literal[1] = 1

    def frame(self) -> pd.DataFrame:
        """Return the buckets: ``bucket``, ``objects``, ``bytes``, ``without_size``, ``newest``, ``digest``."""
        columns = ["bucket", "objects", "bytes", "without_size", "newest", "digest"]
        return pd.DataFrame([[getattr(each, name) for name in columns] for each in self.buckets], columns=columns)


@plain(frozen=True)
class Difference:
    """What changed between two manifests.

    ``buckets`` counts before and now; ``gone`` names those without an object now. ``objects`` holds the first objects
    that were removed, changed or added, and ``counts`` how many of each; None when the lists could not be compared.
    """

    buckets: pd.DataFrame
    gone: tuple[str, ...]
    objects: pd.DataFrame
    counts: dict[str, int] | None


_ADAPTER = TypeAdapter(StorageManifest)


@contextmanager
def working(folder: Path) -> Iterator[Path]:
    """Give a place to write in, beside the manifests; whatever is left in it goes when the context ends.

    What a killed run left goes at the start. Raises BackupError when another run is at work there, and for whatever
    keeps the files from being written.
    """
    try:
        with workspace(folder, UNFINISHED) as work:
            yield work
    except (OSError, duckdb.Error) as error:
        words = " ".join(str(error).split())
        raise BackupError(
            f"{folder}: the storage manifest cannot be written, and nothing of it is left: {words}\n"
            f"  next: make room there, or name another folder ({BACKUPS})"
        ) from None


def write_list(work: Path, parts: Iterable[pd.DataFrame]) -> Path:
    """Write the objects (``bucket``, ``name``, ``bytes``, ``at``, ``etag``), sorted, as one Parquet file.

    Holds one part in memory, and of the whole what DuckDB's limit allows; raises OSError or duckdb.Error.
    """
    whole = work / "objects.parquet"
    nothing = pd.DataFrame(columns=["bucket", "name", "bytes", "at", "etag"], dtype=object)
    with bounded_duckdb(work) as connection:
        for number, part in enumerate(chain([nothing], parts)):
            connection.register("part", part)
            connection.execute(_PART, {"file": str(work / f"part-{number}.parquet")})
        connection.execute(_WHOLE, {"parts": f"{escape(str(work))}/part-*.parquet", "file": str(whole)})
    return whole


@contextmanager
def bounded_duckdb(work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB on nothing: bounded, spilling into ``work``, and fetching no extension from anywhere."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "threads": THREADS,
        "temp_directory": str(work / "spilled"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(config=config)
    try:
        yield connection
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # DuckDB's word for Ctrl-C
            raise KeyboardInterrupt from None
        raise
    finally:
        connection.close()


def store(folder: Path, work: Path, manifest: StorageManifest, listed: Path | None) -> StorageManifest:
    """Put a manifest and its list in place under a name that is free, the manifest last; raises OSError."""
    names = (manifest.name + (f"-{number}" if number > 1 else "") for number in count(1))
    name = next(each for each in names if not any((folder / f"{each}{end}").exists() for end in (".json", ".parquet")))
    manifest = replace(manifest, name=name, sha256=digest(listed) if listed else None)
    draft = work / "manifest.json"
    draft.write_bytes(_ADAPTER.dump_json(manifest, indent=2))
    for path in (draft, *([listed] if listed else [])):
        path.chmod(0o600)
        settle(path)
    target = folder / f"{name}.parquet"
    try:
        if listed:
            listed.rename(target)
        draft.rename(folder / f"{name}.json")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    settle(folder)
    return manifest


def stored(folder: Path, database: str) -> tuple[list[StorageManifest], list[str]]:
    """Return a database's manifests, the newest first, and the names of files that are no manifest at all.

    ``database`` is ``DatabaseUrl.identity``. Raises OSError for a folder that cannot be read.
    """
    manifests, unreadable = [], []
    for path in sorted(folder.glob("storage-*.json")):
        text = path.read_bytes()
        if kind(text) == "backup":  # of a database whose name begins so
            continue
        try:
            manifest = _ADAPTER.validate_json(text)
        except ValidationError:
            unreadable.append(path.name)
            continue
        if manifest.database == database:
            manifests.append(replace(manifest, name=path.stem))
    # Of the same instant, as a pinned clock gives, "-10" is newer than "-2" and that than none.
    return sorted(manifests, key=lambda each: (each.taken_at, len(each.name), each.name), reverse=True), unreadable


def list_fault(folder: Path, manifest: StorageManifest) -> str:
    """Say what is wrong with a manifest's list of objects; empty when it is there as it was written."""
    if manifest.sha256 is None:
        return "was left out: there were too many objects"
    return file_fault(folder / f"{manifest.name}.parquet", manifest.sha256)


def difference(folder: Path, now: StorageManifest, before: StorageManifest) -> Difference:
    """Return what changed from one manifest of a folder to a later one; objects when both lists are sound."""
    buckets = _buckets(now, before)
    gone = tuple(buckets.loc[buckets["objects"].eq(0) & buckets["objects_before"].gt(0), "bucket"])
    columns = ["what", "bucket", "name", "bytes_before", "bytes"]
    if list_fault(folder, now) or list_fault(folder, before):
        return Difference(buckets, gone, pd.DataFrame(columns=columns), None)
    files = {key: escape(str(folder / f"{each.name}.parquet")) for key, each in (("now", now), ("before", before))}
    try:
        with tempfile.TemporaryDirectory() as work, bounded_duckdb(Path(work)) as connection:
            connection.execute(_DIFFERENCE, files)
            counts = {"removed": 0, "changed": 0, "added": 0} | dict(connection.execute(_COUNTS).fetchall())
            first = connection.execute(_FIRST, {"rows": SHOWN}).fetchall()
    except (OSError, duckdb.Error):  # such as no room to compare in: what the buckets say still stands
        return Difference(buckets, gone, pd.DataFrame(columns=columns), None)
    return Difference(buckets, gone, pd.DataFrame(first, columns=columns), counts)


def _buckets(now: StorageManifest, before: StorageManifest) -> pd.DataFrame:
    old, new = ({each.bucket: each for each in manifest.buckets} for manifest in (before, now))
    rows = []
    for name in sorted(old.keys() | new.keys()):
        was, is_ = old.get(name), new.get(name)
        rows.append(
            {
                "bucket": name,
                "objects_before": was.objects if was else 0,
                "objects": is_.objects if is_ else 0,
                "bytes_before": was.bytes if was else 0,
                "bytes": is_.bytes if is_ else 0,
                "same": was is not None and is_ is not None and was.digest == is_.digest,
            }
        )
    return pd.DataFrame(rows, columns=["bucket", "objects_before", "objects", "bytes_before", "bytes", "same"])
