"""What the canary's notebook shows: charts, tables and the forecast say what the result says."""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from plant import change

from golive_lib import Status, open_launch, stage_views
from golive_lib.canary import StageResult, judge_now
from golive_lib.errors import PlanError, QueryError
from golive_lib.events import MINUTE
from golive_lib.forecasts import before
from golive_lib.formats import number, share
from golive_lib.grid import SHAPES
from golive_lib.kpi_charts import BUCKETS, kpi_chart, kpis, marks, summary
from golive_lib.kpis import KpiResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase
    from golive_lib.due_events import DueResult

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
PLAN = ROOT / "launch.toml"


@pytest.fixture(scope="module")
def half(healthy: DemoDatabase) -> StageResult:
    """Judge the 50 % stage, which has a canary and a control."""
    return judge_now(open_launch(healthy.url, plan=PLAN), 50)


@pytest.fixture(scope="module")
def full(healthy: DemoDatabase) -> StageResult:
    """Judge the 100 % stage, all of which is green."""
    return judge_now(open_launch(healthy.url, plan=PLAN), 100)


def lines(text: str) -> str:
    """Return text with plain spaces, as somebody would search it."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def trace(chart: Any, name: str) -> Any:  # noqa: ANN401  plotly has no types
    """Return a chart's trace by the start of its name."""
    return next(one for one in chart.figure.data if (one.name or "").startswith(name))


@pytest.mark.parametrize(("percent", "until"), [(50, ""), (100, ""), (50, "2026-03-24T14:03:30Z")])
def test_chart_has_a_point_for_every_period(healthy: DemoDatabase, percent: float, until: str) -> None:
    """So many periods as the minutes fill, each once, ever later, the last ending where the judged minutes end."""
    result = judge_now(open_launch(healthy.url, plan=PLAN), percent, as_of=until)
    chart = kpi_chart(result.kpi("api_p95"), result)
    size = math.ceil(result.soak.complete / BUCKETS)
    x = [datetime.fromisoformat(at) for at in trace(chart, "canary, so far").x]
    assert len(x) == result.soak.complete // size
    assert x == sorted(set(x))
    assert x[-1] == result.soak.matured.astimezone(open_launch(healthy.url, plan=PLAN).zone).replace(tzinfo=None)
    assert {len(one.y) for one in chart.figure.data} == {len(x)}


def test_chart_ends_at_the_judged_share(half: StageResult) -> None:
    """The line's last point and the band's last ends are the result's own share and interval."""
    one = half.kpi("api_p95")
    chart = kpi_chart(one, half)
    low, high = one.judgement.interval
    ends = [chart.figure.data[1].y[-1], trace(chart, "canary, so far").y[-1], chart.figure.data[0].y[-1]]
    share_of_bad = one.judgement.counts.bad / one.judgement.counts.n
    assert ends == pytest.approx([100 * low, 100 * share_of_bad, 100 * high], abs=0.0006)


def test_periods_add_up_to_the_judged_counts(half: StageResult) -> None:
    """Each period's share, weighed by its events, gives back the bad events: no minute is twice or missing."""
    one = half.kpi("api_p95")
    chart = kpi_chart(one, half)
    at = [datetime.fromisoformat(text) for text in trace(chart, "canary, each period").x]
    ends = [half.soak.complete - (at[-1] - end) // MINUTE for end in at]
    n = one.telemetry.canary.n
    events = [int(n[start:end].sum()) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    shares = np.array([value or 0.0 for value in trace(chart, "canary, each period").y], dtype=float)
    assert float(shares @ np.array(events)) / 100 == pytest.approx(one.judgement.counts.bad, abs=0.05)


def test_summary_says_the_results_numbers(half: StageResult) -> None:
    """Share, events, limit, interval and ratio of the sentence are those of the result."""
    for one in half.kpis:
        if not one.budget.allowed:
            continue
        low, high = one.judgement.interval
        words = summary(one, "canary")
        counts = one.judgement.counts
        told = f"{share(counts.share)} of {number(counts.n)} {one.kpi.noun} (canary) count as {one.kpi.bad}, limit"
        assert f"{one.kpi.title}: {told} {share(one.budget.allowed)}" in words
        assert f"not ruled out: {share(low)} to {share(high)}" in words
        ratio = one.versus.ratio if one.versus else None
        assert ("times the control" in words) == (ratio is not None)


def test_every_kpi_with_a_share_has_a_chart(half: StageResult) -> None:
    """All but the one that allows none."""
    assert [chart.figure.layout.title.text for chart in kpis(half)] == [
        one.kpi.title for one in half.kpis if one.key != "rls_violations"
    ]


def test_chart_marks_the_stage_and_what_was_due_in_it(full: StageResult, half: StageResult) -> None:
    """The stage's start, its soak's end and a due event within it are marked; one before it is not."""
    assert [label for _, label in marks(full)] == ["100 % begins", "soak over", "Daily zodiac audio due"]
    assert [label for _, label in marks(half)] == ["50 % begins", "soak over"]
    drawn = [annotation.text for annotation in kpi_chart(full.kpis[0], full).figure.layout.annotations]
    assert {label for _, label in marks(full)} <= set(drawn)


def test_stage_without_a_judged_minute_has_no_chart(healthy: DemoDatabase) -> None:
    """Nothing to draw is no empty chart."""
    assert kpis(judge_now(open_launch(healthy.url, plan=PLAN), 10, as_of="2026-03-24T08:01:00Z")) == ()


@pytest.mark.parametrize("stage", ["half", "full"])
def test_text_names_every_kpi_with_its_status(stage: str, request: pytest.FixtureRequest) -> None:
    """Without any HTML, a line for each KPI and due event holds its title and the word of its status."""
    result: StageResult = request.getfixturevalue(stage)
    text = stage_views.kpis(result).text.splitlines()
    expected = {title(one): one.status.value for one in result.results}
    assert {name: word for line in text for name, word in expected.items() if name in line and word in line} == expected


@pytest.mark.parametrize("stage", ["half", "full"])
def test_tiles_name_every_kpi_with_its_status(stage: str, request: pytest.FixtureRequest) -> None:
    """Each tile's line begins with its status's shape and says its title."""
    result: StageResult = request.getfixturevalue(stage)
    text = stage_views.overview(result).text.splitlines()
    expected = [f"{SHAPES[one.status]} {title(one)}" for one in result.results]
    assert [line.split(":")[0] for line in text] == expected


def title(one: KpiResult | DueResult) -> str:
    """Return what a KPI or due event is called."""
    return one.kpi.title if isinstance(one, KpiResult) else one.due.title


def test_verdict_says_stage_and_stretch(full: StageResult) -> None:
    """The banner names stage, start and end in the launch's zone, and that the clock is fixed."""
    text = lines(str(stage_views.verdict(full)))
    for words in ("PROMOTE", "100 % since 25 Mar 2026, 00:00 Beirut", "26 Mar 2026, 00:00 Beirut", "clock fixed"):
        assert words.lower() in text.lower()


def test_evidence_of_a_missed_due_event_does_not_claim_that_nothing_is_red(clone: Clone) -> None:
    """The zodiac is red, no KPI is: there are no rows, and that is all it says."""
    demo = clone()
    change(demo, "update daily_zodiac set audio_path = null where day = '2026-03-25'")
    result = judge_now(open_launch(demo.url, plan=PLAN), 100)
    assert result.dues[0].status is Status.RED
    assert stage_views.evidence(result).text == "No KPI is red, so there are no rows to show."


def test_evidence_shows_the_red_kpis_rows(clone: Clone) -> None:
    """The newest bad events are there under their KPI's title, addresses masked."""
    demo = clone()
    change(
        demo,
        "insert into security_audit_logs (created_at, event_type, client_ip) values "
        "('2026-03-25 12:00Z', 'rls_violation', '203.0.113.7')",
    )
    text = stage_views.evidence(judge_now(open_launch(demo.url, plan=PLAN), 100)).text
    assert "RLS violations: the newest bad events" in text
    assert ("203.0.x.x" in text, "203.0.113.7" in text) == (True, False)


def test_traffic_shows_planned_and_seen_share(half: StageResult) -> None:
    """Half was planned; what was seen is the canary's events of all."""
    told = half.kpi("api_p95").telemetry
    seen = share(int(told.canary.n.sum()) / told.everyone)
    row = next(line for line in stage_views.traffic(half).text.splitlines() if "API response P95" in line)
    assert re.search(rf"50\D+{re.escape(seen.split()[0])}", lines(row))


def test_traffic_without_cohorts_says_so(clone: Clone) -> None:
    """Undivided traffic is named, with the canary's estimated share."""
    demo = clone()
    change(demo, "alter table api_logs alter flat_tables drop not null", "update api_logs set flat_tables = null")
    result = judge_now(open_launch(demo.url, plan=PLAN), 50)
    diluted = result.kpi("api_p95").diluted
    assert diluted is not None
    row = next(line for line in stage_views.traffic(result).text.splitlines() if "API response P95" in line)
    assert "all traffic: the events have no cohort" in row
    assert lines(share(diluted.share)) in lines(row)


def test_method_says_when_the_snapshot_was_taken(half: StageResult) -> None:
    """By the database's clock, in the launch's zone."""
    assert "in one snapshot, at 26 Mar 2026, 00:00 Beirut" in lines(str(stage_views.method(half)))


def test_method_shows_the_sql_that_ran(half: StageResult) -> None:
    """Each KPI's own SQL is there with the values it was asked with, and its share of alpha."""
    text = stage_views.method(half).text
    for one in half.kpis:
        assert f"-- {one.kpi.title}: α = {one.budget.alpha:.2g}" in text
        assert one.telemetry.sql in text
    assert "'2026-03-24T14:00:00+00:00'::timestamptz" in text


def test_forecast_is_the_share_of_the_mean_of_earlier_days(healthy: DemoDatabase) -> None:
    """The expected events agree with counts of the table itself over the same hours of seven days."""
    with psycopg.connect(healthy.admin_url.replace("+psycopg", "")) as connection:
        row = connection.execute(
            "select count(*) / 7.0 from api_logs, generate_series(1, 7) d "
            "where created_at >= '2026-03-24 10:00Z'::timestamptz - d * interval '1 day' "
            "and created_at < '2026-03-24 14:00Z'::timestamptz - d * interval '1 day'"
        ).fetchone()
    assert row is not None
    one = next(one for one in before(open_launch(healthy.url, plan=PLAN), 25) if one.key == "api_p95")
    assert one.forecast is not None
    assert (one.days, one.forecast.events) == (7, math.floor(0.25 * float(row[0])))


def test_forecast_leaves_out_a_day_that_is_not_over(healthy: DemoDatabase) -> None:
    """Planned for tomorrow, today's same hours are only half there; they must not count as a quiet day."""
    launch = open_launch(healthy.url, plan=PLAN)
    soon = next(one for one in before(launch, 100, started_at="2026-03-26T10:00Z") if one.key == "api_p95")
    past = next(one for one in before(launch, 100, started_at="2026-03-25T10:00Z") if one.key == "api_p95")
    assert soon.forecast is not None
    assert past.forecast is not None
    assert (soon.days, past.days) == (6, 7)
    assert soon.forecast.events == pytest.approx(past.forecast.events, rel=0.02)


def test_forecast_without_a_source_says_so_and_goes_on(clone: Clone) -> None:
    """A missing table costs its own KPI the forecast, with the reason in the table; the others have theirs."""
    demo = clone()
    change(demo, "drop table emergency_calls cascade")
    forecasts = before(open_launch(demo.url, plan=PLAN), 25)
    assert [one.key for one in forecasts if one.forecast is None] == ["siren_p90"]
    assert 'table missing: relation "public.emergency_calls"' in stage_views.forecast(forecasts).text


def test_forecast_says_what_a_stage_cannot_decide(healthy: DemoDatabase) -> None:
    """So little traffic reaches no minimum: no, and how many are needed."""
    text = stage_views.forecast(before(open_launch(healthy.url, plan=PLAN), 10)).text
    row = next(line for line in text.splitlines() if "Payment failures" in line)
    assert "no, 40 are needed" in row


@pytest.mark.parametrize(
    ("percent", "start", "error", "message"),
    [(20, "", PlanError, "there is no stage of 20 %"), (10, "2026-03-24T08:00", QueryError, "has no time zone")],
)
def test_forecast_of_a_wrong_stage_is_an_error(
    healthy: DemoDatabase, percent: float, start: str, error: type[Exception], message: str
) -> None:
    """A stage not in the plan, or a start without a zone, is said."""
    with pytest.raises(error, match=message):
        before(open_launch(healthy.url, plan=PLAN), percent, started_at=start)


def test_minutes_of_a_telemetry_are_whole(half: StageResult) -> None:
    """What the charts place on their axis are all minutes of the stage, one after the other."""
    told = half.kpi("api_p95").telemetry
    assert list(told.minutes) == [half.soak.started_at + i * MINUTE for i in range(480)]
