"""Numbers, moments and people's data as text."""

from __future__ import annotations

import ipaddress
import math
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, tzinfo
    from decimal import Decimal

MISSING = "\N{EN DASH}"
NBSP = "\N{NO-BREAK SPACE}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.%+-])(\w)[\w.%+-]*@([\w-]+(?:\.[\w-]+)+)")
_PHONE = re.compile(r"(?<![\w.])(\+|00)(\d)([\d ().-]{5,}\d)(?!\w)")
_IPV4 = re.compile(r"(?<![\w.])(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}(?:/\d{1,2})?(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])([0-9a-f]*:[0-9a-f:]*:[0-9a-f:.]*)(?:/\d{1,3})?(?![\w:])", re.IGNORECASE)


def missing(value: Any) -> bool:  # noqa: ANN401  a cell of a DataFrame may be anything
    """Return whether a cell holds no value: None, NaN, NaT or pandas' NA."""
    if value is None or isinstance(value, float):
        return value is None or math.isnan(value)
    pandas: Any = sys.modules.get("pandas")  # a value of its kind has loaded it, and no other command needs to
    if not hasattr(pandas, "api"):  # none, or another thread is in the middle of importing it
        return False
    return bool(pandas.api.types.is_scalar(value) and pandas.isna(value))


def number(value: float | Decimal | None, unit: str | None = None) -> str:
    """Return a number as people read it: whole numbers in full, others to three digits; missing is a dash."""
    if value is None or missing(value):
        return MISSING
    size = float(value)
    if math.isinf(size):
        text = "\N{INFINITY}" if size > 0 else "-\N{INFINITY}"
    elif size.is_integer() or abs(size) >= 100:  # noqa: PLR2004  three digits are used up before the point
        text = f"{round(value):,}"
    else:
        text = f"{size:.3g}"
    return f"{text}{NBSP}{unit}" if unit else text


def plain(value: object) -> str:
    """Return a parameter's value as people type it: a whole number without ``.0``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def share(value: float | Decimal | None) -> str:
    """Return a share of 1 as a percentage that is "0 %" or "100 %" only when it is exactly that."""
    if value is None or missing(value):
        return MISSING
    percent = float(value) * 100
    if 0 < percent < 0.01:  # noqa: PLR2004  below what two decimals can show
        return f"< 0.01{NBSP}%"
    if 99.99 < percent < 100:  # noqa: PLR2004  likewise, at the other end
        return f"> 99.99{NBSP}%"
    decimals = 1 if 10 <= abs(percent) < 99 else 2  # noqa: PLR2004  near 0 and 100 the second decimal matters
    text = f"{percent:,.{decimals}f}".removesuffix("." + "0" * decimals)  # whole percents alone lose their zeros
    return f"{'0' if text == '-0' else text}{NBSP}%"


def sums(currencies: Iterable[Any], amounts: Iterable[Any]) -> str:
    """Return amounts, each in its currency and never added: ``USD 1,234.50; no currency 3.00``; a dash for none."""
    pairs = zip(currencies, amounts, strict=True)
    return "; ".join(f"{currency} {amount:,.2f}" for currency, amount in pairs if not missing(amount)) or MISSING


def duration(length: float | Decimal | timedelta | None) -> str:
    """Return a length of time, a number being milliseconds, as people would say it: 850 ms, 1.31 s, 2 min 5 s, 3 h."""
    if isinstance(length, timedelta):
        length = length.total_seconds() * 1_000
    if length is None or missing(length):
        return MISSING
    value = float(length)
    if abs(value) < 1_000 or math.isinf(value):  # noqa: PLR2004
        return number(value, "ms")
    seconds = value / 1_000
    if abs(seconds) < 60:  # noqa: PLR2004
        return number(seconds, "s")
    sign = "-" if seconds < 0 else ""
    minutes, rest = divmod(round(abs(seconds)), 60)
    if minutes < 60:  # noqa: PLR2004
        return sign + _two(minutes, "min", rest, "s")
    hours, minutes = divmod(minutes, 60)
    if hours < 48:  # noqa: PLR2004  "36 h" is said more often than "1 d 12 h"
        return sign + _two(hours, "h", minutes, "min")
    return sign + _two(hours // 24, "d", hours % 24, "h")


def few(names: Sequence[str], most: int = 3) -> str:
    """Return the first names in a line, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def cut(text: str, most: int) -> str:
    """Return at most so many characters of a text."""
    return text if len(text) <= most else text[: most - 1] + ELLIPSIS


def age(span: timedelta) -> str:
    """Return how old something is: "just taken" within a minute, else "3 h 5 min old"."""
    return "just taken" if span < timedelta(minutes=1) else f"{duration(span)} old"


def _two(first: int, first_unit: str, second: int, second_unit: str) -> str:
    head = f"{first:,}{NBSP}{first_unit}"
    return f"{head} {second}{NBSP}{second_unit}" if second else head


def zone_name(tz: tzinfo) -> str:
    """Return a time zone's short name: ``Beirut`` for Asia/Beirut, ``UTC`` for UTC."""
    key = getattr(tz, "key", None) or tz.tzname(None) or str(tz)
    return str(key).rsplit("/", 1)[-1].replace("_", " ")


def local(at: datetime, tz: tzinfo) -> datetime:
    """Return an aware moment in a zone; a naive one raises ValueError, for it would be read in the wrong zone."""
    if at.tzinfo is None:
        message = f"{at.isoformat()} has no time zone: pass an aware datetime, such as the database returns"
        raise ValueError(message)
    return at.astimezone(tz)


def clock(at: datetime, tz: tzinfo) -> str:
    """Return the time of day with its zone's name; in an hour that happens twice, with the offset from UTC."""
    there = local(at, tz)
    text = f"{there:%H:%M} {zone_name(tz)}"
    if there.replace(fold=0).utcoffset() == there.replace(fold=1).utcoffset():
        return text
    offset = there.strftime("%z")
    return f"{text} (UTC{offset[:3]}:{offset[3:]})"


def moment(at: datetime | None, tz: tzinfo) -> str:
    """Return date and time in a zone with the zone's name, such as ``23 Nov 2026, 19:23 Beirut``."""
    if at is None or missing(at):
        return MISSING
    there = local(at, tz)
    return f"{there.day} {there:%b %Y}, {clock(at, tz)}"


def mask_mail(text: str) -> str:
    """Return the text with each mail address as its first letter and its domain."""
    return _MAIL.sub(rf"\1{ELLIPSIS}@\2", text)


def mask_phone(text: str) -> str:
    """Return the text with each international phone number cut to its country and last two digits."""

    def cut(found: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", found[2] + found[3])
        return f"{found[1]}{digits[:3]}{ELLIPSIS}{digits[-2:]}"

    return _PHONE.sub(cut, text)


def mask_ip(text: str) -> str:
    """Return the text with the second half of each IP address hidden: ``10.9.x.x``, ``2001:db8:x:x``."""

    def cut(found: re.Match[str]) -> str:
        try:
            groups = ipaddress.IPv6Address(found[1]).exploded.split(":")
        except ValueError:
            return found[0]  # a time of day or a list, which only looks like one
        return f"{int(groups[0], 16):x}:{int(groups[1], 16):x}:x:x"

    return _IPV6.sub(cut, _IPV4.sub(r"\1.\2.x.x", text))


def mask_id(text: str) -> str:
    """Return the text with each UUID cut to its first 8 characters."""
    return _UUID.sub(r"\1", text)


_MASKS = {"id": mask_id, "mail": mask_mail, "phone": mask_phone, "ip": mask_ip}
_SHOWN: set[str] = set()


def mask(text: str) -> str:
    """Return the text with mail addresses, phone numbers and IP addresses masked and UUIDs cut to 8 characters."""
    for hide in _MASKS.values():
        text = hide(text)
    return text


def mask_rows(text: str) -> str:
    """Return what stands in a report's table, masked but for what the launch plan shows of people's data."""
    for kind, hide in _MASKS.items():
        text = text if kind in _SHOWN else hide(text)
    return text


def show_people(kinds: Iterable[str]) -> None:
    """Show these kinds ("id", "mail", "phone", "ip") in tables from now on, and no others, as a plan says."""
    _SHOWN.clear()
    _SHOWN.update(kinds)


class Brief:
    """Shows itself in one masked line: what holds people's rows must not pour them into a log or a traceback."""

    @property
    def in_short(self) -> str:
        """What it says, in a line: by default its outcome, else what it is called."""
        if outcome := getattr(self, "outcome", None):
            return str(outcome.in_short)
        return ": ".join(text for key in ("name", "title") if (text := getattr(self, key, "")))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {mask(self.in_short)}>"
