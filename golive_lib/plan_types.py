"""The kinds of value a launch plan is made of: durations, instants, zones, names and shares."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from golive_lib.errors import QueryError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: object) -> timedelta:
    """Read ``90s``, ``10m``, ``2h`` or ``1d``."""
    match = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise ValueError("should be a duration such as '90s', '10m', '2h' or '1d'")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _lasting(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("should be longer than nothing")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError("should be a time zone name such as 'Asia/Beirut'") from None
    return value


def _instant(value: object) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("should be a date, a time and a zone, such as 2026-03-24T08:00:00Z")
    return moment.astimezone(UTC)


def instant(value: object, name: str) -> datetime:
    """Read an instant with its zone, in UTC; raises QueryError for anything else."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise QueryError(f"{name} = {value!r} is no instant; write it as '2026-03-24T10:00:00+02:00'") from None
    if moment.tzinfo is None:
        raise QueryError(f"{name} = {value!r} has no time zone; write it as '{value}Z', or with '+02:00' behind it")
    return moment.astimezone(UTC)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Lasting = Annotated[Duration, AfterValidator(_lasting)]
Zone = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Identifier = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,50}$")]
Share = Annotated[float, Field(gt=0, lt=1)]
STRICT = ConfigDict(extra="forbid", strict=True)
