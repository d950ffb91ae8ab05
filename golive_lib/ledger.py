"""The ledger: everything that happened in a launch, one JSON line each, chained by hashes, only ever added to.

A line carries the SHA-256 of the line before, so an edited, removed or reordered one breaks the chain. The newest is
held by a small file beside it, the head, which also tells a torn last line (a power cut) from a removed one. Whoever
rewrites both can forge everything: note the head's hash elsewhere to rule that out.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import fasteners

from golive_lib.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

SCHEMA = 1
LEDGER = "ledger.jsonl"
HEAD = "ledger.head"
REPAIR, REHEARSAL, ROLLBACK = "repair", "rehearsal", "rollback"  # kinds of records
LOST = f"{HEAD} was missing"
NOTHING = "0" * 64  # what the first line carries as the hash before it
_HERE = threading.Lock()  # a lock on a file holds between processes alone


@dataclass(frozen=True)
class Entry:
    """One line: its number from 1, when it was written (UTC), what kind of thing happened, and what is known of it."""

    seq: int
    at: str
    kind: str
    data: Mapping[str, Any]
    prev: str
    schema: int = SCHEMA

    @property
    def written_at(self) -> datetime:
        """When the line was written."""
        return datetime.fromisoformat(self.at)

    def line(self) -> bytes:
        """Return the entry as it stands in the file, without the line's end."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


@dataclass(frozen=True)
class _Head:
    seq: int
    hash: str
    bytes: int


@dataclass(frozen=True)
class Audit:
    """What became of a ledger: how many records it holds, the newest one's hash, and each fault in a sentence."""

    records: int
    head: str
    faults: tuple[str, ...]


class Ledger:
    """The ledger of an outputs folder; ``say`` is told when something had to be repaired."""

    def __init__(self, outputs: Path, say: Callable[[str], object] = lambda _: None) -> None:
        self.path = outputs / LEDGER
        self._head = outputs / HEAD
        self._say = say

    def append(self, kind: str, data: Mapping[str, Any]) -> Entry:
        """Add one record, on the disk when this returns; writers at the same time wait for each other.

        A torn last line is put aside and the repair recorded first. Raises LedgerError when it cannot be written.
        """
        with self._locked():
            head, broken = self._mended()
            if broken:
                self._say(f"{self.path}: {broken}")
                _, head = self._add(head, REPAIR, {"what": broken})
            return self._add(head, kind, data)[0]

    def entries(self, *kinds: str) -> tuple[Entry, ...]:
        """Return the records in their order, those of some kinds alone if any are named; a torn last line is none.

        Raises LedgerError for a line that cannot be read: ``verify`` says more.
        """
        lines, _ = _split(self._read())
        found = [self._entry(line, number) for number, line in enumerate(lines, 1)]
        return tuple(entry for entry in found if not kinds or entry.kind in kinds)

    def audit(self) -> Audit:
        """Look for records that were edited, removed or put in another order."""
        if not self.path.parent.is_dir():
            return Audit(0, NOTHING, ())  # nothing has happened yet, and looking makes no folder
        with self._locked():
            content, head = self._read(), self._known_head()
        lines, torn = _split(content)
        faults = [f"the last line is torn ({len(torn)} bytes); the next record repairs it"] if torn else []
        entries: list[tuple[Entry, str]] = []
        for number, line in enumerate(lines, 1):
            try:
                entries.append((self._entry(line, number), _hash(line)))
            except LedgerError as error:
                faults.append(str(error))
        faults += _chain_faults(entries)
        faults += _head_faults(entries, head)
        repairs = ((entry.seq, str(entry.data.get("what"))) for entry, _ in entries if entry.kind == REPAIR)
        faults += [f"record {seq}: {what}" for seq, what in repairs if LOST in what]  # what went then, went for good
        return Audit(len(lines), entries[-1][1] if entries else NOTHING, tuple(dict.fromkeys(faults)))

    def _add(self, head: _Head, kind: str, data: Mapping[str, Any]) -> tuple[Entry, _Head]:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = Entry(head.seq + 1, now, kind, data, head.hash)
        line = entry.line()
        try:
            _write(self.path, line + b"\n")
            new = _Head(entry.seq, _hash(line), self.path.stat().st_size)
            scratch = self._head.with_suffix(".new")
            scratch.write_text(json.dumps(asdict(new)) + "\n", encoding="utf-8")
            scratch.replace(self._head)
        except OSError as error:
            raise LedgerError(f"{self.path}: the record could not be written: {error.strerror}") from None
        return entry, new

    def _mended(self) -> tuple[_Head, str]:
        """Return what the next record goes on from, and what had to be mended for it."""
        head = self._known_head()
        if head and self.path.is_file() and self.path.stat().st_size == head.bytes:
            return head, ""
        lines, torn = _split(self._read())
        aside = self._put_aside(torn) if torn else ""
        if head is None:
            lost = f"{LOST}, so nobody can tell whether the last records were removed" if lines else ""
            return self._last(lines), "; ".join(filter(None, (aside, lost)))
        later = [line for line in lines if self._number(line) > head.seq]
        # Written, but the head was not: the machine stopped in between. Anything else is for `verify` to find.
        return (self._last(lines) if later and json.loads(later[0])["prev"] == head.hash else head), aside

    def _put_aside(self, torn: bytes) -> str:
        """Move what is left of a torn last line to a file of its own."""
        kept = self.path.with_name(f"ledger.torn-{_hash(torn)[:8]}.txt")
        try:
            kept.write_bytes(torn)
            os.truncate(self.path, self.path.stat().st_size - len(torn))
        except OSError as error:
            raise LedgerError(f"{self.path}: its torn last line could not be put aside: {error.strerror}") from None
        return f"its last line was torn (a power cut?); its {len(torn)} bytes are kept in {kept.name}"

    def _last(self, lines: list[bytes]) -> _Head:
        if not lines:
            return _Head(0, NOTHING, 0)
        return _Head(self._number(lines[-1]), _hash(lines[-1]), 0)

    def _number(self, line: bytes) -> int:
        try:
            return self._entry(line, 0).seq
        except LedgerError:
            return 0

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            data = json.loads(line)
            if int(data.get("schema", 0)) > SCHEMA:
                raise LedgerError(f"{self.path}: line {number} was written by a newer golive; use that one")
            entry = Entry(**data)
            _ = entry.written_at, entry.seq + 1, dict(entry.data)
        except (ValueError, TypeError, AttributeError) as error:
            what = f"line {number} of the ledger cannot be read as a record: {error}"
            raise LedgerError(f"{self.path}: {what}") from None
        return entry

    def _known_head(self) -> _Head | None:
        try:
            head = _Head(**json.loads(self._head.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        sound = (type(head.seq), type(head.hash), type(head.bytes)) == (int, str, int)
        return head if sound else None

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be read: {error.strerror}") from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _HERE, fasteners.InterProcessLock(self.path.with_name(".ledger.lock")):
                yield
        except OSError as error:
            raise LedgerError(f"{self.path}: cannot be used: {error.strerror}; see --outputs") from None


def _write(path: Path, line: bytes) -> None:
    """Add a line and wait for the disk; one that does not fit is taken back."""
    with path.open("ab") as file:
        before = file.tell()
        try:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.truncate(path, before)
            raise


def _split(content: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole lines, and what is left of a torn last one."""
    *lines, torn = content.split(b"\n")
    return lines, torn


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _chain_faults(entries: list[tuple[Entry, str]]) -> Iterator[str]:
    """Say where the numbers or the hashes of neighbours do not fit."""
    everywhere = {entry.seq for entry, _ in entries}
    before, hash_before = 0, NOTHING
    for entry, own in entries:
        if entry.seq <= before:
            yield f"record {entry.seq} stands behind record {before}: the order was changed"
        elif entry.seq > before + 1:
            moved = sum(before < seq < entry.seq for seq in everywhere)
            if moved < entry.seq - before - 1:
                yield f"{_named(before + 1, entry.seq - 1)} removed before record {entry.seq}"
            else:
                yield f"record {entry.seq} stands behind record {before}: the order was changed"
        elif entry.prev != hash_before:
            yield (
                f"record {before} was edited: record {entry.seq} carries another hash of it"
                if before
                else (f"record {entry.seq} was edited: the first carries no hash")
            )
        before, hash_before = entry.seq, own


def _head_faults(entries: list[tuple[Entry, str]], head: _Head | None) -> Iterator[str]:
    """Say where the newest records do not fit the head."""
    if head is None:
        if entries:
            yield f"{HEAD} is missing, so nobody can tell whether the last records were removed"
        return
    hashes = {entry.seq: own for entry, own in entries}
    last = max(hashes, default=0)
    if last < head.seq:
        yield f"{_named(last + 1, head.seq)} removed from the end"
    elif hashes.get(head.seq) not in (None, head.hash):
        yield f"record {head.seq} was edited: the head carries another hash of it"


def _named(first: int, last: int) -> str:
    return f"record {first} was" if first == last else f"records {first} to {last} were"
