"""What a window can decide before it is opened: the smallest regression it would see, and how long a thin KPI needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betainc, betaincc, betaincinv

from golive_lib.evidence import log_e_over, log_e_under, log_threshold

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from golive_lib.evidence import Floats
    from golive_lib.judge import Budget

# Past this many events a KPI is called undecidable: at one a second that is thirty years.
_MOST_EVENTS = 10**9


@dataclass(frozen=True)
class Forecast:
    """What a coming window can say of one KPI.

    ``events`` are expected; ``enough`` says they reach ``min_events``. ``smallest`` is the smallest bad share it would
    prove over the limit with the asked power, None when not even all events being bad would do. ``minutes`` is how long
    it would take, at the same rate, to prove the asked regression; None without traffic.
    """

    events: int
    enough: bool
    smallest: float | None
    minutes: float | None


def forecast(
    per_minute: float, share: float, soak_minutes: float, budget: Budget, *, regression: float = 2.0, power: float = 0.8
) -> Forecast:
    """Return what a stage can decide from recent traffic: all events per minute times the stage's traffic ``share``.

    ``regression`` multiplies the limit, cut at a share of 1. Zero tolerance has no share to detect: ValueError.
    """
    rate = per_minute * share
    if not (math.isfinite(rate) and rate >= 0 and 0 <= share <= 1):
        raise ValueError(f"traffic must be at least 0 a minute, at a share of 0 to 1, got {per_minute!r} and {share!r}")
    if not (math.isfinite(soak_minutes) and soak_minutes > 0):
        raise ValueError(f"a soak takes a positive number of minutes, got {soak_minutes!r}")
    events = math.floor(rate * soak_minutes)
    needed = events_needed(min(regression * budget.allowed, 1.0), budget, power)
    minutes = None if needed is None or not rate else needed / rate
    return Forecast(events, events >= budget.min_events, smallest_detectable(events, budget, power), minutes)


def smallest_detectable(n_expected: int, budget: Budget, power: float = 0.8) -> float | None:
    """Return the smallest bad share that ``n_expected`` events prove over the limit with at least this power, or None.

    Counts only a proof that stands at the last event, so the true power, with a look every minute, is a little higher.
    """
    _check(n_expected, budget, power)
    hits = _least_bad(n_expected, budget)
    if hits is None:
        return None
    # P(Binomial(n, p) >= hits) is the incomplete beta function of p, so its inverse is the share itself.
    return float(betaincinv(hits / budget.clustering, (n_expected - hits) / budget.clustering + 1, power))


def events_needed(share: float, budget: Budget, power: float = 0.8) -> int | None:
    """Return how many events prove a true ``share`` over (or, when it is below, under) the limit with this power.

    None when no practical number does: a share at the limit itself, or next to it. Good to about two percent.
    """
    _check(0, budget, power)
    if not 0 <= share <= 1:
        raise ValueError(f"a share must lie between 0 and 1, got {share!r}")
    if share == budget.allowed or _power(_MOST_EVENTS, share, budget) < power:
        return None
    low, high = 0, 1
    while _power(high, share, budget) < power:
        low, high = high, high * 2
    while high - low > max(1, high // 64):
        half = (low + high) // 2
        low, high = (low, half) if _power(half, share, budget) >= power else (half, high)
    return high


def correlation(n: ArrayLike, bad: ArrayLike) -> float:
    """Return how alike the events of one minute are (intra-minute correlation, at least 0), from healthy minutes.

    ``n`` and ``bad`` are counts per minute, best of earlier days. From the excess of the minutes' scatter over the
    binomial one (Pearson's chi-square over its degrees of freedom). 0 with fewer than two minutes, or none or all bad.
    """
    events, hits = np.asarray(n, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    log_e_over(events, hits, 0.5)  # refuses what are no counts
    events, hits = events[events > 0], hits[events > 0]
    minutes, total = len(events), float(events.sum())
    share = float(hits.sum()) / total if total else 0.0
    if minutes < 2 or share in {0.0, 1.0}:  # noqa: PLR2004  scatter takes two
        return 0.0
    scatter = float((np.square(hits - events * share) / (events * share * (1 - share))).sum()) / (minutes - 1)
    pairs = float((total - np.square(events).sum() / total) / (minutes - 1)) - 1
    return min(max((scatter - 1) / pairs, 0.0), 1.0) if pairs > 0 else 0.0


def design_effect(correlated: float, per_minute: float) -> float:
    """Return by how much a minute's correlation thins the evidence at so many events per minute (Kish), at least 1."""
    if not 0 <= correlated <= 1 or not (math.isfinite(per_minute) and per_minute >= 0):
        raise ValueError(f"a correlation lies in 0 to 1, a rate is at least 0, got {correlated!r} and {per_minute!r}")
    # The size of the minute a typical event falls in is one more than the mean, when arrivals are Poisson.
    return 1.0 + correlated * per_minute


def _check(n: int, budget: Budget, power: float) -> None:
    if n < 0:
        raise ValueError(f"a number of events cannot be negative, got {n!r}")
    if not budget.allowed:
        raise ValueError("zero tolerance (allowed = 0) needs no power: the first bad event is red")
    if not 0 < power < 1:
        raise ValueError(f"power must lie between 0 and 1, both excluded, got {power!r}")


def _least_bad(n: int, budget: Budget) -> int | None:
    """Return the fewest bad events among ``n`` that prove the share over the limit."""
    return _edge(n, math.floor(n * budget.allowed), n, log_e_over, budget)


def _most_bad(n: int, budget: Budget) -> int | None:
    """Return the most bad events among ``n`` that prove the share under the limit."""
    return _edge(0, math.ceil(n * budget.allowed), n, log_e_under, budget)


def _edge(proves: int, not_: int, n: int, log_e: Callable[..., Floats], budget: Budget) -> int | None:
    """Return the last number of bad events that proves something, on the way to one that does not; None without."""

    def proven(bad: int) -> bool:
        found = log_e(n / budget.clustering, bad / budget.clustering, budget.allowed)
        return bool(found >= log_threshold(budget.alpha))

    if not proven(proves):
        return None
    while abs(proves - not_) > 1:
        half = (proves + not_) // 2
        proves, not_ = (half, not_) if proven(half) else (proves, half)
    return proves


def _power(n: int, share: float, budget: Budget) -> float:
    thin = budget.clustering
    if share > budget.allowed:
        hits = _least_bad(n, budget)
        return 0.0 if hits is None else float(betainc(hits / thin, (n - hits) / thin + 1, share))
    hits = _most_bad(n, budget)
    return 0.0 if hits is None else float(betaincc(hits / thin + 1, (n - hits) / thin, share))
