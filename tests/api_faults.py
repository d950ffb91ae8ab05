"""What can be wrong with the demo's API: rules it does not enforce, and answers that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg
    from starlette.requests import Request

    from golive_lib.demo.api import Asked, Endpoint, Reply, Rule

LEAKED = {"display_name": "Maya Khoury", "email": "maya.khoury@example.com", "phone": "+961 3 123 456"}


def _draft(_db: psycopg.Connection, path: Asked, _: Asked) -> Reply:
    token = jwt.encode({"sub": str(path["reading"])}, "0" * 64, algorithm="HS256")
    return 200, {"draft": "Maya, the Tower stands for your divorce.", "client": LEAKED, "share_token": token}


def _reveals(_db: psycopg.Connection, _path: Asked, body: Asked) -> Reply:
    return 201, {"card_position": body.get("card_position")}


def _admin(_db: psycopg.Connection, _path: Asked, _body: Asked) -> Reply:
    return 200, {"users": [LEAKED]}


def _calls(_db: psycopg.Connection, path: Asked, _: Asked) -> Reply:
    return 201, {"call": str(path["booking"]), "client_ip": None}


async def _silent(request: Request) -> Response:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def _crash(_: Request) -> Response:
    return JSONResponse({"error": "TypeError: cannot read properties of undefined"}, 500)


async def _busy(_: Request) -> Response:
    return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": "30"})


async def _overloaded(_: Request) -> Response:
    return HTMLResponse("<html><head><title>502 Bad Gateway</title></head></html>", 502)


async def _login(_: Request) -> Response:
    return RedirectResponse("/login?next=%2Freadings&state=8f14e45fceea167a5a36dedd4bea2543", 302)


async def _page(_: Request) -> Response:
    return HTMLResponse("<!doctype html><html><head><title>Sign in</title></head><body><form></form></body></html>")


async def _text(_: Request) -> Response:
    return PlainTextResponse('{"status": "ok"}')


async def _expired(_: Request) -> Response:
    return JSONResponse({"error": "the token has expired"}, 401)


async def _elsewhere(_: Request) -> Response:
    return JSONResponse({"error": "Not Found"}, 404)


async def _forbidden(_: Request) -> Response:
    return JSONResponse({"error": "blocked"}, 403)


RULES: Mapping[str, Rule] = {"draft": _draft, "reveals": _reveals, "admin": _admin, "calls": _calls}
ANSWERS: Mapping[str, Endpoint] = {
    "silent": _silent,
    "crash": _crash,
    "busy": _busy,
    "overloaded": _overloaded,
    "login": _login,
    "page": _page,
    "text": _text,
    "expired": _expired,
    "elsewhere": _elsewhere,
    "forbidden": _forbidden,
}
