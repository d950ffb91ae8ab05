"""The judging of one KPI: pure functions over counts, no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from typing import TYPE_CHECKING, Literal

from golive_lib.evidence import first_crossing, interval, log_e_over, log_e_under, log_threshold
from golive_lib.formats import duration
from golive_lib.verdicts import Rule, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

Proven = Literal["over", "under", "neither"]


@dataclass(frozen=True)
class Budget:
    """What a KPI may spend: the share of events that may be bad, and how sure a judgement must be.

    ``allowed`` lies in [0, 1); 0 is zero tolerance. ``alpha`` is this KPI's own, for one stage (``split_alpha``).
    ``clustering`` is the design effect (``power.design_effect``) by which bad events that come in bursts make the
    evidence weaker; 1 means independent events. ValueError names a bad value.
    """

    allowed: float
    min_events: int
    alpha: float
    clustering: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.allowed < 1:
            raise ValueError(f"the allowed share must be at least 0 and below 1, got {self.allowed!r}")
        if not _whole(self.min_events) or self.min_events < 1:
            raise ValueError(f"min_events must be a whole number of at least 1, got {self.min_events!r}")
        log_threshold(self.alpha)
        if not (math.isfinite(self.clustering) and self.clustering >= 1):
            raise ValueError(f"clustering must be a finite number of at least 1, got {self.clustering!r}")


@dataclass(frozen=True)
class Counts:
    """Events of a window and how many of them were bad: whole numbers, 0 <= bad <= n, else ValueError."""

    n: int
    bad: int

    def __post_init__(self) -> None:
        for name, value in (("n", self.n), ("bad", self.bad)):
            if not _whole(value) or value < 0:
                raise ValueError(f"{name} must be a whole number of at least 0, got {value!r}")
        if self.bad > self.n:
            raise ValueError(f"bad must not exceed n, got {self.bad} of {self.n}")

    @property
    def share(self) -> float | None:
        """The observed share of bad events; None without events."""
        return self.bad / self.n if self.n else None


@dataclass(frozen=True)
class Liveness:
    """Whether the telemetry behind a KPI speaks at all, and why one may think so."""

    alive: bool
    reason: str


@dataclass(frozen=True)
class Judgement:
    """What one KPI says: observed, proven, and what is still needed.

    The e-values are natural logs. ``interval`` holds the shares not disproven, valid at every look. ``needed`` is the
    least number of further events that could turn it green, None when events alone would not. ``crossed`` is the index
    of the look at which it turned red, None for a red of the last look's own or no red.
    """

    status: Status
    counts: Counts
    proven: Proven
    log_e_over: float
    log_e_under: float
    interval: tuple[float, float]
    needed: int | None
    reason: str
    crossed: int | None = None


def liveness(n_now: int, earlier: Sequence[int], newest_age: timedelta | None, limit: timedelta) -> Liveness:
    """Tell whether telemetry is alive, from its age and the same hours of earlier days.

    ``n_now`` counts the window's rows, ``earlier`` those of the same hours on earlier days. ``newest_age`` is the age
    of the newest row, None without one. A row further ahead of the clock than ``limit`` means that the clocks disagree.
    """
    for count in (n_now, *earlier):
        if not _whole(count) or count < 0:
            raise ValueError(f"a count of rows must be a whole number of at least 0, got {count!r}")
    if not n_now:
        if any(earlier):
            return Liveness(alive=False, reason=f"silent: the same hours had {min(earlier)} to {max(earlier)} rows")
        return Liveness(alive=False, reason="no rows, now or on earlier days: quiet and broken look the same")
    if newest_age is None:
        return Liveness(alive=False, reason="no row says when it was written")
    if abs(newest_age) > limit:
        where = "old" if newest_age > limit else "ahead of the clock"
        return Liveness(
            alive=False, reason=f"stale: the newest row is {duration(abs(newest_age))} {where}, limit {duration(limit)}"
        )
    return Liveness(alive=True, reason=f"the newest row is {duration(abs(newest_age))} old")


def judge(counts: Counts, budget: Budget, live: Liveness, rule: Rule = Rule.EVIDENCE) -> Judgement:
    """Judge one KPI by its totals at one look.

    A watch that looks more than once keeps its reds: ``judge_watch`` does. Zero tolerance (``allowed`` = 0) is red with
    any bad event; its ``n`` counts whatever rows show that violations would be seen.
    """
    return _judgement(counts, budget, live, rule, crossed=None)


def judge_watch(
    cum_n: Sequence[int], cum_bad: Sequence[int], budget: Budget, live: Liveness, rule: Rule = Rule.EVIDENCE
) -> Judgement:
    """Judge one KPI by its running totals at every look so far, oldest first: once red stays red.

    Gives what the watch gave that called it after each look. No looks are ``unknown``. ValueError when a total falls.
    """
    looks = [Counts(n, bad) for n, bad in zip(cum_n, cum_bad, strict=True)]
    n, bad = [look.n for look in looks], [look.bad for look in looks]
    crossed = first_crossing(n, bad, budget.allowed or 0.5, budget.alpha, budget.clustering)
    if not budget.allowed:
        crossed = next((i for i, look in enumerate(looks) if look.bad), None)
    elif rule is Rule.OBSERVED:
        over = (i for i, look in enumerate(looks) if look.n >= budget.min_events and not _within(look, budget))
        crossed = min((i for i in (crossed, next(over, None)) if i is not None), default=None)
    return _judgement(looks[-1] if looks else Counts(0, 0), budget, live, rule, crossed)


def _judgement(counts: Counts, budget: Budget, live: Liveness, rule: Rule, crossed: int | None) -> Judgement:
    over, under = _log_e_values(counts, budget)
    threshold = log_threshold(budget.alpha)
    proven: Proven = "over" if over >= threshold else "under" if under >= threshold else "neither"
    status, needed, reason = _decide(counts, budget, live, rule, proven)
    if crossed is not None and status is not Status.RED:
        status, needed, reason = Status.RED, None, f"was red at look {crossed + 1}, and red stays red"
    limits = interval(counts.n / budget.clustering, counts.bad / budget.clustering, budget.alpha)
    return Judgement(status, counts, proven, over, under, limits, needed, reason, crossed)


def _decide(
    counts: Counts, budget: Budget, live: Liveness, rule: Rule, proven: Proven
) -> tuple[Status, int | None, str]:
    """Return status, needed events and reason; the order of the cases is the order of what matters."""
    if not budget.allowed and counts.bad:
        return Status.RED, None, f"{counts.bad} where none is allowed"
    if proven == "over":
        return Status.RED, None, "proven over the limit"
    if not live.alive:
        return Status.UNKNOWN, None, live.reason
    if not budget.allowed:
        return Status.GREEN, None, "none seen, and telemetry is live"
    return _decide_unproven(counts, budget, rule)


def _decide_unproven(counts: Counts, budget: Budget, rule: Rule) -> tuple[Status, int | None, str]:
    short = max(budget.min_events - counts.n, 0)
    if not counts.n:
        return Status.UNKNOWN, short, "no events"
    if not _within(counts, budget):
        if rule is Rule.OBSERVED and not short:
            return Status.RED, None, "observed over the limit"
        # The fewest further events, all of them good, that bring the share below the limit.
        good = math.floor(counts.bad / Fraction(str(budget.allowed))) - counts.n + 1
        return Status.AMBER, max(short, good), "over the limit, not proven"
    if short:
        return Status.AMBER, short, f"{counts.n} of at least {budget.min_events} events"
    return Status.GREEN, None, "within the limit"


def _log_e_values(counts: Counts, budget: Budget) -> tuple[float, float]:
    if not budget.allowed:
        return (math.inf, -math.inf) if counts.bad else (0.0, 0.0)
    n, bad = counts.n / budget.clustering, counts.bad / budget.clustering
    return float(log_e_over(n, bad, budget.allowed)), float(log_e_under(n, bad, budget.allowed))


def _within(counts: Counts, budget: Budget) -> bool:
    """Tell whether the observed share is below the limit: exactly, as 0.01 * 700 is more than 7 in floats."""
    if not budget.allowed:
        return not counts.bad
    return counts.bad < Fraction(str(budget.allowed)) * counts.n


def _whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
