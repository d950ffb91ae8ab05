"""What a message may say: plain facts of one kind of message, each taken from a launch's records."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from golive_lib.plan import Stage  # noqa: TC001  templates' fields are told from its own
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from golive_lib.plan import Plan

RLS = "rls_violations"
MINUTE = timedelta(minutes=1)


class Kind(StrEnum):
    """What a message is about."""

    GO = "go"
    NO_GO = "no-go"
    HOLD = "hold"
    ESCALATION = "escalation"
    SUCCESS = "success"


@dataclass(frozen=True)
class Figure:
    """A KPI's figures: ``bad`` of ``events``, of which the share ``allowed`` may be bad (None: none at all).

    ``word`` is what the plan calls a bad event, ``needed`` how many more could turn it green, ``since`` when it
    turned red.
    """

    key: str
    title: str
    status: str
    events: int
    bad: int
    allowed: float | None
    noun: str
    word: str
    reason: str
    needed: int | None
    since: datetime | None

    @property
    def share(self) -> float | None:
        """The share of bad events; None without events."""
        return self.bad / self.events if self.events else None


@dataclass(frozen=True)
class Point:
    """An item of a list or a due event: its title, its status, and what was seen."""

    title: str
    status: str
    reason: str


@dataclass(frozen=True)
class Ready:
    """The newest readiness run: what it said, when, and each of its items."""

    run_id: str
    verdict: str
    at: datetime
    items: tuple[Point, ...]

    @property
    def green(self) -> int:
        """How many items are green."""
        return sum(item.status == Status.GREEN for item in self.items)

    @property
    def open(self) -> tuple[Point, ...]:
        """The items that are not green."""
        return not_green(self.items)


@dataclass(frozen=True)
class Action:
    """What a rollback of level 1 does: this flag off, this number to 0, within this time."""

    flag: str
    percentage: str
    within: timedelta


@dataclass(frozen=True)
class Rolled:
    """A rollback on record: its level, whether it is done and verified, and how many seconds it took if known."""

    level: int
    state: str
    verified: bool
    at: datetime
    seconds: float | None

    @property
    def done(self) -> bool:
        """Whether it was done, and seen to be done."""
        return self.state == "done" and self.verified


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What every message knows: the launch, and the run it speaks of with the instant that was judged."""

    launch: str
    run_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class GoFacts(Facts):
    """The launch may go on. ``stage`` is the one that passed, None before the first; ``next`` the one to come."""

    stage: Stage | None
    lasted: timedelta | None
    kpis: tuple[Figure, ...]
    dues: tuple[Point, ...]
    readiness: Ready
    next: Stage | None


@dataclass(frozen=True, kw_only=True)
class NoGoFacts(Facts):
    """The launch may not begin: ``readiness`` says what is to be mended, ``next`` is the stage that waits."""

    readiness: Ready
    next: Stage | None


@dataclass(frozen=True, kw_only=True)
class HoldFacts(Facts):
    """The launch waits: for KPIs, due events or readiness items that are not green, or what ``others`` say."""

    stage: Stage | None
    lasted: timedelta | None
    kpis: tuple[Figure, ...]
    points: tuple[Point, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EscalationFacts(Facts):
    """A stage is red by ``kpis`` and ``dues``: ``action`` is what is done, ``rolled`` what is on record of it."""

    stage: Stage
    started: datetime
    kpis: tuple[Figure, ...]
    dues: tuple[Point, ...]
    action: Action
    rolled: Rolled | None


@dataclass(frozen=True, kw_only=True)
class SuccessFacts(Facts):
    """The last stage stayed green for its time.

    ``features`` are the flags that are on as planned, ``off`` those that are off as planned, both as the newest
    readiness run saw them at ``flags_at``; without such a run there are none.
    """

    stage: Stage
    lasted: timedelta
    kpis: tuple[Figure, ...]
    dues: tuple[Point, ...]
    violations: Figure
    features: tuple[str, ...]
    off: tuple[str, ...]
    flags_at: datetime | None


def not_green(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Return the points that are not green."""
    return tuple(point for point in points if point.status != Status.GREEN)


def figures(plan: Plan, judged: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the KPIs of a judged stage, in the plan's order; one that the plan no longer knows keeps its key."""
    order = [*plan.kpis, *sorted(set(judged["kpis"]) - set(plan.kpis))]
    started = datetime.fromisoformat(judged["started_at"])
    return tuple(_figure(plan, key, judged["kpis"][key], started) for key in order if key in judged["kpis"])


def _figure(plan: Plan, key: str, found: Mapping[str, Any], started: datetime) -> Figure:
    kpi, look = plan.kpis.get(key), found["red_since_look"]
    return Figure(
        key=key,
        title=kpi.title if kpi else key,
        status=found["status"],
        events=found["events"],
        bad=found["bad"],
        allowed=kpi.allowed if kpi else None,
        noun=kpi.noun if kpi else "events",
        word=kpi.bad if kpi else "bad",
        reason=found["reason"],
        needed=found["needed"] if found["status"] == Status.AMBER else None,
        since=None if look is None else started + (look - 1) * MINUTE,
    )


def dues(plan: Plan, judged: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return the due events of a judged stage."""
    named = {key: due.title for key, due in plan.due.items()}
    return tuple(Point(named.get(key, key), one["status"], one["reason"]) for key, one in judged["due"].items())


def items(judged: Mapping[str, Any]) -> tuple[Point, ...]:
    """Return the items of a judged list."""
    return tuple(Point(one["title"], one["status"], one["reason"]) for one in judged["items"].values())


def field_names(facts: type) -> Iterator[str]:
    """Name the fields of facts as a template writes them, those within a field in brackets behind it."""
    # What is imported for types alone is not needed to tell which fields there are.
    hints = get_type_hints(facts, localns={"datetime": datetime})
    for name in (each.name for each in fields(facts)):
        within = next((each for each in (hints[name], *get_args(hints[name])) if is_dataclass(each)), None)
        yield f"{name} ({', '.join(_members(within))})" if isinstance(within, type) else name


def _members(part: type) -> list[str]:
    more = [name for name, value in vars(part).items() if isinstance(value, property)]
    return [*(each.name for each in fields(part)), *more]
