"""What a window can decide, checked against simulated watches."""

from __future__ import annotations

import math

import numpy as np
import pytest

from golive_lib.evidence import log_e_over, log_e_under, log_threshold
from golive_lib.judge import Budget
from golive_lib.power import correlation, design_effect, events_needed, forecast, smallest_detectable

API = Budget(allowed=0.05, min_events=20, alpha=0.01 / 24)


def proven(share: float, n: int, budget: Budget) -> float:
    """Return how many of 2,000 simulated watches prove this true share by the n-th event at the latest."""
    looks = np.linspace(n / 40, n, 40).astype(int)
    bad = np.random.default_rng(5).binomial(np.diff(looks, prepend=0), share, (2000, 40)).cumsum(axis=1)
    direction = log_e_over if share > budget.allowed else log_e_under
    return float((direction(looks, bad, budget.allowed) >= log_threshold(budget.alpha)).any(axis=1).mean())


@pytest.mark.parametrize("n", [100, 1440, 20_000])
def test_the_smallest_detectable_share_is_found_with_its_power(n: int) -> None:
    """Simulated watches find it in 80 % of cases or, as they look more than once, a little more."""
    smallest = smallest_detectable(n, API)
    assert smallest is not None
    assert 0.78 <= proven(smallest, n, API) <= 0.90


@pytest.mark.parametrize("share", [0.2, 0.1, 0.075, 0.025, 0.0])
def test_the_events_needed_are_enough_and_not_many_more(share: float) -> None:
    """Simulated watches of that many events prove the share with 80 %, and of a third fewer do not."""
    needed = events_needed(share, API)
    assert needed is not None
    assert proven(share, needed, API) >= 0.78
    assert proven(share, needed * 2 // 3, API) < 0.8


def test_more_events_see_smaller_regressions() -> None:
    """And a billion see one of a hundredth of a percent."""
    found = [smallest_detectable(n, API) for n in (50, 500, 5000, 10**9)]
    assert sorted((share or 0.0 for share in found), reverse=True) == found
    assert pytest.approx(0.05, rel=2e-3) == found[-1]


def test_too_few_events_see_nothing() -> None:
    """Three events prove nothing even when all are bad, nor do none."""
    assert [smallest_detectable(3, API), smallest_detectable(0, API)] == [None, None]


@pytest.mark.parametrize("share", [0.05, 0.05 + 1e-9])
def test_a_share_at_the_limit_is_never_proven(share: float) -> None:
    """No number of events tells what is not so, or as good as not so."""
    assert events_needed(share, API) is None


def test_clustering_needs_as_many_times_the_events() -> None:
    """A design effect of 4 takes some four times as long, less what luck a smaller count adds."""
    alone = events_needed(0.1, API)
    clustered = events_needed(0.1, Budget(0.05, 20, API.alpha, clustering=4.0))
    assert alone is not None
    assert clustered is not None
    assert 2.5 * alone < clustered <= 4.2 * alone


def test_a_forecast_says_what_a_stage_can_decide() -> None:
    """120 requests a minute at 10 % for two hours: enough, and a doubled share is seen well before the end."""
    found = forecast(120, 0.1, 120, API)
    assert (found.events, found.enough) == (1440, True)
    assert found.smallest is not None
    assert 0.05 < found.smallest < 0.1
    assert found.minutes is not None
    assert 30 < found.minutes < 60


def test_a_forecast_of_a_thin_kpi_says_how_long_it_takes() -> None:
    """0.7 sirens a minute at 10 %: eight in two hours cannot decide, a doubled share takes more than a day."""
    found = forecast(0.7, 0.1, 120, Budget(0.10, 20, API.alpha))
    assert (found.events, found.enough) == (8, False)
    assert found.minutes is not None
    assert found.minutes > 24 * 60


def test_a_forecast_without_traffic_has_no_time_to_give() -> None:
    """No rate, no minutes."""
    found = forecast(0, 0.1, 120, API)
    assert (found.events, found.enough, found.smallest, found.minutes) == (0, False, None, None)


@pytest.mark.parametrize(
    ("per_minute", "share", "soak", "offender"),
    [(-1.0, 0.1, 120, "-1.0"), (math.nan, 0.1, 120, "nan"), (1.0, 1.5, 120, "1.0 and 1.5"), (1.0, 0.1, 0, "0")],
)
def test_a_forecast_refuses_what_cannot_be(per_minute: float, share: float, soak: float, offender: str) -> None:
    """Negative traffic, shares beyond all of it, and soaks without time are errors."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        forecast(per_minute, share, soak, API)


def test_zero_tolerance_has_no_power_to_compute() -> None:
    """The first bad event is red: no share to detect."""
    with pytest.raises(ValueError, match="zero tolerance"):
        smallest_detectable(100, Budget(0.0, 1, 0.01))


@pytest.mark.parametrize(("n", "power", "offender"), [(-1, 0.8, "-1"), (10, 1.0, "1.0"), (10, math.nan, "nan")])
def test_power_refuses_what_cannot_be(n: int, power: float, offender: str) -> None:
    """Clear errors with the value."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        smallest_detectable(n, API, power)


def test_events_needed_refuses_a_share_beyond_all() -> None:
    """A share lies between 0 and 1."""
    with pytest.raises(ValueError, match=r"got 1\.2"):
        events_needed(1.2, API)


@pytest.mark.parametrize("alike", [0.02, 0.1])
def test_correlation_is_found_again(alike: float) -> None:
    """Minutes whose shares scatter with a known correlation give it back."""
    rng = np.random.default_rng(2)
    n = rng.poisson(60, 4000)
    spread = (1 - alike) / alike
    bad = rng.binomial(n, rng.beta(0.05 * spread, 0.95 * spread, 4000))
    assert correlation(n, bad) == pytest.approx(alike, rel=0.15)


def test_independent_events_show_no_correlation() -> None:
    """The look-alike: binomial minutes scatter as they should."""
    rng = np.random.default_rng(3)
    n = rng.poisson(60, 4000)
    assert correlation(n, rng.binomial(n, 0.05)) < 0.002


@pytest.mark.parametrize(("n", "bad"), [([], []), ([5], [1]), ([5, 5], [0, 0]), ([5, 5], [5, 5]), ([1, 1], [0, 1])])
def test_too_little_to_see_a_correlation_is_none(n: list[int], bad: list[int]) -> None:
    """One minute, one event a minute, or nothing that varies."""
    assert correlation(n, bad) == 0.0


def test_the_design_effect_grows_with_the_minute() -> None:
    """Independent events have none; alike ones count less the more of them fall together."""
    assert [design_effect(0.0, 100), design_effect(0.02, 0), design_effect(0.02, 100)] == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    ("alike", "per_minute", "offender"), [(1.5, 1.0, "1.5"), (0.1, -1.0, "0.1 and -1.0"), (math.nan, 1.0, "nan")]
)
def test_the_design_effect_refuses_what_cannot_be(alike: float, per_minute: float, offender: str) -> None:
    """Clear errors with the value."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        design_effect(alike, per_minute)
