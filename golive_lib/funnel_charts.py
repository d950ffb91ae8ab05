"""The charts of the payments funnel: how far bookings come, against before the launch, and in which hours they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from golive_lib.charts import BLUE, GREY, TIME, figure, time_axis
from golive_lib.formats import number, share
from golive_lib.funnel import STEPS
from golive_lib.funnel_points import JUDGED
from golive_lib.show import Chart

if TYPE_CHECKING:
    from datetime import tzinfo

    from golive_lib.funnel import Funnel
    from golive_lib.funnel_points import Cohort

NOTHING: Final = "No booking could be followed, so nobody knows how many were paid."
ROOM: Final = 170  # percent, so that the label of a full bar stays on the page
_BAND: Final = "rgba(47,127,209,0.18)"


def funnel_chart(funnel: Funnel) -> Chart:
    """Return a bar per step, of the last hours and of those before the launch: bookings, and their share of all."""
    chart = figure(title="From booking to call", x_title="bookings, % of all made", height=90 + 62 * len(STEPS))
    names = [title[0].upper() + title[1:] for title in STEPS.values()]
    cohorts = ((funnel.before, "before the launch", GREY), (funnel.now, "now", BLUE))
    for cohort, name, colour in cohorts:
        if cohort is not None and cohort.count("bookings"):
            counts = [cohort.count(step) for step in STEPS]
            chart.add_bar(
                x=[round(100 * count / counts[0], 3) for count in counts],
                y=names,
                name=name,
                orientation="h",
                marker={"color": colour},
                text=_labels(cohort),
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{text}",
            )
    chart.update_layout(hovermode="closest", bargap=0.25)
    chart.update_xaxes(range=[0, ROOM], tickvals=[0, 25, 50, 75, 100])
    chart.update_yaxes(autorange="reversed")
    return Chart(chart, _funnel_summary(funnel))


def _labels(cohort: Cohort) -> list[str]:
    """Say each step's bookings and their share of all; of held calls it is the share of those whose hour passed."""
    labels = []
    for step in STEPS:
        count, of = cohort.count(step), cohort.count("due" if step == "held" else "bookings")
        base = " of those due" if step == "held" else ""
        labels.append(f"{number(count)} · {share(count / of if of else None)}{base}")
    return labels


def _funnel_summary(funnel: Funnel) -> str:
    if funnel.now is None or not funnel.now.count("bookings"):
        return NOTHING
    n, due = funnel.now.count("bookings"), funnel.now.count("due")
    sentence = f"{share(funnel.now.count('completed') / n)} of {number(n)} bookings ended in a completed payment"
    if due:
        held = share(funnel.now.count("held") / due)
        sentence += f", and {held} of the {number(due)} paid calls whose hour passed were held"
    judged = funnel.changes[funnel.changes["conversion"] == JUDGED] if len(funnel.changes) else funnel.changes
    return (
        f"{sentence}; paid bookings against before the launch: {judged['said'].item()}."
        if len(judged)
        else f"{sentence}."
    )


def hours_chart(funnel: Funnel, tz: tzinfo) -> Chart:
    """Return each hour's share of bookings with a completed payment and its interval, against the share before."""
    chart = figure(title="Completed payments by hour", y_title="completed, % of bookings", height=320)
    if funnel.now is None or funnel.hours.empty:
        return Chart(chart, NOTHING)
    rows, span = funnel.hours, funnel.now.span
    whole = pd.Series(pd.date_range(span.since, span.until, freq="h", inclusive="left"))
    axis = time_axis(rows["hour"], tz, whole=whole)
    edge = {"x": axis.labels, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    band = {"fill": "tonexty", "fillcolor": _BAND, "name": "95 % interval"}
    chart.add_scatter(y=axis.with_gaps(_percents(rows["high_share"])), showlegend=False, **edge)
    chart.add_scatter(y=axis.with_gaps(_percents(rows["low_share"])), **band, **edge)
    chart.add_scatter(
        x=axis.labels,
        y=axis.with_gaps(_percents(rows["completed_share"])),
        name="now",
        mode="lines+markers",
        line={"color": BLUE, "width": 2.5},
        marker={"size": 4},
        hovertemplate="%{y:.1f} %",
    )
    usual = _usual(funnel.before)
    if usual is not None:
        chart.add_scatter(
            x=[axis.starts[0], axis.starts[-1]],
            y=[100 * usual] * 2,
            name=f"before the launch: {share(usual)}",
            mode="lines",
            line={"color": GREY, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    chart.update_xaxes({**TIME, "title": {"text": axis.title}})
    chart.update_yaxes(range=[0, 100])
    return Chart(chart, _hours_summary(rows, usual))


def _usual(before: Cohort | None) -> float | None:
    if before is None or not before.count("bookings"):
        return None
    return before.count("completed") / before.count("bookings")


def _percents(shares: pd.Series[float]) -> list[float | None]:
    return [round(100 * value, 2) for value in shares]


def _hours_summary(rows: pd.DataFrame, usual: float | None) -> str:
    low, high = share(rows["completed_share"].min()), share(rows["completed_share"].max())
    sentence = f"By hour, {low} to {high} of the bookings ended in a completed payment"
    if usual is None:
        return f"{sentence}; there are no hours before the launch to hold them against."
    under = int((rows["high_share"] < usual).sum())
    return (
        f"{sentence}; in {under} of {len(rows)} hours the whole interval lay under the {share(usual)} from before the "
        "launch, as one in 40 would by chance."
    )
