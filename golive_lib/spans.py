"""The stretches of time that the day after a launch is held against: the day before, a week ago, before the launch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from golive_lib.due import instant

if TYPE_CHECKING:
    from golive_lib.plan import Plan


@dataclass(frozen=True)
class Span:
    """A stretch of time, UTC, its end excluded."""

    title: str
    since: datetime
    until: datetime

    @property
    def hours(self) -> float:
        """How long it is; a local day may have 23 or 25."""
        return (self.until - self.since) / timedelta(hours=1)

    def values(self) -> dict[str, str]:
        """Return the parameters ``since`` and ``until`` of a query."""
        return {"since": self.since.isoformat(), "until": self.until.isoformat()}


@dataclass(frozen=True)
class Spans:
    """The hours judged, and those of the same length or of the same wall clock that they are held against.

    ``prelaunch`` are the same wall-clock hours of the last day that ended before the first stage began; None when the
    plan does not say when that was.
    """

    now: Span
    day: Span
    week: Span
    prelaunch: Span | None


def spans(plan: Plan, now: datetime) -> Spans:
    """Return what a report of ``now`` looks at."""
    zone, length = ZoneInfo(plan.timezone), plan.aftercare.window
    since = now - length
    hours = f"{length / timedelta(hours=1):g} h"
    begun = min((stage.starts for stage in plan.stages if stage.starts), default=None)
    prelaunch = None
    if begun is not None:
        days = 1
        while earlier(now, days, zone) > begun:
            days += 1
        prelaunch = Span("the same hours before the launch", earlier(since, days, zone), earlier(now, days, zone))
    return Spans(
        Span(f"the last {hours}", since, now),
        Span(f"the {hours} before", since - length, since),
        Span("the same hours last week", earlier(since, 7, zone), earlier(now, 7, zone)),
        prelaunch,
    )


def earlier(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC) at which the local clock showed the same time so many days earlier."""
    wall = moment.astimezone(zone)
    same = instant(wall.date() - timedelta(days=days), wall.time(), zone)
    return same.astimezone(UTC)
