"""What the canary's notebook shows of a stage: verdict, tiles, the KPIs side by side, evidence, and the forecast."""

from __future__ import annotations

import math
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd

from golive_lib.formats import MISSING, duration, mask, moment, number, share
from golive_lib.kpis import KpiResult
from golive_lib.series import PERCENTILES
from golive_lib.show import Html, Tile, joined, line, table, tiles, verdict_banner
from golive_lib.views import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from golive_lib.canary import StageResult
    from golive_lib.due_events import DueResult
    from golive_lib.forecasts import KpiForecast


FORECAST = (
    "What this stage can decide, by the traffic of the same hours before (what tolerates nothing needs no forecast)"
)


def verdict(result: StageResult) -> Finding:
    """Return the stage's verdict as a banner, with the stretch it was judged on."""
    soak, zone = result.soak, ZoneInfo(result.zone)
    until = moment(soak.until, zone)
    until += replace(result.clock, now=soak.until).note
    until += ", when the plan's next stage began" if soak.ended else ""
    left = soak.ends - soak.until
    facts = {
        "Stage": f"{soak.stage} since {moment(soak.started_at, zone)}",
        "Judged until": until,
        "Soak": "over"
        if soak.over
        else f"{duration(left)} left of {duration(soak.stage.soak)}" + ", cut short" * soak.cut_short,
        "Allowed error": f"α = {share(result.alpha)} over all KPIs and stages",
        "Launch": result.launch,
        "Database": result.database + f", and {result.archive}" * bool(result.archive),
    }
    outcome = result.outcome
    return Finding(outcome, verdict_banner(outcome.verdict, outcome.sentence, facts), result.record())


def overview(result: StageResult) -> Html:
    """Return a tile per KPI and due event: its value, limit, number of events and status."""
    return tiles([_tile(one) if isinstance(one, KpiResult) else _due_tile(one) for one in result.results])


def _tile(one: KpiResult) -> Tile:
    counts = one.judgement.counts
    if not one.budget.allowed:
        return Tile(one.kpi.title, number(counts.bad), f"none allowed · {number(counts.n)} {one.kpi.noun}", one.status)
    value = reading(one)
    limit = _measure(one.kpi.limit, one.kpi.unit)
    note = f"limit {limit} · {share(counts.share) if counts.n else 'none'} of {number(counts.n)} {one.kpi.noun} bad"
    note += f" · {one.telemetry.note}" if one.telemetry.note and one.kpi.percentile else ""
    spent = f" · {share(round(one.spent, 2))} of the error budget" if one.spent is not None else ""
    return Tile(one.kpi.title, value, note + spent, one.status)


def _due_tile(one: DueResult) -> Tile:
    if one.judgement is None:
        return Tile(one.due.title, "?", one.reason, one.status)
    came = f"{one.judgement.arrived}/{one.judgement.expected}"
    when = f"{one.judgement.state} · due {one.due.at} on {one.judgement.day.day} {one.judgement.day:%b}"
    return Tile(one.due.title, came, when + (", before this soak" if one.judgement.before_soak else ""), one.status)


def reading(one: KpiResult) -> str:
    """Return a KPI's value as the runbook words it: a percentile where it has one, else the bad share."""
    percentiles = one.telemetry.canary.percentiles
    if one.kpi.percentile is None or one.kpi.percentile not in PERCENTILES:
        return share(one.judgement.counts.share)
    return _measure(percentiles[PERCENTILES.index(one.kpi.percentile)], one.kpi.unit) if percentiles else MISSING


def _measure(value: float, unit: str) -> str:
    if unit == "share":
        return share(value)
    if math.isinf(value):
        return "never"
    return duration(value * (1000 if unit == "s" else 1)) if unit in ("ms", "s") else number(value)


def kpis(result: StageResult) -> Html:
    """Return the KPIs side by side: observed as the runbook's letter, and proven as far as the evidence carries."""
    rows = [
        {
            "KPI": one.kpi.title,
            "status": one.status.value,
            "why": one.reason,
            "observed": f"{share(one.judgement.counts.share)} of {number(one.judgement.counts.n)} {one.kpi.noun}",
            "limit": share(one.budget.allowed),
            "proven": one.judgement.proven,
            "not ruled out": " to ".join(share(end) for end in one.judgement.interval),
            "over the control": _ratio(one),
        }
        for one in result.kpis
    ]
    rows += [{"KPI": due.due.title, "status": due.status.value, "why": due.reason} for due in result.dues]
    return table(
        pd.DataFrame(rows),
        caption="Observed is the runbook's letter, proven what the evidence carries",
        status_column="status",
    )


def _ratio(one: KpiResult) -> str:
    if one.versus is None or (one.versus.ratio is None and one.versus.proven == "neither"):
        return MISSING
    if one.versus.ratio is None:
        return f"over {number(one.versus.interval[0])} ×, {one.versus.proven}"
    remarks = {"worse": ", worse", "better": ", better", "neither": ""}
    remark = " earlier days" if one.confounded else remarks[one.versus.proven]
    return f"{number(one.versus.ratio)} ×{remark}"


def traffic(result: StageResult) -> Html:
    """Return the canary's planned share of the traffic against the seen one, and what dilution hides."""
    rows = [
        {
            "KPI": one.kpi.title,
            "planned_share": one.traffic.planned if one.traffic else result.soak.stage.share,
            "seen_share": one.traffic.seen if one.traffic else None,
            "judged on": "the canary's own events" if one.traffic else "all traffic: the events have no cohort",
            "estimated canary share": share(one.diluted.share) if one.diluted else MISSING,
        }
        for one in result.kpis
        if one.budget.allowed and one.telemetry.everyone
    ]
    return table(pd.DataFrame(rows), caption="Whose events each KPI is judged on") if rows else line("No traffic.")


def evidence(result: StageResult) -> Html:
    """Return the newest bad events behind every red KPI."""
    pieces = [
        table(frame, caption=f"{result.kpi(key).kpi.title}: the newest bad events", tz=ZoneInfo(result.zone))
        for key, frame in result.evidence.items()
    ]
    return joined(*pieces) if pieces else line("No KPI is red, so there are no rows to show.")


def forecast(forecasts: Sequence[KpiForecast]) -> Html:
    """Return what a stage can decide, from the traffic of the same hours of earlier days."""
    rows = [_expected(one) for one in forecasts]
    return table(pd.DataFrame(rows), caption=FORECAST)


def _expected(one: KpiForecast) -> dict[str, object]:
    window = one.forecast
    if window is None:
        return {"KPI": one.kpi.title, "enough": one.problem, "allowed_share": one.kpi.allowed}
    return {
        "KPI": one.kpi.title,
        "expected events": window.events,
        "enough": "yes" if window.enough else f"no, {one.kpi.min_events} are needed",
        "allowed_share": one.kpi.allowed,
        "smallest share it would prove": "none" if window.smallest is None else share(window.smallest),
        "time to prove twice the limit": MISSING if window.minutes is None else duration(window.minutes * 6e4),
    }


def method(result: StageResult) -> Html:
    """Return how each KPI was judged: its budget, its e-values and the SQL that ran, folded away."""
    taken = f"Taken in one snapshot, at {moment(result.clock.now, ZoneInfo(result.zone))} by the database's clock."
    pieces, text = [line(taken).markup], [taken]
    for one in result.kpis:
        judged = one.judgement
        over, under = (f"10^{value / math.log(10):.1f}" for value in (judged.log_e_over, judged.log_e_under))
        words = f"α = {one.budget.alpha:.2g}; e-value over the limit {over}, under it {under}. {one.reason}."
        pieces.append(
            f'<details class="gl"><summary>{escape(one.kpi.title)}</summary><p>{escape(mask(words))}</p>'
            f"<pre>{escape(one.telemetry.sql)}</pre></details>"
        )
        text.append(f"-- {one.kpi.title}: {words}\n{one.telemetry.sql}")
    return Html("".join(pieces), "\n\n".join(text))
