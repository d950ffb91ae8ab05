"""Health of the last day: volume, response time, errors and RLS violations against the day before and last week."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.evidence import interval
from golive_lib.formats import duration, few, mask, missing, moment, number, share
from golive_lib.judge import Counts, Judgement, Liveness, judge, liveness
from golive_lib.kpis import budgets, clustered
from golive_lib.proof import Point, Proof, Section
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.spans import Span, Spans

TITLE = "Health"
AUDIT = "rls_violations"
KPIS = ("api_p95", "api_errors", AUDIT)
COLLAPSE = 0.5  # of the requests per hour of the day before
WORSE = 0.01  # of a path's requests, beyond noise, before it is worth a look
SHOWN = 20
TELEMETRY_FIX = "see whether the app, its request log or sources/api_requests.sql stopped"
AUDIT_FIX = "see whether the audit log or sources/security_events.sql stopped"


def _empty(columns: str) -> pd.DataFrame:
    return pd.DataFrame(columns=columns.split())


@dataclass(frozen=True, repr=False)
class DayHealth(Section):
    """How the API did in the last hours, and what it is held against.

    ``totals`` has a row per span (its title in ``span``): requests, per_hour, hours covered by data, average_ms,
    p50_ms, p95_ms, p99_ms, slow, unmeasured, failed, failed_share with failed_low_share and failed_high_share, newest.
    ``paths`` holds the paths, what changed most first; ``hours`` a row per hour, beside the same hour of the day
    before; ``gaps`` the silences; ``violations`` the newest events. All are empty where nothing could be asked.
    """

    points: tuple[Point, ...]
    totals: pd.DataFrame = field(default_factory=lambda: _empty("span requests p50_ms p95_ms p99_ms failed_share"))
    paths: pd.DataFrame = field(default_factory=lambda: _empty("path requests p95_ms p95_before_ms failed_share"))
    hours: pd.DataFrame = field(default_factory=lambda: _empty("at requests p50_ms p95_ms p99_ms p95_before_ms"))
    gaps: pd.DataFrame = field(default_factory=lambda: _empty("since until seconds expected"))
    violations: pd.DataFrame = field(default_factory=lambda: _empty("event at kind client_ip"))
    violated: int | None = None  # how many violations there are in all, None when nobody can say

    @property
    def proof(self) -> Proof:
        """The points with the figures behind them; reds and ambers say what to look at."""
        return Proof("day_health", TITLE, self.points, _summary(self), _tables(self))


def examine(launch: Launch, snapshot: Asked, spans: Spans) -> DayHealth:
    """Return the health of the last hours; what cannot be asked is unknown, with the reason."""
    absent = [key for key in KPIS if key not in launch.plan.kpis]
    if absent:
        detail = f"names no limit: there is no {', '.join(f'[kpis.{key}]' for key in absent)}"
        lacking = Point("launch plan", Status.UNKNOWN, detail, "add it; the kit's own launch.toml has it")
        if AUDIT in absent:
            return DayHealth((lacking,))
        audit, violations, violated = _audit(launch, snapshot, spans)  # a violation is red whatever else is unknown
        return DayHealth((lacking, audit), violations=violations, violated=violated)
    audit, violations, violated = _audit(launch, snapshot, spans)
    now = spans.now.values()
    pair = now | {f"before_{name}": value for name, value in spans.day.values().items()}
    try:
        totals = _totals(launch, snapshot, spans)
        gaps = launch.ask(snapshot, "aftercare/health_gaps", **now)
        paths = launch.ask(snapshot, "aftercare/health_paths", **pair)
        hours = launch.ask(snapshot, "aftercare/health_hours", **pair)
    except QueryFailed as failure:
        reason = Point("telemetry", Status.UNKNOWN, failure.reason, "adapt sources/api_requests.sql")
        return DayHealth((reason, audit), violations=violations, violated=violated)
    live = _live(launch, totals, spans)
    points = (
        _telemetry(launch, live, gaps),
        _volume(totals),
        _response(launch, totals, live),
        _errors(launch, totals, live),
        *_paths(launch, paths, spans),
        audit,
    )
    return DayHealth(points, totals, paths, hours, gaps, violations, violated)


def compared(spans: Spans) -> tuple[Span, ...]:
    """Return the last hours and what they are held against, each stretch once."""
    found: list[Span] = []
    for span in (spans.now, spans.day, spans.week, spans.prelaunch):
        if span and span.values() not in [other.values() for other in found]:
            found.append(span)
    return tuple(found)


def _totals(launch: Launch, snapshot: Asked, spans: Spans) -> pd.DataFrame:
    rows = [launch.ask(snapshot, "aftercare/health_totals", **span.values()) for span in compared(spans)]
    totals = pd.concat(rows, ignore_index=True)
    alpha = budgets(launch.plan)["api_errors"].alpha
    bounds = [interval(int(n), int(bad), alpha) for n, bad in zip(totals["requests"], totals["failed"], strict=True)]
    seen = [bound if n else (np.nan, np.nan) for bound, n in zip(bounds, totals["requests"], strict=True)]
    totals[["failed_low_share", "failed_high_share"]] = np.array(seen, dtype=float)
    totals.insert(
        0, "span", [_titled(span, hours) for span, hours in zip(compared(spans), totals["hours"], strict=True)]
    )
    return totals


def _titled(span: Span, covered: float) -> str:
    whole = missing(covered) or not covered or span.hours - covered < 1
    return span.title if whole else f"{span.title} (data of its last {number(covered)} h alone)"


def _live(launch: Launch, totals: pd.DataFrame, spans: Spans) -> Liveness:
    newest, earlier = totals["newest"].iloc[0], [int(n) for n in totals["requests"].iloc[1:]]
    old = None if missing(newest) else spans.now.until - newest.to_pydatetime()
    return liveness(int(totals["requests"].iloc[0]), earlier, old, launch.plan.kpis["api_p95"].freshness)


def _telemetry(launch: Launch, live: Liveness, gaps: pd.DataFrame) -> Point:
    """Say whether the request log spoke all the time: silence may be an outage, or a log that was not written."""
    if not live.alive:
        return Point("telemetry", Status.UNKNOWN, live.reason, TELEMETRY_FIX)
    if gaps.empty:
        return Point("telemetry", Status.GREEN, f"{live.reason}, without a gap")
    longest = gaps.iloc[0]
    detail = (
        f"no request for {duration(longest['seconds'] * 1_000)} from {moment(longest['since'], launch.zone)}, "
        f"where about {number(round(longest['expected']))} were due"
    )
    more = f", and {len(gaps) - 1} more gaps" if len(gaps) > 1 else ""
    return Point("telemetry", Status.AMBER, detail + more, "find out whether the app or its log was down then")


def _volume(totals: pd.DataFrame) -> Point:
    now, day = totals.iloc[0], totals.iloc[1]
    if not now["requests"]:
        return Point("volume", Status.UNKNOWN, "no requests", TELEMETRY_FIX)
    said = f"{number(now['requests'])} requests, {number(round(now['per_hour']))} an hour"
    detail = "; ".join([said, *(_against(now, other) for _, other in totals.iloc[1:].iterrows())])
    if not day["requests"]:
        return Point("volume", Status.UNKNOWN, detail, "judge it by hand: nothing before it says what is usual")
    usual = [row["per_hour"] for _, row in totals.iloc[1:].iterrows() if row["requests"]]
    if now["per_hour"] < COLLAPSE * min(usual):  # a window of some hours is held against the same ones, too
        return Point("volume", Status.AMBER, detail, "find out where the requests have gone")
    return Point("volume", Status.GREEN, detail)


def _against(now: pd.Series[Any], other: pd.Series[Any]) -> str:
    """Say how many more or fewer requests an hour there were; without data nothing is compared."""
    if not other["requests"]:
        return f"no data for {other['span']}"
    change = now["per_hour"] / other["per_hour"] - 1
    if round(abs(change), 2) == 0:
        return f"as many as {other['span']}"
    return f"{share(round(abs(change), 2))} {'more' if change > 0 else 'fewer'} than {other['span']}"


def _judged(launch: Launch, key: str, now: pd.Series[Any], bad: str, live: Liveness) -> Judgement:
    kpi = launch.plan.kpis[key]
    counts = Counts(int(now["requests"]), int(now[bad]))
    minutes = max(float(now["hours"] or 0) * 60, 1.0)
    budget = clustered(budgets(launch.plan)[key], kpi, np.array([round(counts.n / minutes)]))
    return judge(counts, budget, live, launch.plan.judge.rule)


def _response(launch: Launch, totals: pd.DataFrame, live: Liveness) -> Point:
    now, limit = totals.iloc[0], launch.plan.kpis["api_p95"].limit
    judgement = _judged(launch, "api_p95", now, "slow", live)
    if not now["requests"]:
        return Point("response time", judgement.status, judgement.reason, TELEMETRY_FIX)
    before = [f"{duration(row['p95_ms'])} {row['span']}" for _, row in totals.iloc[1:].iterrows() if row["requests"]]
    others = f" ({', '.join(before)})" if before else ""
    detail = (
        f"P95 {duration(now['p95_ms'])}, limit {duration(limit)}{others}; P50 {duration(now['p50_ms'])}, "
        f"P99 {duration(now['p99_ms'])}, average {duration(now['average_ms'])}"
    )
    lost = f"; {number(now['unmeasured'])} without a duration count as endless" if now["unmeasured"] else ""
    return _said("response time", detail + lost, judgement, "start with the path that changed most, and its queries")


def _errors(launch: Launch, totals: pd.DataFrame, live: Liveness) -> Point:
    now, limit = totals.iloc[0], launch.plan.kpis["api_errors"].limit
    judgement = _judged(launch, "api_errors", now, "failed", live)
    if not now["requests"]:
        return Point("failed requests", judgement.status, judgement.reason, TELEMETRY_FIX)
    low, high = judgement.interval
    detail = (
        f"{share(now['failed_share'])} of {number(now['requests'])}, limit {share(limit)}; not ruled out: "
        f"{share(low)} to {share(high)}"
    )
    return _said("failed requests", detail, judgement, "start with the path that fails more than the day before")


def _said(what: str, detail: str, judgement: Judgement, fix: str) -> Point:
    if judgement.status is Status.GREEN:
        return Point(what, Status.GREEN, detail)
    return Point(what, judgement.status, f"{detail}; {judgement.reason}", fix)


def _paths(launch: Launch, paths: pd.DataFrame, spans: Spans) -> Iterator[Point]:
    """Name the paths that are worse than the day before beyond noise, and those that nobody asks for any more."""
    if not paths["requests"].sum() or not paths["requests_before"].sum():
        yield Point("paths", Status.UNKNOWN, f"no data to compare with {spans.day.title}", TELEMETRY_FIX)
        return
    worse = paths[(paths["beyond"] >= WORSE) & paths["change"].isin(["slower", "fails more"])]
    gone = paths[(paths["change"] == "gone") & (paths["requests_before"] >= launch.plan.kpis["api_p95"].min_events)]
    if worse.empty and gone.empty:
        yield Point(
            "paths", Status.GREEN, f"none of {number(len(paths))} is worse than {spans.day.title}, beyond noise"
        )
    if len(worse):
        said = [f"{mask(str(row['path']))} {_change(row)}" for _, row in worse.iterrows()]
        fix = "look at what was released for it, and at its queries"
        yield Point("paths", Status.AMBER, few(said), fix)
    if len(gone):
        said = [f"{mask(str(row['path']))} ({number(row['requests_before'])})" for _, row in gone.iterrows()]
        detail = f"without any request, unlike {spans.day.title}: {few(said)}"
        yield Point("paths gone", Status.AMBER, detail, "see that the app still calls them under another name")


def _change(row: pd.Series[Any]) -> str:
    if row["change"] == "fails more":
        return f"fails more: {share(row['failed_share'])} after {share(row['failed_before_share'])}"
    return f"is slower: P95 {duration(row['p95_ms'])} after {duration(row['p95_before_ms'])}"


def _audit(launch: Launch, snapshot: Asked, spans: Spans) -> tuple[Point, pd.DataFrame, int | None]:
    """Judge RLS violations: each is one too many, and a log that does not speak proves nothing."""
    what, none = "RLS violations", _empty("event at kind client_ip")
    try:
        log = launch.ask(snapshot, "aftercare/health_audit", **spans.now.values()).iloc[0]
        rows = launch.ask(snapshot, "aftercare/health_violations", **spans.now.values())
    except QueryFailed as failure:
        return Point(what, Status.UNKNOWN, failure.reason, "adapt sources/security_events.sql"), none, None
    found, events = int(log["violations"]), int(log["events"])
    if found:
        latest = moment(rows["at"].iloc[0], launch.zone)
        fix = "find the request behind each, close the hole, and tell those whose rows were seen"
        return Point(what, Status.RED, f"{number(found)}, the latest at {latest}", fix), rows, found
    old = None if missing(log["newest"]) else spans.now.until - log["newest"].to_pydatetime()
    live = liveness(events, (), old, launch.plan.kpis[AUDIT].freshness)
    if not live.alive:
        return Point(what, Status.UNKNOWN, f"none seen, but the audit log: {live.reason}", AUDIT_FIX), rows, None
    return Point(what, Status.GREEN, f"none among {number(events)} events of the audit log"), rows, 0


def _summary(health: DayHealth) -> str:
    if health.totals.empty:
        return ""
    now = health.totals.iloc[0]
    requests = (
        f"P95 {duration(now['p95_ms'])}, {share(now['failed_share'])} of {number(now['requests'])} requests failed"
    )
    return f"{requests}, no RLS violation"


def _tables(health: DayHealth) -> dict[str, pd.DataFrame]:
    tables = {}
    if len(health.totals):
        tables["Requests, response time and failures"] = _readable(health.totals)
    if len(health.paths):
        columns = ["path", "change", "requests", "p95_ms", "p95_before_ms", "failed_share", "failed_before_share"]
        tables["Paths, what changed most against the day before first"] = health.paths[columns].head(SHOWN)
    if len(health.gaps):
        tables["Silences of the request log"] = health.gaps
    if len(health.violations):
        tables["RLS violations, newest first"] = health.violations.assign(status=Status.RED.value).head(SHOWN)
    return tables


def _readable(totals: pd.DataFrame) -> pd.DataFrame:
    """Return the totals with seven columns, the failed share with its interval in one."""
    failed = [
        f"{share(row['failed_share'])} ({share(row['failed_low_share'])} to {share(row['failed_high_share'])})"
        if row["requests"]
        else "no data"
        for _, row in totals.iterrows()
    ]
    shown = totals[["span", "average_ms", "p50_ms", "p95_ms", "p99_ms"]].assign(failed=failed)
    shown.insert(1, "requests an hour", totals["per_hour"].where(totals["requests"] > 0).round().astype("Int64"))
    return shown
