"""Arabic beside English: what reads the other way must not disturb the rest of its line."""

from __future__ import annotations

import re
from html import escape
from unicodedata import bidirectional

_ARABIC = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"  # with Hebrew and Syriac: whatever reads from the right
_LATIN = "A-Za-z\u00c0-\u024f"
_FROM_RIGHT = re.compile(rf"([{_ARABIC}](?:[^{_LATIN}]*[{_ARABIC}])*)")
_FROM_LEFT = re.compile(rf"((?:[{_LATIN}]|\d)(?:[^{_ARABIC}]*[{_LATIN}\d%])*)")


def isolated(text: str, within: str = "") -> str:
    """Return a text as markup in which the words, ids and numbers of the other direction stand by themselves.

    ``within`` is the whole line's text, where this is a part of it. Not isolated, an Arabic name in an English
    sentence takes the figures after it along to its left.
    """
    first = next(
        (kind for kind in map(bidirectional, within or text) if kind in ("L", "R", "AL")), "L"
    )  # as dir="auto" decides
    parts = [escape(part) for part in (_FROM_RIGHT if first == "L" else _FROM_LEFT).split(text)]
    return "".join(f"<bdi>{part}</bdi>" if i % 2 else part for i, part in enumerate(parts))
