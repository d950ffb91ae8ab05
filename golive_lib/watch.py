"""Following a stage while it soaks: each look asks for new minutes alone, and a dropped connection is waited out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from golive_lib.canary import judge_in, soak, stage_start
from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.events import MINUTE, before_launch, earlier_days, earlier_minutes, minute_rows, time_indexed
from golive_lib.plan_types import instant
from golive_lib.spanning import joined
from golive_lib.telemetry import Telemetry, nothing, read
from golive_lib.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from golive_lib.canary import StageResult
    from golive_lib.engines import Asked
    from golive_lib.events import Window
    from golive_lib.launch import Launch

REREAD = 5 * MINUTE  # matured minutes that are asked again: a row may commit later than the plan thinks
AHEAD = 60 * MINUTE  # of earlier days' minutes that are asked in one go
LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class _Days:
    """Counts of earlier days' hours: ``whole`` up to a window's ``end``, and ``more`` by the minute up to ``until``."""

    indexed: bool
    whole: pd.DataFrame
    end: datetime
    more: pd.DataFrame
    until: datetime

    def up_to(self, end: datetime) -> pd.DataFrame:
        """Return the counts per day up to an instant from ``end`` to ``until``."""
        if self.more.empty:
            return self.whole
        over = self.more["minute"] + pd.to_timedelta(self.more["day"], unit="D") < end
        more = self.more[over].drop(columns="minute").groupby("day").sum()
        return self.whole.set_index("day").add(more, fill_value=0).reset_index()


@dataclass(frozen=True)
class _Seen:
    """What one query has answered so far: rows up to ``until``."""

    rows: pd.DataFrame
    until: datetime


@dataclass(frozen=True)
class Lost:
    """A look that failed: why, what was seen last and for how long nothing has been, and the pause in seconds."""

    error: str
    last: StageResult
    blind: timedelta
    limit: timedelta
    retry_in: float

    @property
    def stale(self) -> bool:
        """Whether the last look is older than the smallest freshness of the plan's KPIs: then all is unknown."""
        return self.blind > self.limit

    @property
    def verdict(self) -> Verdict:
        """The last look's verdict, and hold once that is stale."""
        return Verdict.HOLD if self.stale else self.last.stage_verdict.verdict


class Watch:
    """A stage looked at again and again; ``asked`` keeps the stretch that each question for new rows was about."""

    def __init__(self, launch: Launch, percent: float, *, started_at: datetime | str | None = None) -> None:
        self.launch = launch
        self.stage = launch.plan.stage(percent)
        given = instant(started_at, "started_at") if started_at else None
        self.started_at = stage_start(launch.plan, self.stage, given)
        self.asked: list[Window] = []
        self._seen: dict[str, _Seen] = {}
        self._days: dict[str, _Days] = {}
        self._again = -(-launch.plan.judge.maturity // MINUTE) * MINUTE + REREAD

    def look(self, as_of: datetime | None = None) -> StageResult:
        """Judge the stage as of an instant, or the database's now where that is earlier or none is given.

        Gives what ``canary.judge_now`` gives, without evidence and percentiles. Raises DatabaseError when the
        connection is lost, after which the next look goes on from the last; PlanError before the stage has begun.
        """
        with self.launch.database.snapshot() as snapshot:
            now = min(as_of, snapshot.clock.now) if as_of else snapshot.clock.now
            stage = soak(self.launch.plan, self.stage.percent, self.started_at, now, known=snapshot.clock.end)
            result = judge_in(snapshot, self.launch, stage, self._gather)
        if self.launch.archive and any(one.telemetry.problem for one in result.kpis):
            self.launch.archive.close()  # the next look opens it as it then is
        return result

    def _gather(
        self, snapshot: Asked, launch: Launch, window: Window, query: str, flags: Sequence[str]
    ) -> dict[str, Telemetry]:
        """Stand in for ``telemetry.gather``: a question that fails leaves what was seen for the next look."""
        try:
            days = self._earlier(snapshot, window, query, flags)
            seen = self._ask(snapshot, window, query, flags)
        except QueryFailed as failure:
            return {flag: nothing(window, failure.reason) for flag in flags}
        self._seen[query] = seen
        earlier = before_launch(launch, window, days)
        return {flag: read(window, seen.rows, flag, earlier=earlier) for flag in flags}

    def _ask(self, snapshot: Asked, window: Window, query: str, flags: Sequence[str]) -> _Seen:
        seen = self._seen.get(query)
        new = replace(window, since=max(window.since, min(seen.until, window.until) - self._again)) if seen else window
        self.asked.append(new)
        answer = minute_rows(snapshot, self.launch, new, query, flags)
        before = [seen.rows[seen.rows["minute"] < new.since]] if seen else []
        return _Seen(joined([*before, answer]), window.until)

    def _earlier(self, snapshot: Asked, window: Window, query: str, flags: Sequence[str]) -> pd.DataFrame:
        """Return the same hours of earlier days: they are over, so those of the next hour are asked at once."""
        days = self._days.get(query)
        if days is None or window.until < days.end or self._clock_changes(window):
            indexed = time_indexed(snapshot, self.launch, window, query)
            whole = earlier_days(snapshot, self.launch, window, query, flags, indexed=indexed)
            days = _Days(indexed, whole, window.until, pd.DataFrame(), window.until)
        elif days.until < window.until:
            ahead = replace(window, since=days.until, until=window.until + AHEAD)
            more = earlier_minutes(snapshot, self.launch, ahead, query, flags, indexed=days.indexed)
            days = replace(days, more=joined([days.more, more]), until=ahead.until)
        self._days[query] = days
        return days.up_to(window.until)

    def _clock_changes(self, window: Window) -> bool:
        """Tell whether summer time begins or ends within these days: then hours overlap, and stretches do not add."""
        days = timedelta(days=self.launch.plan.judge.days + 1)
        ends = (at.astimezone(self.launch.zone).utcoffset() for at in (window.since - days, window.until + AHEAD))
        return len(set(ends)) > 1


def follow(
    watch: Watch,
    pause: float,
    *,
    clock: Callable[[], datetime | None] = lambda: None,
    wait: Callable[[float], object] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[StageResult | Lost]:
    """Look every ``pause`` seconds until the stage is red or has no more to show; yield each look, or why it failed.

    ``clock`` says as of when to look, None for the database's now. A lost connection is tried again after 1, 2, 4 … 60
    seconds; DatabaseError when already the first look fails.
    """
    limit = min((kpi.freshness for kpi in watch.launch.plan.kpis.values()), default=timedelta())
    last: StageResult | None = None
    seen_at, failures = 0.0, 0
    while True:
        as_of = clock()
        try:
            result = watch.look(as_of)
        except DatabaseError as error:
            if last is None:
                raise
            retry_in = min(2.0**failures, LONGEST_PAUSE)
            yield Lost(str(error), last, timedelta(seconds=monotonic() - seen_at), limit, retry_in)
            failures += 1
            wait(retry_in)
            continue
        last, seen_at, failures = result, monotonic(), 0
        yield result
        if _finished(result, as_of):
            return
        wait(pause)


def _finished(result: StageResult, as_of: datetime | None) -> bool:
    """Tell whether the stage is red, has lasted its soak or was ended, or the database's clock stands still."""
    still = result.clock.fixed and (as_of is None or as_of >= result.clock.now)
    return result.stage_verdict.verdict is Verdict.ROLLBACK or result.soak.final or still


def played(
    watch: Watch, speed: float, *, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[], datetime | None]:
    """Return a clock that runs ``speed`` times as fast, from the stage's first minute to the end of its soak."""
    began = monotonic()
    end = watch.started_at + watch.stage.soak + watch.launch.plan.judge.maturity
    return lambda: min(watch.started_at + MINUTE + timedelta(seconds=speed * (monotonic() - began)), end)
