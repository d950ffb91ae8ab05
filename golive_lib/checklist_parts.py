"""The runbook's three lists: each item ticked from the launch's records, with what was seen and what to do next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from golive_lib import formats
from golive_lib.checklist_items import (
    Asked,
    Item,
    aged,
    by_person,
    by_plan,
    fault_of,
    moment,
    newest_stage,
    of_run,
    waiting,
)
from golive_lib.formats import duration, mask
from golive_lib.history import MESSAGE
from golive_lib.ledger import REHEARSAL
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from golive_lib.history import Happened
    from golive_lib.plan import Stage

BEFORE, CANARY, AFTER = "Before the launch", "Canary", "After the launch"
READY, REHEARSE, CARE = "golive readiness --prepare", "golive rollback --rehearse", "golive aftercare"
READINESS = {
    "secrets": "Secrets",
    "flags": "Feature flags",
    "backup": "Database backup",
    "storage": "Storage snapshot",
    "coverage": "RLS report",
    "isolation": "Live probe of RLS",
    "test_accounts": "Test accounts",
    "sanity": "Sanity of the data",
    "contracts": "API contracts",
}
AFTERCARE = {
    "health": ("Health checks", ("day_health", "flow")),
    "funnel": ("Payments funnel", ("funnel",)),
    "utilization": ("Reader utilization", ("utilization",)),
    "recordings": ("Recordings validated", ("recordings",)),
    "performance": ("Performance tickets", ("performance",)),
}
TICKET, SUCCESS = "ticket.md", "success"
_SAID = {"go": Status.GREEN, "hold": Status.AMBER, "no-go": Status.RED}


def before(asked: Asked) -> Iterator[Item]:
    """Give the items of the list before the launch."""
    found = list(asked.history.runs("readiness"))
    run = found[-1] if found else None
    for key, title in READINESS.items():
        item = Item(key=key, title=title, part=BEFORE, seen="not proven yet", next=READY)
        if run:
            item = by_plan(asked, of_run(asked, item, run[0], (key,)), run[1])
            item = aged(asked, item, asked.plan.checklist.max_age)
        yield replace(item, next="" if item.ticked else READY)
    yield _rehearsed(asked, run[0] if run else None)


def _rehearsed(asked: Asked, ready: Happened | None) -> Item:
    """Return the rehearsal's item; a later readiness may have seen that it no longer holds."""
    item = Item(key="rollback", title="Rollback rehearsed", part=BEFORE, seen="not rehearsed yet", next=REHEARSE)
    found = asked.history.of(REHEARSAL)
    if not found:
        return item
    last = found[-1]
    status = _SAID.get(last.word("verdict"), Status.UNKNOWN)
    said = f"{last.word('sentence') or 'rehearsed'} By {last.word('by') or 'nobody named'}."
    item = replace(item, status=status, seen=mask(said), at=last.at, record=last.seq)
    if ready and ready.at >= last.at:
        since = of_run(asked, item, ready, ("rollback",))
        item = since if since.status in {Status.AMBER, Status.RED} else item
    item = aged(asked, item, min(asked.plan.checklist.max_age, asked.plan.rollback.max_age))
    return replace(item, next="" if item.ticked else REHEARSE)


def canary(asked: Asked) -> Iterator[Item]:
    """Give an item per stage of the plan; one that is not judged waits for those before it."""
    waits_for = ""
    for stage in asked.plan.stages:
        key, title = f"canary_{stage.percent:g}", f"{stage} green for {duration(stage.soak)}"
        item = Item(key=key, title=title, part=CANARY, seen=f"waits for the {waits_for} stage")
        run = newest_stage(asked, stage)
        if run:
            item = _judged_stage(asked, stage, item, run[0])
        elif not waits_for:
            item = replace(item, seen="not judged yet")
        if not (item.ticked or item.next or waits_for):
            item = replace(item, next=f"golive canary --stage {stage.percent:g}")
        yield item
        waits_for = waits_for or ("" if item.ticked else str(stage))


def _judged_stage(asked: Asked, stage: Stage, item: Item, found: Happened) -> Item:
    """Return what the newest judgement of a stage says of it, if it can be trusted and no rollback followed."""
    run = found.run
    if run is None:
        return item
    item = replace(item, at=found.at, evidence=run.html or "", record=found.seq)
    started, until = (moment(run.facts.get(name)) for name in ("started_at", "judged_until"))
    fault = fault_of(asked, run)
    if (fault and run.verdict != Verdict.ROLLBACK) or started is None or until is None:
        return replace(item, seen=fault or "the record does not say how long it was watched; judge it again")
    if (back := asked.rolled_back) and back.at >= started:
        red = run.verdict == Verdict.ROLLBACK
        what = run.sentence if red else "what was seen before it no longer counts"
        seen = f"rolled back since, by {back.word('by') or 'nobody named'}: {what}"
        return replace(item, status=Status.RED if red else Status.AMBER, seen=mask(seen))
    if run.verdict == Verdict.ROLLBACK:
        return replace(item, status=Status.RED, seen=run.sentence, next="golive rollback --level 1")
    status, watched = Status.AMBER, f"green for {duration(until - started)}"
    if run.verdict != Verdict.PROMOTE:
        watched = run.sentence
    elif until - started < stage.soak:
        watched += f", of the {duration(stage.soak)} that the plan asks for"
    elif early := _early(asked, stage, started):
        watched += f", but {early}"
    else:
        status = Status.GREEN
    return by_plan(asked, replace(item, status=status, seen=watched), run)


def _early(asked: Asked, stage: Stage, started: datetime) -> str:
    """Say which earlier stage was not over when this one began; what it was watched beyond its soak does not count."""
    zone = ZoneInfo(asked.plan.timezone)
    for other in asked.plan.stages[: asked.plan.stages.index(stage)]:
        found = newest_stage(asked, other)
        begun, until = (moment(found[1].facts.get(name)) if found else None for name in ("started_at", "judged_until"))
        if begun and until and started < (end := min(until, begun + other.soak)):
            over = f"before the {other} stage was over at {formats.moment(end, zone)}"
            return f"it began at {formats.moment(started, zone)}, {over}; begin it again"
    return ""


def after(asked: Asked) -> Iterator[Item]:
    """Give the items of the list after the launch; before the last stage has begun there is nothing to look at."""
    yield _artifacts(asked)
    yield from (_cared(asked, key) for key in AFTERCARE)
    yield _success(asked)


def _artifacts(asked: Asked) -> Item:
    item = Item(key="artifacts", title="RLS artifacts", part=AFTER, seen="not collected yet", next="golive rls")
    found = [each for each, _ in asked.history.runs("rls")]
    if asked.landed is None:
        return waiting(asked, item)
    if not found or found[-1].at < asked.landed or found[-1].run is None:
        return item
    run = found[-1].run
    item = of_run(asked, item, found[-1], ())
    lacking = [kind for kind in ("html", "csv", "json") if not any(name.endswith(f".{kind}") for name in run.files)]
    if item.ticked and lacking:
        return replace(item, status=Status.UNKNOWN, seen=f"the report came without its {', '.join(lacking)}")
    return replace(item, next="") if item.ticked else item


def _cared(asked: Asked, key: str) -> Item:
    title, sections = AFTERCARE[key]
    item = Item(key=key, title=title, part=AFTER, seen="not looked at yet", next=CARE, person=key == "recordings")
    if asked.landed is None:
        return waiting(asked, item)
    found = [each for each, _ in asked.history.runs("aftercare")]
    if not found or found[-1].at < asked.landed:
        return item
    item = of_run(asked, item, found[-1], sections)
    whole = asked.landed + asked.plan.aftercare.window if asked.plan.stages else asked.landed
    if item.ticked and found[-1].at < whole:
        waited = (
            f"judged {duration(found[-1].at - asked.landed)} after the last stage began, before its hours were over"
        )
        return replace(item, status=Status.AMBER, seen=waited)
    run = found[-1].run
    if key == "performance" and run and TICKET in run.files:
        return by_person(asked, item, "a ticket is due: somebody must file it", ready=item.status is not Status.UNKNOWN)
    if key == "recordings":
        return by_person(asked, item, f"{item.seen}; somebody must listen to the sample", ready=item.ticked)
    return replace(item, next="") if item.ticked else item


def _success(asked: Asked) -> Item:
    by_hand = not asked.plan.messages.targets
    write = "golive message success" + ("" if by_hand else " --send")
    item = Item(
        key=SUCCESS, title="Success message sent", part=AFTER, seen="not written yet", next=write, person=by_hand
    )
    if asked.landed is None:
        return waiting(asked, item)
    messages = (each for each in asked.history.of(MESSAGE) if each.word("kind") == SUCCESS)
    found = [each for each in messages if each.at >= asked.landed]
    sent = [each for each in found if any(one.get("ok") for one in each.data.get("sent", ()))]
    if sent:
        targets = ", ".join(str(one.get("target")) for one in sent[-1].data["sent"] if one.get("ok"))
        seen = mask(f"sent to {targets}")
        return replace(item, status=Status.GREEN, seen=seen, at=sent[-1].at, record=sent[-1].seq, next="", person=False)
    if found:
        item = replace(item, seen="written, and not sent", status=Status.AMBER, at=found[-1].at, record=found[-1].seq)
    if not by_hand:
        return item
    words = "written; the plan names no target: somebody must send it" if found else "the plan names no target"
    return by_person(asked, item, words, ready=True)
