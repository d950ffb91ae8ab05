"""Old reports taken away: what goes, what stays whatever its age, and what a killed run left behind."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import fasteners

from golive_lib.errors import ReportError
from golive_lib.index import refresh_index
from golive_lib.ledger import Ledger
from golive_lib.records import PRUNE, RUN, ledger_history
from golive_lib.settings import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from golive_lib.records import RunRecord


@dataclass(frozen=True)
class Pruning:
    """What goes: the runs' ids and the left-over folders, with their bytes; and how many runs stay, and why.

    ``evidence`` of them are old enough to go and stay all the same.
    """

    runs: tuple[str, ...]
    leftovers: tuple[Path, ...]
    bytes: int
    stay: int
    evidence: int


def plan_pruning(outputs: Path, *, keep: int, older_than: timedelta | None, now: datetime | None = None) -> Pruning:
    """Say what goes: runs past the newest ``keep`` or older than ``older_than``, and what killed runs left.

    The newest run of each notebook, launch, database, stage and verdict stays, and one that another record in the
    ledger names; so does a run that the ledger does not know, for its folder is all there is of it. Raises LedgerError
    when the ledger cannot be read: then nothing can be told.
    """
    entries = Ledger(outputs).entries()
    named = {str(entry.data["run_id"]) for entry in entries if entry.kind != RUN and "run_id" in entry.data}
    kept = ledger_history(outputs)
    runs = sorted(kept.records, key=lambda record: record.started_at, reverse=True)
    there = [record for record in runs if (outputs / record.run_id).is_dir()]
    oldest = (now or datetime.now(UTC)) - older_than if older_than else None
    old = {
        record.run_id
        for place, record in enumerate(there)
        if place >= keep or (oldest and datetime.fromisoformat(record.started_at) < oldest)
    }
    evidence = (_newest_of_each(there) | named) - kept.pruned
    going = tuple(record.run_id for record in there if record.run_id in (old | kept.pruned) - evidence)
    hidden = (folder for folder in sorted(outputs.glob(".2*Z-*")) if folder.is_dir())
    leftovers = tuple(folder for folder in hidden if _abandoned(folder))
    folders = (*(outputs / run_id for run_id in going), *leftovers)
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    return Pruning(going, leftovers, size, len(there) - len(going), len(old & evidence))


def prune(outputs: Path, pruning: Pruning, say: Callable[[str], object] = lambda _: None) -> None:
    """Take away what was planned: first the ledger says so, then the folders go, then the index is written anew.

    Whoever is stopped in between finds the rest the next time. Raises ReportError that names what could not be removed.
    """
    if pruning.runs:
        Ledger(outputs, say).append(PRUNE, {"runs": list(pruning.runs), "bytes": pruning.bytes})
    stuck = [*_removed(outputs / run_id for run_id in pruning.runs)]
    for folder in pruning.leftovers:
        if _abandoned(folder):
            stuck += _removed([folder])
    for lock in outputs.glob(".2*Z-*.lock"):
        if not lock.with_suffix("").exists() and _abandoned(lock.with_suffix("")):
            with suppress(OSError):
                lock.unlink(missing_ok=True)
    refresh_index(outputs)
    if stuck:
        raise ReportError(f"{stuck[0]} and {len(stuck) - 1} others could not be removed; prune again as their owner")


def _newest_of_each(runs: Sequence[RunRecord]) -> set[str]:
    """Return the newest run of each notebook, launch, database, stage and verdict; ``runs`` have the newest first."""
    newest: dict[tuple[object, ...], str] = {}
    for record in runs:
        stage = record.facts.get("stage")
        newest.setdefault(
            (record.notebook, record.launch, place_of(record.database), stage, record.verdict), record.run_id
        )
    return set(newest.values())


def _abandoned(folder: Path) -> bool:
    """Say whether no living process holds a run's hidden folder."""
    path = folder.with_name(f"{folder.name}.lock")
    if not path.exists():
        return True
    lock = fasteners.InterProcessLock(path)
    if not lock.acquire(blocking=False):
        lock.lockfile.close()
        return False
    lock.release()
    return True


def _removed(folders: Iterable[Path]) -> Iterator[Path]:
    """Remove folders; give those that are still there."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            yield folder
