"""The performance ticket: what is slow or wasteful by the server's own figures, ready to paste, and only when due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from golive_lib.errors import PlanError, QueryFailed
from golive_lib.formats import duration, moment, number
from golive_lib.proof import Point, Proof, Section
from golive_lib.ticket import HEADINGS, MEGABYTE, SHOWN, cell, written
from golive_lib.verdicts import Status, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from golive_lib.day_health import DayHealth
    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.plan import Plan
    from golive_lib.query import Query
    from golive_lib.spans import Spans

TITLE = "Performance ticket"
MANAGED = {
    "auth",
    "storage",
    "realtime",
    "vault",
    "extensions",
    "graphql",
}  # Supabase's own tables are not ours to index
DAY, WEEK = 1.0, 7.0  # days of counting before a table is cleared, and before an index is called unused


@dataclass(frozen=True)
class Kind:
    """One kind of suspect: its query, what people see of it, one suspect in words, and none in words.

    ``logged`` is the query that counts what was there to be judged, where that may be nothing.
    """

    name: str
    columns: tuple[str, ...]
    said: str
    none: str
    logged: str = ""

    @property
    def what(self) -> str:
        """What people call it."""
        return self.name.replace("_", " ")


PATHS = Kind(
    "slow_paths",
    ("path", "requests", "p50_ms", "p95_ms", "slow_share"),
    "{path} has a P95 of {p95_ms} over {requests} requests",
    "no path of 20 requests or more is over the limit on P95",
    "logged_paths",
)
NAMED = Kind(
    "slow_queries",
    ("name", "calls", "p50_ms", "p95_ms", "slow_share"),
    "{name} has a P95 of {p95_ms} over {calls} calls",
    "no named query of 20 calls or more is over the limit on P95",
    "logged_queries",
)
KEYS = Kind(
    "unindexed_foreign_keys",
    ("table", "columns", "referenced", "rows", "bytes", "index_bytes", "referenced_deletes"),
    "{table} ({columns}), of about {rows} rows",
    "every foreign key of a large table has an index",
)
COPIES = Kind(
    "duplicate_indexes",
    ("index", "table", "kept", "rows", "bytes", "scans"),
    "{index} is the same as {kept} and takes {bytes} MB",
    "no large table has any",
)
SCANS = Kind(
    "sequential_scans",
    ("table", "rows", "bytes", "full_reads", "rows_read", "index_scans"),
    "{table}, of about {rows} rows, was read in full {full_reads} times",
    "no large table was read in full over 100 times a day",
)
UNUSED = Kind(
    "unused_indexes",
    ("index", "table", "rows", "bytes", "scans"),
    "{index} takes {bytes} MB",
    "every index of a megabyte or more was used",
)


@dataclass(frozen=True)
class Suspects:
    """What a query found of one kind: a row per suspect, worst first, under the query's own column names."""

    kind: Kind
    query: Query
    frame: pd.DataFrame

    @property
    def shown(self) -> pd.DataFrame:
        """The worst for people to read, sizes in megabytes."""
        sizes = {name: self.frame[name] / MEGABYTE for name in self.kind.columns if name.endswith("bytes")}
        return self.frame.assign(**sizes)[list(self.kind.columns)].rename(columns=HEADINGS).head(SHOWN)

    @property
    def sql(self) -> list[str]:
        """The statements that would mend what is shown; none for what an index may not help."""
        return self.frame["sql"].head(SHOWN).tolist() if "sql" in self.frame else []

    @property
    def said(self) -> str:
        """How many there are, and the worst in words."""
        first = {str(name): cell(str(name), value).strip("`") for name, value in self.frame.iloc[0].items()}
        return f"{number(len(self.frame))}, at worst " * (len(self.frame) > 1) + self.kind.said.format(**first)


@dataclass(frozen=True, repr=False)
class Performance(Section):
    """What is slow or wasteful; ``ticket`` is Markdown ready to paste, None when none is due.

    ``suspects`` has an entry for each kind of which any was found, by the kind's words; ``statements`` is the top of
    pg_stat_statements (statement, calls, total_ms, mean_ms, time_share), empty where it cannot be read.
    """

    points: tuple[Point, ...]
    suspects: Mapping[str, Suspects]
    statements: pd.DataFrame
    ticket: str | None

    @property
    def proof(self) -> Proof:
        """The points with the suspects' figures; performance by itself is never red."""
        tables = {f"{what[0].upper()}{what[1:]}": found.shown for what, found in self.suspects.items()}
        if len(self.statements):
            tables["Statements by total time (pg_stat_statements)"] = self.statements
        return Proof("performance", TITLE, self.points, "no ticket is due", tables)


def examine(launch: Launch, snapshot: Asked, spans: Spans, health: DayHealth) -> Performance:
    """Return the suspects and, when something is slow or wasteful by figures, the ticket.

    Looks at the last hours' paths and named queries, and at what the server has counted about the tables of the plan's
    backup schemas, but Supabase's own. What cannot be asked is unknown.
    """
    given = spans.now.values() | {"schemas": schemas(launch.plan)}
    counted, days = _counted(launch, snapshot, given)
    remark, statements = _statements(launch, snapshot)
    points, found = [replace(counted, detail=f"{counted.detail}; {remark}")], dict[str, Suspects]()
    usage = [SCANS] * (days > 0) + [UNUSED] * (days >= WEEK)  # an index is idle only after a while
    for kind in (PATHS, NAMED, KEYS, COPIES, *usage):
        point, suspects = _look(launch, snapshot, kind, given)
        if kind is SCANS and days < DAY and point.status is Status.GREEN:
            point = _young(point, days, copied=snapshot.clock.fixed)
        if suspects is not None:
            found[kind.what] = suspects
        points.append(point)
    due = [suspects for what, suspects in found.items() if what != UNUSED.what]
    points.insert(0, _verdict(due, points))
    result = Performance(tuple(points), found, statements, None)
    return replace(result, ticket=_ticket(launch, spans, health, result)) if due else result


def schemas(plan: Plan) -> str:
    """Return the schemas of the plan whose tables are the app's own, as the queries take them."""
    return ",".join(schema for schema in plan.backup.schemas if schema not in MANAGED)


def _young(point: Point, days: float, *, copied: bool) -> Point:
    """Doubt what a server has seen in less than a day; that of a copy, whose clock is pinned, sees no app at all."""
    if copied:
        return replace(
            point, detail=f"{point.detail}; this is a copy with a pinned clock, so there is nothing to count"
        )
    detail = f"{point.detail}, but that is all it has counted: {duration(timedelta(days))}"
    return Point(point.what, Status.AMBER, detail, "ask again once it has counted for a day")


def _verdict(due: list[Suspects], points: list[Point]) -> Point:
    what = "Is a ticket due?"
    if due:
        return Point(what, Status.AMBER, f"yes: {_headline(due)}", "paste the ticket where your team keeps its tickets")
    if any(point.status is Status.UNKNOWN for point in points):
        return Point(what, Status.UNKNOWN, "not by what could be asked", "see the points that are unknown")
    return Point(what, Status.GREEN, "no")


def _headline(due: list[Suspects]) -> str:
    return ", ".join(f"{suspects.kind.what} ({len(suspects.frame)})" for suspects in due)


def _look(launch: Launch, snapshot: Asked, kind: Kind, given: dict[str, str]) -> tuple[Point, Suspects | None]:
    """Ask for one kind of suspect; none where nothing was logged is unknown."""
    query = launch.query(f"performance/{kind.name}")
    try:
        frame = _ask(launch, snapshot, query.name, given)
        if frame.empty and kind.logged:
            logged = int(_ask(launch, snapshot, f"performance/{kind.logged}", given)["logged"].iloc[0])
            if not logged:
                return Point(kind.what, Status.UNKNOWN, "nothing was logged in these hours", f"see {query.name}"), None
    except (QueryFailed, PlanError) as failure:
        reason = failure.reason if isinstance(failure, QueryFailed) else "the launch plan has no limit for it"
        return Point(kind.what, Status.UNKNOWN, reason, f"mend it, or adapt the sources of {query.name}"), None
    if frame.empty:
        return Point(kind.what, Status.GREEN, kind.none), None
    found = Suspects(kind, query, frame)
    return Point(kind.what, Status.AMBER, found.said, query.fix), found


def _ask(launch: Launch, snapshot: Asked, name: str, given: dict[str, str]) -> pd.DataFrame:
    declared = {param.name for param in launch.query(name).params}
    return launch.ask(snapshot, name, **{key: value for key, value in given.items() if key in declared})


def _counted(launch: Launch, snapshot: Asked, given: dict[str, str]) -> tuple[Point, float]:
    """Say since when the server counts, and for how many days of its own clock; 0 when it does not."""
    what = "statistics"
    try:
        row = _ask(launch, snapshot, "performance/statistics", given).iloc[0]
    except QueryFailed as failure:
        return Point(what, Status.UNKNOWN, failure.reason, "let the role read pg_stat_database"), 0.0
    if not row["counting"]:
        return Point(what, Status.UNKNOWN, "the server does not count: track_counts is off", "turn it on"), 0.0
    if not row["tables"]:
        return Point(
            what, Status.UNKNOWN, f"no table in {given['schemas'] or 'no schema'}", "see [backup] schemas"
        ), 0.0
    days = float(row["days"])
    detail = f"counted since {moment(row['counted_since'], launch.zone)}, for {duration(timedelta(days))}"
    young = "" if days >= WEEK else ", too short to call an index unused"
    large = f"; {number(row['large'])} of {number(row['tables'])} tables have 10,000 rows or more"
    return Point(what, Status.GREEN, detail + young + large), days


def _statements(launch: Launch, snapshot: Asked) -> tuple[str, pd.DataFrame]:
    """Return what can be said of pg_stat_statements, and its top by total time."""
    none = pd.DataFrame()
    try:
        extension = launch.ask(snapshot, "performance/extension")
        if extension.empty:
            return "pg_stat_statements is not installed, so that no statement is named", none
        statements = launch.ask(snapshot, "performance/statements")
    except QueryFailed as failure:
        return f"pg_stat_statements cannot be read: {failure.reason}", none
    hidden = "" if extension["reads_texts"].iloc[0] else ", but hides what other roles asked: grant pg_read_all_stats"
    return f"pg_stat_statements is there{hidden}", statements


def _ticket(launch: Launch, spans: Spans, health: DayHealth, found: Performance) -> str:
    """Return the ticket as Markdown."""
    due = [suspects for what, suspects in found.suspects.items() if what != UNUSED.what]
    judged = [point.status for point in found.points if point.what in (PATHS.what, NAMED.what)]
    urgency = {
        Status.GREEN: "Nobody waits yet: every path and named query is within its limit.",
        Status.AMBER: "People wait: see the paths and queries below.",
    }
    return written(
        title=f"Performance: {_headline(due)}",
        plan=launch.plan.name,
        span=spans.now.title,
        until=moment(spans.now.until, launch.zone),
        urgency=urgency.get(
            Status.AMBER if Status.AMBER in judged else worst(judged), "Whether anybody waits is not known."
        ),
        totals=health.totals,
        counted=next(point.detail for point in found.points if point.what == "statistics"),
        suspects=due,
        names=[suspects.kind.name for suspects in due],
        statements=found.statements,
        sql=[line for suspects in due for line in suspects.sql],
        also=found.suspects.get(UNUSED.what),
    )
