"""An item of the launch's checklist, and what a run, its age or a person says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from golive_lib.errors import LedgerError
from golive_lib.formats import age, duration, mask
from golive_lib.history import TICK
from golive_lib.proof import Point, Proof
from golive_lib.records import file_faults, judged
from golive_lib.verdicts import Status, worst

if TYPE_CHECKING:
    from golive_lib.history import Happened, History
    from golive_lib.plan import Plan, Stage
    from golive_lib.records import RunRecord


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item: its status, what was seen, when and on which evidence, and what to type next if it is open.

    ``evidence`` is a report's page, relative to the outputs, ``record`` the number in the ledger; ``person`` says that
    somebody must tick it.
    """

    key: str
    title: str
    part: str
    status: Status = Status.UNKNOWN
    seen: str
    at: datetime | None = None
    stale: bool = False
    evidence: str = ""
    record: int = 0
    next: str = ""
    person: bool = False

    @property
    def ticked(self) -> bool:
        """Whether nothing is left to do."""
        return self.status is Status.GREEN

    @property
    def proof(self) -> Proof:
        """The item as a proof of one point."""
        return Proof(self.key, self.title, (Point(self.title, self.status, self.seen, self.next),), self.seen)


@dataclass(frozen=True)
class Asked:
    """What the lists are made from: the plan, its SHA-256, the launch's history, and the instant asked for."""

    plan: Plan
    digest: str
    history: History
    now: datetime

    @property
    def begun(self) -> datetime | None:
        """When the first stage began, by the plan or else by its judgements; None before that."""
        starts = [stage.starts for stage in self.plan.stages if stage.starts]
        if not starts:
            judged_ = (moment(run.facts.get("started_at")) for _, run in self.history.runs("canary"))
            starts = [start for start in judged_ if start]
        return min((start for start in starts if start <= self.now), default=None)

    @property
    def rolled_back(self) -> Happened | None:
        """The last rollback that was executed, or may have been: one that failed changed nothing."""
        return max(self.history.rollbacks, key=lambda each: (each.at, each.seq), default=None)

    @property
    def landed(self) -> datetime | None:
        """When the last stage began, by its newest judgement that no rollback followed; None before that."""
        if not self.plan.stages:
            return datetime.min.replace(tzinfo=UTC)
        run = newest_stage(self, self.plan.stages[-1])
        started = run and moment(run[1].facts.get("started_at"))
        return None if not started or self.undone(started) else started

    def undone(self, started: datetime) -> bool:
        """Say whether a rollback followed what began then."""
        back = self.rolled_back
        return back is not None and back.at >= started


def newest_stage(asked: Asked, stage: Stage) -> tuple[Happened, RunRecord] | None:
    """Return the judgement of a stage that reaches furthest, and of those that reach as far the last."""
    runs = [pair for pair in asked.history.runs("canary") if pair[1].facts.get("stage") == stage.percent]
    return runs[-1] if runs else None


def by_person(asked: Asked, item: Item, seen: str, *, ready: bool) -> Item:
    """Return an item that is ticked by a person's word, once the kit has nothing against it."""
    item = replace(item, person=True)
    tick = newest_tick(asked, item.key)
    # What was ticked before there was this evidence was another's.
    if tick and tick.data.get("done") and ready and (item.at is None or tick.at >= item.at):
        said = f"ticked by {tick.word('by')}: {tick.word('note')}"
        return replace(item, status=Status.GREEN, seen=mask(said), at=tick.at, record=tick.seq, next="")
    if not ready:
        return item
    command = f"golive checklist tick {item.key} --by NAME --note …"
    return replace(item, status=Status.AMBER, seen=seen, next=command if item.evidence or item.record else item.next)


def newest_tick(asked: Asked, key: str) -> Happened | None:
    """Return the last word of a person on an item since the last stage began."""
    found = [each for each in asked.history.of(TICK) if each.word("item") == key]
    return found[-1] if found and asked.landed and found[-1].at >= asked.landed else None


def waiting(asked: Asked, item: Item) -> Item:
    """Return an item that nothing can be said of before the last stage."""
    return replace(item, seen=f"waits for the {asked.plan.stages[-1]} stage", next="")


def fault_of(asked: Asked, run: RunRecord) -> str:
    """Say why nothing can be believed of a run: a newer golive wrote it, or its files are gone or were edited."""
    if run.newer:
        return mask(run.sentence)
    fault = next(file_faults(asked.history.outputs, run), "")
    return fault and f"{fault}; judge it again"


def of_run(asked: Asked, item: Item, found: Happened, sections: tuple[str, ...]) -> Item:
    """Return what a run says of an item: by the worst of some sections of its figures, or as a whole.

    Files that are gone or were edited prove nothing, and take back nothing that the ledger knows to be red.
    """
    run = found.run
    if run is None:
        return item
    item = replace(item, at=found.at, evidence=run.html or "", record=found.seq)
    listed = run.facts.get("items")
    known = [listed.get(key) for key in sections if isinstance(listed, dict)] if sections else [run.status]
    unproven = Status.RED if Status.RED in known else Status.UNKNOWN
    if fault := fault_of(asked, run):
        return replace(item, status=unproven, seen=fault)
    if not sections:
        return replace(item, status=Status(run.status or Status.UNKNOWN), seen=run.sentence)
    try:
        listed = judged(asked.history.outputs, run).get("items", {})
        statuses = {key: Status(listed[key]["status"]) for key in sections if key in listed}
    except (LedgerError, ValueError) as error:
        return replace(item, status=unproven, seen=str(error))
    if missing := [key for key in sections if key not in statuses]:
        return replace(item, status=Status.UNKNOWN, seen=f"{run.notebook} did not look at {', '.join(missing)}")
    status = worst(statuses.values())
    seen = "; ".join(str(listed[key]["reason"]) for key in sections if statuses[key] is status)
    return replace(item, status=status, seen=mask(seen))


def by_plan(asked: Asked, item: Item, run: RunRecord) -> Item:
    """Take the tick from what was judged by another plan than today's."""
    if not item.ticked or run.plan == asked.digest:
        return item
    seen = f"judged by another plan than today's; judge it again: {item.seen}"
    return replace(item, status=Status.AMBER, seen=seen)


def aged(asked: Asked, item: Item, max_age: timedelta) -> Item:
    """Say of a ticked item when it was proven, and take the tick from one that was too old when the launch began."""
    if not item.ticked or item.at is None:
        return item
    begun = asked.begun
    if begun and item.at > begun:
        return replace(item, seen=f"{item.seen} (proven after the first stage began)")
    old = (begun or asked.now) - item.at
    if old <= max_age:
        return item
    when = "when the first stage began" if begun else "now"
    seen = f"{age(old)} {when}, and may be {duration(max_age)}: {item.seen}"
    return replace(item, status=Status.AMBER, stale=True, seen=seen)


def moment(text: object) -> datetime | None:
    """Read an instant of a record; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None
