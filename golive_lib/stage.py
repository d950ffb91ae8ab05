"""The verdict of a stage from the statuses of everything it watches, and what is missing for a better one."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Item:
    """One thing a stage watches: a KPI, a due event, a readiness check.

    ``needed`` further events, at ``per_minute``, could turn it green; ``noun`` is what to call them.
    """

    name: str
    status: Status
    reason: str = ""
    needed: int | None = None
    per_minute: float | None = None
    noun: str = "events"


@dataclass(frozen=True)
class StageVerdict:
    """A stage's verdict and, one sentence each, why it is no better; what several things share is said once."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge_stage(items: Sequence[Item], *, soak_over: bool) -> StageVerdict:
    """Return the stage's verdict: any red rolls back, the soak is waited for, and at its end only green promotes."""
    red = _sentences(item for item in items if item.status is Status.RED)
    if red:
        return StageVerdict(Verdict.ROLLBACK, red)
    if not items:
        return StageVerdict(Verdict.HOLD, ("nothing was watched",))
    short = _sentences(item for item in items if item.status is not Status.GREEN)
    if not soak_over:
        return StageVerdict(Verdict.CONTINUE, short)
    return StageVerdict(Verdict.HOLD if short else Verdict.PROMOTE, short)


def still_needed(needed: int, per_minute: float | None, noun: str = "events") -> str:
    """Say how many more events are needed and about how long they take, in minutes or, past four hours, in hours."""
    if needed < 0:
        raise ValueError(f"events still needed cannot be negative, got {needed!r}")
    if per_minute is not None and not (math.isfinite(per_minute) and per_minute >= 0):
        raise ValueError(f"a rate per minute must be a finite number of at least 0, got {per_minute!r}")
    amount = f"≈ {needed:,} more {noun}"
    if not per_minute:
        return f"{amount}, at no known rate"
    minutes = math.ceil(needed / per_minute)
    span = f"{minutes} minute{'s' * (minutes != 1)}" if minutes <= 240 else f"{minutes / 60:,.0f} hours"  # noqa: PLR2004  four hours
    return f"{amount}, about {span} at this rate"


def _sentences(items: Iterable[Item]) -> tuple[str, ...]:
    names = defaultdict[str, list[str]](list)
    for item in items:
        names[_why(item)].append(item.name)
    return tuple(f"{', '.join(named)}: {why}" for why, named in names.items())


def _why(item: Item) -> str:
    why = item.reason or item.status.value
    return why if item.needed is None else f"{why}; {still_needed(item.needed, item.per_minute, item.noun)}"
