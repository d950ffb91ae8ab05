"""The demo's API enforces its rules from the demo's database, keeps nothing, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import jwt
import psycopg
import pytest
from plant import change

from golive_lib.demo import open_app
from golive_lib.demo.api import Api, serve
from golive_lib.demo.app import REF, expiry, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from golive_lib.demo import DemoDatabase

NOWHERE = "00000000-0000-4000-8000-000000000000"


def asked(demo: DemoDatabase, statement: str) -> Any:  # noqa: ANN401  whatever the column holds
    """Return one value from a demo's database."""
    with psycopg.connect(demo.admin_url.replace("+psycopg", "")) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def subject(token: str) -> str:
    """Return whose a token is."""
    return str(jwt.decode(token, options={"verify_signature": False})["sub"])


@pytest.fixture(scope="module")
def reading(healthy: DemoDatabase, env: dict[str, str]) -> str:
    """Name a completed reading of the client's."""
    client = subject(env["GOLIVE_CLIENT_TOKEN"])
    where = f"client_id = '{client}' and status = 'completed' order by created_at desc, id"
    return str(asked(healthy, f"select id from tarot_v2_readings where {where}"))


@pytest.fixture(scope="module")
def booking(healthy: DemoDatabase, env: dict[str, str]) -> str:
    """Name a booking of the reader's."""
    return str(asked(healthy, f"select id from bookings where reader_id = '{subject(env['GOLIVE_READER_TOKEN'])}'"))


def call(api: Api, token: str, request: str, body: object = None) -> httpx.Response:
    """Ask the API; every answer of its is JSON."""
    method, path = request.split(" ")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = httpx.request(method, api.url + path, json=body, headers=headers, trust_env=False)
    assert response.headers["content-type"] == "application/json"
    assert isinstance(response.json(), dict)
    return response


def test_client_sees_their_own_reading(api: Api, env: dict[str, str], reading: str) -> None:
    """The owner's reading is there, with its open cards."""
    response = call(api, env["GOLIVE_CLIENT_TOKEN"], f"GET /readings/{reading}")
    assert (response.status_code, response.json()["reading"]) == (200, reading)


def test_anothers_reading_is_not_there(api: Api, healthy: DemoDatabase, reading: str) -> None:
    """Row level security hides it, so the API cannot find it."""
    involved = f"select unnest(array[client_id, reader_id]) from tarot_v2_readings where id = '{reading}'"
    other = asked(healthy, f"select user_id from profiles where user_id not in ({involved})")
    token = api.token(**user(str(other)))
    assert [call(api, token, f"GET /readings/{reading}{end}").status_code for end in ("", "/draft")] == [404, 404]


def test_draft_is_the_readers(api: Api, env: dict[str, str], healthy: DemoDatabase, reading: str) -> None:
    """The client is refused, the reader of the same reading is not."""
    reader = asked(healthy, f"select reader_id from tarot_v2_readings where id = '{reading}'")
    path = f"GET /readings/{reading}/draft"
    assert call(api, env["GOLIVE_CLIENT_TOKEN"], path).status_code == 403
    assert call(api, api.token(**user(str(reader))), path).status_code == 200


def test_visible_draft_is_the_clients_too(clone: Callable[[], DemoDatabase]) -> None:
    """The rule comes from the database: the flag of the row decides."""
    demo = clone()
    change(demo, "update tarot_v2_readings set ai_draft_visible_to_client = true")
    with serve(demo) as api:
        reading = asked(demo, "select id from tarot_v2_readings order by id")
        owner = asked(demo, "select client_id from tarot_v2_readings order by id")
        assert call(api, api.token(**user(str(owner))), f"GET /readings/{reading}/draft").status_code == 200


def test_cards_are_revealed_in_order_and_not_kept(
    api: Api, env: dict[str, str], healthy: DemoDatabase, reading: str
) -> None:
    """The next card is accepted, any other refused; the shared demo stays as it was either way."""
    count = f"select count(*) from tarot_v2_card_selections where reading_id = '{reading}'"
    before = asked(healthy, count)
    path = f"POST /readings/{reading}/reveals"
    positions = (before + 1, 2, before + 2, 0, "2", None)
    seen = [call(api, env["GOLIVE_CLIENT_TOKEN"], path, {"card_position": at}).status_code for at in positions]
    assert seen == [201, 400, 400, 400, 400, 400]
    assert asked(healthy, count) == before


def test_only_admins_list_users(api: Api, env: dict[str, str], healthy: DemoDatabase) -> None:
    """Clients and readers are refused."""
    admin = asked(healthy, "select user_id from profiles where role = 'admin'")
    tokens = (env["GOLIVE_CLIENT_TOKEN"], env["GOLIVE_READER_TOKEN"], api.token(**user(str(admin))))
    assert [call(api, token, "GET /admin/users").status_code for token in tokens] == [403, 403, 200]


def test_call_needs_the_consents_ip(api: Api, env: dict[str, str], booking: str) -> None:
    """No address, or what is none, does not start a call; a proper consent does."""
    consent = {"sessionId": "test", "consentGiven": True}
    bodies = (consent, {**consent, "clientIp": "here"}, {**consent, "clientIp": "198.51.100.7"}, {"clientIp": "::1"})
    token = env["GOLIVE_READER_TOKEN"]
    assert [call(api, token, f"POST /calls/{booking}/start", body).status_code for body in bodies] == [
        400,
        400,
        201,
        400,
    ]


def test_bookings_are_their_peoples(api: Api, env: dict[str, str], booking: str) -> None:
    """The reader finds their booking, and nobody a booking that is not there."""
    token = env["GOLIVE_READER_TOKEN"]
    paths = (f"GET /bookings/{booking}", f"GET /bookings/{NOWHERE}", "GET /bookings/1", f"POST /calls/{NOWHERE}/start")
    assert [call(api, token, path).status_code for path in paths] == [200, 404, 404, 404]


def test_health_needs_no_token_and_the_rest_does(api: Api) -> None:
    """Without a token only the health is told; an unknown path or method is refused in JSON as well."""
    paths = ("GET /health", "GET /admin/users", "GET /nowhere", "POST /health")
    assert [call(api, "", path).status_code for path in paths] == [200, 401, 404, 405]


@pytest.mark.parametrize("kind", ["no token at all", "expired", "another's signature", "no end", "an API key"])
def test_wrong_tokens_are_refused(api: Api, env: dict[str, str], kind: str) -> None:
    """Each is 401 with a reason, never 403: who somebody is comes before what they may do."""
    person = subject(env["GOLIVE_CLIENT_TOKEN"])
    tokens = {
        "no token at all": "nonsense",
        "expired": api.token(**{**user(person), "exp": 1_600_000_000}),
        "another's signature": Api(api.url, "0" * 64).token(**user(person)),
        "no end": api.token(sub=person, aud="authenticated"),
        "an API key": env["SUPABASE_ANON_KEY"],
    }
    response = call(api, tokens[kind], "GET /admin/users")
    assert (response.status_code, "token" in response.json()["error"]) == (401, True)


def test_body_that_is_no_json_is_refused(api: Api, env: dict[str, str], reading: str) -> None:
    """A malformed body is the client's mistake."""
    headers = {"Authorization": f"Bearer {env['GOLIVE_CLIENT_TOKEN']}"}
    for text in ("{", "[1]"):
        response = httpx.post(f"{api.url}/readings/{reading}/reveals", content=text, headers=headers, trust_env=False)
        assert (response.status_code, list(response.json())) == (400, ["error"])


def test_environment_is_an_analysts(env: dict[str, str], healthy: DemoDatabase) -> None:
    """The pooler's user reads everything and writes nothing; the keys say whose they are and last for years."""
    with psycopg.connect(env["SUPABASE_DB_URL"].replace("+psycopg", "")) as connection:
        row = connection.execute("select current_user, count(*) from payment_transactions").fetchone()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("delete from decks")
        connection.rollback()
    assert row == (f"golive_ro.{REF}", asked(healthy, "select count(*) from payment_transactions"))
    keys = {name: jwt.decode(env[name], options={"verify_signature": False}) for name in env if name.endswith("_KEY")}
    assert {(name, claims["role"]) for name, claims in keys.items()} == {
        ("SUPABASE_ANON_KEY", "anon"),
        ("SERVICE_ROLE_KEY", "service_role"),
    }
    assert all((c["iss"], c["ref"]) == ("supabase", REF) and c["exp"] >= expiry() - 3600 for c in keys.values())


def test_app_stops_when_its_context_ends(healthy: DemoDatabase) -> None:
    """The port is closed and the thread gone, used or not, as often as it is opened."""
    before = threading.active_count()
    for used in (True, False, True):
        with open_app(healthy) as env:
            if used:
                assert httpx.get(f"{env['GOLIVE_API_URL']}/health", trust_env=False).json() == {"status": "ok"}
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", urlsplit(env["GOLIVE_API_URL"]).port or 0)) != 0
    assert threading.active_count() <= before


def test_secret_is_not_shown(api: Api) -> None:
    """What signs the tokens stays out of the API's repr."""
    assert api.secret not in repr(api)
