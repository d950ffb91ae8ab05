"""What must not be published: the database's password and keys in any spelling, found before a report is written."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from golive_lib.settings import is_url, parse_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SHORTEST = 4
_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|_URL$", re.IGNORECASE)
_WITH_PASSWORD = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s:/@'\"]*:(?!•)[^\s@/'\"<]+@", re.IGNORECASE)
_KEY = re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}|\bsb_secret_\w{8,}")


def secrets_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return what an environment holds that must never be shown: the database's password and Supabase's keys."""
    found = []
    for name, value in env.items():
        if not name.startswith(("SUPABASE_", "GOLIVE_", "SERVICE_ROLE_")) or not _NAMES.search(name):
            continue
        if is_url(value):
            password = parse_url(value).password
            found.append(password.reveal() if password else "")
        elif not name.endswith("_URL"):
            found.append(value)
    return tuple(text for text in found if len(text) >= SHORTEST)


def leak(text: str, secrets: tuple[str, ...]) -> str | None:
    """Say what kind of secret a text holds, None when it holds none; the answer never quotes it."""
    if any(spelling in text for secret in secrets for spelling in _spellings(secret)):
        return "a password or key from the environment"
    if _WITH_PASSWORD.search(text):
        return "a database URL with a password"
    if _KEY.search(text):
        return "a key"
    return None


def _spellings(secret: str) -> Iterator[str]:
    """Write a secret as it may stand in a notebook, a page or a URL."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), escape(secret), json.dumps(secret)[1:-1])
