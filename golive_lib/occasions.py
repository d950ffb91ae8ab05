"""What a launch plan wants to run by itself, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from golive_lib.clockwork import Pattern, parsed, patterns, repeated
from golive_lib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from golive_lib.plan import Plan, Stage

CANARY = "canary"
READINESS = "readiness"
AFTERCARE = "aftercare"
CHECKLIST = "checklist"
USUAL = timedelta(minutes=15)
BEFORE = (timedelta(hours=24), timedelta(hours=1))
LATER = timedelta(minutes=30)  # the checklist has the other reports' records by then
DAILY = "0 7 * * *"
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Occasion:
    """A notebook with its parameters, and when it runs: at instants (UTC), or by patterns of the scheduler's clock."""

    name: str
    notebook: str
    why: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    instants: tuple[datetime, ...] = ()
    patterns: tuple[Pattern, ...] = ()

    def times(self, zone: ZoneInfo) -> list[Pattern]:
        """Return when it runs as patterns of a clock in a zone."""
        return patterns(self.instants, zone) if self.instants else list(self.patterns)


def occasions(
    plan: Plan, known: Collection[str], wanted: Sequence[str] = (), *, every: timedelta | None = None, cron: str = ""
) -> list[Occasion]:
    """Return what runs by itself: the whole launch by the plan's ``starts``, or the notebooks wanted.

    ``known`` are the notebooks there are. ``every`` and ``cron`` are for those wanted. Raises UsageError for one that
    nothing says how often, and for a canary whose stages have no ``starts``.
    """
    if not wanted:
        if every or cron:
            raise UsageError(
                "--every and --cron are for the notebooks that are named: golive schedule health --every 1h"
            )
        return [*_launch(plan, known), *_paced(plan)]
    return [each for name in wanted for each in _wanted(plan, name, every, cron)]


def following(plan: Plan, notebook: str, now: datetime) -> float | None:
    """Return in how many seconds the next run of a notebook is due by the plan; None when none is.

    The canary's is due only while a stage lasts, if the plan says when.
    """
    rule = plan.schedule.get(notebook)
    if rule is None:
        return None
    spans, due = _spans(plan), now + rule.every
    if notebook == CANARY and spans and not any(start <= due <= end for _, start, end in spans):
        return None
    return rule.every.total_seconds()


def _launch(plan: Plan, known: Collection[str]) -> list[Occasion]:
    spans = _spans(plan)
    if not spans:
        every = plan.schedule[CANARY].every if CANARY in plan.schedule else USUAL
        why = f"every day; the canary (every {every.total_seconds() / 60:g} min) needs the stages' starts in the plan"
        return [Occasion(READINESS, READINESS, why, patterns=tuple(parsed(DAILY)))]
    first, last = spans[0][1], spans[-1][2]
    ready = Occasion(
        READINESS, READINESS, "a day and an hour before the first stage", instants=tuple(first - b for b in BEFORE)
    )
    after = Occasion(AFTERCARE, AFTERCARE, "when the last stage has lasted its time", instants=(_minute(last),))
    last_look = tuple(_minute(at + LATER) for at in (first - BEFORE[-1], last))
    lists = [Occasion(CHECKLIST, CHECKLIST, "half an hour after each of these", instants=last_look)]
    return [ready, *_canary(plan, None), after, *(lists if CHECKLIST in known else [])]


def _paced(plan: Plan) -> list[Occasion]:
    return [
        Occasion(name, name, "by the plan", patterns=(repeated(rule.every),))
        for name, rule in plan.schedule.items()
        if name != CANARY
    ]


def _wanted(plan: Plan, name: str, every: timedelta | None, cron: str) -> list[Occasion]:
    if cron:
        return [Occasion(name, name, f"by {cron}", patterns=tuple(parsed(cron)))]
    if name == CANARY:
        return _canary(plan, every)
    pace = every or (plan.schedule[name].every if name in plan.schedule else None)
    if pace is None:
        raise UsageError(f"{name}: how often? Give --every 1h, --cron '0 7 * * *', or [schedule.{name}] in {plan.path}")
    return [Occasion(name, name, "as asked", patterns=(repeated(pace),))]


def _canary(plan: Plan, every: timedelta | None) -> list[Occasion]:
    """Return a canary's looks at each stage, and one when it has lasted its time and its last minutes are judged."""
    pace = every or (plan.schedule[CANARY].every if CANARY in plan.schedule else USUAL)
    if pace < MINUTE or pace % MINUTE:
        raise UsageError(f"every {pace.total_seconds():g} s: schedulers run by whole minutes")
    found = []
    for stage, start, end in _spans(plan):
        looks = [start + n * pace for n in range(1, -(-(end - start) // pace))]
        instants = (*map(_minute, looks), _minute(end + plan.judge.maturity))
        why = f"while the stage of {stage} lasts, and at its end"
        given = {"stage": f"{stage.percent:g}"}
        found.append(Occasion(f"{CANARY}-{stage.percent:g}".replace(".", "_"), CANARY, why, given, instants))
    if not found:
        raise UsageError(f"{plan.path}: no stage has 'starts', so nothing says when the canary runs; give them there")
    return found


def _spans(plan: Plan) -> list[tuple[Stage, datetime, datetime]]:
    """Return each stage that has a start with when it began and ends; a later stage's start ends the one before it."""
    begun = [(stage, stage.starts) for stage in plan.stages if stage.starts]
    ends = [*(start for _, start in begun), None][1:]
    return [
        (stage, start, min(start + stage.soak, end or start + stage.soak))
        for (stage, start), end in zip(begun, ends, strict=True)
    ]


def _minute(at: datetime) -> datetime:
    """Return the next whole minute, or this one."""
    return at + (-timedelta(seconds=at.second, microseconds=at.microsecond)) % MINUTE
