"""Acting as others in one transaction: what they see, and that nothing of it stays."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from plant import free_port
from psycopg import sql

from golive_lib.acting import acting, applying
from golive_lib.errors import DatabaseError, QueryFailed
from golive_lib.plan import DatabaseRules
from golive_lib.settings import parse_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from golive_lib.acting import Actor
    from golive_lib.demo import DemoDatabase, DemoServer

    Clone = Callable[[], DemoDatabase]

WHO = sql.SQL("select current_user::text as role, current_setting('row_security') as row_security")
PROFILES = sql.SQL("select user_id from public.profiles where role = 'client'")


@contextmanager
def actor_on(url: str, seconds: float = 5) -> Iterator[Actor]:
    """Act through a URL, each question bounded."""
    with acting(parse_url(url), DatabaseRules(), timeout=timedelta(seconds=seconds)) as actor:
        yield actor


def test_a_client_sees_what_rls_lets_them(healthy: DemoDatabase) -> None:
    """The kit sees every profile, a client their own, and the kit again every one."""
    with actor_on(healthy.url) as actor:
        everyone = actor.ask(PROFILES)["user_id"]
        actor.become("authenticated", {"sub": str(everyone[7]), "role": "authenticated"})
        assert actor.ask(PROFILES)["user_id"].tolist() == [everyone[7]]
        assert actor.ask(WHO).iloc[0].tolist() == ["authenticated", "on"]
        actor.itself()
        assert len(actor.ask(PROFILES)) == len(everyone)
        assert actor.ask(WHO).iloc[0].tolist() == ["golive_ro", "off"]


def test_nothing_stays(clone: Clone) -> None:
    """What is done while acting is gone at its end, also as a superuser."""
    demo = clone()
    with actor_on(demo.admin_url) as actor:
        actor.run(sql.SQL("drop table public.feature_flags"))
    with actor_on(demo.url) as actor:
        assert len(actor.ask(sql.SQL("select key from public.feature_flags"))) == 10


@pytest.mark.parametrize(
    ("role", "reason"),
    [
        ("service_role", 'no right to read: permission denied to set role "service_role"'),
        ("nobody", 'query failed [22023]: role "nobody" does not exist'),
    ],
)
def test_a_role_that_may_not_be_taken(healthy: DemoDatabase, role: str, reason: str) -> None:
    """It is said, and the transaction goes on as whoever it was."""
    with actor_on(healthy.url) as actor:
        with pytest.raises(QueryFailed) as caught:
            actor.become(role, {})
        assert caught.value.reason == reason
        assert actor.ask(WHO)["role"].item() == "golive_ro"


def test_sealed_is_read_only_for_good(healthy: DemoDatabase) -> None:
    """After the seal nothing can be written, and nobody can lift it."""
    with actor_on(healthy.url) as actor:
        actor.run(sql.SQL("create table pg_temp.before (i int)"))
        actor.seal()
        for command in ("create table pg_temp.after (i int)", "set transaction read write"):
            with pytest.raises(QueryFailed):
                actor.run(sql.SQL(command))
        with pytest.raises(QueryFailed, match="read-only"):
            actor.run(sql.SQL("delete from public.decks"))
        assert actor.ask(sql.SQL("select i from pg_temp.before")).empty


def test_undone_takes_back_role_and_deed(clone: Clone) -> None:
    """A part of the transaction can be tried and taken back with whom it acted as."""
    with actor_on(clone().admin_url) as actor:
        with actor.undone():
            actor.run(sql.SQL("truncate public.feature_flags"))
            actor.become("anon", {})
        assert actor.ask(WHO)["role"].item() == "postgres"
        assert len(actor.ask(sql.SQL("select key from public.feature_flags"))) == 10


def test_a_question_is_bounded(healthy: DemoDatabase) -> None:
    """One that takes too long is stopped, and the next is answered."""
    with actor_on(healthy.url, seconds=0.1) as actor:
        with pytest.raises(QueryFailed, match="stopped by the statement timeout"):
            actor.ask(sql.SQL("select pg_sleep(5)"))
        assert actor.ask(WHO)["role"].item() == "golive_ro"


def test_unreachable_is_said_without_the_password() -> None:
    """The message names the server and the next step."""
    word = "not-to-be-shown"
    with (
        pytest.raises(DatabaseError, match="is the server running") as caught,
        actor_on(f"postgresql://somebody:{word}@127.0.0.1:{free_port()}/app"),
    ):
        pass
    assert word not in str(caught.value)


def test_a_lost_connection_is_an_error(healthy: DemoDatabase, demo_server: DemoServer) -> None:
    """A server process that dies in the middle is no answer."""
    with pytest.raises(DatabaseError) as caught, actor_on(healthy.url) as actor:  # noqa: PT012  lost in its middle
        pid = actor.ask(sql.SQL("select pg_backend_pid() as pid"))["pid"].item()
        with demo_server.connect() as admin:
            admin.execute("select pg_terminate_backend(%s)", [pid])
        actor.ask(WHO)
    assert not isinstance(caught.value, QueryFailed)


def test_applying_commits_all_or_nothing(clone: Clone) -> None:
    """What is applied stays; an error takes all of it back."""
    demo = clone()
    url = parse_url(demo.admin_url)
    with applying(url, DatabaseRules()) as actor:
        actor.run(sql.SQL("create table public.kept (i int)"))
    with pytest.raises(QueryFailed), applying(url, DatabaseRules()) as actor:  # noqa: PT012  the second one fails
        actor.run(sql.SQL("create table public.lost (i int)"))
        actor.run(sql.SQL("create table public.kept (i int)"))
    with actor_on(demo.url) as actor:
        tables = actor.ask(sql.SQL("select relname from pg_class where relname in ('kept', 'lost')"))
    assert tables["relname"].tolist() == ["kept"]


def test_acting_does_not_make_the_kits_role_a_writer(healthy: DemoDatabase) -> None:
    """The roles it may take lend it no right of their own."""
    with actor_on(healthy.url) as actor:
        may = sql.SQL("select has_table_privilege('public.decks', 'insert') as may")
        assert not actor.ask(may)["may"].item()
