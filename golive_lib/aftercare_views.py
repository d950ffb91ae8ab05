"""What the aftercare notebook shows: the day in a few figures, and the ticket ready to paste."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from golive_lib.formats import MISSING, duration, number, share
from golive_lib.show import Html, Tile, line, tiles
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from golive_lib.aftercare import Aftercare
    from golive_lib.proof import Point


def figures(after: Aftercare) -> Html:
    """Return the day in figures that a director reads in twenty seconds; what nobody could ask is a dash."""
    return tiles([*_api(after), *_money(after), *_people(after), _violations(after)])


def _api(after: Aftercare) -> list[Tile]:
    rows = [row for _, row in after.health.totals.iterrows()]
    if not rows:
        return [Tile("API P95", MISSING, "", after["day_health"].status)]
    now, *others = rows
    before = f"{duration(others[0]['p95_ms'])} {others[0]['span']}" if others else ""
    failed = f"of {number(now['requests'])} requests"
    return [
        Tile("API P95", duration(now["p95_ms"]), before, _point(after, "day_health", "response time")),
        Tile("Failed requests", share(now["failed_share"]), failed, _point(after, "day_health", "failed requests")),
    ]


def _money(after: Aftercare) -> list[Tile]:
    now, before = after.funnel.now, after.funnel.before
    if now is None or not now.count("bookings"):
        return [Tile("Bookings paid", MISSING, "", after["funnel"].status)]
    held = f"{share(before.count('paid') / before.count('bookings'))} before the launch" if before else ""
    paid = share(now.count("paid") / now.count("bookings"))
    then = f", {before.money('all', 'all', 'completed')} before the launch" if before else ""
    count = f"by {number(now.count('completed'))} bookings, not refunded{then}"
    return [
        Tile("Bookings paid", paid, held, _point(after, "funnel", "bookings that are paid")),
        Tile(f"Taken in {now.span.title}", now.money("all", "all", "completed"), count),
    ]


def _people(after: Aftercare) -> list[Tile]:
    demand, totals, recorded = after.utilization.demand, after.utilization.totals, after.recordings
    nobody = talked = MISSING
    asked = hours = ""
    if len(demand):
        nobody, asked = share(demand["unmet_share"].iloc[0]), f"of {number(demand['asked'].iloc[0])} who asked"
    if len(totals):
        now = totals.iloc[0]
        talked = number(round(now["talked_minutes"] / 60), "h")
        outside = share(now["outside_minutes"] / now["talked_minutes"]) if now["talked_minutes"] else MISSING
        hours = f"{outside} outside the hours that readers offer, of which {share(now['share'])} were used"
    right = number(recorded.population - int(recorded.real["failing"].sum())) if recorded.population else MISSING
    return [
        Tile("Asked and found no reader", nobody, asked, _point(after, "utilization", "demand that found no reader")),
        Tile("Hours talked", talked, hours),
        Tile("Recordings in order", right, f"of {number(recorded.population)}", after["recordings"].status),
    ]


def _violations(after: Aftercare) -> Tile:
    found, seen = _find(after, "day_health", "RLS violations"), after.health.violated
    shown = MISSING if seen is None else number(seen)
    return Tile("RLS violations", shown, found.detail if found else "", found.status if found else Status.UNKNOWN)


def _find(after: Aftercare, key: str, what: str) -> Point | None:
    return next((point for point in after[key].points if point.what.startswith(what)), None)


def _point(after: Aftercare, key: str, what: str) -> Status:
    found = _find(after, key, what)
    return found.status if found else after[key].status


def ticket(after: Aftercare) -> Html:
    """Return the performance ticket as Markdown to copy, or that none is due."""
    text = after.performance.ticket
    if text is None:
        return line("No ticket is due.")
    return Html(f'<pre class="gl" style="white-space:pre-wrap" tabindex="0">{escape(text)}</pre>', text)
