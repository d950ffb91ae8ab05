"""Addresses and secrets: any password is understood, and none is ever shown."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golive_lib.errors import SettingsError
from golive_lib.settings import Secret, environment, outputs_folder, parse_url, place_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("postgres://u:plain@h:5432/d", "plain"),
        ("postgresql://u:p%40ss@h/d", "p@ss"),
        ("postgresql+psycopg://u:p@ss/w#rd%@h:5432/d?sslmode=require", "p@ss/w#rd%"),
        ("postgresql://u:50%off@h/d", "50%off"),
        ("postgresql://u@h/d", None),
        ("postgresql://u@h/d?password=in%20query", "in query"),
    ],
)
def test_password_is_understood(text: str, password: str | None) -> None:
    """Encoded or as it is, in its place or among the options."""
    secret = parse_url(text).password
    assert (secret and secret.reveal()) == password


def test_parts_are_read() -> None:
    """User, host, port, database and options of a Supabase pooler's URL."""
    url = parse_url("postgres://postgres.abc:x%2Fy@pooler.example.com:6543/postgres?sslmode=require")
    assert (url.user, url.host, url.port, url.database) == ("postgres.abc", "pooler.example.com", 6543, "postgres")
    assert url.options == (("sslmode", "require"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mysql://u:hush-hush@h/d", "begins with 'mysql'"),
        ("hush-hush", "has no scheme"),
        ("postgres://u:hush-hush@h:99999/d", "is no HOST:PORT/DATABASE"),
        ("postgres://u:hush-hush@[::1/d", "is no HOST:PORT/DATABASE"),
        ("postgres://u@h/d?sslpassword=hush-hush", "'sslpassword' is not supported"),
        ("postgres://u:hush-hush@h/d?application_name=me@x", "has an '@' after its '?'"),
    ],
)
def test_malformed_url_is_refused_without_quoting_it(text: str, message: str) -> None:
    """The message says what is wrong and holds nothing that may be a password."""
    with pytest.raises(SettingsError) as caught:
        parse_url(text)
    assert message in str(caught.value)
    assert "hush" not in "".join(traceback.format_exception(caught.value)[-1:])


@settings(derandomize=True)
@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=8, max_size=20))
def test_any_password_survives_the_way_to_a_child_process(password: str) -> None:
    """What is encoded for the environment reads back as it was, and repr, str and scrub show none of it."""
    url = parse_url("postgresql://u:x@h:1/d")
    there = type(url)(url.user, Secret(password), url.host, url.port, url.database)
    back = parse_url(there.environment()).password
    assert back is not None
    assert back.reveal() == password
    assert there.scrub(f"<{password}>") == "<•••>"
    assert repr(Secret(password)) == "Secret('•••')"


def test_ipv6_host_keeps_its_brackets() -> None:
    """An IPv6 address goes to a child process as it came."""
    assert parse_url("postgresql://u@[::1]:5433/d").environment() == "postgresql://u@[::1]:5433/d"


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("postgres://u:hush@h:5433/d", "d on h:5433"),
        ("postgres://other@h:5433/d", "d on h:5433"),
        ("postgres://u@h/d", "d on h:5432"),
        ("postgres://u@/d?host=%2Frun%2Fpg&port=5432", "d on /run/pg:5432"),
        ("postgres://postgres.abc:hush@x.pooler.supabase.com:6543/postgres", "postgres of Supabase project abc"),
        ("postgres://golive_ro.abc@x.pooler.supabase.com:5432/postgres", "postgres of Supabase project abc"),
        ("postgres://postgres@db.abc.supabase.co:5432/postgres", "postgres of Supabase project abc"),
        ("postgres://postgres.xyz@x.pooler.supabase.com:6543/postgres", "postgres of Supabase project xyz"),
        ("postgres://first.last@h/postgres", "postgres on h:5432"),
    ],
)
def test_identity_is_the_database_whoever_asks(text: str, identity: str) -> None:
    """A manifest is found again as another role and through another pooler, and never for another project."""
    assert parse_url(text).identity == identity


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    """``.env`` fills in what the process's environment does not say."""
    (tmp_path / ".env").write_text("GOLIVE_DB_URL=from-file\nGOLIVE_OUTPUTS=there\n")
    env = environment(tmp_path, {"GOLIVE_DB_URL": "from-process"})
    assert (env["GOLIVE_DB_URL"], str(outputs_folder(env))) == ("from-process", "there")


@pytest.mark.parametrize(
    ("database", "place"),
    [
        ("samia on db:5432 as golive_ro", "samia on db:5432"),
        ("samia on db:5432 as golive_ro, and the archive kept, by DuckDB", "samia on db:5432"),
        ("the archive kept, by DuckDB", "the archive kept, by DuckDB"),
    ],
)
def test_place_is_the_address_without_the_role(database: str, place: str) -> None:
    """Runs are of one database whoever asked; two archives are two databases."""
    assert place_of(database) == place
