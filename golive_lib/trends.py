"""What the runs of each notebook say together: its latest verdicts, and whether the next run came when it was due."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from golive_lib import show
from golive_lib.formats import duration, moment
from golive_lib.grid import SHAPES, badge
from golive_lib.settings import place_of
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

LATEST = 40
FAILED = "failed"
CROSS = "✕"
_WORDS = {str(verdict): word for verdict, (word, _) in show.VERDICTS.items()}
_LATE = 0.5  # of the pace: so much later a run may begin before it is missed


@dataclass(frozen=True)
class Trend:
    """A notebook for one launch on one database: its verdicts from the oldest as markup and as words, and its next run.

    ``due`` is when that is missed (ISO 8601), ``every`` the pace in words; both are empty when none is due.
    """

    notebook: str
    of: str
    marks: str
    words: str
    newest: str
    since: str = ""
    due: str = ""
    next: str = ""
    every: str = ""
    missed: bool = False
    ago: str = ""


def group_of(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return which runs belong together: those of a notebook for one launch on one database, whoever was connected."""
    return record["notebook"], record.get("launch") or "", place_of(record.get("database") or "")


def trends(records: Sequence[Mapping[str, Any]], tz: tzinfo, now: datetime) -> list[Trend]:
    """Return a trend per notebook, launch and database; ``records`` are in order, the newest first."""
    groups: defaultdict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        groups[group_of(record)].append(record)
    several = len({group[1:] for group in groups}) > 1
    return [_trend(groups[group], group, tz, now, several=several) for group in sorted(groups)]


def _trend(
    runs: Sequence[Mapping[str, Any]], group: tuple[str, str, str], tz: tzinfo, now: datetime, *, several: bool
) -> Trend:
    latest = [word_of(run) for run in reversed(runs[:LATEST])]
    counts = Counter(word for _, word in latest)
    said = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    words = f"the latest {len(latest)} runs, oldest first: {said}" if len(latest) > 1 else f"one run: {said}"
    trend = Trend(
        notebook=group[0],
        of=", ".join(filter(None, group[1:])) if several else "",
        marks="".join(_mark(state) for state, _ in latest),
        words=words,
        newest=badge_of(*latest[-1]),
    )
    return _with_next(trend, runs[0], tz, now)


def _with_next(trend: Trend, newest: Mapping[str, Any], tz: tzinfo, now: datetime) -> Trend:
    every = newest.get("every")
    if not every:
        return trend
    started = datetime.fromisoformat(newest["started_at"])
    next_, missed = started + timedelta(seconds=every), started + timedelta(seconds=every * (1 + _LATE))
    return replace(
        trend,
        since=started.isoformat(),
        due=missed.isoformat(),
        next=moment(next_, tz),
        every=duration(every * 1_000),
        missed=now > missed,
        ago=duration(max(now - started, timedelta()).total_seconds() // 60 * 60_000),
    )


def word_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a run ended: what it is filed under, and its verdict in a word."""
    if record["state"] == FAILED:
        return FAILED, "did not finish"
    state = str(record.get("status") or Status.UNKNOWN)
    return state, _WORDS.get(str(record.get("verdict")), state)


def _mark(state: str) -> str:
    shape = CROSS if state == FAILED else SHAPES[Status(state)]
    return f'<span class="gl-{"red" if state == FAILED else state}">{shape}</span>'


@cache
def badge_of(state: str, word: str) -> str:
    """Return how a run ended as markup: the word in its shape and colour."""
    if state == FAILED:
        return f'<span class="did-not-finish"><span aria-hidden="true">{CROSS}</span> Did not finish</span>'
    return badge(Status(state), word)
