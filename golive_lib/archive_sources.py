"""Which sources can be archived, which of their days have closed, and how one day's rows are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from golive_lib.archive import DAY, midnight
from golive_lib.archive_figures import POSTGRES, figures, figures_sql, quoted
from golive_lib.errors import QueryFailed, UsageError
from golive_lib.query import enclose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from golive_lib.archive import Archive, Figures
    from golive_lib.clock import Clock
    from golive_lib.db import Snapshot
    from golive_lib.launch import Launch
    from golive_lib.query import Query
    from golive_lib.statement import Statement, Value

MOST_DAYS = 1_100  # since the first row, whose instant may be a slip: then somebody names the first day
_ROWS = "golive_rows"
_TYPES = {"golive_since": "timestamptz", "golive_until": "timestamptz"}


@dataclass(frozen=True)
class Source:
    """A source whose rows belong to days: to UTC's by their instant ``at``, or to the ``day`` they carry."""

    launch: Launch
    name: str
    query: Query
    key: str

    def days(self, first: date, end: datetime) -> Iterator[date]:
        """Yield the days up to an instant; those that rows carry are the launch's, where another may have begun."""
        last = (end - DAY).date() if self.key == "at" else end.astimezone(self.launch.zone).date()
        return (first + i * DAY for i in range((last - first).days + 1))

    def of_day(self, day: date, columns: str) -> tuple[Statement, dict[str, Value]]:
        """Return the question for columns of one day's rows, with its values."""
        statement = self._ask(f"select {columns} from {self._of_day}")
        return statement, _bounds(day)

    def figures(self, snapshot: Snapshot, day: date) -> Figures:
        """Return what the database says of one day; raises QueryFailed."""
        columns = self.query.columns
        statement = self._ask(figures_sql(columns, self._of_day, POSTGRES))
        return figures(columns, snapshot.frame(statement, _bounds(day)).iloc[0].tolist())

    def earlier(self, snapshot: Snapshot, day: date) -> bool:
        """Tell whether the source has rows before a day; raises QueryFailed."""
        key, cast = quoted(self.key), "" if self.key == "at" else "::date"
        before = f"{key} >= '0001-01-01' and {key} < :golive_since{cast}"
        answer = snapshot.frame(self._ask(f"select exists (select from {_ROWS} where {before}) as there"), _bounds(day))
        return bool(answer["there"].iloc[0])

    def first(self, snapshot: Snapshot) -> date | None:
        """Return the day of the first row that has one; raises QueryFailed."""
        key = quoted(self.key)
        where = f"{key} >= '0001-01-01' and {key} < '9999-12-31'"  # not the infinite ones
        answer = snapshot.frame(self._ask(f"select min({key})::date::text as first from {_ROWS} where {where}"), {})
        return next(map(date.fromisoformat, answer["first"].dropna()), None)

    @property
    def _of_day(self) -> str:
        key, cast = quoted(self.key), "" if self.key == "at" else "::date"
        return f"{_ROWS} where {key} >= :golive_since{cast} and {key} < :golive_until{cast}"

    def _ask(self, tail: str) -> Statement:
        return enclose(self.query, self.launch.queries, _ROWS, tail, _TYPES)


def _bounds(day: date) -> dict[str, Value]:
    return {"golive_since": midnight(day).isoformat(), "golive_until": midnight(day + DAY).isoformat()}


def chosen(launch: Launch, names: Iterable[str]) -> list[Source]:
    """Return sources by name; raises UsageError for an unknown one, and one whose rows belong to no day."""
    known = {name[8:]: query for name, query in sorted(launch.queries.items()) if name.startswith("sources/")}
    found = {name: Source(launch, name, query, key) for name, query in known.items() if (key := _key(query))}
    names = sorted(set(names))
    for name in names:
        if name not in found:
            why = (
                "has neither 'at timestamptz' nor 'day date', so its rows belong to no day"
                if name in known
                else "is none"
            )
            raise UsageError(f"source {name!r} {why}; there are {', '.join(found)}")
    return [found[name] for name in names]


def _key(query: Query) -> str:
    columns = dict(query.columns)
    return "at" if columns.get("at") == "timestamptz" else "day" if columns.get("day") == "date" else ""


def usual(launch: Launch, archive: Archive) -> set[str]:
    """Name what the plan's KPIs and due events read, and what the archive holds anyway."""
    asked = {kpi.query for kpi in launch.plan.kpis.values()} | {due.query for due in launch.plan.due.values()}
    return {*archive.sources, *(source for name in asked for source in launch.query(name).sources)}


def last_closed(launch: Launch, clock: Clock) -> date:
    """Return the last UTC day whose end is longer ago than the plan's time to settle."""
    return (clock.now - launch.plan.archive.settle).date() - DAY


def first_day(snapshot: Snapshot, archive: Archive, sources: Sequence[Source]) -> tuple[date | None, list[str]]:
    """Return the archive's first day, else that of any source's first row: what begins later is known to be empty.

    Also says which sources could not be asked. Raises UsageError for a first row that is too long ago.
    """
    if archive.begins:
        return archive.begins, []
    found, failures = [], []
    for source in sources:
        try:
            found += [day] if (day := source.first(snapshot)) else []
        except QueryFailed as failure:
            failures.append(f"{source.name}: {failure}")
    first = min(found, default=None)
    if first and (days := (snapshot.clock.now.date() - first).days) > MOST_DAYS:
        raise UsageError(f"the first row is of {first}, which makes {days:,} days; name the first one with --since")
    return first, failures
