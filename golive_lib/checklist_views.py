"""What the checklist's notebook shows: how far each list is, its items with their evidence, and the story's events."""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib.checklist import PARTS
from golive_lib.checklist_parts import AFTER, BEFORE, CANARY
from golive_lib.formats import MISSING, duration
from golive_lib.grid import Link
from golive_lib.show import Html, Tile, joined, line, table, tiles
from golive_lib.verdicts import worst

if TYPE_CHECKING:
    from golive_lib.checklist import Checklist
    from golive_lib.checklist_items import Item
    from golive_lib.launch import Launch
    from golive_lib.story import Story

MOST = 200  # rows of the story
MINUTE = timedelta(minutes=1)


def progress(checklist: Checklist) -> Html:
    """Return how many items of each list are ticked."""
    found = []
    for part in PARTS:
        items = checklist.part(part)
        if items:
            ticked = sum(item.ticked for item in items)
            person = sum(item.person and not item.ticked for item in items)
            note = f"{person} for a person to tick" if person else ""
            found.append(Tile(part, f"{ticked} of {len(items)}", note, worst(item.status for item in items)))
    return tiles(found)


def part(checklist: Checklist, name: str) -> Html:
    """Return a list's items: status, what was seen, when, how old it is, and the report it is seen in."""
    zone = ZoneInfo(checklist.zone)
    rows = [
        (
            item.title,
            item.status.value,
            item.seen,
            item.at,
            _age(checklist, item),
            _evidence(item.evidence, item.record),
        )
        for item in checklist.part(name)
    ]
    frame = pd.DataFrame(rows, columns=["item", "status", "seen", "at", "age", "evidence"], dtype=object)
    return table(frame, caption=f"{name}: each item and where it is seen", status_column="status", tz=zone)


def _age(checklist: Checklist, item: Item) -> str | None:
    if item.at is None:
        return None
    old = checklist.clock.now - item.at
    said = duration(old) if old >= MINUTE else "new"
    return f"{said}, too old" if item.stale else said


def _evidence(page: str, record: int) -> Link | str:
    """Return a link from one report's page to another's, else the number of the ledger's record."""
    if page:
        return Link(page.rpartition("/")[2].removesuffix(".html"), f"../{page}")
    return f"ledger record {record}" if record else MISSING


def to_do(checklist: Checklist) -> Html:
    """Return what can be done now, the red first, each with what to type; the rest waits for it."""
    rows = [
        (item.title, item.status.value, item.seen, item.next, "a person" if item.person else "the kit")
        for item in checklist.open
        if item.next
    ]
    if not rows:
        return line("Nothing: every item is ticked.")
    frame = pd.DataFrame(rows, columns=["item", "status", "seen", "what to type", "ticked by"])
    return table(frame, caption="What can be done now, the red first", status_column="status")


def events(story: Story, launch: Launch) -> Html:
    """Return everything that happened, in order: when, what, what it decided, by whom, and where it is seen."""
    rows = [
        (
            event.at,
            event.what + f" ({event.count} runs)" * (event.count > 1),
            event.status.value,
            event.word,
            event.said,
            event.by or None,
            _evidence(event.evidence, event.seq),
        )
        for event in story.events
    ]
    if not rows:
        return line("Nothing has happened yet.")
    frame = pd.DataFrame(rows, columns=["when", "what", "status", "verdict", "why", "by", "evidence"], dtype=object)
    if not any(event.by for event in story.events):
        frame = frame.drop(columns="by")
    return table(frame, caption="What happened, in order", status_column="status", tz=launch.zone, max_rows=MOST)


def faults(checklist: Checklist) -> Html:
    """Return what is wrong with the records themselves, and how many count for nothing as they lie past the moment."""
    found, later = checklist.history.faults, checklist.history.later
    said = [] if found else ["Every record and every file is as it was written."]
    said += [f"{later} records lie past this moment and count for nothing."] if later else []
    pieces = [line(" ".join(said))] if said else []
    if found:
        frame = pd.DataFrame({"what is wrong": found})
        pieces.append(table(frame, caption="Records that are not as they were written", max_rows=MOST))
    return joined(*pieces)


def rules(checklist: Checklist) -> Html:
    """Return what ticks the items of each list, folded away."""
    plan = checklist.asked.plan
    soaks = ", ".join(f"{stage} for {duration(stage.soak)}" for stage in plan.stages)
    fresh, window = duration(plan.checklist.max_age), duration(plan.aftercare.window)
    said = {
        BEFORE: "The newest `golive readiness` found the item green, and the newest rehearsal went well; at most "
        f"{fresh} old when the first stage began, or now if it has not. What was proven later counts and says so.",
        CANARY: f"The newest judgement of the stage promotes it under today's plan, after its whole soak ({soaks}). A "
        "rollback takes the tick from every stage that began before it, until it is run again.",
        AFTER: "What was looked at since the last stage began: `golive rls` with its files; `golive aftercare` after "
        f"{window}, section by section. Somebody must listen to the recordings, file a ticket that is due, and send "
        "the success message where the plan names no target: `golive checklist tick ITEM --by NAME --note …`.",
    }
    markup = "".join(
        f'<details class="gl"><summary>{escape(name)}</summary><p>{_code(text)}</p></details>'
        for name, text in said.items()
    )
    return Html(markup, "\n".join(f"{name}: {text}" for name, text in said.items()))


def _code(text: str) -> str:
    """Return a sentence as HTML, what stands between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if i % 2 else piece for i, piece in enumerate(pieces))
