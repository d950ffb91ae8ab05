"""The manifest beside a dump: what the dump holds, by which it is found and checked again."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import AwareDatetime, ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass

from golive_lib.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

STRICT = ConfigDict(extra="forbid")
PART = ".part"
NEAR = 0.9  # a planner's estimate is seldom further off after a recent analyze


@dataclass(frozen=True, config=STRICT)
class Rows:
    """A table's rows; not ``exact`` when the planner estimated them, None when it never has."""

    rows: int | None
    exact: bool


@dataclass(frozen=True, config=STRICT)
class Extension:
    """An extension that dumped objects need, and the schema it lives in."""

    name: str
    schema: str


@dataclass(frozen=True, config=STRICT)
class Outside:
    """What a dump of schemas leaves out: other schemas' tables and their estimated rows, and large objects."""

    schemas: dict[str, Rows]
    large_objects: int


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Rehearsal:
    """What came back when a dump was restored: rows per table (None: could not be counted), objects per kind.

    ``errors`` are pg_restore's first ones, masked, of ``error_count``; ``lacking`` the extensions that the scratch
    ``server`` does not have.
    """

    server: str
    seconds: float
    tables: dict[str, int | None]
    objects: dict[str, int]
    errors: tuple[str, ...]
    error_count: int
    lacking: tuple[str, ...]


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Manifest:
    """A dump of one snapshot; ``tables`` and ``objects`` are what the database held then.

    ``database`` is the identity of its address, ``system`` its own, empty where it may not be asked. A restore needs
    ``roles`` and ``extensions`` beforehand, and does not bring back what is ``outside`` (None: nobody has looked).
    """

    kind: Literal["backup"] = "backup"
    schema_version: Literal[1] = 1
    file: str
    database: str
    system: str
    server_version: str
    pg_dump_version: str
    taken_at: AwareDatetime
    seconds: float
    bytes: int
    sha256: str
    schemas: tuple[str, ...]
    missing_schemas: tuple[str, ...]
    tables: dict[str, Rows]
    objects: dict[str, int]
    roles: tuple[str, ...]
    extensions: tuple[Extension, ...]
    outside: Outside | None = None
    rehearsal: Rehearsal | None = None

    @property
    def rows(self) -> int:
        """All rows that were counted or estimated."""
        return sum(table.rows or 0 for table in self.tables.values())

    @property
    def counted(self) -> int:
        """The rows that were counted one by one."""
        return sum(table.rows or 0 for table in self.tables.values() if table.exact)

    @property
    def estimated(self) -> tuple[str, ...]:
        """The tables whose rows were not counted."""
        return tuple(name for name, table in self.tables.items() if not table.exact)

    @property
    def lost(self) -> tuple[str, ...]:
        """What the rehearsal did not bring back: tables that are missing or whose rows differ, in words."""
        if self.rehearsal is None:
            return ()
        restored: Mapping[str, int | None] = self.rehearsal.tables
        return tuple(
            said for name, dumped in self.tables.items() if (said := _loss(name, dumped, restored.get(name, -1)))
        )

    @property
    def doubtful(self) -> tuple[str, ...]:
        """Where the rehearsal brought back too little of an estimate to call it the same, in words."""
        restored: Mapping[str, int | None] = self.rehearsal.tables if self.rehearsal else {}
        return tuple(said for name, dumped in self.tables.items() if (said := _doubt(name, dumped, restored.get(name))))

    @property
    def differing(self) -> tuple[str, ...]:
        """The kinds of objects of which the rehearsal brought back another number, in words."""
        if self.rehearsal is None:
            return ()
        there, back = self.objects, self.rehearsal.objects
        kinds = sorted({*there, *back})
        return tuple(
            f"{kind}: {back.get(kind, 0):,} of {there.get(kind, 0):,}"
            for kind in kinds
            if back.get(kind, 0) != there.get(kind, 0)
        )


def _loss(name: str, dumped: Rows, restored: int | None) -> str:
    if restored is None:
        return f"{name} could not be counted"
    if restored < 0:
        return f"{name} is missing"
    if dumped.exact and restored != dumped.rows:
        return f"{name} has {restored:,} of {dumped.rows:,} rows"
    if dumped.rows and not restored:  # an estimate is never equal, but nothing at all is a loss
        return f"{name} is empty, of about {dumped.rows:,} rows"
    return ""


def _doubt(name: str, dumped: Rows, restored: int | None) -> str:
    if dumped.exact or restored is None:
        return ""
    if dumped.rows is None:
        return f"{name} is empty, and nobody knows how many rows it had" if not restored else ""
    few = 0 < restored < NEAR * dumped.rows
    return f"{name} has {restored:,} of about {dumped.rows:,} rows" if few else ""


_JSON: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write a manifest beside its dump, whole or not at all; raises BackupError."""
    path = (folder / manifest.file).with_suffix(".json")
    part = path.with_name(f".{path.name}{PART}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_JSON.dump_json(manifest, indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        settle(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BackupError(f"{path.name} cannot be written: {error.strerror}; free some space and try again") from None
    return path


def settle(folder: Path) -> None:
    """Have the disk keep what was renamed in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(text: bytes) -> Manifest:
    """Read a manifest; raises ValueError for anything else."""
    return _JSON.validate_json(text)


def kind(text: bytes) -> str:
    """Return what a manifest says it is of (``backup`` or ``storage``); empty for anything else."""
    try:
        written = json.loads(text)
    except ValueError:
        return ""
    return str(written.get("kind", "")) if isinstance(written, dict) else ""


def stamp(at: datetime) -> str:
    """Return an instant as file names carry it."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def file_fault(path: Path, sha256: str) -> str:
    """Say what is wrong with a file of which this digest was written down; empty when it is there as it was."""
    try:
        return "" if digest(path) == sha256 else "is not what was written: its SHA-256 differs"
    except FileNotFoundError:
        return "is not there"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def digest(path: Path) -> str:
    """Return a file's SHA-256, read in pieces; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def workspace(folder: Path, prefix: str) -> Iterator[Path]:
    """Give a folder in ``folder``, which is made if missing, to one run at a time; raises BackupError and OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        for left in folder.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as work:
            yield Path(work)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupError(f"{folder}: another run writes there now; wait for its end") from None
    finally:
        os.close(handle)
