"""The heat map of readers' hours: when in the local week is talked what they offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from golive_lib.charts import figure
from golive_lib.formats import missing, number, share, zone_name
from golive_lib.show import Chart

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from datetime import tzinfo
    from typing import Any

    from golive_lib.utilization import Utilization

WEEK: Final = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 0: "Sun"}
HOURS: Final = tuple(range(24))
# One hue from pale to deep, in order of lightness: read in grey on paper, and told from a white and from a dark page.
_SCALE: Final = ((0.0, "#cfe0f3"), (0.5, "#5f9bd8"), (1.0, "#1f4f85"))
# Below the map, where it takes no width from it on a phone.
_BAR: Final = {
    "title": {"text": "talked, % of the offered minutes", "side": "bottom", "font": {"size": 12.5}},
    "orientation": "h",
    "x": 0,
    "xanchor": "left",
    "y": -0.2,
    "yanchor": "top",
    "len": 0.5,
    "lenmode": "fraction",
    "thickness": 8,
    "outlinewidth": 0,
    "tickformat": ".0%",
    "nticks": 4,
}
_FAINT: Final = 0.01  # the scale of a week without any talk


def heat_map(utilization: Utilization, tz: tzinfo) -> Chart:
    """Return the talked share of the offered hours per weekday and hour of the week, which are those of ``tz``.

    An hour that nobody offered is blank; the minutes behind each cell, and what was talked in a blank one, are shown
    where the pointer is.
    """
    x_title = f"hour of the day ({zone_name(tz)})"
    chart = figure(title="Offered hours that were talked", x_title=x_title, y_title="weekday", height=400)
    if utilization.hours.empty:
        return Chart(chart, "The hours that readers offer are unknown.")
    every = pd.MultiIndex.from_product([WEEK, HOURS], names=["weekday", "hour"])
    cells = utilization.hours.astype({"weekday": int, "hour": int}).set_index(["weekday", "hour"]).reindex(every)
    shares = cells["share"].unstack().loc[list(WEEK)]  # noqa: PD010  pivot_table would leave out blank hours
    grid = shares.astype(object).where(shares.notna(), None).to_numpy().tolist()
    hovers = [_hover(cell) for cell in cells.to_dict("records")]
    chart.add_heatmap(
        x=[f"{hour:02}" for hour in HOURS],
        y=list(WEEK.values()),
        z=grid,
        text=[["" if value is None else f"{value * 100:.0f}" for value in row] for row in grid],
        texttemplate="%{text}",
        customdata=[hovers[start : start + len(HOURS)] for start in range(0, len(hovers), len(HOURS))],
        hovertemplate="%{y}, %{x}:00<br>%{customdata}<extra></extra>",
        colorscale=_SCALE,
        zmin=0,
        zmax=max(_FAINT, shares.max().max()),
        xgap=1,
        ygap=1,
        colorbar=_BAR,
    )
    chart.update_layout(hovermode="closest", margin={"t": 48})
    chart.update_xaxes(type="category", showline=False, ticks="")
    chart.update_yaxes(autorange="reversed", rangemode="normal", showgrid=False)
    return Chart(chart, _summary(cells))


def _hover(cell: Mapping[Hashable, Any]) -> str:
    if missing(cell["offered_minutes"]):
        return "nothing offered and talked, or nothing known"
    used = f"{share(cell['share'])} of {number(round(cell['offered_minutes']))} offered min"
    offered = "no hours offered" if missing(cell["share"]) else used
    outside = f"; {number(round(cell['outside_minutes']))} min outside them" if cell["outside_minutes"] else ""
    return f"{offered}<br>{number(round(cell['talked_minutes']))} min talked{outside}"


def _summary(cells: pd.DataFrame) -> str:
    """Say when the readers' hours are fullest, and how many hours of the week nobody offers though people talk."""
    offered = cells[cells["share"].notna()]
    blank = cells[cells["share"].isna() & (cells["talked_minutes"] > 0)]
    unasked = f"in {len(blank)} hours of the week readers talked though nobody offered them"
    if offered.empty:
        return f"No reader offers hours; {unasked}."
    top = offered.reset_index().iloc[int(offered["share"].argmax())]
    total = offered["used_minutes"].sum() / offered["offered_minutes"].sum()
    return (
        f"Readers talked {share(total)} of the hours they offered; most on {WEEK[int(top['weekday'])]} at "
        f"{int(top['hour']):02}:00, {share(top['share'])} of {number(round(top['offered_minutes']))} min; {unasked}."
    )
