"""The charts: one look, and for each question one figure with the sentence that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import plotly.graph_objects as go

from golive_lib.formats import clock, duration, local, missing, number, share, zone_name
from golive_lib.inks import INKS
from golive_lib.show import Chart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, tzinfo

FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif'
# Told apart with any kind of colour vision, and at least 3:1 against white paper and a dark page alike.
BLUE, ORANGE, TEAL, PURPLE, PINK, GREY, RED = (
    "#2f7fd1",
    "#d2700f",
    "#0f9488",
    "#8a63d2",
    "#c94f8c",
    "#79818d",
    "#dc4437",
)
TIME: Final = {
    "type": "date",
    "tickangle": 0,
    "hoverformat": "%H:%M, %-d %b",
    "tickformatstops": [
        {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%-d %b"},
        {"dtickrange": [86_400_000, None], "value": "%-d %b\n%Y"},
    ],
}
_PERIODS: Final = {60.0: "minute", 3_600.0: "hour", 86_400.0: "day"}


def _template() -> dict[str, Any]:
    base = INKS["neutral"]
    axis = {"automargin": True, "showline": False, "ticks": "", "title": {"standoff": 12, "font": {"size": 12.5}}}
    return {
        "layout": {
            **base,
            "font": {**base["font"], "family": FONT, "size": 13},
            "title": {
                "x": 0,
                "y": 1,
                "xanchor": "left",
                "yanchor": "top",
                "pad": {"l": 8, "t": 10},
                "font": {"size": 14},
            },
            "colorway": [BLUE, ORANGE, TEAL, PURPLE, PINK, GREY],
            "margin": {"l": 56, "r": 16, "t": 68, "b": 48},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12.5}},
            "hovermode": "x unified",
            "hoverlabel": {**base["hoverlabel"], "font": {"color": "#2b323b", "size": 12.5}},
            "xaxis": {**base["xaxis"], **axis, "showgrid": False, "ticks": "outside", "ticklen": 4, "showline": True},
            "yaxis": {**base["yaxis"], **axis, "rangemode": "tozero", "zeroline": False},
            "bargap": 0.15,
        }
    }


def figure(*, title: str, x_title: str | None = None, y_title: str | None = None, height: int = 360) -> go.Figure:
    """Return an empty figure in the kit's look; axis titles carry the units, ``height`` is in CSS pixels."""
    return go.Figure(
        layout={
            "template": _template(),
            "title": {"text": title},
            "height": height,
            "xaxis": {"title": {"text": x_title}},
            "yaxis": {"title": {"text": y_title}},
        }
    )


def latency(frame: pd.DataFrame, limit_ms: float, tz: tzinfo) -> Chart:
    """Return response times per period against the limit on P95.

    ``frame`` has the columns at (aware, a period's start), p50_ms, p95_ms, p99_ms and requests, and a row per period;
    a period that is missing or has no requests is a gap.
    """
    rows = frame[(frame["requests"] > 0) & frame["p95_ms"].notna()].sort_values("at")
    axis = time_axis(rows["at"], tz, whole=frame["at"])
    seconds = limit_ms >= 1_000  # noqa: PLR2004  a limit that people say in seconds
    unit, scale = ("s", 1_000) if seconds else ("ms", 1)
    chart = figure(title="Response time", x_title=axis.title, y_title=f"response time, {unit}")
    styles = (
        ("p50_ms", "P50", TEAL, "dot", 1.5),
        ("p95_ms", "P95", BLUE, "solid", 2.5),
        ("p99_ms", "P99", PURPLE, "dash", 1.5),
    )
    for column, name, colour, dash, width in styles:
        chart.add_scatter(
            x=axis.labels,
            y=axis.with_gaps([None if missing(v) else round(float(v) / scale, 4) for v in rows[column]]),
            name=name,
            mode="lines+markers" if len(rows) <= 48 else "lines",  # noqa: PLR2004  markers find lone points among gaps
            line={"color": colour, "dash": dash, "width": width},
            marker={"size": 4},
            hovertemplate=f"%{{y:.3~g}} {unit}",
        )
    chart.update_xaxes(TIME)
    limit_line(chart, limit_ms / scale, f"limit {duration(limit_ms)} on P95")
    return Chart(chart, _latency_summary(rows, limit_ms, tz, axis))


def _latency_summary(rows: pd.DataFrame, limit_ms: float, tz: tzinfo, axis: TimeAxis) -> str:
    if rows.empty:
        return "No requests in this window, so its response times are unknown."
    over = int((rows["p95_ms"] >= limit_ms).sum())
    total, limit = len(rows), duration(limit_ms)
    worst = rows.iloc[int(rows["p95_ms"].argmax())]
    stayed = (
        f"P95 stayed under the {limit} limit in {total} of {axis.count(total)}"
        if not over
        else f"P95 was not under the {limit} limit in {over} of {axis.count(total)}"
    )
    return f"{stayed}{axis.gap_words()}; worst {duration(worst['p95_ms'])} at {_when(worst['at'], tz, axis)}."


def volume(frame: pd.DataFrame, tz: tzinfo) -> Chart:
    """Return requests per period and the share that failed.

    ``frame`` has the columns at (aware, a period's start), requests and failed.
    """
    rows = frame.sort_values("at")
    axis = time_axis(rows["at"], tz, whole=rows["at"])
    chart = figure(title="Requests and failures", y_title="requests", height=460)
    chart.add_bar(x=axis.labels, y=axis.with_gaps(rows["requests"].tolist()), name="requests", marker_color=BLUE)
    shares = [f / n if n else None for f, n in zip(rows["failed"], rows["requests"], strict=True)]
    chart.add_scatter(
        x=axis.labels,
        y=axis.with_gaps(shares),
        yaxis="y2",
        name="failed",
        mode="lines+markers",
        line={"color": ORANGE, "width": 2},
        marker={"size": 4},
        hovertemplate="%{y:.2%}",
    )
    chart.update_layout(
        xaxis={**TIME, "title": {"text": axis.title}, "anchor": "y2"},
        yaxis={"domain": [0.42, 1]},
        yaxis2={"domain": [0, 0.3], "title": {"text": "failed, %"}, "tickformat": ".2~%", "rangemode": "tozero"},
    )
    return Chart(chart, _volume_summary(rows, tz, axis))


def _volume_summary(rows: pd.DataFrame, tz: tzinfo, axis: TimeAxis) -> str:
    total = int(rows["requests"].sum())
    if not total:
        return "No requests in this window, so its failures are unknown."
    busy = rows[rows["requests"] > 0]
    shares = busy["failed"] / busy["requests"]
    sentence = f"{number(total)} requests, {share(rows['failed'].sum() / total)} failed"
    if not shares.max():
        return f"{sentence}{axis.gap_words()}."
    worst = busy.iloc[int(shares.argmax())]
    return f"{sentence}{axis.gap_words()}; at worst {share(shares.max())} at {_when(worst['at'], tz, axis)}."


def limit_line(chart: go.Figure, at: float, label: str) -> None:
    """Draw the limit with its label, on the figure's y axis."""
    chart.add_hline(
        y=at,
        line={"color": RED, "width": 1.5, "dash": "dash"},
        annotation={"text": label, "font": {"color": RED, "size": 12}, "xanchor": "right", "yanchor": "bottom"},
    )


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """Local times as Plotly wants them (naive), and where between them periods are missing."""

    starts: list[str]
    breaks: frozenset[int]
    step: timedelta
    zone: tzinfo
    title: str
    missing: int
    span: timedelta

    @property
    def labels(self) -> list[str]:
        """Starts, with one repeated before each gap so that a line breaks there."""
        return [label for i, start in enumerate(self.starts) for label in ([start] * (2 if i in self.breaks else 1))]

    def with_gaps(self, values: Sequence[float | None]) -> list[float | None]:
        """Return values with a None before each gap, to match ``labels``."""
        return [cell for i, v in enumerate(values) for cell in ([None, v] if i in self.breaks else [v])]

    def count(self, total: int) -> str:
        """Say a number of periods in words."""
        seconds = self.step.total_seconds()
        each = "" if seconds in _PERIODS else f" of {duration(seconds * 1_000)}"
        return f"{total} {_PERIODS.get(seconds, 'period')}{'' if total == 1 else 's'}{each}"

    def gap_words(self) -> str:
        """Say how many periods are without data, if any."""
        return f" ({self.missing} without data)" if self.missing else ""


def _step(at: pd.Series[Any]) -> timedelta:
    gaps = at.sort_values().diff().dropna()
    return gaps[gaps > pd.Timedelta(0)].min().to_pytimedelta() if len(gaps) else timedelta(hours=1)


def time_axis(at: pd.Series[Any], tz: tzinfo, whole: pd.Series[Any]) -> TimeAxis:
    """Place moments in local time, or in UTC where the clocks change: a line must not run backwards.

    ``whole`` are the starts of all periods of the window, with data or without.
    """
    step = _step(whole)
    moments: list[datetime] = [stamp.to_pydatetime() for stamp in at]
    zone, title = axis_zone(moments, tz)
    expected = round((whole.max() - whole.min()) / step) + 1 if len(whole) else 0
    return TimeAxis(
        starts=[naive(m, zone) for m in moments],
        breaks=frozenset(i for i in range(1, len(moments)) if moments[i] - moments[i - 1] > 1.5 * step),
        step=step,
        zone=zone,
        title=title,
        missing=expected - len(moments),
        span=moments[-1] - moments[0] if moments else timedelta(0),
    )


def axis_zone(moments: Iterable[datetime], tz: tzinfo) -> tuple[tzinfo, str]:
    """Return the zone of an axis, UTC where the clocks change meanwhile, and the axis' title, which says so."""
    changes = len({local(moment, tz).utcoffset() for moment in moments}) > 1
    return (UTC, f"time (UTC: the clocks change in {zone_name(tz)})") if changes else (tz, f"time ({zone_name(tz)})")


def naive(at: datetime, zone: tzinfo) -> str:
    """Return a moment in a zone as Plotly wants it."""
    return local(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def _when(at: pd.Timestamp, tz: tzinfo, axis: TimeAxis) -> str:
    there = at.to_pydatetime()
    day = f" on {local(there, tz).day} {local(there, tz):%b}" if axis.span > timedelta(days=1) else ""
    return f"{clock(there, tz)}{day}"
