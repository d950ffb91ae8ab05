"""The proof of a backup: the newest dump of this database is young, whole, and has been restored once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from golive_lib.errors import BackupError
from golive_lib.formats import age, duration, few, number, share
from golive_lib.manifest import Manifest, kind, read_manifest
from golive_lib.pg_tools import numbers
from golive_lib.proof import Point, Proof
from golive_lib.rehearsal import verify
from golive_lib.settings import PG_BIN, SCRATCH_URL
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from golive_lib.manifest import Rehearsal
    from golive_lib.plan_readiness import BackupRules

AGAIN = "run 'golive backup'"
NO_SPACE = "No space left on device"
_MB = 1e6


def find_backups(folder: Path, database: str) -> tuple[list[Manifest], list[str]]:
    """Return a database's manifests, by its identity and the newest first, and the JSON files that are none.

    A storage manifest is another proof's and passed over.
    """
    manifests, strange = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            text = path.read_bytes()
            if kind(text) == "storage":
                continue
            manifest = read_manifest(text)
        except (OSError, ValueError):  # the error is not shown: it would quote the file
            strange.append(path.name)
            continue
        if manifest.database == database:
            manifests.append(manifest)
    manifests.sort(key=lambda one: (one.taken_at, len(one.file), one.file), reverse=True)  # -10 comes after -2
    return manifests, strange


def prove_backup(rules: BackupRules, folder: Path, database: str, now: datetime) -> Proof:
    """Prove the newest backup of a database (its address's ``identity``) in a folder that was taken by ``now``.

    Reads the dump once, for its SHA-256.
    """
    manifests, strange = find_backups(folder, database)
    past = tuple(manifest for manifest in manifests if manifest.taken_at <= now)
    return Proof(
        key="backup",
        title="Database backup",
        points=(*_strange(strange), *(_points(rules, folder, past, now) if past else [_none(manifests)])),
        summary=_summary(past[0], now) if past else "",
        tables={"Rows per table, as dumped and as restored": rows(past[0])} if past else {},
    )


def rows(manifest: Manifest) -> pd.DataFrame:
    """Return a row per table: ``table``, ``dumped``, ``counted`` (or estimated), ``restored``."""
    restored = manifest.rehearsal.tables if manifest.rehearsal else {}
    cells = [
        (name, table.rows, "exactly" if table.exact else "by estimate", restored.get(name))
        for name, table in manifest.tables.items()
    ]
    frame = pd.DataFrame(cells, columns=["table", "dumped", "counted", "restored"])
    return frame.astype({"dumped": "Int64", "restored": "Int64"})


def _strange(files: list[str]) -> Iterator[Point]:
    if files:
        detail = f"{few(files)} in the backups' folder cannot be read as a manifest"
        yield Point("other files", Status.AMBER, detail, "move them elsewhere, or back up again if one was a backup's")


def _none(manifests: list[Manifest]) -> Point:
    if manifests:
        detail = f"{manifests[-1].file}, the first of this database, was taken after the moment that is judged"
        return Point("age", Status.UNKNOWN, detail, "check the clocks, or judge a later moment")
    return Point("age", Status.RED, "there is none of this database", AGAIN)


def _points(rules: BackupRules, folder: Path, manifests: tuple[Manifest, ...], now: datetime) -> Iterator[Point]:
    newest = manifests[0]
    yield _age(rules, newest, now)
    yield _file(folder, newest)
    yield _size(rules, manifests)
    yield _schemas(rules, newest)
    yield _outside(rules, newest)
    yield restored(newest)


def _age(rules: BackupRules, newest: Manifest, now: datetime) -> Point:
    span = now - newest.taken_at
    detail = f"{age(span)}, allowed {duration(rules.max_age)}"
    old = span > rules.max_age
    return Point("age", Status.RED if old else Status.GREEN, detail, AGAIN if old else "")


def _file(folder: Path, newest: Manifest) -> Point:
    try:
        verify(folder / newest.file, newest)
    except BackupError as error:
        return Point("file", Status.RED, str(error), AGAIN)
    return Point("file", Status.GREEN, f"{newest.file}, {_megabytes(newest)}, its SHA-256 is the manifest's")


def _size(rules: BackupRules, manifests: tuple[Manifest, ...]) -> Point:
    newest, *older = manifests
    if not older:
        return Point("size", Status.GREEN, f"{_megabytes(newest)}; no earlier backup to compare with")
    before = older[0]
    ratio = newest.bytes / before.bytes if before.bytes else 1.0
    detail = f"{_megabytes(newest)}, {share(ratio)} of the {_megabytes(before)} before"
    if ratio < rules.shrink:
        return Point("size", Status.AMBER, detail, "look whether rows or whole tables have gone")
    return Point("size", Status.GREEN, detail)


def _schemas(rules: BackupRules, newest: Manifest) -> Point:
    if left_out := [name for name in rules.schemas if name not in {*newest.schemas, *newest.missing_schemas}]:
        return Point("schemas", Status.RED, f"{few(left_out)} of the plan was not asked for then", AGAIN)
    if newest.missing_schemas:
        detail = f"{few(newest.missing_schemas)} did not exist; dumped {', '.join(newest.schemas)}"
        return Point("schemas", Status.AMBER, detail, "is it the right database? Else correct [backup] schemas")
    return Point("schemas", Status.GREEN, ", ".join(newest.schemas))


def _outside(rules: BackupRules, newest: Manifest) -> Point:
    what = "left out"
    if newest.outside is None:
        return Point(what, Status.UNKNOWN, "nobody looked what is outside of it: an older kit took it", AGAIN)
    left = {name: rows.rows for name, rows in newest.outside.schemas.items() if name not in rules.without}
    named = [f"{name} ({'rows unknown' if rows is None else f'about {rows:,} rows'})" for name, rows in left.items()]
    said = [f"schema {few(named)}"] if named else []
    if newest.outside.large_objects:
        said.append(f"{newest.outside.large_objects:,} large objects")
    if said:
        fix = "dump such schemas ([backup] schemas), or say that it may be without them ([backup] without)"
        return Point(what, Status.AMBER, f"in no backup: {' and '.join(said)}", fix)
    agreed = f", but {few(sorted(newest.outside.schemas))}, as the plan says" if newest.outside.schemas else ""
    return Point(what, Status.GREEN, f"no table is outside of it{agreed}")


def restored(manifest: Manifest) -> Point:
    """Say what the rehearsal of a restore has proven: red when it was not done or rows were lost."""
    rehearsal = manifest.rehearsal
    if rehearsal is None:
        return Point("restore", Status.RED, "it was never restored, so nothing proves that it can be", AGAIN)
    if manifest.lost:
        lacking = f"; {rehearsal.server} lacks {few(rehearsal.lacking)}" if rehearsal.lacking else ""
        errors = f"; the first error: {rehearsal.errors[0]}" if rehearsal.errors else ""
        return Point("restore", Status.RED, f"{few(manifest.lost)}{lacking}{errors}", _mend(manifest, rehearsal))
    took = duration(rehearsal.seconds * 1_000)
    head = f"{len(manifest.tables)} tables and {manifest.counted:,} rows came back in {took}"
    estimated = f"; {few(manifest.estimated)} counted by estimate, so compared roughly" if manifest.estimated else ""
    if manifest.differing or manifest.doubtful or rehearsal.error_count:
        errors = f"; {rehearsal.error_count} errors, the first: {rehearsal.errors[0]}" if rehearsal.errors else ""
        differing = "".join(f"; {few(names)}" for names in (manifest.doubtful, manifest.differing) if names)
        detail = f"{head}{differing}{errors}{estimated}"
        return Point("restore", Status.AMBER, detail, _mend(manifest, rehearsal))
    return Point("restore", Status.GREEN, f"{head}, on {rehearsal.server}{estimated}; {needs(manifest)}")


def _mend(manifest: Manifest, rehearsal: Rehearsal) -> str:
    if any(NO_SPACE in error for error in rehearsal.errors):
        return "the scratch server's disk was full: let TMPDIR name a folder with more room, and back up again"
    if rehearsal.lacking:
        return f"restore into a scratch server that has {few(rehearsal.lacking)}: {SCRATCH_URL}"
    if numbers(manifest.pg_dump_version)[0] != numbers(manifest.server_version)[0]:
        return f"dump with the server's own version, {manifest.server_version}, of pg_dump: {PG_BIN}"
    if manifest.doubtful and not (rehearsal.error_count or manifest.lost):
        return "analyze these tables and back up again, or count them: raise [backup] exact_below"
    return "the manifest lists pg_restore's errors; mend what they name and back up again"


def needs(manifest: Manifest) -> str:
    """Say what a restore does not bring and must find."""
    extensions = ", ".join(extension.name for extension in manifest.extensions) or "none"
    return f"not in the dump: roles {', '.join(manifest.roles) or 'none'}; extensions {extensions}"


def _summary(newest: Manifest, now: datetime) -> str:
    estimated = f", {len(newest.estimated)} tables by estimate" if newest.estimated else ""
    return f"{age(now - newest.taken_at)}, {_megabytes(newest)}, {newest.counted:,} rows, all restored once{estimated}"


def _megabytes(manifest: Manifest) -> str:
    return number(manifest.bytes / _MB, "MB")
