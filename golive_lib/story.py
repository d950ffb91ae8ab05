"""The story of a launch: what happened, when, and what it decided, from the same records as the checklist."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from golive_lib.checklist_items import moment
from golive_lib.formats import mask
from golive_lib.history import MESSAGE, TICK
from golive_lib.ledger import REHEARSAL, ROLLBACK
from golive_lib.records import RUN
from golive_lib.show import VERDICTS
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from golive_lib.history import Happened, History
    from golive_lib.plan import Plan

REPORTS, ROLLBACKS, MESSAGES, TICKS = "Reports", "Rollback", "Messages", "Ticks"
_SAID = {"go": Status.GREEN, "hold": Status.AMBER, "no-go": Status.RED}
_STATES = {"done": Status.RED, "failed": Status.UNKNOWN, "unknown": Status.UNKNOWN, "begun": Status.UNKNOWN}


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened: its row in the story, what it was, what it decided in a word, and why.

    ``since`` is when the stage began that it judges; ``count`` how many runs in a row said the same; ``back`` marks a
    rollback that was, or may have been, executed.
    """

    at: datetime
    seq: int
    row: str
    what: str
    word: str
    status: Status
    said: str
    by: str = ""
    evidence: str = ""
    since: datetime | None = None
    count: int = 1
    back: bool = False


@dataclass(frozen=True)
class Lane:
    """A stage of the plan: its row, and its planned span where the plan says when it begins."""

    row: str
    starts: datetime | None
    ends: datetime | None


@dataclass(frozen=True)
class Story:
    """The stages as planned, and all that happened, in order."""

    lanes: tuple[Lane, ...]
    events: tuple[Event, ...]

    @property
    def decided(self) -> dict[str, Event]:
        """The newest judgement of each stage, by its row."""
        rows = {lane.row for lane in self.lanes}
        return {event.row: event for event in self.events if event.row in rows}

    @property
    def rollbacks(self) -> tuple[Event, ...]:
        """The rollbacks that were executed, or may have been."""
        return tuple(event for event in self.events if event.back)


def tell(plan: Plan, history: History) -> Story:
    """Return the story of a launch; runs of one stage in a row that decided the same are told once."""
    lanes = tuple(
        Lane(str(stage), stage.starts, stage.starts + stage.soak if stage.starts else None) for stage in plan.stages
    )
    events = (_TOLD[each.kind](each) for each in _finished(history.records) if each.kind in _TOLD)
    return Story(lanes, tuple(_folded(event for event in events if event)))


def _finished(records: Iterable[Happened]) -> list[Happened]:
    """Leave out the beginning of a rollback whose end is told."""
    kept = list(records)
    last = max((each.seq for each in kept if each.kind == ROLLBACK and each.word("state") != "begun"), default=0)
    return [each for each in kept if not (each.kind == ROLLBACK and each.word("state") == "begun" and each.seq < last)]


def _folded(events: Iterable[Event]) -> list[Event]:
    """Tell runs once, by the newest: of a stage those that decided the same again, of others those in a row."""
    told: list[Event] = []
    for event in events:
        same = [i for i, last in enumerate(told) if (last.row, last.what) == (event.row, event.what)]
        i = same[-1] if same else len(told)
        if same and _again(told[i], event, in_a_row=i == len(told) - 1):
            told.append(replace(event, count=told.pop(i).count + 1))
        else:
            told.append(event)
    return told


def _again(last: Event, event: Event, *, in_a_row: bool) -> bool:
    alike = (last.word, last.since) == (event.word, event.since)
    return alike and bool(event.evidence) and (in_a_row or event.since is not None)


def _run(record: Happened) -> Event | None:
    run = record.run
    if run is None or run.notebook == "checklist":
        return None
    word, status = VERDICTS[Verdict(run.verdict)] if run.verdict else ("Unknown", Status.UNKNOWN)
    if run.verdict == Verdict.HOLD and run.status == Status.UNKNOWN:
        status = Status.UNKNOWN
    stage = run.facts.get("stage") if run.notebook == "canary" else None
    started = moment(run.facts.get("started_at")) if stage is not None else None
    row = f"{stage:g} %" if isinstance(stage, int | float) else REPORTS
    return Event(
        at=record.at,
        seq=record.seq,
        row=row,
        what=f"Stage {row}" if row != REPORTS else run.notebook.capitalize() if run.notebook != "rls" else "RLS",
        word=word,
        status=status,
        said=mask(run.sentence),
        evidence=run.html or "",
        since=started,
    )


def _rehearsal(record: Happened) -> Event:
    verdict = record.word("verdict")
    status = _SAID.get(verdict, Status.UNKNOWN)
    return _event(record, ROLLBACKS, "Rehearsal", verdict.capitalize() or "Unknown", status, record.word("sentence"))


def _rollback(record: Happened) -> Event:
    state = record.word("state")
    proven = "verified" if record.data.get("verified") else "not verified"
    seconds = record.data.get("seconds")
    took = seconds.get("command") if isinstance(seconds, dict) else None
    said = f"{proven}{f', {took:.3g} s from the command' if isinstance(took, int | float) else ''}"
    word = {"done": "Rolled back", "begun": "Begun"}.get(state, state.capitalize())
    event = _event(
        record, ROLLBACKS, f"Rollback, level {record.word('level')}", word, _STATES.get(state, Status.UNKNOWN), said
    )
    return replace(event, back=state != "failed")


def _message(record: Happened) -> Event:
    sent = [one for one in record.data.get("sent", ()) if isinstance(one, dict)]
    reached = [str(one.get("target")) for one in sent if one.get("ok")]
    missed = [str(one.get("target")) for one in sent if not one.get("ok")]
    parts = [f"sent to {', '.join(reached)}"] * bool(reached) + [f"did not reach {', '.join(missed)}"] * bool(missed)
    status = Status.AMBER if missed else Status.GREEN if reached else Status.UNKNOWN
    word = "Not sent" if missed and not reached else "Sent" if reached else "Written"
    return _event(
        record, MESSAGES, f"Message: {record.word('kind')}", word, status, "; ".join(parts) or "to be sent by a person"
    )


def _tick(record: Happened) -> Event:
    done = bool(record.data.get("done"))
    word, status = ("Ticked", Status.GREEN) if done else ("Taken back", Status.AMBER)
    return _event(record, TICKS, f"Tick: {record.word('item')}", word, status, record.word("note"))


def _event(record: Happened, row: str, what: str, word: str, status: Status, said: str) -> Event:
    return Event(
        at=record.at,
        seq=record.seq,
        row=row,
        what=mask(what),
        word=word,
        status=status,
        said=mask(said),
        by=mask(record.word("by")),
    )


_TOLD: Mapping[str, Callable[[Happened], Event | None]] = {
    RUN: _run,
    REHEARSAL: _rehearsal,
    ROLLBACK: _rollback,
    MESSAGE: _message,
    TICK: _tick,
}
