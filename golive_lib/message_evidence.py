"""From a launch's records to the facts of a message: what a run does not say is refused, with what is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from golive_lib.checklist_items import Asked
from golive_lib.errors import LedgerError
from golive_lib.formats import age, duration
from golive_lib.ledger import ROLLBACK
from golive_lib.message_facts import (
    RLS,
    Action,
    EscalationFacts,
    Facts,
    GoFacts,
    HoldFacts,
    Kind,
    NoGoFacts,
    Ready,
    Rolled,
    SuccessFacts,
    dues,
    figures,
    items,
    not_green,
)
from golive_lib.message_runs import AFTERCARE, CANARY, READINESS, Said, done, said
from golive_lib.records import judged
from golive_lib.verdicts import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from golive_lib.history import Happened, History
    from golive_lib.plan import Plan, Stage

DAY = timedelta(hours=24)


def gathered(plan: Plan, history: History, now: datetime, kind: Kind | None, run_id: str = "") -> tuple[Kind, Facts]:
    """Return what to say and the facts to say it with, of the run named or the newest.

    Raises UsageError, naming what is missing, where the records do not say it; LedgerError where they were tampered
    with, are gone or are another version's; PlanError for a stage that the plan does not have.
    """
    kind, found = said(plan, history, now, kind, run_id)
    try:
        return kind, _MAKERS[kind](found)
    except (KeyError, TypeError, ValueError) as error:
        what = f"its figures are not those of this version ({type(error).__name__}: {error}); judge it again"
        raise LedgerError(f"run {found.run.run_id}: {what}") from None


def _ready(one: Said, kind: Kind) -> tuple[Ready, dict[str, Any]]:
    """Return the newest readiness run, which must be on record, with its figures."""
    found = list(one.history.runs(READINESS))
    if not found:
        raise one.refusal(kind, "no readiness run is on record, so nobody can say that staging passed")
    happened, run = found[-1]
    proven = judged(one.history.outputs, run)
    return Ready(run.run_id, str(run.verdict), happened.at, items(proven)), proven


def _go(one: Said) -> GoFacts:
    ready, _ = _ready(one, Kind.GO)
    if ready.verdict != Verdict.GO:
        raise one.refusal(Kind.GO, f"the newest readiness run, {ready.run_id}, says {ready.verdict}")
    begun, most = Asked(one.plan, "", one.history, one.now).begun, one.plan.checklist.max_age
    if (old := (begun or one.now) - ready.at) > most:
        when = "when the first stage began" if begun else "now"
        why = f"the newest readiness run, {ready.run_id}, is {age(old)} {when}, and may be {duration(most)}"
        raise one.refusal(Kind.GO, why)
    if one.run.notebook == READINESS:
        return GoFacts(**one.base, stage=None, lasted=None, kpis=(), dues=(), readiness=ready, next=_to_come(one))
    later = [stage.percent for stage in one.plan.later(one.stage)]
    for each, run in one.history.runs(CANARY):
        if run.facts.get("stage") in later and run.verdict == Verdict.ROLLBACK and each.at > one.happened.at:
            raise one.refusal(Kind.GO, f"the launch has gone on: {run.run_id} says rollback")
    return GoFacts(
        **one.base,
        stage=one.stage,
        lasted=one.lasted,
        kpis=figures(one.plan, one.judged),
        dues=dues(one.plan, one.judged),
        readiness=ready,
        next=next(iter(one.plan.later(one.stage)), None),
    )


def _to_come(one: Said) -> Stage | None:
    """Return the stage that a readiness run lets begin: as it was asked, else what follows the stages that passed."""
    if asked := float(one.run.parameters.get("stage") or 0):
        return one.plan.stage(asked)
    back = max((each.seq for each in one.history.of(ROLLBACK)), default=0)
    before = [(each.seq, run) for each, run in one.history.runs(CANARY) if back < each.seq < one.happened.seq]
    if not before:
        return next(iter(one.plan.stages), None)
    newest = max(before, key=lambda pair: pair[0])[1]
    stage = one.plan.stage(float(newest.facts["stage"]))
    return next(iter(one.plan.later(stage)), None) if newest.verdict == Verdict.PROMOTE else stage


def _no_go(one: Said) -> NoGoFacts:
    ready, _ = _ready(one, Kind.NO_GO)
    return NoGoFacts(**one.base, readiness=ready, next=_to_come(one))


def _hold(one: Said) -> HoldFacts:
    if one.run.notebook == READINESS:
        open_ = not_green(items(one.judged))
        return HoldFacts(**one.base, stage=None, lasted=None, kpis=(), points=open_, others=())
    kpis, points = figures(one.plan, one.judged), dues(one.plan, one.judged)
    waits = tuple(kpi for kpi in kpis if kpi.status != Status.GREEN)
    titles = [*(kpi.title for kpi in kpis), *(point.title for point in points)]
    named = tuple(f"{title}{mark}" for title in titles for mark in ":,")  # a reason may be several ones'
    others = tuple(reason for reason in one.judged["reasons"] if not reason.startswith(named))
    open_ = not_green(points)
    return HoldFacts(**one.base, stage=one.stage, lasted=one.lasted, kpis=waits, points=open_, others=others)


def _escalation(one: Said) -> EscalationFacts:
    rules, back = one.plan.rollback, one.rolled
    if not (rules.flag or back):
        raise one.refusal(Kind.ESCALATION, f"{one.plan.path.name} names no 'flag' under [rollback] to turn off")
    return EscalationFacts(
        **one.base,
        stage=one.stage,
        started=one.started,
        kpis=tuple(kpi for kpi in figures(one.plan, one.judged) if kpi.status == Status.RED),
        dues=tuple(due for due in dues(one.plan, one.judged) if due.status == Status.RED),
        action=Action(rules.flag, one.plan.flags.percentage, rules.within),
        rolled=_rolled(back) if back else None,
    )


def _rolled(back: Happened) -> Rolled:
    took = back.data.get("seconds")
    seconds = took.get("command") if isinstance(took, dict) else None
    return Rolled(int(back.data.get("level") or 1), back.word("state"), done(back), back.at, seconds)


def _success(one: Said) -> SuccessFacts:
    missing = [] if one.run.notebook == READINESS else [*_lacking(one)]
    if one.run.notebook == READINESS or not one.plan.stages or one.stage != one.plan.stages[-1]:
        missing = ["it is no run of the plan's last stage"]
    if missing:
        raise one.refusal(Kind.SUCCESS, "; ".join(missing))
    kpis = figures(one.plan, one.judged)
    return SuccessFacts(
        **one.base,
        stage=one.stage,
        lasted=one.lasted,
        kpis=kpis,
        dues=dues(one.plan, one.judged),
        violations=next(kpi for kpi in kpis if kpi.key == RLS),
        **_flags(one),
    )


def _lacking(one: Said) -> list[str]:
    """Name everything that a success lacks."""
    plan, run, must = one.plan, one.run, max(one.stage.soak, DAY)
    kpis, points = {kpi.key: kpi for kpi in figures(plan, one.judged)}, dues(plan, one.judged)
    titles = {key: kpi.title for key, kpi in plan.kpis.items()}
    red = [titles[key] for key in plan.kpis if key not in kpis or kpis[key].status != Status.GREEN]
    red += [point.title for point in not_green(points)]
    red += [plan.due[key].title for key in plan.due if key not in one.judged["due"]]
    back = [each for each in one.history.rollbacks if each.at >= one.started]
    after = [(each, other) for each, other in one.history.runs(AFTERCARE) if each.at >= one.started]
    seen = kpis.get(RLS)
    checks = {
        f"the last stage is one of {one.stage}, not of 100 %": one.stage.percent != 100,  # noqa: PLR2004  percent
        f"it says {run.verdict}: {run.sentence}": run.verdict != Verdict.PROMOTE,
        f"it was green for {duration(one.lasted)}, and must be for {duration(must)}": one.lasted < must,
        f"not green: {', '.join(red)}": bool(red),
        f"no KPI {RLS!r} was judged, so nobody can say that there was no violation": seen is None,
        f"{seen.bad if seen else 0} RLS violations were seen": bool(seen and seen.bad),
        "a rollback is on record since the stage began": bool(back),
    }
    ready = [run for _, run in one.history.runs(READINESS)]
    if ready and ready[-1].facts.get("items", {}).get("flags", Status.GREEN) != Status.GREEN:
        checks[f"the newest readiness run, {ready[-1].run_id}, saw flags that are not as planned"] = True
    if after and after[-1][1].verdict == Verdict.NO_GO:
        checks[f"{after[-1][1].run_id} says no-go: {after[-1][1].sentence}"] = True
    return [why for why, so in checks.items() if so]


def _flags(one: Said) -> dict[str, Any]:
    """Return the flags as the newest readiness run saw them; without one there is nothing to say of them."""
    if not any(one.history.runs(READINESS)):
        return {"features": (), "off": (), "flags_at": None}
    ready, proven = _ready(one, Kind.SUCCESS)
    points = proven["items"].get("flags", {}).get("points", ())
    seen = {point["what"] for point in points if point["status"] == Status.GREEN}
    planned = {name: value for name, value in one.plan.flags.expected.items() if name in seen}
    return {
        "features": tuple(name for name, value in planned.items() if value is True),
        "off": tuple(name for name, value in planned.items() if value is False),
        "flags_at": ready.at,
    }


_MAKERS: Mapping[Kind, Callable[[Said], Facts]] = {
    Kind.GO: _go,
    Kind.NO_GO: _no_go,
    Kind.HOLD: _hold,
    Kind.ESCALATION: _escalation,
    Kind.SUCCESS: _success,
}
