"""What must not be published: the database's password and keys in any spelling, found before a report is written."""

from __future__ import annotations

import json
import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from golive_lib.errors import SettingsError, UsageError
from golive_lib.formats import mask
from golive_lib.settings import is_url, parse_url, spark_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SHORTEST = 4
ELSEWHERE = "\N{HORIZONTAL ELLIPSIS}"
SHORTEST_ELSEWHERE = 16  # under a name that is not the kit's or Supabase's, a short value may be a word
NOTIFY = "GOLIVE_NOTIFY_"  # what the variables of messages' targets begin with; their whole address is secret
_OURS = ("SUPABASE_", "GOLIVE_", "SERVICE_ROLE_")
_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|_URL$", re.IGNORECASE)
_NAMED = re.compile(r"pass|token|secret|key", re.IGNORECASE)  # in a target's address behind the question mark
_SHOWN_INSTEAD = r"(?:[•*]+|…|(?-i:PASSWORD))@"  # what the kit and people write in a password's place
_WITH_PASSWORD = re.compile(
    rf"\bpostgres(?:ql)?(?:\+\w+)?://[^\s:/@'\"]*:(?!{_SHOWN_INSTEAD})[^\s@/'\"<]+@", re.IGNORECASE
)
_KEY = re.compile(
    r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}|\bsb_secret_\w{8,}"  # JWTs; Supabase's
    r"|\b[sr]k_(?:live|test)_\w{10,}|\bwhsec_[\w+/=-]{10,}"  # Stripe's
    r"|\bxox[a-z]-[\w-]{10,}|\bhooks\.slack\.com/services/[\w/-]{10,}"
    r"|\bgh[a-z]_\w{20,}|\bgithub_pat_\w{20,}|\bAKIA[0-9A-Z]{12,}"  # GitHub's; Amazon's
)


def secrets_of(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return what an environment holds that must never be shown: passwords, keys, tokens, addresses of targets."""
    found = []
    for name, value in env.items():
        if name.startswith(NOTIFY):
            found += _address(value)
            continue
        found += spark_secrets(value)
        if not _NAMES.search(name) or (not name.startswith(_OURS) and len(value) < SHORTEST_ELSEWHERE):
            continue
        if is_url(value):
            found.append(_password(value))
        elif not name.endswith(("_URL", "_PATH", "_FILE", "_DIR")):
            found.append(value)
    return tuple(text for text in found if len(text) >= SHORTEST)


def _address(url: str) -> list[str]:
    """Return a target's address and its parts that open it by themselves; a short one, or a host, may be a word."""
    _, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    login, at, _ = place.rpartition("@")
    parts = [part for part in re.split(r"[/?&=#:@,\s]+", rest) if len(part) >= SHORTEST_ELSEWHERE and "." not in part]
    password = [login.partition(":")[2]] if at else []
    password += [value for name, value in parse_qsl(query) if _NAMED.search(name)]
    return [url, *parts, *map(unquote, parts), *password, *map(unquote, password)]


def _password(url: str) -> str:
    """Return a database URL's password; one that cannot be read is secret as a whole."""
    try:
        password = parse_url(url).password
    except SettingsError:
        return url
    return password.reveal() if password else ""


def leak(text: str, secrets: tuple[str, ...]) -> str | None:
    """Say what kind of secret a text holds, None when it holds none; the answer never quotes it."""
    if any(spelling in text for secret in secrets for spelling in _spellings(secret)):
        return "a password or key from the environment"
    if _WITH_PASSWORD.search(text):
        return "a database URL with a password"
    if _KEY.search(text):
        return "a key"
    return None


def plainly(option: str, text: str, env: Mapping[str, str]) -> str:
    """Return what a person wrote for the record, masked and in one line.

    Raises UsageError for an empty text, one that is no Unicode, and one that holds a secret.
    """
    line = " ".join(text.split())
    if not line:
        raise UsageError(f"{option} is empty; the record says who it was, and why")
    if held := leak(line, secrets_of(env)):
        raise UsageError(f"{option} holds {held}; nothing was recorded")
    try:
        line.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option} is no UTF-8 text; nothing was recorded") from None
    return mask(line)


def without_keys(text: str) -> str:
    """Return a text with dots in the place of everything that has a known key's form."""
    return _KEY.sub("•••", text)


def without_places(text: str, places: Iterable[str]) -> str:
    """Return a text with a sign in place of a machine's folders, which often name their user."""
    for place in sorted(set(places), key=len, reverse=True):
        if len(place.strip("/\\")) >= SHORTEST:
            # The place stands first, so that a text of megabytes is searched fast. A colour's code may stand before
            # it: a traceback is written for terminals.
            own = re.escape(place)
            text = re.sub(rf"{own}(?:(?<![\w./~-]{own})|(?<=\dm{own}))(?=[/\\\s\"'&<:,)\]]|$)", ELSEWHERE, text)
    return text


def _spellings(secret: str) -> Iterator[str]:
    """Write a secret as it may stand in a notebook, a page or a URL."""
    yield from (secret, quote(secret, safe=""), quote_plus(secret), escape(secret), json.dumps(secret)[1:-1])
