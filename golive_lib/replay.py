"""Past healthy days judged as if each had been a launch: how often this plan would have rolled one back for nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from golive_lib.canary import flags_asked
from golive_lib.due_events import judge_dues
from golive_lib.errors import PlanError
from golive_lib.events import MINUTE, Window, minute_rows
from golive_lib.evidence import interval
from golive_lib.judge import liveness
from golive_lib.kpis import SILENCE, Soak, budgets, clustered, judge_minutes
from golive_lib.plan_types import instant
from golive_lib.stage import Item, judge_stage
from golive_lib.telemetry import Telemetry, read
from golive_lib.verdicts import Rule, Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from golive_lib.engines import Asked
    from golive_lib.judge import Budget, Liveness
    from golive_lib.launch import Launch
    from golive_lib.plan import Kpi, Plan, Stage
    from golive_lib.telemetry import Ints

    _Outcome = tuple[Verdict, tuple[str, ...]]

CONFIDENCE = 0.95
SEED = 7
RULES = (Rule.EVIDENCE, Rule.OBSERVED)


@dataclass(frozen=True)
class Tally:
    """What became of ``runs`` replays of one stage, or of whole launches (``stage`` None), under one rule.

    ``blame`` counts per title how many runs it rolled back. ``between`` holds the share of rollbacks that ``days``
    days bear out: draws of one day share its events, so each day counts once.
    """

    rule: Rule
    stage: Stage | None
    runs: int
    rolled_back: int
    held: int
    blame: Mapping[str, int]
    between: tuple[float, float]


@dataclass(frozen=True)
class Replay:
    """Past days replayed by both rules, of which ``rule`` is the plan's; ``left_out`` says what a day lacks."""

    rule: Rule
    days: tuple[date, ...]
    left_out: Mapping[date, str]
    draws: int
    tallies: tuple[Tally, ...]
    database: str

    def tally(self, rule: Rule, stage: Stage | None = None) -> Tally:
        """Return one tally; whole launches when no stage is given."""
        return next(tally for tally in self.tallies if (tally.rule, tally.stage) == (rule, stage))

    def frame(self) -> pd.DataFrame:
        """Return a row per rule and stage, whole launches last."""
        rows = [
            {
                "rule": tally.rule.value,
                "stage": str(tally.stage) if tally.stage else "whole launch",
                "runs": tally.runs,
                "rolled back": tally.rolled_back,
                "rolled_back_share": tally.rolled_back / tally.runs,
                "at_least_share": tally.between[0],
                "at_most_share": tally.between[1],
                "held": tally.held,
                "because of": ", ".join(f"{title} {n}" for title, n in Counter(tally.blame).most_common()),
            }
            for tally in self.tallies
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Past:
    """One KPI in one stage of a past day: all traffic's telemetry, and whether it spoke."""

    kpi: Kpi
    budget: Budget
    telemetry: Telemetry
    live: Liveness


@dataclass(frozen=True)
class _PastStage:
    """One stage of a past day: its KPIs, and the due events judged as they stood then."""

    soak: Soak
    kpis: tuple[_Past, ...]
    dues: tuple[Item, ...]


def replay(
    launch: Launch, *, days: int = 7, draws: int = 20, as_of: datetime | str | None = None, seed: int = SEED
) -> Replay:
    """Replay the plan's stages on each of the last ``days`` days that end before its first stage, or ``as_of``.

    A stage takes the same local hours of the past day. Each event of all traffic falls into the canary with the stage's
    share, drawn ``draws`` times; what tolerates nothing is counted as it was. Raises PlanError for a plan without
    stages, DatabaseError without a database, QueryFailed when the events cannot be asked.
    """
    with launch.database.snapshot() as snapshot:
        now = instant(as_of, "as_of") if as_of else snapshot.clock.now
        past = _past_days(snapshot, launch, now, days)
    left_out = _without_data(past)
    healthy = {day: stages for day, stages in past.items() if day not in left_out}
    rng = np.random.default_rng(seed)
    stages: list[list[dict[Rule, _Outcome]]] = [[] for _ in launch.plan.stages]
    for day in healthy.values():
        for runs, stage in zip(stages, day, strict=True):
            runs.extend(_stage_runs(stage, draws, rng))
    tallies = _tallies(launch.plan, stages, len(healthy)) if healthy else ()
    return Replay(launch.plan.judge.rule, tuple(healthy), left_out, draws, tallies, str(launch.database.url))


def schedule(plan: Plan, now: datetime) -> tuple[tuple[Stage, datetime], ...]:
    """Return each stage with its start: the plan's ``starts``, else the end of the one before, the first at ``now``."""
    if not plan.stages:
        raise PlanError(f"{plan.path}: there are no stages to replay")
    found: list[tuple[Stage, datetime]] = []
    follows = now
    for stage in plan.stages:
        start = stage.starts or follows
        found.append((stage, start))
        follows = start + stage.soak
    return tuple(found)


def _past_days(snapshot: Asked, launch: Launch, now: datetime, days: int) -> dict[date, tuple[_PastStage, ...]]:
    """Gather the last days on which the whole launch would have ended before it really began, the latest first."""
    planned = schedule(launch.plan, now)
    first, end = planned[0][1], max(start + stage.soak for stage, start in planned)
    nearest = max(-((min(first, now) - end) // timedelta(days=1)), 1)
    past = {}
    for back in range(nearest, nearest + days):
        soaks = [_shifted(launch, stage, start, back) for stage, start in planned]
        past[soaks[0].started_at.astimezone(launch.zone).date()] = _past_stages(snapshot, launch, soaks)
    return past


def _shifted(launch: Launch, stage: Stage, start: datetime, days: int) -> Soak:
    """Return the stage as it would have ended, at the same local hours some days earlier."""
    wall = start.astimezone(launch.zone).replace(tzinfo=None) - timedelta(days=days)
    began = wall.replace(tzinfo=launch.zone).astimezone(UTC)
    ends = began + stage.soak
    return Soak(stage, began, ends, ends - -(-launch.plan.judge.maturity // MINUTE) * MINUTE)


def _past_stages(snapshot: Asked, launch: Launch, soaks: list[Soak]) -> tuple[_PastStage, ...]:
    """Ask each query once for the whole stretch, and cut it into stages."""
    plan, began, ended = launch.plan, soaks[0].started_at, max(soak.ends for soak in soaks)
    window = Window(began, began + -((began - ended) // MINUTE) * MINUTE, ended)
    frames = {}
    for query, flags in flags_asked(plan):
        frames[query] = minute_rows(snapshot, launch, window, query, flags)
    share = budgets(plan)
    return tuple(
        _PastStage(
            soak,
            tuple(_past(soak, kpi, share[key], frames[kpi.query]) for key, kpi in plan.kpis.items()),
            tuple(Item(due.due.title, due.status, due.reason) for due in judge_dues(snapshot, launch, soak)),
        )
        for soak in soaks
    )


def _past(soak: Soak, kpi: Kpi, budget: Budget, frame: pd.DataFrame) -> _Past:
    """Read one KPI of one past stage from all cohorts' rows together: nothing was rolled out yet."""
    window = Window(soak.started_at, soak.ends, soak.ends)
    counts = ["n", f"{kpi.bad}_bad", f"{kpi.bad}_unsure"]
    inside = frame[(frame["minute"] >= window.since) & (frame["minute"] < window.until)]
    whole = inside.groupby("minute", as_index=False).agg({**dict.fromkeys(counts, "sum"), "newest": "max"})
    none = pd.DataFrame({"n": [], f"{kpi.bad}_bad": [], "labelled": []})
    telemetry = read(window, whole.assign(canary=None), kpi.bad, earlier=none)
    newest = telemetry.canary.newest
    live = liveness(telemetry.everyone, (), soak.ends - newest if newest else None, kpi.freshness)
    return _Past(kpi, budget, telemetry, live)


def _without_data(past: Mapping[date, tuple[_PastStage, ...]]) -> dict[date, str]:
    """Name the days whose health nobody can tell: a KPI is silent where the other days had events, or all are."""
    missing: dict[date, str] = {}
    for day, stages in past.items():
        others = [other for at, other in past.items() if at != day]
        for i, stage in enumerate(stages):
            for k, one in enumerate(stage.kpis):
                counts = [other[i].kpis[k].telemetry.canary.n for other in others]
                if silence := _silence(one, counts):
                    missing.setdefault(day, f"{silence} ({one.kpi.title}, {stage.soak.stage} stage)")
            if not any(one.telemetry.everyone for one in stage.kpis):
                missing.setdefault(day, f"no events at all ({stage.soak.stage} stage)")
    return missing


def _silence(one: _Past, others: list[Ints]) -> str:
    """Find the longest silence, past the freshness, in which the other days had too many events for an accident."""
    filled = np.concatenate(([-1], np.flatnonzero(one.telemetry.canary.n), [len(one.telemetry.canary.n)]))
    at = int(np.argmax(np.diff(filled)))
    first, last = int(filled[at]) + 1, int(filled[at + 1])
    usual = sum(int(n[first:last].sum()) for n in others) / max(len(others), 1)
    if (last - first) * MINUTE <= one.kpi.freshness or usual < -np.log(SILENCE):
        return ""
    since = one.telemetry.minutes[first]
    return f"no {one.kpi.noun} for {last - first} minutes from {since:%H:%MZ}, where other days had about {usual:,.0f}"


def _stage_runs(stage: _PastStage, draws: int, rng: np.random.Generator) -> list[dict[Rule, _Outcome]]:
    """Judge one stage of one day by each draw of its canary, under both rules."""
    share = stage.soak.stage.share
    certain = {
        one.kpi: _judged(one, _counts(one), stage.soak) for one in stage.kpis if share == 1 or not one.kpi.allowed
    }
    runs = []
    for _ in range(draws):
        drawn: dict[str, Ints] = {}
        found = []
        for one in stage.kpis:
            if one.kpi in certain:
                found.append(certain[one.kpi])
                continue
            if one.kpi.query not in drawn:  # KPIs of one query judge the same events
                drawn[one.kpi.query] = rng.binomial(one.telemetry.canary.n, share)
            found.append(_judged(one, thin(_counts(one), drawn[one.kpi.query], rng), stage.soak))
        runs.append({rule: _outcome([items[rule] for items in found], stage.dues) for rule in RULES})
    return runs


def _counts(one: _Past) -> tuple[Ints, Ints, Ints]:
    everyone = one.telemetry.canary
    return everyone.n, everyone.bad, everyone.unsure


def thin(counts: tuple[Ints, Ints, Ints], n: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
    """Draw, given each minute's events, bad and unsure ones, how many of ``n`` drawn events are bad and unsure."""
    events, bad, unsure = counts
    hits = rng.hypergeometric(bad, events - bad, n)
    return n, hits, rng.hypergeometric(unsure, events - bad - unsure, n - hits)


def _judged(one: _Past, counts: tuple[Ints, Ints, Ints], soak: Soak) -> dict[Rule, Item]:
    complete = [each[: soak.complete] for each in counts]
    budget = clustered(one.budget, one.kpi, complete[0])
    judged = {rule: judge_minutes(*complete, budget=budget, live=one.live, rule=rule) for rule in RULES}
    return {rule: Item(one.kpi.title, each.status, each.reason) for rule, each in judged.items()}


def _outcome(items: list[Item], dues: tuple[Item, ...]) -> _Outcome:
    everything = [*items, *dues]
    verdict = judge_stage(everything, soak_over=True).verdict
    return verdict, tuple(item.name for item in everything if item.status is Status.RED)


def _tallies(plan: Plan, stages: list[list[dict[Rule, _Outcome]]], days: int) -> tuple[Tally, ...]:
    """Count what became of each stage, and of whole launches: the stages of one day and draw in a row."""
    found = []
    for rule in RULES:
        by_stage = [[run[rule] for run in runs] for runs in stages]
        found += [_tally(outcomes, rule, stage, days) for outcomes, stage in zip(by_stage, plan.stages, strict=True)]
        found.append(_tally([_launch(run) for run in zip(*by_stage, strict=True)], rule, None, days))
    return tuple(found)


def _tally(outcomes: list[_Outcome], rule: Rule, stage: Stage | None, days: int) -> Tally:
    verdicts = Counter(verdict for verdict, _ in outcomes)
    back = verdicts[Verdict.ROLLBACK]
    between = interval(days, days * back / len(outcomes), (1 - CONFIDENCE) / 2)
    blame = Counter(title for _, blamed in outcomes for title in blamed)
    return Tally(rule, stage, len(outcomes), back, verdicts[Verdict.HOLD], blame, between)


def _launch(stages: tuple[_Outcome, ...]) -> _Outcome:
    """Return what a launch comes to: its first rollback, else a hold, else its promotion."""
    for verdict in (Verdict.ROLLBACK, Verdict.HOLD):
        if stopped := next((outcome for outcome in stages if outcome[0] is verdict), None):
            return stopped
    return Verdict.PROMOTE, ()
