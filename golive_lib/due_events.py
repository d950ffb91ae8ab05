"""A stage's due events: asked day by day, and judged as they stood at the end of the window."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from golive_lib.due import DUE_STATUS, DueEvent, DueJudgement, DueState, judge_due, latest_due
from golive_lib.errors import QueryFailed
from golive_lib.query import compose
from golive_lib.verdicts import Status, worst

if TYPE_CHECKING:
    import pandas as pd

    from golive_lib.engines import Asked
    from golive_lib.kpis import Soak
    from golive_lib.launch import Launch
    from golive_lib.plan import Due

DAY = timedelta(days=1)


@dataclass(frozen=True)
class DueResult:
    """One due event as it stood in a stage; ``judgement`` is None when it could not be asked."""

    key: str
    due: Due
    status: Status
    reason: str
    judgement: DueJudgement | None


def judge_dues(snapshot: Asked, launch: Launch, stage: Soak) -> tuple[DueResult, ...]:
    """Judge every due event as it stood at the end of the window."""
    return tuple(_due(snapshot, launch, key, stage) for key in launch.plan.due)


def _due(snapshot: Asked, launch: Launch, key: str, stage: Soak) -> DueResult:
    """Judge each day on which the event was due within the stage, the latest before it if there is none.

    The worst day counts, so that a miss is not undone by a better next day.
    """
    due = launch.plan.due[key]
    event = DueEvent(time.fromisoformat(due.at), launch.zone, due.expected, due.grace)
    last = latest_due(event, stage.until)
    days = [last - i * DAY for i in range((last - latest_due(event, stage.started_at)).days)] or [last]
    try:
        judged = [_day(snapshot, launch, due, event, day, stage) for day in days]
    except QueryFailed as failure:
        return DueResult(key, due, Status.UNKNOWN, failure.reason, None)
    status = worst(one.status for one in judged)
    shown = next(one for one in judged if one.status is status)
    return DueResult(key, due, status, shown.reason, shown)


def _day(snapshot: Asked, launch: Launch, due: Due, event: DueEvent, day: date, stage: Soak) -> DueJudgement:
    query = launch.query(due.query)
    values = launch.values(query, snapshot.clock, {"day": day.isoformat()})
    frame = snapshot.frame(compose(query, launch.queries), values)
    item, at, of_day = frame.columns[:3]
    if frame[at].dt.tz is None:
        words = f"{at!r} has no time zone; cast it in the source"
        raise QueryFailed(words, reason=words)
    judged = judge_due(
        event,
        day,
        _arrivals(frame[frame[of_day] == day.isoformat()], item, at),
        soak_start=stage.started_at,
        now=stage.until,
    )
    if judged.state is not DueState.MISSED:
        return judged
    if frame.empty:
        reason = f"no {due.noun} of {day} or the week before it: nobody can say whether they are made at all"
        return replace(judged, state=DueState.UNKNOWN, status=DUE_STATUS[DueState.UNKNOWN], reason=reason)
    # What was missed before the stage began is no reason to roll it back, and none to go on.
    return replace(judged, status=Status.AMBER) if judged.before_soak else judged


def _arrivals(frame: pd.DataFrame, item: str, at: str) -> dict[str, datetime]:
    first = frame.dropna(subset=[item, at]).groupby(item)[at].min()
    return {str(name): moment.to_pydatetime() for name, moment in first.items()}
