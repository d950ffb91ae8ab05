"""Which run a message speaks of, and whether what it says still holds by what was recorded later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from golive_lib.errors import LedgerError, UsageError
from golive_lib.ledger import ROLLBACK
from golive_lib.message_facts import Kind
from golive_lib.records import JUDGED, judged
from golive_lib.verdicts import Verdict

if TYPE_CHECKING:
    from datetime import timedelta

    from golive_lib.history import Happened, History
    from golive_lib.plan import Plan, Stage
    from golive_lib.records import RunRecord

CANARY, READINESS, AFTERCARE = "canary", "readiness", "aftercare"
SAYS = {
    Verdict.GO: Kind.GO,
    Verdict.PROMOTE: Kind.GO,
    Verdict.NO_GO: Kind.NO_GO,
    Verdict.HOLD: Kind.HOLD,
    Verdict.ROLLBACK: Kind.ESCALATION,
}


@dataclass(frozen=True)
class Said:
    """A run to speak of: its record, its figures, and what else is known of the launch."""

    plan: Plan
    history: History
    now: datetime
    happened: Happened
    run: RunRecord
    judged: dict[str, Any]

    @property
    def base(self) -> dict[str, Any]:
        """What every message knows."""
        return {"launch": self.plan.name, "run_id": self.run.run_id, "at": self.happened.at}

    @property
    def stage(self) -> Stage:
        """The stage that was judged; PlanError when the plan has it no more."""
        return self.plan.stage(float(self.judged["stage"]))

    @property
    def started(self) -> datetime:
        """When the stage began."""
        return datetime.fromisoformat(self.judged["started_at"])

    @property
    def lasted(self) -> timedelta:
        """How long it had been watched."""
        return datetime.fromisoformat(self.judged["judged_until"]) - self.started

    @property
    def rolled(self) -> Happened | None:
        """The newest rollback that was recorded after the run, one that was seen done before all others."""
        later = [each for each in self.history.of(ROLLBACK) if each.seq > self.happened.seq]
        return max(later, key=lambda each: (done(each), each.seq), default=None)

    @property
    def undone(self) -> bool:
        """Whether a rollback since the run may have changed something."""
        return any(each.seq > self.happened.seq for each in self.history.rollbacks)

    def refusal(self, kind: Kind, why: str) -> UsageError:
        """Return the error that says why there is no such message."""
        return UsageError(f"no {kind} message for run {self.run.run_id}: {why}")


def done(rolled: Happened) -> bool:
    """Say whether a rollback was done, and seen to be done."""
    return rolled.word("state") == "done" and rolled.data.get("verified") is True


def said(plan: Plan, history: History, now: datetime, kind: Kind | None, run_id: str = "") -> tuple[Kind, Said]:
    """Return the run to speak of and the kind of message it calls for: the run named, or the newest.

    Raises UsageError where the run does not say it or later records contradict it, LedgerError where the records were
    tampered with or are gone.
    """
    # A torn last line is what a power cut leaves; the message's own record repairs it.
    if faults := [fault for fault in history.broken if "line is torn" not in fault]:
        raise LedgerError(f"the ledger cannot be trusted: {faults[0]}; look at golive ledger verify")
    chosen = _chosen(plan, history, kind, run_id)
    run = chosen.run
    if run is None or JUDGED not in run.files:
        raise LedgerError(f"run {chosen.word('run_id')}: no figures of it were published; judge it again")
    if run.newer:
        raise LedgerError(f"run {run.run_id}: {run.sentence}")
    found = Said(plan, history, now, chosen, run, judged(history.outputs, run))
    kind = kind or _says(found)
    _fresh(found, kind)
    return kind, found


def _chosen(plan: Plan, history: History, kind: Kind | None, run_id: str) -> Happened:
    """Return the run named, else the last stage's newest for a success, else the one that was run last."""
    known = [each for name in (READINESS, CANARY) for each, _ in history.runs(name)]
    if run_id:
        found = [each for each in known if each.run and each.run.run_id == run_id]
        if not found:
            has = ", ".join(each.word("run_id") for each in known[-5:]) or "none"
            raise UsageError(
                f"there is no readiness or canary run {run_id!r} of this launch on this database; there are {has}"
            )
        return found[0]
    if not known:
        raise UsageError(f"no run of {plan.name!r} on this database is on record; begin with golive readiness")
    last = [each for each in known if kind is Kind.SUCCESS and plan.stages and _is_of(each, plan.stages[-1])]
    return last[-1] if last else max(known, key=lambda each: each.seq)


def _is_of(happened: Happened, stage: Stage) -> bool:
    run = happened.run
    return bool(run and run.notebook == CANARY and run.facts.get("stage") == stage.percent)


def _says(one: Said) -> Kind:
    """Return what a run says by itself; the promotion of the last stage is the launch's success."""
    if one.run.notebook == CANARY and one.run.verdict == Verdict.PROMOTE and not one.plan.later(one.stage):
        return Kind.SUCCESS
    if one.run.verdict not in SAYS:
        why = f"says {one.run.verdict}: its soak goes on, and there is nothing to announce"
        raise UsageError(f"run {one.run.run_id} {why}; judge it again at its end")
    return SAYS[Verdict(one.run.verdict)]


def _fresh(one: Said, kind: Kind) -> None:
    """Refuse what the run does not say, and what later records contradict."""
    says, run = SAYS.get(Verdict(str(one.run.verdict))), one.run
    if kind is not Kind.SUCCESS and says is not kind:
        raise one.refusal(kind, f"it says {run.verdict}: {run.sentence}")
    same = [
        each
        for each, other in one.history.runs(run.notebook)
        if run.notebook == READINESS or other.facts.get("stage") == run.facts.get("stage")
    ]
    newest = same[-1].run
    if newest and newest.verdict != run.verdict:
        raise one.refusal(kind, f"it is out of date: {newest.run_id} says {newest.verdict}")
    if kind in {Kind.GO, Kind.HOLD, Kind.SUCCESS} and one.undone and one.rolled:
        raise one.refusal(kind, f"a rollback was recorded since, at {one.rolled.at:%Y-%m-%d %H:%MZ}")
    if kind is not Kind.ESCALATION and run.plan != sha256(one.plan.path.read_bytes()).hexdigest():
        raise one.refusal(kind, f"it was judged by another plan than {one.plan.path.name} now is; judge it again")
