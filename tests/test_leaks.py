"""What counts as a secret of the environment."""

from __future__ import annotations

import pytest

from golive_lib.leaks import leak, secrets_of

VALUE = "0123456789abcdef-planted"


@pytest.mark.parametrize("name", ["SERVICE_ROLE_KEY", "SUPABASE_ANON_KEY", "GOLIVE_CLIENT_TOKEN", "ACME_API_TOKEN"])
def test_keys_and_tokens_are_secret(name: str) -> None:
    """A plan may name any variable, so the name's ending decides."""
    assert secrets_of({name: VALUE}) == (VALUE,)


@pytest.mark.parametrize(
    ("name", "value"),
    [("KEYBOARD", "us"), ("SSH_KEY_PATH", "/home/analyst/.ssh/id_ed25519"), ("GOLIVE_API_URL", "http://127.0.0.1:1")],
)
def test_look_alikes_are_not_secret(name: str, value: str) -> None:
    """A short word, a path and an address without a password may be shown."""
    assert secrets_of({name: value}) == ()


def test_a_url_that_cannot_be_read_is_secret_as_a_whole() -> None:
    """Nobody knows which part of it is the password."""
    url = "postgresql://u:planted@host:99999999/db"
    assert secrets_of({"OTHER_DATABASE_URL": url}) == (url,)


def test_what_is_found_is_not_quoted() -> None:
    """The finding names the kind alone."""
    assert leak(f"<p>{VALUE}</p>", (VALUE,)) == "a password or key from the environment"


@pytest.mark.parametrize("shown", ["PASSWORD", "…", "•••", "***"])
def test_the_form_of_a_url_is_no_leak(shown: str) -> None:
    """A message may say how an address is written."""
    assert leak(f"set it to postgresql://USER:{shown}@HOST:5432/DATABASE", ()) is None


@pytest.mark.parametrize("planted", ["password", "PASSWORD1", "•••x", "…y", "x"])
def test_a_url_with_a_password_is_a_leak(planted: str) -> None:
    """Whatever is not the form itself may be one."""
    assert leak(f"at postgresql+psycopg://user:{planted}@host/db", ()) == "a database URL with a password"
