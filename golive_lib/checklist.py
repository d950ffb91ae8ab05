"""The launch's checklist: three lists ticked from the ledger, and what a person may tick by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from golive_lib import history
from golive_lib.checklist_items import Asked, Item, newest_tick
from golive_lib.checklist_parts import AFTER, BEFORE, CANARY, SUCCESS, after, before, canary
from golive_lib.errors import UsageError
from golive_lib.history import TICK
from golive_lib.leaks import plainly
from golive_lib.ledger import Ledger
from golive_lib.proof import Proofs
from golive_lib.settings import outputs_folder
from golive_lib.verdicts import Status, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from golive_lib.clock import Clock
    from golive_lib.history import History
    from golive_lib.launch import Launch
    from golive_lib.ledger import Entry
    from golive_lib.plan import Plan

PARTS = (BEFORE, CANARY, AFTER)
VERIFY = "golive ledger verify"


@dataclass(frozen=True, kw_only=True)
class Checklist(Proofs):
    """The items of the three lists at an instant, and the history they were ticked from."""

    items: tuple[Item, ...]
    asked: Asked
    said: ClassVar[str] = "ticked"
    words: ClassVar[Mapping[Verdict, str]] = {Verdict.GO: "Done", Verdict.HOLD: "Open", Verdict.NO_GO: "Stopped"}

    @property
    def history(self) -> History:
        """What happened in the launch."""
        return self.asked.history

    @property
    def open(self) -> tuple[Item, ...]:
        """The items that are not ticked, the red ones first."""
        return tuple(sorted((item for item in self.items if not item.ticked), key=lambda item: item.status != "red"))

    def part(self, name: str) -> tuple[Item, ...]:
        """Return the items of one of the lists."""
        return tuple(item for item in self.items if item.part == name)

    def record(self) -> dict[str, Any]:
        """Return the items as data for JSON, and what is open in its order, which is kept as a CSV too."""
        open_ = [
            {"item": item.title, "status": item.status.value, "seen": item.seen, "next": item.next}
            for item in self.open
        ]
        return super().record() | {"open": open_}

    def _sentence(self) -> str:
        open_, total = self.open, len(self.items)
        if not open_:
            return f"All {total} items are ticked: the launch is done."
        red = ", ".join(
            f"{item.title} ({item.seen.split('; ')[0].rstrip('.')})" for item in open_ if item.status is Status.RED
        )
        do = next((f"Next: '{item.next}' ({item.title})." for item in open_ if item.next), "")
        said = [f"{total - len(open_)} of {total} items are ticked.", f"Red: {red}." if red else "", do]
        if self.history.faults:
            said.insert(0, f"The records are not as they were written: {self.history.faults[0]}.")
        return " ".join(filter(None, said))


def examine(launch: Launch, *, as_of: datetime | str | None = None) -> Checklist:
    """Return the checklist at an instant, by default the database's now, from the records of the outputs folder.

    Raises DatabaseError without a database, QueryError for an ``as_of`` that is no instant or is to come, LedgerError
    when the outputs folder cannot be used.
    """
    with launch.database.snapshot() as snapshot:
        clock = snapshot.clock.past(as_of)
    return listed(launch.plan, outputs_folder(launch.env), str(launch.database.url), clock)


def listed(plan: Plan, outputs: Path, database: str, clock: Clock) -> Checklist:
    """Return the checklist of a plan's launch on a database, from the records of an outputs folder alone.

    Nothing is ticked from a ledger that is not whole. Raises LedgerError when the folder cannot be used.
    """
    happened = history.read(outputs, plan.name, database, clock.now)
    asked = Asked(plan, sha256(plan.path.read_bytes()).hexdigest(), happened, clock.now)
    items = [*before(asked), *canary(asked), *after(asked)]
    if happened.broken:
        items = [_doubted(item) for item in items]
    if happened.faults:
        items.append(_record(happened.faults))
    return Checklist(
        proofs=tuple(item.proof for item in items),
        items=tuple(items),
        asked=asked,
        clock=clock,
        launch=plan.name,
        database=database,
        zone=plan.timezone,
        then="the launch is done",
    )


def _doubted(item: Item) -> Item:
    """Return an item as it stands when nobody can trust the ledger."""
    status = worst([item.status, Status.UNKNOWN])
    return replace(item, status=status, seen=f"the ledger is not whole; it says: {item.seen}", next=VERIFY)


def _record(faults: tuple[str, ...]) -> Item:
    more = f"; and {len(faults) - 1} more" if len(faults) > 1 else ""
    return Item(key="ledger", title="Records whole", part=BEFORE, seen=f"{faults[0]}{more}", next=VERIFY)


def tick(
    launch: Launch, key: str, *, by: str, note: str, done: bool = True, say: Callable[[str], object] = lambda _: None
) -> Entry:
    """Record that a person did what an item asks for, or with ``done`` false that they take it back.

    Raises UsageError, with nothing recorded, for an unknown item, one that the kit ticks itself, an empty name or note,
    and a secret in either.
    """
    checklist = examine(launch)
    item = _tickable(checklist, key, done=done)
    who, what = (plainly(name, text, launch.env) for name, text in (("--by", by), ("--note", note)))
    last = newest_tick(checklist.asked, key)
    if not done and not (last and last.data.get("done")):
        raise UsageError(f"{key}: there is no tick to take back")
    record = {
        "launch": checklist.launch,
        "database": checklist.database,
        "at": checklist.clock.now.isoformat(),
        "item": item.key,
        "by": who,
        "note": what,
        "done": done,
    }
    return Ledger(outputs_folder(launch.env), say).append(TICK, record)


def _tickable(checklist: Checklist, key: str, *, done: bool) -> Item:
    item = next((each for each in checklist.items if each.key == key), None)
    if item is None:
        known = ", ".join(each.key for each in checklist.items if each.person)
        raise UsageError(f"there is no item {key!r}; a person may tick {known or 'none now'}")
    if not item.person:
        do = f"run '{item.next}'" if item.next else "there is nothing to do for it now"
        raise UsageError(f"{key}: the kit ticks it from its own records; {item.seen}; {do}")
    if checklist.asked.landed is None:
        raise UsageError(f"{key}: {item.seen}; what is ticked before that would not count")
    last = checklist.part(CANARY)[-1:]
    if done and key == SUCCESS and last and not last[0].ticked:
        stage, seen = checklist.asked.plan.stages[-1], last[0].seen.rstrip(".")
        raise UsageError(f"{key}: the {stage} stage is not green: {seen}; there is no success to tell of yet")
    return item
