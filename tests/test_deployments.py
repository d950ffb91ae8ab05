"""Other servers and other schemas: PgBouncer, Debian's PostgreSQL 15, and the staging copy of a real deployment."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from psycopg import sql

from golive_lib import Status, open_launch
from golive_lib.demo import open_demo
from golive_lib.demo.build import STORIES, _built
from golive_lib.demo.server import PORT
from golive_lib.doctor import examine
from golive_lib.errors import DatabaseError
from golive_lib.query import compose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from golive_lib.demo import DemoDatabase, DemoServer

ROOT = Path(__file__).parents[1]


def test_doctor_sees_the_transaction_pooler(pooled: str) -> None:
    """One server process answers two connections: said, and every query still runs."""
    findings = examine(open_launch(pooled))
    mode = next(finding.detail for finding in findings if finding.item == "connection")
    assert mode.startswith("through a transaction pooler")
    assert [finding for finding in findings if finding.status is not Status.GREEN] == []


def test_results_are_the_same_through_the_pooler(pooled: str, healthy: DemoDatabase) -> None:
    """Pooled or direct: the same checks, counts and statuses, again and again on one connection."""
    direct = open_launch(healthy.url)
    through = open_launch(pooled)
    for _ in range(3):
        for folder in ("sanity", "health"):
            ours, theirs = direct.checks(folder), through.checks(folder)
            assert [(r.name, r.status, r.examined) for r in theirs] == [(r.name, r.status, r.examined) for r in ours]


def test_guards_hold_behind_the_pooler(pooled: str) -> None:
    """Every transaction has its limits, its zone and row_security=off, whichever session serves it."""
    launch = open_launch(pooled)
    for _ in range(3):
        with launch.postgres.snapshot() as snapshot:
            shown = snapshot._connection.exec_driver_sql(
                "select current_setting('statement_timeout'), current_setting('lock_timeout'), "
                "current_setting('timezone'), current_setting('jit'), current_setting('row_security'), "
                "current_setting('transaction_read_only'), current_setting('transaction_isolation')"
            ).one()
        assert tuple(shown) == ("1min", "2s", "UTC", "off", "off", "on", "repeatable read")


def test_checks_agree_on_debians_postgresql_15(debian_server: DemoServer, healthy: DemoDatabase) -> None:
    """The oldest supported server gives the same answers to the same demo."""
    name = _built(debian_server, STORIES["healthy"], 0.05, 7, lambda _: None)
    old, new = open_launch(debian_server.url(name)), open_launch(healthy.url)
    assert [f for f in examine(old) if f.status is not Status.GREEN] == []
    for folder in ("sanity", "health"):
        theirs, ours = old.checks(folder), new.checks(folder)
        assert [(r.name, r.status, r.examined) for r in theirs] == [(r.name, r.status, r.examined) for r in ours]


def test_every_query_runs_on_staging_unchanged(staging: str) -> None:
    """Source files of its own are all that a second deployment needs."""
    findings = examine(open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml"))
    assert [f for f in findings if f.area in ("source", "query") and f.status is not Status.GREEN] == []


def test_every_check_has_looked_at_staging(staging: str) -> None:
    """Each check examined rows there; what it found is for the report to say."""
    launch = open_launch(staging, plan=ROOT / "examples" / "staging" / "launch.toml")
    assert [r.name for folder in ("sanity", "health") for r in launch.checks(folder) if not r.examined] == []


def test_kits_own_sources_do_not_fit_staging(staging: str) -> None:
    """The overlay is needed: without it the differing tables answer unknown rather than wrong."""
    results = open_launch(staging, plan=ROOT / "launch.toml").checks("sanity")
    assert {r.name for r in results if r.status is Status.UNKNOWN} == {"sanity/consent", "sanity/reveal_order"}


SIGNS = "p@ss/w#rd%x"


@pytest.fixture(scope="module")
def signs(debian_server: DemoServer) -> Iterator[DemoServer]:
    """Let a role with an awkward password log in, which the server asks for."""
    with debian_server.connect() as connection:
        connection.execute(sql.SQL("create role signs login password {}").format(SIGNS))
        hba = Path(str(connection.execute("show hba_file").fetchone()[0]))  # type: ignore[index]  # show answers one row
        hba.write_text("local all signs scram-sha-256\n" + hba.read_text())
        connection.execute("select pg_reload_conf()")
        yield debian_server
        connection.execute("drop role signs")


@pytest.mark.parametrize("spelling", [SIGNS, quote(SIGNS, safe="")])
def test_password_with_every_sign_reaches_the_server(signs: DemoServer, spelling: str) -> None:
    """A password with @ / # % works as it is and encoded."""
    launch = open_launch(f"postgres://signs:{spelling}@/postgres?host={signs.socket}&port={PORT}")
    assert launch.frame("doctor/role")["login"].item() == "signs"


def test_wrong_password_is_said_and_not_shown(signs: DemoServer) -> None:
    """The message names the server and the next step, and nowhere the password."""
    launch = open_launch(f"postgres://signs:{SIGNS}-wrong@/postgres?host={signs.socket}&port={PORT}")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        launch.frame("doctor/role")
    shown = "".join(traceback.format_exception(caught.value)) + repr(launch) + repr(launch.postgres.url)
    assert "check the user and the password" in shown
    assert SIGNS not in shown
    assert quote(SIGNS, safe="") not in shown


def test_two_stories_share_one_server(demo_folder: Path, healthy: DemoDatabase) -> None:
    """Another story beside the first is built and judged while the first stays as it was."""
    with open_demo("dirty", scale=0.05, data=demo_folder) as dirty:
        statuses = {r.name: r.status for r in open_launch(dirty.url).checks("sanity")}
    assert set(statuses.values()) == {Status.RED}
    assert open_launch(healthy.url).checks("sanity").outcome.status is Status.GREEN


def test_lost_connection_is_an_error_and_the_next_question_works(
    healthy: DemoDatabase, demo_server: DemoServer
) -> None:
    """A server process that dies in the middle costs one question, not the session."""
    launch = open_launch(healthy.url)
    role = compose(launch.queries["doctor/role"], launch.queries)
    with pytest.raises(DatabaseError), launch.postgres.snapshot() as snapshot:  # noqa: PT012  lost in its middle
        with demo_server.connect() as admin:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'golive_ro'")
        snapshot.frame(role, {})
    assert launch.check("sanity/deck_parity").status is Status.GREEN
