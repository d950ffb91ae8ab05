"""How strongly counts of bad events speak against an allowed share, at any number of looks.

The e-value is a beta-binomial mixture likelihood ratio, one-sided. Against "the share is at most ``allowed``" it
averages the likelihood ratio of every larger share, weighted by a Beta prior cut off at ``allowed``. Each of those
ratios is a non-negative supermartingale that starts at 1 while the events are independent and their true share is
within the limit, so the average is one too, and by Ville's inequality it ever reaches 1/alpha with probability at most
alpha: whoever looks, however often, whenever they stop. It depends on the counts alone, so it does not matter how
minutes are cut.

Sources: Robbins 1970, "Statistical methods related to the law of the iterated logarithm"; Howard, Ramdas, McAuliffe and
Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences"; Kaufmann and Koolen 2021, "Mixture
martingales revisited with applications to sequential tests and confidence intervals".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import scipy  # loads its parts when they are first used, which most reports never do

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

# The prior is Beta(1, c) with this mean, in odds, as a multiple of the limit's own: it spends its weight on the shares
# between the limit and some five times it, where a launch's regressions are. benchmarks/decisions.py has the price.
_PRIOR_ODDS = 2.0
# Below this the incomplete beta function has lost its digits or become zero, and the tail is integrated instead.
_TINY = 1e-250
_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(24)
_LOGIT_MAX = 30.0
_BISECTIONS = 50


def log_e_over(n: ArrayLike, bad: ArrayLike, allowed: ArrayLike) -> Floats:
    """Return the natural log of the e-value against "the true share is at most ``allowed``".

    Arrays broadcast. ``n`` and ``bad`` are totals since the watch began, 0 <= bad <= n; ``allowed`` lies in (0, 1).
    At or above log(1/alpha) the share is proven over. Stable up to a billion events. ValueError names a bad value.
    """
    return _log_e(n, bad, allowed, over=True)


def log_e_under(n: ArrayLike, bad: ArrayLike, allowed: ArrayLike) -> Floats:
    """Return the natural log of the e-value against "the true share is at least ``allowed``".

    The mirror of ``log_e_over``: at or above log(1/alpha) the share is proven to be under the limit.
    """
    return _log_e(n, bad, allowed, over=False)


def _log_e(n: ArrayLike, bad: ArrayLike, allowed: ArrayLike, *, over: bool) -> Floats:
    events, hits, limit = _checked(n, bad, allowed)
    good = events - hits
    c = (1.0 - limit) / (_PRIOR_ODDS * limit)  # of the prior Beta(1, c)
    numerator = _log_tail(hits + 1.0, good + c, limit, upper=over)
    beyond = c * np.log1p(-limit)
    mass = (beyond if over else np.log(-np.expm1(beyond))) - np.log(c)
    return np.asarray(numerator - mass - hits * np.log(limit) - good * np.log1p(-limit), dtype=np.float64)


def interval(n: float, bad: float, alpha: float) -> tuple[float, float]:
    """Return the shares that neither direction has disproven, as (low, high), of one pair of counts."""
    low, high = intervals([n], [bad], alpha)
    return float(low[0]), float(high[0])


def intervals(n: ArrayLike, bad: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Return the shares that neither direction has disproven, as (low, high), for each of two lists of counts.

    Valid at every look, each end with an error of at most ``alpha``. Made by inverting the two e-values, so it never
    contradicts them: the low end passes the limit exactly when the share is proven over. No events: (0, 1).
    """
    need = log_threshold(alpha)
    events, hits, _ = _checked(n, bad, 0.5)
    seen = np.maximum(events, 1.0)  # of no events every share is possible, whatever is computed here
    share = hits / seen
    floor = _logit(np.where(hits > 0, np.minimum(share, 1.0 / seen), 1.0 / seen) * 1e-6)
    inside = (share > 0) & (share < 1)
    middle = np.clip(_logit(np.where(inside, share, 0.5)), floor, _LOGIT_MAX)
    middle = np.where(inside, middle, np.where(share > 0, _LOGIT_MAX, floor))
    top = np.full_like(floor, _LOGIT_MAX)
    low = _edges(log_e_over, (events, hits), (floor, middle), need)
    high = _edges(log_e_under, (events, hits), (top, middle), need)
    none_below = (hits == 0) | (log_e_over(events, hits, scipy.special.expit(floor)) < need)
    none_above = (hits == events) | (log_e_under(events, hits, scipy.special.expit(top)) < need)
    return np.where(none_below, 0.0, low), np.where(none_above, 1.0, high)


def first_crossing(
    cum_n: ArrayLike, cum_bad: ArrayLike, allowed: float, alpha: float, clustering: float = 1.0
) -> int | None:
    """Return the index of the first look at which the share was proven over, or None.

    ``cum_n`` and ``cum_bad`` are the running totals at each look; ``clustering`` is the design effect that thins them.
    Judging an old window through this gives the verdict of the watch that looked each time: what was once proven stays
    proven. ValueError when the totals run backwards.
    """
    events, hits = np.asarray(cum_n, dtype=np.float64), np.asarray(cum_bad, dtype=np.float64)
    if events.ndim != 1 or events.shape != hits.shape:
        raise ValueError(f"running totals must be two lists of one length, got shapes {events.shape} and {hits.shape}")
    for name, totals in (("n", events), ("bad", hits), ("n - bad", events - hits)):
        back = np.flatnonzero(np.diff(totals) < 0)
        if back.size:
            raise ValueError(f"the running total of {name} falls from {totals[back[0]]:g} to {totals[back[0] + 1]:g}")
    log_e = log_e_over(events / clustering, hits / clustering, allowed)
    proven = np.flatnonzero(log_e >= log_threshold(alpha))
    return int(proven[0]) if proven.size else None


def split_alpha(total: float, kpis: Mapping[str, float], stages: int) -> dict[str, float]:
    """Return each KPI's alpha for one stage, so that all of them over all stages err with at most ``total``.

    ``kpis`` maps a name to its weight, relative to the others. Bonferroni: true whatever the KPIs have in common.
    """
    log_threshold(total)
    if stages < 1:
        raise ValueError(f"a launch has at least one stage, got {stages!r}")
    for name, weight in kpis.items():
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"the weight of {name!r} must be a positive number, got {weight!r}")
    whole = sum(kpis.values())
    return {name: total * weight / whole / stages for name, weight in kpis.items()}


def log_threshold(alpha: float) -> float:
    """Return log(1/alpha), what a log e-value must reach; ValueError unless 0 < alpha < 1."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, both excluded, got {alpha!r}")
    return -math.log(alpha)


def _checked(n: ArrayLike, bad: ArrayLike, allowed: ArrayLike) -> tuple[Floats, Floats, Floats]:
    events, hits = np.asarray(n, dtype=np.float64), np.asarray(bad, dtype=np.float64)
    limit = np.asarray(allowed, dtype=np.float64)
    _refuse(events, ~(np.isfinite(events) & (events >= 0)), "n must be a finite count of at least 0")
    _refuse(hits, ~(np.isfinite(hits) & (hits >= 0)), "bad must be a finite count of at least 0")
    _refuse(limit, ~((limit > 0) & (limit < 1)), "the allowed share must lie between 0 and 1, both excluded")
    more, most = np.broadcast_arrays(hits, events)
    _refuse(more, more > most, "bad must not exceed n")
    return events, hits, limit


def _refuse(values: Floats, wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        raise ValueError(f"{rule}, got {float(values[wrong][0])!r}")


def _log_tail(a: Floats, b: Floats, cut: Floats, *, upper: bool) -> Floats:
    """Return the log of the integral of p^(a-1) (1-p)^(b-1) from ``cut`` to 1 (upper), or from 0 to ``cut``."""
    a, b, cut = np.broadcast_arrays(a, b, cut)
    part = np.asarray(scipy.special.betaincc(a, b, cut) if upper else scipy.special.betainc(a, b, cut))
    faint = part < _TINY
    out = np.asarray(scipy.special.betaln(a, b) + np.log(np.where(faint, 1.0, part)), dtype=np.float64)
    if faint.any():
        out[faint] = _faint_tail(a[faint], b[faint], cut[faint], upper=upper)
    return out


def _faint_tail(a: Floats, b: Floats, cut: Floats, *, upper: bool) -> Floats:
    """Integrate a tail that starts far down the slope of its integrand, which there falls like an exponential.

    Gauss-Laguerre nodes are laid out by the slope at the cut; only differences of logs enter, so nothing under- or
    overflows and the billions in ``a`` and ``b`` cancel before they cost digits.
    """
    slope = np.abs((a - 1.0) / cut - (b - 1.0) / (1.0 - cut))
    step = _NODES / slope[:, None]
    toward = (-step if upper else step) / (1.0 - cut[:, None])
    away = (step if upper else -step) / cut[:, None]
    # A node past the end of (0, 1) stands where the integrand is zero.
    inside = (toward > -1.0) & (away > -1.0)
    fall = (a - 1.0)[:, None] * np.log1p(np.where(inside, away, 0.0))
    fall += (b - 1.0)[:, None] * np.log1p(np.where(inside, toward, 0.0))
    total = np.where(inside, _WEIGHTS * np.exp(np.minimum(fall + _NODES, 1.0)), 0.0).sum(axis=1)
    return np.asarray((a - 1.0) * np.log(cut) + (b - 1.0) * np.log1p(-cut) + np.log(total / slope), dtype=np.float64)


def _logit(share: Floats) -> Floats:
    return np.asarray(np.log(share) - np.log1p(-share), dtype=np.float64)


def _edges(
    log_e: Callable[..., Floats], counts: tuple[Floats, Floats], ends: tuple[Floats, Floats], need: float
) -> Floats:
    """Return the last excluded share between excluded and possible ones, both given as logits."""
    out, possible = ends
    for _ in range(_BISECTIONS):
        half = (out + possible) / 2
        excluded = log_e(*counts, scipy.special.expit(half)) >= need
        out, possible = np.where(excluded, half, out), np.where(excluded, possible, half)
    return np.asarray(scipy.special.expit(out), dtype=np.float64)
