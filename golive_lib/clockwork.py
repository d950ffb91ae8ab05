"""Instants as the schedulers write them: lines of cron, and systemd's calendar with its year and zone."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from golive_lib.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

_NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
_RANGES = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_RUN = 3  # so many in a row are written as a range


@dataclass(frozen=True)
class Pattern:
    """Every moment whose minute, hour, day, month and weekday are each among those named; an empty field is any."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    year: int | None = None

    def cron(self) -> str:
        """Return a line of cron's five fields, which know no year."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(_field(values, *_RANGES[name]) for values, name in zip(fields, _RANGES, strict=True))

    def calendar(self, zone: str) -> str:
        """Return systemd's OnCalendar in a zone."""
        weekdays = ",".join(_NAMES["weekday"][day % 7].capitalize() for day in self.weekdays)
        date = f"{self.year or '*'}-{_listed(self.months)}-{_listed(self.days)}"
        time = f"{_listed(self.hours)}:{_listed(self.minutes)}:00"
        return " ".join(filter(None, (weekdays, date, time, zone)))


def patterns(instants: Iterable[datetime], zone: ZoneInfo) -> list[Pattern]:
    """Return patterns that together name exactly these instants, to the minute, as a clock in the zone shows them."""
    hours: defaultdict[tuple[int, int, int], defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for instant in instants:
        there = instant.astimezone(zone)
        hours[there.year, there.month, there.day][there.hour].add(there.minute)
    days: defaultdict[tuple[int, int, tuple[int, ...], tuple[int, ...]], list[int]] = defaultdict(list)
    for (year, month, day), by_hour in sorted(hours.items()):
        alike: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for hour, minutes in sorted(by_hour.items()):
            alike[tuple(sorted(minutes))].append(hour)
        for minutes_, hours_ in alike.items():
            days[year, month, minutes_, tuple(hours_)].append(day)
    return [
        Pattern(minutes_, hours_, tuple(days_), (month,), year=year)
        for (year, month, minutes_, hours_), days_ in days.items()
    ]


def repeated(every: timedelta) -> Pattern:
    """Return the pattern of what comes round at a fixed pace; raises UsageError for one that cron cannot say."""
    seconds = int(every.total_seconds())
    if seconds and seconds % _MINUTE == 0 and _HOUR % seconds == 0:
        return Pattern(tuple(range(0, 60, seconds // _MINUTE)), ())
    if seconds and seconds % _HOUR == 0 and _DAY % seconds == 0:
        return Pattern((0,), tuple(range(0, 24, seconds // _HOUR)))
    raise UsageError(
        f"every {seconds / _MINUTE:g} minutes divides no hour or day evenly, so schedulers cannot say it; "
        "take 5m, 10m, 15m, 20m, 30m, 1h, 2h, 6h, 1d or the like, or give --cron"
    )


def parsed(expression: str) -> list[Pattern]:
    """Return the patterns of a line of cron: two where day and weekday are both restricted, for either is enough.

    Raises UsageError that names the field which is wrong.
    """
    texts = expression.split()
    if len(texts) != len(_RANGES):
        raise UsageError(f"--cron = {expression!r}: five fields are needed: minute, hour, day, month, weekday")
    minutes, hours, days, months, weekdays = (
        _values(text, name, expression) for text, name in zip(texts, _RANGES, strict=True)
    )
    weekdays = tuple(sorted({day % 7 for day in weekdays}))
    if days and weekdays:
        return [
            Pattern(minutes, hours, days, months),
            Pattern(minutes, hours, (), months, weekdays),
        ]
    return [Pattern(minutes, hours, days, months, weekdays)]


def _values(text: str, name: str, expression: str) -> tuple[int, ...]:
    low, high = _RANGES[name]
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first = low if match and match[1] else _number(match[2] if match else "", name)
        last = high if match and (match[1] or (match[4] and not match[3])) else first
        last = _number(match[3], name) if match and match[3] else last
        step = int(match[4]) if match and match[4] else 1
        if first is None or last is None or not low <= first <= last <= high or not step:
            raise UsageError(f"--cron = {expression!r}: {part!r} is no {name} ({low} to {high})")
        found |= set(range(first, last + 1, step))
    return () if text == "*" else tuple(sorted(found))


def _number(text: str, name: str) -> int | None:
    if text.isdecimal():
        return int(text)
    names = _NAMES.get(name, ())
    return names.index(text.lower()) + _RANGES[name][0] if text.lower() in names else None


def _field(values: Sequence[int], low: int, high: int) -> str:
    """Return a field of cron, as short as it can be said."""
    if not values or len(values) == high - low + 1:
        return "*"
    step = values[1] - values[0] if len(values) > 1 else 0
    if low == values[0] == 0 and step > 1 and tuple(values) == tuple(range(0, high + 1, step)):
        return f"*/{step}"
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) >= _RUN else ",".join(map(str, run)) for run in runs)


def _listed(values: Sequence[int]) -> str:
    return ",".join(f"{value:02}" for value in values) or "*"
