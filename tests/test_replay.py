"""Past days judged as launches: how often a healthy one would be rolled back, and which days nobody can judge."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from plant import change

from golive_lib import Launch, open_launch
from golive_lib.cli_canary import spoken
from golive_lib.errors import PlanError
from golive_lib.evidence import interval
from golive_lib.plan import read_plan
from golive_lib.replay import Replay, replay, schedule, thin
from golive_lib.verdicts import Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase

    Clone = Callable[[], DemoDatabase]

ROOT = Path(__file__).parents[1]
LATEST, BEFORE, FIRST = date(2026, 3, 22), date(2026, 3, 21), date(2026, 3, 16)


def opened(demo: DemoDatabase) -> Launch:
    """Open the kit's own plan on a demo."""
    return open_launch(demo.url, plan=ROOT / "launch.toml")


@pytest.fixture(scope="module")
def week(healthy: DemoDatabase) -> Replay:
    """Replay the healthy demo's week once."""
    return replay(opened(healthy), draws=2)


def test_healthy_days_are_rolled_back_by_the_letter_alone(week: Replay) -> None:
    """No launch by evidence; by the letter, at every look, most."""
    evidence, letter = week.tally(Rule.EVIDENCE), week.tally(Rule.OBSERVED)
    assert (evidence.runs, evidence.rolled_back, evidence.blame) == (12, 0, {})
    assert letter.rolled_back > 6
    assert sum(letter.blame.values()) >= letter.rolled_back


def test_days_are_those_that_end_before_the_launch(healthy: DemoDatabase) -> None:
    """A launch of 38 hours begun two days earlier ends before this one begins; begun one day earlier it does not."""
    assert replay(opened(healthy), days=2, draws=1).days == (LATEST, BEFORE)


def test_as_of_before_the_launch_is_the_end_of_the_last_day(healthy: DemoDatabase) -> None:
    """What came after is not looked at."""
    assert replay(opened(healthy), days=1, draws=1, as_of="2026-03-23T00:00:00Z").days == (date(2026, 3, 21),)


def test_day_without_telemetry_is_named_and_left_out(week: Replay) -> None:
    """The demo's week begins on the 17th: the day before is not counted as healthy."""
    assert FIRST not in week.days
    assert list(week.left_out) == [FIRST]
    assert {tally.runs for tally in week.tallies} == {12}


def test_day_that_fell_silent_in_one_stage_is_left_out(clone: Clone) -> None:
    """Telemetry that stopped for an afternoon makes a day nobody can judge."""
    demo = clone()
    change(demo, "delete from api_logs where created_at between '2026-03-21 15:00Z' and '2026-03-21 21:00Z'")
    found = replay(opened(demo), days=2, draws=1)
    assert (found.days, list(found.left_out)) == ((LATEST,), [BEFORE])
    assert found.left_out[BEFORE].startswith("no requests for 36")


def test_day_with_a_pause_of_rare_events_is_not_left_out(clone: Clone) -> None:
    """The look-alike: sirens may pause for less than their freshness."""
    demo = clone()
    change(
        demo,
        "delete from emergency_calls where requested_at between '2026-03-21 08:00Z' and '2026-03-21 09:30Z'",
    )
    assert replay(opened(demo), days=2, draws=1).left_out == {}


def test_day_that_was_not_healthy_is_rolled_back_and_blamed(clone: Clone) -> None:
    """Every request of one past day slow: each draw of that day is rolled back for it, by both rules."""
    demo = clone()
    change(
        demo,
        "update api_logs set response_time_ms = 9000"
        " where created_at between '2026-03-21 08:00Z' and '2026-03-22 08:00Z'",
    )
    found = replay(opened(demo), days=2, draws=5)
    whole = found.tally(Rule.EVIDENCE)
    assert (whole.runs, whole.rolled_back, whole.blame["API response P95"]) == (10, 5, 5)
    assert found.tally(Rule.OBSERVED).rolled_back >= 5


def test_what_tolerates_nothing_counts_as_it_was(clone: Clone) -> None:
    """One violation of a past day is in every draw: it carries no cohort, and the plan allows none."""
    demo = clone()
    change(
        demo,
        "insert into security_audit_logs (created_at, event_type) values ('2026-03-21 08:30Z', 'rls_violation')",
    )
    found = replay(opened(demo), days=1, draws=5, as_of="2026-03-23T00:00:00Z")
    first = next(stage for stage in opened(demo).plan.stages if stage.percent == 10)
    assert found.tally(Rule.EVIDENCE, first).blame == {"RLS violations": 5}


def test_missed_due_event_of_a_past_day_is_blamed(clone: Clone) -> None:
    """Due events are judged as they stood then."""
    demo = clone()
    change(demo, "update daily_zodiac set audio_path = null where day = '2026-03-22' and sign = 'leo'")
    found = replay(opened(demo), days=1, draws=2, as_of="2026-03-23T00:00:00Z")
    assert found.tally(Rule.EVIDENCE).blame == {"Daily zodiac audio": 2}


def test_same_seed_same_replay(healthy: DemoDatabase) -> None:
    """And another seed another one."""
    launch = opened(healthy)
    one, again, other = (replay(launch, days=1, draws=4, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_interval_counts_a_day_once(healthy: DemoDatabase) -> None:
    """Draws of a day share its events: more of them make the share no surer."""
    few, many = (replay(opened(healthy), days=1, draws=draws).tally(Rule.EVIDENCE) for draws in (1, 4))
    assert (few.rolled_back, many.rolled_back) == (0, 0)
    assert few.between == many.between == interval(1, 0, 0.025)


# Thinning


def test_thinned_minutes_are_part_of_the_whole() -> None:
    """Never more of anything than there was, and never more bad and unsure than events."""
    rng = np.random.default_rng(3)
    n = rng.poisson(4, 500)
    bad = rng.binomial(n, 0.3)
    unsure = rng.binomial(n - bad, 0.2)
    drawn = rng.binomial(n, 0.25)
    kept, hits, lost = thin((n, bad, unsure), drawn, rng)
    assert kept is drawn
    assert (hits <= bad).all()
    assert (lost <= unsure).all()
    assert (hits + lost <= drawn).all()
    assert (drawn - hits - lost <= n - bad - unsure).all()


def test_thinning_keeps_the_share_of_bad_events() -> None:
    """A tenth of the traffic has a tenth of the bad events, within four standard deviations."""
    rng = np.random.default_rng(4)
    n, bad, none = np.full(20_000, 10), np.full(20_000, 2), np.zeros(20_000, dtype=np.int64)
    _, hits, lost = thin((n, bad, none), rng.binomial(n, 0.1), rng)
    assert abs(int(hits.sum()) - 4_000) < 4 * (40_000 * 0.1 * 0.9) ** 0.5
    assert int(lost.sum()) == 0


# The schedule and the words


def test_stages_without_starts_follow_each_other(tmp_path: Path) -> None:
    """A plan for a launch to come is laid end to end from now."""
    text = (ROOT / "launch.toml").read_text(encoding="utf-8").replace('queries = ["queries"]', "queries = []")
    (tmp_path / "launch.toml").write_text(re.sub(r"(?m)^starts = .*$", "", text), encoding="utf-8")
    now = datetime(2026, 3, 20, 9, tzinfo=UTC)
    planned = schedule(read_plan(tmp_path / "launch.toml"), now)
    assert [start - now for _, start in planned] == [timedelta(hours=h) for h in (0, 2, 6, 14)]


def test_plan_without_stages_has_nothing_to_replay(healthy: DemoDatabase) -> None:
    """An error that names the plan."""
    with pytest.raises(PlanError, match=r"launch\.toml: there are no stages to replay"):
        schedule(replace(opened(healthy).plan, stages=()), datetime(2026, 3, 20, 9, tzinfo=UTC))


def test_words_put_the_plans_rule_before_the_letter(week: Replay) -> None:
    """What was replayed, what was left out, a table, and one sentence per rule."""
    text = spoken(week).splitlines()
    assert text[0] == "Replayed 6 days, 2026-03-17 to 2026-03-22, 2 draws of the canary each."
    assert text[1].startswith(
        "Left out: 2026-03-16: no requests for 120 minutes from 08:00Z, where other days had about "
    )
    assert text[-2].startswith("By this plan (evidence) 0 of 12 launches")
    assert text[-1].startswith("By the letter (observed) ")


def test_no_day_with_telemetry_says_so(healthy: DemoDatabase) -> None:
    """Days that all lack events are not healthy launches."""
    found = replay(opened(healthy), days=2, draws=1, as_of="2026-01-05T00:00:00Z")
    assert (found.days, found.tallies, len(found.left_out)) == ((), (), 2)
    assert spoken(found).startswith("No past day has telemetry to replay.")
