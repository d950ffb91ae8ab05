"""Contracts are asked of the demo's real API, and of one that breaks each rule; each kind of answer has its words."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

import jwt
import psycopg
import pytest
from api_faults import ANSWERS, LEAKED, RULES
from plant import change, free_port

from golive_lib.contract_answers import Reply, first_lines
from golive_lib.contract_lines import masked
from golive_lib.contracts import TABLE, Subject, prove_contracts, run_contracts
from golive_lib.db import Database
from golive_lib.demo.api import Api, serve
from golive_lib.demo.app import environment, user
from golive_lib.demo.build import CLOCK
from golive_lib.errors import PlanError
from golive_lib.launch import Launch, load_queries
from golive_lib.plan import Plan, read_plan
from golive_lib.settings import parse_url
from golive_lib.verdicts import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from golive_lib.contract_answers import Answer
    from golive_lib.demo import DemoDatabase, DemoServer
    from golive_lib.proof import Proof

ROOT = Path(__file__).parents[1]
KITS = read_plan(ROOT / "launch.toml")
QUICK = {'timeout = "10s"': 'timeout = "1s"'}
SUBJECTS = {"reading": Subject("r-1"), "booking": Subject("b/2 ?")}
WRITES = {"Cards are revealed in order", "A call does not start without the consent's IP"}


def plan(folder: Path, changes: Mapping[str, str]) -> Plan:
    """Return the kit's plan with parts of its text replaced."""
    text = (ROOT / "launch.toml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "launch.toml"
    path.write_text(text)
    return read_plan(path)


def prove(demo: DemoDatabase, env: Mapping[str, str], chosen: Plan = KITS, *, allow_writes: bool = False) -> Proof:
    """Prove a plan's contracts on a demo's database."""
    launch = Launch(chosen, load_queries(KITS), Database(parse_url(demo.url), chosen.database), env)
    with launch.database.snapshot() as snapshot:
        proof = prove_contracts(launch, snapshot, allow_writes=allow_writes)
    launch.database.close()
    return proof


def statuses(proof: Proof) -> dict[str, Status]:
    """Return each contract's status by its key."""
    found = proof.tables[TABLE]
    return dict(zip(found["contract"], map(Status, found["status"]), strict=True))


def faulty(demo: DemoDatabase, fault: str, chosen: Plan = KITS) -> Proof:
    """Prove the contracts of an API with a fault."""
    rules = {name: rule for name, rule in RULES.items() if name == fault}
    with serve(demo, rules, None if rules else ANSWERS[fault]) as api:
        return prove(demo, environment(demo, api), chosen)


@contextmanager
def raw(handle: Callable[[socketserver.StreamRequestHandler], None]) -> Iterator[str]:
    """Serve connections by hand, to do what no web server does; give the address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # the other side has left, as it should
                handle(self)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of connections that broke."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def request_of(handler: socketserver.StreamRequestHandler) -> bytes:
    """Read one request's head."""
    head = b""
    while line := handler.rfile.readline().strip():
        head += line + b"\n"
    return head


def run(chosen: Plan, env: Mapping[str, str], address: str) -> tuple[Answer, ...]:
    """Ask an address for every contract of a plan, writes and all."""
    return run_contracts(chosen, {**env, "GOLIVE_API_URL": address}, SUBJECTS, now=CLOCK, allow_writes=True)


def test_healthy_demo_keeps_its_contracts(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """Every request, those that write as well, is answered as promised: a demo needs no permission."""
    proof = prove(healthy, env)
    assert (proof.status, len(proof.points)) == (Status.GREEN, 6), proof.reason
    assert proof.summary.startswith("6 of 6 requests were answered as promised, in ")
    assert proof.tables[TABLE]["got"].tolist() == [200, 403, 400, 403, 200, 400]


@pytest.mark.parametrize(
    ("fault", "contract", "words"),
    [
        ("draft", "draft_hidden", "200, where a refusal (403 or 404) was expected: data may have leaked"),
        ("admin", "admin_users", "200, where a refusal (403) was expected: data may have leaked"),
        ("reveals", "reveal_order", "201, where a refusal (400) was expected: it may have been carried out"),
        ("calls", "consent_needs_ip", "201, where a refusal (400) was expected: it may have been carried out"),
    ],
)
def test_broken_rule_is_red(healthy: DemoDatabase, fault: str, contract: str, words: str) -> None:
    """The contract of the rule is red and says what may have happened; the others stay green."""
    proof = faulty(healthy, fault)
    assert [key for key, status in statuses(proof).items() if status is not Status.GREEN] == [contract]
    assert (proof.status, proof.reason.split(": ", 1)[1]) == (Status.RED, words)


@pytest.mark.parametrize("fault", ["draft", "admin"])
def test_leaked_data_is_not_published(healthy: DemoDatabase, fault: str) -> None:
    """The first lines show the leak's shape; names, addresses, numbers, words and tokens of it are nowhere."""
    proof = faulty(healthy, fault)
    everything = repr(proof) + str(proof.record()) + proof.tables[TABLE].to_csv()
    assert '""email"": text' in everything
    assert [text for text in (*LEAKED.values(), "Khoury", "divorce", "eyJ", "123 456") if text in everything] == []


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("crash", Status.RED, "500: the API crashed, where 200 was expected"),
        ("busy", Status.UNKNOWN, "429: the API refuses to be asked so often"),
        ("overloaded", Status.UNKNOWN, "502: a gateway answered, the API behind it did not"),
        ("login", Status.UNKNOWN, "302: sent on to a login page (/login): the token was not accepted"),
        ("page", Status.UNKNOWN, "200, but an HTML page instead of the API's JSON"),
        ("text", Status.RED, "200, where a refusal (403 or 404) was expected: data may have leaked"),
        ("expired", Status.UNKNOWN, "401: the token was not accepted"),
        ("elsewhere", Status.UNKNOWN, "404, where 200 was expected: the address may be wrong"),
        ("forbidden", Status.RED, "403, where 200 was expected"),
    ],
)
def test_each_answer_has_its_words(healthy: DemoDatabase, fault: str, status: Status, words: str) -> None:
    """What breaks a contract is red, what leaves it open unknown; nothing is green."""
    proof = faulty(healthy, fault)
    assert (proof.status, words in proof.reason) == (status, True), proof.reason
    assert Status.GREEN not in statuses(proof).values()


def test_same_trouble_is_said_once(healthy: DemoDatabase) -> None:
    """What comes between every request and the API is one point, with what to do."""
    (point,) = faulty(healthy, "busy").points
    assert (point.what, point.fix) == ("all 6 requests", "wait 30 s and ask again")


def test_refusals_prove_nothing_when_everything_is_refused(healthy: DemoDatabase) -> None:
    """The 403 that a contract expects is unknown where the same role is refused its own reading too."""
    found = faulty(healthy, "forbidden").tables[TABLE].set_index("contract")["finding"]
    words = "403, which proves nothing: no request as client succeeded, for no control came back as expected"
    assert found["draft_hidden"] == words


def test_refusal_needs_a_control(healthy: DemoDatabase, env: dict[str, str], tmp_path: Path) -> None:
    """Whatever the refusal, it is green beside a success of the same role alone; a success needs none."""
    gone = {'path = "/readings/{reading}/draft"': 'path = "/readings/{reading}/drafts"'}
    beside = statuses(prove(healthy, env, plan(tmp_path, gone)))
    alone = statuses(prove(healthy, env, plan(tmp_path, {**gone, "control = true": ""})))
    assert (beside["draft_hidden"], beside["admin_users"]) == (Status.GREEN, Status.GREEN)
    unproven = {"draft_hidden", "reveal_order", "admin_users", "consent_needs_ip"}
    assert {key for key, status in alone.items() if status is Status.UNKNOWN} == unproven
    assert (alone["own_reading"], alone["own_booking"]) == (Status.GREEN, Status.GREEN)


def answering(reply: Callable[[str], bytes]) -> Callable[[socketserver.StreamRequestHandler], None]:
    """Answer each request by its first line, as JSON."""

    def handle(handler: socketserver.StreamRequestHandler) -> None:
        first = request_of(handler).decode().splitlines()[0]
        status, _, body = reply(first).partition(b" ")
        head = b"HTTP/1.1 " + status + b" x\r\nContent-Type: application/json\r\n"
        handler.wfile.write(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return handle


@pytest.mark.parametrize("old", [True, False])
def test_unauthorized_proves_no_rule_once_the_token_is_old(
    env: dict[str, str], api: Api, tmp_path: Path, *, old: bool
) -> None:
    """A 401 that the contract expects is unknown with a token past its end, green with a good one and a control."""
    expecting = {**QUICK, 'path = "/admin/users"\nexpect = [403]': 'path = "/admin/users"\nexpect = [401]'}
    end = int(CLOCK.timestamp()) + (-60 if old else 60)
    given = {**env, "GOLIVE_CLIENT_TOKEN": api.token(**{**user("someone"), "exp": end})}
    with raw(answering(lambda first: b"401 {}" if "/admin" in first else b'200 {"id": 1}')) as address:
        answers = {answer.key: answer for answer in run(plan(tmp_path, expecting), given, address)}
    assert answers["admin_users"].status is (Status.UNKNOWN if old else Status.GREEN)
    assert ("it expired on" in answers["admin_users"].finding) is old


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", Status.UNKNOWN),
        (b"", Status.UNKNOWN),
        (b'{"data": [], "error": null, "count": 0}', Status.UNKNOWN),
        (b'[{"id": 7}]', Status.GREEN),
        (b'{"ok": true}', Status.GREEN),
    ],
)
def test_control_without_its_row_is_no_success(
    env: dict[str, str], tmp_path: Path, body: bytes, status: Status
) -> None:
    """200 without the row that was asked for, as behind row level security, stands behind no refusal."""
    with raw(answering(lambda first: b"200 " + body if "draft" not in first else b"403 {}")) as address:
        answers = {answer.key: answer for answer in run(plan(tmp_path, QUICK), env, address)}
    assert (answers["own_reading"].status, answers["draft_hidden"].status) == (status, status)
    assert ("but empty" in answers["own_reading"].finding) is (status is Status.UNKNOWN)


def test_another_refusal_is_amber(healthy: DemoDatabase, env: dict[str, str], tmp_path: Path) -> None:
    """Refused, but not as promised: nothing leaked, and the rule was not seen at work."""
    proof = prove(healthy, env, plan(tmp_path, {'path = "/admin/users"': 'path = "/admin/people"'}))
    assert (proof.status, statuses(proof)["admin_users"]) == (Status.AMBER, Status.AMBER)


def test_api_that_never_answers_is_bounded(healthy: DemoDatabase, tmp_path: Path) -> None:
    """Six requests, four at a time, a second each: unknown, and what was sent may have been carried out."""
    started = time.monotonic()
    proof = faulty(healthy, "silent", plan(tmp_path, QUICK))
    assert time.monotonic() - started < 6
    assert {p.detail.split(";")[0] for p in proof.points} == {"no answer within 1 s"}
    assert {p.what for p in proof.points if "may have been carried out" in p.detail} == WRITES


def test_answer_without_end_is_bounded(env: dict[str, str], tmp_path: Path) -> None:
    """A status counts although its body goes on for ever; of that a little is read."""

    def endless(handler: socketserver.StreamRequestHandler) -> None:
        request_of(handler)
        handler.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n")
        while True:
            handler.wfile.write(b'["no"],' * 10_000)

    started = time.monotonic()
    with raw(endless) as address:
        answers = {answer.key: answer for answer in run(plan(tmp_path, QUICK), env, address)}
    assert time.monotonic() - started < 4
    assert (answers["admin_users"].got, len(answers["admin_users"].lines)) == (403, 200)


def test_compressed_answer_is_not_opened(env: dict[str, str], tmp_path: Path) -> None:
    """The kit asks for plain text; what comes packed all the same is judged by its status."""

    def packed(handler: socketserver.StreamRequestHandler) -> None:
        request_of(handler)
        head = b"HTTP/1.1 403 x\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
        handler.wfile.write(head + gzip.compress(b'{"error": "no"}'))

    with raw(packed) as address:
        answers = {answer.key: answer for answer in run(plan(tmp_path, QUICK), env, address)}
    assert (answers["admin_users"].got, answers["admin_users"].lines) == (403, "application/json, not shown")


@pytest.mark.parametrize("part", ["head", "body"])
def test_dripping_answer_is_bounded(env: dict[str, str], tmp_path: Path, part: str) -> None:
    """A byte now and then restarts no clock: neither before the status nor after it."""
    stop = threading.Event()

    def drip(handler: socketserver.StreamRequestHandler) -> None:
        request_of(handler)
        handler.wfile.write(b"HTTP/1.1 403 Forbidden\r\n" + (b"\r\n" if part == "body" else b""))
        while not stop.wait(0.1):
            handler.wfile.write(b"a")

    started = time.monotonic()
    with raw(drip) as address:
        answers = {answer.key: answer for answer in run(plan(tmp_path, QUICK), env, address)}
        stop.set()
    assert time.monotonic() - started < 6
    assert answers["admin_users"].got == (403 if part == "body" else None)


def test_nothing_is_sent_twice(env: dict[str, str], tmp_path: Path) -> None:
    """A connection that breaks after the request was received is not tried again."""
    seen = []

    def reset(handler: socketserver.StreamRequestHandler) -> None:
        seen.append(request_of(handler).split(b"\n")[0])

    with raw(reset) as address:
        answers = run(plan(tmp_path, QUICK), env, address)
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 6
    assert {answer.finding.split(";")[0] for answer in answers} == {"the connection broke before there was an answer"}
    assert {a.contract.title for a in answers if "may have been carried out" in a.finding} == WRITES


def test_redirect_takes_no_token_along(env: dict[str, str], tmp_path: Path) -> None:
    """Another host that a redirect names is not asked, and its query is not shown."""
    seen = []

    def elsewhere(handler: socketserver.StreamRequestHandler) -> None:
        seen.append(request_of(handler))

    with raw(elsewhere) as other:

        def away(handler: socketserver.StreamRequestHandler) -> None:
            request_of(handler)
            handler.wfile.write(f"HTTP/1.1 307 x\r\nLocation: {other}/v2?key=abc\r\n\r\n".encode())

        with raw(away) as address:
            answers = run(plan(tmp_path, QUICK), env, address)
    assert seen == []
    assert {a.finding.split(";")[0] for a in answers} == {"307: sent on to 127.0.x.x/v2"}


def test_what_is_sent(env: dict[str, str], tmp_path: Path) -> None:
    """Values are quoted in the path, bodies are JSON, and each role shows its own token."""
    seen: dict[str, str] = {}

    def record(handler: socketserver.StreamRequestHandler) -> None:
        first, *rest = request_of(handler).decode().splitlines()
        seen[first] = next(line.split(" ", 1)[1] for line in rest if line.lower().startswith("authorization"))
        handler.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    with raw(record) as address:
        run(plan(tmp_path, QUICK), env, f"{address}/v1/")
    assert seen["GET /v1/readings/r-1/draft HTTP/1.1"] == f"Bearer {env['GOLIVE_CLIENT_TOKEN']}"
    assert seen["POST /v1/calls/b%2F2%20%3F/start HTTP/1.1"] == f"Bearer {env['GOLIVE_READER_TOKEN']}"


def test_nobody_listens(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """Connections are tried again and then unknown; nothing can have been carried out."""
    proof = prove(healthy, {**env, "GOLIVE_API_URL": f"http://127.0.0.1:{free_port()}"})
    assert (proof.status, proof.reason) == (Status.UNKNOWN, "all 6 requests: nobody listens at the address")


def test_no_tls_at_the_port(env: dict[str, str], api: Api) -> None:
    """https:// to a port that speaks plain HTTP says so."""
    (finding,) = {answer.finding for answer in run(KITS, env, api.url.replace("http:", "https:"))}
    assert finding.startswith("no secure connection (")


def test_untrusted_certificate(env: dict[str, str], tmp_path: Path) -> None:
    """A certificate that nobody vouches for is refused, before any token is sent."""
    if not (openssl := shutil.which("openssl")):
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *names]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    seen = []

    def secure(handler: socketserver.StreamRequestHandler) -> None:
        with context.wrap_socket(handler.request, server_side=True) as connection:
            seen.append(connection.recv(1))

    with raw(secure) as address:
        (finding,) = {answer.finding for answer in run(KITS, env, address.replace("http:", "https:"))}
    assert (finding, seen) == ("the certificate is not to be trusted: self-signed certificate", [])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "GOLIVE_API_URL is not set"),
        ("api.example.com", "is no address such as https://"),
        ("https://api.example.com:port", "is no address such as https://"),
        ("http://api.example.com", "is http:// to another machine, which would show the tokens"),
        ("https://maya:pa55word@api.example.com", "holds a user or a password"),
        ("https://api.example.com/?key=pa55word", "goes on after its path"),
    ],
)
def test_unusable_address(healthy: DemoDatabase, env: dict[str, str], address: str, words: str) -> None:
    """Nothing is sent, the reason is said once, and what the address holds is not shown."""
    proof = prove(healthy, {**env, "GOLIVE_API_URL": address})
    assert (proof.status, words in proof.reason, "pa55word" in repr(proof)) == (Status.UNKNOWN, True, False)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "not sent: GOLIVE_CLIENT_TOKEN is not set"),
        ("Bearer pa55word", "not sent: GOLIVE_CLIENT_TOKEN holds blanks or other signs that no token has"),
        ("pa55\nword", "not sent: GOLIVE_CLIENT_TOKEN holds blanks or other signs that no token has"),
        ("pa55word", "not sent: GOLIVE_CLIENT_TOKEN does not say whose it is, so no reading of theirs is known"),
    ],
)
def test_unusable_token(healthy: DemoDatabase, env: dict[str, str], token: str, words: str) -> None:
    """The role's contracts are unknown and name the variable; the other role's are asked all the same."""
    proof = prove(healthy, {**env, "GOLIVE_CLIENT_TOKEN": token})
    found = proof.tables[TABLE].set_index("contract")
    assert (found["finding"]["own_reading"], found["status"]["own_booking"]) == (words, "green")
    assert "pa55" not in repr(proof) + found.to_csv()


def test_expired_token_says_since_when(healthy: DemoDatabase, env: dict[str, str], api: Api) -> None:
    """The token's own end explains the 401, in the launch's zone."""
    client = str(jwt.decode(env["GOLIVE_CLIENT_TOKEN"], options={"verify_signature": False})["sub"])
    old = api.token(**{**user(client), "exp": int(CLOCK.timestamp()) - 3600 * 24 * 365})
    found = prove(healthy, {**env, "GOLIVE_CLIENT_TOKEN": old}).tables[TABLE].set_index("contract")["finding"]
    assert found["own_reading"] == "401: the token was not accepted: it expired on 26 Mar 2025, 00:00 Beirut"


def test_writes_need_permission_outside_a_demo(
    clone: Callable[[], DemoDatabase], demo_server: DemoServer, tmp_path: Path
) -> None:
    """Where the clock is nobody's, they are sent only if the caller or a staging's plan allows it."""
    demo = clone()
    demo_server.alter_setting(demo.name, "golive.now", "")
    with serve(demo) as api:
        env = environment(demo, api)
        shut = prove(demo, env)
        opened = prove(demo, env, allow_writes=True)
        staging = prove(demo, env, plan(tmp_path, {"writes = false": "writes = true"}))
    assert {p.what for p in shut.points if p.status is not Status.GREEN} == WRITES
    assert "not sent, for it is a POST: needs --allow-writes" in shut.reason
    assert (opened.status, staging.status) == (Status.GREEN, Status.GREEN)


def test_pinned_clock_alone_is_no_demo(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """With an API on another machine a database's pinned clock allows no writes."""
    proof = prove(healthy, {**env, "GOLIVE_API_URL": f"https://{'a' * 70}.invalid"})
    assert {p.what for p in proof.points if "needs --allow-writes" in p.detail} == WRITES


@pytest.mark.parametrize(
    "unfit",
    [
        "update tarot_v2_readings set ai_draft_visible_to_client = true",
        "update tarot_v2_card_selections set revealed_at = case card_position when 1 then created_at end",
        "delete from tarot_v2_readings",
    ],
)
def test_reading_that_tests_no_rule_is_not_asked_for(
    clone: Callable[[], DemoDatabase], env: dict[str, str], unfit: LiteralString
) -> None:
    """With a visible draft, or with one card open, no refusal is due: what needs a reading is unknown."""
    demo = clone()
    change(demo, unfit)
    found = prove(demo, env).tables[TABLE].set_index("contract")["finding"]
    assert found["own_reading"] == "not sent: the database has no reading of this client to ask for"


@pytest.mark.parametrize(
    "fit",
    [
        "update tarot_v2_readings set ai_draft_visible_to_client = null",
        "update tarot_v2_card_selections set revealed_at = null",
    ],
)
def test_reading_that_tests_the_rules_is_asked_for(
    clone: Callable[[], DemoDatabase], env: dict[str, str], fit: LiteralString
) -> None:
    """A draft that nobody has released, and a reading with no card open yet, will do."""
    demo = clone()
    change(demo, "alter table tarot_v2_readings alter ai_draft_visible_to_client drop not null", fit)
    with serve(demo) as own:
        client = str(jwt.decode(env["GOLIVE_CLIENT_TOKEN"], options={"verify_signature": False})["sub"])
        token = own.token(**user(client))
        proof = prove(demo, {**env, "GOLIVE_API_URL": own.url, "GOLIVE_CLIENT_TOKEN": token})
    found = statuses(proof)
    assert {found[key] for key in ("own_reading", "draft_hidden", "reveal_order")} == {Status.GREEN}


def test_missing_table_is_a_reason(clone: Callable[[], DemoDatabase], env: dict[str, str]) -> None:
    """A source that cannot be read makes its contracts unknown, and only those."""
    demo = clone()
    change(demo, "drop table tarot_v2_readings cascade")
    found = prove(demo, env).tables[TABLE].set_index("contract")["finding"]
    assert found["own_reading"].startswith("not sent: no reading could be found: table missing: ")
    assert found["own_booking"] == "200, as expected"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"{booking}": "{call}"}, r"contracts.own_booking.path has \{call\}; there are \{booking\}, \{reading\}"),
        (
            {'role = "reader"': 'role = "admin"'},
            r"contracts.own_booking.role = 'admin'; \[api\] tokens has client, reader",
        ),
    ],
)
def test_unknown_names_in_the_plan(
    healthy: DemoDatabase, env: dict[str, str], tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    """A placeholder or role that nothing stands for is the plan's mistake, and what there is is listed."""
    with pytest.raises(PlanError, match=words):
        prove(healthy, env, plan(tmp_path, changes))


def test_plan_without_contracts_proves_nothing(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """No contract at all is unknown, never green."""
    staging = read_plan(ROOT / "examples" / "staging" / "launch.toml")
    assert prove(healthy, env, staging).status is (Status.GREEN if staging.contracts else Status.UNKNOWN)


def test_works_where_an_event_loop_runs(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """A notebook's kernel has a loop of its own."""

    async def cell() -> Proof:
        return prove(healthy, env)

    assert asyncio.run(cell()).status is Status.GREEN


def test_proxies_of_the_environment_are_not_used(
    healthy: DemoDatabase, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens go to the API alone."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert prove(healthy, env).status is Status.GREEN


def test_unreadable_certificates_are_a_reason(
    healthy: DemoDatabase, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE that names nothing is said, not thrown."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    assert "SSL_CERT_FILE or SSL_CERT_DIR names no certificates" in prove(healthy, env).reason


def test_api_uses_no_rights_of_the_kit(healthy: DemoDatabase, env: dict[str, str]) -> None:
    """Asking changes no row: the same counts before and after."""
    count = "select (select count(*) from tarot_v2_card_selections), (select count(*) from call_sessions)"
    with psycopg.connect(healthy.url.replace("+psycopg", ""), autocommit=True) as connection:
        before = connection.execute(count).fetchone()
        prove(healthy, env)
        assert connection.execute(count).fetchone() == before


@pytest.mark.parametrize(
    ("status", "body", "shown"),
    [
        (400, '{"error": "cards are revealed in order", "next": 7}', '{"error": text, "next": number}'),
        (403, '{"error": "not_found", "status": 404}', '{"error": "not_found", "status": 404}'),
        (403, '{"code": "PGRST301", "message": "Maya may not"}', '{"code": "PGRST301", "message": text}'),
        (403, '{"code": "42501", "hint": "forbidden"}', '{"code": "42501", "hint": text}'),
        (403, '{"error": "Maya", "code": 123456789}', '{"error": text, "code": number}'),
        (200, '{"code": "forbidden", "ok": true, "pin": 123456}', '{"code": text, "ok": true, "pin": number}'),
        (200, '["Maya", "+961 3 123 456", 96131234567, -33.8e1]', "[text, text, number, number]"),
        (200, '{"Maya Khoury": {"a": "x\\"Khoury"}}', '{"…": {"a": text}}'),
        (200, '{"Maya": null}', '{"…": null}'),
        (200, '{"draft": "The Tower stands', '{"draft": text'),
        (403, '{"error": "my-own-token"}', '{"error": "•••"}'),
        (403, "User Maya Khoury is blocked", "text/plain, not shown"),
        (500, "deadbeef \x1b[31mred\n", "text/plain, not shown"),
        (200, "<!DOCTYPE html><title>Sign in, maya@example.com</title>Maya", "a page that says 'Sign in'"),
        (200, "<!DOCTYPE html><title>The page of Maya</title>Maya", "a page"),
        (200, "", ""),
    ],
)
def test_first_lines(status: int, body: str, shown: str) -> None:
    """The form of an answer is shown, and a refusal's machine codes; no word, number or name of it."""
    assert first_lines(Reply(status=status, kind="text/plain", body=body), ["my-own-token"]) == shown


def test_first_lines_are_quick_and_short() -> None:
    """What is hard for a pattern costs nothing."""
    started = time.monotonic()
    bodies = [piece * 65_536 for piece in (":", "a", '"', "+1 ", "eyJ", "{\\")]
    assert all(len(first_lines(Reply(status=500, body=body), [])) <= 200 for body in bodies)
    assert time.monotonic() - started < 2


def test_keys_in_a_request_are_masked() -> None:
    """Whatever a path holds that has a key's form is dots."""
    seen = masked("GET /x?at=10.20.30.40&key=sb_" + "secret_abc&token=ey" + "JhbGciOi.eyJ&hook=whsec_" + "a" * 12)
    assert seen == "GET /x?at=10.20.x.x&key=•••&token=•••&hook=•••"


def test_request_is_masked() -> None:
    """A row's identifier is cut in the table as everywhere."""
    assert masked("GET /readings/1a2b3c4d-2222-3333-4444-555555555555/draft") == "GET /readings/1a2b3c4d/draft"
