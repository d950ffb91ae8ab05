"""Events due at a local time each day: not due, pending, arrived, late or missed, across summer-time changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


class DueState(StrEnum):
    """Where a due event stands."""

    NOT_DUE = "not due"
    PENDING = "pending"
    ARRIVED = "arrived"
    LATE = "late"
    MISSED = "missed"
    UNKNOWN = "unknown"


DUE_STATUS = {
    DueState.NOT_DUE: Status.UNKNOWN,
    DueState.PENDING: Status.AMBER,
    DueState.ARRIVED: Status.GREEN,
    DueState.LATE: Status.AMBER,
    DueState.MISSED: Status.RED,
    DueState.UNKNOWN: Status.UNKNOWN,
}


@dataclass(frozen=True)
class DueEvent:
    """``expected`` items due every day at a local time, missed ``grace`` after it."""

    at: time
    zone: ZoneInfo
    expected: int
    grace: timedelta

    def __str__(self) -> str:
        return f"{self.at:%H:%M} {self.zone.key}"


@dataclass(frozen=True)
class DueJudgement:
    """What a due event says: its local day, the moment it was due (UTC), how many items of how many came in time."""

    state: DueState
    status: Status
    day: date
    due: datetime
    arrived: int
    expected: int
    before_soak: bool
    reason: str


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC) at which a local clock first shows this time, or the first later time that exists.

    A clock put forward skips times, one put back shows some twice.
    """
    wall = datetime.combine(day, at)
    while _utc(wall, zone).astimezone(zone).replace(tzinfo=None) != wall:
        wall += _MINUTE
    return _utc(wall, zone)


def latest_due(event: DueEvent, now: datetime) -> date:
    """Return the local day of the latest due moment at or before ``now``, the one to be judged."""
    _aware(now)
    day = now.astimezone(event.zone).date()
    while instant(day, event.at, event.zone) > now:
        day -= _DAY
    return day


def judge_due(
    event: DueEvent, day: date, arrivals: Mapping[str, datetime] | None, *, soak_start: datetime, now: datetime
) -> DueJudgement:
    """Judge the event of one local day as it stood at ``now``.

    ``arrivals`` maps each item of that day to the moment it first arrived; None means that could not be asked. What
    came after ``now`` is not yet known, so an old moment is judged as it was then. Late is after the due moment and
    within the grace; what completes later stays missed.
    """
    for moment in (soak_start, now, *(arrivals or {}).values()):
        _aware(moment)
    due = instant(day, event.at, event.zone)
    came = {item: moment for item, moment in (arrivals or {}).items() if moment <= min(now, due + event.grace)}
    state = DueState.UNKNOWN if arrivals is None else _state(event, due, came, now)
    before = due < soak_start
    reason = f"{state}: {len(came)} of {event.expected} for {event} of {day}"
    if before:
        reason += ", due before this soak began"
    return DueJudgement(state, DUE_STATUS[state], day, due, len(came), event.expected, before, reason)


def _state(event: DueEvent, due: datetime, came: Mapping[str, datetime], now: datetime) -> DueState:
    complete = len(came) >= event.expected
    if now < due:
        return DueState.ARRIVED if complete else DueState.NOT_DUE
    if complete:
        last = sorted(came.values())[event.expected - 1]
        return DueState.ARRIVED if last <= due else DueState.LATE
    return DueState.PENDING if now < due + event.grace else DueState.MISSED


def _utc(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)


def _aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, got {moment!r}")
