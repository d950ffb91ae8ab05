"""Requests to the launched app's API, sent once each and all at the same time, with what came of them.

Certificates are verified, redirects not followed and the environment's proxies not used; a token goes to the one
address alone, and in the clear to this machine only. Connections that failed are tried again, a request that may have
been received never is. ``SSL_CERT_FILE`` names another authority than the usual ones.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from golive_lib.contract_answers import Reply
from golive_lib.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from golive_lib.plan_readiness import ApiRules, Contract
    from golive_lib.settings import Secret

AT_ONCE = 4
MOST_READ = 65_536  # bytes of a body
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "golive"}


@dataclass(frozen=True)
class Request:
    """A contract's request as it is sent: to ``url``, with ``token``."""

    contract: Contract
    url: str
    token: Secret


def api_address(rules: ApiRules, env: Mapping[str, str]) -> str:
    """Return the API's address from the environment, without a slash at its end.

    Raises SettingsError, which never quotes it, when it is missing, malformed, holds a password, or would send tokens
    over a network in the clear.
    """
    text = env.get(rules.url, "").strip()
    if not text:
        raise SettingsError(f"{rules.url} is not set: the API's address, such as https://api.example.com/v1")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not text.isprintable() or " " in text:
        raise SettingsError(f"{rules.url} is no address such as https://api.example.com/v1")
    if "@" in parts.netloc:
        raise SettingsError(f"{rules.url} holds a user or a password, which would replace the token: leave it out")
    if parts.query or parts.fragment:
        raise SettingsError(f"{rules.url} goes on after its path: leave out what follows '?' or '#'")
    if parts.scheme == "http" and not is_local(text):
        raise SettingsError(f"{rules.url} is http:// to another machine, which would show the tokens: use https://")
    return text.rstrip("/")


def is_local(address: str) -> bool:
    """Say whether an address is this machine's own."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def send(
    requests: Sequence[Request], rules: ApiRules, transport: httpx.AsyncBaseTransport | None = None
) -> tuple[Reply, ...]:
    """Send the requests, a few at a time, and return their replies in the same order; a failure is a reply too.

    Each takes at most ``rules.timeout`` to its status and as long again for the start of its body. Raises SettingsError
    when the environment's certificates cannot be read.
    """
    if not requests:
        return ()
    with ThreadPoolExecutor(1) as aside:  # a notebook's thread runs an event loop already, which allows no second
        return aside.submit(asyncio.run, _send(requests, rules, transport)).result()


async def _send(
    requests: Sequence[Request], rules: ApiRules, transport: httpx.AsyncBaseTransport | None
) -> tuple[Reply, ...]:
    if transport is None:
        # No connection is used twice: the API may close it just then, and nobody would know what it had received.
        limits = httpx.Limits(max_keepalive_connections=0)
        transport = httpx.AsyncHTTPTransport(verify=_trusted(), trust_env=False, retries=rules.retries, limits=limits)
    places = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(transport=transport, headers=_HEADERS, trust_env=False, timeout=None) as client:  # noqa: S113  bounded as a whole in _ask: httpx's own limit is one of each read
        return tuple(await asyncio.gather(*(_ask(client, places, each, rules) for each in requests)))


def _trusted() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except (OSError, ssl.SSLError):
        raise SettingsError("SSL_CERT_FILE or SSL_CERT_DIR names no certificates that can be read") from None


async def _ask(client: httpx.AsyncClient, places: asyncio.Semaphore, request: Request, rules: ApiRules) -> Reply:
    seconds = rules.timeout.total_seconds()
    async with places:
        started = time.perf_counter()
        try:
            built = client.build_request(
                request.contract.method,
                request.url,
                json=request.contract.body,
                headers={"Authorization": f"Bearer {request.token.reveal()}"},
            )
            async with asyncio.timeout(seconds):
                response = await client.send(built, stream=True)
            milliseconds = (time.perf_counter() - started) * 1_000
            try:
                body = await _start_of(response, seconds)
            finally:
                await response.aclose()
        except TimeoutError:
            return Reply(failure=f"no answer within {seconds:g} s", sent=True)
        except (httpx.HTTPError, httpx.InvalidURL) as error:  # its words may hold the token: they are not shown
            return Reply(failure=_words(error), sent=not isinstance(error, httpx.ConnectError | httpx.InvalidURL))
    return Reply(
        status=response.status_code,
        ms=milliseconds,
        kind=response.headers.get("content-type", "").split(";")[0].strip().lower(),
        body=body,
        location=response.headers.get("location", ""),
        retry_after=response.headers.get("retry-after", ""),
        sent=True,
    )


async def _start_of(response: httpx.Response, seconds: float) -> str:
    """Return the start of a body that may be endless, slow, or break off: the status has come, and counts."""
    start = b""
    try:
        async with asyncio.timeout(seconds):
            async for piece in response.aiter_raw(MOST_READ):
                start += piece
                if len(start) >= MOST_READ:
                    break
    except (TimeoutError, httpx.HTTPError):
        pass
    if response.headers.get("content-encoding", "identity") != "identity":
        return "(compressed)"
    return start[:MOST_READ].decode(errors="replace")


def _words(error: Exception) -> str:
    """Say why there is no answer, from the error's causes rather than its words."""
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return "the host's name is not known here"
        if isinstance(cause, ConnectionRefusedError):
            return "nobody listens at the address"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate is not to be trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"no secure connection ({cause.reason or 'TLS'}): is it an https:// address, and is this its port?"
    if isinstance(error, httpx.InvalidURL):
        return "the path makes no address"
    reached = not isinstance(error, httpx.ConnectError)
    return "the connection broke before there was an answer" if reached else "the address cannot be reached from here"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        error = error.__cause__ or error.__context__
