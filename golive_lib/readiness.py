"""Readiness: every item of the list before a launch, proven in one go, and whether the launch may begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from golive_lib.backup import prove_backup
from golive_lib.clock import Clock
from golive_lib.contracts import prove_contracts
from golive_lib.credentials import prove_secrets
from golive_lib.flags import prove_flags
from golive_lib.hardening import prove_test_accounts
from golive_lib.launch import SAMPLE
from golive_lib.plan_types import instant
from golive_lib.proof import Point, Proof, Proofs
from golive_lib.records import newest
from golive_lib.rls import examine, prove_coverage
from golive_lib.rls_probe import prove_isolation
from golive_lib.rollback_proof import prove_rollback
from golive_lib.settings import backups_folder, outputs_folder
from golive_lib.storage import prove_storage

if TYPE_CHECKING:
    from golive_lib.checks import CheckResult, Checks
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan


@dataclass(frozen=True, kw_only=True, repr=False)
class Readiness(Proofs):
    """The items of the readiness list; ``sanity`` holds the checks behind that item."""

    sanity: Checks


def prove(
    launch: Launch,
    *,
    stage: float | None = None,
    as_of: datetime | str | None = None,
    allow_writes: bool = False,
    sample: int = SAMPLE,
) -> Readiness:
    """Prove the whole list in one snapshot; what is stored or dated is judged as of an instant, the rest as it is now.

    ``stage`` is the percentage that the canary's flag must say, by default that of the stage running then;
    ``allow_writes`` lets contracts change something. Raises DatabaseError without a database, QueryError for an
    ``as_of`` that is no instant.
    """
    with launch.postgres.snapshot() as snapshot:
        if as_of:
            snapshot.clock = Clock(instant(as_of, "as_of"), snapshot.clock.fixed)
        sanity = launch.checks_in(snapshot, "sanity", sample=sample)
        proofs = (
            prove_secrets(
                launch.plan.secrets, launch.env, snapshot.clock.now, launch.plan.database, launch.postgres.url
            ),
            prove_flags(launch, snapshot, stage=stage),
            prove_backup(
                launch.plan.backup, backups_folder(launch.env), launch.postgres.url.identity, snapshot.clock.now
            ),
            prove_storage(launch, snapshot, backups_folder(launch.env)),
            prove_coverage(examine(launch, snapshot), launch.plan, last_coverage(launch)),
            prove_isolation(launch),
            prove_test_accounts(launch, snapshot),
            _sanity(sanity),
            prove_contracts(launch, snapshot, allow_writes=allow_writes),
            prove_rollback(launch, outputs_folder(launch.env), snapshot.clock.now),
        )
        return Readiness(
            proofs=proofs,
            clock=snapshot.clock,
            launch=launch.plan.name,
            database=str(launch.postgres.url),
            zone=launch.plan.timezone,
            then=_then(launch.plan, stage, snapshot.clock.now),
            sanity=sanity,
        )


def _then(plan: Plan, stage: float | None, now: datetime) -> str:
    begun = [each for each in plan.stages if each.starts and each.starts <= now]
    if stage is not None:
        return f"the stage of {stage:g} % may begin"
    return f"the stage of {begun[-1]} runs already, by the plan's times" if begun else "the first stage may begin"


def last_coverage(launch: Launch) -> datetime | None:
    """Return when the newest stored coverage report of this database was judged."""
    report = newest(outputs_folder(launch.env), "rls", str(launch.postgres.url))
    return datetime.fromisoformat(report.judged_at) if report and report.judged_at else None


def _sanity(checks: Checks) -> Proof:
    points = tuple(Point(check.title, check.status, _found(check), check.fix) for check in checks)
    return Proof("sanity", "Sanity of the data", points, f"all {len(checks)} checks are green")


def _found(check: CheckResult) -> str:
    """Say what a check found without its rule, which is SQL and stands in the check's own report."""
    return f"{check.broken:,} of {check.examined:,} rows break the rule" if check.broken else check.reason
