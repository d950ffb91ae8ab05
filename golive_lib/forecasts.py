"""Before a stage: which KPIs its window can decide, judged by the same hours of earlier days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from golive_lib.archive import DAY
from golive_lib.canary import stage_start
from golive_lib.errors import QueryFailed
from golive_lib.events import MINUTE, Window, before_launch, earlier_days, time_indexed
from golive_lib.kpis import budgets
from golive_lib.plan_types import instant
from golive_lib.power import Forecast, design_effect, forecast

if TYPE_CHECKING:
    from datetime import datetime

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan import Kpi


@dataclass(frozen=True)
class KpiForecast:
    """What a coming stage can say of one KPI, from ``days`` earlier days that had traffic.

    ``forecast`` is None when its events cannot be asked; ``problem`` says why.
    """

    key: str
    kpi: Kpi
    forecast: Forecast | None
    days: int
    problem: str = ""


def before(launch: Launch, percent: float, *, started_at: datetime | str | None = None) -> tuple[KpiForecast, ...]:
    """Forecast a stage from the mean traffic of the same hours of earlier days times its share.

    Raises PlanError for an unknown stage or one without a start.
    """
    plan = launch.plan
    stage = plan.stage(percent)
    start = stage_start(plan, stage, instant(started_at, "started_at") if started_at else None)
    budget = budgets(plan)
    minutes = stage.soak / MINUTE
    found = []
    with launch.database.snapshot() as snapshot:
        window = Window(start, start + stage.soak, snapshot.clock.now)
        for key, kpi in plan.kpis.items():
            if not kpi.allowed:
                continue
            try:
                days = _days(snapshot, launch, window, kpi)
            except QueryFailed as failure:
                found.append(KpiForecast(key, kpi, None, 0, failure.reason))
                continue
            rate = sum(days) / len(days) / minutes if days else 0.0
            weighed = replace(budget[key], clustering=design_effect(kpi.correlation, rate * stage.share))
            found.append(KpiForecast(key, kpi, forecast(rate, stage.share, minutes, weighed), len(days)))
    return tuple(found)


def _days(snapshot: Asked, launch: Launch, window: Window, kpi: Kpi) -> list[int]:
    """Count the events of each earlier day whose same hours are over, from the first day that had any."""
    indexed = time_indexed(snapshot, launch, window, kpi.query)
    counted = earlier_days(snapshot, launch, window, kpi.query, [kpi.bad], indexed=indexed)
    counted = before_launch(launch, window, counted)
    over = [window.until - int(day) * DAY <= window.as_of for day in counted["day"]]
    days = [int(n) for n in counted["n"][over]]
    while days and not days[-1]:  # the latest comes first, and a log may be younger than a week
        days.pop()
    return days
