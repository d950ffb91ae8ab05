"""RLS coverage before and after the launch, by the stored reports of ``golive rls``, and what changed between them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass as plain
from typing import TYPE_CHECKING, Literal

import pandas as pd
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from golive_lib.errors import QueryError
from golive_lib.formats import age, duration, mask, moment
from golive_lib.plan_types import instant
from golive_lib.proof import Point, Proof, Section
from golive_lib.records import read_records
from golive_lib.settings import outputs_folder
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from golive_lib.launch import Launch
    from golive_lib.records import RunRecord
    from golive_lib.spans import Spans

TITLE = "RLS coverage before and after"
NOTEBOOK = "rls"
JUDGED = "judged.json"
ARTIFACTS = ("rls.html", JUDGED, "relations.csv", "findings.csv")
AGAIN, RUN = "golive rls", "run 'golive rls'"
NAMED, SHOWN = 3, 20
BEFORE, AFTER = "report before the launch", "newest report"
_WRITTEN = ConfigDict(strict=True)  # a later kit may write more; what is read must be as it is today
_RLS, _LEVELS = ("off", "on", "forced"), {"red": Status.RED, "amber": Status.AMBER}
_LISTS = ("anon", "authenticated", "permissive_policies", "restrictive_policies")


@dataclass(frozen=True, config=_WRITTEN)
class Relation:
    """One relation as a report has it: whether it is protected, by what, and what the API's roles may do."""

    relation: str
    kind: str
    status: str
    critical: bool
    rls: Literal["off", "on", "forced"]
    anon: str | None
    authenticated: str | None
    permissive_policies: str | None
    restrictive_policies: str | None


@dataclass(frozen=True, config=_WRITTEN)
class Finding:
    """One finding as a report has it."""

    finding: str
    level: str
    on: str
    what_it_means: str


@dataclass(frozen=True, config=_WRITTEN)
class Judged:
    """What a report keeps in ``judged.json``; ``unsure`` says why it could not judge."""

    exposed: int
    protected: int
    unsure: tuple[str, ...]
    relations: tuple[Relation, ...]
    findings: tuple[Finding, ...]


@plain(frozen=True)
class Report:
    """A stored report of one database; its artifacts are relative to the outputs folder."""

    judged_at: datetime
    started_at: str
    judged: Judged
    artifacts: tuple[str, ...]


@plain(frozen=True, repr=False)
class CoverageChange(Section):
    """The last report judged before the first stage began, the newest one since, and what differs.

    ``begun`` is None when the plan does not say when; ``unreadable`` names reports that are torn, or none of the kit's.
    """

    before: Report | None
    after: Report | None
    unreadable: tuple[str, ...]
    begun: datetime | None
    now: datetime
    max_age: timedelta
    zone: ZoneInfo

    @property
    def both(self) -> tuple[Judged, Judged] | None:
        """The two reports' figures; None unless both are there and could judge."""
        if self.before is None or self.after is None or self.before.judged.unsure or self.after.judged.unsure:
            return None
        return self.before.judged, self.after.judged

    @property
    def relations(self) -> pd.DataFrame:
        """Relations that appeared, vanished or changed, the worst first: ``relation change status what``."""
        return _worst_first(_relations(*self.both) if self.both else ())

    @property
    def findings(self) -> pd.DataFrame:
        """Findings that are new or gone, the worst first: ``relation change status what``."""
        return _worst_first(_findings(*self.both) if self.both else ())

    @property
    def figures(self) -> pd.DataFrame:
        """Each report's coverage: ``report judged_at exposed protected protected_share red_findings …``."""
        rows = []
        for name, report in self._reports():
            judged, levels = report.judged, Counter(each.level for each in report.judged.findings)
            part = judged.protected / judged.exposed if judged.exposed else None
            counts = (judged.exposed, judged.protected, part, levels["red"], levels["amber"])
            rows.append((name, report.judged_at, *counts))
        columns = ["report", "judged_at", "exposed", "protected", "protected_share", "red_findings", "amber_findings"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def artifacts(self) -> pd.DataFrame:
        """The reports' files: ``report judged_at artifact``, relative to the outputs folder."""
        rows = [(name, report.judged_at, path) for name, report in self._reports() for path in report.artifacts]
        return pd.DataFrame(rows, columns=["report", "judged_at", "artifact"])

    def _reports(self) -> list[tuple[str, Report]]:
        return [(name, each) for name, each in ((BEFORE, self.before), (AFTER, self.after)) if each]

    @property
    def points(self) -> tuple[Point, ...]:
        """The two reports, what changed between them, how much is protected now, and what could not be read."""
        changed = (_told("relations", self.relations), _told("findings", self.findings)) if self.both else ()
        covered = (self._covered(self.after.judged),) if self.after and not self.after.judged.unsure else ()
        left_out = f"{len(self.unreadable)}: {'; '.join(self.unreadable[:NAMED])}"
        torn = (Point("reports left out", Status.AMBER, left_out, "remove what is torn, once you know why"),)
        return (self._first(), self._newest(), *covered, *changed, *(torn if self.unreadable else ()))

    def _first(self) -> Point:
        if self.begun is None:
            return Point(BEFORE, Status.UNKNOWN, "the plan does not say when the first stage began", "add its 'starts'")
        if self.before is None:
            fix = f"what stood then cannot be told any more; next time run '{AGAIN}' before the first stage"
            detail = f"there is none of this database from before {moment(self.begun, self.zone)}"
            return Point(BEFORE, Status.UNKNOWN, detail, fix)
        return self._state(BEFORE, self.before)

    def _newest(self) -> Point:
        if self.after is None:
            return Point(AFTER, Status.UNKNOWN, "there is none of this database since the launch began", RUN)
        state = self._state(AFTER, self.after)
        if state.status is Status.GREEN and self.now - self.after.judged_at > self.max_age:
            allowed = duration(self.max_age)
            return Point(AFTER, Status.AMBER, f"{state.detail}; at most {allowed} is fresh", RUN)
        return state

    def _state(self, what: str, report: Report) -> Point:
        if report.judged.unsure:
            return Point(what, Status.UNKNOWN, f"could not judge: {'; '.join(report.judged.unsure)}", RUN)
        old = age(self.now - report.judged_at)
        return Point(what, Status.GREEN, f"of {moment(report.judged_at, self.zone)}, {old}: {report.artifacts[0]}")

    def _covered(self, judged: Judged) -> Point:
        detail = f"{judged.protected} of {judged.exposed} exposed relations are protected"
        if self.both:
            detail += f", before the launch {self.both[0].protected} of {self.both[0].exposed}"
        if not judged.exposed:
            return Point("coverage", Status.UNKNOWN, "nothing is exposed", "see [rls] schemas of the plan")
        if judged.protected >= judged.exposed:
            return Point("coverage", Status.GREEN, detail)
        named = ", ".join(mask(relation.relation) for relation in judged.relations if relation.status == Status.RED)
        return Point("coverage", Status.RED, f"{detail}; open: {named}", "the newest report has the SQL to mend each")

    @property
    def proof(self) -> Proof:
        """The points, with the coverage of both reports, what changed, and where the reports lie."""
        tables = {
            "Coverage before and after": self.figures,
            "Relations that changed": self.relations.head(SHOWN),
            "Findings that are new or gone": self.findings.head(SHOWN),
            "The stored reports": self.artifacts,
        }
        summary = "; ".join(point.said for point in self.points if point.what in {"coverage", "relations"})
        shown = {caption: frame for caption, frame in tables.items() if len(frame)}
        return Proof("coverage_change", TITLE, self.points, summary, shown)


def _worst_first(changes: Iterable[tuple[str, str, Status, str]]) -> pd.DataFrame:
    order = (Status.RED, Status.AMBER, Status.GREEN)
    rows = sorted(changes, key=lambda change: order.index(change[2]))
    return pd.DataFrame(rows, columns=["relation", "change", "status", "what"]).astype({"status": str})


def _told(what: str, frame: pd.DataFrame) -> Point:
    """Say how many changed, and first those that decide."""
    if frame.empty:
        return Point(what, Status.GREEN, "none changed")
    status = Status(frame["status"].iloc[0])
    counts = ", ".join(f"{count} {change}" for change, count in frame["change"].value_counts().items())
    deciding = frame[frame["status"] == status.value].head(NAMED)
    named = "; ".join(deciding["relation"] + ": " + deciding["what"])
    fix = "" if status is Status.GREEN else "find out who changed it and why; the newest report says how to mend it"
    return Point(what, status, f"{counts}; {named}", fix)


def compare(launch: Launch, spans: Spans) -> CoverageChange:
    """Hold the last report judged before the first stage against the newest one, both of this database.

    Reads the outputs folder alone. A report that cannot be read is left out and said.
    """
    begun = min((stage.starts for stage in launch.plan.stages if stage.starts), default=None)
    reports, unreadable = _stored(outputs_folder(launch.env), str(launch.database.url))
    past = [report for report in reports if report.judged_at <= spans.now.until]
    before = [report for report in past if begun and report.judged_at < begun]
    after = [report for report in past if begun is None or report.judged_at >= begun]
    first, last = (each[-1] if each else None for each in (before, after))
    return CoverageChange(first, last, unreadable, begun, spans.now.until, launch.plan.rls.max_age, launch.zone)


def _stored(outputs: Path, database: str) -> tuple[list[Report], tuple[str, ...]]:
    """Return a database's reports, the oldest first, and what is wrong with those that cannot be read."""
    reports, unreadable = [], []
    for record in read_records(outputs, NOTEBOOK):
        told = (record.notebook, record.state) == (NOTEBOOK, "finished")
        if not record.database:
            unreadable.append(f"{record.run_id}: its record cannot be read")
        elif told and record.is_of(database):
            try:
                reports.append(_read(outputs, record))
            except (OSError, ValidationError, QueryError):
                unreadable.append(f"{record.run_id}: {JUDGED} is torn, or not of '{AGAIN}'")
    return sorted(reports, key=lambda report: (report.judged_at, report.started_at)), tuple(sorted(unreadable))


def _read(outputs: Path, record: RunRecord) -> Report:
    """Read one report; raises OSError, or ValidationError or QueryError for one that is torn."""
    folder = outputs / record.run_id
    judged = TypeAdapter(Judged).validate_json((folder / JUDGED).read_bytes())
    there = tuple(f"{record.run_id}/{name}" for name in ARTIFACTS if (folder / name).is_file())
    return Report(instant(record.judged_at, "judged_at"), record.started_at, judged, there)


def _relations(before: Judged, after: Judged) -> Iterator[tuple[str, str, Status, str]]:
    old, new = ({each.relation: each for each in judged.relations} for judged in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            status = Status.RED if new[name].status == "red" else Status.GREEN
            yield name, "appeared", status, f"{new[name].kind}, {new[name].status}, RLS {new[name].rls}"
        elif name not in new:
            yield name, "vanished", Status.AMBER if old[name].critical else Status.GREEN, f"was a {old[name].kind}"
        elif told := "; ".join(_differences(old[name], new[name])):
            yield name, "changed", _weight(old[name], new[name]), told


def _differences(old: Relation, new: Relation) -> Iterator[str]:
    for field in ("kind", "status", "rls"):
        was, is_ = getattr(old, field), getattr(new, field)
        if was != is_:
            yield f"{'RLS' if field == 'rls' else field} {was}, now {is_}"
    for field in _LISTS:
        noun = field.replace("_policies", " policy")
        yield from (f"gained {noun}: {name}" for name in _gained(old, new, field))
        yield from (f"lost {noun}: {name}" for name in _gained(new, old, field))


def _gained(old: Relation, new: Relation, field: str) -> list[str]:
    was, is_ = (set((getattr(each, field) or "").split(", ")) - {""} for each in (old, new))
    return sorted(is_ - was)


def _weight(old: Relation, new: Relation) -> Status:
    """Judge a change: red when less stands before the rows than did, amber when the API's roles may do more."""
    opened = new.status == "red" != old.status
    loosened = _RLS.index(new.rls) < _RLS.index(old.rls)
    if opened or loosened or _gained(new, old, "restrictive_policies"):
        return Status.RED
    wider = any(_gained(old, new, role) for role in ("anon", "authenticated"))
    return Status.AMBER if wider else Status.GREEN


def _findings(before: Judged, after: Judged) -> Iterator[tuple[str, str, Status, str]]:
    for change, judged, other in (("new", after, before), ("gone", before, after)):
        for each in judged.findings:
            if each not in other.findings:
                level = _LEVELS.get(each.level, Status.GREEN) if judged is after else Status.GREEN
                yield each.on, change, level, f"{each.finding}: {each.what_it_means}"
