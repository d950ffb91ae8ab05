"""Simulated launches: counts per minute of every KPI in every stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

STAGES = ((0.10, 120), (0.25, 240), (0.50, 480), (1.00, 1440))  # share of the traffic, soak in minutes


@dataclass(frozen=True)
class Kpi:
    """A share KPI and its events per minute in all traffic."""

    name: str
    allowed: float
    per_minute: float
    min_events: int = 20


KPIS = (
    Kpi("API slow", 0.05, 120),
    Kpi("DB slow", 0.05, 240),
    Kpi("errors", 0.01, 120),
    Kpi("call setup", 0.05, 2),
    Kpi("siren", 0.10, 0.7, min_events=5),
    Kpi("payments", 0.05, 3),
)


@dataclass(frozen=True)
class Scenario:
    """One row: every KPI's share as a multiple of its limit, and what happens to the API.

    A ``regression`` multiplies the API's limit from the first minute, or in the ``burst`` of the first stage alone.
    """

    name: str
    base: float = 0.5
    regression: float | None = None
    burst: tuple[int, int] | None = None
    traffic: float = 1.0
    correlated: float = 0.0
    corrected: bool = False

    @property
    def kpis(self) -> tuple[Kpi, ...]:
        """All KPIs of a healthy launch; for a regression the API alone, lest another's false alarm count as a find."""
        chosen = KPIS if self.regression is None else KPIS[:1]
        return tuple(replace(kpi, per_minute=kpi.per_minute * self.traffic) for kpi in chosen)


@dataclass(frozen=True)
class Trace:
    """One KPI in one stage: counts per minute, one row a launch, the canary's for twice the soak."""

    kpi: Kpi
    stage: int
    n: Ints
    bad: Ints
    control_n: Ints
    control_bad: Ints


def simulate(scenario: Scenario, launches: int, rng: np.random.Generator) -> list[list[Trace]]:
    """Return the traces of each stage's KPIs."""
    return [[_trace(scenario, kpi, stage, launches, rng) for kpi in scenario.kpis] for stage in range(len(STAGES))]


def _trace(scenario: Scenario, kpi: Kpi, stage: int, launches: int, rng: np.random.Generator) -> Trace:
    share, soak = STAGES[stage]
    healthy = np.full(2 * soak, scenario.base * kpi.allowed)
    canary = healthy.copy()
    if scenario.regression is not None:
        first, last = scenario.burst or (0, 2 * soak)
        if scenario.burst is None or stage == 0:
            canary[first:last] = scenario.regression * kpi.allowed
    n, bad = minute_counts(kpi.per_minute * share, canary, scenario.correlated, launches, rng)
    control = minute_counts(kpi.per_minute * (1 - share), healthy[:soak], scenario.correlated, launches, rng)
    return Trace(kpi, stage, n, bad, *control)


def minute_counts(
    per_minute: float, shares: Floats, correlated: float, launches: int, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Return events and bad events per minute; ``correlated`` is how alike the events of one minute are."""
    n = rng.poisson(per_minute, (launches, len(shares)))
    if not correlated:
        return n, rng.binomial(n, shares)
    spread = (1 - correlated) / correlated
    return n, rng.binomial(n, rng.beta(shares * spread, (1 - shares) * spread, n.shape))
