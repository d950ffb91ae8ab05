"""The history of a launch: what the ledger holds of it on one database, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from golive_lib.errors import LedgerError
from golive_lib.ledger import REHEARSAL, ROLLBACK, Ledger
from golive_lib.records import RUN, published_faults, recorded
from golive_lib.settings import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from golive_lib.ledger import Entry
    from golive_lib.records import RunRecord

MESSAGE, TICK = "message", "tick"
KINDS = (RUN, REHEARSAL, ROLLBACK, MESSAGE, TICK)


@dataclass(frozen=True)
class Happened:
    """One record of the launch: its number in the ledger, its kind, when it was by the launch's clock, what it says."""

    seq: int
    kind: str
    at: datetime
    data: Mapping[str, Any]
    run: RunRecord | None = None

    def word(self, key: str) -> str:
        """Return what the record says under a key as text; empty where it says nothing."""
        value = self.data.get(key)
        return "" if value is None else str(value)


@dataclass(frozen=True)
class History:
    """A launch's records by the launch's clock, then by the ledger's order; ``later`` lie past the instant asked for.

    ``broken`` are the faults of the ledger itself, ``faults`` those and the ones of published files.
    """

    outputs: Path
    records: tuple[Happened, ...]
    later: int
    broken: tuple[str, ...]
    faults: tuple[str, ...]

    def of(self, kind: str) -> tuple[Happened, ...]:
        """Return the records of a kind, in their order."""
        return tuple(each for each in self.records if each.kind == kind)

    @property
    def rollbacks(self) -> tuple[Happened, ...]:
        """The rollbacks that may have changed something, in the ledger's order: no attempt that failed.

        One that only began counts until it has an end, for whoever was killed in the middle may have done it.
        """
        counting: list[Happened] = []
        for each in sorted(self.of(ROLLBACK), key=lambda each: each.seq):
            if each.word("state") != "begun" and counting and _began(counting[-1], each):
                counting.pop()
            if each.word("state") != "failed":
                counting.append(each)
        return tuple(counting)

    def runs(self, notebook: str) -> Iterator[tuple[Happened, RunRecord]]:
        """Give the runs of a notebook that judged something, in their order."""
        for each in self.records:
            if each.run and each.run.notebook == notebook:
                yield each, each.run


def _began(begun: Happened, end: Happened) -> bool:
    """Say whether a record is the beginning of the attempt that another ends."""
    same = ("level", "by", "login")
    return begun.word("state") == "begun" and all(begun.word(key) == end.word(key) for key in same)


def read(outputs: Path, launch: str, database: str, until: datetime) -> History:
    """Return what happened in a launch on a database until an instant, whoever was connected.

    A run without a launch's name, or one that crashed, judged nothing. Raises LedgerError when the outputs folder
    cannot be used; what is wrong with the records themselves is said in the result.
    """
    ledger = Ledger(outputs)
    broken = ledger.audit().faults
    try:
        entries = ledger.entries(*KINDS)
    except LedgerError:
        entries = ()  # the audit has said which
    of_it = [each for entry in entries if (each := _happened(entry, launch, database))]
    known = sorted((each for each in of_it if each.at <= until), key=lambda each: (each.at, each.seq))
    return History(outputs, tuple(known), len(of_it) - len(known), broken, (*broken, *published_faults(outputs)))


def _happened(entry: Entry, launch: str, database: str) -> Happened | None:
    """Return an entry as a record of the launch; None for another's, or for what no kit wrote."""
    run = recorded(entry) if entry.kind == RUN else None
    try:
        at = datetime.fromisoformat(str(entry.data["judged_at" if run else "at"]))
        place = str(entry.data["database"])
    except (KeyError, TypeError, ValueError):
        return None
    ours = entry.data.get("launch") == launch and place_of(place) == place_of(database)
    return Happened(entry.seq, entry.kind, at, entry.data, run) if ours and at.tzinfo else None
