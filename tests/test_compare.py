"""The canary against its control, inside undivided traffic, and against its planned share."""

from __future__ import annotations

import math

import numpy as np
import pytest

from golive_lib.compare import compare, dilution, traffic_share
from golive_lib.evidence import log_e_over, log_e_under, log_threshold
from golive_lib.judge import Counts

ALPHA = 0.001


def test_a_worse_canary_is_proven_worse() -> None:
    """Four times the control's share, with the interval above 1."""
    found = compare(Counts(1000, 80), Counts(9000, 180), ALPHA)
    assert found.proven == "worse"
    assert found.ratio == pytest.approx(4.0)
    assert 1 < found.interval[0] < 4 < found.interval[1]


def test_a_better_canary_is_proven_better() -> None:
    """A quarter of the control's share."""
    found = compare(Counts(5000, 50), Counts(5000, 200), ALPHA)
    assert found.proven == "better"
    assert found.ratio == pytest.approx(0.25)
    assert found.interval[1] < 1


def test_alike_is_not_proven_anything() -> None:
    """The look-alike: the same share on both sides, and an interval around 1."""
    found = compare(Counts(1000, 21), Counts(9000, 180), ALPHA)
    assert found.proven == "neither"
    assert found.interval[0] < 1 < found.interval[1]


def test_a_control_without_bad_events_has_no_ratio_but_may_prove() -> None:
    """Thirty bad events on a tenth of the traffic and none elsewhere are proof enough."""
    found = compare(Counts(1000, 30), Counts(9000, 0), ALPHA)
    assert (found.ratio, found.proven, found.interval[1]) == (None, "worse", math.inf)


@pytest.mark.parametrize(("canary", "control"), [(Counts(0, 0), Counts(9, 3)), (Counts(9, 3), Counts(0, 0))])
def test_nobody_to_compare_with_is_neither(canary: Counts, control: Counts) -> None:
    """At 100 % there is no control, so nothing is proven."""
    found = compare(canary, control, ALPHA)
    assert (found.ratio, found.interval, found.proven) == (None, (0.0, math.inf), "neither")


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_looking_each_minute_at_equals_errs_at_most_alpha(share: float) -> None:
    """Seeded: 500 watches of 120 looks, both directions within 5 %, with the seen traffic share for the true one."""
    rng = np.random.default_rng(4)
    n = [rng.poisson(rate, (500, 120)) for rate in (4, 36)]
    bad = [rng.binomial(counts, share).cumsum(axis=1) for counts in n]
    canary, control = (counts.cumsum(axis=1) for counts in n)
    exposed = np.where((canary > 0) & (control > 0), canary / np.maximum(canary + control, 1), 0.5)
    for direction in (log_e_over, log_e_under):
        log_e = np.where(
            (canary > 0) & (control > 0), direction(bad[0] + bad[1], bad[0], np.clip(exposed, 1e-9, 1 - 1e-9)), 0
        )
        assert (log_e >= log_threshold(0.05)).any(axis=1).mean() <= 0.05


def test_dilution_finds_the_canary_in_all_traffic() -> None:
    """At 10 % a canary of 23 % bad moves all traffic from 2 % to 4.1 %, still below the limit of 5 %."""
    found = dilution(Counts(100_000, 4_100), Counts(1_000_000, 20_000), 0.1, 0.05)
    assert found is not None
    assert (found.share, found.limit, found.hidden) == pytest.approx((0.23, 0.023, 0.32))


def test_there_is_no_dilution_at_all_traffic() -> None:
    """At 100 % the canary is what is seen."""
    found = dilution(Counts(1000, 30), Counts(1000, 20), 1.0, 0.05)
    assert found is not None
    assert (found.share, found.limit, found.hidden) == (0.03, 0.05, 0.05)


@pytest.mark.parametrize(("everyone", "baseline"), [(Counts(0, 0), Counts(9, 3)), (Counts(9, 3), Counts(0, 0))])
def test_dilution_of_nothing_is_none(everyone: Counts, baseline: Counts) -> None:
    """Without events on either side there is no estimate."""
    assert dilution(everyone, baseline, 0.1, 0.05) is None


@pytest.mark.parametrize(("share", "allowed", "offender"), [(0.0, 0.05, "0.0"), (1.1, 0.05, "1.1"), (0.1, 1.0, "1.0")])
def test_dilution_refuses_what_cannot_be(share: float, allowed: float, offender: str) -> None:
    """Clear errors with the value, even before there are events."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        dilution(Counts(0, 0), Counts(0, 0), share, allowed)


@pytest.mark.parametrize(
    ("canary", "control", "planned", "proven"),
    [(1000, 9000, 0.1, "neither"), (2500, 7500, 0.1, "over"), (200, 9800, 0.1, "under"), (0, 0, 0.1, "neither"),
     (0, 1000, 0.1, "under"), (1000, 0, 1.0, "neither"), (500, 500, 1.0, "under")],
)  # fmt: skip
def test_the_seen_traffic_share_is_held_against_the_plan(
    canary: int, control: int, planned: float, proven: str
) -> None:
    """A flag set to the wrong percentage shows; chance does not."""
    assert proven == traffic_share(canary, control, planned, ALPHA).proven


@pytest.mark.parametrize(("canary", "planned", "offender"), [(-1, 0.1, "-1.0"), (1, 1.5, "1.5"), (1, math.nan, "nan")])
def test_a_traffic_share_that_cannot_be_is_refused(canary: int, planned: float, offender: str) -> None:
    """Clear errors with the value."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        traffic_share(canary, 10, planned, ALPHA)
