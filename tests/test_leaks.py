"""What counts as a secret of the environment."""

from __future__ import annotations

import pytest

from golive_lib.leaks import leak, secrets_of, without_keys

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


FORMS = {
    "Stripe's live key": "sk_" + "live_" + "a1B2" * 6,
    "Stripe's test key": "sk_" + "test_" + "a1B2" * 6,
    "Stripe's restricted key": "rk_" + "live_" + "a1B2" * 6,
    "Stripe's webhook": "whsec_" + "a1B2" * 6,
    "Slack's token": "xoxb-" + "1234-" * 3 + "abcd",
    "Slack's webhook": "https://hooks.slack" + ".com/services/T000/B000/" + "a1B2" * 4,
    "GitHub's token": "ghp_" + "a1B2" * 9,
    "GitHub's fine-grained token": "github_pat_" + "a1B2" * 9,
    "Amazon's key": "AKIA" + "A1B2" * 4,
    "Supabase's key": "sb_secret_" + "a1B2" * 6,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_form_is_a_leak_from_wherever(form: str) -> None:
    """What the environment does not hold may come from a row; it is found, and can be put out."""
    text = f'<td>"{FORMS[form]}"</td>'
    assert leak(text, ()) == "a key"
    assert leak(without_keys(text), ()) is None
    assert FORMS[form][-12:] not in without_keys(text)


@pytest.mark.parametrize(
    "text",
    ["sk_live_ is how they begin", "task_test_results_of_march", "see hooks.slack.com/services", "AKIA", "whsec"],
)
def test_what_only_begins_like_a_key_is_none(text: str) -> None:
    """Documentation may name the forms, and names of things may hold them."""
    assert (leak(text, ()), without_keys(text)) == (None, text)


@pytest.mark.parametrize("shown", ["PASSWORD", "…", "•••", "***"])
def test_the_form_of_a_url_is_no_leak(shown: str) -> None:
    """A message may say how an address is written."""
    assert leak(f"set it to postgresql://USER:{shown}@HOST:5432/DATABASE", ()) is None


@pytest.mark.parametrize("planted", ["password", "PASSWORD1", "•••x", "…y", "x"])
def test_a_url_with_a_password_is_a_leak(planted: str) -> None:
    """Whatever is not the form itself may be one."""
    assert leak(f"at postgresql+psycopg://user:{planted}@host/db", ()) == "a database URL with a password"


def test_token_of_spark_connect_is_secret() -> None:
    """The token in Spark Connect's address is found, and the rest of the address is none."""
    secrets = secrets_of({"GOLIVE_DB_URL": "sc://cluster:15002/;use_ssl=true;token=t0psecret;archive=/data/samia"})
    assert secrets == ("t0psecret",)
