"""The canary beside others: against the control, inside undivided traffic, and against its planned share of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from golive_lib.evidence import interval, log_e_over, log_e_under, log_threshold

if TYPE_CHECKING:
    from golive_lib.judge import Counts, Proven


@dataclass(frozen=True)
class Comparison:
    """The canary's bad share over the control's.

    ``ratio`` is None when either has no events, or the control none bad. ``interval`` is valid at every look; its high
    end is infinite while a control without bad events has not been disproven.
    """

    ratio: float | None
    interval: tuple[float, float]
    proven: Literal["worse", "better", "neither"]


@dataclass(frozen=True)
class Dilution:
    """The canary's bad share as far as undivided traffic tells.

    ``share`` is the estimate, cut to 0..1. ``limit`` is what the share of all traffic may be for the canary to be
    within its own. ``hidden`` is the canary's share that would still look within, were the limit held against all
    traffic.
    """

    share: float
    limit: float
    hidden: float


@dataclass(frozen=True)
class TrafficShare:
    """The canary's share of the traffic: seen (None without traffic), and against the planned one."""

    seen: float | None
    planned: float
    proven: Proven


def compare(canary: Counts, control: Counts, alpha: float) -> Comparison:
    """Compare the canary with the control over one stage, valid at every look.

    Were both alike, each bad event would fall on the canary with the probability of its share of the events, whatever
    the bad share is and however it moves through the day: a one-sided test of a share, like any KPI's. Taking the seen
    share for the true one errs on the safe side. Pool no stages: a share of traffic that changes with the hour
    confounds. ``alpha`` is spent on each direction.
    """
    threshold = log_threshold(alpha)
    if not canary.n or not control.n:
        return Comparison(None, (0.0, float("inf")), "neither")
    bad, exposed = canary.bad + control.bad, canary.n / (canary.n + control.n)
    worse = float(log_e_over(bad, canary.bad, exposed)) >= threshold
    better = float(log_e_under(bad, canary.bad, exposed)) >= threshold
    low, high = (_ratio(share, exposed) for share in interval(bad, canary.bad, alpha))
    ratio = canary.bad / canary.n / (control.bad / control.n) if control.bad else None
    return Comparison(ratio, (low, high), "worse" if worse else "better" if better else "neither")


def dilution(everyone: Counts, baseline: Counts, share: float, allowed: float) -> Dilution | None:
    """Estimate the canary's bad share when no column tells canary from control; None without events on either side.

    ``everyone`` counts all traffic of the stage, ``baseline`` all traffic before the launch, ``share`` is the canary's
    planned share. Assumes that the others go on as before.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a canary's share of traffic must be above 0 and at most 1, got {share!r}")
    if not 0 <= allowed < 1:
        raise ValueError(f"the allowed share must be at least 0 and below 1, got {allowed!r}")
    now, before = everyone.share, baseline.share
    if now is None or before is None:
        return None
    rest = 1.0 - share
    return Dilution(
        share=_cut((now - rest * before) / share),
        limit=rest * before + share * allowed,
        hidden=_cut((allowed - rest * before) / share),
    )


def traffic_share(canary_n: int, control_n: int, planned: float, alpha: float) -> TrafficShare:
    """Hold the canary's seen share of the traffic against the planned one; at a planned 0 or 1 nothing can be proven.

    Users are routed, not requests, so requests cluster: a proof that misses by a hair may only be a busy user.
    """
    if not 0 <= planned <= 1:
        raise ValueError(f"a planned share must lie between 0 and 1, got {planned!r}")
    total = canary_n + control_n
    low, high = interval(total, canary_n, alpha)
    proven: Proven = "over" if low > planned else "under" if high < planned else "neither"
    return TrafficShare(canary_n / total if total else None, planned, proven)


def _ratio(split: float, exposed: float) -> float:
    """Turn the canary's share of the bad events into the ratio of the two bad shares."""
    if split >= 1:
        return float("inf")
    return split / (1 - split) * (1 - exposed) / exposed


def _cut(share: float) -> float:
    return min(max(share, 0.0), 1.0)
