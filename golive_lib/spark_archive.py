"""The archive as a cluster sees it: manifests read, files proven and days made views by Spark, none of it from here."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pyspark.errors import PySparkException

from golive_lib.archive import MANIFEST, MANIFESTS, OWNER, OWNERS, ROWS, Archive, other_columns
from golive_lib.archive_figures import KEPT_AS
from golive_lib.engines import absent
from golive_lib.errors import ArchiveError, QueryFailed
from golive_lib.spark_sql import view

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

    from golive_lib.archive import Kept, Owner

HASHED = 256 * 2**20  # bytes; a larger file is too much for a worker's memory, and its rows are counted instead
_DAY = re.compile(r"/([^/]+)/day=(\d{4}-\d\d-\d\d)/[^/]+$")
_TYPES = {**KEPT_AS, "timestamptz": "timestamp"}


def read_archive(session: SparkSession, folder: str) -> Archive:
    """Read an archive's manifests through the cluster; raises ArchiveError when it sees none there."""
    files = [f"{folder.rstrip('/')}/{OWNER}", f"{folder.rstrip('/')}/*/day=*/{MANIFEST}"]
    try:
        found = session.read.format("binaryFile").load(files).select("path", "content").toArrow().to_pylist()
        owner = next(OWNERS.validate_json(one["content"]) for one in found if one["path"].endswith(f"/{OWNER}"))
    except (PySparkException, ValidationError, StopIteration):
        words = f"{folder}: Spark sees no archive there, or none with a closed day"
        raise ArchiveError(f"{words}\n  next: is it the folder as every worker of the cluster sees it?") from None
    kept: dict[str, dict[date, Kept]] = {}
    broken: dict[str, dict[date, str]] = {}
    for one in sorted(found, key=lambda one: str(one["path"]), reverse=True):  # the newest day says the columns
        if place := _DAY.search(one["path"]):
            source, day = place[1], date.fromisoformat(place[2])
            days = kept.setdefault(source, {})
            if fault := _keep(days, one["content"], owner, source, day):
                broken.setdefault(source, {})[day] = fault
    ordered = {source: dict(sorted(days.items())) for source, days in sorted(kept.items())}
    return Archive(Path(folder), owner, ordered, broken)


def _keep(days: dict[date, Kept], manifest: bytes, owner: Owner, source: str, day: date) -> str:
    """Add a day to those that are newer, or say what is wrong with it."""
    try:
        kept = MANIFESTS.validate_json(manifest)
    except ValidationError:
        return f"half-written: it has no sound {MANIFEST}"
    if fault := kept.misplaced(owner, source, day):
        return fault
    newest = next(iter(days.values()), kept).columns
    if kept.columns != newest:
        return f"other columns than the newest day: {other_columns(kept.columns, newest)}"
    days[day] = kept
    return ""


def show(session: SparkSession, archive: Archive, folder: str, source: str) -> None:
    """Make a source's days a view; raises QueryFailed where a file is not as it was written."""
    if changed := _changed(session, archive, folder, source):
        raise QueryFailed(changed, reason=changed)
    columns = ", ".join(f"`{name}` {_TYPES.get(type_, 'string')}" for name, type_ in archive.columns(source))
    rows = session.read.schema(columns).parquet(*_files(archive, folder, source).values())
    rows.createOrReplaceTempView(view(source))


def _files(archive: Archive, folder: str, source: str) -> dict[date, str]:
    return {day: f"{folder.rstrip('/')}/{source}/day={day.isoformat()}/{ROWS}" for day in archive.days(source)}


def one_path(archive: Archive, folder: str, source: str) -> str:
    """Return the one path by which Spark's SQL reads a source's days and nothing else; raises QueryFailed for none."""
    if not (days := archive.days(source)):
        reason = absent(archive, source)
        raise QueryFailed(reason, reason=reason)
    return f"{folder.rstrip('/')}/{source}/day={{{','.join(day.isoformat() for day in days)}}}/{ROWS}"


def _changed(session: SparkSession, archive: Archive, folder: str, source: str) -> str:
    """Name the first day whose file is not the one that was written, by its digest; a large one, by its rows."""
    files = _files(archive, folder, source)
    found = session.read.format("binaryFile").load(list(files.values()))
    digest = f"if(length <= {HASHED}, sha2(content, 256), null) as digest"
    for one in found.selectExpr("path", digest).toArrow().to_pylist():
        place = _DAY.search(one["path"])
        day = date.fromisoformat(place[2] if place else "")
        rows = None if one["digest"] else session.read.parquet(files[day]).count()
        if archive.kept[source][day].sha256 != one["digest"] and archive.kept[source][day].rows != rows:
            return f"{source} of {day}: its {ROWS} is not the one that was written"
    return ""
