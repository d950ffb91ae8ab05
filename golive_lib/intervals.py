"""Intervals for shares looked at once; the judge, which looks again and again, has its own (``evidence``)."""

from __future__ import annotations

import math
from statistics import NormalDist

Z95, Z99 = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(0.995)


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Return Wilson's interval (1927) of a share, by default 95 %; (0, 1) when there is nothing to say it of."""
    if not n:
        return 0.0, 1.0
    middle, spread = hits + z**2 / 2, z * math.sqrt(hits * (n - hits) / n + z**2 / 4)
    return max((middle - spread) / (n + z**2), 0.0), min((middle + spread) / (n + z**2), 1.0)


def newcombe(after: tuple[int, int], before: tuple[int, int], z: float = Z95) -> tuple[float, float]:
    """Return Newcombe's hybrid interval (1998) of the difference of two shares, each as (hits, n) with n above 0."""
    (low_a, high_a), (low_b, high_b) = wilson(*after, z), wilson(*before, z)
    a, b = after[0] / after[1], before[0] / before[1]
    return a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)
