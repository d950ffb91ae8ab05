"""One KPI's judgement: what each status needs, what may never be green, and that reds stay."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golive_lib.judge import Budget, Counts, Liveness, judge, judge_watch, liveness
from golive_lib.verdicts import EXIT_CODES, Rule, Status, Verdict, gate, worst

QUICK = settings(derandomize=True, max_examples=80, deadline=None)
LIVE = Liveness(alive=True, reason="the newest row is 10 s old")
SILENT = Liveness(alive=False, reason="silent")
API = Budget(allowed=0.05, min_events=20, alpha=0.001)
ZERO = Budget(allowed=0.0, min_events=1, alpha=0.001)
RULES = st.sampled_from(list(Rule))
MINUTES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), min_size=1, max_size=40)


def totals(minutes: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return running totals of events and bad events, from good and bad ones per minute."""
    n = np.cumsum([good + bad for good, bad in minutes])
    return n.tolist(), np.cumsum([bad for _, bad in minutes]).tolist()


@pytest.mark.parametrize(
    ("n", "bad", "status", "reason"),
    [
        (100, 4, Status.GREEN, "within the limit"),
        (20, 0, Status.GREEN, "within the limit"),
        (19, 0, Status.AMBER, "19 of at least 20 events"),
        (100, 5, Status.AMBER, "over the limit, not proven"),
        (100, 8, Status.AMBER, "over the limit, not proven"),
        (100, 25, Status.RED, "proven over the limit"),
        (10, 9, Status.RED, "proven over the limit"),
        (0, 0, Status.UNKNOWN, "no events"),
    ],
)
def test_evidence_decides(n: int, bad: int, status: Status, reason: str) -> None:
    """Red takes a proof, green the limit kept by enough events; a share at the limit is not below it."""
    found = judge(Counts(n, bad), API, LIVE)
    assert (status, reason) == (found.status, found.reason)


@pytest.mark.parametrize(
    ("n", "bad", "status"),
    [(100, 5, Status.RED), (20, 1, Status.RED), (19, 1, Status.AMBER), (100, 4, Status.GREEN), (0, 0, Status.UNKNOWN)],
)
def test_the_letter_decides_where_the_plan_asks_for_it(n: int, bad: int, status: Status) -> None:
    """Under ``observed`` a share not below the limit is red as soon as there are ``min_events``."""
    assert status == judge(Counts(n, bad), API, LIVE, Rule.OBSERVED).status


@pytest.mark.parametrize(("bad", "status"), [(7, Status.AMBER), (6, Status.GREEN)])
def test_a_share_at_the_limit_is_seen_exactly(bad: int, status: Status) -> None:
    """7 of 700 is 1 %, though 0.01 * 700 is more than 7 in floats."""
    assert status == judge(Counts(700, bad), Budget(0.01, 20, 0.001), LIVE).status


@pytest.mark.parametrize(
    ("n", "bad", "needed"),
    [(12, 0, 8), (100, 8, 61), (100, 5, 1), (12, 1, 9), (100, 4, None), (100, 25, None), (0, 0, 20)],
)
def test_what_is_still_needed(n: int, bad: int, needed: int | None) -> None:
    """The least number of further events, all good, that turns it green: no fewer does."""
    assert needed == judge(Counts(n, bad), API, LIVE).needed
    if needed:
        assert judge(Counts(n + needed, bad), API, LIVE).status is Status.GREEN
        assert judge(Counts(n + needed - 1, bad), API, LIVE).status is not Status.GREEN


def test_silence_is_not_green() -> None:
    """A share within its limit is unknown while the telemetry behind it is not alive."""
    found = judge(Counts(100, 1), API, SILENT)
    assert (found.status, found.reason) == (Status.UNKNOWN, "silent")


def test_silence_does_not_hide_a_proof() -> None:
    """What was proven over stays red when telemetry falls silent."""
    assert judge(Counts(100, 25), API, SILENT).status is Status.RED


@pytest.mark.parametrize(
    ("n", "bad", "live", "status"),
    [
        (50, 1, LIVE, Status.RED),
        (50, 1, SILENT, Status.RED),
        (50, 0, LIVE, Status.GREEN),
        (50, 0, SILENT, Status.UNKNOWN),
        (0, 0, SILENT, Status.UNKNOWN),
    ],
)
def test_zero_tolerance(n: int, bad: int, live: Liveness, status: Status) -> None:
    """Any bad event is red, and none is green only where one would have been seen."""
    assert status == judge(Counts(n, bad), ZERO, live).status


def test_the_judgement_carries_its_evidence() -> None:
    """Observed, proven and the interval stand side by side and agree."""
    found = judge(Counts(2000, 20), API, LIVE)
    assert (found.proven, found.counts.share) == ("under", 0.01)
    assert found.log_e_under >= math.log(1000) > found.log_e_over
    assert found.interval[0] <= 0.01 <= found.interval[1] < 0.05


def test_clustered_events_prove_less() -> None:
    """With a design effect of 10 the same counts are only a tenth of the evidence."""
    lone = Budget(0.05, 20, 0.001, clustering=10.0)
    assert (
        judge(Counts(100, 20), API, LIVE).status,
        judge(Counts(100, 20), lone, LIVE).status,
    ) == (Status.RED, Status.AMBER)


@QUICK
@given(st.integers(0, 10**9), RULES)
def test_dead_telemetry_is_never_green(n: int, rule: Rule) -> None:
    """Whatever the counts and the rule."""
    for budget in (API, ZERO):
        assert judge(Counts(n, 0), budget, SILENT, rule).status is Status.UNKNOWN


@QUICK
@given(RULES, st.floats(1e-6, 0.999), st.integers(1, 10**9))
def test_no_data_is_never_green(rule: Rule, allowed: float, min_events: int) -> None:
    """No events are unknown under every plan."""
    assert judge(Counts(0, 0), Budget(allowed, min_events, 0.01), LIVE, rule).status is Status.UNKNOWN


@QUICK
@given(st.integers(0, 10**9), st.integers(0, 10**9), RULES)
def test_a_bad_event_in_place_of_a_good_one_never_helps(n: int, cut: int, rule: Rule) -> None:
    """Of the same number of events, more bad ones are never judged better, up to 10^9 of them."""
    bad = cut % (n + 1)
    order = [Status.GREEN, Status.AMBER, Status.RED]
    if bad > 0:
        better, worse = (judge(Counts(n, hits), API, LIVE, rule).status for hits in (bad - 1, bad))
        assert order.index(better) <= order.index(worse)


@QUICK
@given(MINUTES, RULES, st.sampled_from([1.0, 3.3]))
def test_a_replay_gives_what_the_watch_gave(minutes: list[tuple[int, int]], rule: Rule, clustering: float) -> None:
    """Judging the whole window at once equals a watch that looked each minute and kept its first red."""
    budget = replace(API, clustering=clustering)
    n, bad = totals(minutes)
    reds = [i for i in range(len(n)) if judge(Counts(n[i], bad[i]), budget, LIVE, rule).status is Status.RED]
    found = judge_watch(n, bad, budget, LIVE, rule)
    assert (reds[0] if reds else None) == found.crossed
    last = judge(Counts(n[-1], bad[-1]), budget, LIVE, rule).status
    assert (Status.RED if reds else last) == found.status


@QUICK
@given(MINUTES)
def test_two_minutes_without_events_between_change_nothing(minutes: list[tuple[int, int]]) -> None:
    """How a window is cut into minutes does not move its judgement at the last look."""
    n, bad = totals(minutes)
    spread_n, spread_bad = (np.repeat(total, 3).tolist() for total in (n, bad))
    tight, spread = judge_watch(n, bad, API, LIVE), judge_watch(spread_n, spread_bad, API, LIVE)
    assert (tight.status, tight.log_e_over, tight.interval) == (spread.status, spread.log_e_over, spread.interval)


def test_red_stays_red() -> None:
    """A share once proven over is red though later events dilute it below the limit."""
    found = judge_watch([20, 5000], [15, 15], API, LIVE)
    assert (found.status, found.crossed, found.reason) == (Status.RED, 0, "was red at look 1, and red stays red")


def test_amber_does_not_stay() -> None:
    """The look-alike: over the limit but never proven, then within it."""
    assert judge_watch([20, 5000], [2, 15], API, LIVE).status is Status.GREEN


def test_zero_tolerance_is_red_from_its_first_bad_event() -> None:
    """The watch says at which look it was."""
    found = judge_watch([10, 20, 30], [0, 1, 1], ZERO, LIVE)
    assert (found.status, found.crossed) == (Status.RED, 1)


def test_a_watch_that_never_looked_is_unknown() -> None:
    """No looks, no status but unknown."""
    assert judge_watch([], [], API, LIVE).status is Status.UNKNOWN


@pytest.mark.parametrize(
    ("n", "bad", "offender"),
    [
        (-1, 0, "-1"),
        (5, -1, "-1"),
        (5, 6, "6 of 5"),
        (math.nan, 0, "nan"),
        (5, math.nan, "nan"),
        (5.5, 1, "5.5"),
        (True, 0, "True"),
    ],
)
def test_counts_that_cannot_be_are_refused(n: int, bad: int, offender: str) -> None:
    """A clear error with the offending value, never a verdict."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        Counts(n, bad)


def test_counts_from_numpy_are_counts() -> None:
    """The look-alike: whole numbers of another type are fine."""
    assert judge(Counts(np.int64(100), np.int64(4)), API, LIVE).status is Status.GREEN  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allowed", "min_events", "alpha", "clustering", "offender"),
    [
        (1.0, 20, 0.01, 1, "1.0"),
        (-0.1, 20, 0.01, 1, "-0.1"),
        (math.nan, 20, 0.01, 1, "nan"),
        (0.05, 0, 0.01, 1, "0"),
        (0.05, 20, 0, 1, "0"),
        (0.05, 20, 1.5, 1, "1.5"),
        (0.05, 20, math.nan, 1, "nan"),
        (0.05, 20, 0.01, 0.5, "0.5"),
        (0.05, 20, 0.01, math.inf, "inf"),
    ],
)
def test_budgets_that_cannot_be_are_refused(
    allowed: float, min_events: int, alpha: float, clustering: float, offender: str
) -> None:
    """Alpha 0 above all: it would never find anything."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        Budget(allowed, min_events, alpha, clustering)


def test_only_bad_events_minute_after_minute_are_totals_that_grow() -> None:
    """Thinned by a design effect, the good events of such a watch would seem to fall by a rounding error."""
    totals_of_bad = list(range(1, 200))
    assert (
        judge_watch([bad + 7 for bad in totals_of_bad], totals_of_bad, replace(API, clustering=3.3), LIVE).status
        is Status.RED
    )


def test_a_total_that_falls_is_refused() -> None:
    """Running totals only grow."""
    with pytest.raises(ValueError, match="falls from 20 to 10"):
        judge_watch([20, 10], [1, 1], API, LIVE)


@pytest.mark.parametrize(
    ("n_now", "earlier", "age", "alive"),
    [
        (5, [40, 12], timedelta(minutes=1), True),
        (5, [], timedelta(minutes=1), True),
        (5, [40, 12], timedelta(minutes=5), True),
        (0, [40, 12], None, False),
        (0, [0, 0], None, False),
        (0, [], None, False),
        (5, [40], timedelta(minutes=6), False),
        (5, [40], timedelta(minutes=-6), False),
        (5, [40], timedelta(seconds=-2), True),
        (5, [40], None, False),
    ],
)
def test_liveness(n_now: int, earlier: list[int], age: timedelta | None, alive: bool) -> None:
    """Rows, fresh ones, are life; silence, staleness and clocks that disagree are not."""
    assert alive == liveness(n_now, earlier, age, timedelta(minutes=5)).alive


def test_liveness_says_what_is_usual() -> None:
    """Silence is held against the same hours of earlier days."""
    expected = "silent: the same hours had 12 to 40 rows"
    assert expected == liveness(0, [40, 12], None, timedelta(minutes=5)).reason


@pytest.mark.parametrize(("n_now", "earlier"), [(-1, []), (1, [-3])])
def test_liveness_refuses_negative_counts(n_now: int, earlier: list[int]) -> None:
    """A negative count is an error, not silence."""
    with pytest.raises(ValueError, match="at least 0, got -"):
        liveness(n_now, earlier, None, timedelta(minutes=5))


def test_the_worst_of_nothing_is_unknown() -> None:
    """Nothing asked, nothing known."""
    assert worst([]) == Status.UNKNOWN


def test_unknown_is_worse_than_amber_and_red_than_all() -> None:
    """The order in which statuses cover each other."""
    assert [
        worst([Status.GREEN, Status.UNKNOWN, Status.AMBER]),
        worst([Status.UNKNOWN, Status.RED]),
    ] == [Status.UNKNOWN, Status.RED]


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ([Status.GREEN], Verdict.GO),
        ([Status.GREEN, Status.AMBER], Verdict.HOLD),
        ([Status.UNKNOWN, Status.RED], Verdict.NO_GO),
        ([], Verdict.HOLD),
    ],
)
def test_a_gate_opens_only_on_green(statuses: list[Status], verdict: Verdict) -> None:
    """Any red stops, anything else but green holds."""
    assert verdict == gate(statuses)


def test_every_verdict_has_an_exit_code() -> None:
    """0 goes on, 3 holds, 4 stops."""
    assert {verdict: {"hold": 3, "rollback": 4, "no-go": 4}.get(verdict.value, 0) for verdict in Verdict} == EXIT_CODES
