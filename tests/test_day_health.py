"""Health of the last day: its figures against pandas, and each thing that must be said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import numpy as np
import pandas as pd
import psycopg
import pytest
from plant import change
from psycopg.conninfo import make_conninfo

from golive_lib.day_health import DayHealth, compared, examine
from golive_lib.health_charts import response_times
from golive_lib.launch import Launch, open_launch
from golive_lib.spans import Spans, spans
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.proof import Point
    from golive_lib.spans import Span

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
RAW: LiteralString = (
    "select created_at as at, path, status_code >= 500 as failed, response_time_ms::float8 as ms "
    "from api_logs where created_at >= %s and created_at < %s"
)
LAST_DAY: LiteralString = "created_at >= '2026-03-24 22:00Z'"
SLOW: LiteralString = f"update api_logs set response_time_ms = 3000 where {LAST_DAY}"


def looked(launch: Launch) -> tuple[Spans, DayHealth]:
    """Examine a launch at its own clock."""
    with launch.postgres.snapshot() as snapshot:
        stretches = spans(launch.plan, snapshot.clock.now)
        return stretches, examine(launch, snapshot, stretches)


def demo_health(demo: DemoDatabase) -> DayHealth:
    """Examine a demo under the kit's own plan."""
    return looked(open_launch(demo.url, plan=ROOT / "launch.toml"))[1]


def of(health: DayHealth, what: str) -> Point:
    """Return one point."""
    return next(point for point in health.points if point.what == what)


def raw(launch: Launch, span: Span) -> pd.DataFrame:
    """Pull the rows of a span, which the kit itself never does."""
    url = launch.postgres.url
    options = dict(url.options)
    there = make_conninfo(
        host=options.get("host"), port=options.get("port"), user=url.user or None, dbname=url.database or None
    )
    with psycopg.connect(there) as connection:
        cursor = connection.execute(RAW, (span.since, span.until))
        names = [column.name for column in cursor.description or ()]
        return pd.DataFrame(cursor.fetchall(), columns=names)


@pytest.fixture(params=["healthy", "staging"])
def launched(request: pytest.FixtureRequest) -> Launch:
    """Open the demo and the staging copy."""
    there = request.getfixturevalue(request.param)
    if request.param == "healthy":
        return open_launch(there.url, plan=ROOT / "launch.toml")
    return open_launch(there, plan=ROOT / "examples" / "staging" / "launch.toml")


def test_totals_agree_with_pandas(launched: Launch) -> None:
    """Volume, average, percentiles and failures of each span are those of the raw rows."""
    stretches, health = looked(launched)
    for span, (_, row) in zip((stretches.now, stretches.day), health.totals.iterrows(), strict=False):
        rows = raw(launched, span)
        assert (row["requests"], row["failed"]) == (len(rows), rows["failed"].sum())
        assert row["slow"] == (rows["ms"] >= 2000).sum()
        expected = [len(rows) / 24, rows["ms"].mean(), *np.percentile(rows["ms"], [50, 95, 99])]
        np.testing.assert_allclose(
            row[["per_hour", "average_ms", "p50_ms", "p95_ms", "p99_ms"]].astype(float), expected
        )
        assert row["failed_low_share"] <= rows["failed"].mean() <= row["failed_high_share"]


def test_paths_and_hours_agree_with_pandas(launched: Launch) -> None:
    """P95 and failures of each path, and P95 of each hour, are those of the raw rows, now and the day before."""
    stretches, health = looked(launched)
    now, before = raw(launched, stretches.now), raw(launched, stretches.day)
    paths = health.paths.set_index("path").sort_index()
    for rows, n, p95, failed in (
        (now, "requests", "p95_ms", "failed_share"),
        (before, "requests_before", "p95_before_ms", "failed_before_share"),
    ):
        by = rows.groupby("path")
        assert paths[n].tolist() == by.size().tolist()
        np.testing.assert_allclose(paths[p95], by["ms"].quantile(0.95))
        np.testing.assert_allclose(paths[failed], by["failed"].mean())
    for rows, since, column in ((now, stretches.now.since, "p95_ms"), (before, stretches.day.since, "p95_before_ms")):
        hour = (rows["at"] - pd.Timestamp(since)) // pd.Timedelta(hours=1)
        np.testing.assert_allclose(health.hours[column], rows.groupby(hour)["ms"].quantile(0.95))


def test_change_of_a_path_is_newcombes_interval(launched: Launch) -> None:
    """What ranks the paths is the near end of the interval, as computed here once more by Newcombe's formula."""
    stretches, health = looked(launched)
    now, before = raw(launched, stretches.now), raw(launched, stretches.day)

    def wilson(bad: float, n: float) -> tuple[float, float, float]:
        z, share = 3.29, bad / n
        half = z * np.sqrt(share * (1 - share) / n + z**2 / 4 / n**2)
        return share, (share + z**2 / 2 / n - half) / (1 + z**2 / n), (share + z**2 / 2 / n + half) / (1 + z**2 / n)

    for _, row in health.paths.iterrows():
        a, b = now[now["path"] == row["path"]], before[before["path"] == row["path"]]
        p95, found = np.percentile(b["ms"], 95), []
        for bad, bad_before in (((a["ms"] > p95).sum(), (b["ms"] > p95).sum()), (a["failed"].sum(), b["failed"].sum())):
            (p, low, high), (q, q_low, q_high) = wilson(bad, len(a)), wilson(bad_before, len(b))
            found.append(max(p - q - np.hypot(p - low, q_high - q), -(p - q + np.hypot(high - p, q - q_low))))
        assert row["beyond"] == pytest.approx(max(found))
    assert health.paths["beyond"].is_monotonic_decreasing


def test_healthy_day_is_green(healthy: DemoDatabase) -> None:
    """Nothing is wrong with a healthy launch, and the first line says its figures."""
    health = demo_health(healthy)
    assert [point for point in health.points if point.status is not Status.GREEN] == []
    assert health.proof.reason.startswith("P95 ")
    assert max(len(table.columns) for table in health.proof.tables.values()) <= 7


def test_staging_says_the_gap_and_the_week_that_is_not_there(staging: str) -> None:
    """Eighteen minutes without a request are amber, and last week is no data rather than no change."""
    _, health = looked(open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml"))
    assert of(health, "telemetry").status is Status.AMBER
    assert of(health, "telemetry").detail.startswith("no request for 18\N{NO-BREAK SPACE}min from 29 Mar 2026, 20:29")
    assert "no data for the same hours last week" in of(health, "volume").detail
    week = health.proof.tables["Requests, response time and failures"].iloc[2]
    assert week["failed"] == "no data"
    assert week.drop(["span", "failed"]).isna().all()


def test_slow_day_is_red(clone: Clone) -> None:
    """A P95 over the limit is red, with the limit in the words."""
    demo = clone()
    change(demo, f"{SLOW} and id % 10 = 0")
    point = of(demo_health(demo), "response time")
    assert (point.status, "P95 3" in point.detail) == (Status.RED, True)


def test_requests_without_a_duration_are_endless(clone: Clone) -> None:
    """Missing, negative and infinite durations count against P95, and not into the average."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter response_time_ms drop not null, alter response_time_ms type float8",
        "update api_logs set response_time_ms = (array[null, -1, 'infinity', 'nan']::float8[])[1 + id / 10 % 4] "
        f"where {LAST_DAY} and id % 10 = 0",
    )
    health = demo_health(demo)
    assert of(health, "response time").status is Status.RED
    assert health.totals["p95_ms"].iloc[0] == np.inf
    assert 100 < health.totals["average_ms"].iloc[0] < 1000
    assert "without a duration count as endless" in of(health, "response time").detail
    assert "\N{INFINITY}" in response_times(health, 2000, open_launch(demo.url).zone).summary


def test_failures_over_the_limit_are_red_and_unknown_ones_count(clone: Clone) -> None:
    """A request whose status is missing counts as failed."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter status_code drop not null",
        f"update api_logs set status_code = null where {LAST_DAY} and id % 20 = 0",
    )
    point = of(demo_health(demo), "failed requests")
    assert (point.status, "not ruled out" in point.detail) == (Status.RED, True)


def test_what_changed_most_comes_first(clone: Clone) -> None:
    """A path that grew slow leads; one of three requests that all fail does not."""
    demo = clone()
    change(
        demo,
        f"update api_logs set response_time_ms = response_time_ms * 3 where path = '/decks' and {LAST_DAY}",
        "update api_logs set path = '/rare', status_code = 500 where id > (select max(id) - 3 from api_logs)",
        "update api_logs set path = '/rare' where id between 28000 and 28002",
    )
    health = demo_health(demo)
    assert health.paths[["path", "change"]].iloc[0].tolist() == ["/decks", "slower"]
    assert health.paths.set_index("path").loc["/rare", "change"] == "no change shown"
    assert of(health, "paths").detail.startswith("/decks is slower: P95 ")


def test_a_path_that_fails_more_is_named(clone: Clone) -> None:
    """Failures lead too, with the share before beside them; addresses in a path are masked."""
    demo = clone()
    change(
        demo,
        "update api_logs set path = '/users/anna@example.com' where path = '/bookings'",
        f"update api_logs set status_code = 503 where path like '/users%%' and id % 4 = 0 and {LAST_DAY}".replace(
            "%%", "%"
        ),
    )
    point = of(demo_health(demo), "paths")
    assert point.detail.startswith("/users/a\N{HORIZONTAL ELLIPSIS}@example.com fails more: ")


def test_paths_gone_and_new_are_told_apart(clone: Clone) -> None:
    """A path without any request now comes first and is amber; one without a day before is new, and no fault."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter path drop not null",
        "update api_logs set path = case when path = '/decks' then '/packs' end "
        f"where path in ('/decks', '/bookings') and {LAST_DAY}",
    )
    health = demo_health(demo)
    changes = health.paths.set_index("path")["change"]
    assert changes[["/decks", "/packs", "(no path)"]].tolist() == ["gone", "new", "new"]
    assert set(health.paths["path"].head(2)) == {"/decks", "/bookings"}
    assert "/decks" in of(health, "paths gone").detail


def test_volume_collapse_is_amber(clone: Clone) -> None:
    """Less than half of the requests of the day before ask for a look; where they stopped the gap is said."""
    demo = clone()
    change(demo, f"delete from api_logs where {LAST_DAY} and id % 3 <> 0")
    point = of(demo_health(demo), "volume")
    assert (point.status, "fewer than the 24 h before" in point.detail) == (Status.AMBER, True)


def test_no_requests_are_unknown(clone: Clone) -> None:
    """A day without a request proves nothing, and nor does a table without any."""
    demo = clone()
    for statement in (f"delete from api_logs where {LAST_DAY}", "delete from api_logs"):
        change(demo, statement)
        health = demo_health(demo)
        statuses = {point.what: point.status for point in health.points}
        assert statuses.pop("RLS violations") is Status.GREEN
        assert set(statuses.values()) == {Status.UNKNOWN}
        assert response_times(health, 2000, open_launch(demo.url).zone).summary.startswith("No requests")


def test_stale_telemetry_is_unknown(clone: Clone) -> None:
    """A log that ended two hours ago clears nothing of the day."""
    demo = clone()
    change(demo, "delete from api_logs where created_at >= '2026-03-25 20:00Z'")
    health = demo_health(demo)
    assert of(health, "telemetry").detail.startswith("stale: ")
    assert of(health, "response time").status is Status.UNKNOWN


def test_data_that_begins_within_a_span_is_compared_by_the_hour(clone: Clone) -> None:
    """A week ago of six hours alone is no collapse, and is said."""
    demo = clone()
    change(demo, "delete from api_logs where created_at < '2026-03-18 16:00Z'")
    health = demo_health(demo)
    assert health.totals["span"].iloc[2] == "the same hours last week (data of its last 6 h alone)"
    assert health.totals["per_hour"].iloc[2] == pytest.approx(health.totals["requests"].iloc[2] / 6, rel=0.01)


def test_each_violation_is_red_and_shown_masked(clone: Clone) -> None:
    """Violations of the window are listed, whatever their case; those of the day before are another day's."""
    demo = clone()
    change(
        demo,
        "update security_audit_logs set event_type = ' RLS_Violation', client_ip = '203.0.113.9' where id in "
        "(select id from security_audit_logs order by id desc limit 25)",
        "update security_audit_logs set event_type = 'rls_violation' where created_at < '2026-03-24 22:00Z'",
    )
    health = demo_health(demo)
    point = of(health, "RLS violations")
    assert (point.status, point.detail.startswith("25, the latest at ")) == (Status.RED, True)
    assert len(health.proof.tables["RLS violations, newest first"]) == 20


def test_silent_audit_log_is_unknown(clone: Clone) -> None:
    """No violation in a log that does not speak is no proof."""
    demo = clone()
    change(demo, f"delete from security_audit_logs where {LAST_DAY}")
    assert of(demo_health(demo), "RLS violations").status is Status.UNKNOWN


def test_missing_table_is_unknown_with_the_reason(clone: Clone) -> None:
    """What cannot be asked is said, and the rest is judged."""
    demo = clone()
    change(demo, "drop table api_logs cascade")
    health = demo_health(demo)
    assert of(health, "telemetry").detail.startswith("table missing: ")
    assert of(health, "RLS violations").status is Status.GREEN


def without(url: str, *kpis: str) -> DayHealth:
    """Look at a database by a plan that lacks these KPIs."""
    there = open_launch(url, plan=ROOT / "launch.toml")
    plan = replace(there.plan, kpis={key: kpi for key, kpi in there.plan.kpis.items() if key not in kpis})
    return looked(Launch(plan, there.queries, there.database))[1]


def test_plan_without_the_limits_is_unknown(healthy: DemoDatabase) -> None:
    """Nothing is judged by a limit that nobody set."""
    health = without(healthy.url, "api_p95", "rls_violations")
    assert [(point.what, point.status) for point in health.points] == [("launch plan", Status.UNKNOWN)]


def test_violation_is_red_without_other_limits(clone: Clone) -> None:
    """What nobody set a limit for hides no violation."""
    demo = clone()
    change(
        demo,
        "insert into security_audit_logs (created_at, event_type) "
        "values (timestamptz '2026-03-25 12:00Z', 'rls_violation')",
    )
    assert of(without(demo.url, "api_errors"), "RLS violations").status is Status.RED


def test_one_stretch_is_compared_once(healthy: DemoDatabase) -> None:
    """On the first day after a launch the hours before it are those of the day before."""
    stretches, _ = looked(open_launch(healthy.url, plan=ROOT / "launch.toml"))
    before = replace(stretches.day, title="the same hours before the launch")
    assert compared(replace(stretches, prelaunch=before)) == (stretches.now, stretches.day, stretches.week)


def test_chart_holds_the_day_before_and_the_limit(healthy: DemoDatabase) -> None:
    """Five lines over the hours, units on the axis, and a sentence that answers."""
    launch = open_launch(healthy.url, plan=ROOT / "launch.toml")
    chart = response_times(looked(launch)[1], 2000, launch.zone)
    assert [trace.name for trace in chart.figure.data][-2:] == ["P50 the day before", "P95 the day before"]
    assert len(chart.figure.data) == 5
    assert len(chart.figure.data[-1].x) == 24
    assert (chart.figure.layout.xaxis.title.text, chart.figure.layout.yaxis.title.text) == (
        "time (Beirut)",
        "response time, s",
    )
    assert chart.summary.endswith("hours were slower than then.")
