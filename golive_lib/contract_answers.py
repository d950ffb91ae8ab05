"""What an API's answer means for its contract: pure, no I/O.

Known to break the contract is red; whatever leaves it open is unknown, with its own words. A crash (500) is red, for
the API answered and not as promised; 502, 503, 504 and 52x are unknown, for something in front of it answered. A
refusal with another status than the promised one is amber: nothing was given away, but the rule was not seen at work.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from golive_lib.contract_lines import form, masked, page, shown_kind
from golive_lib.formats import cut
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from golive_lib.plan_readiness import Contract

LONGEST_SHOWN = 200  # characters of a table's cell
READ_FROM = 4_000  # characters that the first lines are made of
SAFE_METHODS = ("GET", "HEAD")
UNAUTHORIZED = 401

_HTML = re.compile(r"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_LOGIN = re.compile(r"log[_-]?in|sign[_-]?in|auth|sso|account", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """What came of one request: a status after ``ms`` with the start of its body, or what went wrong, in words.

    ``sent`` when the API may have received it. The body is as it came; ``contract_lines`` says what of it may be shown.
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
        written = contract.method not in SAFE_METHODS and reply.sent
        again = "; it may have been carried out: look before you ask again" if written else ""
        return Status.UNKNOWN, f"{reply.failure}{again}", "see that the API is up, and that the address is its"
    if reply.is_page and (reply.is_success or got in contract.expect):
        finding = f"{got}, but an HTML page instead of the API's JSON: a login page, a firewall or a website answered"
        return Status.UNKNOWN, finding, "see that the address is the API's and the token is accepted"
    if got in contract.expect:
        return _expected(contract, reply, token)
    if reply.is_success and _refuses(contract):
        done = "data may have leaked" if contract.method in SAFE_METHODS else "it may have been carried out"
        return (
            Status.RED,
            f"{got}, where a refusal ({_or(contract)}) was expected: {done}",
            "do not launch; mend the API",
        )
    return _otherwise(contract, reply, token)


def _expected(contract: Contract, reply: Reply, token: str) -> tuple[Status, str, str]:
    if reply.is_success and reply.body and "json" not in reply.kind:
        finding = f"{reply.status}, but not as JSON ({shown_kind(reply.kind)}): something else may have answered"
        return Status.UNKNOWN, finding, "see that the address is the API's"
    if reply.status == UNAUTHORIZED and token:
        finding = f"401, as expected, but for another reason{token}"
        return Status.UNKNOWN, finding, "get a new token, and ask again"
    if contract.control and "{" in contract.path and _is_empty(reply.body):
        finding = f"{reply.status}, but empty: the row that was asked for did not come, so it is no success"
        return Status.UNKNOWN, finding, "let the control ask for a row that its role may read, with GET"
    return Status.GREEN, f"{reply.status}, as expected", ""


def _is_empty(body: str) -> bool:
    """Say whether a body holds nothing, or JSON in which nothing stands."""
    try:
        return not body.strip() or _is_blank(json.loads(body))
    except (ValueError, RecursionError):  # something is there, if no JSON
        return False


def _is_blank(value: Any) -> bool:  # noqa: ANN401  JSON may be anything
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not value or (bool(parts) and all(_is_blank(part) for part in parts))


def _otherwise(  # noqa: PLR0911  one return for each kind of answer
    contract: Contract, reply: Reply, token: str
) -> tuple[Status, str, str]:
    got, promised = reply.status or 0, _or(contract)
    if 300 <= got < 400:  # noqa: PLR2004  HTTP's redirects
        return _redirected(reply)
    if got == UNAUTHORIZED:
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

    A refusal may have many reasons: a firewall's, a token's, a wrong address's. Only beside a success of the same role
    is it the rule's.
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
    if not refused or any(known):
        return answer
    why = "came back as expected" if known else "is in the plan"
    finding = f"{answer.got}, which proves nothing: no request as {role} succeeded, for no control {why}"
    fix = f"mend the control as {role} first" if known else f"add a contract as {role} with control = true"
    return replace(answer, status=Status.UNKNOWN, finding=finding, fix=fix)


def first_lines(reply: Reply, secrets: Sequence[str]) -> str:
    """Return the form of a body's start, at most 200 characters on one line.

    Of JSON the fields are shown with the types of their values, and of a refusal its machine codes; of a page which of
    the known ones it is, and of anything else its kind.
    """
    text = reply.body[:READ_FROM]
    if text.lstrip()[:1] in ("{", "["):
        return cut(masked(form(text, codes=not reply.is_success), secrets), LONGEST_SHOWN)
    if reply.is_page:
        return page(text)
    return f"{shown_kind(reply.kind)}, not shown" if text else ""


def _place(location: str) -> str:
    """Return where a redirect leads, without its query, which may hold a token."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
    except ValueError:
        return ""
    return cut(masked(f"{host}{parts.path}"), LONGEST_SHOWN)


def _success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004  HTTP's success


def _refuses(contract: Contract) -> bool:
    return not any(_success(status) for status in contract.expect)


def _or(contract: Contract) -> str:
    return " or ".join(map(str, contract.expect))
