"""The demo's HTTP API: some of the app's routes over the demo's database, whose row level security says who sees what.

It keeps nothing, for the demo is shared: each request is one read-only transaction, and a card revealed in order or a
call started properly is answered 201 with ``"kept": false``.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.demo.build import DemoDatabase

LARGEST_BODY = 10_000
Asked = Mapping[str, Any]
Reply = tuple[int, dict[str, Any]]
Rule = Callable[[psycopg.Connection, Asked, Asked], Reply]  # a connection as the caller, the path's parts, the body
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """A running API: its address, and the secret it signs and checks tokens with."""

    url: str
    secret: str = field(repr=False)

    def token(self, **claims: str | int) -> str:
        """Return a signed token (JWT, HS256) with these claims."""
        return jwt.encode(claims, self.secret, algorithm="HS256")


@contextmanager
def serve(demo: DemoDatabase, rules: Mapping[str, Rule] | None = None, answer: Endpoint | None = None) -> Iterator[Api]:
    """Serve the API of a demo on a free port of this machine as long as the context lasts.

    ``rules`` stand in for some of ``ROUTES``, ``answer`` for everything.
    """
    secret = secrets.token_hex(32)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            _app(demo, secret, {**ROUTES, **(rules or {})}, answer),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        # A daemon, as the interpreter waits for other threads before it runs what was registered to stop them.
        thread = threading.Thread(target=server.run, args=([listener],), name="golive demo API", daemon=True)
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{listener.getsockname()[1]}", secret)
        finally:
            server.should_exit = True
            thread.join()


def _app(demo: DemoDatabase, secret: str, rules: Mapping[str, Rule], answer: Endpoint | None) -> Starlette:
    gate = _Gate(demo.admin_url.replace("+psycopg", ""), secret)
    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])] if answer else []
    routes += [
        Route("/health", _health),
        Route("/readings/{reading:uuid}", gate.endpoint(rules["reading"])),
        Route("/readings/{reading:uuid}/draft", gate.endpoint(rules["draft"])),
        Route("/readings/{reading:uuid}/reveals", gate.endpoint(rules["reveals"]), methods=["POST"]),
        Route("/bookings/{booking:uuid}", gate.endpoint(rules["booking"])),
        Route("/calls/{booking:uuid}/start", gate.endpoint(rules["calls"]), methods=["POST"]),
        Route("/admin/users", gate.endpoint(rules["admin"])),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refusal})


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refusal(_: Request, error: Exception) -> Response:
    """Answer in JSON what the router refuses: an unknown path or method."""
    status, words = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "failed")
    return JSONResponse({"error": words}, status)


@dataclass(frozen=True)
class _Gate:
    """What every route passes: the token is checked, and the database is asked as its holder."""

    url: str
    secret: str = field(repr=False)

    def endpoint(self, rule: Rule) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                claims = self._claims(request)
                body = await _body(request)
                status, content = await run_in_threadpool(self._ask, rule, claims, (request.path_params, body))
            except HTTPException as error:
                status, content = error.status_code, {"error": error.detail}
            except psycopg.Error:
                status, content = 503, {"error": "the database does not answer"}
            return JSONResponse(content, status)

        return answer

    def _claims(self, request: Request) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise HTTPException(401, "a token is needed: Authorization: Bearer …")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.secret,
                algorithms=["HS256"],
                audience="authenticated",
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise HTTPException(401, "the token has expired") from None
        except jwt.InvalidTokenError:
            raise HTTPException(401, "the token is not valid") from None
        return claims

    def _ask(self, rule: Rule, claims: Mapping[str, Any], asked: tuple[Mapping[str, Any], Mapping[str, Any]]) -> Reply:
        with psycopg.connect(self.url) as connection:
            connection.read_only = True
            connection.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('role', 'authenticated', true)",
                [json.dumps(claims)],
            )
            return rule(connection, *asked)


async def _body(request: Request) -> dict[str, Any]:
    text = await request.body()
    try:
        content = json.loads(text[:LARGEST_BODY] or "{}")
    except ValueError:
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(content, dict):
        raise HTTPException(400, "the body is no JSON object")
    return content


def _reading(db: psycopg.Connection, path: Asked, _: Asked) -> Reply:
    row = db.execute(
        "select r.status, count(s.revealed_at) from tarot_v2_readings r "
        "left join tarot_v2_card_selections s on s.reading_id = r.id where r.id = %s group by r.id",
        [path["reading"]],
    ).fetchone()
    if not row:
        return 404, {"error": "there is no such reading"}
    return 200, {"reading": str(path["reading"]), "status": row[0], "cards": row[1]}


def _draft(db: psycopg.Connection, path: Asked, _: Asked) -> Reply:
    row = db.execute(
        "select ai_draft_visible_to_client or reader_id = auth.uid() from tarot_v2_readings where id = %s",
        [path["reading"]],
    ).fetchone()
    if not row:
        return 404, {"error": "there is no such reading"}
    if not row[0]:
        return 403, {"error": "the draft is for the reader alone"}
    return 200, {"reading": str(path["reading"]), "draft": "The first card speaks of a journey."}


def _reveals(db: psycopg.Connection, path: Asked, body: Asked) -> Reply:
    row = db.execute(
        "select (select count(revealed_at) from tarot_v2_card_selections where reading_id = r.id) + 1 "
        "from tarot_v2_readings r where r.id = %s",
        [path["reading"]],
    ).fetchone()
    if not row:
        return 404, {"error": "there is no such reading"}
    if body.get("card_position") != row[0]:
        return 400, {"error": "cards are revealed in order", "next": row[0]}
    return 201, {"card_position": row[0], "kept": False}


def _booking(db: psycopg.Connection, path: Asked, _: Asked) -> Reply:
    row = db.execute("select status, call_type from bookings where id = %s", [path["booking"]]).fetchone()
    if not row:
        return 404, {"error": "there is no such booking"}
    return 200, {"booking": str(path["booking"]), "status": row[0], "call_type": row[1]}


def _calls(db: psycopg.Connection, path: Asked, body: Asked) -> Reply:
    if not db.execute("select 1 from bookings where id = %s", [path["booking"]]).fetchone():
        return 404, {"error": "there is no such booking"}
    if body.get("consentGiven") is not True or not body.get("sessionId"):
        return 400, {"error": "a call needs a session and the client's consent"}
    if not _is_ip(body.get("clientIp")):
        return 400, {"error": "the consent lacks the client's IP"}
    return 201, {"booking": str(path["booking"]), "kept": False}


def _is_ip(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def _admin(db: psycopg.Connection, _path: Asked, _body: Asked) -> Reply:
    own = db.execute("select role = 'admin' from profiles where user_id = auth.uid()").fetchone()
    if not own or not own[0]:
        return 403, {"error": "for admins alone"}
    db.execute("select set_config('role', 'service_role', true)")
    rows = db.execute("select user_id::text, role, display_name from profiles order by created_at limit 20").fetchall()
    return 200, {"users": [dict(zip(("user", "role", "display_name"), row, strict=True)) for row in rows]}


ROUTES: Mapping[str, Rule] = {
    "reading": _reading,
    "draft": _draft,
    "reveals": _reveals,
    "booking": _booking,
    "calls": _calls,
    "admin": _admin,
}
