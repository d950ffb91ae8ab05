"""The chart of a launch's story: a row per stage, as planned and as judged, and what was done beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from golive_lib.charts import TIME, axis_zone, figure, naive
from golive_lib.formats import moment
from golive_lib.grid import COLOURS
from golive_lib.show import Chart
from golive_lib.story import MESSAGES, REPORTS, ROLLBACKS, TICKS
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    import plotly.graph_objects as go

    from golive_lib.story import Event, Story

NOTHING: Final = "Nothing has happened in this launch yet."
SYMBOLS: Final = {
    Status.GREEN: "circle",
    Status.AMBER: "triangle-up",
    Status.RED: "diamond",
    Status.UNKNOWN: "circle-open",
}
ROW, ABOVE_AND_BELOW = 36, 150  # CSS pixels
_PLANNED: Final = "rgba(121,129,141,0.30)"
_LONGEST = 70  # characters of a line in a hover label


def timeline(story: Story, tz: tzinfo) -> Chart:
    """Return when each stage was planned and how far it was judged, every verdict, rollback, message and tick."""
    rows = _rows(story)
    chart = figure(title="The launch", height=ABOVE_AND_BELOW + ROW * len(rows))
    moments = [event.at for event in story.events]
    moments += [at for lane in story.lanes for at in (lane.starts, lane.ends) if at]
    zone, title = axis_zone(moments, tz)
    _planned(chart, story, zone)
    _judged(chart, story, zone)
    _marks(chart, story, zone)
    for event in story.rollbacks:
        x = naive(event.at, zone)
        line = {"color": COLOURS[Status.RED], "width": 1.5, "dash": "dash"}
        chart.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line, layer="below")
    chart.update_layout(hovermode="closest", showlegend=True)
    chart.update_xaxes({**TIME, "title": {"text": title}, "nticks": 6})
    chart.update_yaxes(
        type="category", categoryorder="array", categoryarray=rows, range=[len(rows) - 0.4, -0.6], rangemode="normal"
    )
    return Chart(chart, summary(story, tz))


def _rows(story: Story) -> list[str]:
    """Name the rows from the top: reports, the stages, and what was done beside them."""
    stages = [lane.row for lane in story.lanes]
    seen = list(dict.fromkeys(event.row for event in story.events))
    others = [
        row for row in seen if row not in {REPORTS, *stages, ROLLBACKS, MESSAGES, TICKS}
    ]  # stages no longer planned
    beside = [row for row in (ROLLBACKS, MESSAGES, TICKS) if row in seen]
    return [*([REPORTS] if REPORTS in seen else []), *stages, *others, *beside]


def _planned(chart: go.Figure, story: Story, zone: tzinfo) -> None:
    spans = [(lane.row, lane.starts, lane.ends) for lane in story.lanes if lane.starts and lane.ends]
    x, y = _lines([(row, start, end) for row, start, end in spans], zone)
    line = {"color": _PLANNED, "width": 18}
    chart.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _judged(chart: go.Figure, story: Story, zone: tzinfo) -> None:
    """Draw how far each stage was watched, in the colour of what was decided; each attempt on its own."""
    for status in Status:
        spans = [(e.row, e.since, e.at) for e in story.events if e.since and e.status is status]
        if spans:
            x, y = _lines(spans, zone)
            line = {"color": COLOURS[status], "width": 5}
            chart.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _lines(spans: Sequence[tuple[str, datetime, datetime]], zone: tzinfo) -> tuple[list[str | None], list[str | None]]:
    """Return the ends of lines as one trace, a gap after each."""
    x = [cell for _, start, end in spans for cell in (naive(start, zone), naive(end, zone), None)]
    y = [cell for row, _, _ in spans for cell in (row, row, None)]
    return x, y


def _marks(chart: go.Figure, story: Story, zone: tzinfo) -> None:
    for status in Status:
        events, colour = [event for event in story.events if event.status is status], COLOURS[status]
        if events:
            chart.add_scatter(
                x=[naive(event.at, zone) for event in events],
                y=[event.row for event in events],
                name=status.value,
                mode="markers",
                marker={
                    "color": colour,
                    "symbol": SYMBOLS[status],
                    "size": 13,
                    "line": {"width": 2, "color": colour},
                },
                text=[_hover(event) for event in events],
                hovertemplate="%{text}<br>%{x|%H:%M, %-d %b}<extra></extra>",
                cliponaxis=False,
            )


def _hover(event: Event) -> str:
    words, lines = event.said.split(" "), [""]
    for word in words:
        if len(lines[-1]) + len(word) > _LONGEST:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    said = "<br>".join(line.replace("&", "&amp;").replace("<", "&lt;") for line in lines)
    by = f", {event.by}".replace("<", "&lt;") if event.by else ""
    return f"<b>{event.what}: {event.word.lower()}</b>{by}<br>{said}"


def summary(story: Story, tz: tzinfo) -> str:
    """Say what was decided and when: the stages in their order, then rollbacks."""
    if not story.events:
        return NOTHING
    decided = story.decided
    promoted = [lane.row for lane in story.lanes if lane.row in decided and decided[lane.row].word == "Promote"]
    said = f"{len(promoted)} of {len(story.lanes)} stages {'was' if len(promoted) == 1 else 'were'} promoted"
    if promoted:
        said += f", the last ({promoted[-1]}) judged until {moment(decided[promoted[-1]].at, tz)}"
    others = [f"{row}: {event.word.lower()}" for row, event in decided.items() if event.word != "Promote"]
    said += f"; {', '.join(others)}" if others else ""
    back = story.rollbacks
    if not back:
        return f"{said}; no rollback was executed."
    by = f" by {back[-1].by}" if back[-1].by else ""
    times = "once" if len(back) == 1 else f"{len(back)} times, the last"
    return f"{said}. Rolled back {times} at {moment(back[-1].at, tz)}{by}: {back[-1].said}."
