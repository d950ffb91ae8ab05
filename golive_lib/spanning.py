"""A launch whose earlier rows lie in an archive: each row is answered for by the archive or live, never by both.

What splits a launch is the instant of its rows, not of its events: a payment of an archived day may settle later.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pandas as pd

from golive_lib.archive import DAY, Owner, midnight
from golive_lib.engines import BEFORE, absent, archived, beside, timed
from golive_lib.errors import ArchiveError, DatabaseError, QueryFailed
from golive_lib.launch import Launch

# What makes one row of several, or of others' values.
_GATHERING = re.compile(r"\b(?:group\s+by|over\s*\(|distinct(?!\s+from)|limit\b|exists\b)", re.IGNORECASE)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from golive_lib.answers import Origin
    from golive_lib.archive import Archive
    from golive_lib.clock import Clock
    from golive_lib.engines import Asked
    from golive_lib.statement import Statement, Value


@dataclass(frozen=True)
class Side:
    """Some of a launch's rows: ``launch`` asks for them in ``snapshot``; ``until`` is when their last event was over.

    It is None for those of the live database, of which more may come.
    """

    snapshot: Asked
    launch: Launch
    until: datetime | None = None

    def speaks(self, since: datetime) -> bool:
        """Tell whether it may have events from an instant on."""
        return self.until is None or since < self.until

    def indexed(self, live: bool) -> bool:
        """Tell whether minutes are best asked for one by one, given what is true of the live time column."""
        return live and self.until is None


class _Kept:
    """An archive's snapshot, asked at the live database's now for the rows before its end."""

    def __init__(self, snapshot: Asked, clock: Clock, end: datetime) -> None:
        self.clock = clock
        self._snapshot = snapshot
        self._end = end.isoformat()

    def frame(self, statement: Statement, values: Mapping[str, Value]) -> pd.DataFrame:
        """Run one statement; raises QueryFailed, also where the engine is lost: that the live database may go on."""
        try:
            return self._snapshot.frame(statement, {**values, BEFORE: self._end})
        except DatabaseError as error:
            _fail(error)

    def origins(self, statement: Statement, values: Mapping[str, Value]) -> tuple[Origin, ...]:
        """Return the columns of an answer; raises QueryFailed."""
        return self._snapshot.origins(statement, {**values, BEFORE: self._end})


@contextmanager
def sides(snapshot: Asked, launch: Launch, query: str) -> Iterator[tuple[Side, ...]]:
    """Yield who answers for the rows of a query of events: the live database, then the archive if there is one.

    Raises QueryFailed where the archive cannot be asked, is another launch's, or lacks a day of the query's source;
    and for a query of several sources, whose rows may lie on both sides.
    """
    sources = launch.query(query).sources
    if launch.archive is None or not any(timed(launch.queries[f"sources/{source}"]) for source in sources):
        yield (Side(snapshot, launch),)
        return
    if len(sources) > 1:
        _fail(f"it joins {' and '.join(sources)}, whose rows may lie on both sides of the archive's end")
    if how := _GATHERING.search(launch.query(query).body):
        said = " ".join(how[0].split())
        _fail(f"it says {said!r}, so its rows are no events of their own, to be split between the archive and live")
    with ExitStack() as stack:
        try:
            asked = stack.enter_context(launch.archive.snapshot())
        except (ArchiveError, DatabaseError) as error:
            _fail(error)
        first, end = _stretch(launch, asked.archive, sources[0])
        live = Launch(launch.plan, beside(launch.queries, first, end), launch.database, launch.env)
        kept = Launch(launch.plan, archived(launch.queries), launch.archive, launch.env)
        settled = end + launch.plan.archive.settle
        yield Side(snapshot, live), Side(_Kept(asked, snapshot.clock, end), kept, settled)


def _stretch(launch: Launch, archive: Archive, source: str) -> tuple[datetime, datetime]:
    """Return from when until when the archive answers, by the day that any source begins and the last that any has.

    A source that lacks one of these days may lack it live, too: then nobody can say.
    """
    if (ours := owner(launch)) != archive.owner:
        _fail(f"the archive is of {archive.owner}, not of {ours}")
    known = [name for name in archive.sources if timed(launch.queries.get(f"sources/{name}"))]
    days = [day for name in known for day in (*archive.days(name), *archive.broken.get(name, ()))]
    if not archive.days(source):
        _fail(absent(archive, source))
    first, end = min(days), max(days) + DAY
    there = {*archive.days(source)}
    missing = [day for i in range((end - first).days) if (day := first + i * DAY) not in there]
    if missing:
        _fail(absent(archive, source, missing[0]))
    return midnight(first), midnight(end)


def owner(launch: Launch) -> Owner:
    """Return whose archive a launch's is."""
    plan = launch.plan
    return Owner(launch=plan.name, database=launch.postgres.url.identity, timezone=plan.timezone)


def _fail(why: object) -> NoReturn:
    """Turn what is wrong with an archive into the reason of an unknown."""
    if isinstance(why, QueryFailed):
        raise why
    reason = str(why).partition("\n")[0]
    raise QueryFailed(str(why), reason=reason) from None


def joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all sides, which may be empty, the live ones' first."""
    filled = [frame for frame in frames if len(frame)]
    return pd.concat(filled, ignore_index=True) if len(filled) > 1 else (filled or [*frames])[0]


def added(days: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Add up the counts of the same days."""
    first, *others = days
    for other in others:
        first = first.set_index("day").add(other.set_index("day")).reset_index()
    return first
