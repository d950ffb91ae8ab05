"""Secrets, proven without being shown: of a value only its kind, its length and what its claims mean are ever said."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import jwt

from golive_lib.connections import connects, same_database
from golive_lib.errors import SettingsError
from golive_lib.proof import Point, Proof
from golive_lib.settings import DB_URL, is_url, parse_url
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from golive_lib.plan import DatabaseRules
    from golive_lib.plan_readiness import SecretRules
    from golive_lib.settings import DatabaseUrl

ISSUER = "supabase"
DAY_S = 86_400
FINGERPRINT = 12
# What a new-style key is, and the role of the JWT it stands for.
NEW_STYLE = {"publishable": "anon", "secret": "service_role"}

_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_NEW = re.compile(r"sb_(?P<kind>publishable|secret)_[\w-]{8,}", re.ASCII)
_REF = r"[a-z0-9]{20}"  # as Supabase makes them; a shorter one may be a surname in a user's name
_IN_USER = re.compile(rf"[^.]+\.(?P<ref>{_REF})")
_IN_HOST = re.compile(rf"db\.(?P<ref>{_REF})\.supabase\.co")
_COPY = "copy it anew from the project's settings (API keys)"
_MASTER = "the master key would go to every browser; revoke it, then set the public one"


def prove_secrets(
    rules: SecretRules,
    env: Mapping[str, str],
    now: datetime,
    database_rules: DatabaseRules,
    judged: DatabaseUrl | None = None,
) -> Proof:
    """Prove that each secret is set, fits the project and lasts; nothing of a value reaches the proof.

    ``env`` is the environment, ``now`` an aware datetime, ``judged`` the database that readiness is proven of, by
    default that of ``GOLIVE_DB_URL``. Connects with the connection's own timeout. Never raises for what a variable
    holds: a text that cannot be read is a red point.
    """
    url = _url(env.get(rules.url, ""))
    found = _ref_in(url) if url else ""
    points = (
        *_url_points(rules, env.get(rules.url, ""), url, database_rules),
        *_same(rules, url, judged or _url(env.get(DB_URL, "")), database_rules),
        *_ref_points(rules, found),
        *(
            point
            for name, role in rules.keys.items()
            for point in _key(
                name,
                env.get(name, ""),
                role,
                _Expected(rules.ref or found, rules.known.get(name, ""), now, rules.expiring),
            )
        ),
        *_repeated(env, (rules.url, *rules.keys)),
    )
    return Proof("secrets", "Secrets", points, _summary(rules))


@dataclass(frozen=True)
class _Expected:
    """What a key is held against: the project's ref, the plan's fingerprint of it (empty without), now."""

    ref: str
    known: str
    now: datetime
    expiring: timedelta


def fingerprint(value: str) -> str:
    """Return by what a plan knows a key without holding it: the start of its SHA-256."""
    return hashlib.sha256(value.encode()).hexdigest()[:FINGERPRINT]


def _summary(rules: SecretRules) -> str:
    keys = "1 key is" if len(rules.keys) == 1 else f"{len(rules.keys)} keys are"
    return f"{rules.url} connects; {keys} set and of the right kind"


def _url(value: str) -> DatabaseUrl | None:
    try:
        return parse_url(value)
    except (SettingsError, ValueError):  # its words may hold a part of the value
        return None


def _url_points(rules: SecretRules, value: str, url: DatabaseUrl | None, database: DatabaseRules) -> Iterator[Point]:
    name = rules.url
    fix = f"set {name} to the project's connection string, postgresql://USER:PASSWORD@HOST:5432/DATABASE"
    if wrapped := _wrapping(value):
        yield Point(name, Status.RED, wrapped, f"set {name} to the bare value")
    elif not value:
        yield Point(name, Status.RED, "is not set", fix)
    elif url is None:
        yield Point(name, Status.RED, f"holds {_kind(value)}, which is no database URL that can be read", fix)
    else:
        yield Point(name, Status.GREEN, f"a database URL of {len(value)} characters")
        yield connects(f"{name}: connection", url, database)


def _same(
    rules: SecretRules, url: DatabaseUrl | None, judged: DatabaseUrl | None, database: DatabaseRules
) -> Iterator[Point]:
    what = f"{rules.url}: same database"
    if url and judged:
        yield same_database(what, url, judged, database)
    elif url:
        yield Point(what, Status.UNKNOWN, "nobody said which database is judged", f"set {DB_URL}")


def _wrapping(value: str) -> str:
    """Say what surrounds a value that should stand bare; applications take it for a part of the secret."""
    if value and value != value.strip():
        return "white space or a line end stands around the value" if value.strip() else "holds nothing but white space"
    if value[:1] in {"'", '"', "`"} or value[-1:] in {"'", '"', "`"}:
        return "quotes stand around the value"
    return ""


def _ref_in(url: DatabaseUrl) -> str:
    found = _IN_USER.fullmatch(url.user) or _IN_HOST.fullmatch(url.host)
    return found["ref"] if found else ""


def _ref_points(rules: SecretRules, found: str) -> Iterator[Point]:
    what = "project"
    if rules.ref and found and rules.ref != found:
        detail = f"{rules.url} belongs to another project than the plan's 'ref'"
        yield Point(what, Status.RED, detail, "take both from the project that is launched")
    elif rules.ref:
        yield Point(what, Status.GREEN, "its ref is given by the plan")
    elif found:
        yield Point(what, Status.GREEN, f"its ref is named by {rules.url}")
    elif rules.keys:
        detail = f"{rules.url} names no project, so no key can be held against it"
        fix = "give 'ref' in [secrets] of the plan, or a URL whose user is role.REF or whose host is db.REF.supabase.co"
        yield Point(what, Status.UNKNOWN, detail, fix)


def _key(name: str, value: str, role: str, expected: _Expected) -> Iterator[Point]:
    new = _NEW.fullmatch(value)
    if wrapped := _wrapping(value):
        yield Point(name, Status.RED, wrapped, f"set {name} to the bare value")
    elif not value:
        yield Point(name, Status.RED, "is not set", f"set {name} to the project's key for {role}")
    elif new:
        yield _new_style(name, value, new["kind"], role, expected.known)
    elif _JWT.fullmatch(value):
        yield from _token(name, value, role, expected)
    else:
        yield Point(name, Status.RED, f"holds {_kind(value)}, which is no key", _COPY)


def _kind(value: str) -> str:
    """Name what a text seems to be, with its length."""
    kinds = {
        "a database URL": is_url(value),
        "a web address": re.match(r"https?://", value) is not None,
        "a JWT": _JWT.fullmatch(value) is not None and value.startswith("ey"),
        "an incomplete API key": value.startswith("sb_"),
        "a personal access token": value.startswith("sbp_"),
    }
    kind = next((kind for kind, fits in kinds.items() if fits), "a text")
    return f"{kind} of {len(value)} characters"


def _new_style(name: str, value: str, kind: str, role: str, known: str) -> Point:
    described = f"a {kind} key of {len(value)} characters"
    if NEW_STYLE[kind] == role:
        return _without_claims(name, value, described, known)
    if role == "anon":
        return Point(name, Status.RED, f"{described} where the public one belongs", _MASTER)
    return Point(name, Status.RED, f"{described}, which is none for {role}", f"set {name} to the key for {role}")


def _without_claims(name: str, value: str, described: str, known: str) -> Point:
    """Judge a key that says nothing of itself: somebody has looked where it belongs, and the plan knows it by that."""
    seen = fingerprint(value)
    if known == seen:
        return Point(name, Status.GREEN, f"{described}, the one that the plan knows")
    written = f'known = {{ {name} = "{seen}" }} in [secrets]'
    if known:
        fix = f"take the project's; if that is this one, write {written}"
        return Point(name, Status.RED, f"{described}, another than the one that the plan knows", fix)
    detail = f"{described}; its project and end cannot be read from it"
    fix = f"see in the project's settings (API keys) that it is this project's, then write {written}"
    return Point(name, Status.AMBER, detail, fix)


def _token(name: str, value: str, role: str, expected: _Expected) -> Iterator[Point]:
    described = f"a JWT of {len(value)} characters"
    claims = _claims(value)
    if claims is None:
        yield Point(name, Status.RED, f"{described} that cannot be decoded, or that is not signed", _COPY)
        return
    yield Point(name, Status.GREEN, f"{described}; its signature cannot be checked here")
    yield _issuer(name, claims)
    yield _project(name, claims, expected.ref)
    yield _role(name, claims, role)
    yield _end(name, claims, expected)


def _claims(value: str) -> dict[str, Any] | None:
    """Decode a JWT's claims; None when it is malformed or says that nobody signed it."""
    try:
        decoded = jwt.decode_complete(value, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):  # their words may quote the value
        return None
    unsigned = str(decoded["header"].get("alg", "none")).lower() == "none" or value.endswith(".")
    return None if unsigned else decoded["payload"]


def _issuer(name: str, claims: Mapping[str, Any]) -> Point:
    what = f"{name}: issuer"
    if claims.get("iss") == ISSUER:
        return Point(what, Status.GREEN, f"iss is {ISSUER}")
    detail = f"iss is {'missing' if 'iss' not in claims else f'not {ISSUER}'}: another service made this token"
    return Point(what, Status.RED, detail, _COPY)


def _project(name: str, claims: Mapping[str, Any], ref: str) -> Point:
    what = f"{name}: project"
    if not claims.get("ref"):
        return Point(what, Status.RED, "has no ref: it names no project", _COPY)
    if not ref:
        return Point(what, Status.UNKNOWN, "there is no project ref to compare with", "see the point 'project'")
    if claims["ref"] == ref:
        return Point(what, Status.GREEN, "ref is the project's")
    return Point(what, Status.RED, "is the key of another project", _COPY)


def _role(name: str, claims: Mapping[str, Any], role: str) -> Point:
    what = f"{name}: role"
    seen = claims.get("role")
    if seen == role:
        return Point(what, Status.GREEN, f"role is {role}")
    if seen == "service_role":
        return Point(what, Status.RED, f"role is service_role instead of {role}", _MASTER)
    shown = seen if seen in ("anon", "authenticated") else "missing" if seen is None else "another"
    return Point(what, Status.RED, f"role is {shown} instead of {role}", f"set {name} to the key for {role}")


def _end(name: str, claims: Mapping[str, Any], expected: _Expected) -> Point:
    what = f"{name}: end"
    end = claims.get("exp")
    if end is None:
        return Point(what, Status.UNKNOWN, "has no exp: nobody can say when it ends", _COPY)
    if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
        return Point(what, Status.RED, "exp is no instant", _COPY)
    left = end - int(expected.now.timestamp())
    if left <= 0:
        return Point(what, Status.RED, f"expired {_days(-left)} ago", "make a new key and set it everywhere")
    status = Status.AMBER if left < expected.expiring.total_seconds() else Status.GREEN
    fix = "make a new key before it ends" if status is Status.AMBER else ""
    return Point(what, status, f"{_days(left)} left", fix)


def _days(seconds: float) -> str:
    days = int(seconds // DAY_S)
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days:,} days"


def _repeated(env: Mapping[str, str], names: tuple[str, ...]) -> Iterator[Point]:
    for one, other in combinations(dict.fromkeys(names), 2):
        if env.get(one) and env.get(one) == env.get(other):
            detail = "both hold the same value, so one of them is wrong"
            yield Point(f"{one} and {other}", Status.RED, detail, "set each to its own")
