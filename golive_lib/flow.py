"""Whether everything kept coming: what an app stops writing is not seen in the shares of what it goes on writing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from golive_lib.errors import QueryFailed
from golive_lib.formats import moment, number
from golive_lib.proof import Point, Proof, Section
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from numpy.typing import NDArray

    from golive_lib.engines import Asked
    from golive_lib.launch import Launch
    from golive_lib.spans import Span, Spans

    Hours = NDArray[np.float64]

TITLE = "Events of every kind"
QUERY = "aftercare/flow_hours"
DUE = 9.2  # events that, when due, are all missing by chance once in ten thousand (Poisson)
COLLAPSE, SURE = 0.5, 3.3  # less than half of what is usual, by so many standard deviations
ADAPT = "adapt the sources that the query names to the app's tables"


@dataclass(frozen=True, repr=False)
class Flow(Section):
    """How many events of each kind came, beside what is usual: the mean of the spans that had any.

    ``kinds`` has a row per kind: ``kind``, ``events``, ``usual``, ``newest``, ``twice``.
    """

    points: tuple[Point, ...]
    kinds: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def proof(self) -> Proof:
        """A point per kind, with the counts."""
        tables = {"What came, and what is usual in these hours": self.kinds} if len(self.kinds) else {}
        summary = f"{len(self.points)} kinds of events came as they usually do"
        return Proof("flow", TITLE, self.points, summary, tables)


def examine(launch: Launch, snapshot: Asked, spans: Spans) -> Flow:
    """Hold each kind's events of the last hours against the same hours of the other spans; a failure is unknown."""
    others = list(
        {(span.since, span.until): span for span in (spans.day, spans.week, spans.prelaunch) if span}.values()
    )
    try:
        now, *before = [launch.ask(snapshot, QUERY, **span.values()) for span in (spans.now, *others)]
    except QueryFailed as failure:
        return Flow((Point("events", Status.UNKNOWN, failure.reason, ADAPT),))
    names = sorted({*now["kind"], *(kind for frame in before for kind in frame["kind"])})
    size = math.ceil(spans.now.hours)
    rows, points = [], []
    for name in names:
        came, earlier = _hours(now, name, size), [_hours(frame, name, size) for frame in before]
        known = [hours for hours in earlier if hours.sum()]
        usual = np.mean(known, axis=0) if known else np.zeros(size)
        own = now[now["kind"] == name]
        twice = int(own["twice"].sum())
        points.append(_point(name, came, usual, twice, spans.now, launch.zone))
        rows.append((name, int(came.sum()), round(float(usual.sum())), own["newest"].max(), twice))
    kinds = pd.DataFrame(rows, columns=["kind", "events", "usual", "newest", "twice"])
    if not points:
        points.append(Point("events", Status.UNKNOWN, "there is none of any kind, now or before", ADAPT))
    return Flow(tuple(points), kinds.assign(newest=pd.to_datetime(kinds["newest"], utc=True)))


def _hours(frame: pd.DataFrame, kind: str, size: int) -> Hours:
    """Return a kind's events hour by hour; a span of a longer local day loses its last hour."""
    own = frame[(frame["kind"] == kind) & (frame["hour"] < size)]
    hours = np.zeros(size)
    hours[own["hour"].to_numpy(dtype=np.int64)] = own["events"].to_numpy(dtype=np.float64)
    return hours


def _point(kind: str, came: Hours, usual: Hours, twice: int, span: Span, zone: tzinfo) -> Point:
    total, due = came.sum(), usual.sum()
    said = f"{number(total)}, usually about {number(round(due))}"
    if twice:
        return Point(
            kind, Status.UNKNOWN, f"{number(twice)} of {number(total)} are there twice", "find what wrote them"
        )
    if not due:
        return Point(kind, Status.UNKNOWN, f"{number(total)}, and nothing before tells what is usual", "judge by hand")
    start, end = _silence(came, usual)
    if usual[start:end].sum() >= DUE:
        missing = f"none for {end - start} h from {moment(span.since + timedelta(hours=start), zone)}"
        status = Status.UNKNOWN if end == len(came) else Status.AMBER
        detail = f"{missing}, where about {number(round(usual[start:end].sum()))} were due; {said}"
        return Point(kind, status, detail, "find out whether they stopped, or only their being written down")
    if total + SURE * math.sqrt(total + 1) < COLLAPSE * due:
        return Point(kind, Status.AMBER, f"{said}: less than half", "find out where they have gone")
    if due < DUE:
        return Point(kind, Status.AMBER, f"{said}: too few to notice that they stop", "look at them by hand")
    return Point(kind, Status.GREEN, said)


def _silence(came: Hours, usual: Hours) -> tuple[int, int]:
    """Return the stretch of hours without an event in which the most were due."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], came == 0, [0]))))
    stretches: Sequence[tuple[int, int]] = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return max(stretches, key=lambda ends: usual[ends[0] : ends[1]].sum(), default=(0, 0))
