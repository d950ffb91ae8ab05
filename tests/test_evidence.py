"""The e-values: against direct integration, their guarantee, and their properties."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from golive_lib.evidence import first_crossing, interval, log_e_over, log_e_under, log_threshold, split_alpha

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

QUICK = settings(derandomize=True, max_examples=60, deadline=None)
LIMITS = st.sampled_from([0.0001, 0.01, 0.05, 0.10, 0.5, 0.95])


@st.composite
def counts(draw: st.DrawFn, most: int = 10**9) -> tuple[int, int]:
    """Draw events and bad events, small and huge ones alike."""
    n = draw(st.integers(0, 10 ** draw(st.integers(0, len(str(most)) - 1))))
    return n, draw(st.integers(0, n))


def integrated(n: int, bad: int, allowed: float, ends: tuple[float, float]) -> float:
    """Return the log of the mixture likelihood ratio, integrated over the prior by quadrature."""
    c = (1 - allowed) / (2 * allowed)
    peak = min(max(bad / n, ends[0]), ends[1])
    points = sorted({ends[0], *(p for p in (peak - 0.02, peak, peak + 0.02) if ends[0] < p < ends[1]), ends[1]})

    def ratio(p: float) -> float:
        return float((p / allowed) ** bad * ((1 - p) / (1 - allowed)) ** (n - bad) * (1 - p) ** (c - 1))

    def prior(p: float) -> float:
        return float((1 - p) ** (c - 1))

    def whole(density: Callable[[float], float]) -> float:
        return sum(quad(density, low, high, epsabs=0, epsrel=1e-9, limit=200)[0] for low, high in pairwise(points))

    return math.log(whole(ratio) / whole(prior))


EXAMPLES = [(10, 0, 0.05), (100, 10, 0.05), (1000, 80, 0.05), (1000, 20, 0.05), (200, 190, 0.05), (50, 3, 0.01),
            (40, 20, 0.5), (40, 38, 0.9)]  # fmt: skip


@pytest.mark.parametrize(("n", "bad", "allowed"), EXAMPLES)
def test_over_agrees_with_direct_integration(n: int, bad: int, allowed: float) -> None:
    """The closed form is the mixture it claims to be."""
    assert integrated(n, bad, allowed, (allowed, 1.0)) == pytest.approx(float(log_e_over(n, bad, allowed)), abs=1e-6)


@pytest.mark.parametrize(("n", "bad", "allowed"), EXAMPLES)
def test_under_agrees_with_direct_integration(n: int, bad: int, allowed: float) -> None:
    """The closed form of the other direction is its mirror."""
    assert integrated(n, bad, allowed, (0.0, allowed)) == pytest.approx(float(log_e_under(n, bad, allowed)), abs=1e-6)


def test_a_faint_tail_agrees_with_direct_integration() -> None:
    """Where the incomplete beta function has vanished, the tail is still integrated right."""
    assert integrated(20_000, 10, 0.05, (0.05, 1.0)) == pytest.approx(float(log_e_over(20_000, 10, 0.05)), abs=1e-6)


def test_no_events_are_no_evidence() -> None:
    """The e-values start at 1."""
    assert pytest.approx([0.0, 0.0], abs=1e-12) == [float(log_e_over(0, 0, 0.05)), float(log_e_under(0, 0, 0.05))]


@pytest.mark.parametrize("direction", [log_e_over, log_e_under])
@pytest.mark.parametrize(("n", "bad"), [(1, 0), (1, 1), (5, 2)])
def test_the_mean_over_the_next_event_is_the_e_value_itself(
    direction: Callable[..., NDArray[np.float64]], n: int, bad: int
) -> None:
    """At the limit the e-value is a martingale: a fair bet, which is all its guarantee rests on."""
    allowed = 0.05
    after = allowed * math.exp(direction(n + 1, bad + 1, allowed)) + (1 - allowed) * math.exp(
        direction(n + 1, bad, allowed)
    )
    assert math.exp(direction(n, bad, allowed)) == pytest.approx(after, rel=1e-9)


@pytest.mark.parametrize("direction", [log_e_over, log_e_under])
def test_at_the_limit_a_look_after_every_event_errs_at_most_alpha(
    direction: Callable[..., NDArray[np.float64]],
) -> None:
    """Ville's inequality holds in a seeded simulation: 500 watches of 1,000 looks, alpha 5 %."""
    bad = (np.random.default_rng(11).random((500, 1000)) < 0.05).cumsum(axis=1)
    wrong = (direction(np.arange(1, 1001), bad, 0.05) >= log_threshold(0.05)).any(axis=1).mean()
    assert 0.005 < wrong <= 0.05


@QUICK
@given(counts(), LIMITS)
def test_one_more_bad_event_never_weakens_the_case(pair: tuple[int, int], allowed: float) -> None:
    """Over grows and under shrinks with a bad event, up to the digits that a billion events leave."""
    n, bad = pair
    slack = 1e-13 * n + 1e-9
    assert log_e_over(n + 1, bad + 1, allowed) >= log_e_over(n, bad, allowed) - slack
    assert log_e_under(n + 1, bad + 1, allowed) <= log_e_under(n, bad, allowed) + slack


@QUICK
@given(counts(), LIMITS)
def test_one_more_good_event_never_strengthens_the_case(pair: tuple[int, int], allowed: float) -> None:
    """Over shrinks and under grows with a good event."""
    n, bad = pair
    slack = 1e-13 * n + 1e-9
    assert log_e_over(n + 1, bad, allowed) <= log_e_over(n, bad, allowed) + slack
    assert log_e_under(n + 1, bad, allowed) >= log_e_under(n, bad, allowed) - slack


@QUICK
@given(counts(), LIMITS)
def test_extreme_counts_stay_finite_and_never_prove_both(pair: tuple[int, int], allowed: float) -> None:
    """Up to a billion events nothing overflows, and no counts speak against both sides."""
    over, under = float(log_e_over(*pair, allowed)), float(log_e_under(*pair, allowed))
    assert math.isfinite(over)
    assert math.isfinite(under)
    assert min(over, under) <= 1e-9


@pytest.mark.parametrize(
    ("n", "bad", "proven"),
    [(10**9, 0, "under"), (10**9, 10**9, "over"), (10**9, 49 * 10**6, "under"), (10**9, 51 * 10**6, "over"),
     (10**9, 5 * 10**7, "neither")],
)  # fmt: skip
def test_a_billion_events_decide_as_they_should(n: int, bad: int, proven: str) -> None:
    """At 10^9 events a share two percent off the limit is proven, and the limit itself is not."""
    over, under = (float(e(n, bad, 0.05)) >= log_threshold(1e-4) for e in (log_e_over, log_e_under))
    assert proven == ("over" if over else "under" if under else "neither")


@QUICK
@given(counts(), LIMITS, st.sampled_from([0.05, 0.01 / 24]))
def test_the_interval_never_contradicts_the_proofs(pair: tuple[int, int], allowed: float, alpha: float) -> None:
    """The limit lies below, above or inside the interval exactly as the two e-values say."""
    low, high = interval(*pair, alpha)
    over, under = float(log_e_over(*pair, allowed)), float(log_e_under(*pair, allowed))
    need = log_threshold(alpha)
    if abs(over - need) > 1e-3 and abs(under - need) > 1e-3:
        assert (over >= need, under >= need) == (low >= allowed, high <= allowed)


@QUICK
@given(counts(), st.sampled_from([0.5, 0.05, 1e-6]))
def test_the_interval_holds_the_observed_share(pair: tuple[int, int], alpha: float) -> None:
    """What was seen is always possible."""
    n, bad = pair
    low, high = interval(n, bad, alpha)
    assert 0 <= low <= (bad / n if n else 0.5) <= high <= 1


def test_the_interval_of_nothing_is_everything() -> None:
    """Without events every share is possible."""
    assert interval(0, 0, 0.05) == (0.0, 1.0)


@QUICK
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=60), st.data())
def test_how_minutes_are_cut_does_not_matter(minutes: list[tuple[int, int]], data: st.DataObject) -> None:
    """A look sees the same evidence whether the minutes before it came one by one or in lumps."""
    n = np.cumsum([good + bad for good, bad in minutes])
    bad = np.cumsum([bad for _, bad in minutes])
    kept = sorted({*data.draw(st.sets(st.integers(0, len(n) - 1))), len(n) - 1})
    one_by_one = first_crossing(n, bad, 0.2, 0.01)
    lumps = first_crossing(n[kept], bad[kept], 0.2, 0.01)
    crossed = [i for i in kept if log_e_over(n[i], bad[i], 0.2) >= log_threshold(0.01)]
    assert (kept.index(crossed[0]) if crossed else None) == lumps
    assert lumps is None or one_by_one is not None


def test_first_crossing_is_the_look_that_saw_it() -> None:
    """The vectorised search finds the look at which a watch, looking one by one, would have stopped."""
    n, bad = np.arange(10, 400, 10), np.arange(2, 80, 2)
    looks = [i for i in range(len(n)) if log_e_over(n[i], bad[i], 0.05) >= log_threshold(0.001)]
    assert looks[0] > 0
    assert looks[0] == first_crossing(n, bad, 0.05, 0.001)


def test_first_crossing_stays_once_the_evidence_has_gone() -> None:
    """A share proven over and then diluted by good events was proven over all the same."""
    assert first_crossing([20, 10_000], [20, 20], 0.05, 0.01) == 0


def test_first_crossing_of_a_healthy_watch_is_none() -> None:
    """The look-alike: bad events within the limit prove nothing."""
    assert first_crossing([1000, 2000], [30, 60], 0.05, 0.01) is None


@pytest.mark.parametrize(
    ("n", "bad", "allowed", "offender"),
    [
        (-1, 0, 0.05, "-1.0"),
        (1, -2, 0.05, "-2.0"),
        (3, 4, 0.05, "4.0"),
        (math.nan, 0, 0.05, "nan"),
        (5, math.nan, 0.05, "nan"),
        (math.inf, 0, 0.05, "inf"),
        (1, 0, 0.0, "0.0"),
        (1, 0, 1.0, "1.0"),
        (1, 0, math.nan, "nan"),
        ([5, 5], [1, 7], 0.05, "7.0"),
    ],
)
def test_a_count_that_cannot_be_is_refused_with_its_value(
    n: float | list[float], bad: float | list[float], allowed: float, offender: str
) -> None:
    """No e-value is built on an impossible count; the message holds the value."""
    for direction in (log_e_over, log_e_under):
        with pytest.raises(ValueError, match=rf"got {offender}$"):
            direction(n, bad, allowed)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, math.nan])
def test_an_alpha_that_cannot_be_is_refused(alpha: float) -> None:
    """Alpha 0 would need infinite evidence, and 1 none."""
    with pytest.raises(ValueError, match=f"got {alpha}"):
        interval(10, 1, alpha)


@pytest.mark.parametrize(
    ("n", "bad", "message"),
    [([5, 4], [1, 1], "total of n falls from 5 to 4"), ([5, 6], [2, 1], "total of bad falls from 2 to 1"),
     ([5, 6], [1, 3], "total of n - bad falls from 4 to 3"), ([5], [1, 1], "one length")],
)  # fmt: skip
def test_running_totals_that_run_backwards_are_refused(n: list[int], bad: list[int], message: str) -> None:
    """Totals only grow: what falls was cut or mixed up on the way."""
    with pytest.raises(ValueError, match=message):
        first_crossing(n, bad, 0.05, 0.01)


def test_alpha_is_split_by_weight_over_kpis_and_stages() -> None:
    """All shares over all stages add up to the whole."""
    split = split_alpha(0.01, {"api": 3.0, "siren": 1.0}, 4)
    assert pytest.approx({"api": 0.01 * 0.75 / 4, "siren": 0.01 * 0.25 / 4}) == split
    assert pytest.approx(0.01) == 4 * sum(split.values())


@pytest.mark.parametrize(
    ("total", "weight", "stages", "offender"),
    [(0, 1, 4, "0"), (0.01, -1, 4, "-1"), (0.01, math.nan, 4, "nan"), (0.01, 1, 0, "0")],
)
def test_a_split_that_cannot_be_is_refused(total: float, weight: float, stages: int, offender: str) -> None:
    """No alpha, no stages and odd weights are errors, not verdicts."""
    with pytest.raises(ValueError, match=f"got {offender}"):
        split_alpha(total, {"api": weight}, stages)
