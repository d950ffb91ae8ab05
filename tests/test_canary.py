"""A stage judged on a real PostgreSQL as the read-only role: the demo's stories, planted faults and look-alikes."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import pytest
from plant import change

from golive_lib import Status, Verdict, open_launch
from golive_lib.canary import judge_now
from golive_lib.compare import dilution
from golive_lib.demo import open_demo
from golive_lib.errors import GoliveError, PlanError, QueryError
from golive_lib.evidence import log_e_over, log_threshold
from golive_lib.judge import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.canary import StageResult
    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
KPIS = ("api_p95", "db_p95", "api_errors", "rls_violations", "call_setup_p95", "siren_p90", "payment_success")
SCALES = {"healthy": 1.0, "api-regression": 0.2, "silent": 0.2, "thin": 1.0}  # the smallest that tell the story
TELEMETRY = {"api_p95", "db_p95", "api_errors", "rls_violations"}  # what falls silent; people go on calling and paying
BUSINESS = {"call_setup_p95", "siren_p90", "payment_success"}
THIN = {"api_p95", "db_p95", "api_errors", *BUSINESS}


@pytest.fixture(scope="module")
def stories(demo_folder: Path) -> Iterator[dict[str, DemoDatabase]]:
    """Build each story at the smallest scale that tells it."""
    with ExitStack() as stack:
        yield {
            story: stack.enter_context(open_demo(story, scale=scale, data=demo_folder))
            for story, scale in SCALES.items()
        }


def judged(demo: DemoDatabase, percent: float = 50, **when: str) -> StageResult:
    """Judge a stage by the kit's own plan."""
    return judge_now(open_launch(demo.url, plan=ROOT / "launch.toml"), percent, **when)


def statuses(result: StageResult) -> dict[str, Status]:
    """Return the status of everything that is not green."""
    return {one.key: one.status for one in result.results if one.status is not Status.GREEN}


GREEN: dict[Status, set[str]] = {}
STORIES: dict[tuple[str, float], tuple[Verdict, dict[Status, set[str]]]] = {
    ("healthy", 10): (Verdict.PROMOTE, GREEN),
    ("healthy", 25): (Verdict.PROMOTE, GREEN),
    ("healthy", 50): (Verdict.PROMOTE, GREEN),
    ("healthy", 100): (Verdict.PROMOTE, GREEN),
    ("api-regression", 10): (Verdict.HOLD, {Status.AMBER: BUSINESS}),
    ("api-regression", 25): (Verdict.ROLLBACK, {Status.RED: {"api_p95"}}),
    ("api-regression", 50): (Verdict.HOLD, {Status.UNKNOWN: set(KPIS) - {"rls_violations"}}),
    ("api-regression", 100): (Verdict.HOLD, {Status.UNKNOWN: set(KPIS) - {"rls_violations"}}),
    ("silent", 10): (Verdict.HOLD, {Status.AMBER: BUSINESS}),
    ("silent", 25): (Verdict.PROMOTE, GREEN),
    ("silent", 50): (Verdict.HOLD, {Status.UNKNOWN: TELEMETRY}),
    ("silent", 100): (Verdict.HOLD, {Status.UNKNOWN: TELEMETRY}),
    ("thin", 10): (Verdict.HOLD, {Status.AMBER: THIN}),
    ("thin", 25): (Verdict.HOLD, {Status.AMBER: BUSINESS}),
    ("thin", 50): (Verdict.HOLD, {Status.UNKNOWN: {"rls_violations"}}),
    ("thin", 100): (Verdict.PROMOTE, GREEN),
}


@pytest.mark.parametrize(("story", "percent"), STORIES)
def test_story_is_judged_as_it_happened(stories: dict[str, DemoDatabase], story: str, percent: float) -> None:
    """Each story gets its verdict at each stage, by exactly the KPIs that it is about."""
    verdict, others = STORIES[story, percent]
    result = judged(stories[story], percent)
    assert statuses(result) == {key: status for status, keys in others.items() for key in keys}
    assert result.outcome.verdict is verdict


def test_regression_hides_in_all_traffic(stories: dict[str, DemoDatabase]) -> None:
    """At 25 % the canary is proven over the limit, while all traffic together is within it and proves nothing."""
    one = judged(stories["api-regression"], 25).kpi("api_p95")
    control = one.telemetry.control
    assert control is not None
    bad, n = int((one.telemetry.canary.bad + control.bad).sum()), one.telemetry.everyone
    assert bad / n < 0.05 < one.judgement.counts.bad / one.judgement.counts.n
    assert float(log_e_over(n, bad, 0.05)) < log_threshold(one.budget.alpha) <= one.judgement.log_e_over
    assert one.versus is not None
    assert (one.versus.proven, one.confounded) == ("worse", False)


def test_red_kpi_shows_its_newest_bad_events(stories: dict[str, DemoDatabase]) -> None:
    """The evidence of a red KPI are rows of its own, the canary's, slow, newest first."""
    rows = judged(stories["api-regression"], 25).evidence["api_p95"]
    assert (len(rows), set(rows["canary"]), bool((rows["value"] >= 2000).all())) == (20, {True}, True)
    assert rows["at"].is_monotonic_decreasing


def test_silence_during_the_soak_goes_on_and_says_so(stories: dict[str, DemoDatabase]) -> None:
    """Before the soak is over nothing is decided, and what is silent is named."""
    result = judged(stories["silent"], 50, as_of="2026-03-24T18:00:00Z")
    assert result.outcome.verdict is Verdict.CONTINUE
    assert {key for key, status in statuses(result).items() if status is Status.UNKNOWN} == TELEMETRY
    assert "stale: the newest row is 1\N{NO-BREAK SPACE}h" in result.kpi("api_p95").reason


def test_thin_stage_says_what_is_missing(stories: dict[str, DemoDatabase]) -> None:
    """A hold for want of events tells how many more, of what, and how long that takes."""
    outcome = judged(stories["thin"], 10).outcome
    assert re.search(r"Payment failures: \d+ of at least 40 events; ≈ \d+ more payments, about \d+ hours", str(outcome))


def test_stage_ends_where_the_next_begins(stories: dict[str, DemoDatabase]) -> None:
    """Judged a day later, a stage still ends at the next one's start, and by then its last minutes are complete."""
    then, later = judged(stories["healthy"], 10, as_of="2026-03-24T10:00Z").soak, judged(stories["healthy"], 10).soak
    assert (then.until, then.complete, then.final) == (datetime(2026, 3, 24, 10, tzinfo=UTC), 118, False)
    assert (later.until, later.complete, later.final) == (datetime(2026, 3, 24, 10, tzinfo=UTC), 120, True)


EARLY = ("starts = 2026-03-24T22:00:00Z", "starts = 2026-03-24T20:00:00Z")


def test_soak_cut_short_by_the_next_stage_is_no_promotion(stories: dict[str, DemoDatabase], tmp_path: Path) -> None:
    """A stage left two hours early stayed green for too short a time: hold, for ever, with that reason."""
    launch = open_launch(stories["healthy"].url, plan=overlay(tmp_path, *EARLY))
    result = judge_now(launch, 50)
    assert (statuses(result), result.soak.over, result.soak.cut_short) == ({}, False, True)
    verdict = (result.outcome.verdict, result.outcome.status, result.stage_verdict.reasons)
    assert verdict == (Verdict.HOLD, Status.AMBER, ("Soak: cut short by the start of the next stage",))


def test_soak_under_way_is_not_cut_short(stories: dict[str, DemoDatabase], tmp_path: Path) -> None:
    """The look-alike: before the next stage's start the soak simply goes on."""
    launch = open_launch(stories["healthy"].url, plan=overlay(tmp_path, *EARLY))
    result = judge_now(launch, 50, as_of="2026-03-24T19:59:00Z")
    assert (result.soak.cut_short, result.outcome.verdict) == (False, Verdict.CONTINUE)


def test_old_moment_is_judged_as_it_was_then(clone: Clone) -> None:
    """Judging an instant later gives what a database holding only what had happened by then gives."""
    late, then = clone(), clone()
    change(
        then,
        "delete from api_logs where created_at > '2026-03-25 05:10:20Z'",
        "delete from db_query_logs where created_at > '2026-03-25 05:10:20Z'",
        "delete from security_audit_logs where created_at > '2026-03-25 05:10:20Z'",
        "delete from call_sessions where requested_at > '2026-03-25 05:10:20Z'",
        "delete from emergency_calls where requested_at > '2026-03-25 05:10:20Z'",
        "delete from payment_transactions where created_at > '2026-03-25 05:10:20Z'",
        "update call_sessions set connected_at = null where connected_at > '2026-03-25 05:10:20Z'",
        "update emergency_calls set answered_at = null where answered_at > '2026-03-25 05:10:20Z'",
        "update payment_transactions set status = 'pending', settled_at = null "
        "where settled_at > '2026-03-25 05:10:20Z'",
        "update daily_zodiac set audio_ready_at = null, audio_path = null "
        "where audio_ready_at > '2026-03-25 05:10:20Z'",
    )
    one, two = (judged(demo, 100, as_of="2026-03-25T05:10:20Z") for demo in (late, then))
    assert one.record() == two.record()
    assert all(kpi.judgement.counts.n for kpi in one.kpis)


def test_stage_in_its_first_minute_is_unknown(healthy: DemoDatabase) -> None:
    """Half a minute after the start there is not one minute to judge: unknown, and the soak goes on."""
    result = judged(healthy, 10, as_of="2026-03-24T08:00:30Z")
    assert {result.kpi(key).status for key in KPIS} == {Status.UNKNOWN}
    assert result.outcome.verdict is Verdict.CONTINUE


def test_newest_minutes_do_not_count_yet(clone: Clone) -> None:
    """Rows of the newest two minutes, however bad, change no count: more of them may be under way."""
    demo = clone()
    before = judged(demo, as_of="2026-03-24T22:00Z").kpi("api_p95").judgement
    change(
        demo,
        "insert into api_logs (created_at, method, path, status_code, response_time_ms, flat_tables) "
        "select '2026-03-24 21:58Z'::timestamptz + n * interval '0.2 s', 'GET', '/', 500, 9000, true "
        "from generate_series(0, 599) n",
    )
    assert judged(demo, as_of="2026-03-24T22:00Z").kpi("api_p95").judgement == before
    assert judged(demo).kpi("api_p95").status is Status.RED


def test_violation_in_the_newest_minutes_is_red_at_once(clone: Clone) -> None:
    """Where none is allowed, a bad event needs no maturity, and belongs to whichever cohort it likes."""
    demo = clone()
    change(demo, "update security_audit_logs set event_type = 'RLS_violation ', created_at = '2026-03-24 21:59:30Z' "
                 "where id = (select max(id) from security_audit_logs)")  # fmt: skip
    result = judged(demo, as_of="2026-03-24T22:00Z")
    assert (result.kpi("rls_violations").status, result.outcome.verdict) == (Status.RED, Verdict.ROLLBACK)


NOT_ROLLED_OUT: list[tuple[float, LiteralString]] = [
    (50, "update api_logs set flat_tables = false where flat_tables and id % 4 > 0"),
    (100, "update api_logs set flat_tables = false where flat_tables and id % 2 > 0"),
]


@pytest.mark.parametrize(("percent", "statement"), NOT_ROLLED_OUT)
def test_stage_that_is_not_rolled_out_is_unknown(clone: Clone, percent: float, statement: LiteralString) -> None:
    """A canary with far less than its planned share of the traffic promotes nothing."""
    demo = clone()
    change(demo, statement)
    one = judged(demo, percent).kpi("api_p95")
    assert (one.status, one.reason.endswith("seen: is the stage rolled out?")) == (Status.UNKNOWN, True)


def test_canary_silent_in_the_middle_is_unknown(clone: Clone) -> None:
    """An hour without the canary is a hole, though the control spoke and the canary came back."""
    demo = clone()
    change(
        demo,
        "delete from api_logs where flat_tables and created_at between '2026-03-24 16:00Z' and '2026-03-24 17:00Z'",
    )
    one = judged(demo).kpi("api_p95")
    assert (one.status, one.reason.startswith("the canary is silent from 2026-03-24 16:0")) == (Status.UNKNOWN, True)


def test_daytime_outage_beside_a_quiet_night_is_found(clone: Clone) -> None:
    """The longest gap may be an accident of a quiet hour; every long one is looked at."""
    demo = clone()
    change(
        demo,
        "delete from api_logs where created_at between '2026-03-25 00:00Z' and '2026-03-25 04:00Z' and id % 25 > 0",
        "delete from api_logs where created_at between '2026-03-25 11:00Z' and '2026-03-25 11:40Z'",
    )
    one = judged(demo, 100).kpi("api_p95")
    assert one.status is Status.UNKNOWN


def test_proven_red_survives_an_event_without_a_cohort(clone: Clone) -> None:
    """One unlabelled row makes a green unknown, and never a red anything else."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "update api_logs set response_time_ms = 9000 where flat_tables and id % 2 = 0",
        "update api_logs set flat_tables = null where id = (select max(id) from api_logs "
        "where created_at < '2026-03-24 15:00Z')",
    )
    assert judged(demo).kpi("api_p95").status is Status.RED


def test_cohorts_that_got_lost_are_unknown(clone: Clone) -> None:
    """No event has a cohort, those of earlier days do: the canary may hide in all traffic."""
    demo = clone()
    change(
        demo,
        "alter table api_logs alter flat_tables drop not null",
        "update api_logs set flat_tables = null where created_at >= '2026-03-24 08:00Z'",
    )
    one = judged(demo).kpi("api_p95")
    assert (one.status, "cannot be told apart" in one.reason) == (Status.UNKNOWN, True)


def test_correlation_in_the_plan_thins_the_evidence(stories: dict[str, DemoDatabase], tmp_path: Path) -> None:
    """Events that go bad together prove less; what was observed stays what it was."""
    launch = open_launch(
        stories["api-regression"].url, plan=overlay(tmp_path, "allowed = 0.05", "allowed = 0.05\ncorrelation = 0.3")
    )
    plain = judged(stories["api-regression"], 25).kpi("api_p95")
    thinned = judge_now(launch, 25).kpi("api_p95")
    assert thinned.judgement.counts == plain.judgement.counts
    assert thinned.budget.clustering > 2
    assert thinned.judgement.log_e_over < plain.judgement.log_e_over


def test_stage_given_a_start_behind_the_next_ones_is_an_error(stories: dict[str, DemoDatabase]) -> None:
    """Its traffic would be another stage's."""
    with pytest.raises(PlanError, match="a later one had begun"):
        judged(stories["healthy"], 25, started_at="2026-03-24T14:30Z")


def test_minute_before_the_newest_counts(clone: Clone) -> None:
    """The look-alike: the same rows three minutes before the end are judged, and red."""
    demo = clone()
    change(
        demo,
        "insert into api_logs (created_at, method, path, status_code, response_time_ms, flat_tables) "
        "select '2026-03-24 21:57Z'::timestamptz + n * interval '0.09 s', 'GET', '/', 500, 9000, true "
        "from generate_series(0, 599) n",
    )
    assert judged(demo).kpi("api_p95").status is Status.RED


def test_gap_in_the_middle_is_unknown(clone: Clone) -> None:
    """An hour without telemetry is a hole in the evidence, although the log speaks before and after."""
    demo = clone()
    change(demo, "delete from api_logs where created_at >= '2026-03-24 16:00Z' and created_at < '2026-03-24 17:00Z'")
    one = judged(demo).kpi("api_p95")
    assert one.status is Status.UNKNOWN
    assert re.match(r"silent for 60 minutes from 2026-03-24 16:00Z, where about \d+ events were expected", one.reason)


def test_short_lull_is_no_gap(clone: Clone) -> None:
    """The look-alike: ten minutes, within the plan's freshness of fifteen."""
    demo = clone()
    change(demo, "delete from api_logs where created_at >= '2026-03-24 16:00Z' and created_at < '2026-03-24 16:10Z'")
    assert judged(demo).kpi("api_p95").status is Status.GREEN


SWITCHED_OFF: list[tuple[float, LiteralString, str]] = [
    (50, "update api_logs set flat_tables = false where created_at >= '2026-03-24 20:00Z'", "2026-03-24 20:00Z"),
    (100, "update api_logs set flat_tables = false where created_at >= '2026-03-25 10:00Z'", "2026-03-25 10:00Z"),
]


@pytest.mark.parametrize(("percent", "statement", "since"), SWITCHED_OFF)
def test_canary_that_falls_silent_beside_the_control_is_unknown(
    clone: Clone, percent: float, statement: LiteralString, since: str
) -> None:
    """The log is alive, but nothing of it is the canary's any more; also at 100 %, where there should be no control."""
    demo = clone()
    change(demo, statement)
    one = judged(demo, percent).kpi("api_p95")
    told, newest = one.telemetry, one.telemetry.canary.newest
    assert told.control is not None
    assert newest is not None
    assert newest < datetime.fromisoformat(since)
    missed = sum(n for minute, n in zip(told.minutes, told.control.n.tolist(), strict=True) if minute > newest)
    reason = f"the canary is silent: no event of its own among the last {missed:,}"
    assert (one.status, one.reason) == (Status.UNKNOWN, reason)


def test_stragglers_of_the_control_are_no_silence(clone: Clone) -> None:
    """At 100 % the last event may still be of somebody who came before the switch."""
    demo = clone()
    change(
        demo,
        "update api_logs set flat_tables = false "
        "where id in (select id from api_logs order by created_at desc limit 2)",
    )
    assert judged(demo, 100).kpi("api_p95").status is Status.GREEN


def test_everything_without_a_cohort_is_judged_together(clone: Clone) -> None:
    """No cohort anywhere: green by all traffic, with the canary's share estimated from the days before."""
    demo = clone()
    change(demo, "alter table api_logs alter flat_tables drop not null", "update api_logs set flat_tables = null")
    one = judged(demo).kpi("api_p95")
    told, counts = one.telemetry, one.judgement.counts
    before = Counts(sum(told.earlier), sum(told.earlier_bad))
    assert (one.status, told.control, one.traffic, one.confounded) == (Status.GREEN, None, None, True)
    assert one.diluted == dilution(counts, before, 0.5, 0.05)
    assert one.diluted is not None
    expected = (counts.bad / counts.n - 0.5 * before.bad / before.n) / 0.5
    assert one.diluted.share == pytest.approx(max(expected, 0))


def test_full_rollout_is_compared_with_earlier_days(healthy: DemoDatabase) -> None:
    """At 100 % there is no control: the comparison is with the same hours before, and marked as confounded."""
    one = judged(healthy, 100).kpi("api_p95")
    counts, told = one.judgement.counts, one.telemetry
    assert one.versus is not None
    assert one.confounded
    expected = counts.bad / counts.n / (sum(told.earlier_bad) / sum(told.earlier))
    assert one.versus.ratio == pytest.approx(expected)


@pytest.mark.parametrize("value", ["-1", "null"])
def test_few_unbelievable_durations_change_nothing(clone: Clone, value: str) -> None:
    """Good or bad, they could not turn the KPI: the status stays."""
    demo = clone()
    change(demo, "alter table api_logs alter response_time_ms drop not null", spoilt(value, 400))
    one = judged(demo).kpi("api_p95")
    assert (one.status, int(one.telemetry.canary.unsure.sum()) > 0) == (Status.GREEN, True)


@pytest.mark.parametrize("value", ["-1", "null"])
def test_many_unbelievable_durations_are_unknown(clone: Clone, value: str) -> None:
    """Were they bad it would be red: so nobody knows."""
    demo = clone()
    change(demo, "alter table api_logs alter response_time_ms drop not null", spoilt(value, 4))
    result = judged(demo)
    one, unsure = result.kpi("api_p95"), result.kpi("api_p95").telemetry.canary.unsure
    lost = int(unsure[: result.soak.complete].sum())
    reason = f"{lost:,} events cannot be judged; were they bad it would be red"
    assert (one.status, one.reason) == (Status.UNKNOWN, reason)
    assert (one.judgement.status, result.kpi("api_errors").status) == (Status.UNKNOWN, Status.GREEN)


def spoilt(value: str, every: int) -> LiteralString:
    """Return what spoils the duration of every so manieth request."""
    statements: dict[tuple[str, int], LiteralString] = {
        ("-1", 400): "update api_logs set response_time_ms = -1 where id % 400 = 0",
        ("null", 400): "update api_logs set response_time_ms = null where id % 400 = 0",
        ("-1", 4): "update api_logs set response_time_ms = -1 where id % 4 = 0",
        ("null", 4): "update api_logs set response_time_ms = null where id % 4 = 0",
    }
    return statements[value, every]


@pytest.mark.parametrize(
    ("statement", "keys", "reason"),
    [
        (
            "drop table emergency_calls cascade",
            {"siren_p90"},
            'table missing: relation "public.emergency_calls" does not exist (queries/sources/sirens.sql:',
        ),
        (
            "alter table api_logs drop column flat_tables cascade",
            {"api_p95", "api_errors"},
            'column missing: column "flat_tables" does not exist (queries/sources/api_requests.sql:',
        ),
        (
            "alter table api_logs alter created_at type timestamp using created_at at time zone 'UTC'",
            {"api_p95", "api_errors"},
            "the events' times have no zone; cast them in the source",
        ),
    ],
)
def test_missing_source_costs_only_its_own_kpis(
    clone: Clone, statement: LiteralString, keys: set[str], reason: str
) -> None:
    """Its KPIs are unknown and say why; every other is judged as before."""
    demo = clone()
    before = statuses(judged(demo, 100))
    change(demo, statement)
    result = judged(demo, 100)
    assert statuses(result) == before | dict.fromkeys(keys, Status.UNKNOWN)
    assert {result.kpi(key).reason.startswith(reason) for key in keys} == {True}
    assert result.outcome.verdict is Verdict.HOLD


VIOLATION: LiteralString = (
    "insert into security_audit_logs (created_at, event_type, path) values "
    "('2026-03-24 18:00:30Z', 'rls_violation', '/admin')"
)
LOOK_ALIKES: list[LiteralString] = [
    "insert into security_audit_logs (created_at, event_type) values ('2026-03-25 12:00Z', 'rls_violation_scan')",
    "insert into security_audit_logs (created_at, event_type) values ('2026-03-24 21:59Z', 'rls_violation')",
]


def test_one_violation_rolls_back(clone: Clone) -> None:
    """Zero tolerance: a single RLS violation is red and shown, whoever's it is."""
    demo = clone()
    change(demo, VIOLATION)
    result = judged(demo)
    one = result.kpi("rls_violations")
    assert (one.status, one.reason, one.budget.allowed) == (Status.RED, "1 where none is allowed", 0)
    assert result.evidence["rls_violations"]["at"].tolist() == [datetime(2026, 3, 24, 18, 0, 30, tzinfo=UTC)]
    assert result.outcome.verdict is Verdict.ROLLBACK


@pytest.mark.parametrize("statement", LOOK_ALIKES)
def test_what_only_looks_like_a_violation_does_not(clone: Clone, statement: LiteralString) -> None:
    """Another kind of event, or a violation before the stage, is not this stage's."""
    demo = clone()
    change(demo, statement)
    assert judged(demo, 100).kpi("rls_violations").status is Status.GREEN


def test_verdict_does_not_wait_for_its_evidence(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Where the bad rows cannot be shown, red stays red and the evidence says why."""
    plan = overlay(tmp_path)
    query = tmp_path / "queries/canary/api.sql"
    text = (ROOT / "queries/canary/api.sql").read_text()
    query.write_text(
        text.replace("path, ", "1 / (duration_ms * 0)::int as path, ").replace(":limit_ms end", ":limit_ms / 1e6 end")
    )
    result = judge_now(open_launch(healthy.url, plan=plan), 50)
    assert result.outcome.verdict is Verdict.ROLLBACK
    assert result.evidence["api_p95"].to_dict("list") == {"no rows to show": ["query failed [22012]: division by zero"]}


def overlay(folder: Path, old: str = "", new: str = "") -> Path:
    """Write the kit's plan with one change into a folder of its own, with room for its queries."""
    text = (ROOT / "launch.toml").read_text()
    assert old in text
    (folder / "queries" / "canary").mkdir(parents=True)
    (folder / "launch.toml").write_text(text.replace(old, new) if old else text)
    return folder / "launch.toml"


WRONG: list[tuple[float, dict[str, str], type[GoliveError], str]] = [
    (20, {}, PlanError, "there is no stage of 20 %; there are 10 %, 25 %, 50 %, 100 %"),
    (10, {"as_of": "2026-03-24T07:00Z"}, PlanError, "stage 10 % starts at 2026-03-24 08:00Z, which is not before"),
    (10, {"as_of": "2026-03-24T08:00Z"}, PlanError, "stage 10 % starts at 2026-03-24 08:00Z, which is not before"),
    (10, {"as_of": "2026-03-24T09:00"}, QueryError, "as_of = '2026-03-24T09:00' has no time zone"),
    (10, {"as_of": "yesterday"}, QueryError, "as_of = 'yesterday' is no instant"),
    (10, {"started_at": "2026-03-24T08:30"}, QueryError, "started_at = '2026-03-24T08:30' has no time zone"),
    (
        10,
        {"as_of": "2026-03-25T22:01Z"},
        QueryError,
        "as_of 2026-03-25 22:01Z lies in the future; the database's now is",
    ),
    (10, {"started_at": "2026-03-26T08:00Z"}, PlanError, "stage 10 % cannot start at 2026-03-26 08:00Z"),
]


@pytest.mark.parametrize(("percent", "when", "error", "message"), WRONG)
def test_wrong_question_is_an_error(
    healthy: DemoDatabase, percent: float, when: dict[str, str], error: type[GoliveError], message: str
) -> None:
    """What cannot be judged is said before anything is, never answered."""
    with pytest.raises(error) as caught:
        judged(healthy, percent, **when)
    assert message in str(caught.value)


def test_stage_that_never_began_is_an_error(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Without a start in the plan or as a parameter there is nothing to judge; with one there is."""
    plan = overlay(tmp_path, "starts = 2026-03-24T08:00:00Z\n", "")
    launch = open_launch(healthy.url, plan=plan)
    with pytest.raises(PlanError, match=r"stage 10 % has no 'starts'; give it there or as started_at"):
        judge_now(launch, 10)
    assert judge_now(launch, 10, started_at="2026-03-24T10:00+02:00").soak.until == datetime(
        2026, 3, 24, 10, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ('bad = "sloww"', "column missing: column"),
        ('bad = "path"', "query failed [42804]: argument of FILTER must be type boolean, not type text"),
    ],
)
def test_flag_the_query_does_not_answer_is_unknown(
    healthy: DemoDatabase, tmp_path: Path, new: str, reason: str
) -> None:
    """A KPI that names a column its query lacks, or one that is no yes or no, is never green."""
    plan = overlay(tmp_path, 'bad = "failed"\nnoun = "requests"', f'{new}\nnoun = "requests"')
    one = judge_now(open_launch(healthy.url, plan=plan), 100).kpi("api_errors")
    assert one.status is Status.UNKNOWN
    assert one.reason.startswith(reason)


def test_query_that_is_not_there_is_an_error(healthy: DemoDatabase, tmp_path: Path) -> None:
    """A KPI that names no query of the kit's is the plan's mistake, and no status."""
    plan = overlay(tmp_path, '"canary/sirens"', '"canary/siren"')
    with pytest.raises(QueryError, match="there is no query 'canary/siren'"):
        judge_now(open_launch(healthy.url, plan=plan), 100)


def test_rule_of_the_letter_is_red_as_soon_as_observed(clone: Clone, tmp_path: Path) -> None:
    """A share just over the limit: amber by the evidence, red by the runbook's letter."""
    demo = clone()
    change(demo, "update api_logs set status_code = 500 where id % 55 = 0 and created_at > '2026-03-24 14:00Z'")
    launch = open_launch(demo.url, plan=overlay(tmp_path, '"evidence"', '"observed"'))
    by_evidence, by_letter = judged(demo).kpi("api_errors"), judge_now(launch, 50).kpi("api_errors")
    assert (by_evidence.status, by_letter.status) == (Status.AMBER, Status.RED)


@pytest.mark.parametrize("percent", [10, 25, 50, 100])
def test_staging_is_judged_through_its_own_sources(staging: str, percent: float) -> None:
    """Every KPI of the staging launch sees events of its own; none lacks a table or a column."""
    result = judge_now(open_launch(staging, plan=ROOT / "examples/staging/launch.toml"), percent)
    assert [one.reason for one in result.results if "missing" in one.reason or "failed" in one.reason] == []
    assert [one.key for one in result.kpis if not one.judgement.counts.n] == []
