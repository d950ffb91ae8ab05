"""Checks: a query and the condition every row of its answer must meet, judged in the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import Brief
from golive_lib.query import compose_check
from golive_lib.statement import filled
from golive_lib.verdicts import Outcome, Status, gate, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from golive_lib.clock import Clock
    from golive_lib.engines import Asked
    from golive_lib.query import Query
    from golive_lib.statement import Value

_WORDS = {Status.RED: "Red", Status.UNKNOWN: "Cannot be judged"}
_ADDED = ["golive_can", "golive_met"]


@dataclass(frozen=True, repr=False)
class CheckResult(Brief):
    """What one check found.

    ``examined``, ``broken`` and ``unsure`` count rows and are None when the query failed; ``rows`` holds the offending
    ones, at most ``sample``. ``sql`` runs as it stands in any SQL client.
    """

    name: str
    title: str
    status: Status
    reason: str
    examined: int | None
    broken: int | None
    unsure: int | None
    rows: pd.DataFrame
    fix: str
    expect: str
    sql: str
    params: Mapping[str, Value]

    @property
    def in_short(self) -> str:
        """Its name, what it says and why."""
        return f"{self.name}: {self.status}, {self.reason}"


def run_check(
    snapshot: Asked, query: Query, catalog: Mapping[str, Query], values: Mapping[str, Value], *, sample: int
) -> CheckResult:
    """Judge one check in a snapshot; a statement that fails makes it unknown, never an error."""
    counting = compose_check(query, catalog, rows=False)
    examined = broken = unsure = None
    rows = pd.DataFrame()
    try:
        counts = snapshot.frame(counting, values).iloc[0]
        examined, broken, unsure = (int(counts[key]) for key in ("examined", "broken", "unsure"))
        status, reason = _judge(query, values, (examined, broken, unsure))
    except QueryFailed as failure:
        status, reason = Status.UNKNOWN, failure.reason
    if broken or unsure:
        try:
            offending = compose_check(query, catalog, rows=True)
            rows = snapshot.frame(offending, {**values, "golive_sample": sample}).drop(columns=_ADDED)
        except QueryFailed as failure:  # the counts stand without them
            reason += f" (the rows could not be listed: {failure.reason})"
    return CheckResult(
        name=query.name,
        title=query.title,
        status=status,
        reason=reason,
        examined=examined,
        broken=broken,
        unsure=unsure,
        rows=rows,
        fix="" if examined is None else query.fix,  # that of what rows say, of which none was seen
        expect=filled(query.expect, values),
        sql=counting.client_sql(values),
        params=dict(values),
    )


def _judge(query: Query, values: Mapping[str, Value], counts: tuple[int, int, int]) -> tuple[Status, str]:
    examined, broken, unsure = counts
    rule = filled(query.expect, values)
    one = examined == 1
    if not examined:
        return Status.UNKNOWN, "no rows to examine"
    if broken:
        return Status.RED, f"{'the row breaks' if one else f'{broken:,} of {examined:,} rows break'} the rule: {rule}"
    if unsure:
        needed = f"needs {filled(query.needs, values)}" if query.needs else f"the rule has no answer: {rule}"
        return Status.UNKNOWN, f"{'it' if one else f'{unsure:,} of {examined:,} rows'} cannot be judged: {needed}"
    return Status.GREEN, "the row keeps the rule" if one else f"all {examined:,} rows keep the rule"


@dataclass(frozen=True, repr=False)
class Checks(Brief):
    """The results of one run of checks, taken in one snapshot; ``database`` is its masked address."""

    results: tuple[CheckResult, ...]
    clock: Clock
    launch: str
    database: str
    zone: str

    @property
    def as_of(self) -> datetime:
        """The instant the checks were judged at; give it to what stands beside them."""
        return self.clock.now

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __getitem__(self, name: str) -> CheckResult:
        return next(result for result in self.results if result.name == name)

    def _ipython_key_completions_(self) -> list[str]:
        return [result.name for result in getattr(self, "results", ())]  # IPython may ask one that is not made yet

    @property
    def outcome(self) -> Outcome:
        """The verdict with the reasons, in a sentence that a director reads."""
        statuses = [result.status for result in self.results]
        verdict = gate(statuses)
        clock = self.clock
        return Outcome(verdict, worst(statuses), _sentence(self.results), clock.now, clock.fixed, self.zone)


def _sentence(results: tuple[CheckResult, ...]) -> str:
    open_points = [result for result in results if result.status is not Status.GREEN]
    if not open_points:
        return f"All {len(results)} checks are green."
    by_status = "; ".join(
        f"{_WORDS[status]}: {', '.join(_point(result) for result in open_points if result.status is status)}"
        for status in (Status.RED, Status.UNKNOWN)
        if any(r.status is status for r in open_points)
    )
    green = len(results) - len(open_points)
    return f"{green} of {len(results)} checks are green. {by_status}."


def _point(result: CheckResult) -> str:
    """Name a check and how much of it is wrong; the rule itself is for the table, not for a director."""
    name = result.name.rsplit("/", 1)[-1].replace("_", " ")
    if not result.examined or result.examined == 1:
        return f"{name} ({result.reason})"
    wrong = result.broken if result.status is Status.RED else result.unsure
    return f"{name} ({wrong:,} of {result.examined:,} rows)"
