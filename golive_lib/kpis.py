"""One KPI in one stage: judged by the canary's own events, and read beside the control and earlier days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from golive_lib.compare import Comparison, Dilution, TrafficShare, compare, dilution, traffic_share
from golive_lib.events import MINUTE
from golive_lib.evidence import split_alpha
from golive_lib.formats import Brief, share
from golive_lib.judge import Budget, Counts, Judgement, Liveness, judge_watch, liveness
from golive_lib.power import design_effect
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from datetime import datetime

    from golive_lib.plan import Kpi, Plan, Stage
    from golive_lib.telemetry import Ints, Telemetry
    from golive_lib.verdicts import Rule

SILENCE = 1e-4  # a canary's silence this unlikely, given the control's events since, is no accident
ROLLED_OUT = 0.5  # of its planned share, below which a stage is taken for not rolled out
FULL = 0.95  # even at 100 % some requests still come from before the switch


@dataclass(frozen=True)
class Soak:
    """A stage under way: judged from ``started_at`` to ``until``, of which the newest minutes are not complete yet.

    ``cut_short`` says that the next stage began before the soak was over, ``ended`` that the next stage has begun.
    """

    stage: Stage
    started_at: datetime
    until: datetime
    matured: datetime
    cut_short: bool = False
    ended: bool = False

    @property
    def ends(self) -> datetime:
        """When the stage will have lasted its soak."""
        return self.started_at + self.stage.soak

    @property
    def complete(self) -> int:
        """How many minutes are complete, and judged."""
        return (self.matured - self.started_at) // MINUTE

    @property
    def over(self) -> bool:
        """Whether it has."""
        return self.until >= self.ends

    @property
    def final(self) -> bool:
        """Whether nothing more can come: its soak is over, or it was ended, and the last minutes are complete."""
        return (self.matured + MINUTE > self.until and (self.ended or self.over)) or self.matured >= self.ends


@dataclass(frozen=True, repr=False)
class KpiResult(Brief):
    """One KPI in one stage.

    ``versus`` compares with the control, or at 100 % with the same hours of earlier days (``confounded``); ``diluted``
    estimates the canary's share where no event has a cohort.
    """

    key: str
    kpi: Kpi
    budget: Budget
    status: Status
    reason: str
    judgement: Judgement
    telemetry: Telemetry
    versus: Comparison | None
    confounded: bool
    diluted: Dilution | None
    traffic: TrafficShare | None

    @property
    def in_short(self) -> str:
        """Its title, what it says and why."""
        return f"{self.kpi.title}: {self.status}, {self.reason}"

    @property
    def spent(self) -> float | None:
        """The share of the error budget spent: observed over allowed; None where nothing is allowed or seen."""
        seen = self.judgement.counts.share
        return seen / self.budget.allowed if self.budget.allowed and seen is not None else None


def budgets(plan: Plan) -> dict[str, Budget]:
    """Return each KPI's budget: the plan's alpha, split evenly over the stages and the KPIs that carry evidence."""
    weighed = {key: 1.0 for key, kpi in plan.kpis.items() if kpi.allowed}
    alphas = split_alpha(plan.judge.alpha, weighed, max(len(plan.stages), 1)) if weighed else {}
    return {
        key: Budget(kpi.allowed or 0.0, kpi.min_events, alphas.get(key, plan.judge.alpha))
        for key, kpi in plan.kpis.items()
    }


def clustered(budget: Budget, kpi: Kpi, n: Ints) -> Budget:
    """Return the budget with the design effect of the KPI's correlation, at the rate its events came at."""
    if not kpi.correlation or not len(n):
        return budget
    return replace(budget, clustering=design_effect(kpi.correlation, float(n.mean())))


def judge_kpi(key: str, plan: Plan, budget: Budget, telemetry: Telemetry, stage: Soak) -> KpiResult:
    """Judge one KPI by the canary's matured minutes; the rest of the result is for reading.

    Where no event may be bad, everyone's events count, and those of the newest minutes too.
    """
    kpi = plan.kpis[key]
    live = _liveness(kpi, telemetry, stage)
    judged, complete = (telemetry.canary, stage.complete) if budget.allowed else (telemetry.total, None)
    n, bad, unsure = (a[:complete] for a in (judged.n, judged.bad, judged.unsure))
    budget = clustered(budget, kpi, n)
    judgement = judge_minutes(n, bad, unsure, budget=budget, live=live, rule=plan.judge.rule)
    diluted = _diluted(telemetry, judgement.counts, budget, stage)
    traffic = _traffic(telemetry, budget, stage)
    if judgement.status is not Status.RED:
        judgement = _doubted(judgement, telemetry.problem, traffic, diluted, budget)
    versus, confounded = _versus(telemetry, judgement.counts, budget, stage)
    return KpiResult(
        key=key,
        kpi=kpi,
        budget=budget,
        status=judgement.status,
        reason=judgement.reason,
        judgement=judgement,
        telemetry=telemetry,
        versus=versus,
        confounded=confounded,
        diluted=diluted,
        traffic=traffic,
    )


def _doubted(
    judgement: Judgement, problem: str, traffic: TrafficShare | None, diluted: Dilution | None, budget: Budget
) -> Judgement:
    """Doubt what is not red: events of unknown cohort, a stage not rolled out, a limit diluted by other traffic."""
    if problem:
        return replace(judgement, status=Status.UNKNOWN, reason=problem, needed=None)
    if judgement.status is Status.UNKNOWN:
        return judgement
    enough = FULL if traffic and traffic.planned == 1 else ROLLED_OUT
    if traffic and traffic.seen is not None and traffic.proven == "under" and traffic.seen < enough * traffic.planned:
        reason = (
            f"{share(traffic.planned)} of the traffic planned, {share(traffic.seen)} seen: is the stage rolled out?"
        )
        return replace(judgement, status=Status.UNKNOWN, reason=reason, needed=None)
    if diluted is None or judgement.status is not Status.GREEN:
        return judgement
    if diluted.share >= budget.allowed:
        reason = f"within the limit in all traffic, but the canary alone is estimated at {share(diluted.share)}"
        return replace(judgement, status=Status.AMBER, reason=reason)
    reason = f"within the limit in all traffic; a canary of up to {share(diluted.hidden)} would look the same"
    return replace(judgement, reason=reason)


def judge_minutes(n: Ints, bad: Ints, unsure: Ints, *, budget: Budget, live: Liveness, rule: Rule) -> Judgement:
    """Judge one cohort's counts per minute; ``unknown`` where events that nobody can judge could change the status."""
    totals, hits = np.cumsum(n), np.cumsum(bad)
    judgement = judge_watch(totals.tolist(), hits.tolist(), budget, live, rule)
    lost = int(unsure.sum())
    if not lost:
        return judgement
    worse = judge_watch(totals.tolist(), (hits + np.cumsum(unsure)).tolist(), budget, live, rule)
    if worse.status is judgement.status:
        return judgement
    reason = f"{lost:,} events cannot be judged; were they bad it would be {worse.status}"
    return replace(judgement, status=Status.UNKNOWN, reason=reason)


def _liveness(kpi: Kpi, telemetry: Telemetry, stage: Soak) -> Liveness:
    """Tell whether the KPI's telemetry speaks: any cohort's rows, and the canary's beside the control's."""
    cohorts = [c for c in (telemetry.canary, telemetry.control) if c is not None]
    newest = max((c.newest for c in cohorts if c.newest), default=None)
    age = stage.until - newest if newest else None
    live = liveness(telemetry.everyone, telemetry.earlier, age, kpi.freshness)
    if not live.alive:
        return live
    return _gap(kpi, telemetry) or _canary_silence(kpi, telemetry, stage) or live


def _runs(n: Ints, kpi: Kpi) -> list[tuple[int, int]]:
    """Return the stretches of minutes without an event that last longer than the KPI's freshness: first, after last."""
    filled = np.concatenate(([-1], np.flatnonzero(n), [len(n)]))
    long = np.flatnonzero(np.diff(filled) - 1 > kpi.freshness / MINUTE)
    return [(int(filled[i]) + 1, int(filled[i + 1])) for i in long]


def _gap(kpi: Kpi, telemetry: Telemetry) -> Liveness | None:
    """Find a silence of everyone that the hour on either side makes no accident."""
    n = telemetry.total.n
    for first, last in _runs(n, kpi):
        around = np.concatenate((n[max(first - 60, 0) : first], n[last : last + 60]))
        expected = float(around.mean()) * (last - first) if len(around) else 0.0
        if expected >= -np.log(SILENCE):
            start = f"{telemetry.minutes[first]:%Y-%m-%d %H:%MZ}"
            words = f"silent for {last - first} minutes from {start}, where about {expected:,.0f} events were expected"
            return Liveness(alive=False, reason=words)
    return None


def _canary_silence(kpi: Kpi, telemetry: Telemetry, stage: Soak) -> Liveness | None:
    """Find a silence of the canary alone: in the middle by the control's events then, at the end at once."""
    if telemetry.control is None:
        return None
    n, control = telemetry.canary.n, telemetry.control.n
    spoken = np.flatnonzero(n)
    tail = (int(spoken[-1]) + 1 if len(spoken) else 0, len(n))
    for first, last in (tail, *_runs(n, kpi)):
        missed = int(control[first:last].sum())
        if missed * np.log1p(-min(stage.stage.share, FULL)) < np.log(SILENCE):
            since = "" if last == len(n) else f" from {telemetry.minutes[first]:%Y-%m-%d %H:%MZ}"
            words = f"the canary is silent{since}: no event of its own among the {'last ' * (not since)}{missed:,}"
            return Liveness(alive=False, reason=words)
    return None


def _versus(telemetry: Telemetry, canary: Counts, budget: Budget, stage: Soak) -> tuple[Comparison | None, bool]:
    """Compare with the control; where there is none, with the same hours of earlier days, which the day confounds."""
    if not canary.n or not budget.allowed:
        return None, False
    complete = stage.complete
    if stage.stage.share < 1 and telemetry.control is not None and telemetry.control.n[:complete].sum():
        control = Counts(int(telemetry.control.n[:complete].sum()), int(telemetry.control.bad[:complete].sum()))
        return compare(canary, control, budget.alpha), False
    earlier = Counts(sum(telemetry.earlier), sum(telemetry.earlier_bad))
    return (compare(canary, earlier, budget.alpha), True) if earlier.n else (None, False)


def _diluted(telemetry: Telemetry, everyone: Counts, budget: Budget, stage: Soak) -> Dilution | None:
    baseline = Counts(sum(telemetry.earlier), sum(telemetry.earlier_bad))
    if telemetry.control is not None or not (everyone.n and baseline.n and budget.allowed and stage.stage.share < 1):
        return None
    return dilution(everyone, baseline, stage.stage.share, budget.allowed)


def _traffic(telemetry: Telemetry, budget: Budget, stage: Soak) -> TrafficShare | None:
    if telemetry.control is None or not telemetry.everyone:
        return None
    canary = int(telemetry.canary.n.sum())
    return traffic_share(canary, telemetry.everyone - canary, stage.stage.share, budget.alpha)
