"""Secrets: each fault found on values minted here, and not a character of a value shown."""

from __future__ import annotations

import base64
import json
import secrets
import socket
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from plant import free_port

from golive_lib.connections import same_database
from golive_lib.credentials import fingerprint, prove_secrets
from golive_lib.plan import DatabaseRules
from golive_lib.plan_readiness import SecretRules
from golive_lib.settings import DB_URL, parse_url
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Proof

NOW = datetime(2026, 3, 25, 22, tzinfo=UTC)
REF = "abcdefghijklmnopqrst"
OTHER = "tsrqponmlkjihgfedcba"
ANON, SERVICE, URL = "SUPABASE_ANON_KEY", "SERVICE_ROLE_KEY", "SUPABASE_DB_URL"
KEYS = {ANON: "anon", SERVICE: "service_role"}
SIGNING = secrets.token_hex(32)


def minted(role: str, /, **claims: Any) -> str:
    """Mint a key; a claim of None is left out."""
    end = int((NOW + timedelta(days=365)).timestamp())
    payload = {"iss": "supabase", "ref": REF, "role": role, "exp": end} | claims
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, SIGNING, "HS256")


def in_days(days: float) -> int:
    """Return an end this many days after the tests' now."""
    return int((NOW + timedelta(days=days)).timestamp())


def prove(env: dict[str, str], **rules: Any) -> Proof:
    """Prove secrets with the runbook's names."""
    return prove_secrets(SecretRules(keys=KEYS, **rules), env, NOW, DatabaseRules())


def keys(env: dict[str, str], ref: str = REF) -> dict[str, tuple[Status, str]]:
    """Prove keys without a URL, and give status and detail by point."""
    return {point.what: (point.status, point.detail) for point in prove(env, ref=ref).points}


@pytest.fixture
def sound(healthy: DemoDatabase) -> dict[str, str]:
    """Give an environment as it should be."""
    return {URL: healthy.url, DB_URL: healthy.url, ANON: minted("anon"), SERVICE: minted("service_role")}


@pytest.fixture
def silent() -> Iterator[int]:
    """Give a port that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_sound_secrets_are_green(sound: dict[str, str]) -> None:
    """All is set, connects, and belongs to one project; the signature is said to be unchecked."""
    proof = prove(sound, ref=REF)
    assert [point for point in proof.points if point.status is not Status.GREEN] == []
    details = {point.what: point.detail for point in proof.points}
    assert details[f"{URL}: connection"] == "connects, direct, through a local socket"
    assert details[ANON] == f"a JWT of {len(sound[ANON])} characters; its signature cannot be checked here"
    assert details[f"{ANON}: end"] == "365 days left"


@pytest.mark.parametrize(
    "place", [f"postgres.{REF}:pw-of-it@127.0.0.1", f"postgres:pw-of-it@db.{REF}.supabase.co"], ids=["user", "host"]
)
def test_ref_comes_from_the_url(place: str) -> None:
    """The project is read from the pooler's user or the direct host, whether it connects or not."""
    env = {URL: f"postgresql://{place}:{free_port()}/postgres?hostaddr=127.0.0.1", ANON: minted("anon", ref=OTHER)}
    points = {point.what: point for point in prove(env).points}
    assert points["project"].status is Status.GREEN
    assert points[f"{ANON}: project"].detail == "is the key of another project"
    assert points[f"{URL}: connection"].status is Status.RED


def test_ref_is_unknown_without_any(healthy: DemoDatabase) -> None:
    """A URL that names no project leaves a key's project unknown, and says where to give it."""
    points = {point.what: point for point in prove({URL: healthy.url, ANON: minted("anon")}).points}
    assert points["project"].status is Status.UNKNOWN
    assert "'ref' in [secrets]" in points["project"].fix
    assert points[f"{ANON}: project"].status is Status.UNKNOWN


def test_a_surname_is_no_ref() -> None:
    """A dot in a user's name does not make a project of what follows."""
    points = {p.what: p for p in prove({URL: f"postgresql://maya.haddad@127.0.0.1:{free_port()}/x"}).points}
    assert points["project"].status is Status.UNKNOWN


def test_url_of_another_project_is_red() -> None:
    """The plan's ref and the URL's must be one."""
    url = f"postgresql://postgres.{OTHER}@127.0.0.1:{free_port()}/postgres"
    points = {point.what: point for point in prove({URL: url}, ref=REF).points}
    assert points["project"].status is Status.RED


@pytest.mark.parametrize("name", [URL, ANON, SERVICE])
def test_unset_is_red(sound: dict[str, str], name: str) -> None:
    """A variable that is missing or empty is named."""
    for env in ({**sound, name: ""}, {key: value for key, value in sound.items() if key != name}):
        points = {point.what: point for point in prove(env, ref=REF).points}
        assert (points[name].status, points[name].detail) == (Status.RED, "is not set")


@pytest.mark.parametrize("name", [URL, ANON])
@pytest.mark.parametrize("around", ["'{}'", '"{}"', "{}\n", " {}", "\t{}"])
def test_what_stands_around_a_value_is_red(sound: dict[str, str], name: str, around: str) -> None:
    """Quotes and white space would be sent as a part of the secret."""
    points = {point.what: point for point in prove({**sound, name: around.format(sound[name])}, ref=REF).points}
    assert points[name].status is Status.RED
    assert "around the value" in points[name].detail


@pytest.mark.parametrize(
    "value", ["https://x.supabase.co", "mysql://u:p@h/d", "postgresql://u:p@h:99999/d", "postgresql://u@h?a@b", "x"]
)
def test_url_that_is_none_is_red(value: str) -> None:
    """What cannot be a database's address is told by kind and length."""
    points = {point.what: point for point in prove({URL: value}).points}
    assert points[URL].status is Status.RED
    assert f"of {len(value)} characters" in points[URL].detail


def test_wrong_password_says_so_without_the_servers_words() -> None:
    """A URL that nobody answers is red with what to look at, and names neither user nor host."""
    url = f"postgresql://maya:s3cretpass@127.0.0.1:{free_port()}/somewhere"
    proof = prove({URL: url})
    points = {point.what: point for point in proof.points}
    assert points[f"{URL}: connection"].status is Status.RED
    assert "is the server running" in points[f"{URL}: connection"].detail
    assert not [word for word in ("maya", "s3cretpass", "127.0.0.1", "somewhere") if word in str(proof)]


@pytest.mark.parametrize("url", ["postgresql://u@{}/d", "postgresql://u@h/d?nonsense=1", "postgresql://u@%FF/d"])
def test_url_no_driver_takes_is_red(url: str) -> None:
    """Hosts and options that cannot be are a point, not a crash."""
    points = {point.what: point for point in prove({URL: url.format("a" * 80 + "." + "b" * 80)}).points}
    assert points[f"{URL}: connection"].status is Status.RED


FAULTS: dict[str, tuple[dict[str, Any], str, Status, str]] = {
    "expired": ({"exp": in_days(-12)}, "end", Status.RED, "expired 12 days ago"),
    "expired this minute": ({"exp": in_days(0)}, "end", Status.RED, "expired less than a day ago"),
    "ends soon": ({"exp": in_days(29.5)}, "end", Status.AMBER, "29 days left"),
    "without end": ({"exp": None}, "end", Status.UNKNOWN, "has no exp: nobody can say when it ends"),
    "end is true": ({"exp": True}, "end", Status.RED, "exp is no instant"),
    "end is infinite": ({"exp": float("inf")}, "end", Status.RED, "exp is no instant"),
    "end is a text": ({"exp": "never"}, "end", Status.RED, "exp is no instant"),
    "of another project": ({"ref": OTHER}, "project", Status.RED, "is the key of another project"),
    "of no project": ({"ref": None}, "project", Status.RED, "has no ref: it names no project"),
    "of another service": (
        {"iss": "supabase-demo"}, "issuer", Status.RED, "iss is not supabase: another service made this token",
    ),
    "of no service": ({"iss": None}, "issuer", Status.RED, "iss is missing: another service made this token"),
    "the master key": ({"role": "service_role"}, "role", Status.RED, "role is service_role instead of anon"),
    "a user's token": ({"role": "authenticated"}, "role", Status.RED, "role is authenticated instead of anon"),
    "of no role": ({"role": None}, "role", Status.RED, "role is missing instead of anon"),
    "of a strange role": ({"role": ["anon"]}, "role", Status.RED, "role is another instead of anon"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_claim_is_found(fault: str) -> None:
    """Each claim that is wrong makes its own point, and no other."""
    claims, point, status, detail = FAULTS[fault]
    found = keys({ANON: minted("anon", **claims)})
    assert found[f"{ANON}: {point}"] == (status, detail)
    about = [what for what, (seen, _) in found.items() if what.startswith(ANON) and seen is not Status.GREEN]
    assert about == [f"{ANON}: {point}"]


def test_key_of_31_days_is_green() -> None:
    """Amber begins at the plan's 30 days, not before."""
    assert keys({ANON: minted("anon", exp=in_days(31))})[f"{ANON}: end"] == (Status.GREEN, "31 days left")


def test_swapped_keys_name_the_leak() -> None:
    """The service key in the browsers' variable is a leak and its fix says so; the other way round it is just wrong."""
    proof = prove({ANON: minted("service_role"), SERVICE: minted("anon")}, ref=REF)
    points = {point.what: point for point in proof.points}
    assert "master key would go to every browser" in points[f"{ANON}: role"].fix
    assert points[f"{SERVICE}: role"].detail == "role is anon instead of service_role"


def unsigned() -> str:
    """Mint a token whose header says that nobody signed it."""
    return jwt.encode({"iss": "supabase", "ref": REF, "role": "anon", "exp": in_days(90)}, None, "none")


def crafted(payload: bytes) -> str:
    """Make a token around any payload."""
    header, _, signature = minted("anon").split(".")
    return f"{header}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{signature}"


MALFORMED: dict[str, Callable[[], str]] = {
    "no JSON": lambda: crafted(b"hello world"),
    "a list": lambda: crafted(json.dumps(["anon"]).encode()),
    "no text": lambda: crafted(b"\xff\xfe\x00"),
    "nested past reading": lambda: crafted(b"[" * 100_000),
    "cut": lambda: minted("anon")[:-60],
    "two parts": lambda: minted("anon").rsplit(".", 1)[0],
    "of no header": lambda: "." + minted("anon").split(".", 1)[1],
    "not base64": lambda: "a.b.c",
    "unsigned": unsigned,
    "a passphrase": lambda: "correct horse battery staple",
    "a bare prefix": lambda: "sb_publishable_",
    "a new key with a space in it": lambda: "sb_publishable_abcd efgh_1234",
    "an access token": lambda: "sbp_" + "0" * 40,
    "a database URL": lambda: "postgresql://u:p4ssw0rd@h/d",
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_key_is_red(kind: str) -> None:
    """What is no key is red by kind and length alone."""
    value = MALFORMED[kind]()
    status, detail = keys({ANON: value})[ANON]
    assert status is Status.RED
    assert f"of {len(value)} characters" in detail


NEW = {ANON: "sb_publishable_" + "a1B2-" * 6, SERVICE: "sb_secret_" + "a1B2_" * 6}


def test_new_style_keys_are_amber_until_the_plan_knows_them() -> None:
    """They fit their place, but whose they are cannot be read; a fingerprint says that somebody has looked it up."""
    points = {point.what: point for point in prove(NEW, ref=REF).points}
    assert points[ANON].status is points[SERVICE].status is Status.AMBER
    assert points[ANON].detail == "a publishable key of 45 characters; its project and end cannot be read from it"
    assert f'known = {{ {ANON} = "{fingerprint(NEW[ANON])}" }} in [secrets]' in points[ANON].fix
    known = {point.what: point for point in prove(NEW, ref=REF, known={ANON: fingerprint(NEW[ANON])}).points}
    assert (known[ANON].status, known[SERVICE].status) == (Status.GREEN, Status.AMBER)


def test_new_style_key_that_was_exchanged_is_red() -> None:
    """Another project's key in the place of the one that was seen is found, though both look alike."""
    points = {point.what: point for point in prove(NEW, ref=REF, known={ANON: fingerprint("sb_publishable_x")}).points}
    assert (points[ANON].status, "another than the one" in points[ANON].detail) == (Status.RED, True)


def test_known_key_must_be_one_of_the_plans() -> None:
    """A fingerprint under a name that nothing asks for would prove nothing."""
    with pytest.raises(ValueError, match="known names ANON_KEY, which is none of 'keys'"):
        SecretRules(keys=KEYS, known={"ANON_KEY": "0" * 12})


def same(env: dict[str, str], **judged: Any) -> tuple[Status, str]:
    """Return what is said of the database that the URL leads to."""
    proof = prove_secrets(SecretRules(keys=KEYS), env, NOW, DatabaseRules(), **judged)
    return next((point.status, point.detail) for point in proof.points if point.what == f"{URL}: same database")


def test_url_may_be_another_way_to_the_database_that_is_judged(pooled: str, healthy: DemoDatabase) -> None:
    """Another role is the same address, and a pooler's address leads to the same server."""
    other_role = healthy.url.replace("//golive_ro@", "//golive_ro.demosamiatarotlaunch@")
    assert same({URL: other_role, DB_URL: healthy.url}) == (Status.GREEN, "the one that is judged")
    through = same({URL: pooled, DB_URL: healthy.url})
    assert through == (Status.GREEN, "the one that is judged, by another address")


@pytest.mark.parametrize("on", ["the same server", "another server"])
def test_url_of_another_database_than_the_one_judged_is_red(
    healthy: DemoDatabase, demo_server: DemoServer, debian_server: DemoServer, on: str
) -> None:
    """It connects, so nothing else would tell; neither user nor host of either is named."""
    other = (demo_server if on == "the same server" else debian_server).url("postgres", "postgres")
    assert same({URL: other, DB_URL: healthy.url}) == (Status.RED, "leads to another database than the one judged")
    env = {URL: healthy.url, DB_URL: healthy.url}
    assert same(env, judged=parse_url(other))[0] is Status.RED


def test_url_of_another_project_than_the_one_judged_is_red_unasked() -> None:
    """Every project's database has the same name and number: there the refs decide."""
    first, second = (
        f"postgresql://postgres.{ref}@x.pooler.supabase.com:{free_port()}/postgres" for ref in (REF, OTHER)
    )
    point = same_database("x", parse_url(first), parse_url(second), DatabaseRules())
    assert (point.status, point.detail) == (Status.RED, "leads to another database than the one judged")


def test_database_that_cannot_be_compared_is_unknown(healthy: DemoDatabase) -> None:
    """Nobody said what is judged, or one of the two does not answer."""
    assert same({URL: healthy.url}) == (Status.UNKNOWN, "nobody said which database is judged")
    silent = f"postgresql://u@127.0.0.1:{free_port()}/d"
    assert same({URL: healthy.url, DB_URL: silent}) == (Status.UNKNOWN, "one of the two databases does not answer")


def test_new_style_keys_swapped_are_red() -> None:
    """A publishable key opens nothing where the secret one belongs, and the secret one in browsers is a leak."""
    proof = prove({ANON: "sb_secret_" + "x" * 30, SERVICE: "sb_publishable_" + "x" * 30}, ref=REF)
    points = {point.what: point for point in proof.points}
    assert points[ANON].status is points[SERVICE].status is Status.RED
    assert "master key would go to every browser" in points[ANON].fix


def test_same_value_twice_is_red() -> None:
    """One value in two variables is one of them wrong; two that are unset are not the same."""
    key = minted("anon")
    assert keys({ANON: key, SERVICE: key})[f"{ANON} and {SERVICE}"][0] is Status.RED
    assert f"{ANON} and {SERVICE}" not in keys({})


def test_no_character_of_a_value_is_shown() -> None:
    """Whatever a variable holds, neither it nor a piece of 8 characters reaches the proof in any form."""
    user = f"postgres.{REF}"
    url = f"postgresql://{user}:pl4nted-passw0rd@127.0.0.1:{free_port()}/orders_of_2026"
    values = [make() for make in MALFORMED.values()] + [minted("anon"), minted("service_role", ref=OTHER), url]
    for value in values:
        proof = prove({URL: value, ANON: value, SERVICE: f"{value} "})
        told = f"{proof!r} {proof.frame.to_string()} {json.dumps(proof.record())} {proof.reason}"
        pieces = {value[at : at + 8] for at in range(len(value) - 7)}
        known = {piece for piece in pieces if piece in "postgresql://supabase sb_publishable_ postgres."}
        assert [piece for piece in pieces - known if piece in told] == []


def test_silent_server_is_bounded(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers costs the connection's timeout, no more."""
    monkeypatch.setattr("golive_lib.db.CONNECT_TIMEOUT_S", 2)
    points = {point.what: point for point in prove({URL: f"postgresql://u@127.0.0.1:{silent}/d"}).points}
    assert points[f"{URL}: connection"].status is Status.RED
    assert "reachable from here" in points[f"{URL}: connection"].detail
