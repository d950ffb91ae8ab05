"""The day after: what the launch did to the API, the money, the readers, the recordings and the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from golive_lib import coverage_change, day_health, flow, funnel, performance, recordings, utilization
from golive_lib.errors import QueryError
from golive_lib.plan_types import instant
from golive_lib.proof import Proofs
from golive_lib.spans import spans
from golive_lib.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from golive_lib.coverage_change import CoverageChange
    from golive_lib.day_health import DayHealth
    from golive_lib.flow import Flow
    from golive_lib.funnel import Funnel
    from golive_lib.launch import Launch
    from golive_lib.performance import Performance
    from golive_lib.recordings import Recordings
    from golive_lib.spans import Spans
    from golive_lib.statement import Value
    from golive_lib.utilization import Utilization


@dataclass(frozen=True, kw_only=True, repr=False)
class Aftercare(Proofs):
    """The sections of the report of the day after, each with its frames, and what they say together."""

    spans: Spans
    health: DayHealth
    flow: Flow
    funnel: Funnel
    utilization: Utilization
    recordings: Recordings
    coverage: CoverageChange
    performance: Performance
    said: ClassVar[str] = "in order"
    words: ClassVar[Mapping[Verdict, str]] = {
        Verdict.GO: "All in order",
        Verdict.HOLD: "Look at it",
        Verdict.NO_GO: "Act today",
    }

    def record(self) -> dict[str, Any]:
        """Return what was found as data for JSON; the recordings to listen to and the ticket are files of their own."""
        ticket = {"ticket.md": self.performance.ticket} if self.performance.ticket else {}
        sample = json.loads(self.recordings.sample.to_json(orient="records", date_format="iso"))
        return super().record() | {"recordings": sample} | ticket


def examine(launch: Launch, *, as_of: datetime | str | None = None) -> Aftercare:
    """Return the report of the hours before an instant, by default the database's now, all from one snapshot.

    Raises DatabaseError without a database, QueryError for an ``as_of`` that is no instant, that is to come, or that
    is from before the launch.
    """
    with launch.database.snapshot() as snapshot:
        snapshot.clock = snapshot.clock.past(as_of)
        begun = min((stage.starts for stage in launch.plan.stages if stage.starts), default=None)
        if as_of and begun and snapshot.clock.now <= begun:
            now = snapshot.clock.now.isoformat()
            raise QueryError(f"as_of = {now} is before the launch: its first stage began {begun.isoformat()}")
        plan, looked_at = launch.plan, spans(launch.plan, snapshot.clock.now)
        health = day_health.examine(launch, snapshot, looked_at)
        came = flow.examine(launch, snapshot, looked_at)
        paid = funnel.examine(launch, snapshot, looked_at)
        used = utilization.examine(launch, snapshot, looked_at)
        recorded = recordings.examine(launch, snapshot, looked_at)
        changed = coverage_change.compare(launch, looked_at)
        slow = performance.examine(launch, snapshot, looked_at, health)
        return Aftercare(
            proofs=tuple(section.proof for section in (health, came, paid, used, recorded, changed, slow)),
            clock=snapshot.clock,
            launch=plan.name,
            database=str(launch.database.url),
            zone=plan.timezone,
            then=f"nothing in {looked_at.now.title} speaks against the launch",
            spans=looked_at,
            health=health,
            flow=came,
            funnel=paid,
            utilization=used,
            recordings=recorded,
            coverage=changed,
            performance=slow,
        )


def sql(launch: Launch, name: str, *, as_of: datetime | str | None = None) -> str:
    """Return a query as this report asks it, with the hours judged written in; any SQL client runs it.

    Raises as ``Launch.sql`` does.
    """
    wanted = {param.name for param in launch.query(name).params if param.default is None}
    if not wanted:
        return launch.sql(name)
    with launch.database.snapshot() as snapshot:
        looked_at = spans(launch.plan, instant(as_of, "as_of") if as_of else snapshot.clock.now)
        usual = launch.ask(snapshot, "aftercare/funnel_usual", **looked_at.now.values()).iloc[0].fillna(0)
    known: dict[str, Value] = {
        **looked_at.now.values(),
        **{f"before_{end}": value for end, value in looked_at.day.values().items()},
        **{end: float(usual[end]) for end in ("settle_seconds", "call_seconds")},
        "pending_seconds": launch.plan.aftercare.pending_after.total_seconds(),
        "schemas": performance.schemas(launch.plan),
        "zone": launch.plan.timezone,
    }
    return launch.sql(name, **{key: value for key, value in known.items() if key in wanted})
