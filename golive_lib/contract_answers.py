"""What an API's answer means for its contract, and its first lines without people's data: pure, no I/O.

Known to break the contract is red; whatever leaves it open is unknown, with its own words. A crash (500) is red, for
the API answered and not as promised; 502, 503, 504 and 52x are unknown, for something in front of it answered. A
refusal with another status than the promised one is amber: nothing was given away, but the rule was not seen at work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from golive_lib.formats import ELLIPSIS, mask
from golive_lib.judge import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golive_lib.plan_readiness import Contract

LONGEST_SHOWN = 200
READ_FROM = 4_000  # characters that the first lines are made of
SAFE_METHODS = ("GET", "HEAD")

_KEY = re.compile(r"\beyJ[\w.-]*|\bsb_(?:secret|publishable)_[\w-]*")
_OPAQUE = re.compile(r"[\w-]{28,}|\b\d{7,}\b")
_STRING = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"?(?P<colon>\s*:)?', re.DOTALL)
_FIELD = re.compile(r"[A-Za-z_][\w.-]{0,40}")
_SPOKEN = {"error", "errors", "message", "msg", "detail", "reason", "hint", "code", "status"}
_TITLE = re.compile(r"<title[^>]*>([^<]{0,200})", re.IGNORECASE)
_HTML = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_LOGIN = re.compile(r"log[_-]?in|sign[_-]?in|auth|sso|account", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """What came of one request: a status after ``ms`` with the start of its body, or what went wrong, in words.

    ``sent`` when the API may have received it. The body is as it came; ``first_lines`` is what may be shown.
    """

    status: int | None = None
    ms: float | None = None
    kind: str = ""
    body: str = field(default="", repr=False)
    location: str = field(default="", repr=False)
    retry_after: str = ""
    failure: str = ""
    sent: bool = False

    @property
    def is_page(self) -> bool:
        """Whether it is a page for people rather than an API's answer."""
        return "html" in self.kind or bool(_HTML.match(self.body))

    @property
    def is_success(self) -> bool:
        """Whether the request was accepted."""
        return self.status is not None and _success(self.status)


@dataclass(frozen=True)
class Answer:
    """One contract, what was asked and what came of it; ``request`` and ``lines`` are masked, for people to read."""

    key: str
    contract: Contract
    request: str
    status: Status
    finding: str
    fix: str = ""
    got: int | None = None
    ms: float | None = None
    lines: str = ""


def judge(contract: Contract, reply: Reply, token: str) -> tuple[Status, str, str]:
    """Judge an answer by itself: its status, the finding and what to do; ``token`` is what is known against it."""
    got = reply.status
    if got is None:
        again = "; it may have been carried out: look before you ask again" if _sent_write(contract, reply) else ""
        return Status.UNKNOWN, f"{reply.failure}{again}", "see that the API is up, and that the address is its"
    if reply.is_page and (reply.is_success or got in contract.expect):
        finding = f"{got}, but an HTML page instead of the API's JSON: a login page, a firewall or a website answered"
        return Status.UNKNOWN, finding, "see that the address is the API's and the token is accepted"
    if got in contract.expect:
        return _expected(reply)
    if reply.is_success and _refuses(contract):
        done = "data may have leaked" if contract.method in SAFE_METHODS else "it may have been carried out"
        return (
            Status.RED,
            f"{got}, where a refusal ({_or(contract)}) was expected: {done}",
            "do not launch; mend the API",
        )
    return _otherwise(contract, reply, token)


def _expected(reply: Reply) -> tuple[Status, str, str]:
    if reply.is_success and reply.body and "json" not in reply.kind:
        finding = f"{reply.status}, but not as JSON ({shown_kind(reply.kind)}): something else may have answered"
        return Status.UNKNOWN, finding, "see that the address is the API's"
    return Status.GREEN, f"{reply.status}, as expected", ""


def _otherwise(  # noqa: PLR0911  one return for each kind of answer
    contract: Contract, reply: Reply, token: str
) -> tuple[Status, str, str]:
    got, promised = reply.status or 0, _or(contract)
    if 300 <= got < 400:  # noqa: PLR2004  HTTP's redirects
        return _redirected(reply)
    if got == 401:  # noqa: PLR2004  who are you
        return (
            Status.UNKNOWN,
            f"401: the token was not accepted{token}",
            "get a new token; 401 says nothing on the rule",
        )
    if got == 429:  # noqa: PLR2004  too many
        wait = f"{reply.retry_after} s" if re.fullmatch(r"\d{1,6}", reply.retry_after) else "a while"
        return Status.UNKNOWN, "429: the API refuses to be asked so often", f"wait {wait} and ask again"
    if got >= 500:  # noqa: PLR2004  HTTP's server errors
        return _crashed(got, promised)
    if _refuses(contract):
        finding = f"{got}, where {promised} was expected: refused, but this rule was not seen at work"
        return Status.AMBER, finding, "mend the API, or add the status to the contract's 'expect' if it is meant"
    if got == 404:  # noqa: PLR2004  there is none
        return Status.UNKNOWN, f"404, where {promised} was expected: the address may be wrong", "see the API's address"
    return Status.RED, f"{got}, where {promised} was expected", "mend the API, or the contract"


def _crashed(got: int, promised: str) -> tuple[Status, str, str]:
    if got in (502, 503, 504) or 520 <= got <= 530:  # noqa: PLR2004  a gateway's own; Cloudflare's
        return Status.UNKNOWN, f"{got}: a gateway answered, the API behind it did not", "see that the API is up"
    return Status.RED, f"{got}: the API crashed, where {promised} was expected", "see the API's log; mend it"


def _redirected(reply: Reply) -> tuple[Status, str, str]:
    place = _place(reply.location)
    if _LOGIN.search(place):
        finding = f"{reply.status}: sent on to a login page ({place}): the token was not accepted"
        return Status.UNKNOWN, finding, "get a new token, and see that the API takes it as 'Authorization: Bearer'"
    finding = f"{reply.status}: sent on to {place or 'nowhere'}; the kit does not follow, for the token would go along"
    return Status.UNKNOWN, finding, "set the API's address to the one that answers"


def weighed(answers: Sequence[Answer]) -> tuple[Answer, ...]:
    """Return the answers with refusals made unknown that no control of the same role stands behind.

    A refusal may have many reasons. Where the plan has controls for a role, one must have come back as expected; an
    expected 404 proves nothing without one.
    """
    controls: dict[str, list[bool]] = {}
    for answer in answers:
        if answer.contract.control:
            controls.setdefault(answer.contract.role, []).append(answer.status is Status.GREEN)
    return tuple(_weighed(answer, controls) for answer in answers)


def _weighed(answer: Answer, controls: Mapping[str, list[bool]]) -> Answer:
    role = answer.contract.role
    known = controls.get(role, [])
    refused = answer.status in (Status.GREEN, Status.AMBER) and answer.got is not None and not _success(answer.got)
    if not refused or any(known) or (not known and answer.got != 404):  # noqa: PLR2004  there is none
        return answer
    why = "was answered as expected" if known else "is in the plan"
    finding = f"{answer.got}, which proves nothing: no control as {role} {why}"
    fix = f"mend the control as {role} first" if known else f"add a contract as {role} with control = true"
    return replace(answer, status=Status.UNKNOWN, finding=finding, fix=fix)


def first_lines(reply: Reply, secrets: Sequence[str]) -> str:
    """Return the start of a body without secrets and people's data, at most 200 characters on one line.

    Of JSON the strings are cut to their first letter, all but the words of a refusal; of a page the title is shown, and
    of any other accepted answer its kind alone.
    """
    text = reply.body
    if len(text) > READ_FROM:  # what is cut through is left out: half an address is not known as one
        text = re.sub(r"[^\s\"',;<>]*$", "", text[:READ_FROM])
    if text.lstrip()[:1] in ("{", "["):
        text = _without_words(_without_secrets(text, secrets), set() if reply.is_success else _SPOKEN)
    elif reply.is_page:
        title = _TITLE.search(text)
        text = f"a page titled {title[1].strip()!r}" if title else "a page"
    elif reply.is_success and text:
        text = f"{shown_kind(reply.kind)}, not shown"
    return _cut(masked(text, secrets))


def masked(text: str, secrets: Sequence[str] = ()) -> str:
    """Return the text on one line without secrets, keys, long numbers, addresses and anything terminals act upon."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return _OPAQUE.sub("•••", mask(_without_secrets(line, secrets)))


def _without_secrets(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "•••")
    return _KEY.sub("•••", text)


def _without_words(text: str, spoken: set[str]) -> str:
    """Cut every string of JSON, which may end in the middle, to its first letter; ``spoken`` fields keep theirs."""
    field = ""

    def shown(found: re.Match[str]) -> str:
        nonlocal field
        words, colon = found["text"], found["colon"] or ""
        if colon:
            field = words
        whole = _FIELD.fullmatch(words) if colon else field in spoken
        if whole or not words:
            return found[0]
        first = words[0] if words[0].isalnum() or words[0] == "•" else ""
        return f'"{first}{ELLIPSIS}"{colon}'

    return _STRING.sub(shown, text)


def shown_kind(kind: str) -> str:
    """Return a content type as reports show it."""
    return kind if re.fullmatch(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,40}", kind) else "of no known kind"


def _place(location: str) -> str:
    """Return where a redirect leads, without its query, which may hold a token."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return _cut(masked(f"{host}{parts.path}"))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}{ELLIPSIS}"


def _success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004  HTTP's success


def _refuses(contract: Contract) -> bool:
    return not any(_success(status) for status in contract.expect)


def _or(contract: Contract) -> str:
    return " or ".join(map(str, contract.expect))


def _sent_write(contract: Contract, reply: Reply) -> bool:
    return contract.method not in SAFE_METHODS and reply.sent
