"""The chart of the last day's health: was the API as fast as the day before, hour by hour, and within its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from golive_lib.charts import GREY, latency, time_axis
from golive_lib.formats import duration, missing
from golive_lib.show import Chart

if TYPE_CHECKING:
    from datetime import tzinfo

    from golive_lib.day_health import DayHealth

SECOND = 1_000  # as in charts.latency: a limit that people say in seconds


def response_times(health: DayHealth, limit_ms: float, tz: tzinfo) -> Chart:
    """Return the response times of each hour against the limit, with P50 and P95 of the day before behind them."""
    rows = health.hours
    chart = latency(rows, limit_ms, tz)
    if not len(rows) or not rows["requests_before"].sum():
        return Chart(chart.figure, f"{chart.summary} There is no data of the day before.")
    axis = time_axis(rows["at"], tz, whole=rows["at"])
    unit, scale = ("s", SECOND) if limit_ms >= SECOND else ("ms", 1)
    for column, name, width in (
        ("p50_before_ms", "P50 the day before", 1.5),
        ("p95_before_ms", "P95 the day before", 2),
    ):
        chart.figure.add_scatter(
            x=axis.labels,
            y=axis.with_gaps([None if missing(v) else round(float(v) / scale, 4) for v in rows[column]]),
            name=name,
            mode="lines",
            line={"color": GREY, "dash": "dot", "width": width},
            hovertemplate=f"%{{y:.3~g}} {unit}",
        )
    both = rows[rows["p95_ms"].notna() & rows["p95_before_ms"].notna()]
    slower = int((both["p95_ms"] > both["p95_before_ms"]).sum())
    total = health.totals.set_index("span")["p95_ms"].iloc[:2]
    sentence = f" P95 of the whole was {duration(total.iloc[0])}, after {duration(total.iloc[1])} the day before; "
    return Chart(chart.figure, f"{chart.summary}{sentence}{slower} of {len(both)} hours were slower than then.")
