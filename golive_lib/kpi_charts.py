"""One chart per KPI of a stage, which asks: is the canary's bad share within its limit, and how sure is that."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from golive_lib.charts import BLUE, GREY, TIME, figure, limit_line, time_axis
from golive_lib.events import MINUTE
from golive_lib.evidence import intervals
from golive_lib.formats import local, number, share
from golive_lib.show import Chart

if TYPE_CHECKING:
    from datetime import datetime

    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from golive_lib.canary import StageResult
    from golive_lib.kpis import KpiResult

BUCKETS = 48
_HOVER = "%{y:.2f} %"
_BAND = "rgba(47,127,209,0.18)"


def kpis(result: StageResult) -> tuple[Chart, ...]:
    """Return a chart for every KPI of a stage that has a share to show and events to show it of."""
    return tuple(kpi_chart(one, result) for one in result.kpis if one.budget.allowed and one.judgement.counts.n)


def kpi_chart(one: KpiResult, result: StageResult) -> Chart:
    """Return the canary's share of bad events so far with its interval, and each period's beside the control's."""
    tz, complete = ZoneInfo(result.zone), result.soak.complete
    size = max(-(-complete // BUCKETS), 1)
    # Counted from the end, which is what was judged; the first takes the rest, as a short one looks like noise.
    ends = np.arange(complete - 1, size - 2, -size)[::-1]
    at = pd.Series([one.telemetry.minutes[i] + MINUTE for i in ends])
    axis = time_axis(at, tz, whole=at)
    canary, control = one.telemetry.canary, one.telemetry.control
    n, bad = np.cumsum(canary.n[:complete])[ends], np.cumsum(canary.bad[:complete])[ends]
    weight = one.budget.clustering
    low, high = intervals(n / weight, bad / weight, one.budget.alpha)
    who = "canary" if control is not None else "all traffic"
    chart = figure(title=one.kpi.title, x_title=axis.title, y_title="bad, % of events", height=320)
    edge = {"x": axis.labels, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    band = {"fill": "tonexty", "fillcolor": _BAND, "name": f"{who}: not ruled out"}
    chart.add_scatter(y=[*map(_percent, high)], showlegend=False, **edge)
    chart.add_scatter(y=[*map(_percent, low)], **band, **edge)
    if control is not None and control.n[:complete].sum():
        _periods(chart, axis.labels, _per_period(control.n, control.bad, ends), "control, each period", GREY)
    _periods(chart, axis.labels, _per_period(canary.n, canary.bad, ends), f"{who}, each period", BLUE)
    so_far = [_percent(b / i) if i else None for i, b in zip(n, bad, strict=True)]
    line = {"mode": "lines", "line": {"color": BLUE, "width": 3}, "hovertemplate": _HOVER}
    chart.add_scatter(x=axis.labels, y=so_far, name=f"{who}, so far", **line)
    chart.update_xaxes(TIME)
    allowed = one.budget.allowed * 100
    seen = max((value for value in so_far if value is not None), default=0.0)
    chart.update_yaxes(range=[0, max(allowed * 2.2, seen * 1.25)])
    limit_line(chart, allowed, f"limit {share(one.budget.allowed)}")
    for moment, label in marks(result):
        _mark(chart, local(moment, axis.zone).strftime("%Y-%m-%d %H:%M"), label)
    return Chart(chart, summary(one, who))


def marks(result: StageResult) -> list[tuple[datetime, str]]:
    """Return the moments worth a mark: the stage's start, the end of its soak, and what was due meanwhile."""
    soak = result.soak
    found = [(soak.started_at, f"{soak.stage} begins"), (soak.ends, "soak over")]
    found += [(one.judgement.due, f"{one.due.title} due") for one in result.dues if one.judgement]
    return [(moment, label) for moment, label in found if soak.started_at <= moment <= soak.until]


def _mark(chart: go.Figure, at: str, label: str) -> None:
    # As shape and text: plotly cannot place the annotation of a vertical line on a date axis.
    line = {"color": GREY, "width": 1, "dash": "dot"}
    chart.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line=line)
    text = {"text": label, "font": {"color": GREY, "size": 11}, "textangle": -90, "xanchor": "right", "yanchor": "top"}
    chart.add_annotation(x=at, y=1, yref="paper", showarrow=False, **text)


def _percent(value: float) -> float:
    return round(100 * float(value), 3)


def _per_period(n: NDArray[np.int64], bad: NDArray[np.int64], ends: NDArray[np.int64]) -> list[float | None]:
    starts = np.append(0, ends[:-1] + 1)
    events, wrong = np.add.reduceat(n[: ends[-1] + 1], starts), np.add.reduceat(bad[: ends[-1] + 1], starts)
    return [_percent(b / i) if i else None for i, b in zip(events, wrong, strict=True)]


def _periods(chart: go.Figure, labels: list[str], values: list[float | None], name: str, colour: str) -> None:
    dots = {"mode": "markers", "marker": {"color": colour, "size": 5, "opacity": 0.6}, "hovertemplate": _HOVER}
    chart.add_scatter(x=labels, y=values, name=name, **dots)


def summary(one: KpiResult, who: str) -> str:
    """Say what the chart shows: the share, its limit, what is proven, and the control's."""
    counts, (low, high) = one.judgement.counts, one.judgement.interval
    sentence = (
        f"{one.kpi.title}: {share(counts.share)} of {number(counts.n)} {one.kpi.noun} ({who}) count as {one.kpi.bad}, "
        f"limit {share(one.budget.allowed)}; not ruled out: {share(low)} to {share(high)}"
    )
    proven = {"over": ", all over it", "under": ", all within it", "neither": ", which proves neither side"}
    sentence += proven[one.judgement.proven]
    if one.versus is None or one.versus.ratio is None:
        return f"{sentence}."
    beside = "the same hours of earlier days (another day, so a weak comparison)" if one.confounded else "the control"
    return f"{sentence}. That is {number(one.versus.ratio)} times {beside}."
