"""A language's words: figures, lengths and moments as it says them, with number agreement, and right-to-left marks."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_datetime, get_timezone_location

from golive_lib import formats
from golive_lib.errors import PlanError
from golive_lib.formats import MISSING, NBSP

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

LRI, RLI, FSI, PDI = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{RIGHT-TO-LEFT ISOLATE}", "\N{FIRST STRONG ISOLATE}", "\u2069"
RLM = "\N{RIGHT-TO-LEFT MARK}"
HOURS_TO_DAYS = 48  # "36 hours" is said more often than "1 day and 12 hours"
_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BREAKS = re.compile(r" *[\x00-\x1f\x7f-\x9f\u2028\u2029][\x00-\x20\x7f-\x9f\u2028\u2029]*")
_RIGHT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
_WORD = r"[A-Za-z0-9](?:[\w.,:/%+-]*[\w%])?"
_LEFT = re.compile(rf"{_WORD}(?:[,:;]?[ {NBSP}]{_WORD})*", re.ASCII)
_LISTED = re.compile(r"\s*(?:[-*] |\d+\. |#+ )?")
_KEYS = {"terms", "nouns", "say"}


@dataclass(frozen=True)
class Words:
    """How a language says things: ``terms`` by what the kit calls them, counted ``nouns`` by plural form, ``say``."""

    language: str
    zone: ZoneInfo
    terms: Mapping[str, str]
    nouns: Mapping[str, Mapping[str, str]]
    say: Mapping[str, str]

    @property
    def rtl(self) -> bool:
        """Whether the language is written from right to left."""
        return bool(Locale(self.language).text_direction == "rtl")

    def term(self, text: str) -> str:
        """Return what the language calls a thing; what it has no word for stays as it is."""
        return self.terms.get(text, text)

    def counted(self, count: int, noun: str) -> str:
        """Return a number with its noun in the form that the number asks for."""
        forms = self.nouns.get(noun, {"other": f"{{n}} {noun}"})
        form = str(Locale(self.language).plural_form(count))
        return forms.get(form, forms["other"]).replace("{n}", formats.number(count))

    def share(self, value: float | None) -> str:
        """Return a share of 1 in percent; it is 0 or 100 only when it is exactly that."""
        return formats.share(value).replace(f"{NBSP}%", self.say["percent"])

    def percent(self, value: float) -> str:
        """Return a stage's percentage."""
        return f"{value:g}{self.say['percent']}"

    def span(self, value: timedelta | float) -> str:
        """Return a length of time, given as such or in seconds: "2 hours", "1 hour and 5 minutes", "0.8 seconds"."""
        seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
        if seconds != round(seconds) and seconds < 60:  # noqa: PLR2004  a minute
            return self._decimal(seconds)
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes_left = divmod(minutes, 60)
        if minutes < 2:  # noqa: PLR2004  "60 seconds" is said of a rollback
            return self.counted(round(seconds), "seconds")
        if not hours:
            return self._joined((minutes, "minutes"), (rest, "seconds"))
        if hours < HOURS_TO_DAYS:
            return self._joined((hours, "hours"), (minutes_left, "minutes"))
        return self._joined((hours // 24, "days"), (hours % 24, "hours"))

    def _decimal(self, seconds: float) -> str:
        return self.nouns["seconds"]["other"].replace("{n}", formats.number(seconds))

    def _joined(self, *parts: tuple[int, str]) -> str:
        said = [self.counted(count, noun) for count, noun in parts if count]
        return said[0] if len(said) == 1 else self.say["and"].replace("{a}", said[0]).replace("{b}", said[1])

    def moment(self, at: datetime) -> str:
        """Return date and time in the launch's zone with the zone's name; in an hour that is twice, with the offset."""
        there = formats.local(at, self.zone)
        clock, _, offset = formats.clock(at, self.zone).partition(" (")
        locale = _locale(self.language, self.zone)
        place = formats.zone_name(self.zone)
        if self.rtl and place != "UTC":
            place = get_timezone_location(self.zone, locale=locale, return_city=True)
        said = {
            "date": format_datetime(there, self.say["date"], locale=locale),
            "time": clock.split(" ", 1)[0],
            "zone": f"{place} ({offset}" if offset else place,
        }
        return re.sub(r"\{(\w+)\}", lambda found: said.get(found[1], found[0]), self.say["moment"])

    def value(self, found: Any, *, markdown: bool) -> str:  # noqa: ANN401  a template's value may be anything
        """Return a value on one line, isolated where its script runs against the language's, its marks escaped."""
        text = MISSING if found is None else str(found)
        text = _BREAKS.sub(" ", _CONTROLS.sub("", text)).strip()
        if markdown:
            text = re.sub(r"([\\`*\[\]]|<(?=[A-Za-z/!?]))", r"\\\1", text)
        against = not _RIGHT.search(text) if self.rtl else bool(_RIGHT.search(text))
        return f"{FSI}{text}{PDI}" if against and text else text

    def line(self, text: str) -> str:
        """Return a line that runs in the language's direction wherever it is shown.

        Right to left it begins with a mark for those who go by the first strong character, lies in an isolate for
        those who lay everything out from left to right, and Latin in it lies in one of its own.
        """
        if not self.rtl or not text.strip():
            return text.rstrip()
        start = _LISTED.match(text)
        head = start[0] if start else ""
        return f"{head}{RLM}{RLI}{_latin_isolated(text[len(head) :].rstrip())}{PDI}"


def _latin_isolated(text: str) -> str:
    """Put Latin that lies in no isolate yet into one."""
    pieces, depth = re.split(f"([{LRI}{RLI}{FSI}{PDI}])", text), 0
    for i, piece in enumerate(pieces):
        if piece in {LRI, RLI, FSI}:
            depth += 1
        elif piece == PDI:
            depth -= 1
        elif not depth:
            pieces[i] = _LEFT.sub(lambda found: f"{LRI}{found[0]}{PDI}", piece)
    return "".join(pieces)


def _locale(language: str, zone: ZoneInfo) -> Locale:
    """Return the language as it is written where the zone is: months have other names in Beirut than in Cairo."""
    place = get_global("zone_territories").get(str(zone), "")
    try:
        return Locale.parse(f"{language}_{place}")
    except (UnknownLocaleError, ValueError):
        return Locale(language)


def read_words(language: str, zone: ZoneInfo, folders: tuple[Path, ...]) -> Words:
    """Return a language's words, those of later folders over those of earlier ones.

    Raises PlanError that names the file for one that cannot be read.
    """
    found: dict[str, dict[str, Any]] = {key: {} for key in _KEYS}
    for path in (folder / f"words.{language}.toml" for folder in folders):
        if not path.is_file():
            continue
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PlanError(f"{path}: cannot be read as TOML: {error}") from None
        if strange := sorted(set(data) - _KEYS):
            raise PlanError(f"{path}: unknown table {strange[0]!r}; there are {', '.join(sorted(_KEYS))}")
        for noun, forms in data.get("nouns", {}).items():
            if not isinstance(forms, dict) or "other" not in forms:
                raise PlanError(f"{path}: nouns.{noun}: the form 'other' is missing")
        for key, words in data.items():
            found[key] |= words
    return Words(language, zone, **found)
