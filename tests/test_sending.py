"""Sending: to real receivers on this machine, whatever they answer, and with no address anywhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from past import PLAN
from plant import free_port
from told import Lived, environ, live

from golive_lib import messages, sending
from golive_lib.errors import PlanError, SettingsError, UsageError
from golive_lib.leaks import leak, secrets_of
from golive_lib.ledger import Ledger
from golive_lib.message_templates import Letter
from golive_lib.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from golive_lib.demo import DemoDatabase

KEY = "planted" * 3 + "0123456789"
LETTER = Letter("ar", "**عنوان**\n\n- نصّ *b*\n", "عنوان\n\n- نصّ b\n")
SHORT = 5.0


@dataclass
class Receiver:
    """A web server that answers with a status and keeps what it was sent."""

    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Its Apprise URL, with a key in it."""
        return f"json://127.0.0.1:{self.port}/{KEY}/"


@contextmanager
def receiver(status: int = 200) -> Iterator[Receiver]:
    """Serve as long as the context lasts."""
    kept = Receiver(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(kept.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


def target(url: str) -> sending.Target:
    """Return a target of an address."""
    return sending.target("release", "GOLIVE_NOTIFY_X", {"GOLIVE_NOTIFY_X": url})


def test_the_text_arrives_as_it_is_written() -> None:
    """The first line is the title, and the rest the text, in the plain form."""
    with receiver() as server:
        assert sending.deliver(target(server.url), LETTER) == sending.Sent("release", "ar", ok=True, said="sent")
    (got,) = server.got
    assert f"{got['title']}\n\n{got['message']}\n" == LETTER.txt


def test_a_service_that_prefers_markdown_gets_it() -> None:
    """The address may ask for it as well."""
    with receiver() as server:
        assert sending.deliver(target(f"{server.url}?format=markdown"), LETTER).ok
    assert server.got[0]["message"] == "- نصّ *b*"


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_said_with_its_status(status: int) -> None:
    """What the server answered is said, and no more."""
    with receiver(status) as server:
        sent = sending.deliver(target(server.url), LETTER)
    assert (sent.ok, sent.said) == (False, f"refused: HTTP {status}")


def test_nobody_listening_is_said() -> None:
    """A connection that is refused is a failure like any other."""
    sent = sending.deliver(target(f"json://127.0.0.1:{free_port()}/{KEY}"), LETTER)
    assert (sent.ok, sent.said) == (False, "not sent: no connection, or it broke off")


def test_a_server_that_never_answers_is_given_up() -> None:
    """It took the connection and keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        sent = sending.deliver(target(f"json://127.0.0.1:{server.getsockname()[1]}/{KEY}"), LETTER, seconds=0.2)
    assert not sent.ok


def test_a_server_that_dribbles_is_given_up() -> None:
    """Byte by byte no read ever times out, so the whole is bounded."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble() -> None:
            connection, _ = server.accept()
            with connection:
                while not done.wait(0.01):
                    connection.sendall(b"H")

        thread = threading.Thread(target=dribble, daemon=True)
        thread.start()
        sent = sending.deliver(target(f"json://127.0.0.1:{server.getsockname()[1]}/{KEY}?rto=60"), LETTER, seconds=0.3)
        done.set()
        thread.join()
    assert (sent.ok, sent.said) == (False, "no answer within 0.3 s")


def test_the_others_are_tried_after_a_failure() -> None:
    """Each target and language has its own outcome."""
    with receiver(403) as bad, receiver() as good:
        sent = [sending.deliver(target(each.url), LETTER) for each in (bad, good) for _ in range(2)]
    assert [one.ok for one in sent] == [False, False, True, True]


def test_a_target_shows_its_service_alone() -> None:
    """Neither text nor repr gives a part of the address."""
    shown = target(f"json://karim:{KEY}@127.0.0.1:9/{KEY}")
    assert str(shown) == "release: JSON"
    assert "127" not in repr(shown)
    assert KEY not in repr(shown)


UNUSABLE = {
    "unknown": ({"release": "GOLIVE_NOTIFY_X"}, ("gone",), {}, UsageError, "no target 'gone'; it has release"),
    "none named": ({}, (), {}, UsageError, "no target to send to"),
    "not set": ({"release": "GOLIVE_NOTIFY_X"}, (), {}, SettingsError, "GOLIVE_NOTIFY_X is not set"),
    "empty": ({"release": "GOLIVE_NOTIFY_X"}, (), {"GOLIVE_NOTIFY_X": " "}, SettingsError, "is not set"),
    "no URL": ({"release": "GOLIVE_NOTIFY_X"}, (), {"GOLIVE_NOTIFY_X": KEY}, SettingsError, "no Apprise URL"),
    "no service": (
        {"release": "GOLIVE_NOTIFY_X"},
        (),
        {"GOLIVE_NOTIFY_X": f"x{KEY}://a"},
        SettingsError,
        "no Apprise URL",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_target_that_cannot_be_used_is_said(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What is wrong is named without the value, on the screen as well."""
    named, to, env, error, said = UNUSABLE[case]
    with pytest.raises(error, match=said) as caught:
        sending.chosen(named, env, to)
    assert KEY not in str(caught.value) + "".join(capfd.readouterr())


@pytest.mark.parametrize("name", ["SLACK_URL", "GOLIVE_DB_URL", "GOLIVE_NOTIFY_", "golive_notify_x"])
def test_a_variable_of_another_name_is_refused(tmp_path: Path, name: str) -> None:
    """By its name alone an address is known for a secret."""
    text = PLAN.path.read_text().replace(
        '# targets = { release = "GOLIVE_NOTIFY_RELEASE" }', f'targets = {{ x = "{name}" }}'
    )
    (tmp_path / "launch.toml").write_text(text)
    with pytest.raises(PlanError, match=r"messages\.targets\.x"):
        read_plan(tmp_path / "launch.toml")


def test_an_address_in_a_report_is_a_leak() -> None:
    """The whole of it, its password and its long parts are found; a channel's name and a host are none."""
    secrets = secrets_of({"GOLIVE_NOTIFY_X": f"slack://bot:pw%2Fx1@hooks.example.com/{KEY}/#release"})
    for text in (f"slack://bot:pw%2Fx1@hooks.example.com/{KEY}/#release", KEY, "pw/x1"):
        assert leak(f"<p>{text}</p>", secrets) is not None
    secrets = secrets_of({"GOLIVE_NOTIFY_X": "mailto://karim:let%2Fme@example.com?pass=hun%2Fter2&to=a@example.com"})
    assert [leak(f"<p>{text}</p>", secrets) for text in ("hun/ter2", "let/me")].count(None) == 0
    assert leak("karim wrote to a@example.com", secrets) is None


def test_an_address_that_is_no_url_is_a_secret_too() -> None:
    """Whatever the variable holds stays secret, and reading it breaks nothing."""
    for value in ("http://[broken", KEY):
        assert leak(f"<p>{value}</p>", secrets_of({"GOLIVE_NOTIFY_X": value})) is not None
    assert secrets_of({"GOLIVE_NOTIFY_X": ""}) == ()


def test_words_of_an_address_are_no_leak() -> None:
    """A channel's name, a login and a host may stand anywhere."""
    secrets = secrets_of({"GOLIVE_NOTIFY_X": f"slack://bot:pw%2Fx1@hooks.example.com/{KEY}/#release"})
    assert leak("see #release on hooks.example.com by bot", secrets) is None


@pytest.fixture(scope="module")
def green(healthy: DemoDatabase, env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Live through a stage that holds."""
    return live(healthy, env, tmp_path_factory.mktemp("sending"), prepare=False, stages=(10,))


@pytest.fixture
def plan(green: Lived, tmp_path: Path) -> Path:
    """Give the run's own plan with two targets, as if it had been there when the run was made."""
    text = PLAN.path.read_text().replace(
        '# targets = { release = "GOLIVE_NOTIFY_RELEASE" }',
        'targets = { release = "GOLIVE_NOTIFY_RELEASE", owner = "GOLIVE_NOTIFY_OWNER" }',
    )
    (tmp_path / "launch.toml").write_text(text)
    (tmp_path / "queries").mkdir()
    from golive_lib.console import run_all  # noqa: PLC0415  what it reads of the process is set first

    with environ(**(dict(green.env) | {"GOLIVE_PLAN": str(tmp_path / "launch.toml")})):
        run_all(["canary"], {"stage": "10"}, green.outputs)
    return tmp_path / "launch.toml"


def golive(green: Lived, plan: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    command = [sys.executable, "-m", "golive_lib", "message", "--plan", str(plan), *arguments]
    return subprocess.run(command, env=os.environ | dict(green.env) | env, capture_output=True, text=True, check=False)


def test_two_targets_of_which_one_fails(green: Lived, plan: Path) -> None:
    """Both are tried, the failure is said and recorded without an address, and a repetition sends what failed."""
    with receiver(403) as bad, receiver() as good:
        env = {"GOLIVE_NOTIFY_RELEASE": bad.url, "GOLIVE_NOTIFY_OWNER": good.url}
        first = golive(green, plan, env, "--send")
        bad.status = 200
        second = golive(green, plan, env, "--send")
    assert (first.returncode, second.returncode) == (1, 0), first.stderr + second.stderr
    assert "✕ release (en): refused: HTTP 403" in first.stderr
    assert "✓ owner (ar): sent" in first.stderr
    assert "✓ owner (ar): sent before, ledger record" in second.stderr
    assert (len(bad.got), len(good.got)) == (4, 2)
    written = [path.read_text() for path in sorted((green.outputs / "messages").glob("*-hold.*.txt"))]
    assert {f"{got['title']}\n\n{got['message']}\n" for got in good.got} <= set(written)
    sent = Ledger(green.outputs).entries("message")[-2].data["sent"]
    assert [(one["target"], one["ok"]) for one in sent] == [
        ("release", False),
        ("release", False),
        ("owner", True),
        ("owner", True),
    ]
    everything = [path.read_text(errors="replace") for path in green.outputs.rglob("*") if path.is_file()]
    assert [text for text in (first.stdout, first.stderr, second.stderr, *everything) if KEY in text] == []


def test_without_send_nothing_is_sent(green: Lived, plan: Path) -> None:
    """The text and the masked targets are shown."""
    with receiver() as server:
        done = golive(green, plan, {"GOLIVE_NOTIFY_RELEASE": server.url})
    assert (done.returncode, server.got) == (0, [])
    assert "--send sends it to release: JSON" in done.stderr
    assert "GOLIVE_NOTIFY_OWNER is not set" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_one_target_that_is_not_set_stops_all(green: Lived, plan: Path) -> None:
    """Nothing is written, recorded or sent before every target is known."""
    before = len(Ledger(green.outputs).entries("message"))
    with receiver() as server:
        done = golive(green, plan, {"GOLIVE_NOTIFY_RELEASE": server.url}, "--send")
        unknown = golive(green, plan, {"GOLIVE_NOTIFY_RELEASE": server.url}, "--send", "--to", "gone")
    assert (done.returncode, unknown.returncode, server.got) == (1, 2, [])
    assert len(Ledger(green.outputs).entries("message")) == before


def test_again_sends_what_was_sent(green: Lived, plan: Path) -> None:
    """Somebody may have deleted it there."""
    with receiver() as server, environ(**(dict(green.env) | {"GOLIVE_NOTIFY_OWNER": server.url})):
        launch = green.launch(plan)
        for again in (True, False, True):
            post = messages.Post(to=("owner",), seconds=SHORT, again=again)
            assert messages.write(launch, languages=("en",), post=post).ok
    assert len(server.got) == 2
