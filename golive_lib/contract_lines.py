"""What of an API's answer may be shown: its form, and no word, number or name of what it holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from golive_lib.formats import ELLIPSIS, mask
from golive_lib.leaks import without_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY = re.compile(r"\beyJ[\w.-]*|\bsb_(?:secret|publishable)_[\w-]*")  # also what is too short to be one
_OPAQUE = re.compile(r"[\w-]{28,}|\b\d{7,}\b")
_TOKEN = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"?(?P<colon>\s*:)?|(?P<number>-?\d[\d.eE+-]*)|(?P<plain>true|false|null|[\[\]{},])',
    re.DOTALL,
)
_FIELD = re.compile(r"[a-z_][\w.-]{0,40}")
_CODE_FIELDS = {"code", "error", "error_code", "errorCode", "status", "statusCode"}
_CODE = re.compile(r"[a-z]+(?:[_-][a-z0-9]+)*|[A-Z]{0,8}[0-9]{2,6}|[A-Z]+(?:_[A-Z0-9]+)+")
_LONGEST_CODE = 27
_PAGES = re.compile(
    r"sign in|log ?in|bad gateway|just a moment|attention required|access denied|forbidden|not found|unavailable",
    re.IGNORECASE,
)
_TITLE = re.compile(r"<title[^>]*>([^<]{0,200})", re.IGNORECASE)


def page(text: str) -> str:
    """Say which of the known pages this is; its own words may name somebody."""
    title = _TITLE.search(text)
    known = _PAGES.search(title[1]) if title else None
    return f"a page that says {known[0]!r}" if known else "a page"


def form(text: str, *, codes: bool) -> str:
    """Return JSON, which may end in the middle, with types in the place of values; ``codes`` keeps machine codes."""
    field = ""

    def shown(found: re.Match[str]) -> str:
        nonlocal field
        words = found["text"]
        if found["colon"]:
            field = words
            return f'"{words if _FIELD.fullmatch(words) else ELLIPSIS}": '
        if found["plain"]:
            return f"{found[0]} " if found[0] == "," else found[0]
        value = words if words is not None else found["number"]
        is_code = codes and field in _CODE_FIELDS and len(value) <= _LONGEST_CODE and _CODE.fullmatch(value)
        return found[0] if is_code else "number" if words is None else "text"

    return "".join(shown(found) for found in _TOKEN.finditer(text)).strip()


def masked(text: str, secrets: Sequence[str] = ()) -> str:
    """Return the text on one line without secrets, keys, long numbers, addresses and anything terminals act upon."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return _OPAQUE.sub("•••", mask(_without_secrets(line, secrets)))


def _without_secrets(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "•••")
    return _KEY.sub("•••", without_keys(text))


def shown_kind(kind: str) -> str:
    """Return a content type as reports show it."""
    return kind if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}", kind) else "of no known kind"
