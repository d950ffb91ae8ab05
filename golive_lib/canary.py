"""One stage of a launch, judged: every KPI by its canary's own events, and the verdict on the stage."""

from __future__ import annotations

import math
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from golive_lib.due_events import DueResult, judge_dues
from golive_lib.errors import ArchiveError, DatabaseError, PlanError, QueryFailed
from golive_lib.events import MINUTE, Window, bad_events
from golive_lib.formats import Brief, clock, number, share
from golive_lib.kpis import KpiResult, Soak, budgets, judge_kpi
from golive_lib.plan_types import instant
from golive_lib.stage import Item, StageVerdict, judge_stage
from golive_lib.telemetry import gather
from golive_lib.verdicts import Outcome, Status, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from golive_lib.clock import Clock
    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan, Stage
    from golive_lib.telemetry import Telemetry

    Gather = Callable[[Asked, Launch, Window, str, Sequence[str]], dict[str, Telemetry]]


@dataclass(frozen=True, repr=False)
class StageResult(Brief):
    """A stage judged in one snapshot: KPIs, due events, and the verdict; ``evidence`` holds bad events of red KPIs.

    ``archive`` names the one that earlier rows were taken from, ``reach`` says where an archive ends before the stage.
    """

    soak: Soak
    kpis: tuple[KpiResult, ...]
    dues: tuple[DueResult, ...]
    stage_verdict: StageVerdict
    evidence: Mapping[str, pd.DataFrame]
    clock: Clock
    launch: str
    database: str
    zone: str
    alpha: float
    archive: str = ""
    reach: str = ""

    def __getitem__(self, key: str) -> KpiResult | DueResult:
        return next(result for result in self.results if result.key == key)

    def _ipython_key_completions_(self) -> list[str]:
        return [result.key for result in getattr(self, "results", ())]  # IPython may ask one that is not made yet

    def kpi(self, key: str) -> KpiResult:
        """Return one KPI's result."""
        return next(result for result in self.kpis if result.key == key)

    @property
    def results(self) -> tuple[KpiResult | DueResult, ...]:
        """Everything the stage watched, KPIs first."""
        return (*self.kpis, *self.dues)

    @property
    def outcome(self) -> Outcome:
        """The verdict and its reasons in a sentence that a director reads."""
        verdict = self.stage_verdict.verdict
        short = [Status.AMBER] if self.soak.cut_short else []
        status = worst([*short, *(result.status for result in self.results)])
        return Outcome(verdict, status, _sentence(self) + self.reach, self.soak.until, self.clock.fixed, self.zone)

    def record(self) -> dict[str, Any]:
        """Return what was judged as data for JSON: the same, byte for byte, whenever this instant is judged again."""
        return {
            "stage": self.soak.stage.percent,
            "started_at": self.soak.started_at.isoformat(),
            "judged_until": self.soak.until.isoformat(),
            "complete_until": self.soak.matured.isoformat(),
            "verdict": self.stage_verdict.verdict.value,
            "reasons": list(self.stage_verdict.reasons),
            "kpis": {one.key: _kpi_record(one) for one in sorted(self.kpis, key=lambda one: one.key)},
            "due": {
                one.key: {"reason": one.reason, "status": one.status.value}
                for one in sorted(self.dues, key=lambda one: one.key)
            },
        }


def _kpi_record(one: KpiResult) -> dict[str, Any]:
    judged = one.judgement
    e_values = {"over": judged.log_e_over, "under": judged.log_e_under}
    return {
        "status": one.status.value,
        "reason": one.reason,
        "events": judged.counts.n,
        "bad": judged.counts.bad,
        "proven": judged.proven,
        "log_e": {name: value if math.isfinite(value) else None for name, value in e_values.items()},
        "interval": list(judged.interval),
        "needed": judged.needed,
        "red_since_look": None if judged.crossed is None else judged.crossed + 1,
    }


def soak(plan: Plan, percent: float, started_at: datetime | None, as_of: datetime, *, known: str = "") -> Soak:
    """Return the stage as it stood at an instant; a later stage's start ends the one before it.

    ``known`` says until when an archive goes. Raises PlanError for an unknown stage, one without a start, and a start
    that lies ahead of ``as_of``.
    """
    stage = plan.stage(percent)
    start = stage_start(plan, stage, started_at)
    ended = next((later.starts for later in plan.later(stage) if later.starts), None)
    if ended and start >= ended:
        raise PlanError(
            f"stage {stage} cannot start at {start:%Y-%m-%d %H:%MZ}: by the plan a later one had begun then"
        )
    until = min(as_of, ended) if ended else as_of
    if until <= start:
        words = f"stage {stage} starts at {start:%Y-%m-%d %H:%MZ}, which is not before {as_of:%Y-%m-%d %H:%MZ}"
        raise PlanError(f"{words}; {known}" if known else words)
    matured = start + max((min(until, as_of - plan.judge.maturity) - start) // MINUTE, 0) * MINUTE
    over = until == ended
    return Soak(stage, start, until, matured, cut_short=over and until < start + stage.soak, ended=over)


def stage_start(plan: Plan, stage: Stage, given: datetime | None) -> datetime:
    """Return when a stage began: as given, else by its ``starts``; raises PlanError when neither says."""
    start = given or stage.starts
    if start is None:
        raise PlanError(f"{plan.path}: stage {stage} has no 'starts'; give it there or as started_at")
    return start


def judge_now(
    launch: Launch, percent: float, *, started_at: datetime | str | None = None, as_of: datetime | str | None = None
) -> StageResult:
    """Judge a stage in one snapshot, as of an instant (a text with its zone, or a datetime) or of the database's now.

    Raises PlanError as ``soak`` does, QueryError for an instant that is none or to come, DatabaseError without a
    database.
    """
    with launch.database.snapshot() as snapshot:
        stage = _asked(snapshot.clock, launch.plan, percent, started_at, as_of)
        result = judge_in(snapshot, launch, stage, gather)
        return replace(result, evidence=_evidence(snapshot, launch, result))


def stage_asked(
    launch: Launch, percent: float, started_at: datetime | str | None, as_of: datetime | str | None
) -> Soak:
    """Return the stage that a question means, without judging it; raises as ``judge_now`` does."""
    with launch.database.snapshot() as snapshot:
        return _asked(snapshot.clock, launch.plan, percent, started_at, as_of)


def _asked(
    clock: Clock, plan: Plan, percent: float, started_at: datetime | str | None, as_of: datetime | str | None
) -> Soak:
    start = instant(started_at, "started_at") if started_at else None
    then = clock.past(as_of)
    return soak(plan, percent, start, then.now, known=clock.end if then == clock else "")


def judge_in(snapshot: Asked, launch: Launch, stage: Soak, gather: Gather) -> StageResult:
    """Judge a stage by what ``gather`` answers for each query of events; no evidence is fetched."""
    telemetry = gather_all(snapshot, launch, stage, gather)
    return conclude(launch, stage, telemetry, judge_dues(snapshot, launch, stage), snapshot.clock)


def _evidence(snapshot: Asked, launch: Launch, result: StageResult) -> dict[str, pd.DataFrame]:
    window = Window(result.soak.started_at, result.soak.matured, result.soak.until)
    red = (one for one in result.kpis if one.status is Status.RED)
    return {one.key: _rows(snapshot, launch, window, one) for one in red}


def _rows(snapshot: Asked, launch: Launch, window: Window, red: KpiResult) -> pd.DataFrame:
    try:
        return bad_events(snapshot, launch, window, red.kpi.query, red.kpi.bad)
    except QueryFailed as failure:  # a red verdict does not wait for its evidence
        return pd.DataFrame({"no rows to show": [failure.reason]})


def gather_all(snapshot: Asked, launch: Launch, stage: Soak, gather: Gather) -> dict[str, Telemetry]:
    """Return the telemetry of every KPI, each query of events asked once."""
    whole = (stage.until - stage.started_at) // MINUTE * MINUTE
    window = Window(stage.started_at, stage.started_at + whole, stage.until)
    answers = {query: gather(snapshot, launch, window, query, flags) for query, flags in flags_asked(launch.plan)}
    return {key: answers[kpi.query][kpi.bad] for key, kpi in launch.plan.kpis.items()}


def flags_asked(plan: Plan) -> tuple[tuple[str, list[str]], ...]:
    """Return each query of events with the columns of bad events that the plan's KPIs name."""
    by_query: dict[str, list[str]] = defaultdict(list)
    for kpi in plan.kpis.values():
        if kpi.bad not in by_query[kpi.query]:
            by_query[kpi.query].append(kpi.bad)
    return tuple(by_query.items())


def conclude(
    launch: Launch, stage: Soak, telemetry: Mapping[str, Telemetry], dues: tuple[DueResult, ...], clock: Clock
) -> StageResult:
    """Judge what was gathered and return the stage's result."""
    plan = launch.plan
    share = budgets(plan)
    kpis = tuple(judge_kpi(key, plan, share[key], telemetry[key], stage) for key in plan.kpis)
    items = [_item(result, stage, launch.zone) for result in kpis]
    items += [Item(due.due.title, due.status, due.reason) for due in dues]
    if stage.cut_short:  # it will never be over, and was not promoted
        items.append(Item("Soak", Status.AMBER, "cut short by the start of the next stage"))
    verdict = judge_stage(items, soak_over=stage.over or stage.cut_short)
    archive, reach = str(launch.archive.url) if launch.archive else "", _reach(launch, kpis, stage, clock)
    where = plan.name, str(launch.database.url), plan.timezone
    return StageResult(stage, kpis, dues, verdict, {}, clock, *where, plan.judge.alpha, archive, reach)


def _reach(launch: Launch, kpis: Sequence[KpiResult], stage: Soak, clock: Clock) -> str:
    """Say until when an archive goes, where what is judged may go on after it; else nothing."""
    if clock.end and stage.until == clock.now and not stage.over:
        return f" Of the soak until {stage.ends:%Y-%m-%d %H:%MZ} {clock.end}."
    told = [one.telemetry for one in kpis]
    newest = max((one.total.newest for one in told if one.total.newest), default=None)
    unknown = any(one.status is Status.UNKNOWN for one in kpis)
    if launch.archive is not None and unknown and not any(one.problem for one in told):
        with suppress(ArchiveError, DatabaseError), launch.archive.snapshot() as kept:
            if kept.clock.now < stage.until and (newest is None or newest < kept.clock.now):
                return f" The live database has no later rows, and {kept.clock.end}."
    return ""


def _item(result: KpiResult, stage: Soak, zone: ZoneInfo) -> Item:
    """Say what the stage's verdict may need to know of a KPI, with the rate its events come at."""
    minutes = (stage.matured - stage.started_at) / MINUTE
    rate = result.judgement.counts.n / minutes if minutes else None
    needed = result.judgement.needed if result.status is Status.AMBER else None
    reason, counts = result.reason, result.judgement.counts
    if result.status is Status.RED and result.budget.allowed:
        figures = f"{share(counts.share)} of {number(counts.n)} {result.kpi.noun} are {result.kpi.bad}"
        looks = result.telemetry.minutes
        since = "" if result.judgement.crossed is None else f" since {clock(looks[result.judgement.crossed], zone)}"
        reason = f"{figures}, {share(result.budget.allowed)} may be ({reason}{since})"
    return Item(result.kpi.title, result.status, reason, needed, rate, result.kpi.noun)


def _sentence(result: StageResult) -> str:
    stage, verdict = result.soak.stage, result.stage_verdict
    reasons = "; ".join(verdict.reasons)
    everything = len(result.results)
    match verdict.verdict:
        case Verdict.PROMOTE:
            proven = sum(one.judgement.proven == "under" for one in result.kpis)
            weighed = sum(bool(one.budget.allowed) for one in result.kpis)
            how = f"{proven} of the {weighed} shares proven within their limits, the others observed there"
            return f"All {everything} KPIs are green at the end of the {stage} stage's soak; {how}."
        case Verdict.CONTINUE:
            green = sum(one.status is Status.GREEN for one in result.results)
            say = f"{green} of {everything} KPIs are green in the {stage} stage and none is red; the soak goes on."
            return say + (f" Open: {reasons}." if reasons else "")
        case Verdict.ROLLBACK:
            return f"Roll the {stage} stage back now. {reasons}."
        case _:
            return f"The {stage} stage may not go on yet. {reasons}."
